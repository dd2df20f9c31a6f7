"""Which samples early stopping holds out."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray
from sklearn.model_selection import GroupShuffleSplit, ShuffleSplit

from .._stacks._belonging import check_belonging


def check_groups(groups: Any, n_samples: int, *, to_split: bool) -> Any:
    """Check that there is one group label for each sample, and enough of them to split.

    Raises
    ------
    ValueError, TypeError
    """
    if groups is None:
        return None
    labels = check_belonging(groups, n_samples, "groups", "group")
    if to_split and len(np.unique(labels)) < 2:
        raise ValueError(
            "early_stopping holds out whole groups, so that it needs at least 2; all samples are "
            f"of group {labels[0]!s}. Leave groups out to hold out single samples."
        )
    return labels


def split_rows(
    n_samples: int, groups: ArrayLike | None, fraction: float, seed: int
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Rows to learn from, and the fraction of rows, in whole groups, that is held out."""
    splitter = ShuffleSplit if groups is None else GroupShuffleSplit
    split = splitter(1, test_size=fraction, random_state=seed)
    learned, held_out = next(split.split(np.arange(n_samples), groups=groups))
    return np.sort(learned), np.sort(held_out)
