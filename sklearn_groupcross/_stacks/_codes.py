"""Codes that say that they are codes: nothing in their numbers tells them from sparse atoms."""

from __future__ import annotations

import re
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import sparse

# What scikit-learn calls the columns of a crosscoder's codes in a data frame.
_COLUMN = re.compile(r"(.+__)?groupcrosscoder\d+")


class _Codes(np.ndarray):
    """What stands behind codes, which themselves are an array of the ordinary kind."""


def mark_as_codes(codes: Any) -> Any:
    """Give the same codes, over memory that `are_codes` knows again.

    Parameters
    ----------
    codes : ndarray or csr_array

    Returns
    -------
    codes : ndarray or csr_array
        Of the same kind and memory: nothing is copied.
    """
    if sparse.issparse(codes):
        codes.data = mark_as_codes(codes.data)
        return codes
    # of a chain of views numpy keeps the first whose parent is of another kind than the last view:
    # one of these alone would be left out, since its parent is an ordinary array
    return codes.view(_Codes).view().view(np.ndarray)


def are_codes(X: Any) -> bool:
    """Whether X is what `GroupCrosscoder.transform` gave: all of it, or a view of some of it.

    Copies, and arrays that were written and read again, are not known. Atoms are never taken for
    codes, however sparse they are.
    """
    if sparse.issparse(X):
        X = getattr(X, "data", None)  # some formats have none
    if hasattr(X, "columns"):
        return len(X.columns) > 0 and all(_COLUMN.fullmatch(str(name)) for name in X.columns)
    while isinstance(X, np.ndarray):
        if isinstance(X, _Codes):
            return True
        X = X.base
    return False


def look_like_codes(X: NDArray[Any]) -> bool:
    """Whether a matrix has what codes have and atoms hardly ever.

    That is more rows than columns, no negative number, and zeros for the most part.

    For copies of codes, and codes that went through a scaler or a file, which `are_codes` does not
    know. Atoms have |G| blocks of columns, and there are seldom as many of them as that.
    """
    n_rows, n_columns = X.shape
    if n_rows <= n_columns:
        return False
    return bool(X.min() >= 0 and np.count_nonzero(X) < X.size / 2)
