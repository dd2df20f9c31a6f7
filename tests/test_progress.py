from __future__ import annotations

import io
import subprocess
import sys
from contextlib import redirect_stderr
from threading import Thread

import pytest
from tqdm import auto

from sklearn_groupcross import _progress
from sklearn_groupcross._progress import _Lines, tqdm, without_progress


class Terminal(io.StringIO):
    def isatty(self):
        return True


class Clock:
    """Time that passes as it is told."""

    def __init__(self, monkeypatch):
        self.now = 1000.0
        monkeypatch.setattr("sklearn_groupcross._progress.time.monotonic", lambda: self.now)
        monkeypatch.setattr(_Lines, "_last", self.now)


@pytest.fixture
def clock(monkeypatch):
    return Clock(monkeypatch)


def work(clock, seconds, n=10, **options):
    """Lines of work whose steps take so many seconds each."""
    with redirect_stderr(io.StringIO()) as error:
        bar = tqdm(total=n, mininterval=0, **options)
        bar._time = lambda: clock.now
        bar.start_t = bar.last_print_t = clock.now
        for _ in range(n):
            clock.now += seconds
            bar.update()
        bar.close()
    assert "\r" not in error.getvalue()
    return error.getvalue().splitlines()


def test_a_line_a_minute_at_most(clock):
    assert len(work(clock, 0.1, n=12_000, desc="reading")) in (19, 20)
    clock.now = _Lines._last = 0
    assert work(clock, 5) == []
    clock.now = _Lines._last = 0
    lines = work(clock, 25, desc="reading orbits", unit="image")
    assert lines == [
        "reading orbits: 3 of 10 images, 3 min left",
        "reading orbits: 6 of 10 images, 2 min left",
        "reading orbits: 9 of 10 images, 25 s left",
    ]


def test_bars_share_the_minute(clock):
    lines = []
    for i in range(10):
        lines += work(clock, 5, n=5, desc=f"part {i}")
    assert [line.partition(":")[0] for line in lines] == ["part 2", "part 4", "part 7", "part 9"]


def test_lines_say_what_is_known(clock):
    clock.now += 60
    assert work(clock, 0, n=1, desc="measuring") == ["measuring: 1 of 1"]
    with redirect_stderr(io.StringIO()) as error:
        clock.now += 60
        for _ in tqdm(iter("ab"), desc="counting", mininterval=0):
            pass
    assert error.getvalue() == "counting: 1\n"
    (line,) = work(clock, 400, n=1, initial=1, desc="x", postfix={"fvu": "0.3"})
    assert line.endswith(" left, fvu=0.3")
    assert [_progress._duration(s) for s in (89.4, 90, 5399, 7300)] == [
        "89 s",
        "2 min",
        "1 h 30 min",
        "2 h 2 min",
    ]


def test_terminals_have_bars():
    with redirect_stderr(Terminal()) as error:
        list(tqdm(range(3), desc="seen"))
    assert "\rseen: 100%" in error.getvalue()


def test_notebooks_have_theirs(monkeypatch):
    class Notebook(auto.tqdm):
        pass

    Stream = type("OutStream", (io.StringIO,), {"__module__": "ipykernel.iostream"})
    with redirect_stderr(Stream()):
        assert type(tqdm(disable=True)) is auto.tqdm
    monkeypatch.setattr(auto, "tqdm", Notebook)
    with redirect_stderr(io.StringIO()):
        assert type(tqdm(disable=True)) is Notebook


@pytest.mark.parametrize("stream", [None, "closed"])
def test_nobody_need_listen(stream, clock):
    if stream is not None:
        stream = io.StringIO()
        stream.close()
    with redirect_stderr(stream):
        assert list(tqdm(range(3))) == [0, 1, 2]


def test_a_line_to_nobody_ends_the_work_and_holds_no_lock(clock):
    class Gone(io.StringIO):
        def write(self, text):
            raise BrokenPipeError

    clock.now += 60
    with redirect_stderr(Gone()):
        bar = tqdm(total=3, mininterval=0)
        with pytest.raises(BrokenPipeError):
            bar.update()
        bar.close()
    other = Thread(target=lambda: (bar.get_lock().acquire(), bar.get_lock().release()), daemon=True)
    other.start()
    other.join(5)
    assert not other.is_alive()


def test_nothing_is_shown_without_progress(clock):
    clock.now += 60
    for stream in (Terminal(), io.StringIO()):
        with redirect_stderr(stream), without_progress():
            list(tqdm(range(3), mininterval=0))
        assert stream.getvalue() == ""
    with redirect_stderr(io.StringIO()) as error:
        list(tqdm(range(3), mininterval=0))
        list(tqdm(range(3), mininterval=0, disable=True))
    assert error.getvalue().startswith("1 of 3")


def test_logs_of_another_process_stay_small():
    code = """
from sklearn_groupcross import _progress
_progress.INTERVAL = 0.05
import time
for _ in _progress.tqdm(range(30), desc="working", unit="step"):
    time.sleep(0.01)
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    lines = done.stderr.splitlines()
    assert 1 <= len(lines) <= 15
    assert all(line.startswith("working: ") and " of 30 steps, " in line for line in lines)
