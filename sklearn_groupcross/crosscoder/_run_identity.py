"""What tells one run from another, and so which checkpoint is a run's own."""

from __future__ import annotations

import hashlib
import json
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from .._plain import as_numpy
from ._adoption import columns_of
from ._attributes import CrosscoderAttributes
from ._checkpoint import Checkpoint
from ._persistence import identity_of_parameters, parameters_to_json, value_to_json
from ._summary import DataSummary


def fingerprint(array: ArrayLike) -> str:
    """Digest of an array's values, type and shape."""
    values = np.asarray(array)
    if values.dtype == object:  # its bytes would be addresses
        values = values.astype(str)
    digest = hashlib.blake2b(f"{values.dtype.str} {values.shape} ".encode())
    digest.update(values.tobytes())
    return digest.hexdigest()


def identity_of_seed(random_state: int | np.random.RandomState | None) -> int | str | None:
    """What of `random_state` tells one run from another: the seed, or the digest of a state.

    None stays None: a run without a seed goes on with any that was stopped.
    """
    if not isinstance(random_state, np.random.RandomState):
        return None if random_state is None else int(random_state)
    # not as the old tuple: only Mersenne twisters have it
    state = json.dumps(
        random_state.get_state(legacy=False), sort_keys=True, default=np.ndarray.tolist
    )
    return hashlib.blake2b(state.encode()).hexdigest()


def open_checkpoint(
    crosscoder: CrosscoderAttributes, summary: DataSummary, groups: ArrayLike | None, *, keep: bool
) -> Checkpoint | None:
    """Open the checkpoint of a run of an estimator on some data; None if none is asked for.

    Parameters
    ----------
    crosscoder : GroupCrosscoder
        Its parameters, the columns of the data and, with `warm_start`, its weights are looked at.
    summary : DataSummary
        Of the data, with their digest.
    groups : array-like or None
        Labels by which early stopping splits.
    keep : bool
        See `Checkpoint`.

    Raises
    ------
    OSError
        If `checkpoint_dir` cannot be made or written to.
    """
    if crosscoder.checkpoint_dir is None:
        return None
    given = crosscoder.get_params(deep=False)
    if crosscoder.group_.is_named:  # by the data, which whoever loads the checkpoint may not have
        given["group"] = crosscoder.group_
    parameters = parameters_to_json(given)
    configuration = identity_of_parameters(parameters)
    configuration["random_state"] = identity_of_seed(crosscoder.random_state)
    configuration["data"] = summary.digest
    configuration["columns"] = crosscoder.n_features_in_
    dictionary = as_numpy(crosscoder.dict_init, "dict_init")
    for name, array in (("groups", groups), ("dict_init", dictionary)):
        configuration[name] = None if array is None else fingerprint(array)
    if crosscoder.warm_start and hasattr(crosscoder, "components_"):
        names = ("components_", "intercept_", "encoder_", "encoder_intercept_", "threshold_")
        configuration["warm_start"] = [
            fingerprint(np.asarray(getattr(crosscoder, name))) for name in names
        ]
    model: dict[str, Any] = {
        "parameters": parameters,
        "fitted": {n: value_to_json(v) for n, v in columns_of(crosscoder).items()},
    }
    return Checkpoint(crosscoder.checkpoint_dir, configuration, model, keep=keep)
