"""``groupcross fit``: dictionaries of several seeds from a store of orbits."""

from __future__ import annotations

import argparse
import shutil
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.base import clone
from tabulate import tabulate

from .._device import resolve_device
from ..crosscoder import (
    GroupCrosscoder,
    check_parameters,
    keeping_checkpoint,
    sparsity_parameter,
)
from ..groups import FiniteGroup, check_nameable
from ..orbits import OrbitStore, StoredOrbits
from ._arguments import as_json, in_words
from ._folder import ORBITS, RUN, RunFolder
from ._going_on import saying_how_to_go_on
from ._manifest import digest_of
from ._record import EXTRACTION_RECORD, STORE, RunRecord, settings_of, with_effect
from ._run_folder import run_folder
from ._stores import read_extraction
from ._streams import say

FIT = "fit"
MODEL = "crosscoder.safetensors"
# What leads to features that another seed finds again, with TopK: see "What holds" in
# docs/benchmarks.
_ATOMS_A_CHANNEL, _CHANNELS_A_CODE = 1.6, 10
_LEARNING_RATE = 6e-3


def fit(options: argparse.Namespace) -> None:
    """Run ``groupcross fit``."""
    store = OrbitStore(options.store)
    check_nameable(store.group)
    check_fitting(options, store.group)
    check_split(options, len(store.images))
    check_sizes(options, store.group, store.shape[2])
    settings = with_effect(settings_of(options, FIT))
    record = record_of_fit(options, options.store, options.out)
    record.keep_later_stages(options.out / RUN)
    with run_folder(options, options.out) as folder:
        folder.check(FIT, settings, names_of_models(options))
        folder.record_with(record.write)
        with saying_how_to_go_on(options, lambda: describe_models(folder)):
            _, results = fit_store(folder, options, options.store, record)
            folder.take_place({})
    if options.json:
        print(as_json({FIT: results}))
        return
    print(tabulate(_in_lines(results).items(), tablefmt="plain", disable_numparse=True))
    for name in names_of_models(options):
        print(f"Model: {options.out / name}")


def fit_store(
    folder: RunFolder, options: argparse.Namespace, path: Path | str, record: RunRecord
) -> tuple[Path, dict[str, Any]]:
    """The stage: one dictionary a seed, one after the other, each from where it was stopped.

    Returns
    -------
    place : Path
        Where the models lie.
    results : dict
        What is printed, as JSON can hold it.
    """
    store = OrbitStore(path, verify_on_read=not options.no_verify)
    settings, inputs = with_effect(settings_of(options, FIT)), {"orbits": store.digest()}
    record.hashes["orbits"] = inputs["orbits"]
    # of these settings and orbits alone: what was saved with others stays
    states = f"training-{digest_of([as_json(settings), inputs['orbits']])[:8]}"
    place = folder.done(FIT, settings, inputs)
    if place is not None:
        shutil.rmtree(place / states, ignore_errors=True)  # of a command that was killed then
        say(f"fit: done already, {place / MODEL}")
        return place, folder.results_of(place, FIT)
    crosscoders = dict(
        zip(names_of_models(options), crosscoders_of(options, store.group), strict=True)
    )
    there = folder.begin(FIT, settings, inputs, crosscoders)
    split = split_of(store, options.held_out, options.seed)
    say(
        f"fit: {len(split.training)} orbits of {split.n_training_images} images, "
        f"{len(split.held_out)} of {split.n_held_out_images} held out, {in_words(store.group)}"
    )
    try:
        for name, crosscoder in crosscoders.items():
            if name in there:
                say(f"fit: {folder.work / name} is there already")
                continue
            choose_size(crosscoder, store.shape[2])
            crosscoder.set_params(checkpoint_dir=folder.work / states)
            with keeping_checkpoint(crosscoder):
                crosscoder.fit(split.training)
                is_last = len(there) + 1 == len(crosscoders)
                folder.publish(
                    FIT,
                    settings,
                    inputs,
                    {name: crosscoder.save},
                    kept=there,
                    results=_results(
                        folder, list(crosscoders), name, crosscoder, split, where(path, folder)
                    )
                    if is_last
                    else None,
                )
            there.append(name)
            say(f"fit: {name}, {crosscoder.n_steps_} steps")
        shutil.rmtree(folder.work / states, ignore_errors=True)
    finally:
        with suppress(OSError):  # there is something in it
            (folder.work / states).rmdir()
    return folder.work, folder.results_of(folder.work, FIT)


