"""``groupcross report``: the explorer of a saved crosscoder."""

from __future__ import annotations

import argparse
import shutil
from collections.abc import Callable, Mapping
from functools import cache, partial
from pathlib import Path
from typing import Any

from .._device import resolve_device
from .._network_names import names_code
from .._version import __version__
from ..networks import load_network
from ..orbits import ImageSource, OrbitDataset, OrbitStore
from ..report import ReportSubject, write_report
from ._analyze import ANALYZE, described, folder_of, measured_as, record_beside
from ._arguments import as_json, check_installed
from ._demo_images import demo_images
from ._folder import RunFolder
from ._going_on import saying_how_to_go_on
from ._manifest import Manifest, digest_of
from ._measuring import Measured
from ._record import SOURCES
from ._run_folder import run_folder
from ._shown import check_visualizing, other_of, shown_of, visualizations_of
from ._stores import action_of, dataset_of, read_extraction
from ._streams import say
from ._subject import Subject, subject_of

REPORT_STAGE = "report"
REPORT = "report.html"
# Begins the name of the folder in which what is done of a report is kept.
_STATES = "report-"


def report(options: argparse.Namespace) -> None:
    """Run ``groupcross report``."""
    check_installed("jinja2", "matplotlib")
    resolve_device(options.device)
    subject = subject_of(
        options.model, options.orbits, options.others, verify=not options.no_verify
    )
    subject.check()
    if subject.store is None:
        raise ValueError(
            f"Nothing says on which orbits {options.model} is to be shown: --orbits names a store."
        )
    out = folder_of(options, options.model.parent)
    _take_settings_of_analysis(options, out)
    dataset = images_of(options, subject.store)
    check_visualizing(options, dataset)
    measured = cache(partial(measured_as, subject, options))
    record = record_beside(options.model)
    with run_folder(options, out) as folder:
        folder.check(REPORT_STAGE, None, [REPORT])
        folder.record_with(record.write)
        with saying_how_to_go_on(options, lambda: describe_rows(folder)):
            report_on(folder, subject, options, measured, dataset)
            folder.take_place({REPORT_STAGE: [REPORT]})
    print(f"Report: {out / REPORT}")


def report_on(
    folder: RunFolder,
    subject: Subject,
    options: argparse.Namespace,
    measured: Callable[[], Measured],
    dataset: OrbitDataset | None,
) -> None:
    """The stage: one page that shows everything.

    Parameters
    ----------
    folder : RunFolder
    subject : Subject
        With a store.
    options : Namespace
        Settings of the analysis.
    measured : callable
    dataset : OrbitDataset or None
        Over the store's images; without it there are no patches.

    Raises
    ------
    ValueError
        If features are to be visualized, and there is no network.
    """
    assert subject.store is not None
    check_visualizing(options, dataset)
    settings = {"threshold": options.threshold, "family_distance": options.family_distance}
    settings |= {"bags": options.bags, "no_refit": options.no_refit, "seed": options.seed}
    if options.visualize is not None:
        settings["visualize"] = options.visualize
    about = [settings, subject.inputs(), dataset is None, __version__]
    states = f"{_STATES}{digest_of([as_json(about)])[:8]}"
    # a page with patches is not replaced by one without
    kinds = ["of the store"] if dataset is not None else ["of the store", "none"]
    for kind in kinds:
        inputs = {**subject.inputs(), "pictures": kind}
        place = folder.done(REPORT_STAGE, settings, inputs)
        if place is not None:
            shutil.rmtree(place / states, ignore_errors=True)  # of a command that was killed then
            say(f"report: done already, {place / REPORT}")
            return
    folder.begin(REPORT_STAGE, settings, inputs, [REPORT])
    found = measured()
    first = shown_of(found, subject, dataset)
    second = other_of(found, subject, options, dataset)
    say(f"report: {'without' if first['dataset'] is None else 'with'} patches")

    def write(path: Path) -> None:
        if options.visualize is not None and dataset is not None:
            keep_in = folder.work / states
            first["visualizations"] = visualizations_of(found, dataset, options, keep_in)
        write_report(
            path,
            **first,
            other=None if second is None else ReportSubject(**second),
            title=_title(*described(subject)),
            keep_in=folder.work / states,
            progress=True,
        )
        shutil.rmtree(folder.work / states, ignore_errors=True)

    folder.publish(REPORT_STAGE, settings, inputs, {REPORT: write}, results={})


