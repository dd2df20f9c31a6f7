"""Whether a crosscoder can read a network's activations as a forward pass computes them."""

from __future__ import annotations

from typing import Any

from sklearn.pipeline import Pipeline
from sklearn.utils.validation import check_is_fitted

from ._estimator import GroupCrosscoder


def check_reads_activations(crosscoder: Any, name: str = "crosscoder") -> None:
    """Check for a fitted crosscoder that reads a network's activations as they are.

    Parameters
    ----------
    crosscoder : object
        What is to be checked.
    name : str, default="crosscoder"
        What messages call it.

    Raises
    ------
    TypeError
        If it is something else, a pipeline above all.
    ValueError
        If it reads whole orbits.
    NotFittedError
    """
    if isinstance(crosscoder, Pipeline):
        raise TypeError(
            f"{name!r} is a Pipeline; activations of the network come as they are, without its "
            "other steps. Fit a GroupCrosscoder on orbits that no step has transformed: it scales "
            "them itself. (If no other step changes them, pass pipeline[-1].)"
        )
    if not isinstance(crosscoder, GroupCrosscoder):
        raise TypeError(f"{name!r} must be a GroupCrosscoder; got a {type(crosscoder).__name__}.")
    check_is_fitted(crosscoder)
    if crosscoder.encoder_.shape[1] != crosscoder.n_channels_:
        raise ValueError(
            f"{name!r} has encoder_input='orbit': it reads whole orbits, of which a forward pass "
            "computes one block only. Fit with encoder_input='identity'."
        )
