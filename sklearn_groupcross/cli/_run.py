"""``groupcross run``: from images or a store to stated symmetries, stage by stage."""

from __future__ import annotations

import argparse
import os
import shutil
from collections.abc import Callable
from functools import cache, partial
from pathlib import Path
from typing import Any

from ..groups import FiniteGroup, check_nameable
from ..networks import Network, load_network
from ..orbits import ImageSource, OrbitDataset, OrbitStore, is_store
from ._analyze import (
    ANALYZE,
    FEATURES,
    TABLES,
    analyze_models,
    analyzer_of,
    measured_as,
    read_features,
)
from ._arguments import as_json, check_installed
from ._figures import FIGURES
from ._fit import (
    FIT,
    MODEL,
    check_fitting,
    check_sizes,
    check_split,
    describe_models,
    fit_store,
    names_of_models,
    record_of_fit,
)
from ._folder import ORBITS, RunFolder
from ._going_on import saying_how_to_go_on
from ._printing import print_findings, print_summary
from ._record import EXTRACTION, FITTING, RunRecord, settings_of, versions, with_effect
from ._report import REPORT, REPORT_STAGE, describe_rows, images_of, report_on
from ._run_folder import run_folder
from ._shown import check_visualizing
from ._sources import draw_images, say_damaged
from ._stores import (
    action_of,
    dataset_of,
    describe_store,
    is_whole,
    record_of,
    write_store,
)
from ._streams import say
from ._subject import subject_in


def run(options: argparse.Namespace) -> None:
    """Run ``groupcross run``."""
    _say_other_versions(options)
    if len(options.images) == 1 and is_store(options.images[0]):
        _run_store(options, Path(options.images[0]))
        return
    run_images(options, partial(draw_images, options))


def run_images(options: argparse.Namespace, read: Callable[[Network], ImageSource]) -> None:
    """Run all stages, from images on.

    Parameters
    ----------
    options : Namespace
    read : callable
        Gives the images that a network reads.
    """
    action = action_of(options)
    _check(options, action.group)
    network = load_network(options.network, options.weights)
    images = read(network)
    check_split(options, len(images))
    dataset = dataset_of(options, images, action, network)
    check_visualizing(options, dataset)
    check_sizes(options, action.group, dataset.n_channels)
    images.check_all(progress=True)
    extraction, record = record_of(options, dataset), RunRecord()
    record.sections, record.hashes = dict(extraction.sections), dict(extraction.hashes)
    _check_hashes(options, record)
    record.sections[FIT] = settings_of(options, FIT)

    def extracted(folder: RunFolder) -> tuple[Path, OrbitDataset | None]:
        path = _place_of_store(folder, dataset, options.dtype)
        was_there = os.path.lexists(path)
        try:
            if not is_whole(path):
                folder.begin_work()
            write_store(options, dataset, path, extraction)
        except BaseException:
            # what was there before is not ours to remove, nor a store that is damaged
            if not was_there and not describe_store(path):
                shutil.rmtree(path, ignore_errors=True)
            raise
        return path, dataset

    _run_stages(options, record, extracted)
    say_damaged(images)


def _run_store(options: argparse.Namespace, path: Path) -> None:
    """Run the stages that follow extraction, over a store that stays where it is."""
    of_images = options.typed & set(EXTRACTION) - set(FITTING)
    if of_images:
        name = f"--{min(of_images).replace('_', '-')}"
        raise ValueError(
            f"{name} says how images are read, and {path} is a store of orbits that were read: "
            "leave it out, or name images."
        )
    store = OrbitStore(path)
    _check(options, store.group)
    check_split(options, len(store.images))
    check_sizes(options, store.group, store.shape[2])
    store.image_ids  # noqa: B018  # of a store with pending images there are none
    record = record_of_fit(options, path, options.out)
    record.hashes["orbits"] = store.digest()
    _check_hashes(options, record)
    shown = argparse.Namespace(images=None, network=None, weights=None, device=options.device)
    if options.visualize is not None:
        check_visualizing(options, images_of(shown, path))
    _run_stages(options, record, lambda folder: (path, images_of(shown, path)))


def _run_stages(
    options: argparse.Namespace,
    record: RunRecord,
    extracted: Callable[[RunFolder], tuple[Path, OrbitDataset | None]],
) -> None:
    record.sections[ANALYZE] = settings_of(options, ANALYZE)
    with run_folder(options, options.out) as folder:
        folder.check(FIT, with_effect(settings_of(options, FIT)), names_of_models(options))
        folder.check(ANALYZE, with_effect(record.sections[ANALYZE]), TABLES)
        folder.check(REPORT_STAGE, None, [REPORT])
        folder.record_with(record.write)
        with saying_how_to_go_on(options, lambda: _kept(folder)):
            store, dataset = extracted(folder)
            place, fitted = fit_store(folder, options, store, record)
            subject = subject_in(folder, place, store, verify=not options.no_verify)
            measured = cache(partial(measured_as, subject, options))
            place, results = analyze_models(folder, subject, options, measured)
            report_on(folder, subject, options, measured, dataset)
            features = read_features(place)
            del dataset, measured  # of a store that is mapped no folder can be renamed everywhere
            folder.take_place(
                {FIT: names_of_models(options), ANALYZE: TABLES, REPORT_STAGE: [REPORT]},
                following={FIGURES: ANALYZE},
            )
    if options.json:
        print(as_json({FIT: fitted, ANALYZE: results}))
        return
    print_summary(results, features)
    print_findings(results, options)
    out = options.out
    print(f"\nReport: {out / REPORT}\nModel:  {out / MODEL}\nTable:  {out / FEATURES}")


def _check(options: argparse.Namespace, group: FiniteGroup) -> None:
    """Check all that can be checked before the work."""
    check_nameable(group)
    check_installed("jinja2", "matplotlib")
    analyzer_of(options)
    check_fitting(options, group)


def _place_of_store(folder: RunFolder, dataset: OrbitDataset, dtype: str) -> Path:
    """Where the store is, or is to be: not in the place of one that is to be kept."""
    path = folder.out / ORBITS
    difference = dataset.difference_from(path, dtype=dtype)
    if not difference:
        return path
    if not folder.may_overwrite:
        raise ValueError(
            f"{difference} Or --overwrite, which keeps it until the new results are whole."
        )
    folder.redirect()
    path = folder.work / ORBITS
    if dataset.difference_from(path, dtype=dtype):
        shutil.rmtree(path)
    return path


def _kept(folder: RunFolder) -> list[str]:
    stores = [describe_store(place / ORBITS) for place in {folder.out, folder.work}]
    tables = [str(folder.work / FEATURES)] if (folder.work / FEATURES).exists() else []
    return [*stores, *describe_models(folder), *tables, *describe_rows(folder)]


def _check_hashes(options: argparse.Namespace, record: RunRecord) -> None:
    """Compare what is read with what the record of a run was made of."""
    for name, expected in options.recorded.get("hashes", {}).items():
        found = record.hashes.get(name, expected)
        if name != "orbits" and found != expected:
            raise ValueError(
                f"{options.recorded['path']} is of other {name}: their hash is {expected[:12]}..., "
                f"not {found[:12]}... Delete the line of [hashes] to run with these."
            )


def _say_other_versions(options: argparse.Namespace) -> None:
    before: dict[str, Any] = options.recorded.get("versions", {})
    now = versions()
    differing = [
        f"{name} {before[name]} (now {now[name]})"
        for name in before
        if name in now and before[name] != now[name]
    ]
    if differing:
        say(f"Note: the run of before was made with {', '.join(differing)}: bits may differ.")
