"""Small runs of the command line."""

from __future__ import annotations

from sklearn_groupcross.cli import main

EXTRACTION = ["--network", "bundled", "--group", "dihedral:4", "--positions", "10"]
# too few features for a map, which takes longest
FITTING = ["--features", "4", "--k", "2", "--epochs", "4", "--held-out", "2", "--seeds", "2"]
#: What a run leaves in its folder.
RESULTS = {
    "crosscoder-seed1.safetensors",
    "crosscoder.safetensors",
    "families.csv",
    "features.csv",
    "orbits",
    "report.html",
    "run.log",
    "run.toml",
    "stages.json",
}


def run_arguments(folder, out):
    return ["run", str(folder), *EXTRACTION, *FITTING, "--out", str(out)]


def run(folder, out, *more):
    return main([*run_arguments(folder, out), *more])


def bits(folder):
    """What the files of a folder hold, but for locks and the log, which has times."""
    return {
        path.relative_to(folder).as_posix(): path.read_bytes()
        for path in sorted(folder.rglob("*"))
        if path.is_file() and path.suffix not in (".lock", ".owner", ".log")
    }
