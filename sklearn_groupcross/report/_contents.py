"""What the page is given of one dictionary."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..analysis import KINDS, MIN_FEATURES_FOR_A_MAP, Finding, SymmetryAnalyzer, measurable_kinds
from ..crosscoder import GroupCrosscoder
from ..plotting import KIND_COLORS, KIND_MARKERS, block_to_rgb
from ._excitation import Columns
from ._families import describe_families
from ._group_words import describe_group, plainest
from ._packing import Atlas, Words, as_int8, packed
from ._placing import Places
from ._sentence import what_was_found

_N_NEIGHBORS = 8
# Features whose distances from all others are copied and sorted at a time.
_SORTED = 256
#: Cosines of a transform block are shown in so many steps to each side: enough for the eye.
_STEPS = 16
#: What training records, in words.
_LAST = {
    "loss": "loss",
    "fvu": "variance unexplained in training",
    "validation_fvu": "variance unexplained in validation",
    "l0": "active features an orbit",
}
#: Parameters that no figure depends on, or that name places on a machine.
_NOT_TOLD = {"checkpoint_dir", "sparse_output", "verbose"}

#: What is known without orbits.
NOTHING_SHOWN: dict[str, Any] = dict.fromkeys(("pictures", "shown", "views", "responses", "codes"))


def describe_dictionary(
    analysis: SymmetryAnalyzer,
    crosscoder: GroupCrosscoder | None,
    features: Sequence[int],
    frequencies: NDArray[np.floating],
    words: Words,
    *,
    name: str,
    summary: Mapping[str, Any],
    commands: Sequence[str],
    findings: Sequence[Finding] | None,
    min_frequency: float,
) -> dict[str, Any]:
    """Describe a dictionary, all but the pictures.

    Parameters
    ----------
    analysis : SymmetryAnalyzer
        Fitted on `crosscoder`.
    crosscoder : GroupCrosscoder or None
    features : sequence of int
        That fire; rows of the page's table.
    frequencies : ndarray of shape (n_atoms,)
    words : Words
        Takes what is said of features.
    name : str
    summary : mapping
        Lines about the run.
    commands : sequence of str
        That repeat it.
    findings : sequence of Finding or None
        None where nobody looked.
    min_frequency : float

    Returns
    -------
    content : dict
    """
    rows = np.asarray(features, dtype=np.int64)
    group = analysis.group_
    families = describe_families(analysis, frequencies)
    found_again = np.asarray(analysis.found_again_[rows], dtype=np.float32)
    kinds = [k for k in KINDS if k in measurable_kinds(group, analysis.kind_words)]
    kinds += sorted(set(analysis.kinds_[rows].astype(str)) - set(kinds))
    counts = {kind: int((analysis.kinds_[rows] == kind).sum()) for kind in kinds}
    return {
        "name": name,
        "sentence": what_was_found(len(rows), families, found_again),
        "findings": None
        if findings is None
        else [{"name": f.name, "message": f.message, "advice": f.advice} for f in findings],
        "about": [
            *_tables(summary),
            *_tables({} if crosscoder is None else {"Dictionary": _settings(crosscoder)}),
            *_tables({"Analysis": _parameters(analysis)}),
        ],
        "commands": list(commands),
        "group": describe_group(group, analysis.kind_words != "group"),
        "kinds": [
            {
                "name": kind,
                "meaning": KINDS.get(kind, ""),
                "color": KIND_COLORS[kind],
                "marker": KIND_MARKERS[kind],
                "count": counts[kind],
            }
            for kind in kinds
        ],
        "features": _columns(analysis, rows, frequencies, found_again, kinds, words),
        "map": _map(analysis, rows),
        "profiles": packed(as_int8(analysis.profiles_[rows])),
        "spectra": packed(np.round(255 * analysis.spectra_[rows]).astype(np.uint8)),
        "irreps": [irrep.name for irrep in group.irreps],
        "neighbors": _neighbors(analysis, rows),
        "families": families,
        "symmetry_elements": _elements_of(analysis, rows),
        "family_distance": float(analysis.family_distance_),
        "n_features": len(analysis.components_),
        "n_dead": int(analysis.dead_.sum()),
        "min_frequency": float(min_frequency),
    }


def _columns(
    analysis: SymmetryAnalyzer,
    rows: NDArray[np.int64],
    frequencies: NDArray[np.floating],
    found_again: NDArray[np.float32],
    kinds: list[str],
    words: Words,
) -> dict[str, Any]:
    table = analysis.features_table_.iloc[rows]
    pose_of = {m: p for f in analysis.families_ for m, p in zip(f.members, f.poses, strict=True)}
    stated = [analysis.stabilizers_[i] for i in rows]
    runner_up = [s.runner_up.name if s.runner_up else "" for s in stated]
    floats = {
        "frequency": frequencies[rows],
        "confidence": table["confidence"],
        "found_again": found_again,
        "runner_up_score": [s.runner_up_score if s.runner_up else np.nan for s in stated],
        "energy": [s.energy for s in stated],
        "minimum": [s.minimum for s in stated],
        "period": table["period"],
        "half_width": table["half_width"],
        "axis": table["axis"],
    }
    texts = {
        "symmetry": [s.name for s in stated],
        "runner_up": runner_up,
        "atom_symmetry": table["atom_symmetry"],
        "own_symmetry": table["own_symmetry"],
        "responses": table["responses"],
        "remark": table["remark"],
        "confidence_remark": table["confidence_remark"],
    }
    numbers = {
        "number": rows,
        "family": analysis.labels_[rows],
        "pose": [pose_of.get(int(i), -1) for i in rows],
    }
    columns = {"kind": packed(np.array([kinds.index(k) for k in table["kind"]], dtype=np.uint8))}
    columns |= {k: packed(np.asarray(v, dtype=np.float32)) for k, v in floats.items()}
    columns |= {k: packed(np.asarray(v, dtype=np.int32)) for k, v in numbers.items()}
    return columns | {k: packed(words.numbers(list(v))) for k, v in texts.items()}


def _elements_of(analysis: SymmetryAnalyzer, rows: NDArray[np.int64]) -> dict[str, list[int]]:
    """Elements of all symmetries that are named, and of those that come next."""
    stated = [analysis.stabilizers_[i] for i in rows]
    named = [s.subgroup for s in stated] + [s.runner_up for s in stated if s.runner_up]
    return {subgroup.name: list(subgroup.elements) for subgroup in named}


def _map(analysis: SymmetryAnalyzer, rows: NDArray[np.int64]) -> dict[str, Any] | None:
    if len(analysis.labels_) < MIN_FEATURES_FOR_A_MAP or not hasattr(analysis, "distances_"):
        return None
    x, y = analysis.embedding_[rows].T.astype(np.float32)
    caption = "UMAP of the distances. Axes have no meaning; neighbourhoods do."
    return {"x": packed(x), "y": packed(y), "caption": caption}


def _neighbors(analysis: SymmetryAnalyzer, rows: NDArray[np.int64]) -> dict[str, Any] | None:
    n_neighbors = min(_N_NEIGHBORS, len(rows) - 1)
    if n_neighbors < 1:
        return None
    if hasattr(analysis, "distances_"):
        nearest, near = _from_distances(analysis, rows, n_neighbors)
        element = analysis.alignment_[rows[:, None], rows[nearest]]
        fixed = [analysis.atom_stabilizers_[i].subgroup for i in rows]
        element = plainest(
            analysis.group_,
            element.ravel(),
            [one for one in fixed for _ in range(n_neighbors)],
            [fixed[other] for other in nearest.ravel()],
        ).reshape(nearest.shape)
    else:
        nearest, near = _from_graph(analysis, rows, n_neighbors)
        element = np.full(nearest.shape, -1)
    return {
        "row": packed(nearest.astype(np.int32)),
        "similarity": packed(as_int8(1 - near)),
        "element": packed(element.astype(np.int32)),
    }


def _from_distances(
    analysis: SymmetryAnalyzer, rows: NDArray[np.int64], n_neighbors: int
) -> tuple[NDArray[np.int64], NDArray[np.floating]]:
    """Neighbours where all distances are there, of which some rows are sorted at a time."""
    nearest = np.empty((len(rows), n_neighbors), dtype=np.int64)
    near = np.empty(nearest.shape, dtype=analysis.distances_.dtype)
    for start in range(0, len(rows), _SORTED):
        own = np.arange(start, min(start + _SORTED, len(rows)))
        distances = analysis.distances_[np.ix_(rows[own], rows)]
        distances[own - start, own] = np.inf
        nearest[own] = np.argsort(distances, axis=1, kind="stable")[:, :n_neighbors]
        near[own] = np.take_along_axis(distances, nearest[own], axis=1)
    return nearest, near


def _from_graph(
    analysis: SymmetryAnalyzer, rows: NDArray[np.int64], n_neighbors: int
) -> tuple[NDArray[np.int64], NDArray[np.floating]]:
    """Neighbours where not all distances are there; -1 beyond those that are known."""
    graph = analysis.kneighbors_graph()
    row_of = np.full(graph.shape[0], -1, dtype=np.int64)
    row_of[rows] = np.arange(len(rows))
    nearest = np.full((len(rows), n_neighbors), -1, dtype=np.int64)
    near = np.ones(nearest.shape)
    for row, feature in enumerate(rows):
        there = slice(graph.indptr[feature], graph.indptr[feature + 1])
        of_feature = row_of[graph.indices[there]]
        shown = np.flatnonzero(of_feature >= 0)[:n_neighbors]
        nearest[row, : len(shown)] = of_feature[shown]
        near[row, : len(shown)] = graph.data[there][shown]
    return nearest, near


def blocks_atlas(analysis: SymmetryAnalyzer, features: Sequence[int], name: str) -> Atlas:
    """Pictures of the transform blocks of features."""
    order = analysis.group_.order
    atlas = Atlas(name, order, columns=max(1, 512 // order), lossless=True)
    for feature in features:
        block = analysis.transform_blocks(feature)
        # in few steps, files are a third as large
        atlas.add(block_to_rgb(np.round(block * _STEPS) / _STEPS))
    return atlas


def shown_of(
    excitations: Mapping[str, NDArray[Any]],
    places: Places,
    where: NDArray[np.uint8] | None,
    names: Sequence[Sequence[str]],
    columns: Columns,
    css: Sequence[tuple[int, str]],
    words: Words,
) -> dict[str, Any]:
    """Put together what excites features.

    Parameters
    ----------
    excitations : mapping of str to ndarray
        See `collect_excitations`.
    places : Places
        Of pictures, and of views under the elements that are drawn for those of the columns.
    where : ndarray of shape (n_features, n_columns, cells, cells) or None
        See `maps_of_firing`.
    names : sequence of sequence of str
        Where the samples of each feature's columns are from.
    columns : Columns
    css : sequence of (int, str)
        Of every element of the group: the one that is drawn, and what CSS does besides.
    words : Words

    Returns
    -------
    content : dict
        ``shown``, ``views``, ``responses`` and ``codes`` of the page.
    """
    of_columns = [css[element] for element in columns.elements]
    drawn = columns.drawn(css)
    views = places.views[:, [drawn.index(element) for element, _ in of_columns]]
    image = np.array([words.numbers(of_row) for of_row in names], dtype=np.int32)
    floats = {n: excitations[n].astype(np.float32) for n in ("codes", "mean", "spread", "largest")}
    integers = {n: excitations[n].astype(np.int32) for n in ("n_responses", "counts", "n_silent")}
    return {
        "shown": {
            "words": columns.words(),
            "picture": packed(places.pictures),
            "code": packed(floats["codes"]),
            "image": packed(image.reshape(places.pictures.shape)),
            "firing": None
            if where is None
            else {"shape": list(where.shape[2:]), "values": packed(where)},
        },
        "views": {
            "elements": list(columns.elements),
            "css": [transform for _, transform in of_columns],
            "picture": packed(views),
            # of all elements, where each is the strongest picture turned
            "css_of_element": [transform for _, transform in css]
            if not any(element for element, _ in css)
            else None,
        },
        "responses": {
            "mean": packed(floats["mean"]),
            "spread": packed(floats["spread"]),
            "n": packed(integers["n_responses"]),
        },
        "codes": {
            "largest": packed(floats["largest"]),
            "counts": packed(integers["counts"]),
            "n_silent": packed(integers["n_silent"]),
        },
    }


def _tables(summary: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Lines, and the mappings among them as tables of their own."""
    own = {name: lines for name, lines in summary.items() if isinstance(lines, Mapping)}
    rest = {name: line for name, line in summary.items() if name not in own}
    tables = {"Run": rest, **own} if rest else own
    return [
        {"title": title, "rows": [[name, str(value)] for name, value in lines.items()]}
        for title, lines in tables.items()
    ]


def _settings(crosscoder: GroupCrosscoder) -> dict[str, str]:
    history = crosscoder.history_
    last = {name: history[name][-1] for name in _LAST if history.get(name)}
    return {
        **_parameters(crosscoder),
        "steps": str(crosscoder.n_steps_),
        **{f"{_LAST[name]}, last pass": f"{value:.4g}" for name, value in last.items()},
    }


def _parameters(estimator: Any) -> dict[str, str]:
    parameters = estimator.get_params(deep=False)
    return {name: repr(value) for name, value in parameters.items() if name not in _NOT_TOLD}
