"""Writing the report: one HTML file that holds everything it shows."""

from __future__ import annotations

import base64
import io
import os
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image
from sklearn.utils.validation import check_is_fitted
from tqdm.auto import tqdm

from .._ambient import own_state
from .._files import written_whole
from .._printable import printable
from .._version import __version__
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

_PATCH_PIXELS = 64
_N_FAMILIES = 30


@own_state()
def write_report(
    path: str | os.PathLike[str],
    analysis: SymmetryAnalyzer,
    crosscoder: GroupCrosscoder,
    dataset: OrbitDataset,
    orbits: NDArray[np.floating],
    *,
    frequencies: NDArray[np.floating] | None = None,
    min_frequency: float = 0.0,
    summary: Mapping[str, Any] | None = None,
    title: str = "Symmetry report",
    max_features: int = 150,
    n_patches: int = 4,
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
    dataset : OrbitDataset
        Where the patches come from.
    orbits : ndarray of shape (n_samples, order, n_channels)
        ``dataset.as_array()``.
    frequencies : ndarray of shape (n_atoms,), optional
        Share of orbits on which each feature fires, best measured on held-out images. Default:
        measured on `orbits`.
    min_frequency : float, default=0.0
        Features that fire less often, or never, are left out.
    summary : mapping, optional
        Lines of the table at the top.
    title : str
    max_features : int, default=150
        Features shown with pictures, the frequent ones of each kind in turn.
    n_patches : int, default=4
        Patches a feature, each from another image.
    progress : bool, default=False

    Raises
    ------
    ImportError
        If jinja2 or matplotlib is missing.
    OSError
        If the file cannot be written.
    """
    check_is_fitted(analysis)
    try:
        from jinja2 import Environment, PackageLoader
    except ImportError as error:
        raise ImportError(
            "The report needs jinja2: pip install 'sklearn-groupcross[report]'."
        ) from error
    codes = codes_of_orbits(crosscoder, orbits)
    if frequencies is None:
        frequencies = (codes > 0).mean(axis=0)
    frequencies = np.where(frequencies >= min_frequency, frequencies, 0.0)
    elements = choose_elements(analysis.group_)
    rows = []
    chosen = choose_features(analysis, frequencies, max_features)
    for feature in tqdm(chosen, desc="writing report", unit="feature", disable=not progress):
        exhibit = collect_exhibit(
            feature,
            crosscoder=crosscoder,
            dataset=dataset,
            orbits=orbits,
            codes=codes[:, feature],
            elements=elements,
            n_patches=n_patches,
        )
        if exhibit is not None:
            rows.append(_row(exhibit, analysis, float(frequencies[feature])))
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
    )
    with written_whole(path) as temporary:
        temporary.write_bytes(html.encode())


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
        "block": _data_uri(block_to_png(analysis.transform_blocks(feature)), "png"),
        "profile": _profile_points(analysis, feature),
        "patches": [_picture(patch) for patch in exhibit.patches],
        "views": [
            {"picture": _picture(view), "response": response}
            for view, response in zip(exhibit.views, exhibit.responses, strict=True)
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
        {"caption": caption, "picture": _data_uri(figure_to_png(make().plot().figure_), "png")}
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


def _picture(patch: NDArray[np.float32]) -> str:
    picture = Image.fromarray(np.round(patch * 255).astype(np.uint8))
    buffer = io.BytesIO()
    size = (_PATCH_PIXELS, _PATCH_PIXELS)
    picture.resize(size, Image.Resampling.BICUBIC).save(buffer, format="JPEG", quality=85)
    return _data_uri(buffer.getvalue(), "jpeg")


def _data_uri(data: bytes, kind: str) -> str:
    return f"data:image/{kind};base64,{base64.b64encode(data).decode('ascii')}"
