"""Work that is shared among threads: ranges of rows, or one item after the other."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from itertools import pairwise
from threading import Barrier
from typing import Any, TypeVar

import torch

#: Runs a function, whose last two arguments are a range, over all of a number of rows.
Run = Callable[..., None]
Item = TypeVar("Item")


@contextmanager
def sharing() -> Iterator[Run]:
    """Let as many threads as torch uses share the rows of a job.

    Yields
    ------
    run : callable
        ``run(function, n, *arguments)`` calls ``function(*arguments, first, last)`` for ranges that
        cover n rows, and returns when all are done.
    """
    n_threads = torch.get_num_threads()
    if n_threads == 1:
        yield lambda function, n, *arguments: function(*arguments, 0, n)
        return
    with ThreadPoolExecutor(n_threads, thread_name_prefix="rows") as pool:

        def run(function: Callable[..., Any], n: int, *arguments: Any) -> None:
            edges = [n * thread // n_threads for thread in range(n_threads + 1)]
            jobs = [
                pool.submit(function, *arguments, first, last)
                for first, last in pairwise(edges)
                if first < last
            ]
            for job in jobs:
                job.result()

        yield run


def share_out(work: Callable[[Iterator[Item]], None], items: Iterable[Item]) -> None:
    """Let as many threads as torch uses take items in turn, until there are no more.

    Small products and factorisations gain little from a second thread; done by one thread each,
    they are faster together, and their bits do not depend on how many threads there are.

    Parameters
    ----------
    work : callable
        Called once in every thread, with an iterator over what it takes of the items.
    items : iterable
    """
    items = list(items)
    n_threads = torch.get_num_threads()
    if n_threads == 1:
        work(iter(items))
        return
    remaining = iter(items)  # a list's can be advanced by several threads
    n_at_once = min(n_threads, max(1, len(items)))
    with own_threads(n_at_once, 1) as pool:
        for job in [pool.submit(work, remaining) for _ in range(n_at_once)]:
            job.result()


@contextmanager
def own_threads(n: int, n_each: int) -> Iterator[ThreadPoolExecutor]:
    """Start n threads, for each of which torch uses `n_each`; gradients as in the caller's."""
    of_caller = torch.get_num_threads()
    gradients = torch.is_grad_enabled()
    with ThreadPoolExecutor(n, thread_name_prefix="own threads") as pool:
        try:
            barrier = Barrier(n)
            for begun in [pool.submit(_begin, n_each, gradients, barrier) for _ in range(n)]:
                begun.result()
        finally:
            # threads that the host begins meanwhile take the number that was set last
            torch.set_num_threads(of_caller)
        yield pool


def _begin(n: int, gradients: bool, barrier: Barrier) -> None:
    """Let torch use n threads in this thread of a pool, once all of the pool are there."""
    torch.set_grad_enabled(gradients)
    torch.get_num_threads()  # makes it take the number of the process, which it does but once
    torch.set_num_threads(n)
    barrier.wait()
