"""Workers end with the process that started them, however it ends."""

from __future__ import annotations

import multiprocessing
import os
import signal
import subprocess
import sys
import textwrap

import pytest

from sklearn_groupcross import _workers

# Workers inherit the standard output: it ends when the last of them is gone. One task a worker
# says that they are at work; the parent says so to us.
PARENT = textwrap.dedent(
    """
    import signal, sys, time
    for name in ("SIGTERM", "SIGHUP"):  # nohup has its own ignored by all that it starts
        signal.signal(getattr(signal, name), signal.SIG_DFL)
    from joblib import Parallel, delayed
    from sklearn_groupcross._workers import end_with_parent

    def work():
        print("at work", flush=True)
        time.sleep(600)

    Parallel(n_jobs=2, backend=sys.argv[1], initializer=end_with_parent)(
        delayed(work)() for _ in range(2)
    )
    """
)
SIGNALS = ["SIGKILL", "SIGTERM", "SIGHUP"]


@pytest.mark.skipif(os.name == "nt", reason="Windows has none of these signals")
def test_workers_of_a_killed_parent_end():
    cases = [("loky", name) for name in SIGNALS] + [("multiprocessing", "SIGKILL")]
    parents = [
        subprocess.Popen(
            [sys.executable, "-c", PARENT, backend],
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
        )
        for backend, _ in cases
    ]
    try:
        check_that_all_end(parents, [getattr(signal, name) for _, name in cases])
    finally:
        for parent in parents:
            parent.kill()
            parent.communicate()


def check_that_all_end(parents, signals):
    for parent, number in zip(parents, signals, strict=True):
        assert [parent.stdout.readline() for _ in range(2)] == [b"at work\n"] * 2
        parent.send_signal(number)
    for parent, number in zip(parents, signals, strict=True):
        rest, _ = parent.communicate(timeout=60)
        assert (rest, parent.returncode) == (b"", -number)


def test_a_process_that_nobody_started_watches_nobody(monkeypatch):
    monkeypatch.setattr(multiprocessing, "parent_process", lambda: None)
    monkeypatch.setattr(_workers.threading, "Thread", None)
    _workers.end_with_parent()


@pytest.mark.parametrize("states", [[(7, True), (1, True)], [(7, True), (7, False)], [(1, False)]])
def test_an_orphan_knows_it(monkeypatch, states):
    """Of another parent, or of none that exists, also from the beginning."""

    class Parent:
        pid = 7

    first = [states[0]]
    monkeypatch.setattr(_workers.time, "sleep", lambda _: states.pop(0))
    monkeypatch.setattr(_workers.os, "getppid", lambda: states[0][0])
    monkeypatch.setattr(_workers, "_exists", lambda pid: pid == 7 and states[0][1])
    _workers._wait_for_process(Parent)
    assert states in ([(1, True)], [(7, False)], first)


def test_on_windows_the_handle_of_the_parent_is_waited_for(monkeypatch):
    waited, ended = [], []

    class Parent:
        def join(self):
            waited.append("parent")

    monkeypatch.setattr(_workers.os, "_exit", ended.append)
    _workers._end_after(_workers._wait_for_handle, Parent())
    assert (waited, ended) == (["parent"], [1])
