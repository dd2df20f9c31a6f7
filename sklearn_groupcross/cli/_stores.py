"""``groupcross extract`` and ``groupcross store``: orbits on disk."""

from __future__ import annotations

import argparse
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

from tabulate import tabulate

from .._device import resolve_device
from .._network_names import names_code
from ..actions import HueAction, ImageAction, ImageProductAction
from ..groups import check_nameable, parse_group
from ..networks import Network, load_network
from ..orbits import ImageSource, OrbitDataset, OrbitStore
from ._arguments import in_words
from ._going_on import saying_how_to_go_on
from ._manifest import digest_of
from ._record import (
    EXTRACTION_RECORD,
    SOURCES,
    RunRecord,
    absolute,
    parse_record,
    read_record,
    settings_of,
)
from ._sources import draw_images, say_damaged
from ._streams import complain, say


def extract(options: argparse.Namespace) -> None:
    """Run ``groupcross extract``."""
    action = action_of(options)
    try:
        check_nameable(action.group, "Its orbits can be extracted all the same.")
    except ValueError as note:
        say(f"Note: {note}")
    network = load_network(options.network, options.weights)
    images = draw_images(options, network)
    dataset = dataset_of(options, images, action, network)
    with saying_how_to_go_on(options, lambda: [describe_store(options.out)]):
        _print_info(write_store(options, dataset, options.out, record_of(options, dataset)))
    say_damaged(images)


def write_store(
    options: argparse.Namespace,
    dataset: OrbitDataset,
    path: Path | str,
    record: RunRecord,
) -> OrbitStore:
    """Write the orbits that a store lacks, and beside them how they were made."""
    say(
        f"{dataset.network.name}, layer {dataset.layer}, {len(dataset)} images, "
        f"{in_words(dataset.group)}"
    )
    append = getattr(options, "append", False)
    state_before = _state(path)
    store = dataset.extract(
        path, dtype=options.dtype, append=append, n_jobs=options.jobs, progress=True
    )
    is_new = state_before != (len(store.images), 0)
    if not is_new:
        what = "add" if append else "do"
        say(f"Nothing to {what}: {path} holds all of these images already.")
    _write_record(store, record, append=append, is_new=is_new)
    return store


def dataset_of(
    options: argparse.Namespace,
    images: ImageSource,
    action: ImageAction | ImageProductAction,
    network: Network,
) -> OrbitDataset:
    """The dataset that options describe.

    Raises
    ------
    ValueError
        If they do not fit one another.
    """
    if options.max_samples is not None and options.max_samples < len(images):
        raise ValueError(
            f"--max-samples {options.max_samples} leaves some of the {len(images)} images without "
            "any: give one for each, or fewer images."
        )
    network.precision = options.precision
    positions = options.positions
    if positions is None and options.sampling in ("disk", "energy"):
        positions = POSITIONS
    settings = {
        "network": network,
        "action": action,
        "layer": options.layer,
        "sampling": options.sampling,
        "n_positions": positions,
        "max_samples": options.max_samples,
        "radius": options.radius,
        "interpolation": options.interpolation,
        "device": resolve_device(options.device),
        "random_state": options.seed,
    }
    try:
        return OrbitDataset(images, **settings)
    except (RuntimeError, TypeError, AttributeError, LookupError) as error:
        # of code of one's own, which is run here for the first time: no fault of the program
        if not names_code(options.network):
            raise
        size = network.input_size
        raise ValueError(
            f"The forward pass of {options.network} fails for an image of {size} × {size} px: "
            f"{type(error).__name__}: {error}. groupcross layers says how far it comes."
        ) from error


#: Of an image, where nothing is said.
POSITIONS = 100


def action_of(options: argparse.Namespace) -> ImageAction | ImageProductAction:
    """How the group moves images."""
    turns = ImageAction(parse_group(options.group), mask=options.mask)
    if options.hues is None:
        return turns
    return ImageProductAction(turns, HueAction(options.hues))


