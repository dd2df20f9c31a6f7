"""One dictionary in training: a step, and all that has to be remembered between steps."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import Any

import torch
from torch import Tensor

from ._activations import above
from ._basis import FittedBasis, OrbitBasis
from ._batches import Samples
from ._checkpoint_schema import RunState
from ._feed import Feed
from ._objective import preactivations, price_of, sparse_codes
from ._options import TrainingOptions
from ._parameters import Parameters, Units
from ._revival import LAST_RESAMPLING, N_RESAMPLINGS, resample
from ._rows import Rows
from ._schedule import l1_at, learning_rate_factor
from ._sparse_codes import pays, rebuild
from ._sparse_step import SparseStep
from ._step import StepOutcome, dense_step

# BatchTopK's threshold at inference averages the smallest kept code over about 100 batches.
_THRESHOLD_MEMORY = 0.99
# The number of dead atoms is read this often: reading it in every step would stall a GPU.
_STEPS_BETWEEN_COUNTS = 16
_RECORDED = ("loss", "fvu", "l0")
_RECORDS_AT_FIRST = 256


class Trainer:
    """Parameters, optimiser and counters of a run.

    Parameters
    ----------
    options : TrainingOptions
    parameters : Parameters
        The start, for data in these units.
    units : Units
        How the data are centred and scaled.
    variance : float
        Of the scaled data: mean squared distance of a sample from the mean.
    fitted_basis : FittedBasis, optional
        Coordinates of the targets, in which the decoder is learned, and what is outside of them.

    Attributes
    ----------
    step : int
        Steps made.
    active_share : Tensor, scalar
        Share of codes that were active in the last step.
    idle : Tensor of shape (m,), int64
        Samples since each atom last fired.
    threshold : Tensor, scalar
        BatchTopK: what a code has to exceed at inference; negative before the first step.
    history : dict of str to list of float
    """

    def __init__(
        self,
        options: TrainingOptions,
        parameters: Parameters,
        units: Units,
        variance: float,
        fitted_basis: FittedBasis | None = None,
    ) -> None:
        self.options, self.variance, self.fitted_basis = options, variance, fitted_basis
        self.basis = None if fitted_basis is None else fitted_basis.basis.on(options.device)
        self._lost = 0.0 if fitted_basis is None else fitted_basis.lost
        self.units = units.on(options.device)
        self.parameters = parameters.learnable(options.device)
        self.optimiser = torch.optim.Adam(
            [
                {"params": [tensor], "gain": self._gain(name)}
                for name, tensor in self.parameters.named().items()
            ],
            lr=options.learning_rate,
            fused=True,
        )
        self.step = 0
        expected = 1.0 if options.k is None else options.k / options.n_atoms
        numbers: dict[str, Any] = {"dtype": torch.float32, "device": options.device}
        self.active_share = torch.tensor(expected, **numbers)
        self.idle = torch.zeros(options.n_atoms, dtype=torch.int64, device=options.device)
        self.threshold = torch.tensor(-1.0, **numbers)
        self.history: dict[str, list[float]] = {name: [] for name in (*_RECORDED, "dead")}
        self.history |= {f"step_{name}": [] for name in _RECORDED}
        self._dead: Tensor | None = None
        self._sparse_step: SparseStep | None = None
        # One tensor for all steps: small ones that stay, one a step, would pin what malloc frees
        # below them, and memory would grow with the number of steps.
        self._records = torch.empty(_RECORDS_AT_FIRST, len(_RECORDED) + 1, **numbers)
        self.start_epoch()

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

    def start_epoch(self) -> None:
        """Forget what was recorded of the epoch before."""
        device = self.options.device
        self._n_recorded = 0
        self.fired = torch.zeros(self.options.n_atoms, dtype=torch.bool, device=device)

    def feed(self, rows: Rows) -> Feed:
        """What this trainer reads of rows of orbit stacks."""
        options = self.options
        return Feed(
            rows,
            self.units,
            options.group,
            options.device,
            reads_orbit=options.reads_orbit,
            basis=self.basis,
        )

    def inputs_of(self, columns: Tensor) -> Tensor:
        """What the encoder is given of centred and scaled columns that it reads."""
        if self.basis is None or not self.options.reads_orbit:
            return columns
        return self.basis.compress(columns)

    def read_part(self, targets: Tensor) -> Tensor:
        """What the encoder would read of targets (n, w)."""
        if self.options.reads_orbit:
            return targets
        blocks = targets if self.basis is None else self.basis.expand(targets, slice(1))
        return blocks[:, : self.options.n_channels]

    def dead_atoms(self) -> Tensor:
        """Atoms that have not fired for long, of shape (n_dead,), int64."""
        return (self.idle >= self.options.dead_samples).nonzero()[:, 0]

    def train_on(self, batch: Samples) -> None:
        """Make one step."""
        options, parameters = self.options, self.parameters
        if self._resamples_now():
            resample(self, batch)
        learning_rate = options.learning_rate * learning_rate_factor(self.step, options)
        for group in self.optimiser.param_groups:
            group["lr"] = group["gain"] * learning_rate

        dead = self._recent_dead() if options.dead_features == "auxk" else None
        l1 = l1_at(self.step, options)
        if pays(self.active_share, parameters.decoder):
            self._sparse_step = self._sparse_step or SparseStep(parameters, options)
            outcome = self._sparse_step(batch, l1, dead)
        else:
            self._sparse_step = None
            outcome = dense_step(parameters, options, batch, l1, dead)
        clip_gradients(
            parameters.tensors(), options.max_grad_norm, looks=self._sparse_step is not None
        )
        self.optimiser.step()
        if self.basis is not None and options.augment:  # all blocks share one bias
            bias = parameters.decoder_bias.detach()
            bias.copy_(self.basis.invariant_part(bias))
        self._remember(outcome, len(batch))

    def _remember(self, outcome: StepOutcome, n: int) -> None:
        self.idle = torch.where(outcome.fires, 0, self.idle + n)
        self.fired |= outcome.fires
        loss = outcome.loss + self._lost / self.options.width
        squared_error = outcome.squared_error + self._lost
        size = torch.full_like(loss, n)
        n_active = outcome.n_active.float()  # quotients of integers have torch's default dtype
        self._record(torch.stack([loss, squared_error, n_active / n, size]))
        if self.options.activation == "batch_topk":
            smallest = outcome.smallest
            smallest = torch.where(smallest.isinf(), 0.0, smallest)
            averaged = torch.lerp(smallest, self.threshold, _THRESHOLD_MEMORY)
            self.threshold = torch.where(self.threshold < 0, smallest, averaged)
        self.active_share = n_active / (n * self.options.n_atoms)
        self.step += 1

    def _record(self, numbers: Tensor) -> None:
        """Keep numbers of steps, of shape (4,) or (n, 4), on the device until the epoch ends."""
        numbers = numbers.reshape(-1, self._records.shape[1])
        end = self._n_recorded + len(numbers)
        while end > len(self._records):
            self._records = torch.cat([self._records, torch.empty_like(self._records)])
        self._records[self._n_recorded : end] = numbers
        self._n_recorded = end

    def _recent_dead(self) -> Tensor:
        if self._dead is None or self.step % _STEPS_BETWEEN_COUNTS == 0:
            self._dead = self.dead_atoms()
        return self._dead

    def _resamples_now(self) -> bool:
        n_steps = self.options.n_steps
        if self.options.dead_features != "resample" or n_steps is None or self.step == 0:
            return False
        return (
            self.step % max(1, n_steps // N_RESAMPLINGS) == 0
            and self.step <= LAST_RESAMPLING * n_steps
        )

    def end_epoch(self) -> None:
        """Read the records from the device into `history`."""
        steps = self._records[: self._n_recorded].double().cpu()
        steps[:, 1] /= self.variance if self.variance > 0 else 1.0
        sizes = steps[:, 3]
        for column, name in enumerate(_RECORDED):
            self.history[f"step_{name}"] += steps[:, column].tolist()
            self.history[name].append(float((steps[:, column] * sizes).sum() / sizes.sum()))
        self.history["dead"].append(float((~self.fired).sum()))
        self.start_epoch()

    def inference_threshold(self) -> Tensor | None:
        """What a code has to exceed outside of training; None where TopK decides."""
        if self.options.activation == "topk":
            return None
        if self.options.activation == "batch_topk":
            return self.threshold.clamp_min(0.0)
        if self.parameters.log_threshold is not None:
            return self.parameters.log_threshold.detach().exp()
        return torch.zeros((), dtype=torch.float32, device=self.options.device)

    @torch.no_grad()
    def reconstruction(self, inputs: Tensor) -> Tensor:
        """Reconstruction of targets from inputs, as after training, of shape (n, w)."""
        return rebuild(self._codes(inputs), self.parameters, self.options.matmul_dtype)

    @torch.no_grad()
    def evaluate(self, batch: Samples) -> tuple[float, float]:
        """Mean squared error of samples, and the price of their codes in full.

        Returns
        -------
        squared_error : float
            Of a sample.
        price : float
            At the `l1` to which the warm-up leads, in units of the loss.
        """
        options = self.options
        codes = self._codes(batch.inputs)
        active = (codes > 0).to(codes.dtype)
        price = price_of(codes, active, self.parameters, options, options.l1)
        squared_error = float(
            (batch.targets - rebuild(codes, self.parameters, self.options.matmul_dtype))
            .square()
            .sum()
        ) / len(batch)
        squared_error += self._lost
        return squared_error, 0.0 if price is None else float(price)

    def _codes(self, inputs: Tensor) -> Tensor:
        values = preactivations(inputs, self.parameters)
        threshold = self.inference_threshold()
        if threshold is None:
            return sparse_codes(values, self.parameters, self.options)[0]
        return above(values, threshold)

    def state(self) -> tuple[dict[str, Tensor], dict[str, Any]]:
        """Everything that a step depends on: tensors, and values that JSON can hold exactly."""
        tensors = {"idle": self.idle, "fired": self.fired, "threshold": self.threshold}
        tensors["active_share"] = self.active_share
        tensors["centre"] = self.units.centre
        share = {}
        if self.fitted_basis is not None:
            axes = self.fitted_basis.basis.axes
            tensors |= {f"basis.{number}": each for number, each in enumerate(axes)}
            share = {"kept": self.fitted_basis.kept, "lost": self.fitted_basis.lost}
        if self._n_recorded:
            tensors["records"] = self._records[: self._n_recorded].clone()
        if self._dead is not None:
            tensors["dead"] = self._dead
        for name, tensor in self.parameters.named().items():
            tensors[name] = tensor.detach()
            for moment, value in self.optimiser.state.get(tensor, {}).items():
                tensors[f"{name}.{moment}"] = value
        numbers = {
            "step": self.step,
            "scale": self.units.scale,
            "variance": self.variance,
            **share,
        }
        return tensors, {**numbers, "options": self.options.to_json(), "history": self.history}

    def on(self, device: torch.device) -> Trainer:
        """Return the trainer itself, or its copy on another device."""
        if device == self.options.device:
            return self
        return Trainer.from_state(replace(self.options, device=device), *self.state())

    @classmethod
    def from_checkpoint(cls, state: RunState) -> Trainer:
        """Take up a run on the CPU, to look at what it has learned."""
        device = torch.device("cpu")
        options = TrainingOptions(group=state.group, device=device, **state.values["options"])
        return cls.from_state(options, state.tensors(), state.values)

    @classmethod
    def from_state(
        cls, options: TrainingOptions, tensors: dict[str, Tensor], values: dict[str, Any]
    ) -> Trainer:
        """Take up a run where `state` was asked for."""
        names = [name for name in Parameters.__dataclass_fields__ if name in tensors]
        start = Parameters(**{name: tensors[name] for name in names})
        units = Units(tensors["centre"], values["scale"])
        fitted_basis = None
        if options.compression is not None:
            numbers = range(len(options.group.irreps))
            basis = OrbitBasis.of(options.group, tuple(tensors[f"basis.{n}"] for n in numbers))
            fitted_basis = FittedBasis(basis, values["kept"], values["lost"])
        trainer = cls(options, start, units, values["variance"], fitted_basis)
        trainer.step = values["step"]
        trainer.history = values["history"]
        moved = {name: tensor.to(options.device) for name, tensor in tensors.items()}
        trainer.idle, trainer.fired = moved["idle"].clone(), moved["fired"].clone()
        trainer.threshold = moved["threshold"].clone()
        trainer.active_share = moved["active_share"].clone()
        if "records" in moved:
            trainer._record(moved["records"])
        trainer._dead = moved["dead"].clone() if "dead" in moved else None
        for name, parameter in trainer.parameters.named().items():
            moments = {
                key.removeprefix(f"{name}."): value.clone()
                for key, value in moved.items()
                if key.startswith(f"{name}.")
            }
            if moments:
                trainer.optimiser.state[parameter] = moments
        return trainer

    def __getstate__(self) -> dict[str, Any]:
        return {**vars(self), "_sparse_step": None}


@torch.no_grad()
def clip_gradients(parameters: list[Tensor], max_norm: float, *, looks: bool) -> None:
    """Scale gradients so that all of them together have at most a norm.

    With `looks` nothing is multiplied where nothing has to be: that saves two passes over memory,
    but a GPU would have to be waited for.
    """
    gradients = [tensor.grad for tensor in parameters if tensor.grad is not None]
    total = torch.stack([gradient.norm() for gradient in gradients]).norm()
    if looks and total <= max_norm:
        return
    factor = (max_norm / (total + 1e-6)).clamp_max(1.0)
    for gradient in gradients:
        gradient.mul_(factor)
