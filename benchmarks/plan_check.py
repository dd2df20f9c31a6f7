"""Whether ``groupcross plan`` tells what runs take: predicted beside measured, on this machine.

    python benchmarks/plan_check.py [--images 100 1000 10000] [--rounds 1]

Photographs are stood in for by 96 px pictures of noise, and the network is two convolutions, so
that a run of 10,000 images takes minutes. Each round measures the plan and then makes the runs,
since what else the machine does changes; ratios are of one round. Time is by the clock, for the
whole command; memory is the most that the process had that the system cannot drop (Linux); disk is
the sum of the sizes of all files that the run leaves.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
from measuring import processor
from PIL import Image
from scipy.ndimage import gaussian_filter

NETWORK = """
from torch import nn, manual_seed
from sklearn_groupcross import Network

def build():
    manual_seed(0)
    layers = nn.Sequential(
        nn.Conv2d(3, 24, 7, stride=2), nn.ReLU(), nn.Conv2d(24, 48, 5, stride=2), nn.ReLU()
    )
    return Network(layers, input_size=64, default_layer="3")
"""
SIZES = ["--group", "dihedral:4", "--positions", "20"]
FITTING = ["--features", "96", "--k", "8", "--epochs", "20", "--batch-size", "512", "--seeds", "2"]
COMMAND = [sys.executable, "-m", "sklearn_groupcross"]


def draw_images(folder: Path, n: int) -> None:
    folder.mkdir()
    rng = np.random.default_rng(0)
    for number in range(n):
        noise = gaussian_filter(rng.standard_normal((96, 96, 3)), (2, 2, 0))
        pixels = 255 * (noise - noise.min()) / np.ptp(noise)
        Image.fromarray(pixels.astype(np.uint8)).save(folder / f"{number:06d}.png")


def run(arguments: list[str]) -> tuple[float, int]:
    """Seconds and most bytes of memory of a command."""
    start, peak = time.perf_counter(), 0
    with subprocess.Popen(
        [*COMMAND, *arguments], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    ) as process:
        while process.poll() is None:
            try:
                lines = Path(f"/proc/{process.pid}/status").read_text().splitlines()
            except OSError:
                break
            found = [int(line.split()[1]) for line in lines if line.startswith("RssAnon")]
            peak = max(peak, *(1024 * size for size in found), 0)
            time.sleep(0.02)
    if process.returncode:
        raise SystemExit(f"groupcross {' '.join(arguments)} ended with {process.returncode}")
    return time.perf_counter() - start, peak


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--images", type=int, nargs="+", default=[100, 1000, 10000])
    parser.add_argument("--rounds", type=int, default=1)
    options = parser.parse_args()
    print(processor())
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        (folder / "plan_network.py").write_text(NETWORK)
        network = ["--network", f"{folder / 'plan_network.py'}:build"]
        shared = [*network, *SIZES, *FITTING, "--json", "--quiet"]
        for n in options.images:
            draw_images(folder / f"images-{n}", n)
        print(f"{'images':>7} {'':8} {'predicted':>12} {'measured':>12} {'ratio':>6}")
        for number in range(options.rounds):
            for n in options.images:
                images = folder / f"images-{n}"
                told = subprocess.run(
                    [*COMMAND, "plan", *shared, "--images", str(n), "--sample", str(images)],
                    check=True,
                    capture_output=True,
                    text=True,
                )
                predicted = json.loads(told.stdout)["plans"][0]["total"]
                out = folder / f"run-{n}-{number}"
                seconds, peak = run(["run", str(images), *shared, "--out", str(out)])
                disk = sum(path.stat().st_size for path in out.rglob("*") if path.is_file())
                rows = {
                    "seconds": (predicted["seconds"], seconds),
                    "memory, MB": (predicted["memory_bytes"] / 1e6, peak / 1e6),
                    "disk, MB": (predicted["disk_bytes"] / 1e6, disk / 1e6),
                }
                for what, (plan, found) in rows.items():
                    print(
                        f"{n:7,} {what:10} {plan:10.1f} {found:12.1f} {plan / found:6.2f}",
                        flush=True,
                    )


if __name__ == "__main__":
    main()
