"""Bits that a crosscoder needs to send a sample to a given fidelity."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy import sparse

from .._ambient import own_state
from .._stacks._moments import warn_of_one_sample
from ._statistics import Statistics, collect_statistics

# Shares of the budget that the rounding of the codes may take, of which the best is used. Finer
# steps change the bits by less than 3 % on planted data.
_SHARES = 2.0 ** np.arange(0.0, -4.1, -0.5)
# Directions with less than this share of the largest eigenvalue are rounding noise of the Gram.
_SMALLEST_EIGENVALUE = 1e-10
# Above this density BLAS on zeros is faster than a sparse product.
_DENSE_FROM = 0.05


@dataclass(frozen=True)
class DescriptionLength:
    """Bits a sample, and what they are made of.

    Attributes
    ----------
    bits : float
        ``code_bits + residual_bits``.
    code_bits : float
        Entropy of the rounded codes, positions and values together.
    residual_bits : float
        What the reconstruction still lacks; 0 if it is within the budget.
    gaussian_bits : float
        The same fidelity without a dictionary: the residual's code applied to the data minus
        their mean. A dictionary is worth its codes if `bits` is less.
    step : float
        Rounding step of a code times the norm of its atom, in units of the data.
    distortion : float
        Share of the variance that may be lost.
    """

    bits: float
    code_bits: float
    residual_bits: float
    gaussian_bits: float
    step: float
    distortion: float


@own_state()
def description_length(
    estimator: Any, X: ArrayLike, *, distortion: float = 0.1
) -> DescriptionLength:
    """Bits to send a sample such that a share `distortion` of the variance is lost.

    Sparsity alone is no reason to prefer one dictionary to another: the sparsest explains
    nothing, and the most faithful uses everything. A description length puts both in one unit, as
    proposed for sparse autoencoders in [1]_. Sent are, for every sample:

    (a) The codes, rounded. An error e of code i costs ``e² ‖W_i‖²``, so that code i is rounded to
    multiples of ``Δ / ‖W_i‖`` with the same Δ for all atoms, and an active code then costs about
    ``Δ²/12``. The step is ``Δ² = 12 s B / L0``: the rounding of the L0 active codes takes about a
    share s of the budget ``B = distortion · E‖x − mean‖²``. The bits are ``Σ_i H_i``, H_i the
    entropy of atom i's rounded code, zeros included: so one number covers which atoms are active
    and how strongly. Codes that round to 0 cost nothing.

    (b) The residual ``x − x̂`` of the *rounded* codes, as far as it exceeds the budget: the
    Gaussian rate-distortion function, reverse water-filling over the variances v_j of the
    residual along orthogonal directions [2]_, ``Σ_j max(0, ½ log₂(v_j / θ))`` with θ such that
    ``Σ_j min(θ, v_j) = B``.

    The sum is minimised over s in {1, 1/√2, …, 1/16}: the data decide how the budget is split.

    Parameters
    ----------
    estimator : GroupCrosscoder or Pipeline
        Fitted; a pipeline ends in a crosscoder.
    X : array-like of shape (n_samples, n_columns) or (n_samples, order, n_channels)
        Held-out samples. Of a single one, every number is NaN, with a warning.
    distortion : float, default=0.1
        Share of the variance that may be lost, above 0 and below 1. It decides what counts as
        detail: the smaller it is, the more codes are worth sending.

    Returns
    -------
    length : DescriptionLength

    Notes
    -----
    The codes' entropies come from at most 10,000 rows, evenly spaced, with the correction
    ``(number of values − 1) / (2 n ln 2)`` for the bias of small samples [3]_. The residual's
    variances come from at most 1000 rows. There may be fewer rows than columns, and the
    eigenvalues of their covariance would then be far too few and too large, which makes noise
    look cheap. So the directions are the principal ones of one half of the rows, the variances
    those of the other half, whatever lies outside is spread evenly over the other directions, and
    the two ways of choosing halves are averaged. That is never too few bits on average: it is what
    a coder needs that learned its basis elsewhere. The halves are the first and the last rows, so
    that the samples of one image rarely are in both.

    Each atom is coded for itself: dependence between atoms is not exploited. The dictionary is
    not sent: its cost is shared by all samples there will ever be.

    References
    ----------
    .. [1] Ayonrinde, Pearce & Sharkey (2024), "Interpretability as Compression: Reconsidering SAE
       Explanations of Neural Activations with MDL-SAEs", arXiv:2410.11179.
    .. [2] Cover & Thomas (2006), Elements of Information Theory, 2nd ed., theorem 10.3.3.
    .. [3] Miller (1955), "Note on the bias of information estimates", in Information Theory in
       Psychology.

    Examples
    --------
    >>> from sklearn_groupcross import Dihedral, GroupCrosscoder, make_orbits
    >>> from sklearn_groupcross.model_selection import description_length
    >>> group = Dihedral(3)
    >>> orbits = make_orbits(300, group=group, n_channels=8, random_state=0).orbits
    >>> crosscoder = GroupCrosscoder(group=group, n_features=12, max_epochs=20, random_state=0)
    >>> length = description_length(crosscoder.fit(orbits[:200]), orbits[200:])
    >>> length.bits == length.code_bits + length.residual_bits
    True
    """
    return from_statistics(collect_statistics(estimator, X, keep_rows=True), distortion)


def from_statistics(statistics: Statistics, distortion: float) -> DescriptionLength:
    """`description_length` of a pass that has been made with ``keep_rows=True``."""
    if not 0 < distortion < 1:
        raise ValueError(
            f"distortion={distortion!r} must be a share of the variance, above 0 and below 1."
        )
    if statistics.n_samples < 2:
        warn_of_one_sample("description length")
        nan = math.nan
        return DescriptionLength(nan, nan, nan, nan, nan, distortion)
    # all from the same rows: then the residual and the budget it is measured by fit each other
    rows = statistics.rows.astype(np.float64)
    centered = rows - rows.mean(axis=0)
    budget = distortion * float(np.square(centered).sum(axis=1).mean())
    if statistics.total_variance == 0 or budget == 0:  # the mean says everything
        return DescriptionLength(0.0, 0.0, 0.0, 0.0, 0.0, distortion)
    gaussian_bits = residual_rate(centered, budget)
    atoms = statistics.crosscoder.components_
    norms = np.linalg.norm(atoms, axis=1).astype(np.float64)
    # in these units a code's error is a squared error of the data
    codes = statistics.codes @ sparse.diags_array(norms)
    row_codes = statistics.row_codes @ sparse.diags_array(norms)
    per_norm = sparse.diags_array(np.divide(1.0, norms, out=np.zeros_like(norms), where=norms > 0))
    residual = rows - statistics.crosscoder.inverse_transform(statistics.row_codes.toarray())
    l0 = codes.nnz / codes.shape[0]
    if l0 == 0:
        bits = residual_rate(residual, budget)
        return DescriptionLength(bits, 0.0, bits, gaussian_bits, 0.0, distortion)
    lengths = []
    for share in _SHARES:
        step = math.sqrt(12 * share * budget / l0)
        code_bits = code_entropy(codes, step)
        error = row_codes.copy()
        error.data -= step * np.rint(error.data / step)
        residual_bits = residual_rate(residual + _product(error @ per_norm, atoms), budget)
        lengths.append((code_bits + residual_bits, code_bits, residual_bits, step))
    bits, code_bits, residual_bits, step = min(lengths)
    return DescriptionLength(bits, code_bits, residual_bits, gaussian_bits, step, distortion)


def code_entropy(codes: sparse.csr_array, step: float) -> float:
    """Sum over columns of the entropy of the values rounded to multiples of a step.

    Parameters
    ----------
    codes : CSR array of shape (n_samples, n_atoms)
    step : float

    Returns
    -------
    bits : float
        A sample. Zeros count as a value like any other.
    """
    n = codes.shape[0]
    columns = codes.tocsc()
    bits = 0.0
    for start, stop in zip(columns.indptr[:-1], columns.indptr[1:], strict=True):
        rounded = np.rint(columns.data[start:stop] / step)
        _, counts = np.unique(rounded[rounded != 0], return_counts=True)
        shares = np.append(counts, n - counts.sum()) / n
        shares = shares[shares > 0]
        bits -= float(shares @ np.log2(shares))
        bits += (len(shares) - 1) / (2 * n * math.log(2))
    return bits


def residual_rate(rows: NDArray[np.float64], budget: float) -> float:
    """Gaussian rate of rows (n, D) at a mean squared error, in bits a row.

    Directions from one half of the rows, variances from the other, and the other way round.
    """
    if np.square(rows).sum(axis=1).mean() <= budget:
        return 0.0
    first, last = np.array_split(rows, 2)
    of_halves = (held_out_variances(first, last), held_out_variances(last, first))
    return float(np.mean([reverse_water_filling(variances, budget)[0] for variances in of_halves]))


def held_out_variances(
    basis_rows: NDArray[np.float64], rows: NDArray[np.float64]
) -> NDArray[np.float64]:
    """Mean squares of rows (n, D) along the principal directions of other rows.

    Returns
    -------
    variances : ndarray of shape (D,)
        What lies outside the span of the other rows is spread evenly over the rest of the D
        directions, which costs the most bits. Their sum is the mean squared norm of `rows`.
    """
    n_columns = rows.shape[1]
    # through the Gram: n is at most 500, D may be 30,000
    eigenvalues, vectors = np.linalg.eigh(basis_rows @ basis_rows.T)
    kept = eigenvalues > _SMALLEST_EIGENVALUE * max(eigenvalues[-1], 0.0)
    kept[: max(0, len(kept) - n_columns)] = False
    coordinates = (rows @ basis_rows.T) @ (vectors[:, kept] / np.sqrt(eigenvalues[kept]))
    variances = np.square(coordinates).mean(axis=0)
    n_left = n_columns - len(variances)
    left = max(0.0, float(np.square(rows).sum(axis=1).mean() - variances.sum()))
    return np.append(variances, np.full(n_left, left / max(1, n_left)))


def reverse_water_filling(variances: ArrayLike, budget: float) -> tuple[float, float]:
    """Rate of independent Gaussians at a total squared error.

    Parameters
    ----------
    variances : array-like of shape (n,)
    budget : float
        Total squared error, above 0.

    Returns
    -------
    bits : float
    level : float
        The error of every component whose variance exceeds it; the others are not sent.
    """
    ascending = np.sort(np.asarray(variances, dtype=np.float64))
    if ascending.sum() <= budget:
        return 0.0, float(ascending[-1])
    below = np.cumsum(ascending) - ascending
    # the level, if the i smallest were those that are not sent: right for the first that fits
    levels = (budget - below) / np.arange(len(ascending), 0, -1)
    level = float(levels[np.argmax(levels <= ascending)])
    sent = ascending[ascending > level]
    return float(0.5 * np.log2(sent / level).sum()), level


def _product(left: sparse.csr_array, right: NDArray[np.floating]) -> NDArray[np.floating]:
    dense = left.nnz > _DENSE_FROM * left.shape[0] * left.shape[1]
    return (left.toarray().astype(right.dtype) if dense else left) @ right
