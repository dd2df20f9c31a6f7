"""The training loop: passes over the data, shared by one dictionary or several."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from tqdm.auto import tqdm

from .._ambient import tf32_products
from ._batches import Batch, plan_epoch
from ._checkpoint import Checkpoint
from ._feed import Feed
from ._interrupt import Interruption, deferred_interrupt
from ._objective import preactivations
from ._rows import Rows
from ._schedule import is_warming_up
from ._trainer import Trainer

# BatchTopK's threshold is looked for within a factor of e^6 of its running mean, to 0.1 %.
_CALIBRATED_RANGE, _CALIBRATION_BINS = 6.0, 12_001


@dataclass(frozen=True)
class Passes:
    """How often and in what portions the data are read.

    Attributes
    ----------
    rows : ndarray of int
        The rows to train on.
    first_epoch, first_step : int
        Where these passes begin, if others came before.
    """

    rows: NDArray[np.int64]
    batch_size: int
    n_epochs: int
    augment: bool
    seed: int
    first_epoch: int = 0
    first_step: int = 0

    @property
    def n_batches(self) -> int:
        """Batches in an epoch."""
        return -(-len(self.rows) // self.batch_size)

    @property
    def n_steps(self) -> int:
        """Steps in all."""
        return self.n_batches * self.n_epochs


class EarlyStopping:
    """Stops a run that no longer improves on rows held out, and keeps its best weights.

    What should fall is the objective with the penalty in full: by the reconstruction alone, the
    state before the penalty took hold would be the best. Epochs within the warm-ups do not count,
    since little is learned in them.

    Parameters
    ----------
    rows : ndarray of int
        The rows held out.
    patience : int
        Epochs without improvement after which training stops.
    tol : float
        What counts as improvement, in fraction of variance unexplained.
    """

    def __init__(self, rows: NDArray[np.int64], patience: int, tol: float) -> None:
        self.rows, self.patience, self.tol = rows, patience, tol
        self.best = np.inf
        self.waited = 0
        self.best_tensors: dict[str, Tensor] = {}

    @property
    def is_over(self) -> bool:
        """Whether the patience is used up."""
        return self.waited >= self.patience

    def update(self, trainer: Trainer, feed: Feed, batch_size: int) -> bool:
        """Measure, remember, and say whether training should stop."""
        unexplained, objective = self._measure(trainer, feed, batch_size)
        trainer.history.setdefault("validation_fvu", []).append(unexplained)
        trainer.history.setdefault("validation_loss", []).append(objective)
        if is_warming_up(trainer.step, trainer.options):
            return False
        if objective < self.best - self.tol:
            self.best, self.waited = objective, 0
            self.best_tensors = {
                name: tensor.detach().clone() for name, tensor in self._kept(trainer).items()
            }
        else:
            self.waited += 1
        return self.is_over

    def restore(self, trainer: Trainer) -> None:
        """Give the trainer its best weights back."""
        for name, tensor in self._kept(trainer).items():
            if name in self.best_tensors:
                tensor.data.copy_(self.best_tensors[name])

    def state(self) -> tuple[dict[str, Tensor], dict[str, Any]]:
        """Tensors and values of which `set_state` makes this state again."""
        tensors = {f"best.{name}": tensor for name, tensor in self.best_tensors.items()}
        return tensors, {
            "best": self.best if np.isfinite(self.best) else None,
            "waited": self.waited,
        }

    def set_state(self, tensors: dict[str, Tensor], values: dict[str, Any]) -> None:
        """Take up what `state` gave."""
        self.best = np.inf if values["best"] is None else values["best"]
        self.waited = values["waited"]
        self.best_tensors = {
            name.removeprefix("best."): tensor
            for name, tensor in tensors.items()
            if name.startswith("best.")
        }

    @staticmethod
    def _kept(trainer: Trainer) -> dict[str, Tensor]:
        return {**trainer.parameters.named(), "threshold": trainer.threshold}

    def _measure(self, trainer: Trainer, feed: Feed, batch_size: int) -> tuple[float, float]:
        """Fraction of variance unexplained, and the objective in the same unit."""
        options = trainer.options
        n_batches = -(-len(self.rows) // batch_size)
        batches = [Batch(part, 0) for part in np.array_split(self.rows, n_batches)]
        error = price = 0.0
        for samples in feed.samples(batches):
            its_error, its_price = trainer.evaluate(samples)
            error += its_error * len(samples) / len(self.rows)
            price += its_price * len(samples) / len(self.rows)
        variance = trainer.variance or 1.0
        return error / variance, (error + price * options.width) / variance


def train(
    source: Rows,
    trainers: list[Trainer],
    passes: Passes,
    *,
    early_stopping: EarlyStopping | None = None,
    checkpoint: Checkpoint | None = None,
    progress: bool = False,
) -> Interruption | None:
    """Let trainers make the passes, from where the first of them stands.

    Each batch is read, scaled and translated once, for all of them; they share units, group and
    device. Early stopping and checkpoints are for a single one.

    Returns
    -------
    interrupted : Interruption or None
        What ended training early, after a whole step: Ctrl-C, say.
    """
    if early_stopping is not None and early_stopping.is_over:
        early_stopping.restore(trainers[0])
        return None
    first = trainers[0]
    feed = first.feed(source)
    start_epoch, start_batch = divmod(first.step - passes.first_step, passes.n_batches)
    bar = tqdm(
        total=passes.n_steps,
        initial=first.step - passes.first_step,
        desc="training",
        unit="step",
        disable=not progress,
    )
    tf32 = tf32_products(first.options.device, wanted=first.options.precision == "tf32")
    last_act = None if checkpoint is None else checkpoint.close
    with deferred_interrupt(last_act) as interrupted, bar, tf32:
        for epoch in range(start_epoch, passes.n_epochs):
            batches = plan_epoch(
                passes.rows,
                passes.batch_size,
                first.options.group.order,
                augment=passes.augment,
                seed=passes.seed,
                epoch=passes.first_epoch + epoch,
            )[start_batch if epoch == start_epoch else 0 :]
            stop = False
            for number, samples in enumerate(feed.samples(batches), start=1):
                for trainer in trainers:
                    trainer.train_on(samples)
                bar.update()
                if number == len(batches):
                    stop = _end_epoch(feed, trainers, passes, early_stopping)
                    bar.set_postfix(fvu=f"{first.history['fvu'][-1]:.3f}", refresh=False)
                if checkpoint is not None and (checkpoint.is_due or interrupted.is_set()):
                    checkpoint.write(*_state(first, early_stopping))
                if interrupted.is_set():
                    return interrupted
            if stop:
                break
    if checkpoint is not None and checkpoint.keep:
        checkpoint.write(*_state(first, early_stopping))
    if early_stopping is not None:
        early_stopping.restore(first)
    return None


@torch.no_grad()
def calibrate_threshold(trainer: Trainer, source: Rows) -> None:
    """Set BatchTopK's threshold so that k codes of a sample exceed it on average.

    The running mean of the smallest codes kept lags behind the weights and knows transformed
    samples as well; this counts on the data as they are.
    """
    parameters, options = trainer.parameters, trainer.options
    assert options.k is not None
    n_read = options.n_read
    edges = torch.linspace(
        -_CALIBRATED_RANGE,
        _CALIBRATED_RANGE,
        _CALIBRATION_BINS,
        dtype=torch.float32,
        device="cpu",
    ).exp()
    edges = edges.to(options.device) * trainer.threshold.clamp_min(1e-6)
    n_above = torch.zeros(len(edges) + 1, dtype=torch.int64, device=options.device)
    for part in source.slices(max(n_read, options.n_atoms)):
        block = source.read(part, columns=slice(n_read), dtype=trainer.units.centre.dtype)
        block = block.to(options.device)
        inputs = trainer.inputs_of(trainer.units.apply_(block))
        bins = torch.bucketize(preactivations(inputs, parameters).flatten(), edges)
        n_above += torch.bincount(bins, minlength=len(n_above))
    # codes above each edge: those in the bins to its right
    exceeding = n_above.flip(0).cumsum(0).flip(0)[1:]
    allowed = exceeding <= options.k * len(source)
    # nothing to cut off where all positive codes together are fewer
    lowest = edges[allowed.int().argmax()]
    trainer.threshold = torch.where(allowed[0], torch.zeros_like(lowest), lowest)


def _end_epoch(
    feed: Feed, trainers: list[Trainer], passes: Passes, early_stopping: EarlyStopping | None
) -> bool:
    for trainer in trainers:
        trainer.end_epoch()
    if early_stopping is None:
        return False
    return early_stopping.update(trainers[0], feed, passes.batch_size)


def _state(
    trainer: Trainer, early_stopping: EarlyStopping | None
) -> tuple[dict[str, Tensor], dict[str, Any]]:
    tensors, values = trainer.state()
    if early_stopping is None:
        return tensors, values
    more, stopping = early_stopping.state()
    return {**tensors, **more}, {**values, "early_stopping": stopping}
