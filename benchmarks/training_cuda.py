"""Training on a GPU: steps with all atoms and with the active ones, against the device's limits.

    python benchmarks/training_cuda.py [--sparsify FOLDER]

Synthetic orbits that stay on the device; ``Dihedral(32)`` and the trivial group, 480 channels, TopK
with k = 32, batches of 1024, 4096 and 16384 atoms. Ways take turns: the loop of
benchmarks/dense_loop.py in float32 and, compiled by torch.compile and with fused Adam, in bfloat16;
also with the CUDA graphs of torch.compile; a plain autoencoder with the products of sae-lens
(torch.sparse.mm) and with the kernels of sparsify, where FOLDER is its source; and ours in each
precision, with products of all atoms and gathering the active ones (Triton). Printed: limits of the
device (products of large matrices, copying memory); for each way milliseconds a step, those of them
in which the host is busy, samples a second, how many times as fast as the loop and as the best
compiled loop, what share of the limits the least arithmetic and traffic of its step reach, the peak
of memory, and by how much its gradients differ from those of all atoms in float32. Then whole fits
of `--steps` steps on 8192 orbits of
``Dihedral(32)`` in the host's memory.

``TRITON_INTERPRET=1 python benchmarks/training_cuda.py --device cpu --atoms 64 --batch 8 --k 2
--groups cyclic:2 --channels 16`` shows without a GPU that it runs.
"""

from __future__ import annotations

import argparse
import functools
import importlib.util
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import torch
from dense_loop import DenseLoop
from measuring import GIGA, processor, ratio, seconds, take_turns
from tabulate import tabulate

from sklearn_groupcross import GroupCrosscoder
from sklearn_groupcross._ambient import tf32_products
from sklearn_groupcross.crosscoder._active import _gathering
from sklearn_groupcross.crosscoder._batches import Samples
from sklearn_groupcross.crosscoder._initial import initialize
from sklearn_groupcross.crosscoder._options import TrainingOptions
from sklearn_groupcross.crosscoder._parameters import Parameters, Units
from sklearn_groupcross.crosscoder._replay_check import replays_on
from sklearn_groupcross.crosscoder._step import dense_step
from sklearn_groupcross.crosscoder._trainer import Trainer
from sklearn_groupcross.groups import parse_group

PRECISIONS = ("float32", "tf32", "bfloat16")
N_STEPS, N_ROUNDS = 10, 4
is_faster_gathered = _gathering.is_faster_gathered


def synchronise(device: torch.device) -> None:
    if device.type == "cuda":
        torch.cuda.synchronize(device)


def allocated(device: torch.device, *, peak: bool = False) -> int:
    """Bytes of tensors on a GPU, now or at most since the last call."""
    if device.type != "cuda":
        return 0
    most = torch.cuda.max_memory_allocated(device)
    torch.cuda.reset_peak_memory_stats(device)
    return most if peak else torch.cuda.memory_allocated(device)


def limits(device: torch.device) -> dict[str, float]:
    """Operations a second of matrix products, by precision, and bytes a second of copying."""
    size = 8192 if device.type == "cuda" else 512
    left, right = (torch.randn(size, size, device=device) for _ in range(2))
    source = torch.randn(1 << (28 if device.type == "cuda" else 22), device=device)
    target = torch.empty_like(source)

    def rate(work: float, function: Callable[[], Any]) -> float:
        def often() -> None:
            for _ in range(10):
                function()
            synchronise(device)

        often()
        return 10 * work / min(seconds(often) for _ in range(3))

    found = {"copying": rate(8 * source.numel(), lambda: target.copy_(source))}
    for precision in PRECISIONS:
        dtype = torch.bfloat16 if precision == "bfloat16" else torch.float32
        a, b = left.to(dtype), right.to(dtype)
        with tf32_products(device, wanted=precision == "tf32"):
            found[precision] = rate(2 * size**3, lambda a=a, b=b: a @ b)
    return found


