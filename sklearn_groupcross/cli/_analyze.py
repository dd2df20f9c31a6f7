"""``groupcross analyze``: from saved crosscoders to stated symmetries."""

from __future__ import annotations

import argparse
from collections.abc import Callable, Sequence
from functools import cache, partial
from pathlib import Path
from typing import Any

import pandas as pd

from .._device import resolve_device
from .._files import written_whole
from .._stacks._validation import check_constraints
from ..analysis import SymmetryAnalyzer
from ..crosscoder import GroupCrosscoder
from ..orbits import OrbitStore
from ._arguments import as_json, check_installed, in_words
from ._figures import FIGURES, figures_in, figures_of
from ._folder import RUN, RunFolder
from ._going_on import saying_how_to_go_on
from ._manifest import MANIFEST, digest_of
from ._measuring import Measured, measure
from ._printing import print_families, print_findings, print_summary, results_of
from ._record import RunRecord, read_record, settings_of, with_effect
from ._run_folder import run_folder
from ._stores import read_extraction
from ._streams import say
from ._subject import Subject, subject_of

ANALYZE = "analyze"
FEATURES, FAMILIES = "features.csv", "families.csv"
TABLES = (FEATURES, FAMILIES)
_DEFAULT_OUT = Path("groupcross-analysis")


def analyze(options: argparse.Namespace) -> None:
    """Run ``groupcross analyze``."""
    check_installed("matplotlib")
    analyzer_of(options)
    subject = subject_of(
        options.model, options.orbits, options.others, verify=not options.no_verify
    )
    crosscoder = subject.check()
    out = folder_of(options, _DEFAULT_OUT)
    say(f"{options.model}: {len(crosscoder.components_)} atoms, {in_words(crosscoder.group_)}")
    measured = cache(partial(measured_as, subject, options))
    record = record_beside(options.model)
    record.sections[ANALYZE] = settings_of(options, ANALYZE)
    with run_folder(options, out) as folder:
        folder.check(ANALYZE, with_effect(settings_of(options, ANALYZE)), TABLES)
        folder.check(FIGURES, _settings_of_figures(options), figures_in(out))
        folder.record_with(record.write)
        with saying_how_to_go_on(options, list):
            place, results = analyze_models(folder, subject, options, measured)
            _draw(folder, subject, options, measured)
            features = read_features(place)
            folder.take_place({ANALYZE: TABLES, FIGURES: figures_in(out)})
            (out / FIGURES).mkdir(exist_ok=True)
    if options.json:
        print(as_json(results))
        return
    print_summary(results, features)
    print_families(results, options.families)
    print_findings(results, options)
    tables = ", ".join(str(out / name) for name in TABLES)
    print(f"\nTables:  {tables}\nFigures: {out / FIGURES}")


def analyze_models(
    folder: RunFolder,
    subject: Subject,
    options: argparse.Namespace,
    measured: Callable[[], Measured],
) -> tuple[Path, dict[str, Any]]:
    """The stage: tables of features and families.

    Returns
    -------
    place : Path
        Where the tables lie.
    results : dict
        What is printed, as JSON can hold it.
    """
    settings, inputs = with_effect(settings_of(options, ANALYZE)), subject.inputs()
    place = folder.done(ANALYZE, settings, inputs)
    if place is not None:
        say(f"analyze: done already, {place / FEATURES}")
        return place, folder.results_of(place, ANALYZE)
    folder.begin(ANALYZE, settings, inputs, TABLES)
    say(f"analyze: {', '.join(model.name for model in subject.models)}")
    found = measured()
    results = results_of(found, *described(subject))
    files = {
        FEATURES: partial(_write_table, found.features),
        FAMILIES: partial(_write_table, found.analysis.families_table_),
    }
    folder.publish(ANALYZE, settings, inputs, files, results=results)
    return folder.work, folder.results_of(folder.work, ANALYZE)


def analyzer_of(options: argparse.Namespace) -> SymmetryAnalyzer:
    """The analyzer that options describe, its parameters checked."""
    analyzer = SymmetryAnalyzer(
        threshold=options.threshold,
        family_distance=options.family_distance,
        refit=not options.no_refit,
        device=resolve_device(options.device),
        random_state=options.seed,
        verbose=1,
    )
    check_constraints(analyzer)
    return analyzer


def measured_as(
    subject: Subject,
    options: argparse.Namespace,
    crosscoders: Sequence[GroupCrosscoder] | None = None,
) -> Measured:
    """Measure a subject as options say; its crosscoders are loaded unless they are there."""
    if crosscoders is None:
        crosscoders = [GroupCrosscoder.load(model) for model in subject.models]
    return measure(crosscoders, analyzer_of(options), subject.orbits(), bags=options.bags)


def described(subject: Subject) -> tuple[dict[str, Any], str]:
    """Metadata of a subject's store, and what its images are."""
    if subject.store is None:
        return {}, "images"
    extraction = read_extraction(subject.store)
    is_demo = bool(extraction) and "images" not in extraction.get("extract", {})
    metadata = OrbitStore(subject.store).metadata
    if "function" in metadata:
        return metadata, "inputs"
    return metadata, "tiles of two photographs" if is_demo else "images"


def read_features(place: Path) -> pd.DataFrame:
    """The table of features, as it was written.

    Raises
    ------
    ValueError
        If it is none.
    """
    path = place / FEATURES
    try:
        return pd.read_csv(path, index_col="feature")
    except ValueError as error:
        raise ValueError(
            f"{path} is damaged or something else: {str(error).strip()}. Delete it, and it is made "
            "again."
        ) from error


def folder_of(options: argparse.Namespace, default: Path) -> Path:
    """Where results go that were not told where: beside a model that lies in a run folder."""
    if options.out is not None:
        return options.out
    beside = options.model.parent
    return beside if (beside / MANIFEST).exists() else default


def record_beside(model: Path) -> RunRecord:
    """The record of the folder that a model lies in; an empty one where there is none."""
    record = RunRecord()
    path = model.parent / RUN
    if path.exists():
        record.add(read_record(path))
    return record


def _settings_of_figures(options: argparse.Namespace) -> dict[str, Any]:
    names = ("families", "format", "no_map")
    return {name: getattr(options, name) for name in names}


def _draw(
    folder: RunFolder,
    subject: Subject,
    options: argparse.Namespace,
    measured: Callable[[], Measured],
) -> None:
    """The figures, a stage of their own: a run has none."""
    settings = _settings_of_figures(options)
    analysis = digest_of([as_json(with_effect(settings_of(options, ANALYZE)))])
    inputs = {**subject.inputs(), "analysis": analysis}
    if folder.done(FIGURES, settings, inputs) is not None:
        say("figures: done already")
        return
    before = figures_in(folder.out)
    folder.begin(FIGURES, settings, inputs, before)
    found = measured()
    (folder.work / FIGURES).mkdir(exist_ok=True)
    figures = figures_of(found.analysis, found.findings, options)
    say(f"figures: {len(figures)}")
    folder.publish(FIGURES, settings, inputs, figures, outdated=before, results={})


def _write_table(table: pd.DataFrame, path: Path) -> None:
    content = table.to_csv().encode()
    with written_whole(path) as temporary:
        temporary.write_bytes(content)
