"""Several dictionaries that make their steps at the same time, each with some of the threads.

Threads that share a step wait for one another many times in it; those that have a dictionary each
do not.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from concurrent.futures import Executor, Future, ThreadPoolExecutor
from contextlib import contextmanager

import torch
from torch import Tensor

from .._parallel import own_threads
from ._active._sparse_step import revival
from ._batches import Samples
from ._trainer import Trainer

# Share of a step in which one thread works and the others that share it wait, roughly: two threads
# that had a dictionary each took 0.8 to 0.9 of the time.
_WAITING = 0.15


@contextmanager
def side_by_side(trainers: list[Trainer]) -> Iterator[Steps]:
    """Threads for the steps of trainers, which are on one device.

    Yields
    ------
    steps : Steps
    """
    n_threads = torch.get_num_threads()
    n_at_once = choose_n_at_once(len(trainers), n_threads)
    if n_at_once == 1 or trainers[0].options.device.type != "cpu":
        yield Steps(trainers)
        return
    with own_threads(n_at_once, n_threads // n_at_once) as pool:
        yield Steps(trainers, pool)


def choose_n_at_once(n_trainers: int, n_threads: int) -> int:
    """How many dictionaries make a step at the same time, all with as many threads."""

    def speed(n: int) -> float:
        each = n_threads // n
        return n * each / (1 + _WAITING * (each - 1))

    return max(range(1, min(n_trainers, n_threads) + 1), key=speed)


class Steps:
    """Steps of trainers on the same samples.

    A step gives the same bits as if a single dictionary were trained. Loops over the active codes
    add up in the same order with any number of threads. Of products of matrices that is looked at,
    for each shape once; where they differ, and where all codes are computed with, the step is left
    to the caller's thread, which has all threads that there are.

    Parameters
    ----------
    trainers : list of Trainer
    pool : ThreadPoolExecutor, optional
        Of threads of which each makes steps. Default: they are made one after the other.
    """

    def __init__(self, trainers: list[Trainer], pool: ThreadPoolExecutor | None = None) -> None:
        self._trainers, self._pool = trainers, pool
        self._under_way: list[Future[None] | None] = [None] * len(trainers)
        self._alike: dict[tuple[int, ...], bool] = {}

    @property
    def n_batches(self) -> int:
        """Of how many batches samples are in use at the same time."""
        return 1 if self._pool is None else 2

    def begin(self, samples: Samples) -> None:
        """Let all make a step; when this returns, the samples before are no longer in use."""
        for number, trainer in enumerate(self._trainers):
            self._end(number)
            if self._pool is not None and self._gives_the_same(self._pool, trainer, samples):
                self._under_way[number] = self._pool.submit(trainer.train_on, samples)
            else:
                trainer.train_on(samples)

    def end(self) -> None:
        """Wait until all steps are made."""
        for number in range(len(self._trainers)):
            self._end(number)

    def _end(self, number: int) -> None:
        step, self._under_way[number] = self._under_way[number], None
        if step is not None:
            step.result()

    def _gives_the_same(self, pool: Executor, trainer: Trainer, samples: Samples) -> bool:
        """Whether the step of a trainer gives the same bits in a thread of a pool as in this."""
        if not trainer.next_step_is_sparse():
            return False
        parameters, dead = trainer.parameters.detached(), trainer.dead_atoms()

        def codes() -> list[Tensor]:
            return [parameters.preactivations(samples.inputs)]

        def gradients_of_dead() -> list[Tensor]:
            assert dead is not None
            # the targets have the shape of the error
            error, options = samples.targets, trainer.options
            loss, gradients = revival(parameters, options, samples.inputs, error, dead)
            return [loss, *gradients.values()]

        n = len(samples)
        if not self._are_alike(pool, codes, n):
            return False
        return dead is None or self._are_alike(pool, gradients_of_dead, n, len(dead))

    def _are_alike(self, pool: Executor, products: Callable[[], list[Tensor]], *shape: int) -> bool:
        if shape not in self._alike:
            there, here = pool.submit(products).result(), products()
            self._alike[shape] = all(map(torch.equal, there, here))
        return self._alike[shape]