def record_of(options: argparse.Namespace, dataset: OrbitDataset) -> RunRecord:
    """The settings of an extraction, and hashes of what it reads."""
    record = RunRecord()
    sources = options.images
    paths = {} if sources is None else {SOURCES: absolute(sources)}
    record.sections["extract"] = {**paths, **settings_of(options, "extract")}
    record.hashes = {
        "network": dataset.metadata()["network_digest"],
        "images": digest_of(dataset.images.digest(i) for i in range(len(dataset))),
    }
    return record


def read_extraction(store: Path | str) -> dict[str, Any]:
    """What is recorded of how a store was made; empty where nothing is.

    Raises
    ------
    ValueError
        If the record is damaged.
    """
    try:
        if isinstance(store, Path):
            return read_record(store / EXTRACTION_RECORD)
        text = OrbitStore(store).read_beside(EXTRACTION_RECORD)
    except (FileNotFoundError, NotADirectoryError):
        return {}
    return parse_record(text, f"{store}/{EXTRACTION_RECORD}")


def _write_record(store: OrbitStore, record: RunRecord, *, append: bool, is_new: bool) -> None:
    before: Mapping[str, Any] = {}
    with suppress(ValueError):  # a damaged one is replaced
        before = read_extraction(store.path)
    if not is_new and before:  # nothing was done
        return
    if append:
        sources = [
            *before.get("extract", {}).get(SOURCES, []),
            *record.sections["extract"][SOURCES],
        ]
        record.sections["extract"][SOURCES] = list(dict.fromkeys(sources))
        record.hashes.pop("images")  # they are in the store
    try:
        if isinstance(store.path, Path):
            record.write(store.path / EXTRACTION_RECORD)
        else:
            store.write_beside(EXTRACTION_RECORD, record.text())
    except OSError as error:
        if is_new:
            raise
        # a whole store may be read-only
        say(f"Note: how {store.path} was made is not recorded there ({error.strerror or error}).")


def describe_store(path: Path | str) -> str:
    """Say how much of a store is there; empty if nothing is."""
    try:
        store = OrbitStore(path, allow_incomplete=True)
        n_images = len(store.images)
        n_there = n_images - len(store.pending_images())
    except (OSError, ValueError):
        return ""
    return f"orbits of {n_there} of {n_images} images in {path}" if n_there else ""


def is_whole(path: Path | str) -> bool:
    """Whether there is a store, and nothing of it is pending."""
    state = _state(path)
    return state is not None and state[1] == 0


def _state(path: Path | str) -> tuple[int, int] | None:
    """How many images a store is to hold, and how many of them are pending; None without one."""
    try:
        store = OrbitStore(path, allow_incomplete=True)
    except FileNotFoundError:
        return None
    return len(store.images), len(store.pending_images())


def store_info(options: argparse.Namespace) -> None:
    """Run ``groupcross store info``."""
    _print_info(OrbitStore(options.store, allow_incomplete=True))


def _print_info(store: OrbitStore) -> None:
    print(tabulate(store.info().items(), tablefmt="plain"))


def store_verify(options: argparse.Namespace) -> None:
    """Run ``groupcross store verify``."""
    store = OrbitStore(options.store)
    report = store.verify(progress=True)
    if options.discard and report.damaged_images:
        store.discard(report.damaged_images)
        for problem in report.problems:
            complain(problem)
        print(
            f"{len(report.damaged_images)} of {report.n_images} images discarded: the command that "
            f"wrote {options.store} writes them again."
        )
        return
    if not report.ok:
        *others, last = report.problems
        for problem in others:
            complain(problem)
        raise ValueError(
            f"{last} {options.store} is damaged: {len(report.damaged_images)} of "
            f"{report.n_images} images. With --discard the command that wrote it writes them "
            "again."
        )
    if not options.quiet:
        print(report)
