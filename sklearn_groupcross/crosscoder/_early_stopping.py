"""When a run is stopped early, and which of its weights are kept."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

from ._batches import Batch
from ._feed import Feed
from ._schedule import is_warming_up
from ._trainer import Trainer


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
        history = trainer.record.history
        history.setdefault("validation_fvu", []).append(unexplained)
        history.setdefault("validation_loss", []).append(objective)
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
        own = [part for batch in batches if len((part := trainer.parallel.part(batch)).rows)]
        for samples in feed.samples(own):
            squared_error, price_of_batch = trainer.evaluate(samples)
            error += squared_error * len(samples) / len(self.rows)
            price += price_of_batch * len(samples) / len(self.rows)
        error, price = trainer.parallel.sum_over_samples(error, price)
        variance = trainer.variance or 1.0
        return error / variance, (error + price * options.width) / variance
