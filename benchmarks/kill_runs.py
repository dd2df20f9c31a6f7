"""Kill `groupcross run` and `write_report` at every stage and at random moments; see what is left.

    OMP_NUM_THREADS=1 python benchmarks/kill_runs.py [n_kills]

Each run replaces old results in a folder. After a kill they have to be there, whole, or the new
ones have to be; the same command again has to end with the results of a run that nobody has killed,
bit by bit, and with nothing else in the folder. Prints one line a kill: where, what was left at
once, the time that the second command took; and at the end the number of faults, which is the exit
status. Children are forked, to import torch once.
"""

import contextlib
import os
import shutil
import signal
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
import pandas as pd
from PIL import Image

import sklearn_groupcross.cli._experiment as experiment
from sklearn_groupcross import (
    Dihedral,
    GroupCrosscoder,
    OrbitDataset,
    SymmetryAnalyzer,
)
from sklearn_groupcross.cli import _results, main
from sklearn_groupcross.cli import _run as _  # noqa: F401 (imported before forking)
from sklearn_groupcross.crosscoder._checkpoint import Checkpoint
from sklearn_groupcross.crosscoder._trainer import Trainer
from sklearn_groupcross.report import write_report

STAGES = {
    "reading": (OrbitDataset, "read_orbits"),
    "training": (Trainer, "train_on"),
    "writing the checkpoint": (Checkpoint, "write"),
    "saving the model": (GroupCrosscoder, "save"),
    "analysis": (SymmetryAnalyzer, "fit"),
    "table": (pd.DataFrame, "to_csv"),
    "report": (experiment, "write_report"),
    "record": (_results, "_write_record"),
    "first move": (_results, "_move"),
    "second move": (_results, "_move"),
    "third move": (_results, "_move"),
    "all is moved": (_results, "_write_record"),
    "discarding the checkpoint": (Checkpoint, "remove"),
}
# How many calls of a stage's function go by before the kill; 1 otherwise.
CALLS = {"training": 5, "second move": 2, "third move": 3, "all is moved": 2}


def in_child(action, log):
    """Start a function in a forked process that says nothing."""
    child = os.fork()
    if child == 0:
        status = 1
        with open(log, "w", encoding="utf-8") as file:
            os.dup2(file.fileno(), 1)
            os.dup2(file.fileno(), 2)
            with contextlib.suppress(BaseException):
                status = action() or 0
        os._exit(status)
    return child


def ended(child):
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])


def kill_at(owner, name, calls):
    """Let the process be killed at the n-th call of a function."""
    before, count = getattr(owner, name), [0]

    def killing(*args, **kwargs):
        count[0] += 1
        if count[0] == calls:
            os.kill(os.getpid(), signal.SIGKILL)
        return before(*args, **kwargs)

    setattr(owner, name, killing)


def bits(folder):
    """What results hold, by name."""
    return {
        path.name: path.read_bytes() if path.is_file() else b"a folder"
        for path in sorted(folder.iterdir())
    }


def state(folder, new):
    """Whether old or new results lie in a folder, and what else."""
    if not folder.exists():
        return "no folder"
    found = bits(folder)
    results = {name: found.get(name) for name in experiment.RESULTS}
    if all(content == b"old" for content in results.values()):
        return "old"
    if results == new:
        return "new"
    if _results.RECORD in found:
        return "new, to be moved"
    return "MIXED"


def kill_run(command, out, new, log, *, stage=None, seconds=None):
    shutil.rmtree(out, ignore_errors=True)
    out.mkdir()
    for name in experiment.RESULTS:
        (out / name).write_bytes(b"old")

    def run():
        if stage is not None:
            kill_at(*STAGES[stage], CALLS.get(stage, 1))
        return main(command)

    child = in_child(run, log)
    if seconds is not None:
        time.sleep(seconds)
        with contextlib.suppress(ProcessLookupError):
            os.kill(child, signal.SIGKILL)
    status = ended(child)
    left = state(out, new)
    beside = len(set(os.listdir(out)) - set(experiment.RESULTS))
    start = time.perf_counter()
    again = ended(in_child(lambda: main(command), log))
    right = left != "MIXED" and again == 0 and bits(out) == new
    right = right and (seconds is not None or status == -signal.SIGKILL)
    where = stage or f"after {seconds:.2f} s"
    print(
        f"{'ok   ' if right else 'FAULT'} run, {where}: exit {status}, left {left} and {beside} "
        f"other files; again: exit {again} in {time.perf_counter() - start:.1f} s, "
        f"{sorted(os.listdir(out))}",
        flush=True,
    )
    return right


