"""What the rest of the package asks an activation."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

from ..._parallel import Run
from .._active._rough_encoders import RoughEncoder
from .._active._sparse_codes import SparseCodes
from .._parameters import Parameters

#: Thresholds as a fitted model has them: one number, one an atom, or none.
FittedThreshold = NDArray[np.floating] | float | None


@dataclass(frozen=True)
class ActiveCodes:
    """Codes that have a gradient.

    Attributes
    ----------
    codes : SparseCodes
        Those that are not active are zero.
    preactivations : ndarray of shape (nnz,)
        Of each of them.
    """

    codes: SparseCodes
    preactivations: NDArray[np.floating]


@dataclass(frozen=True)
class Price:
    """What codes cost in the loss.

    Attributes
    ----------
    value : float
        The mean over samples.
    grad_codes : Tensor of shape (m,), optional
        Gradient by every code of an atom.
    shrinkage : Tensor of shape (m,), optional
        The gradient by an atom is the atom, so many times.
    """

    value: float = 0.0
    grad_codes: Tensor | None = None
    shrinkage: Tensor | None = None


class Calibration(ABC):
    """Finds a threshold from the pre-activations of all samples."""

    @abstractmethod
    def add(self, values: Tensor) -> None:
        """Take account of pre-activations (n, m) of some samples."""

    @abstractmethod
    def threshold(self) -> Tensor:
        """Threshold, a scalar, for all that were added."""


class Activation(ABC):
    """An activation, for dictionaries of one size.

    Parameters
    ----------
    n_atoms : int
    width : int
        Columns of an orbit stack.
    k : int or None
        Active codes of a sample, for those that use it.
    """

    #: Whether the estimator's `k`, and its `l1`, have an effect.
    uses_k: ClassVar[bool] = False
    uses_l1: ClassVar[bool] = False
    #: How dead atoms are brought back if nothing else is said.
    revival: ClassVar[str] = "resample"
    #: Names of parameters, one number an atom, that no other activation learns.
    own_parameters: ClassVar[tuple[str, ...]] = ()
    #: Norm of atoms at the start.
    atom_norm: ClassVar[float] = 1.0
    #: Axes of the threshold of a fitted model; None where there is none.
    threshold_ndim: ClassVar[int | None] = 0

    def __init__(self, n_atoms: int, width: int, k: int | None = None) -> None:
        self.n_atoms, self.width = n_atoms, width
        if (k is not None) != self.uses_k:
            raise ValueError(f"{type(self).__name__} with k={k}.")

    # --- training ------------------------------------------------------------------------------

    @abstractmethod
    def codes(self, values: Tensor, parameters: Parameters) -> tuple[Tensor, Tensor | None]:
        """Codes of pre-activations (n, m) while training.

        Returns
        -------
        codes : Tensor of shape (n, m)
        gates : Tensor of shape (n, m) or None
            1 where a code is active, if the price counts them.
        """

    def price(
        self, codes: Tensor, gates: Tensor | None, parameters: Parameters, l1: float
    ) -> Tensor | None:
        """Price of codes in the loss, the mean over samples; None if there is none."""
        return None

    @property
    def expected_share(self) -> float:
        """Share of codes that are expected to be active before the first step."""
        return 1.0

    def first_log_threshold(self, l1: float) -> Tensor | None:
        """Logarithms of thresholds at the start, of shape (m,), if they are learned."""
        return None

    def follow(self, running: Tensor, smallest: Tensor) -> Tensor:
        """Threshold after a step, of the one before and of the smallest active code."""
        return running

    def with_l1(self, parameters: Parameters, l1: float, former: float) -> Parameters:
        """Weights to start from with a penalty, of those learned with another."""
        return parameters

    # --- dead atoms ----------------------------------------------------------------------------

    def worth(self, squared_error: Tensor, l1: float) -> Tensor:
        """Squared errors of samples (n,), zero where an atom of its own costs more than it gains.

        `l1` is that of the step.
        """
        return squared_error

    def resampled(self, own: Tensor) -> dict[str, Tensor]:
        """Further parameters of new atoms, of what they make of their own samples (n_new,)."""
        return {}

    # --- inference -----------------------------------------------------------------------------

    def threshold(self, running: Tensor, parameters: Parameters) -> Tensor:
        """What a code has to exceed outside of training, of shape () or (m,)."""
        return running.new_zeros(())

    def calibration(self, running: Tensor) -> Calibration | None:
        """What finds the threshold at the end of training; None where it is the running one."""
        return None

    def infer(
        self,
        inputs: Tensor,
        parameters: Parameters,
        threshold: Tensor,
        rough: RoughEncoder | None = None,
        out: Tensor | None = None,
    ) -> Tensor:
        """Codes (n, m) outside of training.

        Parameters
        ----------
        inputs : Tensor of shape (n, d)
            What the encoder reads.
        parameters : Parameters
        threshold : Tensor
            That of `threshold`.
        rough : RoughEncoder, optional
            That of `rough_encoder`, refreshed.
        out : Tensor of shape (n, m), optional
            Zeros that take the codes.
        """
        values = parameters.preactivations(inputs, out)
        return values.masked_fill_(values <= threshold, 0.0)

    def fitted_threshold(self, running: Tensor, parameters: Parameters) -> FittedThreshold:
        """`threshold` as a fitted model has it."""
        return float(self.threshold(running, parameters))

    @classmethod
    def threshold_array(cls, fitted: FittedThreshold) -> NDArray[np.floating]:
        """`threshold`, of what a fitted model has."""
        return np.array(fitted)

    @classmethod
    def learned_log_threshold(cls, fitted: FittedThreshold) -> Tensor | None:
        """What training goes on from, of what a fitted model has; None if nothing is learned."""
        return None

    @classmethod
    def fits(cls, k: int | None, threshold: FittedThreshold) -> bool:
        """Whether a model with these was fitted with this activation, or could have been."""
        ndim = None if threshold is None else np.ndim(threshold)
        return (k is not None) == cls.uses_k and ndim == cls.threshold_ndim

    # --- the active codes alone ----------------------------------------------------------------

    def rough_encoder(self, parameters: Parameters) -> RoughEncoder | None:
        """Rough weights, if they make finding the active codes faster."""
        return None

    @abstractmethod
    def active_codes(
        self, inputs: Tensor, parameters: Parameters, rough: RoughEncoder | None, run: Run
    ) -> ActiveCodes:
        """Codes of inputs (n, d) while training, on the CPU."""

    def sparse_price(self, codes: SparseCodes, parameters: Parameters, l1: float) -> Price:
        """`price`, with its gradients."""
        return Price()

    def grad_values(
        self, active: ActiveCodes, grad_codes: NDArray[np.floating]
    ) -> NDArray[np.floating]:
        """Gradients by pre-activations (nnz,), of those by codes."""
        return grad_codes * (active.codes.data > 0)

    def further_gradients(
        self,
        active: ActiveCodes,
        grad_codes: NDArray[np.floating],
        parameters: Parameters,
        l1: float,
    ) -> dict[str, Tensor]:
        """What parameters get beside the gradients through pre-activations and reconstruction."""
        return {}
