"""What a report is about: a dictionary, its analysis, and where its orbits are from."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, cast

import numpy as np
from numpy.typing import ArrayLike, NDArray
from sklearn.utils.validation import check_is_fitted

from .._plain import as_numpy
from ..actions import Action
from ..analysis import Finding, SymmetryAnalyzer
from ..crosscoder import GroupCrosscoder, codes_of_orbits
from ..orbits import OrbitDataset
from ._drawing import Draw
from ._pictures import HasPatches, Inputs, NoPictures, Patches, Pictures


@dataclass(frozen=True, eq=False)
class ReportSubject:
    """A dictionary that a report shows, with whatever is known of it.

    Attributes
    ----------
    analysis : SymmetryAnalyzer
        Fitted on `crosscoder`.
    crosscoder : GroupCrosscoder, optional
        Without it, or without orbits, the page holds what the analysis knows: no inputs, codes and
        frequencies.
    dataset : OrbitDataset, optional
        Where the patches come from, or whatever else has `image_ids` and `patches` of the orbits.
        Of what is no image there is none.
    orbits : array or StoredOrbits of shape (n_samples, order, n_channels), optional
        Default: ``dataset.as_array()``.
    inputs : array-like of shape (n_samples, ...), optional
        What is no image of a dataset, one input for each orbit, to be drawn in place of patches.
        Without them and without a dataset there are no pictures of what excites a feature.
    draw : {"signals", "points", "images"} or callable, default="signals"
        What these are: signals (length,) or (n_channels, length); clouds of points (n_points, 2 or
        3); small images (height, width) or (n_channels, height, width); or a function of one that
        returns a picture (height, width, 3) in [0, 1].
    action : Action, optional
        What the group does to them: the strongest is shown under some of its elements.
    frequencies : ndarray of shape (n_atoms,), optional
        Share of orbits on which each feature fires, best measured on held-out images. Default:
        measured on `orbits`.
    min_frequency : float, default=0.0
        Features that fire less often, or never, are left out.
    summary : mapping, optional
        Lines of the page on the run; a mapping within it is a table of its own.
    findings : sequence of Finding, optional
        What `SymmetryAnalyzer.diagnose` found.
    commands : sequence of str, optional
        That repeat the run.
    visualizations : mapping, optional
        Of features, as `picture_features` makes them.
    name : str, default="this dictionary"
        What it is called beside another.
    """

    analysis: SymmetryAnalyzer
    crosscoder: GroupCrosscoder | None = None
    dataset: HasPatches | None = None
    orbits: Any = None
    inputs: ArrayLike | None = None
    draw: str | Draw = "signals"
    action: Action | None = None
    frequencies: NDArray[np.floating] | None = None
    min_frequency: float = 0.0
    summary: Mapping[str, Any] = field(default_factory=dict)
    findings: Sequence[Finding] | None = None
    commands: Sequence[str] = ()
    visualizations: Mapping[str, Any] | None = None
    name: str = "this dictionary"


@dataclass(frozen=True, eq=False)
class Material:
    """A subject that was checked, with what it lacked.

    Attributes
    ----------
    subject : ReportSubject
    orbits : array or StoredOrbits of shape (n_samples, order, n_channels), or None
    image_ids : ndarray of shape (n_samples,)
    pictures : Pictures
    frequencies : ndarray of shape (n_atoms,)
        0 for features that are left out; 1 for those that are not dead, where nothing was measured.
    """

    subject: ReportSubject
    orbits: Any
    image_ids: NDArray[np.int64]
    pictures: Pictures
    frequencies: NDArray[np.floating]


def resolve_subject(subject: ReportSubject) -> Material:
    """Check a subject, and find what it lacks.

    Raises
    ------
    ValueError
        If the analysis is not of the crosscoder, orbits have another shape or are not those of the
        dataset, inputs cannot be drawn or are not one for each orbit, frequencies are no shares,
        or the action is of another group.
    TypeError
        If something is of another kind.
    """
    _check_types(subject)
    analysis, dataset, group = subject.analysis, subject.dataset, subject.analysis.group_
    orbits = subject.orbits
    if orbits is None and dataset is not None:
        orbits = cast(OrbitDataset, dataset).as_array()
    if orbits is not None:
        orbits = orbits if hasattr(orbits, "shape") else np.asarray(as_numpy(orbits, "orbits"))
        _check_orbits(subject, orbits)
    action = subject.action
    if action is not None and action.group != group:
        raise ValueError(
            f"The analysis is over {group!r}, and {action!r} acts by {action.group!r}."
        )
    n_orbits = 0 if orbits is None else len(orbits)
    pictures: Pictures = NoPictures()
    if dataset is not None:
        pictures = Patches(dataset)
    elif subject.inputs is not None:
        pictures = Inputs(subject.inputs, action, n_orbits, subject.draw)
    image_ids = getattr(orbits if dataset is None else dataset, "image_ids", None)
    if subject.frequencies is not None:
        frequencies = check_frequencies(subject.frequencies, analysis)
    elif orbits is None or subject.crosscoder is None:
        frequencies = (~analysis.dead_).astype(np.float64)
    else:
        frequencies = (codes_of_orbits(subject.crosscoder, orbits) > 0).mean(axis=0)
    if not 0 <= subject.min_frequency <= 1:
        raise ValueError(f"min_frequency is a share in [0, 1]; got {subject.min_frequency}.")
    return Material(
        subject=subject,
        orbits=orbits,
        image_ids=np.arange(n_orbits) if image_ids is None else np.asarray(image_ids),
        pictures=pictures,
        frequencies=np.where(frequencies >= subject.min_frequency, frequencies, 0.0),
    )


def fingerprint(material: Material, *settings: Any) -> str:
    """Tell materials apart, by their atoms, some of their orbits and how they are shown."""
    digest = hashlib.sha256(repr(settings).encode())
    subject, orbits = material.subject, material.orbits
    parts = [subject.analysis.components_, material.frequencies, material.image_ids]
    if subject.crosscoder is not None:
        parts.append(subject.crosscoder.encoder_)
    if orbits is not None:
        parts.append(np.asarray(orbits[np.unique(np.linspace(0, len(orbits) - 1, 16).astype(int))]))
    if subject.inputs is not None:
        parts.append(np.asarray(as_numpy(subject.inputs, "inputs")))
    for part in parts:
        digest.update(f"{part.dtype} {part.shape}".encode())
        digest.update(np.ascontiguousarray(part).data)
    return digest.hexdigest()[:12]


def check_frequencies(frequencies: ArrayLike, analysis: SymmetryAnalyzer) -> NDArray[np.floating]:
    """Return frequencies as an array; refuse what are no shares, or not one for each atom."""
    array = np.asarray(as_numpy(frequencies, "frequencies"), dtype=np.float64)
    n_atoms = len(analysis.components_)
    if array.shape != (n_atoms,) or not ((array >= 0) & (array <= 1)).all():
        raise ValueError(
            f"frequencies are shares of orbits, in [0, 1], of shape ({n_atoms},), one for each "
            f"atom; got shape {array.shape}, or values that are no shares."
        )
    return array


def _check_types(subject: ReportSubject) -> None:
    for name, value, kind, words in (
        ("analysis", subject.analysis, SymmetryAnalyzer, "a fitted SymmetryAnalyzer"),
        ("crosscoder", subject.crosscoder, GroupCrosscoder, "a fitted GroupCrosscoder"),
        ("action", subject.action, Action, "an action"),
        ("summary", subject.summary, Mapping, "a mapping"),
        ("visualizations", subject.visualizations, Mapping, "a mapping of picture_features"),
    ):
        if not isinstance(value, kind) and not (value is None and name != "analysis"):
            raise TypeError(f"{name} is {words}; got {value!r:.80}.")
    if subject.dataset is not None and not hasattr(subject.dataset, "patches"):
        raise TypeError(
            "dataset is an OrbitDataset, or what else has image_ids and patches; got "
            f"{subject.dataset!r:.80}. A store is given as orbits."
        )
    if isinstance(subject.commands, str):
        raise TypeError(f"commands are a list of texts; got one text, {subject.commands!r:.80}.")
    if not all(isinstance(finding, Finding) for finding in subject.findings or ()):
        raise TypeError("findings are those of SymmetryAnalyzer.diagnose.")
    check_is_fitted(subject.analysis)
    if subject.crosscoder is not None:
        check_is_fitted(subject.crosscoder)
        _check_is_of(subject.analysis, subject.crosscoder)


def _check_is_of(analysis: SymmetryAnalyzer, crosscoder: GroupCrosscoder) -> None:
    is_same = analysis.group_ == crosscoder.group_ and np.array_equal(
        analysis.components_, crosscoder.components_
    )
    if not is_same:
        raise ValueError(
            f"The analysis is of {len(analysis.components_)} atoms over {analysis.group_!r}, and "
            f"not of the crosscoder's {len(crosscoder.components_)} over {crosscoder.group_!r}: "
            "give the crosscoder that it was fitted on."
        )


def _check_orbits(subject: ReportSubject, orbits: Any) -> None:
    group, n_channels = subject.analysis.group_, subject.analysis.n_features_in_
    expected = (group.order, n_channels // group.order)
    if len(orbits.shape) != 3 or tuple(orbits.shape[1:]) != expected or len(orbits) == 0:
        raise ValueError(
            f"Orbits have shape (n_samples, {expected[0]}, {expected[1]}), at least one; got "
            f"{tuple(orbits.shape)}."
        )
    if subject.dataset is not None and len(subject.dataset.image_ids) != len(orbits):
        raise ValueError(
            f"The dataset has {len(subject.dataset.image_ids)} samples, and there are "
            f"{len(orbits)} orbits: patches are cut where the orbits were read, so that both are "
            "of the same samples, in one order."
        )
