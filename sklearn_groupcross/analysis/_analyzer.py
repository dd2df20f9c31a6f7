"""`SymmetryAnalyzer`: distances, symmetries and families of a dictionary over a group."""

from __future__ import annotations

from numbers import Integral, Real
from typing import TYPE_CHECKING, Any, Literal, NoReturn

import numpy as np
import pandas as pd
import torch
from numpy.typing import ArrayLike, NDArray
from scipy.sparse import csr_matrix
from scipy.spatial.distance import squareform
from sklearn.base import BaseEstimator, ClusterMixin, _fit_context
from sklearn.pipeline import Pipeline
from sklearn.utils import check_array, check_random_state
from sklearn.utils._param_validation import Interval
from sklearn.utils.validation import check_is_fitted

from .._device import resolve_device
from ..crosscoder import GroupCrosscoder, flatten_orbits
from ..crosscoder._validation import check_group_parameter
from ..groups import FiniteGroup, find_stabilizers
from ._embedding import embed
from ._families import cluster_families, describe_families
from ._kinds import name_kinds
from ._similarity import (
    best_alignment,
    check_n_neighbors,
    nearest_neighbors,
    self_profiles,
    transform_block,
    unit_atoms,
)

# What the distances of all pairs are needed for, and `fit` leaves out where they are too many.
_IN_FULL = ("distances_", "alignment_", "labels_", "families_")
_FROM_THEM = ("similarity_", "embedding_")