def _results(
    folder: RunFolder,
    models: list[str],
    last: str,
    fitted: GroupCrosscoder,
    split: Split,
    store: str,
) -> dict[str, Any]:
    """What is printed of the first, which may have been fitted by a command before."""
    first = fitted if last == MODEL else GroupCrosscoder.load(folder.work / MODEL)
    n_held_out = split.n_held_out_images
    return {
        "models": models,
        "images": {"training": split.n_training_images, "held_out": n_held_out},
        "orbits": {"training": len(split.training), "held_out": len(split.held_out)},
        "atoms": len(first.components_),
        "sparsity": describe_sparsity(first),
        "store": store,
        "steps": int(first.n_steps_),
        "variance_unexplained_in_training": float(first.history_["fvu"][-1]),
    }


def _in_lines(results: dict[str, Any]) -> dict[str, str]:
    """Results for a person, by what they are of."""
    images, orbits = results["images"], results["orbits"]
    return {
        "images": f"{images['training']} for training, {images['held_out']} held out",
        "orbits": f"{orbits['training']} for training, {orbits['held_out']} held out",
        "atoms": f"{results['atoms']}, {results['sparsity']}",
        "training": f"{results['steps']} steps",
        "variance unexplained, last pass": f"{results['variance_unexplained_in_training']:.3f}",
    }


def where(store: Path | str, folder: RunFolder) -> str:
    """Path of a store, relative to the folder if it lies in it, which may be moved as a whole.

    A URL stays as it is.
    """
    if isinstance(store, str):
        return store
    for base in (folder.work, folder.out):
        if store.resolve().is_relative_to(base.resolve()):
            return store.resolve().relative_to(base.resolve()).as_posix()
    return str(store.resolve())


@dataclass(frozen=True)
class Split:
    """Orbits to train on and those to measure on, of other images.

    Attributes
    ----------
    training, held_out : StoredOrbits
        Views of a store, in its order.
    """

    training: StoredOrbits
    held_out: StoredOrbits

    @property
    def n_training_images(self) -> int:
        """Number of images to train on."""
        return len(np.unique(self.training.image_ids))

    @property
    def n_held_out_images(self) -> int:
        """Number of images to measure on."""
        return len(np.unique(self.held_out.image_ids))


def split_of(store: OrbitStore, n_held_out: int | None, seed: int) -> Split:
    """Split a store by image, at random by a seed.

    What is held out is spread over the store, whose images lie in the order of their names: one of
    every so many that follow one another.

    Raises
    ------
    ValueError
        If one side would have no image.
    """
    n_images = len(store.images)
    n_held_out = count_held_out(n_held_out, n_images)
    ends = np.arange(n_held_out + 1) * n_images // n_held_out
    chosen = np.random.default_rng(seed).integers(ends[:-1], ends[1:])
    is_held_out: NDArray[np.bool_] = np.isin(store.image_ids, chosen)
    return Split(store[~is_held_out, ...], store[is_held_out, ...])


