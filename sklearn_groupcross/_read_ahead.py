"""Reading the next of a row of things while the last is worked on."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from itertools import islice
from typing import TypeVar

Item = TypeVar("Item")
Read = TypeVar("Read")


def read_ahead(read: Callable[[Item], Read], items: Iterable[Item]) -> Iterator[Read]:
    """Read items in order, one ahead, in a thread of its own.

    The next is begun when what was read last has been taken, so that two are there at most. An
    error in the thread is raised here, where its item would have come.

    Parameters
    ----------
    read : callable
    items : iterable

    Yields
    ------
    read : object
        What `read` gives for each item.
    """
    todo = iter(items)
    with ThreadPoolExecutor(max_workers=1, thread_name_prefix="read-ahead") as reader:
        coming = [reader.submit(read, item) for item in _next_of(todo)]
        while coming:
            ready = coming.pop().result()
            coming = [reader.submit(read, item) for item in _next_of(todo)]
            yield ready


def _next_of(items: Iterator[Item]) -> list[Item]:
    """One item, or none if that was all."""
    return list(islice(items, 1))
