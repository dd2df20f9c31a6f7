"""What the two tutorials beyond vision find, over seeds.

$ python benchmarks/beyond_vision.py [N_SEEDS [EXAMPLE...]]

Runs ``examples/plot_pitch_classes.py`` and ``examples/plot_tokens.py`` with the seeds 0, 1, ...
(five by default) in place of theirs: weights, data, splits and crosscoders are drawn anew. Printed:
mean over the seeds, smallest and largest, of what the tutorials print, with their controls. Chords:
``by chance`` is the share that is right when the stated symmetries are dealt out at random to the
same features. Names: one in four would be right by chance.
"""

from __future__ import annotations

import contextlib
import io
import sys
import time
import warnings
from collections import defaultdict
from pathlib import Path
from typing import Any

import matplotlib as mpl
import numpy as np
from measuring import processor

EXAMPLES = Path(__file__).resolve().parent.parent / "examples"
LINE = "\nseed = 0\n"


def run_example(name: str, seed: int) -> dict[str, Any]:
    """The variables of an example after it ran with another seed; its output is dropped."""
    source = (EXAMPLES / f"{name}.py").read_text(encoding="utf-8")
    if source.count(LINE) != 1:
        sys.exit(f"{name}.py should say {LINE.strip()!r} once, on a line of its own.")
    variables: dict[str, Any] = {"__name__": name}
    with contextlib.redirect_stdout(io.StringIO()):
        exec(compile(source.replace(LINE, f"\nseed = {seed}\n"), name, "exec"), variables)
    variables["plt"].close("all")
    return variables


def spread(values: list[float]) -> str:
    known = [value for value in values if np.isfinite(value)]
    if not known:
        return "-"
    return f"{np.mean(known):.2f} ({min(known):.2f} to {max(known):.2f})"


def main(n_seeds: int, examples: list[str]) -> None:
    mpl.use("Agg")
    warnings.filterwarnings("ignore", message=".*non-interactive.*")
    print(f"{n_seeds} seeds, {processor()}")
    for example in examples:
        start = time.process_time()
        tables: dict[str, dict[str, list[float]]] = defaultdict(lambda: defaultdict(list))
        for seed in range(n_seeds):
            variables = run_example(example, seed)
            for name, share in variables["accuracy"].items():
                tables[name]["accuracy"].append(float(share))
            for row, values in variables["results"].items():
                for what, value in values.items():
                    tables[row][what].append(float(value))
        print(
            f"\n{example}: {(time.process_time() - start) / n_seeds:.0f} s of processor time a seed"
        )
        for row, table in tables.items():
            print(f"  {row}")
            for what, values in table.items():
                print(f"    {what:30s} {spread(values)}")


if __name__ == "__main__":
    given = sys.argv[1:] or ["5"]
    main(int(given[0]), given[1:] or ["plot_pitch_classes", "plot_tokens"])
