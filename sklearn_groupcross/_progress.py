"""Progress of long work: a bar where it is seen, a line now and then where it is written down.

A bar is drawn over itself many times a second. On a terminal and in a notebook that is one line; in
a file, as batch systems keep it, it is thousands. There a line is written when a minute has passed
without one.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any

from tqdm import auto, std
from tqdm.asyncio import tqdm as in_no_notebook

#: Seconds between lines.
INTERVAL = 60.0

_hidden: ContextVar[bool] = ContextVar("_hidden", default=False)


def tqdm(iterable: Iterable[Any] | None = None, **options: Any) -> Any:
    """Show progress as `tqdm.auto.tqdm` does, or in lines.

    Parameters
    ----------
    iterable : iterable, optional
    **options
        Those of `tqdm.auto.tqdm`.

    Returns
    -------
    bar : tqdm
    """
    if _hidden.get():
        options["disable"] = True
    kind = auto.tqdm if _is_seen() else _Lines
    return kind(iterable, **options)


@contextmanager
def without_progress() -> Iterator[None]:
    """Show no progress in the block, whatever it is asked for."""
    before = _hidden.set(True)
    try:
        yield
    finally:
        _hidden.reset(before)


class _Lines(std.tqdm):
    """Progress in lines, such as ``reading orbits: 120 of 604 images, 2 min left``."""

    # nothing is drawn that a thread would have to draw again
    monitor_interval = 0

    #: When the last line of any bar was written, or could first have been.
    _last = time.monotonic()

    def __init__(self, *arguments: Any, **options: Any) -> None:
        # as for a window of its own: what `display` does not show is not shown, and it is asked
        # as often as a line can be due
        often = min(INTERVAL, options.get("mininterval", 0.1))
        asked = {"gui": True, "miniters": 1, "mininterval": often}
        super().__init__(*arguments, **{**options, **asked})

    def display(self, msg: str | None = None, pos: int | None = None) -> None:
        """Write a line, unless one was written a moment ago."""
        now = time.monotonic()
        if now - _Lines._last >= INTERVAL and sys.stderr is not None:
            _Lines._last = now
            print(self._line(), file=sys.stderr, flush=True)

    def refresh(self, nolock: bool = False, lock_args: Any = None) -> None:
        """Display, and hold no lock that would stay held if nobody reads any more."""
        if not self.disable:
            self.display()

    def clear(self, nolock: bool = False) -> None:
        """Leave what was written."""

    def _line(self) -> str:
        unit = "" if self.unit == "it" else f" {self.unit}s"
        of_total = "" if self.total is None else f" of {self.total}"
        rate = self.format_dict["rate"] or _rate(self)
        left = ""
        if self.total is not None and rate:
            left = f", {_duration((self.total - self.n) / rate)} left"
        told = f", {self.postfix}" if self.postfix else ""
        # tqdm has put a colon behind one that was set later
        name = f"{self.desc.removesuffix(': ')}: " if self.desc else ""
        return f"{name}{self.n}{of_total}{unit}{left}{told}"


def _rate(bar: std.tqdm) -> float:
    """Items a second since a bar was made."""
    elapsed = bar.format_dict["elapsed"]
    return (bar.n - bar.initial) / elapsed if elapsed > 0 else 0.0


def _duration(seconds: float) -> str:
    if seconds < 90:
        return f"{seconds:.0f} s"
    minutes = round(seconds / 60)
    return f"{minutes} min" if minutes < 90 else f"{minutes // 60} h {minutes % 60} min"


def _is_seen() -> bool:
    """Whether a bar is seen: in a notebook, which has its own, or on a terminal."""
    stream = sys.stderr
    if auto.tqdm is not in_no_notebook or type(stream).__module__.startswith("ipykernel."):
        return True
    try:
        return stream.isatty()
    except (AttributeError, ValueError):  # there is none, or it is closed
        return False
