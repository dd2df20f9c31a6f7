"""The processes that a launcher such as ``torchrun`` has started, for the time of a fit."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from functools import cache
from itertools import count
from typing import Any

import torch
import torch.distributed as dist

from .._parallelism import ALONE, Parallelism
from ._atom_parallel import AtomParallel
from ._data_parallel import DataParallel
from ._processes import Processes, Store

#: What `GroupCrosscoder` calls them.
PARALLELISMS = {"data": DataParallel, "atoms": AtomParallel}

# Of what a launcher tells each process.
_TOLD = ("RANK", "WORLD_SIZE", "MASTER_ADDR", "MASTER_PORT")
# Longer than some need to read data of which others have seen all, and the first for a basis.
# Connections that break are noticed at once.
_PATIENCE = timedelta(minutes=30)
_openings = count()


@contextmanager
def parallelism(name: str | None, device: torch.device) -> Iterator[Parallelism]:
    """Join the other processes, and leave them at the end; alone without a `name`.

    Where the host program has set up `torch.distributed`, its processes do the work, and its groups
    stay as they are. Otherwise what a launcher has put into the environment is used.

    Parameters
    ----------
    name : {"data", "atoms"} or None
    device : torch.device
        On which this process trains.

    Raises
    ------
    ValueError
        If there are no other processes to join.
    """
    if name is None:
        yield ALONE
        return
    if not dist.is_available():
        raise ValueError(f"parallel={name!r} needs a torch that has torch.distributed.")
    excepthook = sys.excepthook
    # what the host decides goes over gloo, so that it need not wait for the GPU
    backend = "cpu:gloo,cuda:nccl" if device.type == "cuda" else "gloo"
    store: Store | None = None
    if not dist.is_initialized():
        if any(variable not in os.environ for variable in _TOLD):
            raise ValueError(
                f"parallel={name!r} is for several processes, and this one was started alone. "
                "Start them with `torchrun --nproc-per-node 2 SCRIPT`, or leave parallel at None."
            )
        meeting, rank, size = _meeting()
        name_of_group = f"sklearn_groupcross/{next(_openings)}"
        store = dist.PrefixStore(name_of_group, meeting)  # type: ignore[attr-defined]
        dist.init_process_group(backend, store=store, rank=rank, world_size=size, timeout=_PATIENCE)
        group: Any = dist.group.WORLD
    else:
        group = dist.new_group(backend=backend, timeout=_PATIENCE)
    processes = Processes(group, store)
    try:
        yield PARALLELISMS[name](processes)
    finally:
        processes.close()
        sys.excepthook = excepthook  # torch puts ranks before every line


def device_of_process(device: torch.device, name: str | None) -> torch.device:
    """The device itself, or the GPU of this process, where a launcher has counted them."""
    if name is None or device.type != "cuda" or device.index is not None:
        return device
    number = int(os.environ.get("LOCAL_RANK", os.environ.get("SLURM_LOCALID", 0)))
    return torch.device("cuda", number % torch.cuda.device_count())


@cache
def _meeting() -> tuple[Store, int, int]:
    """Where the processes meet, this one's rank, and how many there are.

    It stays open: it may be served by the first process, which ends its fit before others do.
    """
    return next(iter(dist.rendezvous("env://")))  # type: ignore[attr-defined]
