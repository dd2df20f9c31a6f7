"""Orbits without NaN and infinity."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray


def check_finite(values: NDArray[Any], label: str) -> None:
    """Refuse values that are NaN or infinite.

    Parameters
    ----------
    values : ndarray
    label : str
        What they are, in the plural, to begin the message with.

    Raises
    ------
    ValueError
    """
    if not np.isfinite(values).all():
        what = "NaN" if np.isnan(values).any() else "infinity"
        raise ValueError(f"{label} contain {what}; every value must be finite.")
