"""Several processes that train together, over gloo on this machine."""

from __future__ import annotations

import multiprocessing
import os
import signal
import socket
import sys
import time
import traceback
import warnings
from contextlib import redirect_stderr

import numpy as np
import torch

from sklearn_groupcross import Dihedral, GroupCrosscoder, make_orbits
from sklearn_groupcross.crosscoder import _checkpoint
from sklearn_groupcross.crosscoder._trainer import Trainer

GROUP = Dihedral(4)
BATCH, N_BATCHES = 96, 10
#: Where whoever trains differs by rounding alone: 200 steps and more.
LONG = {"max_epochs": 20}


def orbits():
    """Data of every case."""
    planted = make_orbits(
        BATCH * N_BATCHES, group=GROUP, n_channels=12, n_families=8, random_state=0
    )
    return planted.orbits


def build(**parameters):
    """A crosscoder, small enough for tests, of more atoms than families."""
    defaults = {"n_features": 63, "batch_size": BATCH, "max_epochs": 4, "random_state": 0}
    return GroupCrosscoder(GROUP, device="cpu", **{**defaults, **parameters})


def arrays(crosscoder):
    """What was learned, with the history."""
    names = ("components_", "encoder_", "intercept_", "encoder_intercept_")
    learned = {name: getattr(crosscoder, name) for name in names}
    return learned | {name: np.array(v) for name, v in crosscoder.history_.items()}


class World:
    """Processes that have been started, each of which fits the cases, one after the other.

    They are forked from one that has imported what they need: importing takes longer than fitting.

    Parameters
    ----------
    size : int
        How many.
    cases : dict of str to dict
        Parameters of `build`, by name; ``"of_rank"`` holds others for one of the processes.
    folder : Path
        Where each writes what it has of every case, and what it says.
    seconds_between : float, optional
        Between checkpoints.
    killed : tuple of int, optional
        Rank of one that is killed, and the step.
    """

    def __init__(self, size, cases, folder, seconds_between=50.0, killed=None):
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            port = free.getsockname()[1]
        context = multiprocessing.get_context("forkserver")
        context.set_forkserver_preload([__name__])
        self._folder = folder
        self._processes = [
            context.Process(
                target=_fit_cases, args=(rank, size, port, cases, folder, seconds_between, killed)
            )
            for rank in range(size)
        ]
        for process in self._processes:
            process.start()

    def signal(self, rank, number):
        """Send a signal to one of the processes."""
        os.kill(self._processes[rank].pid, number)

    def end(self, timeout=300.0):
        """Exit status of every process, and what it said."""
        deadline = time.monotonic() + timeout
        for process in self._processes:
            process.join(max(0.0, deadline - time.monotonic()))
        late = [rank for rank, process in enumerate(self._processes) if process.is_alive()]
        for process in self._processes:
            process.kill()
            process.join()
        assert not late, f"{late} took longer than {timeout} s"
        said = [(self._folder / f"said-{rank}").read_text() for rank in range(len(self._processes))]
        return [(p.exitcode, text) for p, text in zip(self._processes, said, strict=True)]


def fit_all(cases, size, folder):
    """Fit cases in a world, whose processes must all end well."""
    for status, said in World(size, cases, folder).end():
        assert status == 0, said[-3000:]


def found(folder, case, rank=0):
    """What a process had of a case."""
    with np.load(folder / f"{case}-{rank}.npz") as file:
        return dict(file)


def _fit_cases(rank, size, port, cases, folder, seconds_between, killed):
    """Be one of the processes."""
    place = {"MASTER_ADDR": "127.0.0.1", "MASTER_PORT": str(port)}
    os.environ.update(RANK=str(rank), WORLD_SIZE=str(size), **place)
    torch.set_num_threads(1)
    warnings.simplefilter("error")
    warnings.filterwarnings("ignore", message="The run was short")
    _checkpoint.SECONDS_BETWEEN = seconds_between
    counted = []
    _watch_steps(counted, killed[1] if killed is not None and killed[0] == rank else None)
    X = orbits()
    with open(folder / f"said-{rank}", "w", buffering=1) as said, redirect_stderr(said):
        for name, parameters in cases.items():
            parameters = dict(parameters)
            own = parameters.pop("of_rank", {}).get(rank, {})
            try:
                learned = arrays(build(**{**parameters, **own}).fit(X))
            except (Exception, KeyboardInterrupt):
                traceback.print_exc()
                sys.exit(1)
            sent = [n_bytes for n_bytes, *_ in counted]
            np.savez(folder / f"{name}-{rank}.npz", **learned, sent=sent, widths=counted[0][1:])
            counted.clear()


def _watch_steps(counted, killed_at):
    """Note what was sent before each step; let this process be killed at the beginning of one."""
    train_on = Trainer.train_on

    def watched(self, *arguments):
        if self.step == killed_at:
            os.kill(os.getpid(), signal.SIGKILL)
        widths = self.parameters.decoder.shape[1], self.parameters.decoder_bias.numel()
        counted.append((self.parallel.processes.n_bytes, *widths))
        train_on(self, *arguments)

    Trainer.train_on = watched
