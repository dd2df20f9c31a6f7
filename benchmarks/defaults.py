"""One default at a time against its alternatives, on real orbits.

    THP_MEM_ALLOC_ENABLE=1 python benchmarks/defaults.py FOLDER

FOLDER holds the orbits that benchmarks/sparsity_frontier.py leaves there. Each line is a dictionary
of 1024 atoms, trained for 12 epochs on every second orbit of 200 photographs (augment=True,
bfloat16 products, everything else at its default but for what the line names), and measured on the
orbits of 40 other photographs. The defaults are run with three seeds, which shows how large a
difference has to be to mean anything.
"""

from __future__ import annotations

import sys
import time
from pathlib import Path

import numpy as np

from sklearn_groupcross import Dihedral, GroupCrosscoder

RELU = [
    {"random_state": 1},
    {"random_state": 2},
    {"learning_rate": 1e-3},
    {"learning_rate": 1e-2},
    {"warm_up": 0.0},
    {"decay": 0.0},
    {"dead_features": None},
    {"dead_features": "auxk"},
    {"batch_size": 256},
    {"batch_size": 1024},
    {"precision": "float32"},
]
TOPK = [{"dead_features": None}, {"dead_features": "resample"}, {"learning_rate": 1e-3}]
JUMPRELU = [{"dead_features": None}, {"dead_features": "auxk"}]
SETTINGS = [
    *({"activation": "relu"} | changes for changes in [{}, *RELU]),
    *({"activation": "topk"} | changes for changes in [{}, *TOPK]),
    *({"activation": "jumprelu"} | changes for changes in [{}, *JUMPRELU]),
]


def main(folder: str) -> None:
    train = np.load(Path(folder) / "orbits-train.npy", mmap_mode="r")[::2]
    held_out = np.load(Path(folder) / "orbits-held-out.npy", mmap_mode="r")
    print(f"{'setting':44} {'FVU':>6} {'L0':>6} {'dead':>5} {'s':>5}")
    for changes in SETTINGS:
        options = {"augment": True, "max_epochs": 12, "precision": "bfloat16", "random_state": 0}
        crosscoder = GroupCrosscoder(group=Dihedral(16), n_features=1024, **{**options, **changes})
        start = time.perf_counter()
        crosscoder.fit(train)
        seconds = time.perf_counter() - start
        l0 = (crosscoder.transform(held_out) > 0).sum(axis=1).mean()
        dead = int((~(crosscoder.transform(train) > 0).any(axis=0)).sum())
        name = ", ".join(f"{key}={value}" for key, value in changes.items())
        unexplained = 1 - crosscoder.score(held_out)
        print(f"{name:44} {unexplained:6.3f} {l0:6.1f} {dead:5d} {seconds:5.0f}", flush=True)


if __name__ == "__main__":
    if len(sys.argv) != 2:
        sys.exit(__doc__)
    main(sys.argv[1])
