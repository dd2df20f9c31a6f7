"""Processes that train one dictionary: what they tell one another, and what if one is lost."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from datetime import timedelta
from typing import Any

import torch
import torch.distributed as dist
from torch import Tensor

# What torch says of its types does not reach mypy.
Store = Any

# Seconds in which those that are left answer one another, before they name who is missing.
_ROLL_CALL = 5.0


class LostProcessError(RuntimeError):
    """A process of the group has ended, or no longer answers.

    Attributes
    ----------
    ranks : tuple of int
        Those that did not answer; empty if that could not be found out.
    """

    def __init__(self, message: str, ranks: Sequence[int] = ()) -> None:
        super().__init__(message)
        self.ranks = tuple(ranks)


class Processes:
    """A group of `torch.distributed`, and how many bytes went through it.

    All of its methods are collective: every process calls them in the same order.

    Parameters
    ----------
    group : torch.distributed.ProcessGroup
    store : torch.distributed.Store, optional
        What the processes met at, by which those that are left find out who is not. Default: nobody
        is named.

    Attributes
    ----------
    rank, size : int
    n_bytes : int
        Sent by all of the processes together, as `_communication` counts them.
    """

    def __init__(self, group: dist.ProcessGroup, store: Store | None = None) -> None:
        self._group, self._store = group, store
        self.rank, self.size = dist.get_rank(group), dist.get_world_size(group)
        self.n_bytes = 0
        self._is_open = True

    def close(self) -> None:
        """Leave the group, once."""
        if self._is_open:
            self._is_open = False
            dist.destroy_process_group(self._group)

    def sum_(self, *tensors: Tensor) -> None:
        """Replace tensors by their sums over all processes."""
        self._reduce_(tensors, dist.ReduceOp.SUM)

    def least_(self, *tensors: Tensor) -> None:
        """Replace tensors by their least values over all processes."""
        self._reduce_(tensors, dist.ReduceOp.MIN)

    def share_(self, tensor: Tensor, source: int = 0) -> None:
        """Replace a tensor by that of one process."""
        contiguous = tensor.contiguous()
        with self._watched():
            dist.broadcast(contiguous, group_src=source, group=self._group)
        if contiguous is not tensor:
            tensor.copy_(contiguous)
        self.n_bytes += (self.size - 1) * tensor.nbytes

    def gather(self, tensor: Tensor) -> Tensor:
        """Tensors of all processes, which have one shape, along a new first axis."""
        contiguous = tensor.contiguous()
        parts = [torch.empty_like(contiguous) for _ in range(self.size)]
        with self._watched():
            dist.all_gather(parts, contiguous, group=self._group)
        self.n_bytes += self.size * (self.size - 1) * tensor.nbytes
        return torch.stack(parts)

    def concatenate(self, tensor: Tensor) -> Tensor:
        """Tensors of all processes one after the other along the first axis."""
        lengths = self.gather(torch.tensor([len(tensor)], dtype=torch.int64, device="cpu"))
        sizes = lengths[:, 0].tolist()
        padded = tensor.new_zeros(max(sizes), *tensor.shape[1:])
        padded[: len(tensor)] = tensor
        parts = self.gather(padded)
        return torch.cat([part[:size] for part, size in zip(parts, sizes, strict=True)])

    def tell(self, value: Any) -> Any:
        """What the first process has of a value that JSON can hold."""
        # as JSON: what torch has for objects is pickled
        text = json.dumps(value).encode() if self.rank == 0 else b""
        length = torch.tensor([len(text)], dtype=torch.int64, device="cpu")
        self.share_(length)
        content = torch.zeros(int(length), dtype=torch.uint8, device="cpu")
        if self.rank == 0:
            content.copy_(torch.frombuffer(bytearray(text), dtype=torch.uint8))
        self.share_(content)
        return json.loads(content.numpy().tobytes())

    def _reduce_(self, tensors: Sequence[Tensor], operation: Any) -> None:
        with self._watched():
            works = [
                dist.all_reduce(tensor, operation, group=self._group, async_op=True)
                for tensor in tensors
            ]
            for work in works:
                work.wait()
        self.n_bytes += 2 * (self.size - 1) * sum(tensor.nbytes for tensor in tensors)

    @contextmanager
    def _watched(self) -> Iterator[None]:
        try:
            yield
        except RuntimeError as error:  # whatever the backend says of a connection that broke
            raise self._lost(error) from error

    def _lost(self, error: RuntimeError) -> LostProcessError:
        """Close what is left, so that nobody waits for us, and find out who does not answer."""
        said = str(error).strip().splitlines()[0][:300]
        advice = (
            "Start the same processes again: with checkpoint_dir they go on from the last "
            "checkpoint."
        )
        missing = _roll_call(self._store, self.rank, self.size, self.close)
        if not missing:
            return LostProcessError(
                f"Process {self.rank} of {self.size} lost its connection to another ({said}). "
                f"The logs of the others say more. {advice}"
            )
        names = f"Process {missing[0]}" if len(missing) == 1 else f"Processes {missing}"
        return LostProcessError(
            f"{names} of {self.size} (counted from 0) was lost: it ended, or does not answer "
            f"({said}). {advice}",
            missing,
        )


def _roll_call(store: Store | None, rank: int, size: int, close: Callable[[], None]) -> list[int]:
    """Ranks of processes that do not say that they are there."""
    if store is None:
        return []
    missing, deadline = [], time.monotonic() + _ROLL_CALL
    try:
        # others wait for us as we have waited: their connections must break too, or they look lost
        close()
        store.set(f"here/{rank}", b"")
        for other in range(size):
            left = max(0.1, deadline - time.monotonic())
            try:
                store.wait([f"here/{other}"], timedelta(seconds=left))
            except dist.DistStoreError:  # in time it has not said so
                missing.append(other)
    except dist.DistNetworkError:  # the store was the first process's
        return [0]
    return missing
