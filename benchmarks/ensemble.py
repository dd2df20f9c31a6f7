"""Processor time of an ensemble beside that of as many separate fits.

    OMP_NUM_THREADS=1 python benchmarks/ensemble.py ORBITS.npy --group dihedral:8

ORBITS.npy has shape (n_samples, order, n_channels). TopK, k = 32, orbit augmentation, batches of
1024. Printed for training with 0.8 of the variance and, over fewer passes, in all columns: seconds
of processor time of one fit, of an ensemble, and their ratio to as many fits.
"""

from __future__ import annotations

import argparse
import time

import numpy as np

from sklearn_groupcross import GroupCrosscoder, crosscoder_ensemble


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("orbits")
    parser.add_argument("--group", required=True)
    parser.add_argument("--atoms", type=int, default=1024)
    parser.add_argument("--seeds", type=int, nargs="+", default=[3, 5])
    parser.add_argument("--epochs", type=int, default=20)
    parser.add_argument("--epochs-in-all-columns", type=int, default=4)
    options = parser.parse_args()
    orbits = np.load(options.orbits, mmap_mode="r")

    def estimator(compression: float | None, epochs: int) -> GroupCrosscoder:
        return GroupCrosscoder(
            options.group,
            n_features=options.atoms,
            activation="topk",
            k=32,
            augment=True,
            compression=compression,
            batch_size=1024,
            max_epochs=epochs,
            device="cpu",
            random_state=0,
        )

    for compression, epochs in ((0.8, options.epochs), (None, options.epochs_in_all_columns)):
        estimator(compression, 1).fit(orbits[:2048])  # compiles
        start = time.process_time()
        estimator(compression, epochs).fit(orbits)
        one = time.process_time() - start
        for n_seeds in options.seeds:
            start = time.process_time()
            crosscoder_ensemble(estimator(compression, epochs), orbits, n_seeds)
            several = time.process_time() - start
            print(
                f"compression={compression}, {epochs} passes: one {one:.1f} s, {n_seeds} together "
                f"{several:.1f} s, {several / (n_seeds * one):.2f} of as many fits",
                flush=True,
            )


if __name__ == "__main__":
    main()
