"""`diagnose`: the known ways in which a group crosscoder fails, named where they are seen."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray
from sklearn.pipeline import Pipeline
from sklearn.utils.validation import check_is_fitted

from .._ambient import own_state
from .._plain import as_numpy, as_plain
from ..crosscoder import codes_of_activations, flatten_orbits
from ..groups import FiniteGroup
from ..model_selection import Statistics, collect_statistics
from ._data_signatures import find_poor_reconstruction, find_unequal_blocks
from ._finding import Finding
from ._fit_signatures import (
    find_disagreement,
    find_features_alone,
    find_few_firings,
    find_gap,
)
from ._found_again import found_again
from ._signatures import (
    find_flat_profiles,
    find_no_clusters,
    find_partners,
    find_unaligned_blocks,
    find_wasted_atoms,
)
from ._similarity import unit_atoms

# Rows on which block norms are compared: evenly spaced, so that all images are among them.
_ROWS = 2000
# Some orders of the blocks keep enough products that a third of the features have partners.
_MOST = 0.5


@own_state()
def diagnose(
    analysis: Any,
    crosscoder: Any = None,
    orbits: ArrayLike | None = None,
    *,
    others: Sequence[Any] = (),
    statistics: Statistics | None = None,
    random_state: int | np.random.RandomState | None = 0,
) -> list[Finding]:
    """Name what looks wrong with a dictionary, its data or both.

    The paper's signatures of failure [1]_, no clear clusters, the same similarity at every
    transformation and a high reconstruction loss, and those that experience added. Each is held
    against a limit that says in the finding where it comes from.

    Parameters
    ----------
    analysis : SymmetryAnalyzer
        Fitted.
    crosscoder : GroupCrosscoder or Pipeline, optional
        The one that was analysed. Its training is looked at, and it is asked for codes and
        reconstructions of `orbits`.
    orbits : array-like of shape (n_samples, order, n_channels) or flat, optional
        As the crosscoder reads them; better such as it was not trained on.
    others : sequence of GroupCrosscoder or array-like of shape (n, order * n_channels)
        Dictionaries that other seeds gave of the same data, to be found again in. Default: those
        that the analysis was fitted with.
    statistics : Statistics, optional
        Of the crosscoder on these orbits, where they are known already: of
        `~sklearn_groupcross.model_selection.collect_statistics` with ``keep_rows=True``.
    random_state : int, RandomState instance or None, default=0
        Of the shuffled controls.

    Returns
    -------
    findings : list of Finding
        Empty when all is well.

    Raises
    ------
    ValueError
        If the crosscoder has other atoms than were analysed, the orbits do not fit the group, or
        statistics hold no rows.

    References
    ----------
    .. [1] Gorton (2024), "Group crosscoders for mechanistic analysis of symmetry",
       arXiv:2410.24184.

    Examples
    --------
    >>> from sklearn_groupcross import Dihedral, SymmetryAnalyzer, make_orbits
    >>> from sklearn_groupcross.analysis import diagnose
    >>> planted = make_orbits(100, group=Dihedral(4), random_state=0)
    >>> analysis = SymmetryAnalyzer(group=Dihedral(4)).fit(planted.components)
    >>> diagnose(analysis, orbits=planted.orbits)
    []
    """
    check_is_fitted(analysis)
    group, components = analysis.group_, analysis.components_
    dead = ~components.any(axis=1)
    silent = dead.copy()
    findings: list[Finding | None] = []
    some = None
    if crosscoder is not None:
        findings.append(find_few_firings(_last_step(crosscoder, components)))
    if orbits is not None:
        if crosscoder is not None:
            if statistics is None:
                statistics = collect_statistics(crosscoder, orbits, keep_rows=True)
            found, never_fired = _reconstruct(statistics)
            silent |= never_fired
            findings += found
        some = _some_orbits(orbits, group)
        findings.append(find_unequal_blocks(some))
    atoms = unit_atoms(components, group.order)
    findings += find_wasted_atoms(atoms, silent)
    # what never fires has learned nothing: its atom says nothing of the group
    alive = atoms[~silent]
    findings.append(find_flat_profiles(analysis.profiles_[~silent], analysis.threshold, some))
    partners = find_partners(alive, group, random_state)
    if partners is not None:
        no_clusters = find_no_clusters(partners)
        findings.append(no_clusters)
        if no_clusters is None:
            findings.append(find_features_alone(analysis.labels_[~silent]))
        # atoms of unrelated blocks show that these are in order by being one another's translates
        if partners.share <= _MOST:
            findings.append(find_unaligned_blocks(alive, group, random_state))
    again = found_again(components, others, group=group) if others else analysis.found_again_
    findings.append(find_disagreement(again))
    return [finding for finding in findings if finding is not None]


def _last_step(crosscoder: Any, components: NDArray[np.floating]) -> Any:
    """Give the crosscoder, at the end of a pipeline or alone, that was analysed.

    Raises
    ------
    ValueError
        If it is another one.
    """
    fitted = crosscoder[-1] if isinstance(crosscoder, Pipeline) else crosscoder
    check_is_fitted(fitted)
    if not np.array_equal(fitted.components_, components):
        raise ValueError(
            "The crosscoder's atoms are not those that were analysed: pass the crosscoder that "
            "the analyzer was fitted on, or fit the analyzer again."
        )
    return fitted


def _reconstruct(statistics: Statistics) -> tuple[list[Finding | None], NDArray[np.bool_]]:
    """Whether reconstructions are poor, here or alone, and which atoms never fire."""
    if len(statistics.rows) == 0:
        raise ValueError("statistics hold no rows: collect_statistics(..., keep_rows=True).")
    fitted = statistics.crosscoder
    shape = (len(statistics.rows), fitted.group_.order, -1)
    reconstructions = fitted.inverse_transform(statistics.row_codes)
    poor = find_poor_reconstruction(statistics.rows.reshape(shape), reconstructions.reshape(shape))
    gap = find_gap(fitted, statistics.explained_variance) if statistics.n_samples > 1 else None
    fired = statistics.fired
    if fitted.augment and fitted.encoder_input == "identity":
        # it was trained on transformed inputs too, and may have features that no upright one has
        for block in np.moveaxis(statistics.rows.reshape(shape), 1, 0)[1:]:
            if fired.all():
                break
            fired = fired | (codes_of_activations(fitted, block) > 0).any(axis=0)
    return [poor, gap], ~fired


def _some_orbits(orbits: Any, group: FiniteGroup) -> NDArray[np.floating]:
    """Evenly spaced orbits as blocks."""
    orbits = as_plain(orbits, "orbits")
    rows = orbits if hasattr(orbits, "shape") else np.asarray(orbits)
    chosen = np.unique(np.linspace(0, len(rows) - 1, min(len(rows), _ROWS)).astype(np.int64))
    picked = rows.iloc[chosen] if hasattr(rows, "iloc") else rows[chosen]
    flat = np.asarray(flatten_orbits(np.asarray(as_numpy(picked)), group), dtype=np.float32)
    if flat.shape[1] % group.order:
        raise ValueError(
            f"Orbits have {flat.shape[1]} columns; {group!r} has {group.order} elements, so the "
            f"number of columns must be a multiple of {group.order}."
        )
    return flat.reshape(len(flat), group.order, -1)