class CompiledLoop(DenseLoop):
    """The loop as one tunes it: bfloat16 products, torch.compile, fused Adam."""

    mode = "default"

    def optimizer(self) -> torch.optim.Adam:
        return torch.optim.Adam(super().optimizer().param_groups, fused=True)

    @functools.cached_property
    def loss(self) -> Callable[[torch.Tensor], torch.Tensor]:
        def loss(batch: torch.Tensor) -> torch.Tensor:
            with torch.autocast(batch.device.type, torch.bfloat16):
                rebuilt = self.decode(self.encode(batch[:, : self.d]))
            return (batch - rebuilt).square().mean()

        return torch.compile(loss, mode=self.mode)

    def step(self, batch: torch.Tensor, adam: torch.optim.Adam) -> None:
        adam.zero_grad()
        self.loss(batch).backward()
        weights = [weight for group in adam.param_groups for weight in group["params"]]
        torch.nn.utils.clip_grad_norm_(weights, 1.0)
        adam.step()


class GraphedLoop(CompiledLoop):
    """The same with CUDA graphs for what is compiled."""

    mode = "reduce-overhead"


class SparseProductLoop(DenseLoop):
    """The product of sae-lens with sparse activations: torch.sparse.mm of a COO tensor."""

    def decode(self, codes: torch.Tensor) -> torch.Tensor:
        return torch.sparse.mm(codes.to_sparse(), self.decoder) + self.decoder_bias


class SparsifyLoop(CompiledLoop):
    """The encoder and the Triton kernels of sparsify in its bfloat16 autocast, not compiled."""

    modules: dict[str, ModuleType]

    @functools.cached_property
    def loss(self) -> Callable[[torch.Tensor], torch.Tensor]:
        encoder, kernels = self.modules["fused_encoder"], self.modules["xformers"]

        def loss(batch: torch.Tensor) -> torch.Tensor:
            with torch.autocast(batch.device.type, torch.bfloat16):
                found = encoder.fused_encoder(
                    batch[:, : self.d], self.encoder, self.encoder_bias, self.k, "topk"
                )
                rebuilt = kernels.xformers_embedding_bag(found[1], self.decoder, found[0])
            return (batch - rebuilt - self.decoder_bias).square().mean()

        return loss


def modules_of(folder: Path) -> dict[str, ModuleType]:
    """The files of sparsify that hold its kernels; the package asks for many others."""
    found = {}
    for name in ("fused_encoder", "xformers"):
        spec = importlib.util.spec_from_file_location(name, folder / f"{name}.py")
        assert spec is not None
        assert spec.loader is not None
        found[name] = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(found[name])
    return found


def ours(
    options: TrainingOptions, parameters: Parameters, samples: Samples, *, gathers: bool
) -> Callable[[], None]:
    units = Units(torch.zeros(1, options.n_channels), 1.0)
    trainer = Trainer(options, parameters, units, variance=1.0)
    trainer.replaying(replays_on(options.device)).__enter__()  # for as long as it lives

    def step() -> None:
        _gathering.is_faster_gathered = lambda *_: gathers
        with tf32_products(options.device, wanted=options.precision == "tf32"):
            trainer.train_on(samples)

    return step


def error_of_gradients(
    options: TrainingOptions, parameters: Parameters, samples: Samples, *, gathers: bool
) -> float:
    """Of the decoder, relative to products of all atoms in float32."""
    found = []
    for precision, way in (("float32", False), (options.precision, gathers)):
        _gathering.is_faster_gathered = lambda *_, way=way: way
        weights = parameters.learnable(options.device)
        with tf32_products(options.device, wanted=precision == "tf32"):
            dense_step(weights, replace(options, precision=precision), samples, 0.0, None)
        found.append(weights.decoder.grad)
        del weights
    return float((found[1] - found[0]).norm() / found[0].norm())


def least_work(options: TrainingOptions, n: int, *, gathers: bool) -> tuple[float, float]:
    """Operations of matrix products, and bytes of memory, that a step cannot do without."""
    m, width, n_read, k = options.n_atoms, options.width, options.n_read, options.k
    assert k is not None
    atoms = m * (width + n_read)
    a_code = 6 * n * width * (k if gathers else m)
    # Adam reads weights, gradients and both moments, and writes all but gradients; these are
    # written, and weights read, by the products
    return a_code + 4 * n * m * n_read, 4.0 * (9 * atoms + 4 * n * width)


