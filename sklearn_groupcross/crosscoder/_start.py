"""A trainer at the start of a run: its units, its coordinates and its weights."""

from __future__ import annotations

from dataclasses import replace
from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import ArrayLike

from .._plain import as_numpy, as_tensor
from .._stacks._rows import Rows
from .._stacks._validation import flatten_orbits
from ._basis import FittedBasis
from ._feed import basis_of
from ._initial import initialize
from ._options import TrainingOptions
from ._parameters import Parameters, Units
from ._summary import FAR, DataSummary
from ._trainer import Trainer


def start(
    options: TrainingOptions,
    rows: Rows,
    summary: DataSummary,
    *,
    dict_init: ArrayLike | None = None,
    weights: Parameters | None = None,
) -> Trainer:
    """Make a trainer at the start of a run, or at weights that are learned already.

    Parameters
    ----------
    options : TrainingOptions
    rows : Rows
        Data, of which the coordinates are made with `compression`.
    summary : DataSummary
        Of the data.
    dict_init : array-like of shape (m, |G| d) or (m, |G|, d), optional
        Directions of the atoms at the start. Default: random.
    weights : Parameters, optional
        Weights to go on from, in the units of the data.

    Raises
    ------
    ValueError
        If `dict_init` holds no such directions.
    """
    units, variance = units_of(options, rows, summary)
    order = options.group.order
    learned = None if weights is None else units.unfold(weights, order)
    fitted = None
    if options.compression is not None:
        fitted = basis_of(rows, units, options, None if learned is None else learned.decoder)
    basis = None if fitted is None else fitted.basis
    parameters = initialize(options, _directions(dict_init, options), basis)
    if learned is not None:
        threshold = parameters.log_threshold
        parameters = learned
        if options.augment:  # one bias for all blocks
            bias = parameters.decoder_bias.mean(0, keepdim=True)
            parameters = replace(parameters, decoder_bias=bias)
        if basis is not None:
            parameters = parameters.compressed(basis, reads_orbit=options.reads_orbit)
        if parameters.log_threshold is None:
            parameters = replace(parameters, log_threshold=threshold)
    return Trainer(options, parameters, units, variance, fitted)


class Ground(NamedTuple):
    """What dictionaries of one run have in common before they have weights.

    Attributes
    ----------
    options : TrainingOptions
    units : Units
    variance : float
    fitted_basis : FittedBasis or None
    """

    options: TrainingOptions
    units: Units
    variance: float
    fitted_basis: FittedBasis | None


def ground_of(options: TrainingOptions, rows: Rows, summary: DataSummary) -> Ground:
    """Find units and coordinates of a run at a random start."""
    units, variance = units_of(options, rows, summary)
    fitted = None if options.compression is None else basis_of(rows, units, options, None)
    return Ground(options, units, variance, fitted)


def start_on(ground: Ground, seed: int) -> Trainer:
    """Make a trainer at a random start, as `start` does for options with that seed."""
    options, fitted = replace(ground.options, seed=seed), ground.fitted_basis
    parameters = initialize(options, basis=None if fitted is None else fitted.basis)
    return Trainer(options, parameters, ground.units, ground.variance, fitted)


def units_of(options: TrainingOptions, rows: Rows, summary: DataSummary) -> tuple[Units, float]:
    """How the data are centred and scaled, and their variance then."""
    # samples of float64 that are all equal may lie at any distance from zero
    is_far = summary.distance > FAR or (summary.variance == 0 and rows.dtype == np.float64)
    center = as_tensor(summary.mean, torch.float64 if is_far else torch.float32)
    center = center.reshape(options.group.order, -1)
    if options.augment:
        center = center.mean(0, keepdim=True)
    # the root mean square norm of a centred block becomes √d
    scale = (options.width / summary.variance) ** 0.5 if summary.variance > 0 else 1.0
    return Units(center, scale), summary.variance * scale**2


def _directions(dict_init: ArrayLike | None, options: TrainingOptions) -> torch.Tensor | None:
    if dict_init is None:
        return None
    stacks = np.asarray(as_numpy(dict_init, "dict_init"))
    dictionary = np.asarray(flatten_orbits(stacks, options.group))
    shape = (options.n_atoms, options.width)
    if dictionary.shape != shape or not np.isfinite(dictionary).all():
        raise ValueError(
            f"dict_init must be finite and of shape {shape}, one atom a row; got shape "
            f"{dictionary.shape}."
        )
    if (np.abs(dictionary).max(axis=1) == 0).any():
        raise ValueError("dict_init has atoms that are zero: they have no direction to start.")
    # sums in the same order, however the rows lie in memory
    return as_tensor(dictionary, torch.float32).contiguous()