def kill_reports(folder, n_kills, rng, log):
    """Kill `write_report` in its calls and at random moments; return the number of faults."""
    images = [np.asarray(Image.open(path)) for path in sorted((folder / "images").iterdir())]
    place = folder / "reports"
    place.mkdir()
    path = place / "report.html"

    def write():
        dataset = OrbitDataset(images, network="bundled", group=Dihedral(4), n_positions=10)
        orbits = dataset.as_array()
        crosscoder = GroupCrosscoder(
            group=Dihedral(4), n_features=4, activation="topk", k=2, max_epochs=3, random_state=0
        ).fit(orbits)
        write_report(path, SymmetryAnalyzer().fit(crosscoder), crosscoder, dataset, orbits)

    start = time.perf_counter()
    assert ended(in_child(write, log)) == 0
    duration, new = time.perf_counter() - start, path.read_bytes()
    calls = ["block_to_png", "_picture", "figure_to_png", "written_whole"]
    import sklearn_groupcross._files as files
    import sklearn_groupcross.report._report as module

    stages = [(module, name) for name in calls] + [(files, name) for name in ("_settle",)]
    stages += [(os, name) for name in ("fsync", "replace")]
    faults = 0
    for number in range(n_kills):
        path.write_bytes(b"old")
        if number < len(stages):
            owner, name = stages[number]
            where, seconds = f"{owner.__name__}.{name}", None

            def killed(owner=owner, name=name):
                kill_at(owner, name, 1)
                write()

            child = in_child(killed, log)
        else:
            seconds = rng.uniform(0.5, 1.0) * duration
            where, child = f"after {seconds:.2f} s", in_child(write, log)
            time.sleep(seconds)
            with contextlib.suppress(ProcessLookupError):
                os.kill(child, signal.SIGKILL)
        status = ended(child)
        content = path.read_bytes()
        left = "old" if content == b"old" else "new" if content == new else "DAMAGED"
        beside = len(os.listdir(place)) - 1
        again = ended(in_child(write, log))
        right = left != "DAMAGED" and again == 0 and os.listdir(place) == ["report.html"]
        right = right and path.read_bytes() == new and (seconds or status == -signal.SIGKILL)
        faults += not right
        print(
            f"{'ok   ' if right else 'FAULT'} report, {where}: exit {status}, left {left} and "
            f"{beside} other files; again: exit {again}",
            flush=True,
        )
    return faults


def main_of_benchmark(n_kills=20):
    rng = np.random.default_rng(0)
    with tempfile.TemporaryDirectory() as name:
        folder, log = Path(name), Path(name) / "log"
        (folder / "images").mkdir()
        for i in range(6):
            pixels = rng.integers(0, 256, (8, 8, 3), dtype=np.uint8)
            Image.fromarray(pixels).resize((150, 150)).save(folder / "images" / f"{i}.png")
        small = ["--network", "bundled", "--group", "dihedral:4", "--positions", "10"]
        small += ["--features", "4", "--k", "2", "--epochs", "40", "--overwrite"]
        command = ["run", str(folder / "images"), *small, "--out"]
        start = time.perf_counter()
        assert ended(in_child(lambda: main([*command, str(folder / "whole")]), log)) == 0
        duration, new = time.perf_counter() - start, bits(folder / "whole")
        faults, out = 0, folder / "out"
        for stage in STAGES:
            faults += not kill_run([*command, str(out)], out, new, log, stage=stage)
        for _number in range(n_kills - len(STAGES)):
            seconds = rng.uniform(0.05, 1.0) * duration
            faults += not kill_run([*command, str(out)], out, new, log, seconds=seconds)
        faults += kill_reports(folder, n_kills, rng, log)
    print(f"{faults} faults in {max(n_kills, len(STAGES))} kills of run and {n_kills} of a report")
    return faults


if __name__ == "__main__":
    sys.exit(main_of_benchmark(*map(int, sys.argv[1:])))
