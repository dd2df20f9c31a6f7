"""What an estimator must be for several dictionaries to be trained in the same passes."""

from __future__ import annotations

from ._estimator import GroupCrosscoder
from ._resolution import check_parameters

# Training does these for one dictionary at a time.
_FOR_ONE = ("early_stopping", "checkpoint_dir", "parallel")


def check_for_shared_passes(estimator: GroupCrosscoder, caller: str) -> None:
    """Check the estimator that a function trains several dictionaries by.

    Parameters
    ----------
    estimator : GroupCrosscoder
    caller : str
        The function, for messages.

    Raises
    ------
    TypeError
        If it is no `GroupCrosscoder`.
    ValueError
        If a parameter is wrong, or is not for several dictionaries.
    """
    if not isinstance(estimator, GroupCrosscoder):
        raise TypeError(
            f"{caller} takes a GroupCrosscoder; got a {type(estimator).__name__}. Of a "
            "pipeline, pass pipeline[-1] and X transformed by the steps before it."
        )
    check_parameters(estimator)
    for name in _FOR_ONE:
        if getattr(estimator, name):
            raise ValueError(f"{caller} does not do {name}; leave it at its default.")