def count_held_out(n_held_out: int | None, n_images: int) -> int:
    """Images that are kept from training: a sixth, unless a number is given.

    Raises
    ------
    ValueError
    """
    n_held_out = -(-n_images // 6) if n_held_out is None else n_held_out
    if not 1 <= n_held_out < n_images:
        raise ValueError(
            f"{n_images} images cannot be split into {n_held_out} held out and the rest for "
            "training: at least one of each is needed. See --held-out."
        )
    return n_held_out


def check_split(options: argparse.Namespace, n_images: int) -> None:
    """Check that images can be split as options say.

    Raises
    ------
    ValueError
    """
    count_held_out(options.held_out, n_images)


def check_fitting(options: argparse.Namespace, group: FiniteGroup) -> None:
    """Check all that can be checked of the settings before orbits are there.

    Raises
    ------
    ValueError
    """
    check_parameters(crosscoders_of(options, group)[0])


def check_sizes(options: argparse.Namespace, group: FiniteGroup, n_channels: int) -> None:
    """Check what follows from the number of channels.

    Raises
    ------
    ValueError
    """
    crosscoder = crosscoders_of(options, group)[0]
    choose_size(crosscoder, n_channels)
    n_atoms = crosscoder.n_features or 0
    if options.features is None and (options.k or 0) > n_atoms:
        raise ValueError(
            f"--k {options.k} codes cannot be active among {n_atoms} atoms, as many as are taken "
            f"for {n_channels} channels: --features says how many."
        )
    check_parameters(crosscoder)


def names_of_models(options: argparse.Namespace) -> list[str]:
    """Files of the models, that of the first seed first."""
    others = range(options.seed + 1, options.seed + options.seeds)
    return [MODEL, *(f"crosscoder-seed{seed}.safetensors" for seed in others)]


def crosscoders_of(options: argparse.Namespace, group: FiniteGroup) -> list[GroupCrosscoder]:
    """Crosscoders that options describe, not fitted, alike but for their seeds."""
    crosscoder = GroupCrosscoder(
        group=group,
        n_features=options.features,
        augment=not options.no_augment,
        batch_size=options.batch_size,
        max_epochs=options.epochs,
        compression=options.compression,
        random_state=options.seed,
        device=resolve_device(options.device),
        verbose=1,
    )
    if options.l1 is None:
        crosscoder.set_params(activation="topk", k=options.k, learning_rate=_LEARNING_RATE)
    else:
        crosscoder.set_params(activation="relu", l1=options.l1)
    others = range(options.seed + 1, options.seed + options.seeds)
    return [crosscoder, *(clone(crosscoder).set_params(random_state=seed) for seed in others)]


def choose_size(crosscoder: GroupCrosscoder, n_channels: int) -> None:
    """Set how many atoms and active codes there are, where nothing was said."""
    if crosscoder.n_features is None:
        crosscoder.n_features = round(_ATOMS_A_CHANNEL * n_channels)
    if crosscoder.k is None and sparsity_parameter(crosscoder) == "k":
        crosscoder.k = min(-(-n_channels // _CHANNELS_A_CODE), crosscoder.n_features)


def describe_sparsity(crosscoder: GroupCrosscoder) -> str:
    """How sparse codes are, in words."""
    if sparsity_parameter(crosscoder) == "k":
        return f"{crosscoder.k_} active"
    return f"l1 = {crosscoder.l1_:g}"


def record_of_fit(options: argparse.Namespace, store: Path | str, out: Path) -> RunRecord:
    """The settings of a fit, and of the extraction of its store where they are known."""
    record = RunRecord()
    record.add(read_extraction(store))
    stored = {STORE: str(store)}
    if isinstance(store, Path):
        stored = {STORE: str(store.resolve())}
        is_own = store.resolve() == (out / ORBITS).resolve()
        if is_own and (store / EXTRACTION_RECORD).exists():
            stored = {}
    record.sections[FIT] = {**stored, **settings_of(options, FIT)}
    return record


def describe_models(folder: RunFolder) -> list[str]:
    """Say what there is of models, and of those that are on the way."""
    models = [str(path) for path in sorted(folder.work.glob("crosscoder*.safetensors"))]
    states = sorted(folder.work.glob("training-*/*.checkpoint.safetensors"))
    return [*models, *(f"the state of training in {path}" for path in states)]
