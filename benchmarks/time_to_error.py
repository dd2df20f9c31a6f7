"""How long until the command line says what is wrong with what was typed?

    python benchmarks/time_to_error.py --repeats 5

Ten wrong calls, each in a process of its own, beside ``python -c pass``, which is what any of them
can at best take, and ``python -c "import torch"``, for which they would wait if options were
checked where they are used. Calls take turns, so that what else the machine does meets all alike.
The bar is one second.
"""

from __future__ import annotations

import argparse
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

LIMIT = 1.0
PYTHON = {"python -c pass": ["-c", "pass"], "import torch": ["-c", "import torch"]}
WRONG = (
    "rnu photographs",
    "run photographs --epochs 0",
    "run photographs --epoch 3",
    "run absent",
    "run photographs --network gogglenet",
    "run photographs --network absent.py:build",
    "run photographs --group dihedral:99",
    "run photographs --k 9 --features 8",
    "extract photographs --out store --sampling disc",
    "analyze photographs --threshold 2",
)


def seconds(arguments: list[str], folder: Path) -> tuple[float, subprocess.CompletedProcess[str]]:
    start = time.perf_counter()
    done = subprocess.run(
        [sys.executable, *arguments], cwd=folder, capture_output=True, text=True, check=False
    )
    return time.perf_counter() - start, done


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--repeats", type=int, default=5)
    repeats = parser.parse_args().repeats
    calls = PYTHON | {call: ["-m", "sklearn_groupcross", *call.split()] for call in WRONG}
    taken: dict[str, list[float]] = {call: [] for call in calls}
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        (folder / "photographs").mkdir()
        for _ in range(repeats):
            for call, arguments in calls.items():
                elapsed, done = seconds(arguments, folder)
                taken[call].append(elapsed)
                if call in PYTHON:
                    continue
                if done.returncode != 2 or done.stderr.count("\n") != 1:
                    raise SystemExit(f"{call}: status {done.returncode}, {done.stderr!r}")
    print(f"{'median':>8} {'largest':>8}   seconds, {repeats} times each")
    for call, times in taken.items():
        print(f"{statistics.median(times):8.3f} {max(times):8.3f}   {call}")
    slow = [call for call in WRONG if statistics.median(taken[call]) >= LIMIT]
    print(f"{len(WRONG) - len(slow)} of {len(WRONG)} errors within {LIMIT:g} s")
    return bool(slow)


if __name__ == "__main__":
    sys.exit(main())