class SymmetryAnalyzer(ClusterMixin, BaseEstimator):
    """State how the features of a group crosscoder move under its group.

    Two features are similar if some right translation carries the atom of one to that of the
    other [1]_: ``s_ij = max_h cos(W_i, R_h W_j)``. A feature's own profile, ``cos(W_i, R_h W_i)``,
    says which transformations leave it as it is; features that are one another's transforms
    form a family.

    It reads a dictionary, not data: fit a crosscoder, alone or in a pipeline and a grid search,
    and give it to `fit`.

    Parameters
    ----------
    group : FiniteGroup, optional
        Needed when `fit` is given atoms; a fitted `GroupCrosscoder` brings its own.
    threshold : float, default=0.8
        What a symmetry must reach to be named: see `find_stabilizers`.
    family_distance : float, default=0.4
        Features belong to one family while their average distance is below it.
    max_features_in_full : int, default=16384
        With more features, the distances of all pairs (1.6 GB in float32 at the default, alignment
        included) are not computed, nor what is read off them: families and the map. Neighbours
        are there at any size: `kneighbors_graph`.
    device : str or torch.device, default="auto"
    random_state : int, RandomState instance or None, default=0
        Of the map `embedding_`.
    verbose : int, default=0
        1 shows a progress bar.

    Attributes
    ----------
    distances_ : ndarray of shape (m, m)
        ``1 - s_ij``, in [0, 2], exactly symmetric, zero on the diagonal and between an atom and
        its translates. A dead feature is at distance 1 from every other. For the condensed form:
        `condensed_distances`.
    similarity_ : ndarray of shape (m, m)
        ``1 - distances_``, computed when asked for: 0 between a dead feature and any other.
    alignment_ : ndarray of shape (m, m), int16, or int32 for groups of more than 32768 elements
        ``alignment_[i, j]`` is the h for which ``R_h W_j`` comes closest to ``W_i``.
    dead_ : ndarray of shape (m,), bool
        Features whose atom is zero.
    profiles_ : ndarray of shape (m, order)
        ``cos(W_i, R_h W_i)`` for every element h.
    stabilizers_ : list of Stabilizer
        The largest subgroup that leaves each feature as it is, with the evidence.
    kinds_ : ndarray of shape (m,), of str
        Plain words for the rotation profile: see `KINDS`.
    labels_ : ndarray of shape (m,), int64
        Family of every feature, the largest first; -1 for a feature alone.
    families_ : list of Family
        Medoid, members and poses.
    features_table_ : DataFrame
        One row a feature, all of this in words; without families where they are left out.
    components_ : ndarray of shape (m, order * n_channels)
        The atoms analysed.
    group_ : FiniteGroup

    References
    ----------
    .. [1] Gorton (2024), "Group crosscoders for mechanistic analysis of symmetry",
       arXiv:2410.24184.

    Examples
    --------
    >>> from sklearn_groupcross import Dihedral, SymmetryAnalyzer, make_orbits
    >>> planted = make_orbits(10, group=Dihedral(4), n_families=2, random_state=2)
    >>> atoms = planted.components.reshape(len(planted.components), -1)
    >>> analysis = SymmetryAnalyzer(group=Dihedral(4)).fit(atoms)
    >>> len(analysis.families_), analysis.stabilizers_[0].name
    (2, 'D2: half turn and mirrors (axis 45°, 135°)')
    """

    _parameter_constraints: dict[str, list[Any]] = {
        "group": [FiniteGroup, None],
        "threshold": [Interval(Real, 0, 1, closed="neither")],
        "family_distance": [Interval(Real, 0, 2, closed="both")],
        "max_features_in_full": [Interval(Integral, 1, None, closed="left")],
        "device": [str, torch.device],
        "random_state": ["random_state"],
        "verbose": ["verbose"],
    }

    def __init__(
        self,
        group: FiniteGroup | None = None,
        *,
        threshold: float = 0.8,
        family_distance: float = 0.4,
        max_features_in_full: int = 16384,
        device: str | torch.device = "auto",
        random_state: int | np.random.RandomState | None = 0,
        verbose: int = 0,
    ) -> None:
        self.group = group
        self.threshold = threshold
        self.family_distance = family_distance
        self.max_features_in_full = max_features_in_full
        self.device = device
        self.random_state = random_state
        self.verbose = verbose

    @_fit_context(prefer_skip_nested_validation=True)
    def fit(self, X: GroupCrosscoder | ArrayLike, y: Any = None) -> SymmetryAnalyzer:
        """Analyse a dictionary.

        Parameters
        ----------
        X : GroupCrosscoder or array-like of shape (m, order * n_channels)
            A fitted crosscoder; or atoms, flat or of shape (m, order, n_channels), with `group`
            given. Codes are not atoms, but cannot be told from them: the analyzer does not go
            behind a crosscoder in a `~sklearn.pipeline.Pipeline`, where it would get codes.
        y : Ignored

        Returns
        -------
        self : SymmetryAnalyzer

        Raises
        ------
        ValueError
            If atoms come without a group, do not divide into its blocks, or are not finite.
        TypeError
            If X is a pipeline: its last step holds the atoms.
        """
        self.components_, self.group_ = self._resolve(X)
        self.n_features_in_ = self.components_.shape[1]
        self.dead_ = ~np.asarray(self.components_.any(axis=1))
        atoms = unit_atoms(self.components_, self.group_.order)
        self.profiles_ = self_profiles(atoms, self.group_)
        self.stabilizers_ = find_stabilizers(self.group_, self.profiles_, self.threshold)
        self.kinds_ = name_kinds(self.profiles_, self.group_)
        self.kinds_[self.dead_] = "dead"
        for name in _IN_FULL:  # of an earlier fit
            self.__dict__.pop(name, None)
        if len(atoms) <= self.max_features_in_full:
            self._compare(atoms)
        self.features_table_ = self._tabulate()
        self._seed = int(check_random_state(self.random_state).randint(2**31 - 1))
        self._embedding: NDArray[np.float32] | None = None
        return self

    def kneighbors_graph(
        self, n_neighbors: int = 15, mode: Literal["distance", "connectivity"] = "distance"
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
        if mode not in ("distance", "connectivity"):
            raise ValueError(f"mode is 'distance' or 'connectivity'; got {mode!r}.")
        alive = ~self.dead_
        check_n_neighbors(n_neighbors, alive)
        if "distances_" in vars(self):
            distances, indices = self._sorted_rows(n_neighbors)
        else:
            distances, indices, _ = nearest_neighbors(
                unit_atoms(self.components_, self.group_.order),
                self.group_,
                n_neighbors,
                resolve_device(self.device),
                progress=bool(self.verbose),
            )
        values = distances[alive] if mode == "distance" else np.ones_like(distances[alive])
        starts = np.concatenate([[0], np.cumsum(alive * n_neighbors)])
        shape = (len(alive), len(alive))
        return csr_matrix((values.ravel(), indices[alive].ravel(), starts), shape=shape)

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
    def similarity_(self) -> NDArray[np.floating]:
        """Largest cosine over all right translations, ``1 - distances_``, of shape (m, m)."""
        return 1.0 - self.distances_

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

        Computed when it is first asked for: importing and compiling UMAP takes many seconds.
        """
        check_is_fitted(self)
        if self._embedding is None:
            self._embedding = embed(self.distances_, self._seed)
        return self._embedding

    if not TYPE_CHECKING:  # a type checker would take every misspelt attribute for this

        def __getattr__(self, name: str) -> NoReturn:
            """Say why something that `fit` did not set is missing."""
            if name in (*_IN_FULL, *_FROM_THEM) and "components_" in vars(self):
                m = len(self.components_)
                raise AttributeError(
                    f"{name} needs the distances of all pairs of {m} features, and "
                    f"max_features_in_full={self.max_features_in_full}. kneighbors_graph gives "
                    f"neighbours at any size; max_features_in_full={m} before fit, all pairs."
                )
            raise AttributeError(f"{type(self).__name__!r} object has no attribute {name!r}")

    def _validate_params(self) -> None:
        check_group_parameter(self)
        super()._validate_params()

    def _resolve(self, X: GroupCrosscoder | ArrayLike) -> tuple[NDArray[np.floating], FiniteGroup]:
        dtypes = [np.float32, np.float64]
        if isinstance(X, GroupCrosscoder):
            check_is_fitted(X)
            if self.group is not None and self.group != X.group_:
                raise ValueError(
                    f"The analyzer was given {self.group!r}, the crosscoder has {X.group_!r}."
                )
            return check_array(X.components_, dtype=dtypes, input_name="components_"), X.group_
        if isinstance(X, Pipeline):
            raise TypeError(
                "X is a Pipeline; the atoms are in its last step: pass pipeline[-1]. Behind a "
                "scaler they are in scaled units, which matters where it has one factor a channel."
            )
        if self.group is None:
            raise ValueError("Atoms alone do not name their group: SymmetryAnalyzer(group=...).")
        flat = flatten_orbits(X, self.group)
        atoms = check_array(flat, dtype=dtypes, input_name="atoms")
        if atoms.shape[1] % self.group.order:
            raise ValueError(
                f"Atoms have {atoms.shape[1]} columns; {self.group!r} has {self.group.order} "
                f"elements, so the number of columns must be a multiple of {self.group.order}."
            )
        return atoms, self.group

    def _compare(self, atoms: NDArray[np.floating]) -> None:
        """Compare all pairs of features, and find families."""
        self.alignment_: NDArray[Any]
        similarity, self.alignment_ = best_alignment(
            atoms, None, self.group_, resolve_device(self.device), progress=bool(self.verbose)
        )
        self.distances_ = np.subtract(1.0, similarity, out=similarity)
        self.labels_ = cluster_families(self.distances_, ~self.dead_, self.family_distance)
        self.families_ = describe_families(
            self.labels_, self.distances_, self.alignment_, self.stabilizers_
        )

    def _sorted_rows(self, k: int) -> tuple[NDArray[np.floating], NDArray[np.int64]]:
        """First k of every row of `distances_`, and their columns; of equal ones the first."""
        m, step = len(self.distances_), 256
        values, columns = np.empty((m, k), self.distances_.dtype), np.empty((m, k), np.int64)
        for start in range(0, m, step):
            rows = np.arange(start, min(start + step, m))
            part = self.distances_[rows]
            part[:, self.dead_] = np.inf
            part[np.arange(len(rows)), rows] = np.inf
            columns[rows] = np.argsort(part, axis=1, kind="stable")[:, :k]
            values[rows] = np.take_along_axis(part, columns[rows], axis=1)
        return values, columns

    def _tabulate(self) -> pd.DataFrame:
        runners_up = [s.runner_up.name if s.runner_up else "" for s in self.stabilizers_]
        table = pd.DataFrame(
            {
                "kind": self.kinds_,
                "symmetry": [s.name for s in self.stabilizers_],
                "energy": [s.energy for s in self.stabilizers_],
                "margin": [s.margin for s in self.stabilizers_],
                "runner_up": runners_up,
                "norm": np.linalg.norm(self.components_, axis=1),
            },
            index=pd.RangeIndex(len(self.kinds_), name="feature"),
        )
        if "families_" in vars(self):
            poses = {
                member: self.group_.describe_element(pose)
                for family in self.families_
                for member, pose in zip(family.members, family.poses, strict=True)
            }
            table.insert(5, "family", self.labels_)
            table.insert(6, "pose", [poses.get(i, "") for i in table.index])
        return table
