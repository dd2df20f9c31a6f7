"""One dictionary in training: a step, and all that has to be remembered between steps."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import torch
from torch import Tensor

from . import _sparse_products as sparse_products
from ._activations import above, reach_of_jumprelu
from ._objective import add_bias, preactivations, price_of, reconstruct, sparse_codes
from ._options import TrainingOptions
from ._parameters import Parameters, Units
from ._revival import LAST_RESAMPLING, N_RESAMPLINGS, auxk_loss, resample
from ._schedule import l1_at, learning_rate_factor

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

    Attributes
    ----------
    step : int
        Steps made.
    idle : Tensor of shape (m,), int64
        Samples since each atom last fired.
    threshold : Tensor, scalar
        BatchTopK: what a code has to exceed at inference; negative before the first step.
    history : dict of str to list of float
    """

    def __init__(
        self, options: TrainingOptions, parameters: Parameters, units: Units, variance: float
    ) -> None:
        self.options, self.variance = options, variance
        self.units = units.on(options.device)
        self.parameters = parameters.learnable(options.device)
        bias = self.parameters.encoder_bias
        weights = [tensor for tensor in self.parameters.tensors() if tensor is not bias]
        # Adam moves every number alike, and a row of n weights moves a pre-activation by some √n
        # times as much as a bias does: without this, biases would take far too long to silence
        # atoms on centred data.
        gain = self.parameters.encoder.shape[1] ** 0.5
        self.optimiser = torch.optim.Adam(
            [{"params": weights, "gain": 1.0}, {"params": [bias], "gain": gain}],
            lr=options.learning_rate,
            fused=True,
        )
        self.step = 0
        self.idle = torch.zeros(options.n_atoms, dtype=torch.int64, device=options.device)
        self.threshold = torch.tensor(-1.0, device=options.device)
        self.history: dict[str, list[float]] = {name: [] for name in (*_RECORDED, "dead")}
        self.history |= {f"step_{name}": [] for name in _RECORDED}
        self._dead: Tensor | None = None
        self._gradient_memory: Tensor | None = None
        # One tensor for all steps: small ones that stay, one a step, would pin what malloc frees
        # below them, and memory would grow with the number of steps.
        self._records = torch.empty(_RECORDS_AT_FIRST, len(_RECORDED) + 1, device=options.device)
        self.start_epoch()

    def start_epoch(self) -> None:
        """Forget what was recorded of the epoch before."""
        device = self.options.device
        self._n_recorded = 0
        self.fired = torch.zeros(self.options.n_atoms, dtype=torch.bool, device=device)

    def dead_atoms(self) -> Tensor:
        """Atoms that have not fired for long, of shape (n_dead,), int64."""
        return (self.idle >= self.options.dead_samples).nonzero()[:, 0]

    def train_on(self, batch: Tensor) -> None:
        """Make one step on centred and scaled orbits of shape (n, |G| d)."""
        options, parameters = self.options, self.parameters
        if self._resamples_now():
            resample(self, batch)
        learning_rate = options.learning_rate * learning_rate_factor(self.step, options)
        for group in self.optimiser.param_groups:
            group["lr"] = group["gain"] * learning_rate

        inputs = batch[:, : parameters.encoder.shape[1]]
        values = sparse_products.linear(inputs, parameters.encoder, parameters.encoder_bias)
        l1 = l1_at(self.step, options)
        codes, active = sparse_codes(values, parameters, options)
        rebuilt, norms = self._decode(codes, values)
        price = price_of(codes, active, parameters, options, l1, norms)
        error = batch - rebuilt
        squared_error = error.square().sum() / len(batch)
        loss = squared_error / options.width
        if price is not None:
            loss = loss + price
        if options.dead_features == "auxk":
            dead = self._recent_dead()
            if len(dead):
                loss = loss + auxk_loss(values, error, dead, parameters, options)
        self.optimiser.zero_grad(set_to_none=True)
        loss.backward()
        torch.nn.utils.clip_grad_norm_(parameters.tensors(), options.max_grad_norm)
        self.optimiser.step()
        self._remember(loss.detach(), squared_error.detach(), codes.detach())

    def _remember(self, loss: Tensor, squared_error: Tensor, codes: Tensor) -> None:
        active = codes > 0
        fires = active.any(0)
        self.idle = torch.where(fires, 0, self.idle + len(codes))
        self.fired |= fires
        l0 = active.sum() / len(codes)
        size = torch.full_like(loss, len(codes))
        self._record(torch.stack([loss, squared_error, l0, size]))
        if self.options.activation == "batch_topk":
            smallest = torch.where(active, codes, torch.inf).amin()
            smallest = torch.where(smallest.isinf(), 0.0, smallest)
            averaged = torch.lerp(smallest, self.threshold, _THRESHOLD_MEMORY)
            self.threshold = torch.where(self.threshold < 0, smallest, averaged)
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
        return torch.zeros((), device=self.options.device)

    @torch.no_grad()
    def reconstruction(self, batch: Tensor) -> Tensor:
        """Reconstruction of centred and scaled orbits as after training, of shape (n, |G| d)."""
        return self._rebuild(self._codes(batch))

    @torch.no_grad()
    def evaluate(self, batch: Tensor) -> tuple[float, float]:
        """Mean squared error of centred and scaled orbits, and the price of their codes in full.

        Returns
        -------
        squared_error : float
            Of a sample.
        price : float
            At the `l1` to which the warm-up leads, in units of the loss.
        """
        options = self.options
        codes = self._codes(batch)
        active = (codes > 0).to(codes.dtype)
        price = price_of(codes, active, self.parameters, options, options.l1)
        squared_error = float((batch - self._rebuild(codes)).square().sum()) / len(batch)
        return squared_error, 0.0 if price is None else float(price)

    def _decode(self, codes: Tensor, values: Tensor) -> tuple[Tensor, Tensor | None]:
        """Reconstruction of codes made of pre-activations `values`, and the atoms' norms if known.

        The gradient of the atoms is half of what a step moves through memory, and codes are sparse
        but for the first steps with L1: on the CPU it is made of the active codes alone.
        """
        options, parameters = self.options, self.parameters
        reach = None
        if parameters.log_threshold is not None:
            reach = reach_of_jumprelu(values.detach(), parameters.log_threshold.detach().exp())
        if not sparse_products.is_worth_it(codes if reach is None else reach):
            return self._rebuild(codes), None
        if self._gradient_memory is None:
            self._gradient_memory = torch.empty_like(parameters.decoder)
        product, norms = sparse_products.decode(
            codes,
            parameters.decoder,
            reach,
            self._gradient_memory,
            with_norms=options.activation == "relu" and options.l1_weight == "joint",
        )
        return add_bias(product, parameters, options.group.order), norms

    def _rebuild(self, codes: Tensor) -> Tensor:
        options = self.options
        return reconstruct(codes, self.parameters, options.group.order, options.matmul_dtype)

    def _codes(self, batch: Tensor) -> Tensor:
        values = preactivations(batch[:, : self.parameters.encoder.shape[1]], self.parameters)
        threshold = self.inference_threshold()
        if threshold is None:
            return sparse_codes(values, self.parameters, self.options)[0]
        return above(values, threshold)

    def state(self) -> tuple[dict[str, Tensor], dict[str, Any]]:
        """Everything that a step depends on: tensors, and values that JSON can hold exactly."""
        tensors = {"idle": self.idle, "fired": self.fired, "threshold": self.threshold}
        tensors["centre"] = self.units.centre
        if self._n_recorded:
            tensors["records"] = self._records[: self._n_recorded].clone()
        if self._dead is not None:
            tensors["dead"] = self._dead
        for name, tensor in self.parameters.named().items():
            tensors[name] = tensor.detach()
            for moment, value in self.optimiser.state.get(tensor, {}).items():
                tensors[f"{name}.{moment}"] = value
        numbers = {"step": self.step, "scale": self.units.scale, "variance": self.variance}
        return tensors, {**numbers, "options": self.options.to_json(), "history": self.history}

    def on(self, device: torch.device) -> Trainer:
        """Return the trainer itself, or its copy on another device."""
        if device == self.options.device:
            return self
        return Trainer.from_state(replace(self.options, device=device), *self.state())

    @classmethod
    def from_state(
        cls, options: TrainingOptions, tensors: dict[str, Tensor], values: dict[str, Any]
    ) -> Trainer:
        """Take up a run where `state` was asked for."""
        names = [name for name in Parameters.__dataclass_fields__ if name in tensors]
        start = Parameters(**{name: tensors[name] for name in names})
        units = Units(tensors["centre"], values["scale"])
        trainer = cls(options, start, units, values["variance"])
        trainer.step = values["step"]
        trainer.history = values["history"]
        moved = {name: tensor.to(options.device) for name, tensor in tensors.items()}
        trainer.idle, trainer.fired = moved["idle"].clone(), moved["fired"].clone()
        trainer.threshold = moved["threshold"].clone()
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
