from __future__ import annotations

import signal
import sys
import threading
import time

import pytest

from sklearn_groupcross.cli._signals import (
    Stopped,
    replaced_signals_raised,
    stopped_by_signals,
)


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


@pytest.mark.parametrize(("name", "error"), [("SIGTERM", Stopped), ("SIGINT", KeyboardInterrupt)])
def test_a_signal_while_an_object_is_removed_is_not_lost(name, error):
    """Python prints what is raised there, and goes on."""
    number = getattr(signal, name)

    class Removed:
        def __del__(self):
            signal.raise_signal(number)
            len("")  # where it is raised, at the latest

    def work():
        removed = Removed()
        del removed
        end = time.monotonic() + 60
        while time.monotonic() < end:
            time.sleep(0.01)

    before, hook = signal.getsignal(signal.SIGTERM), sys.unraisablehook
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    try:
        with pytest.raises(error), stopped_by_signals():
            work()
    finally:
        signal.signal(signal.SIGTERM, before)
    assert sys.unraisablehook == hook


def test_other_errors_there_are_shown_as_ever(monkeypatch):
    class Removed:
        def __del__(self):
            raise ValueError

    shown = []
    monkeypatch.setattr(sys, "unraisablehook", lambda lost: shown.append(lost.exc_type))
    with stopped_by_signals():
        removed = Removed()
        del removed
    assert shown == [ValueError]


def test_errors_without_a_signal_stay_what_they_are():
    with pytest.raises(ValueError, match="of its own"), replaced_signals_raised():
        raise ValueError("of its own")


def test_a_signal_before_counts_no_more(monkeypatch):
    monkeypatch.setattr("sklearn_groupcross.cli._signals._received", [signal.SIGTERM])
    with (
        stopped_by_signals(),
        pytest.raises(ValueError, match="of its own"),
        replaced_signals_raised(),
    ):
        raise ValueError("of its own")
