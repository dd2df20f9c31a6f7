"""Kill a run with -9 in every stage, one after the other; a program, so that it forks alone.

``python -m tests.cli.kills IMAGES FOLDER``: in FOLDER a run is killed in each stage and goes on
with the same command, once where there is nothing and once over other results. It has to end with
the results of a run that nobody has killed, bit by bit.
"""

from __future__ import annotations

import os
import signal
import sys
from pathlib import Path

import pandas as pd
import torch

from sklearn_groupcross import GroupCrosscoder, OrbitDataset, SymmetryAnalyzer
from sklearn_groupcross.cli import _folder, _report, _results
from sklearn_groupcross.crosscoder._checkpoint import Checkpoint
from sklearn_groupcross.crosscoder._trainer import Trainer
from sklearn_groupcross.report import _report as pages
from tests.cli.runs import RESULTS, bits, run

#: What is killed before which of its calls, in the order of a run.
STAGES = [
    (OrbitDataset, "read_orbits", 1),
    (OrbitDataset, "read_orbits", 3),
    (Trainer, "train_on", 3),
    (Checkpoint, "write", 1),
    (GroupCrosscoder, "save", 1),
    (Checkpoint, "remove", 1),
    (Trainer, "train_on", 2),
    (SymmetryAnalyzer, "fit", 1),
    (pd.DataFrame, "to_csv", 2),
    (_report, "write_report", 1),
    (pages, "place_pictures", 1),
    (pages, "maps_of_firing", 1),
    (_results, "_move_into_place", 1),
]
#: Where what is new takes the place of what is old.
MOVES = [(_folder.RunFolder, "take_place", 1), *[(_results, "_move", n) for n in (9, 1, 1, 1)]]


def in_child(action):
    """Run in a forked process; its status."""
    child = os.fork()
    if child == 0:
        status = 1
        try:
            nowhere = os.open(os.devnull, os.O_WRONLY)
            os.dup2(nowhere, 1), os.dup2(nowhere, 2)
            status = action()
        finally:
            os._exit(status)
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])


def killed(owner, name, call, command):
    """Run a command that is killed before a call of a function."""
    before, calls = getattr(owner, name), [0]

    def kill(*args, **kwargs):
        calls[0] += 1
        if calls[0] == call:
            os.kill(os.getpid(), signal.SIGKILL)
        return before(*args, **kwargs)

    setattr(owner, name, kill)
    return command()


def main(images, folder):
    torch.set_num_threads(1)  # children are forked
    out, whole = folder / "out", folder / "whole"
    assert run(images, whole) == 0  # here, so that nothing is imported or compiled once a child
    expected = bits(whole)
    for owner, name, call in STAGES:
        status = in_child(lambda o=owner, n=name, c=call: killed(o, n, c, lambda: run(images, out)))
        assert status == -signal.SIGKILL, (name, call, status)
    assert in_child(lambda: run(images, out)) == 0
    assert bits(out) == expected
    assert set(os.listdir(out)) == RESULTS

    # over other results, which are there until the new ones are whole
    assert in_child(lambda: run(images, out, "--positions", "7", "--overwrite")) == 0
    other = bits(out)
    assert other != expected
    stages = [STAGES[1], STAGES[2], STAGES[4], STAGES[9]]
    for number, (owner, name, call) in enumerate([*stages, *MOVES]):
        status = in_child(
            lambda o=owner, n=name, c=call: killed(o, n, c, lambda: run(images, out, "--overwrite"))
        )
        if number <= len(stages):
            assert status == -signal.SIGKILL, (name, call, status)
            found = bits(out)
            assert {key: found[key] for key in other} == other, name
    assert in_child(lambda: run(images, out, "--overwrite")) == 0
    assert bits(out) == expected
    assert set(os.listdir(out)) == RESULTS


if __name__ == "__main__":
    main(*map(Path, sys.argv[1:]))
