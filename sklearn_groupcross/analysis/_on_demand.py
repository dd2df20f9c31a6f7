"""What an analyzer gives of pairs of features, and what it computes when it is asked."""

from __future__ import annotations

from typing import Any, Literal

import numpy as np
import torch
from numpy.typing import NDArray
from scipy.sparse import csr_matrix
from scipy.spatial.distance import squareform
from sklearn.utils.validation import check_is_fitted

from .._ambient import own_state
from .._device import resolve_device
from ..groups import FiniteGroup
from ._embedding import embed
from ._equivariance import Equivariance, equivariance_index
from ._grouping import N_NEIGHBORS
from ._neighbors import MODES, nearest_in_rows, neighbors_graph
from ._similarity import check_n_neighbors, nearest_neighbors, transform_block, unit_atoms

# Attributes that are computed when they are asked for, and where they are kept, if they are.
_ON_DEMAND = {
    "similarity_": None,
    "embedding_": "_embedding",
    "equivariance_": "_equivariance",
}


class OnDemand:
    """The part of `SymmetryAnalyzer` that is asked after `fit`, which says what all of it means."""

    components_: NDArray[np.floating]
    dead_: NDArray[np.bool_]
    group_: FiniteGroup
    max_features_in_full: int
    device: str | torch.device
    verbose: int
    _seed: int

    def _forget_pairs(self) -> None:
        """Drop what an earlier fit has left."""
        for name in ("_distances", "_alignment", "_embedding", "_equivariance"):
            self.__dict__.pop(name, None)

    @own_state()
    def kneighbors_graph(
        self,
        n_neighbors: int = N_NEIGHBORS,
        mode: Literal["distance", "connectivity"] = "distance",
    ) -> csr_matrix:
        """Nearest neighbours of every feature, at any number of features.

        Read off `distances_` where they are there; computed in bounded memory where they are not.
        scikit-learn's estimators take it with ``metric="precomputed"``.

        Parameters
        ----------
        n_neighbors : int, default=15
        mode : {"distance", "connectivity"}, default="distance"
            Distances, or 1 for every neighbour.

        Returns
        -------
        graph : csr_matrix of shape (m, m)
            ``n_neighbors`` entries in each row, sorted by distance, the feature itself not among
            them; distances of 0 are kept as explicit zeros. Dead features have no neighbours and
            are nobody's: their rows are empty.

        Raises
        ------
        ValueError
            If there are not as many other live features, or `mode` is unknown.
        """
        check_is_fitted(self)
        if mode not in MODES:
            raise ValueError(f"mode is 'distance' or 'connectivity'; got {mode!r}.")
        alive = ~self.dead_
        check_n_neighbors(n_neighbors, alive)
        if "_distances" in vars(self):
            distances, indices = nearest_in_rows(self.distances_, self.dead_, n_neighbors)
        else:
            distances, indices = nearest_neighbors(
                unit_atoms(self.components_, self.group_.order),
                self.group_,
                n_neighbors,
                resolve_device(self.device),
                progress=bool(self.verbose),
            )
        return neighbors_graph(distances, indices, alive, mode)

    @own_state()
    def condensed_distances(self) -> NDArray[np.floating]:
        """Distances of all pairs i < j, row after row: the condensed form of scipy.

        Returns
        -------
        condensed : ndarray of shape (m * (m - 1) / 2,)
            What `scipy.cluster.hierarchy.linkage` takes; `scipy.spatial.distance.squareform`
            takes it back.
        """
        check_is_fitted(self)
        return squareform(self.distances_, checks=False)

    @property
    def distances_(self) -> NDArray[np.floating]:
        """``1 - s_ij`` of all pairs, of shape (m, m)."""
        return self._of_all_pairs("distances_", "_distances")

    @property
    def alignment_(self) -> NDArray[np.signedinteger]:
        """The h for which ``R_h W_j`` comes closest to ``W_i``, of shape (m, m)."""
        return self._of_all_pairs("alignment_", "_alignment")

    def _of_all_pairs(self, name: str, kept: str) -> Any:
        """What `fit` keeps of all pairs of features, if they were not too many.

        Raises
        ------
        AttributeError
            Where they were, so that `hasattr` and `dir` pass over it.
        """
        check_is_fitted(self)
        if kept not in vars(self):
            m = len(self.components_)
            raise AttributeError(
                f"{name} needs the distances of all pairs of {m} features, and "
                f"max_features_in_full={self.max_features_in_full}. kneighbors_graph gives "
                f"neighbours at any size; max_features_in_full={m} before fit, all pairs."
            )
        return vars(self)[kept]

    @property
    def similarity_(self) -> NDArray[np.floating]:
        """Largest cosine over all right translations, ``1 - distances_``, of shape (m, m)."""
        return 1.0 - self._of_all_pairs("similarity_", "_distances")

    @own_state()
    def transform_blocks(self, feature: int) -> NDArray[np.floating]:
        """Cosine of every pair of blocks of one atom, ``T[g, h] = cos(W[g], W[h])``.

        Parameters
        ----------
        feature : int

        Returns
        -------
        block : ndarray of shape (order, order)
            For a dihedral group rotations stand top left and bottom right, reflections in the
            other two quadrants (Gorton 2024).
        """
        check_is_fitted(self)
        return transform_block(self.components_[feature].reshape(self.group_.order, -1))

    @property
    def embedding_(self) -> NDArray[np.float32]:
        """UMAP of the distances in the plane, of shape (m, 2).

        Computed when it is first asked for: the first map of a process imports UMAP, that of an
        installation compiles it as well, which takes seconds, and with `verbose` its bar says so.
        """
        check_is_fitted(self)
        if "_embedding" not in vars(self):
            distances = self._of_all_pairs("embedding_", "_distances")
            with own_state():
                self._embedding = embed(distances, self._seed, progress=bool(self.verbose))
        return self._embedding

    @property
    def equivariance_(self) -> Equivariance:
        """Equivariance index of every atom, with its controls: see `equivariance_index`."""
        check_is_fitted(self)
        if "_equivariance" not in vars(self):
            self._equivariance = equivariance_index(self.components_, self.group_)
        return self._equivariance

    def __dir__(self) -> list[str]:
        """Leave out what would have to be computed.

        scikit-learn's HTML representation, and much else that looks at objects, asks for the value
        of every name that is listed: in a notebook, to show the analyzer would run UMAP.
        """
        computed = vars(self)
        absent = {name for name, kept in _ON_DEMAND.items() if kept not in computed}
        # not super(): scikit-learn's own method asks for every value, to leave out what raises
        listed = object.__dir__(self)
        return [name for name in listed if name not in absent and hasattr(self, name)]
