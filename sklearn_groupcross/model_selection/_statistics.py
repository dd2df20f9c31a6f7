"""One pass over the data of a fitted crosscoder, from which every score is computed."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from scipy import sparse
from sklearn.pipeline import Pipeline
from sklearn.utils.validation import check_is_fitted

from .._ambient import own_state
from .._plain import as_plain, as_tensor
from .._stacks._moments import Moments, warn_of_one_sample
from ..crosscoder import GroupCrosscoder, codes_of_orbits

# What one batch may occupy: its rows, their reconstruction and their codes, as float64.
_BYTES_A_BATCH = 2**28
# Rows from which the entropy of the codes and the covariance of the residual are estimated. More
# would not change the numbers by much, and the second is cubic in them.
_CODE_ROWS = 10_000
_SPECTRUM_ROWS = 1000


@dataclass(frozen=True)
class Statistics:
    """Sums over all rows, and an evenly spaced sample of the rows themselves.

    Attributes
    ----------
    crosscoder : GroupCrosscoder
    n_samples : int
    squared_error : float
        ``Σ‖x − x̂‖²`` over all rows.
    total_variance : float
        ``Σ‖x − mean‖²`` over all rows.
    n_firings : ndarray of shape (n_atoms,), int64
        Rows on which an atom has a positive code.
    codes : CSR array of shape (n_code_rows, n_atoms), float32 or float64
        Codes of up to 10,000 rows; no rows unless asked for.
    rows : ndarray of shape (n_spectrum_rows, n_columns), float32 or float64
        Up to 1000 rows, as the crosscoder sees them; no rows unless asked for.
    row_codes : CSR array of shape (n_spectrum_rows, n_atoms), float32 or float64
        Codes of `rows`.
    """

    crosscoder: GroupCrosscoder
    n_samples: int
    squared_error: float
    total_variance: float
    n_firings: NDArray[np.int64]
    codes: sparse.csr_array
    rows: NDArray[np.floating]
    row_codes: sparse.csr_array

    @property
    def explained_variance(self) -> float:
        """Share of the variance that the reconstruction explains, as `GroupCrosscoder.score`.

        NaN, with a warning, for a single sample.
        """
        if self.n_samples < 2:
            warn_of_one_sample("explained variance")
            return float("nan")
        if self.total_variance == 0:
            return float(self.squared_error == 0)
        return 1.0 - self.squared_error / self.total_variance

    @property
    def l0(self) -> float:
        """Mean number of positive codes of a row."""
        return int(self.n_firings.sum()) / self.n_samples

    @property
    def frequencies(self) -> NDArray[np.float64]:
        """Share of the rows on which an atom has a positive code, of shape (n_atoms,)."""
        return self.n_firings / self.n_samples

    @property
    def fired(self) -> NDArray[np.bool_]:
        """Whether an atom has a positive code on any row, of shape (n_atoms,)."""
        return self.n_firings > 0

    @property
    def dead_share(self) -> float:
        """Share of atoms without a positive code on any row."""
        return float(1.0 - self.fired.mean())

    def without_rows(self) -> Statistics:
        """Drop the sampled rows and codes, which take memory.

        Returns
        -------
        statistics : Statistics
            With no rows, and the same sums.
        """
        return replace(
            self, codes=self.codes[:0], rows=self.rows[:0].copy(), row_codes=self.row_codes[:0]
        )


@own_state()
def collect_statistics(estimator: Any, X: Any, *, keep_rows: bool = False) -> Statistics:
    """Pass over the data once, a batch at a time.

    Parameters
    ----------
    estimator : GroupCrosscoder or Pipeline
        Fitted; a pipeline ends in a crosscoder, and its other steps transform X first.
    X : array-like of shape (n_samples, n_columns) or (n_samples, order, n_channels)
        Also a memory map larger than memory: no more than a batch is read or widened at once.
    keep_rows : bool, default=False
        Whether to keep the sampled rows and codes, which only the description length needs.

    Returns
    -------
    statistics : Statistics

    Raises
    ------
    ValueError
        If X has no rows, or it or its reconstruction is not finite.
    """
    transformers, crosscoder = _split(estimator)
    check_is_fitted(crosscoder)
    X = as_plain(X)
    X = X if hasattr(X, "shape") else np.asarray(X)
    n_samples = len(X)
    if n_samples == 0:
        raise ValueError("X has no rows: nothing can be scored.")
    n_atoms, n_columns = crosscoder.components_.shape
    sampled_codes = _evenly_spaced(n_samples, _CODE_ROWS if keep_rows else 0)
    sampled_rows = _evenly_spaced(n_samples, _SPECTRUM_ROWS if keep_rows else 0)

    squared_error, moments = 0.0, Moments(n_columns)
    n_firings = np.zeros(n_atoms, dtype=np.int64)
    kept_codes: list[sparse.csr_array] = []
    kept_rows: list[NDArray[np.floating]] = []
    kept_row_codes: list[sparse.csr_array] = []
    for batch_rows in _batches(n_samples, n_columns, n_atoms):
        batch = _as_floats(X, batch_rows)
        for transformer in transformers:
            batch = transformer.transform(batch)
        if transformers and not hasattr(crosscoder, "feature_names_in_"):
            batch = np.asarray(batch)  # names that output settings have given are not the data's
        codes = codes_of_orbits(crosscoder, batch)
        flat = np.asarray(batch).reshape(len(codes), -1)
        residual = flat - crosscoder.inverse_transform(codes)
        error = float(np.square(residual, dtype=np.float64).sum())
        if not np.isfinite(error):  # an encoder of the identity block does not see the others
            raise ValueError(
                f"X, or its reconstruction, holds NaN or infinity in rows {batch_rows.start} to "
                f"{batch_rows.stop - 1}: such samples cannot be scored."
            )
        squared_error += error
        moments.update(flat)
        n_firings += (codes > 0).sum(axis=0)
        kept_codes.append(sparse.csr_array(codes[_within(sampled_codes, batch_rows)]))
        kept_row_codes.append(sparse.csr_array(codes[_within(sampled_rows, batch_rows)]))
        kept_rows.append(flat[_within(sampled_rows, batch_rows)])
    return Statistics(
        crosscoder=crosscoder,
        n_samples=n_samples,
        squared_error=squared_error,
        total_variance=moments.variance * moments.n_rows,
        n_firings=n_firings,
        codes=sparse.vstack(kept_codes, format="csr"),
        rows=np.concatenate(kept_rows),
        row_codes=sparse.vstack(kept_row_codes, format="csr"),
    )


def _split(estimator: Any) -> tuple[list[Any], GroupCrosscoder]:
    """Transformers that come first, and the crosscoder at the end."""
    transformers = []
    while isinstance(estimator, Pipeline):
        steps = [step for _, step in estimator.steps]
        transformers += [s for s in steps[:-1] if s is not None and s != "passthrough"]
        estimator = steps[-1]
    if not isinstance(estimator, GroupCrosscoder):
        raise TypeError(
            "Only a GroupCrosscoder, or a Pipeline whose last step is one, can be scored; "
            f"got {type(estimator).__name__}."
        )
    return transformers, estimator


def _batches(n_samples: int, n_columns: int, n_atoms: int) -> Iterator[slice]:
    n_rows = max(1, _BYTES_A_BATCH // (8 * (4 * n_columns + 2 * n_atoms)))
    for start in range(0, n_samples, n_rows):
        yield slice(start, min(start + n_rows, n_samples))


def _as_floats(X: Any, rows: slice) -> Any:
    """Rows of X; data frames stay, so that steps see the names of the columns."""
    if hasattr(X, "iloc"):
        return X.iloc[rows]
    batch = X[rows]
    if isinstance(batch, torch.Tensor):
        wide = batch if batch.dtype in (torch.float32, torch.float64) else batch.float()
        return wide.detach().cpu().numpy()
    if isinstance(batch, np.ndarray) and batch.dtype == np.float16:
        # scikit-learn's own checks would make float64 of it; numpy takes seven times as long
        return as_tensor(batch, torch.float32).numpy()
    return batch


def _evenly_spaced(n_samples: int, n_rows: int) -> NDArray[np.int64]:
    """Every image of a store is then represented, whatever the order of the rows."""
    return np.linspace(0, n_samples - 1, min(n_samples, n_rows)).astype(np.int64)


def _within(sampled: NDArray[np.int64], rows: slice) -> NDArray[np.int64]:
    """Those of the sampled rows that lie in a batch, counted from its start."""
    first, last = np.searchsorted(sampled, [rows.start, rows.stop])
    return sampled[first:last] - rows.start
