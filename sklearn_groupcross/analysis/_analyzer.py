"""`SymmetryAnalyzer`: distances, symmetries and families of a dictionary over a group."""

from __future__ import annotations

from numbers import Real
from typing import Any

import numpy as np
import pandas as pd
import torch
from numpy.typing import ArrayLike, NDArray
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
from ._similarity import best_alignment, self_profiles, transform_block, unit_atoms


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
    device : str or torch.device, default="auto"
    random_state : int, RandomState instance or None, default=0
        Of the map `embedding_`.
    verbose : int, default=0
        1 shows a progress bar.

    Attributes
    ----------
    distances_ : ndarray of shape (m, m)
        ``1 - s_ij``, clipped to [0, 2], exactly symmetric, zero on the diagonal.
    alignment_ : ndarray of shape (m, m), int64
        ``alignment_[i, j]`` is the h for which ``R_h W_j`` comes closest to ``W_i``.
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
        One row a feature, all of this in words.
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
        device: str | torch.device = "auto",
        random_state: int | np.random.RandomState | None = 0,
        verbose: int = 0,
    ) -> None:
        self.group = group
        self.threshold = threshold
        self.family_distance = family_distance
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
            If atoms come without a group, or do not divide into its blocks.
        TypeError
            If X is a pipeline: its last step holds the atoms.
        """
        self.components_, self.group_ = self._resolve(X)
        self.n_features_in_ = self.components_.shape[1]
        atoms = unit_atoms(self.components_, self.group_.order)
        similarity, self.alignment_ = best_alignment(
            atoms, self.group_, resolve_device(self.device), progress=bool(self.verbose)
        )
        self.distances_ = np.clip(1.0 - similarity, 0.0, 2.0)
        np.fill_diagonal(self.distances_, 0.0)
        self.profiles_ = self_profiles(atoms, self.group_)
        self.stabilizers_ = find_stabilizers(self.group_, self.profiles_, self.threshold)
        self.kinds_ = name_kinds(self.profiles_, self.group_)
        alive = np.asarray(self.components_.any(axis=1))
        self.kinds_[~alive] = "dead"
        self.labels_ = cluster_families(self.distances_, alive, self.family_distance)
        self.families_ = describe_families(
            self.labels_, self.distances_, self.alignment_, self.stabilizers_
        )
        self.features_table_ = self._tabulate()
        self._seed = int(check_random_state(self.random_state).randint(2**31 - 1))
        self._embedding: NDArray[np.float32] | None = None
        return self

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

    def _validate_params(self) -> None:
        check_group_parameter(self)
        super()._validate_params()

    def _resolve(self, X: GroupCrosscoder | ArrayLike) -> tuple[NDArray[np.floating], FiniteGroup]:
        if isinstance(X, GroupCrosscoder):
            check_is_fitted(X)
            if self.group is not None and self.group != X.group_:
                raise ValueError(
                    f"The analyzer was given {self.group!r}, the crosscoder has {X.group_!r}."
                )
            return X.components_, X.group_
        if isinstance(X, Pipeline):
            raise TypeError(
                "X is a Pipeline; the atoms are in its last step: pass pipeline[-1]. Behind a "
                "scaler they are in scaled units, which matters where it has one factor a channel."
            )
        if self.group is None:
            raise ValueError("Atoms alone do not name their group: SymmetryAnalyzer(group=...).")
        flat = flatten_orbits(X, self.group)
        atoms = check_array(flat, dtype=[np.float32, np.float64], input_name="atoms")
        if atoms.shape[1] % self.group.order:
            raise ValueError(
                f"Atoms have {atoms.shape[1]} columns; {self.group!r} has {self.group.order} "
                f"elements, so the number of columns must be a multiple of {self.group.order}."
            )
        return atoms, self.group

    def _tabulate(self) -> pd.DataFrame:
        poses = {
            member: self.group_.describe_element(pose)
            for family in self.families_
            for member, pose in zip(family.members, family.poses, strict=True)
        }
        runners_up = [s.runner_up.name if s.runner_up else "" for s in self.stabilizers_]
        return pd.DataFrame(
            {
                "kind": self.kinds_,
                "symmetry": [s.name for s in self.stabilizers_],
                "energy": [s.energy for s in self.stabilizers_],
                "margin": [s.margin for s in self.stabilizers_],
                "runner_up": runners_up,
                "family": self.labels_,
                "pose": [poses.get(i, "") for i in range(len(self.labels_))],
                "norm": np.linalg.norm(self.components_, axis=1),
            },
            index=pd.RangeIndex(len(self.labels_), name="feature"),
        )
