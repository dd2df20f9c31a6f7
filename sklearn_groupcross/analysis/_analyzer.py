"""`SymmetryAnalyzer`: distances, symmetries and families of a dictionary over a group."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from importlib import import_module
from numbers import Integral, Real
from typing import Any

import numpy as np
import torch
from numpy.typing import ArrayLike, NDArray
from sklearn.base import BaseEstimator, ClusterMixin
from sklearn.utils import check_random_state
from sklearn.utils.validation import check_is_fitted

from .._ambient import own_state
from .._device import resolve_device
from .._estimator_html import ShowsWhatWasLearned
from .._sklearn import Interval, StrOptions, fit_context
from .._stacks._validation import check_group_parameter
from .._whole import all_or_nothing
from ..crosscoder import GroupCrosscoder
from ..groups import FiniteGroup, with_names
from ..model_selection import Statistics
from ._atoms import check_is_no_orbits, resolve_atoms
from ._clustering import METHODS
from ._compatibility import Symmetries
from ._diagnosis import diagnose
from ._evidence import ProfileEvidence
from ._family_names import Kin, pooled
from ._features_table import features_table
from ._finding import Finding
from ._grouping import compare_features, describe_grouping, group_features
from ._kinds import WORDS, NamedKinds, add_families, find_kinds, keep_carried
from ._naming import (
    Rates,
    confirm_by_images,
    explain_missing,
    name_atoms,
    name_families,
    resolve_images,
)
from ._notebook import analysis_html
from ._on_demand import OnDemand
from ._responses import not_stated
from ._similarity import unit_atoms
from ._spectra import profiles_and_power
from ._tuning import AngleTuning, angle_tuning


class SymmetryAnalyzer(ShowsWhatWasLearned, OnDemand, ClusterMixin, BaseEstimator):
    """State how the features of a group crosscoder move under its group.

    Two features are similar if some right translation carries the atom of one to that of the
    other [1]_: ``s_ij = max_h cos(W_i, R_h W_j)``. A feature's own profile, ``cos(W_i, R_h W_i)``,
    says which transformations leave it as it is; features that are one another's transforms
    form a family.

    It reads a dictionary: fit a crosscoder, alone or in a pipeline and a grid search, and give it
    to `fit`. With orbits of images beside it, symmetries are named with a stated error rate.

    Parameters
    ----------
    group : FiniteGroup or str, optional
        Needed when `fit` is given atoms; a fitted `GroupCrosscoder` brings its own. Or its name,
        such as ``"dihedral:4"``: see `as_group`. That of an action, ``action.group``, has the
        names in whose words everything is told; stores and crosscoders fitted on them know them.
    threshold : float, default=0.8
        What a symmetry must reach to be named: see `find_stabilizers`.
    margin : float, default=0.1
        In [0, threshold). With orbits: a feature whose true energy, or whose true correlation of
        responses, lies by as much below its threshold is given that symmetry with a probability
        of at most `error_rate`, by each of the two. Features that fire on too few images for one
        of them are named without it.
    error_rate : float, default=0.05
    response_threshold : float, default=0.5
        With orbits: how alike, in terms of correlation, the codes of an input and of the
        transformed input must be for a symmetry of the atom to be stated of the feature; see
        `stabilizers_`.
    refit : bool, default=True
        With orbits: refit atoms on bags of images, for `confidence_` and names whose error rate
        is that of the atom as well. Otherwise atoms are named as they stand, and the responses
        alone decide what is stated: faster, and what fires on few images keeps its name.
    family_method : {"auto", "average", "hdbscan", "graph"}, default="auto"
        How families are found: see `cluster_families`. ``"auto"`` is ``"average"``, and
        ``"graph"`` with more than `max_features_in_full` features.
    family_distance : float or "auto", default="auto"
        With ``"average"`` features belong to one family while their average distance is below it;
        see `cluster_families` for the others. ``"auto"``: so near that of atoms as smooth, with
        nothing in common with the dictionary, two in a hundred find a feature of it nearer; within
        [0.1, 0.6].
    max_features_in_full : int, default=16384
        With more features, the distances of all pairs (1.6 GB in float32 at the default, alignment
        included) are not computed, nor the map, which is read off them. Families then come from
        the graph of the 15 nearest neighbours, which is there at any size: `kneighbors_graph`.
    kind_words : {"auto", "plane", "group"}, default="auto"
        How kinds are worded. ``"auto"``: as those of pictures for a `PlanarGroup`, as how much of
        the group leaves a feature as it is for all others, groups that an action named among them.
        See `name_kinds`.
    device : str or torch.device, default="auto"
    random_state : int, RandomState instance or None, default=0
        Of the map `embedding_`, of the bags of images, of the controls of `diagnose` and of the
        strangers by which a family distance is chosen.
    verbose : int, default=0
        1 shows a progress bar.

    Attributes
    ----------
    distances_ : ndarray of shape (m, m)
        ``1 - s_ij``, in [0, 2], exactly symmetric, zero on the diagonal and between an atom and
        its translates. A dead feature is at distance 1 from every other. For the condensed form:
        `condensed_distances`.
    similarity_ : ndarray of shape (m, m)
        ``1 - distances_``, computed when asked for: 0 between a dead feature and any other. Like
        `embedding_` and `equivariance_` it is not listed by `dir`, nor shown, until then.
    alignment_ : ndarray of shape (m, m), int16, or int32 for groups of more than 32768 elements
        ``alignment_[i, j]`` is the h for which ``R_h W_j`` comes closest to ``W_i``.
    dead_ : ndarray of shape (m,), bool
        Features whose atom is zero.
    profiles_ : ndarray of shape (m, order)
        ``cos(W_i, R_h W_i)`` for every element h.
    spectra_ : ndarray of shape (m, n_irreps)
        Share of each atom's energy in every irrep of ``group_.irreps``; rows sum to 1.
    stabilizers_ : list of Stabilizer
        What is stated of each feature. Without orbits that is `atom_stabilizers_`; with them, the
        largest subgroup of it that the responses carry too. Where these are unknown, which
        `responses_` and the table say, it is that of the atom.
    atom_stabilizers_ : list of Stabilizer
        The largest subgroup that leaves each atom as it is, with the evidence. Members of a family
        have one, conjugated to their poses: that of their mean profile.
    own_stabilizers_ : list of Stabilizer
        Of every atom by itself, whatever its family. Of features that fire on too few images,
        whose `confidence_` is NaN, that of the atom as it stands.
    responses_ : Responses
        How alike features fire on inputs and transformed inputs, if there were orbits of which the
        encoder reads one block.
    confidence_ : ndarray of shape (m,)
        Share of resamples of the images in which a feature's symmetry, or that of its family, has
        the same class. NaN without orbits or with ``refit=False``, and for features that fire on
        too few images: the column ``confidence_remark`` says which.
    evidence_ : ProfileEvidence or None
        Standard errors and bounds behind them, if there were orbits.
    equivariance_ : Equivariance
        How much of the transform blocks depends on ``g⁻¹h`` alone; computed when asked for.
    kinds_ : ndarray of shape (m,), of str
        Plain words for the rotation profile of each feature by itself: see `KINDS`. A family has
        that of its mean profile; the column ``remark`` says it where a member has none of its own.
        With orbits, what the responses do not carry is ``"other"``; the table says what the atom
        is.
    found_again_ : ndarray of shape (m,)
        Share of the other runs given to `fit` that find each feature again: see `found_again`. NaN
        without others, and for dead features.
    tuning_ : AngleTuning
        Period, half-width and mirror axis of every feature in degrees; NaN where dead.
    labels_ : ndarray of shape (m,), int64
        Family of every feature, the largest first; -1 for a feature alone.
    families_ : list of Family
        Medoid, members, poses and the poses that nothing covers.
    family_distance_ : float
        The one chosen, or as given.
    features_table_ : DataFrame
        One row a feature, all of this in words.
    families_table_ : DataFrame
        One row a family: see `families_table`; ``found_again`` is the mean of its members.
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
        "group": [FiniteGroup, str, None],
        "threshold": [Interval(Real, 0, 1, closed="neither")],
        "margin": [Interval(Real, 0, 1, closed="left")],
        "error_rate": [Interval(Real, 0, 1, closed="neither")],
        "response_threshold": [Interval(Real, 0, 1, closed="left")],
        "refit": ["boolean"],
        "family_method": [StrOptions({"auto", *METHODS})],
        "family_distance": [Interval(Real, 0, 2, closed="both"), StrOptions({"auto"})],
        "max_features_in_full": [Interval(Integral, 1, None, closed="left")],
        "kind_words": [StrOptions(set(WORDS))],
        "device": [str, torch.device],
        "random_state": ["random_state"],
        "verbose": ["verbose"],
    }

    def __init__(
        self,
        group: FiniteGroup | str | None = None,
        *,
        threshold: float = 0.8,
        margin: float = 0.1,
        error_rate: float = 0.05,
        response_threshold: float = 0.5,
        refit: bool = True,
        family_method: str = "auto",
        family_distance: float | str = "auto",
        max_features_in_full: int = 16384,
        kind_words: str = "auto",
        device: str | torch.device = "auto",
        random_state: int | np.random.RandomState | None = 0,
        verbose: int = 0,
    ) -> None:
        self.group = group
        self.threshold = threshold
        self.margin = margin
        self.error_rate = error_rate
        self.response_threshold = response_threshold
        self.refit = refit
        self.family_method = family_method
        self.family_distance = family_distance
        self.max_features_in_full = max_features_in_full
        self.kind_words = kind_words
        self.device = device
        self.random_state = random_state
        self.verbose = verbose

    @fit_context(prefer_skip_nested_validation=True)
    @own_state()
    def fit(
        self,
        X: GroupCrosscoder | ArrayLike,
        y: Any = None,
        *,
        orbits: Any = None,
        image_ids: ArrayLike | None = None,
        others: Sequence[Any] | Mapping[str, Any] | None = None,
    ) -> SymmetryAnalyzer:
        """Analyse a dictionary.

        Parameters
        ----------
        X : GroupCrosscoder or array-like of shape (m, order * n_channels)
            A fitted crosscoder; or atoms, flat or of shape (m, order, n_channels), with `group`
            given. Codes are not atoms: the analyzer does not go behind a crosscoder in a
            `~sklearn.pipeline.Pipeline`, where it would get codes, and says so.
        y : Ignored
            What has as many dimensions as orbits have is refused, since orbits go to `orbits`.
        orbits : array or OrbitStore of shape (n_samples, order, n_channels), optional
            Orbits as the crosscoder reads them, better such as it was not trained on. Their
            images are resampled for `confidence_` and for names with a stated error rate.
        image_ids : array-like of shape (n_samples,), optional
            The image of each orbit. Default: what the store says.
        others : sequence, or mapping of names, of GroupCrosscoder or array-like, optional
            Dictionaries of other seeds, such as the rest of a `crosscoder_ensemble`, in which
            features are looked up: see `found_again`.

        Returns
        -------
        self : SymmetryAnalyzer

        Raises
        ------
        ValueError
            If X are codes, or atoms that come without a group, do not divide into its blocks, or
            are not finite; if orbits are passed as y; if the group has more than 128 elements,
            whose subgroups cannot all be listed; if orbits do not fit, or nothing says of which
            images they are; if others are none, or of another group or layer.
        TypeError
            If X is a pipeline, a search or another estimator, a path or nothing at all: the
            message says where the atoms are. Or orbits come with atoms alone.
        """
        check_is_no_orbits(y)
        with all_or_nothing(self):
            self._analyze(X, orbits, image_ids, others)
        return self

    def fit_predict(self, X: GroupCrosscoder | ArrayLike, y: Any = None, **kwargs: Any) -> Any:
        """Analyse a dictionary, and return the family of every feature: see `fit`.

        Parameters
        ----------
        X : GroupCrosscoder or array-like of shape (m, order * n_channels)
        y : Ignored
        **kwargs
            Keyword arguments of `fit`.

        Returns
        -------
        labels : ndarray of shape (m,), int64
        """
        return self.fit(X, y, **kwargs).labels_

    def _analyze(
        self,
        X: GroupCrosscoder | ArrayLike,
        orbits: Any,
        image_ids: ArrayLike | None,
        others: Sequence[Any] | Mapping[str, Any] | None,
    ) -> None:
        self.components_, group = resolve_atoms(X, self.group, "X")
        self.group_ = with_names(group, getattr(orbits, "group", None))
        self.group_.subgroups()  # a group too large for names is refused before the work
        self.n_features_in_ = self.components_.shape[1]
        self._seed = int(check_random_state(self.random_state).randint(2**31 - 1))
        self._forget_pairs()
        self.dead_ = ~np.asarray(self.components_.any(axis=1))
        device = resolve_device(self.device)
        atoms = unit_atoms(self.components_, self.group_.order)
        comparison = compare_features(
            atoms,
            others,
            self.group_,
            method=self.family_method,
            family_distance=self.family_distance,
            max_features_in_full=self.max_features_in_full,
            device=device,
            random_state=self._seed,
            progress=bool(self.verbose),
        )
        self.found_again_ = comparison.found_again
        self.profiles_, self.spectra_ = profiles_and_power(atoms, self.group_)
        self.kinds_, remarks = find_kinds(self.profiles_, self.group_, self.kind_words)
        self.kinds_[self.dead_], remarks[self.dead_] = "dead", ""
        self.tuning_ = self._tuning()
        images = None
        if orbits is not None:
            images = resolve_images(
                X,
                orbits,
                image_ids,
                seed=self._seed,
                device=self.device,
                progress=bool(self.verbose),
            )
        rates = Rates(
            self.threshold, self.margin, self.error_rate, self.response_threshold, self.refit
        )
        names = name_atoms(self.group_, self.profiles_, rates, images)
        self.own_stabilizers_ = names.stabilizers
        self.evidence_: ProfileEvidence | None = names.evidence
        symmetries = Symmetries(self.group_, names.profiles, self.own_stabilizers_)
        grouping = group_features(
            atoms, comparison, symmetries, method=self.family_method, device=device
        )
        self.labels_, self.family_distance_ = grouping.labels, comparison.family_distance
        self.atom_stabilizers_, self.confidence_ = name_families(
            self.group_, names, self.profiles_, grouping.kin, rates
        )
        self.stabilizers_, self.responses_ = confirm_by_images(
            names, self.atom_stabilizers_, rates, images
        )
        if self.responses_.profiles is not None:
            self.kinds_, remarks = keep_carried(
                NamedKinds(self.kinds_, remarks),
                self.responses_.profiles,
                self.responses_.known,
                not_stated(self.atom_stabilizers_, self.stabilizers_),
                self.group_,
                self.response_threshold,
                np.array([stated.subgroup.order for stated in self.stabilizers_]),
            )
        of_families = self._kinds_of_families(grouping.kin)
        self.families_, self.families_table_ = describe_grouping(
            grouping,
            atoms,
            self.group_,
            self.atom_stabilizers_,
            of_families,
            device,
        )
        if comparison.distances is not None:
            self._distances, self._alignment = comparison.distances, comparison.alignment
        self.features_table_ = features_table(
            self.group_,
            self.stabilizers_,
            kinds=self.kinds_,
            confidence=self.confidence_,
            confidence_remarks=explain_missing(self.confidence_, names, rates, images),
            labels=self.labels_,
            families=self.families_,
            norms=np.linalg.norm(self.components_, axis=1),
            atom_stabilizers=self.atom_stabilizers_,
            responses=self.responses_,
            remarks=add_families(NamedKinds(self.kinds_, remarks), of_families),
            tuning=self.tuning_,
            own_stabilizers=self.own_stabilizers_,
        )
        self.features_table_["found_again"] = self.found_again_
        self.families_table_["found_again"] = [
            self.found_again_[list(family.members)].mean() for family in self.families_
        ]

    @own_state()
    def diagnose(
        self,
        crosscoder: GroupCrosscoder | None = None,
        orbits: Any = None,
        *,
        others: Sequence[Any] = (),
        statistics: Statistics | None = None,
    ) -> list[Finding]:
        """Name what looks wrong with the dictionary, its data or both: see `diagnose`.

        Parameters
        ----------
        crosscoder : GroupCrosscoder or Pipeline, optional
            The one that was analysed; for its training and its reconstructions.
        orbits : array-like of shape (n_samples, order, n_channels) or flat, optional
        others : sequence of GroupCrosscoder or array-like of shape (n, order * n_channels)
            Dictionaries that other seeds gave of the same data. Default: those given to `fit`.
        statistics : Statistics, optional
            Of the crosscoder on these orbits, where they are known already: of
            `~sklearn_groupcross.model_selection.collect_statistics` with ``keep_rows=True``.

        Returns
        -------
        findings : list of Finding
            Empty when all is well.
        """
        check_is_fitted(self)
        return diagnose(
            self,
            crosscoder,
            orbits,
            others=others,
            statistics=statistics,
            random_state=self._seed,
        )

    def explore(self, *material: Any, **options: Any) -> Any:
        """Show the explorer of this analysis in a notebook.

        Parameters
        ----------
        *material
            Crosscoder, dataset and orbits, as far as they are at hand.
        **options
            See `sklearn_groupcross.report.explore`.

        Returns
        -------
        explorer : Explorer
            A notebook shows it; ``explorer.save("explorer.html")`` writes it to a file.

        Raises
        ------
        ImportError
            If jinja2 or matplotlib is missing.
        """
        check_is_fitted(self)
        # by name: the room of reports is built on this one
        report = import_module("sklearn_groupcross.report")
        return report.explore(self, *material, **options)

    def _validate_params(self) -> None:
        check_group_parameter(self)
        super()._validate_params()

    def _tuning(self) -> AngleTuning:
        tuning = angle_tuning(self.profiles_, self.group_)
        for values in (tuning.periods, tuning.half_widths, tuning.axes):
            values[self.dead_] = np.nan
        return tuning

    def _learned_html(self) -> str:
        return analysis_html(self) if "families_table_" in vars(self) else ""

    def _kinds_of_families(self, kin: list[Kin]) -> NDArray[np.object_]:
        """Kinds (m,): of members of a family, that of their mean profile."""
        of_families, _ = find_kinds(
            pooled(self.profiles_, kin, self.group_), self.group_, self.kind_words
        )
        kinds = self.kinds_.copy()
        for family, kind in zip(kin, of_families, strict=True):
            kinds[family.members] = kind
        return kinds
