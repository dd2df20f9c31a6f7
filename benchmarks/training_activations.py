"""What a training step costs with each activation, once codes are sparse.

    THP_MEM_ALLOC_ENABLE=1 OMP_WAIT_POLICY=PASSIVE \\
        python benchmarks/training_activations.py PHOTOGRAPHS bvlc_googlenet.safetensors FOLDER

The data of benchmarks/training_speed.py; ``Dihedral(32)``, 4096 atoms, batches of 1024. ReLU begins
with dense steps and becomes sparse as its penalty rises. Printed for each: L0 and seconds of a step
at the end of the run (medians of the last third); the seconds of a TopK run whose k is that L0,
made after it, and the ratio; and the slowest step.
"""

from __future__ import annotations

import argparse

import numpy as np
from measuring import processor, step_times
from training_speed import add_data_arguments, ours, read_orbits

PENALTIES = {"batch_topk": None, "relu": 0.55}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    add_data_arguments(parser)
    parser.add_argument("--steps", type=int, default=64)
    parser.add_argument("--steps-of-topk", type=int, default=16)
    options = parser.parse_args()
    print(processor())
    group, train, _ = read_orbits(options)
    for activation, l1 in PENALTIES.items():
        crosscoder = ours(group, options.steps, len(train), 32).set_params(activation=activation)
        if l1 is not None:
            crosscoder.set_params(k=None, l1=l1)
        with step_times() as starts:
            crosscoder.fit(train)
        last = len(starts) // 3
        seconds = float(np.median(np.diff(starts)[-last:]))
        l0 = float(np.median(crosscoder.history_["step_l0"][-last:]))
        k = max(1, round(l0))
        with step_times() as starts_of_topk:
            ours(group, options.steps_of_topk, len(train), k).fit(train)
        of_topk = float(np.median(np.diff(starts_of_topk)))
        print(
            f"{activation}: L0 {l0:.0f}, {seconds:.3f} s a step; TopK with k = {k}: "
            f"{of_topk:.3f} s, {seconds / of_topk:.2f} times; "
            f"slowest step {np.diff(starts).max():.2f} s",
            flush=True,
        )


if __name__ == "__main__":
    main()
