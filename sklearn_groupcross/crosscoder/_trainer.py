"""One dictionary in training: a step."""

from __future__ import annotations

import math
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor

from ._active._sparse_codes import is_faster_without_zeros
from ._active._sparse_step import SparseStep
from ._adam import Adam
from ._basis import FittedBasis
from ._batches import Samples, StepOutcome
from ._counters import Counters
from ._in_training import DictionaryInTraining
from ._options import TrainingOptions
from ._parallelism import ALONE, Parallelism, gradients_of
from ._parameters import Parameters, Units
from ._record import Record
from ._replay import ReplayedSteps, pays
from ._revival import resample, resamples_at
from ._schedule import l1_at, learning_rate_factor
from ._step import dense_step

#: Gradients are clipped to this norm, so that a rare batch of outliers does not undo many steps. Of
#: scaled data it is seldom reached: there is nothing to tune.
MAX_GRAD_NORM = 1.0


class Trainer(DictionaryInTraining):
    """A dictionary with an optimiser, and what has to be remembered between steps.

    Parameters
    ----------
    options, parameters, units, variance, fitted_basis, parallel
        See `DictionaryInTraining`.

    Attributes
    ----------
    whole_options : TrainingOptions
        Those of the whole dictionary, where this process has some of the atoms alone.
    step : int
        Steps made.
    optimizer : Adam
    counters : Counters
    record : Record
    """

    def __init__(
        self,
        options: TrainingOptions,
        parameters: Parameters,
        units: Units,
        variance: float,
        fitted_basis: FittedBasis | None = None,
        parallel: Parallelism = ALONE,
    ) -> None:
        super().__init__(options, parameters, units, variance, fitted_basis, parallel)
        named = self.parameters.named()
        self.optimizer = Adam(list(named.values()), [self._gain(name) for name in named])
        self.whole_options = options
        self.step = 0
        self.counters = Counters(options)
        self.record = Record(options.device)
        self._sparse_step: SparseStep | None = None
        self._replayed: ReplayedSteps | None = None

    def _gain(self, name: str) -> float:
        """Multiple of the learning rate for one of the parameters.

        Adam moves every number alike. A row of n weights moves a pre-activation by some √n times as
        much as a bias does: without its gain, biases would take far too long to silence atoms on
        centred data. Atoms of r coordinates in place of w move by √(r/w) times as far.
        """
        encoder, decoder = self.parameters.encoder, self.parameters.decoder
        in_basis = math.sqrt(self.options.width / decoder.shape[1])
        gains = {
            "encoder_bias": math.sqrt(self.options.n_read),
            "decoder": in_basis,
            "decoder_bias": in_basis,
            "encoder": math.sqrt(self.options.n_read / encoder.shape[1]),
        }
        return gains.get(name, 1.0)

    def train_on(self, batch: Samples) -> None:
        """Make one step."""
        options = self.options
        if resamples_at(self.step, options):
            self.resample(batch)
        step = self._step if self._replayed is None else self._replayed
        self.optimizer.set_learning_rate(
            options.learning_rate * learning_rate_factor(self.step, options)
        )
        self.record.add(step(batch, l1_at(self.step, options), self.dead_atoms()))
        self.step += 1

    @contextmanager
    def replaying(self, wanted: bool = True) -> Iterator[None]:
        """Within, steps on a GPU are recorded and replayed where that pays."""
        if wanted and self.parallel is ALONE and pays(self.parameters.decoder):
            self._replayed = ReplayedSteps(self._step, self.options.device)
        try:
            yield
        finally:
            self._replayed = None

    def _step(self, batch: Samples, l1: float, dead: Tensor | None) -> Tensor:
        """Learn from a batch; numbers for the record. All is changed in place."""
        options, parameters, parallel = self.options, self.parameters, self.parallel
        if is_faster_without_zeros(self.counters.active_share, parameters.decoder):
            self._sparse_step = self._sparse_step or SparseStep(parameters, options, parallel)
            outcome = self._sparse_step(batch, l1, dead)
        else:
            self._sparse_step = None
            outcome = dense_step(parameters, options, batch, l1, dead, parallel)
        outcome = parallel.combine(parameters, outcome, batch.share)
        looks = self._sparse_step is not None
        clip_gradients(parameters, MAX_GRAD_NORM, parallel, looks=looks)
        self.optimizer.step()
        if self.basis is not None and options.augment:  # all blocks share one bias
            bias = parameters.decoder_bias.detach()
            bias.copy_(self.basis.invariant_part(bias))
        return self._remember(outcome, round(len(batch) / batch.share))

    def next_step_is_sparse(self) -> bool:
        """Whether the next step leaves out zeros, and resamples nothing."""
        is_sparse = is_faster_without_zeros(self.counters.active_share, self.parameters.decoder)
        return is_sparse and not resamples_at(self.step, self.options)

    def dead_atoms(self) -> Tensor | None:
        """Those that AuxK lets explain what is left over; None if no process has any."""
        if self.options.dead_features != "auxk":
            return None
        dead = self.counters.recently_dead(self.step)
        return dead if self.parallel.dead_before(len(dead))[1] > 0 else None

    @torch.no_grad()
    def _remember(self, outcome: StepOutcome, n: int) -> Tensor:
        loss = outcome.loss + self.lost / self.options.width
        squared_error = outcome.squared_error + self.lost
        size = torch.full_like(loss, n)
        n_active = outcome.n_active.float()  # quotients of integers have torch's default dtype
        self.counters.update(outcome.fires, n_active / (n * self.whole_options.n_atoms), n)
        self.threshold.copy_(self.options.rule.follow(self.threshold, outcome.smallest))
        return torch.stack([loss, squared_error, n_active / n, size])

    @torch.no_grad()
    def resample(self, batch: Samples) -> None:
        """Point dead atoms at samples of a batch that are badly reconstructed."""
        batch = self.parallel.whole(batch)
        new = resample(
            self.parameters,
            self.options,
            batch,
            self.reconstruction(batch.inputs),
            self.counters.dead_atoms(),
            self.read_part,
            self.step,
            self.parallel,
        )
        for name, rows in new.rows.items():
            tensor = self.parameters.named()[name]
            tensor[new.atoms] = rows
            for moment in ("exp_avg", "exp_avg_sq"):
                self.optimizer.state[tensor][moment][new.atoms] = 0.0
        self.counters.idle[new.atoms] = 0

    def end_epoch(self) -> None:
        """Read what was recorded of the epoch from the device, and begin the next."""
        (n_dead,) = self.parallel.sum_over_atoms(float((~self.counters.fired).sum()))
        self.record.end_epoch(self.variance, n_dead)
        self.counters.start_epoch()
        self.parallel.align(self.parameters)

    def __getstate__(self) -> dict[str, Any]:
        return {**vars(self), "_sparse_step": None, "_replayed": None}


@torch.no_grad()
def clip_gradients(
    parameters: Parameters, max_norm: float, parallel: Parallelism = ALONE, *, looks: bool
) -> None:
    """Scale gradients so that all of them together have at most a norm.

    With `looks` nothing is multiplied where nothing has to be: that saves two passes over memory,
    but a GPU would have to be waited for.
    """
    total = parallel.gradient_norm(parameters)
    if looks and total <= max_norm:
        return
    factor = (max_norm / (total + 1e-6)).clamp_max(1.0)
    for gradient in gradients_of(parameters):
        gradient.mul_(factor)
