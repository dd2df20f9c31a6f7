"""`match_dictionaries`: which feature of one dictionary is which of another."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd
import torch
from numpy.typing import ArrayLike, NDArray
from scipy.optimize import linear_sum_assignment

from .._ambient import own_state
from .._device import resolve_device
from .._plain import as_tensor
from .._shares import check_share
from ..crosscoder import GroupCrosscoder
from ..groups import FiniteGroup
from ._correlation import Spectra
from ._dictionaries import resolve_dictionaries
from ._similarity import best_alignment

#: Cosine from which features of two runs are called the same: a convention, half of the energy.
SHARED = 0.7


@dataclass(frozen=True)
class Matching:
    """A one-to-one assignment of the features of two dictionaries.

    Attributes
    ----------
    pairs : ndarray of shape (n_pairs, 2), int64
        Feature of the first dictionary, feature of the second; as many as the smaller of them has
        live features, good pairs and bad. Increasing in the first.
    similarity : ndarray of shape (n_pairs,)
        ``max_h cos(W_i, R_h V_j)`` of each pair.
    alignment : ndarray of shape (n_pairs,), int64
        The h that attains it: ``R_h V_j`` comes closest to ``W_i``. Defined up to elements that
        leave ``V_j`` as it is.
    best_first : ndarray of shape (m,)
        Largest similarity of each feature of the first dictionary with any of the second, taken
        or not; NaN for dead features.
    best_second : ndarray of shape (n,)
        The same for the second.
    dead_first, dead_second : ndarray of bool, of shapes (m,) and (n,)
        Features whose atom is zero: they take no part.
    threshold : float
        Similarity from which a pair is called a match.
    group : FiniteGroup
    """

    pairs: NDArray[np.int64]
    similarity: NDArray[np.floating]
    alignment: NDArray[np.int64]
    best_first: NDArray[np.floating]
    best_second: NDArray[np.floating]
    dead_first: NDArray[np.bool_]
    dead_second: NDArray[np.bool_]
    threshold: float
    group: FiniteGroup

    @property
    def matched(self) -> NDArray[np.bool_]:
        """Whether each pair reaches the threshold, of shape (n_pairs,)."""
        return self.similarity >= self.threshold

    @property
    def partner_first(self) -> NDArray[np.int64]:
        """Partner of each feature of the first dictionary, of shape (m,); -1 without."""
        partner = np.full(len(self.dead_first), -1, dtype=np.int64)
        partner[self.pairs[:, 0]] = self.pairs[:, 1]
        return partner

    @property
    def similarity_first(self) -> NDArray[np.floating]:
        """Its similarity with that partner, of shape (m,); NaN without."""
        similarity = np.full(len(self.dead_first), np.nan)
        similarity[self.pairs[:, 0]] = self.similarity
        return similarity

    @property
    def matched_first(self) -> NDArray[np.bool_]:
        """Whether each feature of the first dictionary has a match, of shape (m,)."""
        return np.asarray(self.similarity_first >= self.threshold, dtype=np.bool_)

    @property
    def share(self) -> float:
        """Share of the live features of the larger dictionary that have a match.

        NaN if both are dead.
        """
        n_live = max(int((~self.dead_first).sum()), int((~self.dead_second).sum()))
        return float(self.matched.sum() / n_live) if n_live else float("nan")

    def to_frame(self) -> pd.DataFrame:
        """One row a pair.

        Returns
        -------
        frame : DataFrame
            Columns ``first``, ``second``, ``similarity``, ``alignment`` (the element's index),
            ``moves`` (the element in words) and ``matched``.
        """
        return pd.DataFrame(
            {
                "first": self.pairs[:, 0],
                "second": self.pairs[:, 1],
                "similarity": self.similarity,
                "alignment": self.alignment,
                "moves": [self.group.describe_element(int(h)) for h in self.alignment],
                "matched": self.matched,
            }
        )


@own_state()
def match_dictionaries(
    first: GroupCrosscoder | ArrayLike,
    second: GroupCrosscoder | ArrayLike,
    *,
    group: FiniteGroup | str | None = None,
    up_to_group: bool = True,
    threshold: float = SHARED,
    device: str | torch.device = "auto",
) -> Matching:
    """Match the features of two dictionaries one to one, up to the group.

    The pairs are those with the largest sum of similarities ``s_ij = max_h cos(W_i, R_h V_j)`` (the
    Hungarian method, as [1]_ does it for sparse autoencoders). A feature that another run learned
    in another pose is found, and the group element between the two is reported.

    Parameters
    ----------
    first, second : GroupCrosscoder or array-like of shape (m, order * d) or (m, order, d)
        Fitted crosscoders, or atoms with `group` given; over the same group and channels, of any
        numbers of features. The size of an atom does not matter. See `lift_dictionary` for a
        sparse autoencoder against a crosscoder.
    group : FiniteGroup or str, optional
        Needed if both are atoms.
    up_to_group : bool, default=True
        Otherwise h is the identity: the same feature in another pose is then no match.
    threshold : float, default=0.7
        Similarity from which a pair is a match, in (0, 1]. It decides nothing about who is paired
        with whom. The default is a convention: such atoms share half of their energy.
    device : str or torch.device, default="auto"
        Where similarities are computed.

    Returns
    -------
    matching : Matching

    Raises
    ------
    ValueError
        If the groups or channels differ, atoms are not finite, or the threshold is out of range.
    TypeError
        If one is a pipeline.

    Notes
    -----
    Memory is that of the similarities and alignments, 20 bytes a pair with float32 atoms, some
    0.4 GB with the assignment for two dictionaries of 4096 features. The assignment itself is
    cubic in the worst case; for 4096 features it takes seconds.

    References
    ----------
    .. [1] Paulo and Belrose (2025), "Sparse autoencoders trained on the same data learn different
       features", arXiv:2501.16615.

    Examples
    --------
    >>> import numpy as np
    >>> from sklearn_groupcross import Dihedral, make_orbits
    >>> from sklearn_groupcross.analysis import match_dictionaries
    >>> group = Dihedral(4)
    >>> atoms = make_orbits(10, group=group, closed=False, random_state=0).components
    >>> turned = atoms[::-1, group.right_translation(3)]  # in another order and pose
    >>> matching = match_dictionaries(atoms, turned, group=group)
    >>> matching.pairs.tolist(), matching.similarity.round(3).tolist()
    ([[0, 3], [1, 2], [2, 1], [3, 0]], [1.0, 1.0, 1.0, 1.0])
    """
    threshold = check_share("threshold", threshold, "a cosine")
    atoms_of, group = resolve_dictionaries({"first": first, "second": second}, group)
    return match_atoms(
        atoms_of["first"],
        atoms_of["second"],
        group,
        resolve_device(device),
        up_to_group=up_to_group,
        threshold=threshold,
    )


def match_atoms(
    first: NDArray[np.floating],
    second: NDArray[np.floating],
    group: FiniteGroup,
    device: torch.device,
    *,
    up_to_group: bool,
    threshold: float,
    spectra: Spectra | None = None,
) -> Matching:
    """Match unit atoms of shapes (m, order, d) and (n, order, d), zeros among them or not.

    Spectra are those of the first, where it is matched several times.
    """
    live_first, live_second = live_atoms(first), live_atoms(second)
    rows, columns = np.flatnonzero(live_first), np.flatnonzero(live_second)
    dtype = np.result_type(first, second)
    left, right = (atoms.astype(dtype, copy=False) for atoms in (first, second))
    if up_to_group:
        known = left if spectra is None or left.dtype != first.dtype else spectra
        similarity, alignment = best_alignment(known, right, group, device)
    else:
        similarity = _cosines(left, right, device)
        alignment = np.full(similarity.shape, group.identity)
    if not (live_first.all() and live_second.all()):
        both = np.ix_(rows, columns)
        similarity, alignment = similarity[both], alignment[both]
    i, j = linear_sum_assignment(similarity, maximize=True)
    best_first, best_second = np.full(len(first), np.nan), np.full(len(second), np.nan)
    if similarity.size:
        best_first[rows], best_second[columns] = similarity.max(axis=1), similarity.max(axis=0)
    return Matching(
        pairs=np.column_stack([rows[i], columns[j]]).astype(np.int64),
        similarity=similarity[i, j],
        alignment=alignment[i, j].astype(np.int64),
        best_first=best_first,
        best_second=best_second,
        dead_first=~live_first,
        dead_second=~live_second,
        threshold=threshold,
        group=group,
    )


def _cosines(
    first: NDArray[np.floating], second: NDArray[np.floating], device: torch.device
) -> NDArray[np.floating]:
    """Cosines (m, n) of unit atoms as they stand."""
    left, right = (as_tensor(atoms).to(device).flatten(1) for atoms in (first, second))
    return (left @ right.T).clamp(-1.0, 1.0).cpu().numpy()


def live_atoms(atoms: NDArray[np.floating]) -> NDArray[np.bool_]:
    """Which atoms of shape (m, order, d) are not zero."""
    return np.asarray(atoms.any(axis=(1, 2)), dtype=np.bool_)
