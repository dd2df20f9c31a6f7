"""What the benchmarks of training share: times in turn, ratios with their spread, memory, steps.

pyperf, asv and pytest-benchmark time one function after the other; on a shared machine what changes
meanwhile goes into the ratio. Here the functions take turns, and a ratio is of neighbours.
"""

from __future__ import annotations

import gc
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import torch

from sklearn_groupcross._processor import instruction_sets
from sklearn_groupcross.crosscoder._trainer import Trainer

GIGA = 10**9


def seconds(function: Callable[[], Any]) -> float:
    start = time.perf_counter()
    function()
    return time.perf_counter() - start


def take_turns(functions: dict[str, Callable[[], Any]], rounds: int) -> dict[str, list[float]]:
    """Seconds of each function in each round; all run once in a round, in order."""
    times: dict[str, list[float]] = {name: [] for name in functions}
    for _ in range(rounds):
        for name, function in functions.items():
            times[name].append(seconds(function))
    return times


def spread(values: list[float], digits: int = 1) -> str:
    """Median, smallest and largest."""
    middle, low, high = np.median(values), min(values), max(values)
    return f"{middle:.{digits}f} ({low:.{digits}f} to {high:.{digits}f})"


def ratio(slow: list[float], fast: list[float]) -> str:
    """How many times as long the first took, round by round."""
    return f"{spread([a / b for a, b in zip(slow, fast, strict=True)])} times"


def processor() -> str:
    """What figures were taken on."""
    lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    models = {line.split(":")[1].strip() for line in lines if line.startswith("model name")}
    capability = torch.backends.cpu.get_cpu_capability()
    return (
        f"{', '.join(models)} ({instruction_sets()}), torch with {capability}, "
        f"{torch.get_num_threads()} threads"
    )


def anonymous_bytes() -> int:
    """Resident memory that the system cannot drop, unlike the pages of a mapped file."""
    lines = Path("/proc/self/status").read_text(encoding="utf-8").splitlines()
    return int(next(line for line in lines if line.startswith("RssAnon")).split()[1]) * 1024


class Peak(threading.Thread):
    """Samples anonymous memory until it is told to stop."""

    def __init__(self) -> None:
        super().__init__(daemon=True)
        self.bytes, self.going = 0, True

    def run(self) -> None:
        while self.going:
            self.bytes = max(self.bytes, anonymous_bytes())
            time.sleep(0.01)


def peak_bytes(function: Callable[[], Any]) -> int:
    """Anonymous memory that a function takes at most, beyond what is there before."""
    gc.collect()
    before = anonymous_bytes()
    peak = Peak()
    peak.start()
    function()
    peak.going = False
    return peak.bytes - before


@contextmanager
def step_times() -> Iterator[list[float]]:
    """Collect when each training step of ours begins, so that differences include reading."""
    starts: list[float] = []
    train_on = Trainer.train_on

    def timed(self: Trainer, batch: Any) -> None:
        starts.append(time.perf_counter())
        train_on(self, batch)

    Trainer.train_on = timed
    try:
        yield starts
    finally:
        Trainer.train_on = train_on
