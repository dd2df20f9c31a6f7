from __future__ import annotations

import signal
import threading

import pytest


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
