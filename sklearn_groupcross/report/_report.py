"""Writing the report: one HTML file that holds everything it shows."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from functools import partial
from itertools import zip_longest
from typing import Any, cast

import numpy as np
from numpy.typing import ArrayLike, NDArray
from sklearn.utils.validation import check_is_fitted

from .._ambient import own_state
from .._files import written_whole
from .._printable import printable
from .._progress import tqdm
from .._version import __version__
from ..actions import Action
from ..analysis import KINDS, MIN_FEATURES_FOR_A_MAP, SymmetryAnalyzer, measurable_kinds
from ..crosscoder import GroupCrosscoder, codes_of_orbits
from ..groups import PlanarGroup
from ..orbits import OrbitDataset
from ..plotting import (
    KIND_COLORS,
    DistanceMatrixDisplay,
    FeatureMapDisplay,
    block_to_png,
    figure_to_png,
)
from ._exhibits import (
    Exhibit,
    choose_elements,
    choose_features,
    collect_exhibit,
)
from ._kept_rows import KeptRows
from ._pictures import HasPatches, NoPictures, Patches, Pictures, Signals, data_uri
from ._strongest import strongest_blocks

_N_FAMILIES = 30


@own_state()
def write_report(
    path: str | os.PathLike[str],
    analysis: SymmetryAnalyzer,
    crosscoder: GroupCrosscoder,
    dataset: HasPatches | None = None,
    orbits: Any = None,
    *,
    inputs: ArrayLike | None = None,
    action: Action | None = None,
    frequencies: NDArray[np.floating] | None = None,
    min_frequency: float = 0.0,
    summary: Mapping[str, Any] | None = None,
    title: str = "Symmetry report",
    max_features: int = 150,
    n_patches: int = 4,
    keep_in: str | os.PathLike[str] | None = None,
    progress: bool = False,
) -> None:
    """Write the report; the file appears when it is complete.

    Parameters
    ----------
    path : path
        Of the HTML file.
    analysis : SymmetryAnalyzer
        Fitted on `crosscoder`.
    crosscoder : GroupCrosscoder
    dataset : OrbitDataset, optional
        Where the patches come from, or whatever else has `image_ids` and `patches` of the orbits.
        Of what is no image there is none.
    orbits : array or StoredOrbits of shape (n_samples, order, n_channels), optional
        Default: ``dataset.as_array()``.
    inputs : array-like of shape (n_samples, length) or (n_samples, n_channels, length), optional
        Signals, one for each orbit, to be shown in place of patches. Without them and without a
        dataset the report has no pictures of what excites a feature.
    action : Action, optional
        What the group does to them: the strongest is shown under some of its elements.
    frequencies : ndarray of shape (n_atoms,), optional
        Share of orbits on which each feature fires, best measured on held-out images. Default:
        measured on `orbits`.
    min_frequency : float, default=0.0
        Features that fire less often, or never, are left out.
    summary : mapping, optional
        Lines of the table at the top.
    title : str
    max_features : int, default=150
        Features shown, the frequent ones of each kind in turn.
    n_patches : int, default=4
        Patches or signals a feature, each from another image or source.
    keep_in : path, optional
        A folder for what is done, feature by feature, so that a call that is stopped goes on when
        it is repeated with the same arguments. It is made, and removed at the end.
    progress : bool, default=False

    Raises
    ------
    ImportError
        If jinja2 or matplotlib is missing.
    ValueError
        If there are neither orbits nor a dataset to read them from, the inputs are no signals or
        not one for each orbit, or the action is of another group than the analysis.
    OSError
        If the file cannot be written.
    """
    check_is_fitted(analysis)
    if orbits is None:
        if dataset is None:
            raise ValueError("Give orbits, or the dataset that they are read from.")
        orbits = cast(OrbitDataset, dataset).as_array()
    if action is not None and action.group != analysis.group_:
        raise ValueError(
            f"The analysis is over {analysis.group_!r}, and {action!r} acts by {action.group!r}."
        )
    image_ids = getattr(orbits if dataset is None else dataset, "image_ids", None)
    pictures = _pictures(dataset, inputs, action, len(orbits))
    try:
        from jinja2 import Environment, PackageLoader
    except ImportError as error:
        raise ImportError(
            "The report needs jinja2: pip install 'sklearn-groupcross[report]'."
        ) from error
    if frequencies is None:
        frequencies = (codes_of_orbits(crosscoder, orbits) > 0).mean(axis=0)
    frequencies = np.where(frequencies >= min_frequency, frequencies, 0.0)
    elements = choose_elements(analysis.group_)
    rows = []
    chosen = choose_features(analysis, frequencies, max_features)
    kept = KeptRows(keep_in)
    strongest = kept.strongest(
        lambda: strongest_blocks(
            crosscoder, orbits, chosen, transformed=pictures.shows_transformed, progress=progress
        )
    )

    def make_row(column: int) -> dict[str, Any] | None:
        exhibit = collect_exhibit(
            chosen[column],
            crosscoder=crosscoder,
            pictures=pictures,
            orbits=orbits,
            strongest=strongest,
            column=column,
            image_ids=np.arange(len(orbits)) if image_ids is None else image_ids,
            elements=elements,
            n_pictures=n_patches,
        )
        if exhibit is None:
            return None
        return _row(exhibit, analysis, float(frequencies[exhibit.feature]))

    bar = tqdm(chosen, desc="writing report", unit="feature", disable=not progress)
    for column, feature in enumerate(bar):
        row = kept.row(feature, partial(make_row, column))
        if row is not None:
            rows.append(row)
    families = _describe_families(analysis, frequencies)
    environment = Environment(
        loader=PackageLoader("sklearn_groupcross.report"),
        autoescape=True,
        # names of files may hold what no page may, and what cannot be encoded
        finalize=lambda value: printable(value) if isinstance(value, str) else value,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    html = environment.get_template("report.html.jinja").render(
        title=title,
        version=__version__,
        summary=summary or {},
        kinds=_count_kinds(analysis, frequencies),
        figures=_figures(analysis, frequencies, progress),
        families=families[:_N_FAMILIES],
        n_families=len(families),
        family_distance=analysis.family_distance_,
        shown={row["feature"] for row in rows},
        has_others=bool(np.isfinite(analysis.found_again_).any()),
        elements=[analysis.group_.describe_element(g) for g in elements],
        rows=rows,
        n_firing=int((frequencies > 0).sum()),
        min_frequency=min_frequency,
        colors=KIND_COLORS,
        noun=pictures.noun,
        shows_transformed=pictures.shows_transformed,
        has_pictures=any(row["pictures"] for row in rows),
        turns=analysis.kind_words != "group" and isinstance(analysis.group_, PlanarGroup),
        mirrors=isinstance(analysis.group_, PlanarGroup) and analysis.group_.has_mirrors,
    )
    with written_whole(path) as temporary:
        temporary.write_bytes(html.encode())
    kept.remove()


def _pictures(
    dataset: HasPatches | None, inputs: ArrayLike | None, action: Action | None, n_samples: int
) -> Pictures:
    if dataset is not None:
        return Patches(dataset)
    return NoPictures() if inputs is None else Signals(inputs, action, n_samples)


def _row(exhibit: Exhibit, analysis: SymmetryAnalyzer, frequency: float) -> dict[str, Any]:
    feature = exhibit.feature
    stabilizer = analysis.stabilizers_[feature]
    runner_up = stabilizer.runner_up.name if stabilizer.runner_up else ""
    return {
        "feature": feature,
        "kind": analysis.kinds_[feature],
        "symmetry": stabilizer.name,
        "order": stabilizer.subgroup.order,
        "energy": stabilizer.energy,
        "minimum": stabilizer.minimum,
        "runner_up": runner_up,
        "runner_up_score": stabilizer.runner_up_score,
        "atom_symmetry": analysis.atom_stabilizers_[feature].name,
        "responses": analysis.responses_.words[feature],
        "remark": analysis.features_table_["remark"][feature],
        "found_again": float(analysis.found_again_[feature]),
        "family": int(analysis.labels_[feature]),
        "pose": analysis.features_table_["pose"][feature],
        "frequency": frequency,
        "block": data_uri(block_to_png(analysis.transform_blocks(feature)), "png"),
        "profile": _profile_points(analysis, feature),
        "pictures": exhibit.pictures,
        "views": [
            {"picture": view, "response": response}
            for view, response in zip_longest(exhibit.views, exhibit.responses)
        ],
    }


def _profile_points(analysis: SymmetryAnalyzer, feature: int) -> str:
    """Points of an SVG polyline over the turns, in a box of 100 x 60, cosine 1 on top."""
    group = analysis.group_
    n = group.n_turns if isinstance(group, PlanarGroup) else group.order
    values = np.append(analysis.profiles_[feature, :n], analysis.profiles_[feature, 0])
    x = np.linspace(0, 100, n + 1)
    y = 30 - 28 * values
    return " ".join(f"{a:.1f},{b:.1f}" for a, b in zip(x, y, strict=True))


def _count_kinds(
    analysis: SymmetryAnalyzer, frequencies: NDArray[np.floating]
) -> list[dict[str, Any]]:
    fires = frequencies > 0
    return [
        {
            "name": kind,
            "meaning": KINDS[kind],
            "count": int((fires & (analysis.kinds_ == kind)).sum()),
        }
        for kind in measurable_kinds(analysis.group_, analysis.kind_words)
    ]


def _figures(
    analysis: SymmetryAnalyzer, frequencies: NDArray[np.floating], progress: bool
) -> list[dict[str, str]]:
    firing = np.flatnonzero(frequencies > 0)
    if len(firing) < 2:
        return []
    displays: dict[str, Callable[[], FeatureMapDisplay | DistanceMatrixDisplay]] = {
        "Distances of these features: dark squares on the diagonal are families.": (
            lambda: DistanceMatrixDisplay.from_estimator(analysis, firing)
        )
    }
    if len(analysis.labels_) >= MIN_FEATURES_FOR_A_MAP:
        displays["UMAP of these distances. Axes have no meaning; neighbourhoods do."] = lambda: (
            FeatureMapDisplay.from_estimator(analysis, firing)
        )
    # the map comes last: importing and compiling UMAP alone takes many seconds
    bar = tqdm(displays.items(), desc="drawing figures", disable=not progress)
    return [
        {"caption": caption, "picture": data_uri(figure_to_png(make().plot().figure_), "png")}
        for caption, make in bar
    ]


def _describe_families(
    analysis: SymmetryAnalyzer, frequencies: NDArray[np.floating]
) -> list[dict[str, Any]]:
    """Describe the families of which two features or more fire, by those features alone."""
    described = []
    for family in analysis.families_:
        firing = [
            (member, pose)
            for member, pose in zip(family.members, family.poses, strict=True)
            if frequencies[member] > 0
        ]
        if len(firing) < 2:
            continue
        members = [member for member, _ in firing]
        names, counts = np.unique(analysis.kinds_[members].astype(str), return_counts=True)
        by_count = np.argsort(-counts, kind="stable")
        described.append(
            {
                "label": family.label,
                "size": len(members),
                "medoid": family.medoid,
                "symmetry": analysis.atom_stabilizers_[family.medoid].name,
                "kinds": ", ".join(f"{counts[i]} {names[i]}" for i in by_count),
                "poses": len({pose for _, pose in firing}),
                "found_again": float(analysis.found_again_[members].mean()),
            }
        )
    return sorted(described, key=lambda family: -family["size"])
