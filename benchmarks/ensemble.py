"""Seeds, and penalties, that are trained together, beside as many separate fits.

    THP_MEM_ALLOC_ENABLE=1 OMP_WAIT_POLICY=PASSIVE python benchmarks/ensemble.py

Planted orbits, or those of ``--orbits ORBITS.npy`` of shape (n_samples, order, n_channels). Batches
of 1024, orbit augmentation; TopK with k = 32 for seeds (`crosscoder_ensemble`), ReLU for penalties
(`crosscoder_path`, whose others make half as many passes). One fit and one run of several take
turns, with ``compression="auto"`` and, over as many steps, in all columns. Printed, of each the
median, smallest and largest of the rounds: seconds of both; their ratio to as many separate fits,
in seconds and in seconds of processor time; and, of the processor time of one fit, the share that
several have in common, which follows from the two: more cannot be saved by one thread.
"""

from __future__ import annotations

import argparse
import time
import warnings
from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np
from measuring import processor, spread

from sklearn_groupcross import GroupCrosscoder, crosscoder_ensemble, crosscoder_path, make_orbits
from sklearn_groupcross.groups import parse_group


def times(function: Callable[[], Any]) -> tuple[float, float]:
    """Seconds, and seconds of processor time."""
    clock, processor_time = time.perf_counter(), time.process_time()
    function()
    return time.perf_counter() - clock, time.process_time() - processor_time


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--orbits")
    parser.add_argument("--group", default="dihedral:32")
    parser.add_argument("--samples", type=int, default=8192)
    parser.add_argument("--channels", type=int, default=480)
    parser.add_argument("--atoms", type=int, default=1024)
    parser.add_argument("--several", type=int, default=5, help="seeds, and penalties")
    parser.add_argument("--steps", type=int, default=104)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--of", nargs="+", default=["seeds", "penalties"])
    options = parser.parse_args()
    warnings.simplefilter("ignore")  # runs are short
    group, n = parse_group(options.group), options.several
    if options.orbits is None:
        orbits = make_orbits(
            options.samples,
            group=group,
            n_channels=options.channels,
            n_families=64,
            noise=0.1,
            random_state=0,
        ).orbits
    else:
        orbits = np.load(options.orbits, mmap_mode="r")
    print(f"{processor()}\n{orbits.shape[0]} orbits of {group!r}, {orbits.shape[2]} channels")

    n_passes = -(-options.steps // -(-len(orbits) // 1024))

    def estimator(compression: str | None, of: str, n_passes: int) -> GroupCrosscoder:
        return GroupCrosscoder(
            group,
            n_features=options.atoms,
            activation="topk" if of == "seeds" else "relu",
            k=32 if of == "seeds" else None,
            augment=True,
            compression=compression,
            batch_size=1024,
            max_epochs=n_passes,
            device="cpu",
            random_state=0,
        )

    for of in options.of:
        for compression in ("auto", None):

            def several(
                data: np.ndarray, n_passes: int, of: str = of, compression: Any = compression
            ) -> Any:
                template = estimator(compression, of, n_passes)
                if of == "seeds":
                    return crosscoder_ensemble(template, data, n)
                return crosscoder_path(template, data, np.geomspace(0.1, 0.4, n))

            several(orbits[:1024], 2)  # compiles
            found = []
            for _ in range(options.rounds):
                alone = partial(estimator(compression, of, n_passes).fit, orbits)
                found.append((times(alone), times(partial(several, orbits, n_passes))))
            own = [(b[1] - a[1]) / (n - 1) / a[1] for a, b in found]
            print(
                f"{n} {of}, compression={compression!r}: one {spread([a[0] for a, _ in found])} s, "
                f"together {spread([b[0] for _, b in found])} s, "
                f"{spread([b[0] / (n * a[0]) for a, b in found], 2)} of as many fits, "
                f"{spread([b[1] / (n * a[1]) for a, b in found], 2)} of their processor time; in "
                f"common {spread([1 - share for share in own], 2)} of a fit",
                flush=True,
            )


if __name__ == "__main__":
    main()
