"""What each sample belongs to: the image of every orbit, or groups that stay together."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray

from .._plain import as_numpy


def image_of_each(image_ids: ArrayLike | None, orbits: Any, n_samples: int) -> NDArray[Any]:
    """The image of each orbit, as given or as a store says.

    Raises
    ------
    ValueError
        If nothing says it, or it is not said of every orbit.
    TypeError
        If ids are of kinds that cannot be compared.
    """
    given = find_image_ids(image_ids, orbits)
    return check_belonging(given, n_samples, "image_ids", "image")


def find_image_ids(image_ids: ArrayLike | None, orbits: Any) -> Any:
    """What is said of the images of orbits, as it is given.

    Raises
    ------
    ValueError
        If nothing is said.
    """
    if image_ids is None and not hasattr(orbits, "image_ids"):
        raise ValueError(
            "image_ids says of which image every orbit is; a plain array does not. Pass "
            "image_ids=..., one entry an orbit: datasets and stores have it as image_ids."
        )
    return orbits.image_ids if image_ids is None else image_ids


def check_belonging(labels: Any, n_samples: int, name: str, what: str) -> NDArray[Any]:
    """Check that there is one label a sample, and that none is missing.

    Parameters
    ----------
    labels : array-like
    n_samples : int
    name, what : str
        Of the argument, and of what its labels name, for messages.

    Returns
    -------
    labels : ndarray of shape (n_samples,)

    Raises
    ------
    ValueError
        If their shape is another, or labels are missing: None, NaN and their like would be taken
        for one more label, or for as many as there are of them.
    TypeError
        If they are of kinds that cannot be compared.
    """
    values = np.asarray(as_numpy(labels, name))
    if values.shape != (n_samples,):
        raise ValueError(
            f"{name} names the {what} of each of the {n_samples} samples, in one dimension; got "
            f"shape {values.shape}."
        )
    missing = np.flatnonzero(pd.isna(values))
    if len(missing):
        raise ValueError(
            f"{name} names no {what} for {len(missing)} of the {n_samples} samples, the first of "
            f"them sample {missing[0]}: {values[missing[0]]}. Leave such samples out of both, or "
            "give each a label of its own."
        )
    kinds = sorted({type(value).__name__ for value in values}) if values.dtype == object else []
    try:
        np.unique(values)
    except TypeError as error:
        raise TypeError(
            f"{name} holds labels of several kinds, which cannot be put in order: "
            f"{', '.join(kinds)}. Make all of them text, or all of them numbers."
        ) from error
    return values
