"""What a training step does with the machine: each phase against what the machine can do.

    THP_MEM_ALLOC_ENABLE=1 OMP_WAIT_POLICY=PASSIVE python benchmarks/training_limits.py

Synthetic orbits; ``Dihedral(32)``, 480 channels, 4096 atoms, TopK with k = 32, batches of 1024, and
the same with a plain autoencoder (one block). First the limits, best of several: products of large
matrices in float32, and in bfloat16 where the CPU has them, reading and copying memory. Of 16-bit
integers, which no library multiplies, twice the products of float32 are taken for the limit. Then
for each phase of a step the median of its seconds, the arithmetic and the memory traffic that it
cannot do without, and their share of the limits. Arithmetic counts gathered atoms alone; traffic
counts what is not in the cache, once. A phase far below both limits gathers: it is held up by the
cache between the two.
"""

from __future__ import annotations

import time
from collections import defaultdict
from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from measuring import processor, seconds
from tabulate import tabulate

from sklearn_groupcross import Dihedral, GroupCrosscoder
from sklearn_groupcross._processor import multiplies_bfloat16
from sklearn_groupcross.crosscoder import _trainer
from sklearn_groupcross.crosscoder._activations import _largest
from sklearn_groupcross.crosscoder._active import _sparse_step
from sklearn_groupcross.crosscoder._active._rough_encoders import fastest_kind
from sklearn_groupcross.crosscoder._feed import Feed
from sklearn_groupcross.groups import FiniteGroup, Trivial

N, M, D, K, N_STEPS = 1024, 4096, 480, 32, 16


def limits() -> dict[str, float]:
    """GFLOP/s of matrix products, and GB/s of memory."""

    def best(function: Callable[[], Any]) -> float:
        function()
        return min(seconds(function) for _ in range(5))

    left, right, out = torch.randn(1024, 4096), torch.randn(4096, 8192), torch.empty(1024, 8192)
    flops = 2 * left.shape[0] * right.numel()
    large, copy = torch.randn(1 << 27), torch.empty(1 << 27)
    halves = left.bfloat16(), right.bfloat16(), out.bfloat16()
    float32 = flops / best(lambda: torch.mm(left, right, out=out)) / 1e9
    rough = {"int16": 2 * float32}  # half as many bits: twice as many at a time
    if multiplies_bfloat16():
        rough = {"bfloat16": flops / best(lambda: torch.mm(*halves[:2], out=halves[2])) / 1e9}
    return {
        "float32": float32,
        **rough,
        "reading": 4 * large.numel() / best(large.sum) / 1e9,
        "copying": 8 * large.numel() / best(lambda: copy.copy_(large)) / 1e9,
    }


class Phases:
    """Seconds of functions that are called in a step, by name."""

    def __init__(self) -> None:
        self.seconds: dict[str, list[float]] = defaultdict(list)

    def watch(self, owner: Any, name: str, phase: str) -> None:
        function = getattr(owner, name)

        def timed(*arguments: Any, **options: Any) -> Any:
            start = time.perf_counter()
            try:
                return function(*arguments, **options)
            finally:
                self.seconds[phase].append(time.perf_counter() - start)

        setattr(owner, name, timed)


def work(group: FiniteGroup, kind: str) -> dict[str, tuple[float, str, float]]:
    """Arithmetic, its kind, and bytes of memory traffic of each phase."""
    width = group.order * D
    atoms, batch, encoder = 4.0 * M * width, 4.0 * N * width, 4.0 * M * D
    gathered = 2.0 * N * K * width
    return {
        "reading": (0.0, "float32", 2 * batch),
        "centring": (0.0, "float32", 4 * batch),
        "rough encoder": (0.0, "float32", 1.5 * encoder),
        "rough codes": (2.0 * N * M * D, kind, 2.0 * N * M),
        "largest codes": (0.0, "float32", 2.0 * N * M),
        # the decoder once, its gradient once, and the batch
        "decoder, all gradients": (3 * gathered, "float32", 2 * atoms + batch),
        "encoder's gradient": (2.0 * N * K * D, "float32", encoder + 4.0 * N * D),
        "norm of gradients": (0.0, "float32", atoms + encoder),
        "Adam": (0.0, "float32", 7 * (atoms + encoder)),
    }


def main() -> None:
    rough = fastest_kind()
    if rough is None:
        raise SystemExit("This processor makes exact products as fast as rough ones.")
    print(processor())
    bounds = limits()
    print(", ".join(f"{name} {value:.0f}" for name, value in bounds.items()), "(GFLOP/s, GB/s)")
    phases = Phases()
    phases.watch(Feed, "_read", "reading")
    phases.watch(Feed, "_prepare", "centring")
    phases.watch(rough, "refresh", "rough encoder")
    phases.watch(rough, "preactivations", "rough codes")
    phases.watch(_sparse_step, "squared_error", "decoder, all gradients")
    phases.watch(_sparse_step, "transposed_product", "encoder's gradient")
    phases.watch(_largest, "largest_codes", "codes")
    phases.watch(_trainer, "clip_gradients", "norm of gradients")
    phases.watch(_trainer.Adam, "step", "Adam")
    phases.watch(_trainer.Trainer, "train_on", "step")
    for group in (Dihedral(32), Trivial()):
        phases.seconds.clear()
        rng = np.random.default_rng(0)
        X = rng.standard_normal((2 * N, group.order * D), dtype=np.float32)
        GroupCrosscoder(
            group, M, activation="topk", k=K, batch_size=N, dead_features=None,
            max_epochs=N_STEPS // 2, random_state=0, device="cpu",
        ).fit(X)  # fmt: skip
        found = {name: float(np.median(values)) for name, values in phases.seconds.items()}
        found["largest codes"] = found.pop("codes") - found["rough codes"]
        rows = []
        for name, (flops, kind, traffic) in work(group, rough.numbers).items():
            rates = flops / found[name] / 1e9, traffic / found[name] / 1e9
            rows.append(
                [
                    name,
                    f"{found[name] * 1e3:.1f}",
                    f"{rates[0]:.0f}",
                    f"{rates[0] / bounds[kind]:.0%}",
                    f"{rates[1]:.0f}",
                    f"{rates[1] / bounds['copying']:.0%}",
                ]
            )
        rows.append(["step, without reading and centring", f"{found['step'] * 1e3:.1f}"])
        print(f"\n{group!r}")
        head = ["phase", "ms", "GFLOP/s", "of limit", "GB/s", "of limit"]
        print(tabulate(rows, headers=head))


if __name__ == "__main__":
    main()
