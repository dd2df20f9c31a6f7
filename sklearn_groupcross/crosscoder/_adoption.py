"""Fitted attributes: of the data, of a file, or of a dictionary in training."""

from __future__ import annotations

from typing import Any

import numpy as np

from ..groups import as_group
from ._activations import ACTIVATIONS
from ._attributes import CrosscoderAttributes
from ._in_training import DictionaryInTraining
from ._record import Record

_COLUMNS = ("n_features_in_", "n_channels_", "feature_names_in_")


def adopt(
    crosscoder: CrosscoderAttributes, dictionary: DictionaryInTraining, record: Record, n_steps: int
) -> None:
    """Give an estimator what was learned, in the units of the data."""
    parameters = dictionary.learned()
    crosscoder.components_ = parameters.decoder.cpu().numpy()
    crosscoder.intercept_ = parameters.flat_bias().cpu().numpy()
    crosscoder.encoder_ = parameters.encoder.cpu().numpy()
    crosscoder.encoder_intercept_ = parameters.encoder_bias.cpu().numpy()
    options = dictionary.options
    crosscoder.activation_, crosscoder.k_ = options.activation, options.k
    crosscoder.l1_ = None if ACTIVATIONS[options.activation].uses_k else options.l1
    threshold = options.rule.fitted_threshold(dictionary.threshold, dictionary.parameters)
    crosscoder.threshold_ = threshold
    crosscoder.scale_ = dictionary.units.scale
    crosscoder.n_coordinates_ = dictionary.parameters.decoder.shape[1]
    crosscoder.kept_variance_ = dictionary.fitted_basis.kept if dictionary.fitted_basis else 1.0
    crosscoder.history_ = {name: list(values) for name, values in record.history.items()}
    crosscoder.n_iter_, crosscoder.n_steps_ = record.n_passes, n_steps


def columns_of(crosscoder: CrosscoderAttributes) -> dict[str, Any]:
    """Fitted attributes that the data decide before training."""
    return {name: getattr(crosscoder, name) for name in _COLUMNS if hasattr(crosscoder, name)}


def set_fitted(crosscoder: CrosscoderAttributes, fitted: dict[str, Any]) -> None:
    """Give an estimator fitted attributes, and the group of its parameter if none is among them."""
    crosscoder.group_ = as_group(crosscoder.group)
    for name, value in fitted.items():
        setattr(crosscoder, name, value)
    if "feature_names_in_" in fitted:
        crosscoder.feature_names_in_ = np.asarray(fitted["feature_names_in_"], dtype=object)
