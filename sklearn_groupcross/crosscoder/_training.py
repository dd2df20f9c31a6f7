"""The training loop: batches in, weights and a history out."""

from __future__ import annotations

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from types import FrameType

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from tqdm.auto import tqdm

from ..groups import FiniteGroup
from ._activations import activate
from ._objective import objective, preactivations, reconstruct
from ._parameters import Parameters, fold_scale, initialise

# Shares of the steps over which the learning rate rises from 0 and falls back to it.
_WARM_UP, _DECAY = 0.05, 0.2
# Clipping the gradient's norm keeps a rare batch of outliers from undoing many steps.
_MAX_GRADIENT_NORM = 1.0
_BYTES_A_PASS = 2**26


@dataclass(frozen=True)
class TrainingOptions:
    """What the estimator has resolved from its parameters."""

    group: FiniteGroup
    n_atoms: int
    k: int | None  # None: no limit, ReLU
    l1: float
    augment: bool
    batch_size: int
    max_epochs: int
    learning_rate: float
    device: torch.device
    seed: int
    progress: bool


@dataclass
class TrainingResult:
    """Weights in the units of the data, and how training went.

    Attributes
    ----------
    parameters : Parameters
    scale : float
        Factor by which the data were multiplied during training.
    history : dict of str to list of float
        For every finished epoch: ``loss``; ``fvu``, the fraction of variance unexplained; ``l0``,
        the mean number of active codes; ``dead``, the number of atoms that never fired.
    n_steps : int
    interrupted : bool
        Whether Ctrl-C ended training early; the weights are those of the last whole step.
    """

    parameters: Parameters
    scale: float
    history: dict[str, list[float]] = field(default_factory=dict)
    n_steps: int = 0
    interrupted: bool = False


@dataclass(frozen=True)
class DataSummary:
    """Statistics of the training data, from two passes over its rows."""

    mean: NDArray[np.float64]  # (|G| d,)
    variance: float  # mean squared distance of a sample from the mean
    block_norm: float  # mean norm of a block


def summarise(X: NDArray[np.floating], order: int) -> DataSummary:
    """Mean, variance and mean block norm, in float64, some rows at a time."""
    total = np.zeros(X.shape[1])
    norms = 0.0
    for rows in _row_slices(X):
        chunk = np.asarray(X[rows], dtype=np.float64)
        total += chunk.sum(0)
        norms += np.linalg.norm(chunk.reshape(len(chunk), order, -1), axis=2).mean(1).sum()
    mean = total / len(X)
    squares = sum(float(np.square(X[rows] - mean).sum()) for rows in _row_slices(X))
    return DataSummary(mean, squares / len(X), float(norms) / len(X))


