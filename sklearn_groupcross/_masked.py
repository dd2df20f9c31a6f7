"""Masked arrays without a masked value are arrays; others are refused."""

from __future__ import annotations

from typing import Any

import numpy as np


def unmasked(X: Any, name: str) -> Any:
    """Take the mask off an array, where it hides nothing; other input is returned as it is.

    Parameters
    ----------
    X : object
    name : str
        To begin the message with.

    Raises
    ------
    ValueError
        If values are masked: what lies under the mask would be taken for data.
    """
    if not isinstance(X, np.ma.MaskedArray):
        return X
    n_masked = int(np.ma.getmaskarray(X).sum())
    if n_masked:
        raise ValueError(
            f"{name} is a masked array, and {n_masked} of its {X.size} values are masked: what "
            "lies under the mask would be taken for data. Leave them out, or put in values of your "
            "choice by filled(...)."
        )
    return np.ma.getdata(X, subok=False)
