"""`Finding`: something wrong with a dictionary or its data."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True)
class Finding:
    """Something wrong with a dictionary or its data.

    Attributes
    ----------
    name : str
        ``"no clusters"``, ``"flat profiles"``, ``"unaligned blocks"``, ``"poor reconstruction"``,
        ``"unequal blocks"``, ``"dead atoms"``, ``"duplicate atoms"``, ``"features alone"``, ``"too
        few firings"``, ``"training and held-out differ"`` or ``"seeds disagree"``.
    message : str
        What was found, with the figure.
    value : float
        The figure.
    limit : float
        What it was held against.
    advice : str
        What to try.
    evidence : mapping of str to ndarray of shape (n,) or (n, k)
        Small arrays that show it.
    """

    name: str
    message: str
    value: float
    limit: float
    advice: str
    evidence: Mapping[str, NDArray[np.floating]] = field(repr=False, compare=False)

    def __str__(self) -> str:
        return f"{self.name}: {self.message} {self.advice}"