def train(X: NDArray[np.floating], options: TrainingOptions) -> TrainingResult:
    """Train a crosscoder by Adam.

    Parameters
    ----------
    X : ndarray of shape (n_samples, |G| d)
        Finite orbit stacks, blocks side by side.
    options : TrainingOptions

    Returns
    -------
    result : TrainingResult
    """
    order = options.group.order
    summary = summarise(X, order)
    n_channels = X.shape[1] // order
    # One factor for all blocks: one a block would break the symmetry under permuting them.
    scale = n_channels**0.5 / summary.block_norm if summary.block_norm > 0 else 1.0
    generator = torch.Generator("cpu").manual_seed(options.seed)
    mean = torch.as_tensor(summary.mean * scale, dtype=torch.float32, device=options.device)
    parameters = initialise(
        options.n_atoms,
        order,
        mean.reshape(order, n_channels),
        atom_norm=0.1 if options.k is None else 1.0,
        shared_bias=options.augment,
        generator=generator,
    )
    n_batches = -(-len(X) // options.batch_size)
    n_steps = n_batches * options.max_epochs
    optimiser = torch.optim.Adam(parameters.tensors(), lr=options.learning_rate, fused=True)
    scheduler = torch.optim.lr_scheduler.LambdaLR(
        optimiser, lambda step: _learning_rate_factor(step, n_steps)
    )
    result = TrainingResult(parameters, scale, {"loss": [], "fvu": [], "l0": [], "dead": []})
    tally = _Tally(options.n_atoms, options.device)
    bar = tqdm(total=n_steps, desc="training", unit="step", disable=not options.progress)
    with _deferred_interrupt() as interrupted, bar:
        for _ in range(options.max_epochs):
            order_of_rows = torch.randperm(len(X), generator=generator).numpy()
            for rows in np.array_split(order_of_rows, n_batches):
                batch = torch.from_numpy(X[np.sort(rows)]).to(options.device, torch.float32) * scale
                if options.augment:
                    h = int(torch.randint(order, (), generator=generator))
                    batch = _translate(batch, options.group, h)
                loss, squared_error, codes = _step(batch, parameters, optimiser, options)
                scheduler.step()
                tally.add(loss, squared_error, codes)
                result.n_steps += 1
                bar.update()
                if interrupted.is_set():
                    break
            if interrupted.is_set():
                break
            _record(result.history, tally, summary.variance * scale**2)
            bar.set_postfix(fvu=f"{result.history['fvu'][-1]:.3f}", refresh=False)
    result.interrupted = interrupted.is_set()
    result.parameters = fold_scale(parameters, scale)
    return result


def _step(
    batch: Tensor,
    parameters: Parameters,
    optimiser: torch.optim.Optimizer,
    options: TrainingOptions,
) -> tuple[Tensor, Tensor, Tensor]:
    order = options.group.order
    identity_block = batch[:, : batch.shape[1] // order]
    codes = activate(preactivations(identity_block, parameters), options.k)
    reconstruction = reconstruct(codes, parameters, order)
    loss, squared_error = objective(batch, reconstruction, codes, parameters.decoder, options.l1)
    optimiser.zero_grad(set_to_none=True)
    loss.backward()
    torch.nn.utils.clip_grad_norm_(parameters.tensors(), _MAX_GRADIENT_NORM)
    optimiser.step()
    return loss.detach(), squared_error.detach(), codes.detach()


def _translate(batch: Tensor, group: FiniteGroup, h: int) -> Tensor:
    """Right translation ``(R_h O)[g] = O[g h]``: the orbits of the h-transformed samples."""
    blocks = batch.reshape(len(batch), group.order, -1)
    permutation = torch.from_numpy(group.right_translation(h).copy()).to(batch.device)
    return blocks.index_select(1, permutation).reshape(batch.shape)


def _learning_rate_factor(step: int, n_steps: int) -> float:
    """Linear rise over the first steps, linear fall to 0 over the last."""
    rise = (step + 1) / max(1.0, _WARM_UP * n_steps)
    fall = (n_steps - step) / max(1.0, _DECAY * n_steps)
    return min(1.0, rise, fall)


class _Tally:
    """Sums over an epoch, kept on the device: reading them in every step would stall a GPU."""

    def __init__(self, n_atoms: int, device: torch.device) -> None:
        self._n_atoms, self._device = n_atoms, device
        self.reset()

    def reset(self) -> None:
        self.sums = torch.zeros(3, dtype=torch.float64, device=self._device)
        self.fired = torch.zeros(self._n_atoms, dtype=torch.bool, device=self._device)
        self.n_samples = 0

    def add(self, loss: Tensor, squared_error: Tensor, codes: Tensor) -> None:
        active = codes > 0
        n_active = active.sum() / len(codes)
        self.sums += torch.stack([loss, squared_error, n_active]).double() * len(codes)
        self.fired |= active.any(0)
        self.n_samples += len(codes)


def _record(history: dict[str, list[float]], tally: _Tally, variance: float) -> None:
    loss, squared_error, l0 = (tally.sums / tally.n_samples).tolist()
    history["loss"].append(loss)
    history["fvu"].append(squared_error / float(variance) if variance > 0 else 0.0)
    history["l0"].append(l0)
    history["dead"].append(float((~tally.fired).sum()))
    tally.reset()


def _row_slices(X: NDArray[np.floating]) -> Iterator[slice]:
    """Rows that fit in some 64 MiB as float64."""
    n_rows = max(1, _BYTES_A_PASS // (8 * X.shape[1]))
    for start in range(0, len(X), n_rows):
        yield slice(start, start + n_rows)


@contextmanager
def _deferred_interrupt() -> Iterator[threading.Event]:
    """Let Ctrl-C wait for the end of a step, so that no weights are left half updated.

    A second Ctrl-C acts at once. Signals reach the main thread only; elsewhere nothing changes.
    """
    pressed = threading.Event()
    if threading.current_thread() is not threading.main_thread():
        yield pressed
        return
    previous = signal.getsignal(signal.SIGINT)

    def handler(number: int, frame: FrameType | None) -> None:
        if pressed.is_set():
            raise KeyboardInterrupt
        pressed.set()

    signal.signal(signal.SIGINT, handler)
    try:
        yield pressed
    finally:
        signal.signal(signal.SIGINT, previous)
