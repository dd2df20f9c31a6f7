"""Writing the report: one HTML file, the explorer, that holds everything it shows."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from .._ambient import own_state
from .._files import written_whole
from .._integers import check_integer
from .._version import __version__
from ..analysis import SymmetryAnalyzer
from ..crosscoder import GroupCrosscoder
from ._comparison import MATCHED_BY, compare
from ._contents import NOTHING_SHOWN, blocks_atlas, describe_dictionary, shown_of
from ._excitation import Columns, choose_elements, collect_excitations, in_order
from ._kept import Arrays, Kept
from ._packing import Atlas, Words
from ._page import assemble
from ._pictures import HasPatches
from ._placing import place_pictures
from ._strongest import StrongestBlocks, strongest_blocks
from ._subject import Material, ReportSubject, fingerprint, resolve_subject
from ._where import maps_of_firing

#: Up to so many features have all pictures; with more, a file would be too large to open at once.
_MAX_FEATURES_WITH_ALL = 2048
_QUANTILES = (0.95, 0.75, 0.5)


@own_state()
def write_report(
    path: str | os.PathLike[str],
    analysis: SymmetryAnalyzer,
    crosscoder: GroupCrosscoder | None = None,
    dataset: HasPatches | None = None,
    orbits: Any = None,
    *,
    other: ReportSubject | None = None,
    matched_by: str = "atoms",
    title: str = "Symmetry report",
    max_features: int | None = None,
    n_patches: int | None = None,
    keep_in: str | os.PathLike[str] | None = None,
    progress: bool = False,
    **details: Any,
) -> None:
    """Write the explorer of a dictionary; the file appears when it is complete.

    Parameters
    ----------
    path : path
        Of the HTML file.
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
    other : ReportSubject, optional
        A second dictionary over the same group, to be shown beside the first: of another seed, a
        lifted autoencoder, or of another layer. It has fewer pictures.
    matched_by : {"atoms", "responses"}, default="atoms"
        How features of the two are matched: by the cosine of their atoms, which takes the same
        layer, or by the correlation of codes on the same inputs.
    title : str
    max_features : int, optional
        Of each dictionary, the frequent ones of each kind in turn. Default: all that fire.
    n_patches : int, optional
        Pictures of the strongest inputs of a feature, each from another image or source. Default:
        5, and three weaker ones; 4 alone with more than 2048 features.
    keep_in : path, optional
        A folder for what is done, part by part, so that a call that is stopped goes on when
        it is repeated with the same arguments. It is made; at the end what was kept is removed,
        and the folder if nothing else is in it.
    progress : bool, default=False
    **details
        What else is known of it: the other attributes of `ReportSubject`, such as ``summary``,
        ``findings``, ``frequencies``, ``inputs`` and ``action``.

    Raises
    ------
    ImportError
        If jinja2 or matplotlib is missing.
    TypeError
        If there is no such detail.
    ValueError
        If the inputs cannot be drawn or are not one for each orbit, the action is of another group
        than the analysis, or the other dictionary is.
    OSError
        If the file cannot be written.
    """
    first = ReportSubject(analysis, crosscoder, dataset, orbits, **details)
    page, kept = make_page(
        [first] if other is None else [first, other],
        matched_by=matched_by,
        title=title,
        max_features=max_features,
        n_patches=n_patches,
        keep_in=keep_in,
        progress=progress,
    )
    with written_whole(path) as temporary:
        temporary.write_bytes(page.encode())
    for one in kept:
        one.remove()


def make_page(
    subjects: Sequence[ReportSubject],
    *,
    matched_by: str = "atoms",
    title: str = "Symmetry report",
    max_features: int | None = None,
    n_patches: int | None = None,
    keep_in: str | os.PathLike[str] | None = None,
    progress: bool = False,
) -> tuple[str, list[Kept]]:
    """The page of one dictionary or two, as text, and what was kept on the way to it.

    See `write_report`.
    """
    if n_patches is not None:
        check_integer("n_patches", n_patches, 1)
    if not isinstance(title, str):
        raise TypeError(f"title is a text; got {title!r}.")
    if matched_by not in MATCHED_BY:
        raise ValueError(f"matched_by is 'atoms' or 'responses'; got {matched_by!r}.")
    materials = [resolve_subject(subject) for subject in subjects]
    if max_features is not None:
        check_integer("max_features", max_features, 1)
        materials = [_most_frequent(material, max_features) for material in materials]
    content: dict[str, Any] = {"title": title, "version": __version__, "comparison": None}
    content["noun"] = materials[0].pictures.noun
    if len(materials) == 2:
        content["comparison"] = compare(materials[0], materials[1], matched_by)
    kept = [
        Kept(None if keep_in is None else Path(keep_in) / f"{i}-{fingerprint(material, n_patches)}")
        for i, material in enumerate(materials)
    ]
    runs, atlases = [], []
    for number, material in enumerate(materials):
        run, of_run = _run(material, kept[number], number, n_patches, progress)
        runs.append(run)
        atlases += of_run
    content["runs"] = runs
    page = assemble(content, {atlas.name: atlas.files() for atlas in atlases}, title)
    return page, kept


def _most_frequent(material: Material, n_features: int) -> Material:
    """The same with so many features, and no others in its families."""
    features = in_order(material.subject.analysis, material.frequencies)[:n_features]
    frequencies = np.zeros_like(material.frequencies)
    frequencies[features] = material.frequencies[features]
    return replace(material, frequencies=frequencies)


def _columns(material: Material, number: int, n_features: int, n_patches: int | None) -> Columns:
    """What is shown of every feature: less of many, and of the other dictionary."""
    has_all = n_features <= _MAX_FEATURES_WITH_ALL and number == 0
    group, pictures = material.subject.analysis.group_, material.pictures
    return Columns(
        n_strongest=(5 if has_all else 4) if n_patches is None else n_patches,
        quantiles=_QUANTILES if has_all and n_patches is None else (),
        elements=tuple(choose_elements(group) if pictures.shows_transformed else ()),
        shows_where=has_all,
    )


def _run(
    material: Material, kept: Kept, number: int, n_patches: int | None, progress: bool
) -> tuple[dict[str, Any], list[Atlas]]:
    """What the page is given of one dictionary, and its pictures."""
    subject, pictures = material.subject, material.pictures
    analysis = subject.analysis
    features = in_order(analysis, material.frequencies)
    columns = _columns(material, number, len(features), n_patches)
    words, atlases, shown = Words(), [], NOTHING_SHOWN
    ending = str(number) if number else ""
    if material.orbits is not None and subject.crosscoder is not None:
        atlas = Atlas(f"pictures{ending}", pictures.tile)
        shown = _shown(
            material, subject.crosscoder, kept, features, columns, atlas, words, progress
        )
        atlases.append(atlas)
    blocks = blocks_atlas(analysis, features, f"blocks{ending}")
    described = describe_dictionary(
        analysis,
        subject.crosscoder,
        features,
        material.frequencies,
        words,
        name=subject.name,
        summary=subject.summary,
        commands=subject.commands,
        findings=subject.findings,
        min_frequency=subject.min_frequency,
    )
    run = {
        **described,
        **shown,
        "blocks": blocks.describe() if len(blocks) else None,
        "visualizations": subject.visualizations,
        "words": list(words),
    }
    return run, [*atlases, blocks]


def _shown(
    material: Material,
    crosscoder: GroupCrosscoder,
    kept: Kept,
    features: list[int],
    columns: Columns,
    atlas: Atlas,
    words: Words,
    progress: bool,
) -> dict[str, Any]:
    """What excites features, as the page has it, kept as found; pictures go into the atlas."""
    pictures, image_ids = material.pictures, material.image_ids
    group = crosscoder.group_
    found = kept.arrays(
        "excitations",
        partial(_excitations, material, crosscoder, kept, features, columns, progress),
    )
    css = [pictures.by_css(element) for element in range(group.order)]
    places = place_pictures(
        found, columns.drawn(css), group, pictures, image_ids, atlas, kept, progress=progress
    )
    where = None
    if columns.shows_where:
        where = maps_of_firing(
            features, found, crosscoder, pictures, image_ids, kept, progress=progress
        )
    names = [
        [pictures.name_of(s) if s >= 0 else "" for s in of_row]
        for of_row in found["samples"].tolist()
    ]
    about = {**atlas.describe(), "round": pictures.is_round} if len(atlas) else None
    return {"pictures": about, **shown_of(found, places, where, names, columns, css, words)}


def _excitations(
    material: Material,
    crosscoder: GroupCrosscoder,
    kept: Kept,
    features: list[int],
    columns: Columns,
    progress: bool,
) -> Arrays:
    """What excites features, but for pictures."""

    def strongest() -> Arrays:
        transformed = material.pictures.shows_transformed
        return strongest_blocks(
            crosscoder, material.orbits, features, transformed=transformed, progress=progress
        )._asdict()

    return collect_excitations(
        features,
        crosscoder=crosscoder,
        orbits=material.orbits,
        strongest=StrongestBlocks(**kept.arrays("strongest", strongest)),
        image_ids=material.image_ids,
        columns=columns,
        progress=progress,
    )
