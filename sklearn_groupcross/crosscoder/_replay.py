"""Steps on a GPU that the host launches once: CUDA graphs, recorded and replayed.

A step is some ninety kernels. Of small dictionaries, and in few coordinates, each takes a GPU less
time than the host needs to launch it.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import torch
from torch import Tensor

from ._batches import Samples

#: What a step does with samples, a penalty and dead atoms, all in place, and what it gives.
Step = Callable[[Samples, float, Tensor | None], Tensor]
# Numbers in a decoder up to which that pays. Measured on an H200: launching a step of any size
# keeps the host busy for 3 to 4 ms; with 126e6 numbers the GPU is busy for as long. A graph holds
# memory of its own for all that a step computes.
_MOST_NUMBERS = 1 << 26
# Graphs that are kept at a time: sizes of batches differ by one, and dead atoms come and go.
_MOST_GRAPHS = 8


def pays(decoder: Tensor) -> bool:
    """Whether steps with such a decoder are faster when they are replayed."""
    return decoder.numel() <= _MOST_NUMBERS


class _Recorded(NamedTuple):
    graph: torch.cuda.CUDAGraph
    samples: Samples
    dead: Tensor | None
    result: Tensor


class ReplayedSteps:
    """A step, recorded for each kind of input that comes again, and replayed.

    Parameters
    ----------
    step : callable
        It must read nothing from the device, and change tensors in place alone.
    device : torch.device
        A GPU.
    """

    def __init__(self, step: Step, device: torch.device) -> None:
        self._step, self._device = step, device
        self._recorded: dict[tuple[object, ...], _Recorded] = {}
        self._last: tuple[object, ...] | None = None
        self._pool = torch.cuda.graph_pool_handle()

    def __call__(self, samples: Samples, l1: float, dead: Tensor | None) -> Tensor:
        """Make a step; what it gives is there until the next."""
        n_dead = None if dead is None else len(dead)
        kind = (samples.inputs.shape, samples.targets.shape, samples.share, l1, n_dead)
        # the first of a kind compiles, allocates, and may be the only one
        if kind == self._last and kind not in self._recorded:
            self._record(kind, samples, l1, dead)
        self._last = kind
        recorded = self._recorded.get(kind)
        if recorded is None:
            return self._step(samples, l1, dead)
        recorded.samples.inputs.copy_(samples.inputs)
        recorded.samples.targets.copy_(samples.targets)
        if dead is not None and recorded.dead is not None:
            recorded.dead.copy_(dead)
        recorded.graph.replay()
        return recorded.result

    def _record(
        self, kind: tuple[object, ...], samples: Samples, l1: float, dead: Tensor | None
    ) -> None:
        """Record what launches a step, without making it."""
        if len(self._recorded) == _MOST_GRAPHS:
            del self._recorded[next(iter(self._recorded))]
        own = Samples(samples.inputs.clone(), samples.targets.clone(), samples.share)
        own_dead = None if dead is None else dead.clone()
        graph = torch.cuda.CUDAGraph()
        aside = torch.cuda.Stream(self._device)
        aside.wait_stream(torch.cuda.current_stream(self._device))
        # not torch.cuda.graph, which collects garbage and empties caches; other threads, such as
        # the one that reads ahead, may call CUDA meanwhile
        with torch.cuda.stream(aside):
            graph.capture_begin(pool=self._pool, capture_error_mode="thread_local")
            try:
                result = self._step(own, l1, own_dead)
            finally:
                graph.capture_end()
        torch.cuda.current_stream(self._device).wait_stream(aside)
        self._recorded[kind] = _Recorded(graph, own, own_dead, result)
