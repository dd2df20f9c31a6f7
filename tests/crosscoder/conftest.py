from __future__ import annotations

import signal
import threading

import pytest


@pytest.fixture
def checkpoint_every_step(monkeypatch):
    monkeypatch.setattr("sklearn_groupcross.crosscoder._checkpoint.SECONDS_BETWEEN", 0.0)


@pytest.fixture(autouse=True)
def interruptible():
    """Ctrl-C as in a terminal: a shell starts what runs in the background with it ignored."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    if before is not None:
        signal.signal(signal.SIGINT, before)