def compare(
    options: TrainingOptions,
    n: int,
    bounds: dict[str, float],
    peers: dict[str, type[DenseLoop]],
) -> None:
    """Print a table for one group and number of atoms."""
    device, width = options.device, options.width
    generator = torch.Generator().manual_seed(0)
    targets = torch.randn(n, width, generator=generator).to(device)
    samples = Samples(targets[:, : options.n_channels].contiguous(), targets)
    parameters = initialize(options)
    ways: dict[str, tuple[Callable[[], None], TrainingOptions, bool]] = {}
    peaks: dict[str, int] = {}
    errors: dict[str, float] = {}
    busy: dict[str, float] = {}
    bfloat16 = replace(options, precision="bfloat16")
    rows = []
    assert options.k is not None

    def add(name: str, its: TrainingOptions, gathers: bool, build: Callable[[], Any]) -> None:
        """Build a way, and see what memory it takes; kernels are compiled."""
        before = allocated(device)
        step = build()
        several(step)
        several(step)
        peaks[name] = allocated(device, peak=True) - before
        ways[name] = step, its, gathers
        synchronise(device)
        start = time.perf_counter()
        for _ in range(N_STEPS):
            step()
        busy[name] = (time.perf_counter() - start) / N_STEPS
        synchronise(device)

    def several(step: Callable[[], None]) -> None:
        for _ in range(N_STEPS):
            step()
        synchronise(device)

    k = options.k
    blocks = targets.reshape(n, options.group.order, -1).cpu().numpy()

    def build_loop(kind: type[DenseLoop]) -> Callable[[], None]:
        loop = kind(blocks, options.n_atoms, k, n, 1e-3, device)
        adam = loop.optimizer()
        loop.step(targets, adam)  # compiles
        return lambda: loop.step(targets, adam)

    for name, kind in peers.items():
        its = options if kind in (DenseLoop, SparseProductLoop) else bfloat16
        add(
            name,
            its,
            kind in (SparseProductLoop, SparsifyLoop),
            functools.partial(build_loop, kind),
        )
    for precision in PRECISIONS:
        for gathers in (False, True):
            name = f"{precision}, {'active' if gathers else 'all'} atoms"
            its = replace(options, precision=precision)
            build = functools.partial(ours, its, parameters, samples, gathers=gathers)
            add(name, its, gathers, build)
            errors[name] = error_of_gradients(its, parameters, samples, gathers=gathers)
    turns = {name: functools.partial(several, step) for name, (step, _, _) in ways.items()}
    times = take_turns(turns, N_ROUNDS)
    for name, (_, its, gathers) in ways.items():
        a_step = float(np.median(times[name])) / N_STEPS
        flops, traffic = least_work(its, n, gathers=gathers)
        compiled = [its for name, its in times.items() if "compiled" in name] or [times["loop"]]
        tuned = min(compiled, key=np.median)
        rows.append(
            [
                name,
                f"{a_step * 1e3:.2f}",
                f"{busy[name] * 1e3:.2f}",
                f"{n / a_step:,.0f}",
                f"{np.median(times['loop']) / np.median(times[name]):.1f}",
                f"{np.median(tuned) / np.median(times[name]):.1f}",
                f"{flops / a_step / bounds[its.precision]:.0%}",
                f"{traffic / a_step / bounds['copying']:.0%}",
                f"{peaks[name] / GIGA:.1f}",
                f"{errors[name]:.1e}" if name in errors else "",
            ]
        )
    print(f"\n{options.group!r}, {options.n_atoms} atoms, batches of {n}")
    head = ["way", "ms a step", "host", "samples/s", "loop", "compiled", "of products"]
    head += ["of copying", "peak, GB", "gradients"]
    print(tabulate(rows, headers=head, disable_numparse=True), flush=True)


