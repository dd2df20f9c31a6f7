"""What training in fewer coordinates costs in explained variance, and gains in time.

    THP_MEM_ALLOC_ENABLE=1 OMP_WAIT_POLICY=PASSIVE \\
        python benchmarks/compression.py PHOTOGRAPHS bvlc_googlenet.safetensors FOLDER

The data of benchmarks/training_speed.py: ``Dihedral(32)``, 4096 atoms, TopK with k = 32, batches of
1024, translated (`augment`), `--steps` steps. For each share of the variance: coordinates, what the
dictionary explains of orbits of photographs held out (mean over `--seeds` with a 95 % interval, t
distribution), and the median seconds of a step.
"""

from __future__ import annotations

import argparse

import numpy as np
from measuring import processor, step_times
from scipy.stats import t
from training_speed import add_data_arguments, ours, read_orbits


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    add_data_arguments(parser)
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--steps", type=int, default=96)
    parser.add_argument("--shares", type=float, nargs="*", default=[0.95, 0.9, 0.8, 0.7, 0.6])
    options = parser.parse_args()
    print(processor())
    group, train, test = read_orbits(options)
    for share in (None, *options.shares):
        explained, seconds = [], []
        for seed in range(options.seeds):
            with step_times() as starts:
                crosscoder = ours(group, options.steps, len(train), 32).set_params(
                    compression=share, augment=True, random_state=seed
                )
                crosscoder.fit(train)
            seconds.append(float(np.median(np.diff(starts))))
            explained.append(crosscoder.score(test))
        half = t.ppf(0.975, len(explained) - 1) * np.std(explained, ddof=1) / len(explained) ** 0.5
        print(
            f"{share or 'all'}: {crosscoder.n_coordinates_} coordinates, "
            f"explained {np.mean(explained):.4f} ± {half:.4f}, {np.median(seconds):.3f} s a step",
            flush=True,
        )


if __name__ == "__main__":
    main()
