"""Ranges of rows, shared among threads."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from itertools import pairwise
from typing import Any

import torch

#: Runs a function, whose last two arguments are a range, over all of a number of rows.
Run = Callable[..., None]


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