def compare_fits(options: TrainingOptions, n_steps: int, batch: int) -> None:
    """Print seconds of whole fits of orbits in the host's memory."""
    group, device = options.group, options.device
    n = 8 * batch
    # as activations are: few directions hold most
    generator = np.random.default_rng(0)
    spectrum = np.arange(1, options.n_channels + 1, dtype=np.float32) ** -0.7
    orbits = generator.standard_normal((n, group.order, options.n_channels), dtype=np.float32)
    orbits *= spectrum
    assert options.k is not None
    k = options.k

    def fit_loop(kind: type[DenseLoop]) -> None:
        kind(orbits, options.n_atoms, k, batch, 1e-3, device).fit(n_steps)
        synchronise(device)

    def fit_ours(compression: float | str | None, precision: str) -> None:
        GroupCrosscoder(
            group=group, n_features=options.n_atoms, activation="topk", k=k, batch_size=batch,
            max_epochs=-(-n_steps // 8), compression=compression, precision=precision,
            device=str(device), random_state=0, augment=True,
        ).fit(orbits)  # fmt: skip
        synchronise(device)

    _gathering.is_faster_gathered = is_faster_gathered
    fits = {
        "loop": functools.partial(fit_loop, DenseLoop),
        "compiled loop": functools.partial(fit_loop, CompiledLoop),
        "ours, float32": functools.partial(fit_ours, None, "float32"),
        "ours, default": functools.partial(fit_ours, None, "auto"),
        "ours, compression='auto'": functools.partial(fit_ours, "auto", "auto"),
    }
    for fit in fits.values():
        fit()  # compiles
    times = take_turns(fits, 2)
    print(f"\nWhole fits of {n_steps} steps, {n} orbits of {group!r}, {options.n_atoms} atoms")
    rows = [
        [name, f"{np.median(its):.2f}", ratio(times["loop"], its)] for name, its in times.items()
    ]
    print(tabulate(rows, headers=["fit", "s", "against the loop"], disable_numparse=True))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--device", default="cuda")
    parser.add_argument("--groups", nargs="*", default=["dihedral:32", "cyclic:1"])
    parser.add_argument("--channels", type=int, default=480)
    parser.add_argument("--atoms", type=int, nargs="*", default=[4096, 16384])
    parser.add_argument("--batch", type=int, default=1024)
    parser.add_argument("--k", type=int, default=32)
    parser.add_argument("--steps", type=int, default=100, help="of whole fits; 0: none")
    parser.add_argument("--sparsify", type=Path, help="folder of its modules")
    parser.add_argument("--no-compile", action="store_true", help="leave out what is compiled")
    given = parser.parse_args()
    print(processor())
    device = torch.device(given.device)
    name = torch.cuda.get_device_name(device) if device.type == "cuda" else "CPU"
    bounds = limits(device)
    print(f"{name}, torch {torch.__version__}")
    print(", ".join(f"{kind} {value / 1e12:.2f}e12 a second" for kind, value in bounds.items()))
    for group in given.groups:
        for n_atoms in given.atoms:
            options = TrainingOptions(
                group=parse_group(group), n_channels=given.channels, n_atoms=n_atoms,
                activation="topk", k=given.k, l1=0.0, encoder_input="identity",
                augment=False, n_steps=None, learning_rate=1e-3, warm_up=0.0, decay=0.0,
                dead_features=None, dead_samples=10**9, precision="float32", device=device, seed=0,
            )  # fmt: skip
            peers: dict[str, type[DenseLoop]] = {"loop": DenseLoop}
            if not given.no_compile:
                peers |= {"compiled loop": CompiledLoop, "compiled loop, graphs": GraphedLoop}
            if options.group.order == 1:
                peers["products of sae-lens"] = SparseProductLoop
            # its kernel holds a whole atom in the registers of 32 threads
            if options.group.order == 1 and given.sparsify is not None:
                SparsifyLoop.modules = modules_of(given.sparsify)
                peers["kernels of sparsify"] = SparsifyLoop
            compare(options, given.batch, bounds, peers)
    if given.steps:
        its = replace(options, group=parse_group(given.groups[0]), n_atoms=given.atoms[0])
        compare_fits(its, given.steps, given.batch)


if __name__ == "__main__":
    main()
