"""A small run of the command line."""

from __future__ import annotations

from sklearn_groupcross.cli import main


def run_arguments(folder, out):
    small = ["--network", "bundled", "--group", "dihedral:8", "--positions", "30"]
    small += ["--features", "24", "--k", "4", "--epochs", "4", "--held-out", "2", "--seeds", "1"]
    small += ["--out", str(out)]
    return ["run", str(folder), *small]


def run(folder, out, *more):
    return main([*run_arguments(folder, out), *more])
