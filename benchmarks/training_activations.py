"""What a training step costs with each activation, once codes are sparse.

    THP_MEM_ALLOC_ENABLE=1 OMP_WAIT_POLICY=PASSIVE \\
        python benchmarks/training_activations.py PHOTOGRAPHS bvlc_googlenet.safetensors FOLDER

The data of benchmarks/training_speed.py; ``Dihedral(32)``, 4096 atoms, batches of 1024. All begin
in the same dictionary, that of a TopK run: TopK and BatchTopK go on with k = 32, ReLU and JumpReLU
with a penalty that leaves about as many codes in such a run. Printed for each: L0 and seconds of a
step at its end (medians of the last third), the ratio to TopK, and explained variance on the
photographs held out.
"""

from __future__ import annotations

import argparse

import numpy as np
from measuring import step_times
from training_speed import add_data_arguments, ours, read_orbits

ACTIVATIONS = ["topk", "batch_topk", "relu", "jumprelu"]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    add_data_arguments(parser)
    parser.add_argument("--relu-l1", type=float, default=0.5)
    parser.add_argument("--jumprelu-l1", type=float, default=0.1)
    parser.add_argument("--steps", type=int, default=64)
    options = parser.parse_args()
    group, train, test = read_orbits(options)
    start = ours(group, options.steps, len(train), 32).fit(train)
    seconds: dict[str, float] = {}
    for activation in ACTIVATIONS:
        changes = {"activation": activation, "dict_init": start.components_}
        changes["l1"] = options.relu_l1 if activation == "relu" else options.jumprelu_l1
        changes["k"] = 32 if "topk" in activation else None
        with step_times() as starts:
            crosscoder = ours(group, options.steps, len(train), 32).set_params(**changes).fit(train)
        last = len(starts) // 3
        seconds[activation] = float(np.median(np.diff(starts)[-last:]))
        print(
            f"{activation}: L0 {np.median(crosscoder.history_['step_l0'][-last:]):.0f}, "
            f"{seconds[activation]:.3f} s a step, "
            f"{seconds[activation] / seconds['topk']:.2f} times TopK's; slowest step "
            f"{np.diff(starts).max():.2f} s; explained {crosscoder.score(test):.3f}",
            flush=True,
        )


if __name__ == "__main__":
    main()
