"""A dictionary at any moment of its training: what it reads, its codes, and how well it does."""

from __future__ import annotations

from typing import Any, TypeVar

import torch
from torch import Tensor

from .._stacks._rows import Rows
from ._active._sparse_codes import rebuild
from ._basis import FittedBasis, OrbitBasis
from ._batches import Samples
from ._feed import Feed
from ._options import TrainingOptions
from ._parallelism import ALONE, Parallelism
from ._parameters import Parameters, Units

_DictionaryT = TypeVar("_DictionaryT", bound="DictionaryInTraining")


class DictionaryInTraining:
    """Weights, and the units and coordinates of what they read and reconstruct.

    Parameters
    ----------
    options : TrainingOptions
    parameters : Parameters
        The start, for data in these units; they are copied.
    units : Units
        How the data are centred and scaled.
    variance : float
        Of the scaled data: mean squared distance of a sample from the mean.
    fitted_basis : FittedBasis, optional
        Coordinates of the targets, in which the decoder is learned, and what is outside of them.
    parallel : Parallelism, optional
        Who has other samples, or other atoms: options and parameters are for those of this process.

    Attributes
    ----------
    basis : OrbitBasis or None
        That of `fitted_basis`, on the device.
    lost : float
        Squared error of a sample that no weights change: what is outside of the basis.
    threshold : Tensor, scalar
        Of which that at inference is made; negative before the first step.
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
        self.parallel = parallel
        self.options, self.variance, self.fitted_basis = options, variance, fitted_basis
        self.basis = None if fitted_basis is None else fitted_basis.basis.on(options.device)
        self.lost = 0.0 if fitted_basis is None else fitted_basis.lost
        self.units = units.on(options.device)
        self.parameters = parameters.learnable(options.device)
        self.threshold = torch.tensor(-1.0, dtype=torch.float32, device=options.device)

    def feed(self, rows: Rows) -> Feed:
        """What this dictionary reads of rows of orbit stacks."""
        options = self.options
        return Feed(
            rows,
            self.units,
            options.group,
            options.device,
            reads_orbit=options.reads_orbit,
            basis=self.basis,
            parallel=self.parallel,
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

    @torch.no_grad()
    def reconstruction(self, inputs: Tensor) -> Tensor:
        """Reconstruction of targets from inputs, as after training, of shape (n, w)."""
        return self._rebuilt(self._codes(inputs))

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
        price = options.rule.price(codes, None, self.parameters, options.l1)
        error = batch.targets - self._rebuilt(codes)
        squared_error = float(error.square().sum()) / len(batch) + self.lost
        (whole_price,) = self.parallel.sum_over_atoms(0.0 if price is None else float(price))
        return squared_error, whole_price

    def _codes(self, inputs: Tensor) -> Tensor:
        rule, parameters = self.options.rule, self.parameters
        codes = rule.infer(inputs, parameters, rule.threshold(self.threshold, parameters))
        return self.parallel.kept(codes, self.options)

    def _rebuilt(self, codes: Tensor) -> Tensor:
        own = rebuild(codes, self.parameters, self.options.matmul_dtype)
        if not self.parallel.splits_atoms:
            return own
        bias = self.parameters.flat_bias().detach()
        return self.parallel.total(own - bias) + bias

    def learned(self) -> Parameters:
        """Weights for the data as they came, in new arrays: training may go on."""
        weights = self.parameters.detached()
        if self.basis is not None:
            weights = weights.expanded(self.basis, reads_orbit=self.options.reads_orbit)
        return self.units.fold(weights, self.options.group.order)

    def state(self) -> tuple[dict[str, Tensor], dict[str, Any]]:
        """Tensors and values, which JSON can hold exactly, of which `from_state` makes another."""
        tensors = {"threshold": self.threshold, "center": self.units.center}
        values = {"scale": self.units.scale, "variance": self.variance}
        if self.fitted_basis is not None:
            axes = self.fitted_basis.basis.axes
            tensors |= {f"basis.{number}": each for number, each in enumerate(axes)}
            values |= {"kept": self.fitted_basis.kept, "lost": self.fitted_basis.lost}
        tensors |= self.parameters.detached().named()
        return tensors, {**values, "options": self.options.to_json()}

    @classmethod
    def from_state(
        cls: type[_DictionaryT],
        options: TrainingOptions,
        tensors: dict[str, Tensor],
        values: dict[str, Any],
        parallel: Parallelism = ALONE,
    ) -> _DictionaryT:
        """Make a dictionary of what `state` gave, on the device of the options."""
        names = [name for name in Parameters.__dataclass_fields__ if name in tensors]
        start = Parameters(**{name: tensors[name] for name in names})
        units = Units(tensors["center"], values["scale"])
        fitted_basis = None
        if options.compression is not None:
            numbers = range(len(options.group.irreps))
            basis = OrbitBasis.of(options.group, tuple(tensors[f"basis.{n}"] for n in numbers))
            fitted_basis = FittedBasis(basis, values["kept"], values["lost"])
        dictionary = cls(options, start, units, values["variance"], fitted_basis, parallel)
        dictionary.threshold = tensors["threshold"].to(options.device, copy=True)
        return dictionary
