from __future__ import annotations

import signal
import threading

import pytest

from sklearn_groupcross import GroupCrosscoder
from sklearn_groupcross.cli._signals import Stopped, stopped_by_signals
from sklearn_groupcross.crosscoder._trainer import Trainer
from tests.cli.runs import run


@pytest.fixture
def signals_end():
    """Signals end a process, as they do unless it was started under nohup."""
    numbers = [getattr(signal, name) for name in ("SIGTERM", "SIGHUP") if hasattr(signal, name)]
    before = {number: signal.signal(number, signal.SIG_DFL) for number in numbers}
    yield
    for number, handler in before.items():
        signal.signal(number, handler)


@pytest.mark.skipif(not hasattr(signal, "SIGHUP"), reason="Windows ends processes without asking")
@pytest.mark.usefixtures("signals_end")
@pytest.mark.parametrize("name", ["SIGTERM", "SIGHUP"])
def test_other_signals_save_and_clean_up_as_well(folder, tmp_path, capsys, monkeypatch, name):
    number = getattr(signal, name)
    train_on = Trainer.train_on

    def stopped(self, batch):
        signal.raise_signal(number)
        train_on(self, batch)

    out = tmp_path / "out"
    before = signal.getsignal(number)
    with monkeypatch.context() as patch:
        patch.setattr(Trainer, "train_on", stopped)
        assert run(folder, out) == 128 + number
    assert signal.getsignal(number) == before
    assert name in capsys.readouterr().err.splitlines()[-1]
    (saved,) = out.iterdir()
    assert GroupCrosscoder.load(saved).n_steps_ == 1

    monkeypatch.setattr(
        "sklearn_groupcross.orbits.OrbitDataset.read_orbits",
        lambda *args, **kwargs: signal.raise_signal(number),
    )
    assert run(folder, tmp_path / "other") == 128 + number
    assert not (tmp_path / "other").exists()


def test_a_signal_is_raised_and_handlers_are_put_back():
    before = signal.signal(signal.SIGTERM, signal.SIG_DFL)
    try:
        with pytest.raises(Stopped, match="stopped by SIGTERM") as stop, stopped_by_signals():
            signal.raise_signal(signal.SIGTERM)
        assert stop.value.number == signal.SIGTERM
        assert signal.getsignal(signal.SIGTERM) == signal.SIG_DFL
    finally:
        signal.signal(signal.SIGTERM, before)


@pytest.mark.parametrize("handler", [signal.SIG_IGN, lambda *args: None])
def test_what_is_ignored_or_handled_already_stays_so(handler):
    """As nohup ignores signals, and programs that call the command have handlers of their own."""
    before = signal.signal(signal.SIGTERM, handler)
    try:
        with stopped_by_signals():
            signal.raise_signal(signal.SIGTERM)
            assert signal.getsignal(signal.SIGTERM) == handler
    finally:
        signal.signal(signal.SIGTERM, before)


def test_other_threads_leave_signals_alone():
    found = []

    def work():
        with stopped_by_signals():
            found.append(signal.getsignal(signal.SIGTERM))

    before = signal.getsignal(signal.SIGTERM)
    thread = threading.Thread(target=work)
    thread.start()
    thread.join()
    assert found == [before]
