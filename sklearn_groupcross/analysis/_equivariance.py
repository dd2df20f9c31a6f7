"""How much of a feature's transform block follows from the group: the equivariance index."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray
from sklearn.utils import check_random_state

from .._ambient import own_state
from .._plain import as_numpy
from .._stacks._rows import check_finite
from ..groups import FiniteGroup, as_group

# What the transform blocks of one batch of atoms may occupy.
_NUMBERS_A_BATCH = 2**23
# The threshold at which the package calls two things the same: see find_stabilizers.
_SAME = 0.8


@dataclass(frozen=True)
class Equivariance:
    """Equivariance indices of a dictionary, with their controls.

    Attributes
    ----------
    index : ndarray of shape (m,), float64
        In [0, 1]: share of the variance of ``T[g, h]``, over all pairs g ≠ h, that lies between
        classes of ``g⁻¹ h``. NaN where there is none to share out.
    shuffled : ndarray of shape (m,), float64
        The same after the pairs of blocks were dealt out among the classes at random.
    expected : float
        Mean of `shuffled` over all ways to deal: ``(K - 1) / (N - 1)`` for N unordered pairs in K
        classes, g⁻¹h and h⁻¹g being one. NaN for groups with fewer than three elements.
    constant : ndarray of shape (m,), bool
        Whether T is the same for all pairs g ≠ h; then there is no index.
    mean_cosine : ndarray of shape (m,), float64
        Mean of T over the pairs g ≠ h. NaN for dead atoms and for the trivial group.
    dead : ndarray of shape (m,), bool
        Whether the atom is zero.
    """

    index: NDArray[np.float64]
    shuffled: NDArray[np.float64]
    expected: float
    constant: NDArray[np.bool_]
    mean_cosine: NDArray[np.float64]
    dead: NDArray[np.bool_]

    @property
    def invariant(self) -> NDArray[np.bool_]:
        """Whether T is constant and its blocks are alike, by a cosine above 0.8."""
        return self.constant & (np.nan_to_num(self.mean_cosine) > _SAME)


@own_state()
def equivariance_index(
    components: ArrayLike,
    group: FiniteGroup | str,
    *,
    tolerance: float = 1e-3,
    random_state: int | np.random.RandomState | None = 0,
) -> Equivariance:
    """Share of the variance of each transform block that the group accounts for.

    In an exactly equivariant network the blocks of an atom are ``W[g] = ρ(g) v`` with orthogonal
    ρ, and ``T[g, h] = cos(W[g], W[h])`` depends on ``g⁻¹ h`` alone: the cosine of two blocks is
    known from the transformation that leads from one to the other. The index is 1 minus the mean
    variance of T within classes of ``g⁻¹ h`` over its total variance, all pairs g ≠ h taken: the
    correlation ratio η².

    Parameters
    ----------
    components : array-like of shape (m, order * d) or (m, order, d)
        Atoms; only the directions of their blocks count. A block of zeros has cosine 0 with all.
    group : FiniteGroup or str
    tolerance : float, default=1e-3
        T counts as constant if its standard deviation over the pairs is no larger.
    random_state : int, RandomState instance or None, default=0
        Of the shuffled control.

    Returns
    -------
    equivariance : Equivariance

    Raises
    ------
    ValueError
        If the atoms do not divide into the group's blocks or are not finite.

    Notes
    -----
    Transform blocks are those of [1]_; the index is this package's.

    Read it beside its controls. Shuffled pairs have `expected` on average: 0.02 for
    ``Dihedral(32)``, but 0.2 for ``Cyclic(4)``. And a high index is no proof that the network is
    equivariant: where the data's distribution is closed under the group, second moments of its
    blocks depend on ``g h⁻¹``, and over an abelian group that is ``g⁻¹ h``, for any network.

    References
    ----------
    .. [1] Gorton (2024), "Group crosscoders for mechanistic analysis of symmetry",
       arXiv:2410.24184.

    Examples
    --------
    >>> import numpy as np
    >>> from sklearn_groupcross import Dihedral
    >>> from sklearn_groupcross.analysis import equivariance_index
    >>> group = Dihedral(8)
    >>> moved = group.regular_representation() @ np.random.default_rng(0).standard_normal(16)
    >>> found = equivariance_index(moved[None], group)
    >>> found.index.round(3), found.shuffled.round(3), round(found.expected, 3)
    (array([1.]), array([0.141]), 0.092)
    """
    group = as_group(group)
    blocks = _check_blocks(components, group)
    order = group.order
    dead: NDArray[np.bool_] = np.logical_not(blocks.any(axis=(1, 2)))
    rng = check_random_state(random_state)
    n_pairs = order * (order - 1) // 2
    n_classes = len({frozenset((k, int(group.inverses[k]))) for k in range(1, order)})
    index, shuffled, mean_cosine = np.full((3, len(blocks)), np.nan)
    constant: NDArray[np.bool_] = np.logical_not(dead)
    if order > 1:
        step = max(1, _NUMBERS_A_BATCH // order**2)
        for start in range(0, len(blocks), step):
            rows = slice(start, start + step)
            T = _cosines(blocks[rows])
            mean_cosine[rows], total = _moments(T, group)
            varies = total > tolerance**2
            constant[rows] &= ~varies
            # atoms of rounding errors alone would be divided by almost nothing
            safe = np.where(varies, total, np.nan)
            index[rows] = 1.0 - _within(T, group) / safe
            shuffled[rows] = 1.0 - _within(_deal(T, rng), group) / safe
        mean_cosine[dead] = np.nan
    return Equivariance(
        index=index,
        shuffled=shuffled,
        expected=(n_classes - 1) / (n_pairs - 1) if n_pairs > 1 else float("nan"),
        constant=constant,
        mean_cosine=mean_cosine,
        dead=dead,
    )


def _check_blocks(components: ArrayLike, group: FiniteGroup) -> NDArray[np.float64]:
    array = np.asarray(as_numpy(components, "components"), dtype=np.float64)
    if array.ndim == 3 and array.shape[1] == group.order:
        blocks = array
    elif array.ndim == 2 and array.shape[1] and array.shape[1] % group.order == 0:
        blocks = array.reshape(len(array), group.order, -1)
    else:
        raise ValueError(
            f"Atoms over {group!r} have shape (m, {group.order} * d) or (m, {group.order}, d); "
            f"got {array.shape}."
        )
    check_finite(blocks, label="Input components")
    return blocks


def _cosines(blocks: NDArray[np.float64]) -> NDArray[np.float64]:
    """``T[i, g, h]``; zero where a block is."""
    norms = np.linalg.norm(blocks, axis=2, keepdims=True)
    unit = np.divide(blocks, norms, out=np.zeros_like(blocks), where=norms > 0)
    return unit @ unit.transpose(0, 2, 1)


def _by_class(T: NDArray[np.float64], group: FiniteGroup) -> NDArray[np.float64]:
    """``M[i, g, k] = T[i, g, g k]`` for k ≠ e: column k holds the pairs with g⁻¹ h = k."""
    return T[:, np.arange(group.order)[:, None], group.cayley_table[:, 1:]]


def _moments(
    T: NDArray[np.float64], group: FiniteGroup
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    pairs = _by_class(T, group)
    return pairs.mean(axis=(1, 2)), pairs.var(axis=(1, 2))


def _within(T: NDArray[np.float64], group: FiniteGroup) -> NDArray[np.float64]:
    """Mean variance within classes, which are all of one size."""
    return _by_class(T, group).var(axis=1).mean(axis=1)


def _deal(T: NDArray[np.float64], rng: np.random.RandomState) -> NDArray[np.float64]:
    """Permute the unordered pairs of every atom; the matrices stay symmetric."""
    first, second = np.triu_indices(T.shape[1], 1)
    pairs = T[:, first, second]
    order = np.argsort(rng.random_sample(pairs.shape), axis=1)
    dealt = np.zeros_like(T)
    dealt[:, first, second] = dealt[:, second, first] = np.take_along_axis(pairs, order, axis=1)
    return dealt
