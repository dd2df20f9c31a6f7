"""Signals during a fit: what is ours waits for the end of a step, what is the host's stays so."""

from __future__ import annotations

import ctypes
import os
import signal
import subprocess
import sys
import textwrap
import threading

import numpy as np
import pytest

from sklearn_groupcross import (
    Dihedral,
    GroupCrosscoder,
    crosscoder_ensemble,
    crosscoder_path,
    make_orbits,
)
from sklearn_groupcross.crosscoder._disposition import _address, _read_action
from sklearn_groupcross.crosscoder._interrupt import deferred_interrupt
from sklearn_groupcross.crosscoder._trainer import Trainer

GROUP = Dihedral(3)
ALL = [signal.SIGINT, signal.SIGTERM] + ([signal.SIGHUP] if hasattr(signal, "SIGHUP") else [])
posix = pytest.mark.skipif(os.name == "nt", reason="Windows has no such signals")


@pytest.fixture(scope="module")
def orbits():
    return make_orbits(60, group=GROUP, n_channels=4, random_state=0).orbits


@pytest.fixture(autouse=True)
def same_afterwards(interruptible):
    """Handlers of Python and of the system are after each test what they were before."""
    before = states()
    yield
    for number, (handler, _) in zip(ALL, before, strict=True):
        if handler is not None:
            signal.signal(number, handler)
    assert states() == before


def build(folder=None, **options):
    defaults = {
        "group": GROUP,
        "n_features": 8,
        "batch_size": 20,
        "max_epochs": 4,
        "random_state": 0,
        "checkpoint_dir": folder,
    }
    return GroupCrosscoder(**{**defaults, **options})


def send_in_step(n_steps, number, monkeypatch):
    """Send a signal in the step of the first trainer after so many."""
    train_on, sent = Trainer.train_on, []

    def interrupted(self, batch):
        if self.step == n_steps and not sent:
            sent.append(number)
            signal.raise_signal(number)
        train_on(self, batch)

    monkeypatch.setattr(Trainer, "train_on", interrupted)


def states():
    """Handlers of Python, and addresses of the system's."""
    return [(signal.getsignal(number), _address(_read_action(number))) for number in ALL]


def test_an_ignored_interrupt_stays_ignored(orbits, tmp_path, monkeypatch):
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    before = states()
    send_in_step(3, signal.SIGINT, monkeypatch)
    assert build(tmp_path).fit(orbits).n_steps_ == 12
    assert states() == before


def test_a_host_that_takes_note_is_called_and_nothing_stops(orbits, tmp_path, monkeypatch):
    seen = []
    signal.signal(signal.SIGINT, lambda number, frame: seen.append((number, frame is not None)))
    before = states()
    send_in_step(3, signal.SIGINT, monkeypatch)
    assert build(tmp_path).fit(orbits).n_steps_ == 12
    assert seen == [(signal.SIGINT, True)]
    assert states() == before


@pytest.mark.parametrize("kind", [KeyboardInterrupt, SystemExit, LookupError])
def test_what_a_host_raises_waits_for_the_end_of_the_step(orbits, tmp_path, monkeypatch, kind):
    def handler(number, frame):
        raise kind("of the host")

    signal.signal(signal.SIGINT, handler)
    before = states()
    send_in_step(3, signal.SIGINT, monkeypatch)
    crosscoder = build(tmp_path)
    with pytest.raises(kind, match="of the host"):
        crosscoder.fit(orbits)
    assert crosscoder.n_steps_ == 4
    (file,) = tmp_path.iterdir()
    assert GroupCrosscoder.load(file).n_steps_ == 4
    assert states() == before


@posix
@pytest.mark.parametrize("number", ALL)
def test_a_signal_that_c_code_has_is_left_to_it(orbits, tmp_path, monkeypatch, number):
    """Also where Python does not know: it has been set behind its back."""
    libc = ctypes.CDLL(None)
    libc.signal.restype, libc.signal.argtypes = ctypes.c_void_p, [ctypes.c_int, ctypes.c_void_p]
    handler = ctypes.cast(libc.labs, ctypes.c_void_p)  # takes a number, and does no harm
    python = libc.signal(number, handler)
    try:
        before = states()
        send_in_step(3, number, monkeypatch)
        assert build(tmp_path).fit(orbits).n_steps_ == 12
        assert states() == before
    finally:
        libc.signal(number, python)
        signal.signal(number, signal.getsignal(number))


@pytest.mark.parametrize("fails", [False, True])
def test_an_error_restores_too_and_hides_no_interrupt(fails):
    before = states()

    def block():
        with deferred_interrupt(lambda: None) as interruption:
            if fails:
                signal.raise_signal(signal.SIGINT)
                assert interruption.is_set()
            raise OSError("of the data")

    with pytest.raises(KeyboardInterrupt if fails else OSError):
        block()
    assert states() == before


def test_a_second_interrupt_acts_at_once():
    before = states()

    def block():
        with deferred_interrupt():
            signal.raise_signal(signal.SIGINT)
            signal.raise_signal(signal.SIGINT)
            raise AssertionError("not reached")

    with pytest.raises(KeyboardInterrupt):
        block()
    assert states() == before


