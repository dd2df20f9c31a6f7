"""What an estimator has, as everything here that reads or sets it knows it."""

from __future__ import annotations

import os

import numpy as np
import torch
from numpy.typing import ArrayLike, NDArray
from sklearn.base import BaseEstimator

from ..groups import FiniteGroup


class CrosscoderAttributes(BaseEstimator):
    """Parameters and fitted attributes of `GroupCrosscoder`, which says what they mean.

    What needs some of them, to resolve options, say, takes this, and knows nothing of `fit`.
    """

    group: FiniteGroup | str | None
    n_features: int | None
    l1: float
    activation: str
    k: int | None
    encoder_input: str
    augment: bool
    compression: float | str | None
    dict_init: ArrayLike | None
    warm_start: bool
    learning_rate: float
    warm_up: float
    decay: float
    dead_features: str | None
    batch_size: int
    max_epochs: int
    early_stopping: bool
    validation_fraction: float
    n_iter_no_change: int
    tol: float
    device: str | torch.device
    parallel: str | None
    precision: str
    random_state: int | np.random.RandomState | None
    checkpoint_dir: str | os.PathLike[str] | None
    sparse_output: bool
    verbose: int

    components_: NDArray[np.floating]
    intercept_: NDArray[np.floating]
    encoder_: NDArray[np.floating]
    encoder_intercept_: NDArray[np.floating]
    activation_: str
    threshold_: NDArray[np.floating] | float | None
    group_: FiniteGroup
    n_channels_: int
    k_: int | None
    l1_: float | None
    scale_: float
    n_coordinates_: int
    kept_variance_: float
    history_: dict[str, list[float]]
    n_iter_: int
    n_steps_: int
    n_features_in_: int
    feature_names_in_: NDArray[np.object_]