def describe_rows(folder: RunFolder) -> list[str]:
    """Say what there is of a report on its way."""
    n_parts = len(list(folder.work.glob(f"{_STATES}*/*/*.kept")))
    return [f"{n_parts} parts of the report"] if n_parts else []


def images_of(options: argparse.Namespace, store: Path | str) -> OrbitDataset | None:
    """The images that a store was made of, by what is recorded of it and what options say.

    None, with a note, where they are not at hand; if the options name them, that is an error.

    Raises
    ------
    ValueError
        If images or network that were named are others.
    OSError
        If they are not there.
    """
    is_named = bool(options.images or options.network or options.weights)
    if not is_named and "function" in OrbitStore(store).metadata:
        return None  # no images were read
    try:
        return _images_of(options, store)
    except (ValueError, OSError, ImportError) as error:
        if is_named:
            raise
        say(f"Note: the report has no patches. {error}")
        return None


def _images_of(options: argparse.Namespace, path: Path | str) -> OrbitDataset:
    extraction = read_extraction(path).get("extract", {})
    sources = options.images or extraction.get(SOURCES)
    name = options.network or extraction.get("network")
    weights = options.weights or extraction.get("weights")
    is_demo = bool(extraction) and sources is None
    if not is_demo and not (sources and name):
        raise ValueError(
            f"Nothing says which images and which network the orbits in {path} are of: --images "
            "and --network name them."
        )
    if options.network is None and names_code(name):
        raise ValueError(
            f"The orbits in {path} were read by code, which is not run because a record says so: "
            f"groupcross report MODEL --network {name} --overwrite has it run."
        )
    network = load_network(name, weights)
    images = (
        ImageSource(demo_images(options.device))
        if is_demo
        else ImageSource(sources, n_channels=network.n_channels)
    )
    store = OrbitStore(path)
    by_digest = {images.digest(i): i for i in range(len(images))}
    missing = [image.name for image in store.images if image.digest not in by_digest]
    if missing:
        raise ValueError(
            f"{len(missing)} of the {len(store.images)} images of {path} are not there, or changed "
            f"since, such as {missing[0]}: --images names where they are."
        )
    in_order = images[[by_digest[image.digest] for image in store.images]]
    settings = argparse.Namespace(**{**vars(options), **_DEFAULTS, **extraction})
    settings.device = options.device
    dataset = dataset_of(settings, in_order, action_of(settings), network)
    _check_same(dataset, store)
    return dataset


#: What an extraction has not recorded was not given.
_DEFAULTS: dict[str, Any] = {
    "layer": None,
    "hues": None,
    "mask": False,
    "positions": None,
    "max_samples": None,
    "radius": None,
    "sampling": "disk",
    "interpolation": "bilinear",
    "precision": "float32",
    "group": "dihedral:16",
    "seed": 0,
}


_DEFAULTS_OF_ANALYSIS: dict[str, Any] = {
    "threshold": 0.8,
    "family_distance": "auto",
    "bags": "images",
    "no_refit": False,
    "seed": 0,
}


def _check_same(dataset: OrbitDataset, store: OrbitStore) -> None:
    """See that patches are cut as the orbits were read."""
    now = dataset.metadata()
    for name in ("network_digest", "layers", "action", "input_size", "source_size"):
        before = store.metadata.get(name, now[name])
        if before != now[name]:
            raise ValueError(
                f"The orbits in {store.path} are of another network or reading: {name} was "
                f"{before!r:.80}, not {now[name]!r:.80}."
            )


def _take_settings_of_analysis(options: argparse.Namespace, out: Path) -> None:
    """Show what the tables of the folder say, where there are any."""
    stage = Manifest.read(out).stages.get(ANALYZE)
    recorded: Mapping[str, Any] = {} if stage is None else stage.settings
    for name, value in {**_DEFAULTS_OF_ANALYSIS, **recorded}.items():
        setattr(options, name, value)


def _title(metadata: Mapping[str, Any], image_word: str) -> str:
    if image_word == "tiles of two photographs":
        return "Symmetry report: groupcross demo"
    if "network" not in metadata:
        return "Symmetry report"
    return f"Symmetry report: {metadata['network']} {'+'.join(metadata.get('layers', {}))}"
