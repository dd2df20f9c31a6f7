"""`lift_dictionary`: what the features of any dictionary do over the whole orbit."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from scipy.linalg import cho_factor, cho_solve
from scipy.sparse import csr_array
from sklearn.utils.validation import check_is_fitted

from .._ambient import own_state
from .._stacks._rows import Rows, check_finite, is_row_readable
from .._stacks._validation import check_blocks, check_same_group, count_channels
from ..crosscoder import GroupCrosscoder, check_reads_activations, codes_of_activations
from ..groups import FiniteGroup, Trivial, as_group

Indices = NDArray[np.int64]

# Relative to each code's own variance: keeps codes that always fire together solvable, and takes
# a thousandth off the rest.
RIDGE = 1e-3
# Rows are read and widened this many bytes of float64 at a time.
_BYTES_A_BATCH = 2**26


@dataclass(frozen=True)
class Lift:
    """A decoder from frozen codes to orbits.

    Attributes
    ----------
    atoms : ndarray of shape (m, order, d), float32
        Zero for features that never fired, or always alike.
    intercept : ndarray of shape (order, d), float32
    """

    atoms: NDArray[np.float32]
    intercept: NDArray[np.float32]


@own_state()
def lift_dictionary(
    crosscoder: GroupCrosscoder,
    orbits: Any,
    *,
    group: FiniteGroup | str | None = None,
    ridge: float = RIDGE,
) -> NDArray[np.float32]:
    """Lift a dictionary to the orbit: frozen codes, a least-squares decoder to all blocks.

    A sparse autoencoder reads and reconstructs the identity block alone, so that its atoms say
    nothing of the group. Its features do something over the orbit nevertheless: the decoder that
    reconstructs all blocks best from its codes says what. Lifted the same way, a crosscoder and an
    autoencoder can be judged by the same symmetric distance.

    Parameters
    ----------
    crosscoder : GroupCrosscoder
        Fitted on untransformed activations of the same layer: with the trivial group, with `group`
        or with any other.
    orbits : array-like of shape (n_samples, order, d) or (n_samples, order * d), or store
        Read batch by batch. Many more samples than features fire at once are needed: a feature
        that fires five times gets an atom of five samples.
    group : FiniteGroup or str, optional
        Default: that of the store, otherwise that of the crosscoder.
    ridge : float, default=1e-3
        Penalty on each atom, relative to the variance of its code. Features whose codes are
        proportional share what they explain. The default is for tens of samples a feature and
        more; with fewer the atoms are mostly noise, and 1 is about right on photographs.

    Returns
    -------
    atoms : ndarray of shape (m, order, d), float32
        Of the decoder with the smallest ``Σ‖O − fᵀW − b‖² + ridge · n · Σ_i Var(f_i) ‖W_i‖²``, b
        an intercept. Features that never fire, or whose code is constant, have zero atoms.

    Raises
    ------
    ValueError
        If the orbits do not fit the crosscoder or the group, are not finite, or number fewer than
        two; if the crosscoder reads whole orbits; if the ridge is not positive.
    TypeError
        If the crosscoder is a pipeline or something else.

    Notes
    -----
    Memory is ``2 m² + 2 m |G| d`` numbers of float64 beside one batch, whatever the number of
    samples: 2.3 GB for 4096 features of 480 channels under Dihedral(32).

    Examples
    --------
    >>> from sklearn_groupcross import Dihedral, GroupCrosscoder, make_orbits
    >>> from sklearn_groupcross.analysis import lift_dictionary
    >>> orbits = make_orbits(300, group=Dihedral(3), n_channels=8, random_state=0).orbits
    >>> autoencoder = GroupCrosscoder(n_features=12, random_state=0).fit(orbits[:, :1])
    >>> lift_dictionary(autoencoder, orbits, group=Dihedral(3)).shape
    (12, 6, 8)
    """
    group = check_lift(crosscoder, orbits, group, "crosscoder")
    return solve(code_moments(crosscoder, orbits, None), group, ridge).atoms


def check_lift(
    crosscoder: Any, orbits: Any, group: FiniteGroup | str | None, name: str
) -> FiniteGroup:
    """Check that a dictionary can be lifted to orbits, and find their group.

    Raises
    ------
    ValueError, TypeError, NotFittedError
    """
    check_reads_activations(crosscoder, name)
    check_is_fitted(crosscoder)
    if hasattr(orbits, "as_array") and not hasattr(orbits, "shape"):
        raise TypeError(
            f"orbits is an {type(orbits).__name__}, which reads images whenever it is asked: call "
            "as_array() or extract(path)."
        )
    if not is_row_readable(orbits):
        raise ValueError(
            "orbits is an array, memory map or store of float16, float32 or float64, of shape "
            f"(n_samples, order, n_channels); got {type(orbits).__name__} of shape "
            f"{getattr(orbits, 'shape', None)}."
        )
    if group is None:
        group = getattr(orbits, "group", crosscoder.group_)
    group = as_group(group)
    check_same_group(orbits, group)
    if isinstance(group, Trivial) and len(orbits.shape) == 3 and orbits.shape[1] > 1:
        raise ValueError(
            f"orbits have {orbits.shape[1]} blocks, and {name!r} does not name their group, being "
            "trained without one: give group=."
        )
    check_blocks(orbits, group)
    n_channels = count_channels(int(np.prod(orbits.shape[1:])), group)
    if n_channels != crosscoder.n_channels_:
        raise ValueError(
            f"{name!r} reads activations of {crosscoder.n_channels_} channels; orbits have "
            f"{n_channels}. Both must come from the same layer."
        )
    return group


@dataclass(frozen=True)
class CodeMoments:
    """Sums over samples from which a decoder follows, and how well it does on these samples.

    Attributes
    ----------
    n_samples : int
    mean_code : ndarray of shape (m,)
    mean_orbit : ndarray of shape (order * d,)
    codes_codes : ndarray of shape (m, m)
        ``Σ (f − mean)ᵀ (f − mean)``.
    codes_orbits : ndarray of shape (m, order * d)
        ``Σ (f − mean)ᵀ (O − mean)``.
    total : float
        ``Σ ‖O − mean‖²``.
    firings : ndarray of shape (m,), int64
    """

    n_samples: int
    mean_code: NDArray[np.float64]
    mean_orbit: NDArray[np.float64]
    codes_codes: NDArray[np.float64]
    codes_orbits: NDArray[np.float64]
    total: float
    firings: NDArray[np.int64]

    def score(self, decoder: Lift) -> float:
        """Share of the variance of these samples that a decoder explains; NaN without variance."""
        atoms = decoder.atoms.reshape(len(decoder.atoms), -1).astype(np.float64)
        fitted = np.sum(atoms * (self.codes_codes @ atoms - 2 * self.codes_orbits))
        offset = self.mean_orbit - decoder.intercept.ravel() - self.mean_code @ atoms
        error = self.total + fitted + self.n_samples * np.square(offset).sum()
        return float(1.0 - error / self.total) if self.total > 0 else float("nan")


def code_moments(crosscoder: GroupCrosscoder, orbits: Any, indices: Indices | None) -> CodeMoments:
    """Sum over the samples at increasing indices (None: over all).

    What can be lifted is for `check_lift` to check.
    """
    rows = Rows(orbits)
    n_samples = len(rows) if indices is None else len(indices)
    if n_samples < 2:
        raise ValueError(f"A decoder needs at least two samples; got {n_samples}.")
    m, n_columns = len(crosscoder.components_), rows.shape[1]
    codes_codes, codes_orbits = np.zeros((m, m)), np.zeros((m, n_columns))
    codes_sum, orbits_sum = np.zeros(m), np.zeros(n_columns)
    squares, firings = 0.0, np.zeros(m, dtype=np.int64)
    origin: NDArray[np.float64] | None = None
    for block in _batches(rows, indices):
        codes = _encode(crosscoder, block)
        wide = block.numpy().astype(np.float64)
        # sums about a point near the mean: differences of large sums would lose digits
        origin = wide.mean(axis=0) if origin is None else origin
        wide -= origin
        codes_codes += (codes.T @ codes).toarray()
        codes_orbits += codes.T @ wide
        codes_sum += codes.sum(axis=0)
        orbits_sum += wide.sum(axis=0)
        squares += float(np.square(wide).sum())
        firings += (codes > 0).sum(axis=0)
    assert origin is not None  # there are two samples
    mean_code, mean_orbit = codes_sum / n_samples, orbits_sum / n_samples
    codes_codes -= n_samples * np.outer(mean_code, mean_code)
    codes_orbits -= np.outer(codes_sum, mean_orbit)
    total = squares - n_samples * float(np.square(mean_orbit).sum())
    return CodeMoments(
        n_samples, mean_code, origin + mean_orbit, codes_codes, codes_orbits, total, firings
    )


def solve(moments: CodeMoments, group: FiniteGroup, ridge: float) -> Lift:
    """Least-squares decoder of the samples that the moments are of."""
    if not ridge > 0:
        raise ValueError(f"ridge is positive; got {ridge}.")
    variance = moments.codes_codes.diagonal()
    scale = moments.n_samples * np.square(moments.mean_code) + variance
    varies = variance > 1e-12 * scale  # a constant code is the intercept's
    atoms = np.zeros(moments.codes_orbits.shape)
    if varies.any():
        gram = moments.codes_codes[np.ix_(varies, varies)]
        gram[np.diag_indices(len(gram))] *= 1 + ridge
        atoms[varies] = cho_solve(cho_factor(gram, lower=True), moments.codes_orbits[varies])
    intercept = moments.mean_orbit - moments.mean_code @ atoms
    return Lift(
        atoms=atoms.reshape(len(atoms), group.order, -1).astype(np.float32),
        intercept=intercept.reshape(group.order, -1).astype(np.float32),
    )


def _batches(rows: Rows, indices: Indices | None) -> Any:
    """Batches of rows, as float32 or float64 tensors on the CPU, checked to be finite."""
    dtype = torch.float64 if rows.dtype == np.float64 else torch.float32
    n_samples = len(rows) if indices is None else len(indices)
    size = max(1, _BYTES_A_BATCH // (8 * rows.shape[1]))
    for start in range(0, n_samples, size):
        part = slice(start, min(start + size, n_samples))
        numbers = np.arange(part.start, part.stop) if indices is None else indices[part]
        block = rows.read(part if indices is None else numbers, dtype=dtype)
        check_finite(block, numbers, "Input orbits")
        yield block


def _encode(crosscoder: GroupCrosscoder, block: torch.Tensor) -> csr_array:
    """Codes of the identity blocks; mostly zeros, so that products with them are cheap."""
    identity = block[:, : crosscoder.n_channels_].numpy()
    return csr_array(codes_of_activations(crosscoder, identity, sparse=True)).astype(np.float64)
