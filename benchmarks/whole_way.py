"""From photographs to families: ``groupcross run`` against a straightforward script.

    OMP_NUM_THREADS=2 OMP_WAIT_POLICY=PASSIVE python benchmarks/whole_way.py PHOTOGRAPHS WEIGHTS \
        [--images 200] [--atoms 1024] [--seeds 3] [--passes 60] [--steps N]

Each runs in a process of its own, ours first, over the same photographs at BVLC GoogLeNet's
``inception_3b_output`` under Dihedral(32): 100 positions an image, a sixth of the images held out,
augmented training, analysis, report. `straightforward.py` says what the script is made of. With
--steps it does so many training steps of each seed and extrapolates the rest, which is said.

Printed: seconds by stage, the peak of anonymous memory of all processes together (pages of mapped
files apart, which the system drops), and joules where the machine tells (the package domain of
powercap, of all that runs there).
"""

from __future__ import annotations

import argparse
import datetime
import json
import os
import re
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path
from typing import Any

import psutil
from measuring import processor

ENERGY = sorted(Path("/sys/class/powercap").glob("intel-rapl:?/energy_uj"))
#: How the line of the run's log begins that ends a stage.
ENDS = {"fit: ": "extract", "analyze: ": "fit", "report: ": "analyze"}


class Watch(threading.Thread):
    """Samples the anonymous memory of a process and its children until it ends."""

    def __init__(self, process: subprocess.Popen[str]) -> None:
        super().__init__(daemon=True)
        self.process, self.peak = psutil.Process(process.pid), 0

    def run(self) -> None:
        while True:
            try:
                family = [self.process, *self.process.children(recursive=True)]
                self.peak = max(self.peak, sum(map(anonymous, family)))
            except psutil.NoSuchProcess:
                return
            time.sleep(0.1)


def anonymous(process: psutil.Process) -> int:
    try:
        status = Path(f"/proc/{process.pid}/status").read_text(encoding="utf-8")
    except (FileNotFoundError, ProcessLookupError):
        return 0
    found = re.search(r"RssAnon:\s+(\d+) kB", status)
    return int(found[1]) * 1024 if found else 0


def joules() -> float | None:
    try:
        return sum(int(path.read_text()) for path in ENERGY) / 1e6 if ENERGY else None
    except PermissionError:
        return None


def watched(command: list[str]) -> dict[str, Any]:
    """Run a command; its output, seconds, peak of memory and joules."""
    before, started, start = joules(), time.time(), time.perf_counter()
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    watch = Watch(process)
    watch.start()
    assert process.stdout is not None
    output = []
    for line in process.stdout:
        output.append(line)
    if process.wait():
        raise SystemExit(f"{' '.join(command)} ended with {process.returncode}")
    after = joules()
    return {
        "output": "".join(output),
        "started": started,
        "seconds": time.perf_counter() - start,
        "peak": watch.peak,
        "joules": None if before is None or after is None else after - before,
    }


def stages_of_log(log: Path, found: dict[str, Any]) -> dict[str, float]:
    """Seconds of each stage, by the times of the lines that ``groupcross run`` says."""
    times: dict[str, float] = {}
    for line in log.read_text(encoding="utf-8").splitlines():
        stamp, _, said = line.partition(" INFO ")
        for begins, ended in ENDS.items():
            if said.startswith(begins) and ended not in times:
                at = datetime.datetime.strptime(stamp, "%Y-%m-%d %H:%M:%S,%f").timestamp()
                times[ended] = at - found["started"] - sum(times.values())
    times["report"] = found["seconds"] - sum(times.values())
    return times


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("photographs", type=Path)
    parser.add_argument("weights", type=Path)
    parser.add_argument("--images", type=int, default=200)
    parser.add_argument("--atoms", type=int, default=1024)
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--passes", type=int, default=60)
    parser.add_argument("--steps", type=int, help="of the straightforward script, of each seed")
    parser.add_argument("--keep", type=Path, help="where results stay")
    parser.add_argument("--only", choices=["ours", "straightforward"])
    options = parser.parse_args()
    print(processor(), f"{datetime.date.today()}", flush=True)
    with tempfile.TemporaryDirectory() as name:
        folder = options.keep or Path(name)
        chosen = folder / "photographs"
        chosen.mkdir(parents=True, exist_ok=True)
        for path in sorted(options.photographs.glob("*.jpg"))[: options.images]:
            if not (chosen / path.name).exists():
                os.symlink(path.resolve(), chosen / path.name)
        if options.only != "straightforward":
            ours = run_ours(options, chosen, folder / "run")
        if options.only != "ours":
            theirs = run_straightforward(options, chosen, folder / "figures")
        if options.only is None:
            ratio = theirs["seconds"] / ours["seconds"]
            print(
                f"{ratio:.1f} times faster, memory {theirs['peak'] / ours['peak']:.1f} times less"
            )


def run_ours(options: argparse.Namespace, photographs: Path, out: Path) -> dict[str, Any]:
    command = [sys.executable, "-m", "sklearn_groupcross", "run", str(photographs)]
    command += ["--network", "bvlc_googlenet", "--weights", str(options.weights)]
    command += ["--group", "dihedral:32", "--features", str(options.atoms), "--quiet"]
    command += ["--seeds", str(options.seeds), "--epochs", str(options.passes), "--out", str(out)]
    found = watched(command)
    tell("groupcross run", stages_of_log(out / "run.log", found), found)
    return found


def run_straightforward(
    options: argparse.Namespace, photographs: Path, out: Path
) -> dict[str, Any]:
    script = str(Path(__file__).with_name("straightforward.py"))
    command = [sys.executable, script, str(photographs), str(options.weights), str(out)]
    command += ["--images", str(options.images), "--atoms", str(options.atoms)]
    command += ["--seeds", str(options.seeds), "--passes", str(options.passes)]
    if options.steps is not None:
        command += ["--steps", str(options.steps)]
    found = watched(command)
    lines = [json.loads(line) for line in found["output"].splitlines() if line.startswith("{")]
    stages = {f"{line['stage']} {line['done']}".strip(): line["seconds"] for line in lines}
    extrapolated = sum(line["seconds"] - line["measured"] for line in lines)
    stages["start"] = found["seconds"] - sum(line["measured"] for line in lines)
    found["seconds"] += extrapolated
    if extrapolated > 1:
        found["joules"] = None  # of what was not run, nothing is known
    tell("straightforward script", stages, found, extrapolated)
    return found


def tell(
    name: str, stages: dict[str, float], found: dict[str, Any], extrapolated: float = 0.0
) -> None:
    print(f"\n{name}: {found['seconds'] / 60:.1f} minutes", end="")
    print(f" ({extrapolated / 60:.1f} of them extrapolated)" if extrapolated > 1 else "", end="")
    print(f", peak {found['peak'] / 1e6:.0f} MB", end="")
    energy = found["joules"]
    print("" if energy is None else f", {energy:.0f} J")
    for stage, seconds in stages.items():
        print(f"  {stage:32} {seconds:8.1f} s")
    sys.stdout.flush()


if __name__ == "__main__":
    main()