def test_a_fit_within_a_fit_ends_both():
    before = states()
    with deferred_interrupt(lambda: None) as outer, deferred_interrupt(lambda: None) as inner:
        signal.raise_signal(signal.SIGINT)
        assert outer.is_set()
        assert inner.is_set()
    assert states() == before


def test_a_handler_that_is_changed_in_between_stays_so():
    def another(number, frame):
        pass

    with deferred_interrupt():
        signal.signal(signal.SIGINT, another)
    assert signal.getsignal(signal.SIGINT) is another


def test_other_threads_have_no_signals():
    seen = []

    def look():
        before = states()
        with deferred_interrupt(lambda: None) as interruption:
            seen.append(states() == before and not interruption.is_set())

    thread = threading.Thread(target=look)
    thread.start()
    thread.join()
    assert seen == [True]


def test_in_a_second_interpreter_nothing_changes(monkeypatch):
    def refuse(number, handler):
        raise ValueError("signal only works in main thread of the main interpreter")

    before = states()
    with monkeypatch.context() as patch:
        patch.setattr(signal, "signal", refuse)
        with deferred_interrupt(lambda: None) as interruption:
            assert not interruption.is_set()
    assert states() == before


@pytest.mark.parametrize(
    "fit",
    [
        lambda orbits: crosscoder_path(build(), orbits, [0.1, 0.2]),
        lambda orbits: crosscoder_ensemble(build(), orbits, 2),
    ],
    ids=["path", "ensemble"],
)
def test_several_are_interrupted_like_one(orbits, monkeypatch, fit):
    before = states()
    send_in_step(3, signal.SIGINT, monkeypatch)
    with pytest.raises(KeyboardInterrupt, match="before it was complete"):
        fit(orbits)
    assert states() == before


DYING = """
    import os, signal, sys
    import numpy as np
    from sklearn_groupcross import Dihedral, GroupCrosscoder
    from sklearn_groupcross.crosscoder._interrupt import deferred_interrupt
    from sklearn_groupcross.crosscoder._trainer import Trainer

    folder = sys.argv[1]
    orbits = np.load(folder + "/orbits.npy")
    build = lambda: GroupCrosscoder(
        group=Dihedral(3), n_features=8, batch_size=20, max_epochs=4, random_state=0
    )
    build().set_params(max_epochs=1).fit(orbits)
    train_on = Trainer.train_on

    def child(name, number, disposition, saves):
        pid = os.fork()
        if pid:
            print(name, os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]), flush=True)
            return
        signal.signal(number, disposition)

        def deadly(self, batch):
            if self.step == 5:
                signal.raise_signal(number)
            train_on(self, batch)

        Trainer.train_on = deadly
        build().set_params(checkpoint_dir=f"{folder}/{name}" if saves else None).fit(orbits)
        os._exit(7)

    def leave(number, frame):
        os._exit(9)

    def full_disk():
        raise OSError(28, "No space left on device")

    def failing():
        pid = os.fork()
        if pid:
            print("failing", os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]), flush=True)
            return
        signal.signal(signal.SIGTERM, signal.SIG_DFL)
        try:
            with deferred_interrupt(full_disk):
                signal.raise_signal(signal.SIGTERM)
        except OSError:
            pass  # a host that goes on
        os._exit(7)

    # what runs in the background, or after nohup, begins otherwise
    child("term", signal.SIGTERM, signal.SIG_DFL, True)
    child("hup", signal.SIGHUP, signal.SIG_DFL, True)
    child("int", signal.SIGINT, signal.SIG_DFL, True)
    child("unsaved", signal.SIGTERM, signal.SIG_DFL, False)
    child("nohup", signal.SIGHUP, signal.SIG_IGN, True)
    child("own", signal.SIGTERM, leave, True)
    failing()
"""


@posix
def test_signals_that_end_a_process_save_first(orbits, tmp_path):
    """The status is the signal's; the run goes on to the same bits."""
    np.save(tmp_path / "orbits.npy", orbits)
    done = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(DYING), str(tmp_path)],
        capture_output=True,
        text=True,
        env={**os.environ, "OMP_NUM_THREADS": "1"},
        check=True,
    )
    statuses = dict(line.split() for line in done.stdout.splitlines())
    assert statuses == {
        "term": str(-signal.SIGTERM),
        "hup": str(-signal.SIGHUP),
        "int": str(-signal.SIGINT),
        "unsaved": str(-signal.SIGTERM),
        "nohup": "7",
        "own": "9",
        # also where the last act fails
        "failing": str(-signal.SIGTERM),
    }
    whole = build().fit(orbits)
    for name in ("term", "hup", "int"):
        (file,) = (tmp_path / name).iterdir()
        assert GroupCrosscoder.load(file).n_steps_ == 6
        resumed = build(tmp_path / name).fit(orbits)
        np.testing.assert_array_equal(resumed.components_, whole.components_)
        assert resumed.history_ == whole.history_
    assert list((tmp_path / "nohup").iterdir()) == []
