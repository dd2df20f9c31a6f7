"""How fast this machine is: short runs of every stage, on little data."""

from __future__ import annotations

import argparse
import json
import multiprocessing
import shutil
import sys
import tempfile
import threading
import time
import warnings
from collections.abc import Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import cache, partial
from math import ceil
from pathlib import Path

import numpy as np
from sklearn.exceptions import ConvergenceWarning

from .._workers import end_with_parent
from ..crosscoder import GroupCrosscoder
from ..groups import check_nameable
from ..networks import Network, load_network
from ..orbits import ImageSource, OrbitDataset, OrbitStore, StoredImage
from ._analyze import analyze_models, measured_as
from ._costs import Line, Rates
from ._demo_images import cut_tiles
from ._fit import MODEL, fit_store, record_of_fit
from ._report import REPORT, report_on
from ._run_folder import run_folder
from ._stores import action_of, dataset_of
from ._streams import quiet
from ._subject import subject_in

# Images that are read at most, the first of which to warm up; seconds to read them in, and to train
# in for the time of a step.
_IMAGES, _SECONDS = 8, 8.0
# Bytes that no such store has.
_ONE_CHUNK = 2**40
# Images of the stores that are fitted and analysed. Of fewer no name is held against responses.
_FEW, _MANY = 36, 108
# Bytes of the rows of the larger one in float64, at least: more than is read at once.
_FILLING = 1.2 * 2**26
# Steps at least between two fits of which the time of a step is known.
_STEPS = 60
# Of the variance: what --compression auto keeps where there are orbits enough.
_KEPT = 0.9
# Seconds between two looks at the memory.
_INTERVAL = 0.01


def measure_rates(options: argparse.Namespace, defaults: argparse.Namespace, group: str) -> Rates:
    """Measure all stages under a group, in a process of its own, whose memory is theirs alone.

    Parameters
    ----------
    options : Namespace
        Of ``groupcross plan``.
    defaults : Namespace
        Of ``groupcross run``, for what a plan has no option.
    group : str
    """
    settings = argparse.Namespace(**{**vars(defaults), **vars(options), "group": group})
    settings.images, settings.compression, settings.jobs = None, _KEPT, 1
    pool = ProcessPoolExecutor(
        1, mp_context=multiprocessing.get_context("spawn"), initializer=end_with_parent
    )
    with pool, tempfile.TemporaryDirectory(prefix="groupcross-plan-") as folder:
        return pool.submit(_measure, settings, Path(folder), time.time()).result()


@dataclass
class _ShortRun:
    """What the stages of a run over one store took."""

    n_rows: int
    n_training_rows: int = 0
    n_steps: int = 0
    n_atoms: int = 0
    n_coordinates: int = 0
    model: int = 0
    page: int = 0
    seconds: dict[str, float] = field(default_factory=dict)
    memory: dict[str, int] = field(default_factory=dict)

    @contextmanager
    def stage(self, name: str) -> Iterator[None]:
        with _watched() as peak:
            start = time.perf_counter()
            yield
            self.seconds[name] = time.perf_counter() - start
        self.memory[name] = peak.bytes


def _measure(options: argparse.Namespace, folder: Path, asked: float) -> Rates:
    with quiet(True):
        network = load_network(options.network, options.weights)
        images = sample_images(options.sample, network)
        ready = time.time() - asked
        with _watched() as peak:
            image, dataset, sample = measure_extraction(options, network, images, folder)
        named = _is_named(sample)
        # what is done once, compiling for one, and patches are in this alone
        first = _run(options, sample, folder, dataset=dataset, named=named)
        few, many = (_FEW, _MANY) if named else (_FEW // 3, _MANY // 3)
        row = 8 * sample.group.order * sample.shape[2]
        many = max(many, ceil(_FILLING / (row * options.positions)))
        stores = [tiled(sample, folder / f"{n}.orbits", n, options.positions) for n in (few, many)]
        short, long = (_run(options, store, folder, named=named) for store in stores)
        n_more = max(ceil(_STEPS / long.n_steps), round(_SECONDS / long.seconds["fit"]))
        again = _run(options, stores[1], folder, n_epochs=1 + n_more, named=False)
    more, n_steps = again.seconds["fit"] - long.seconds["fit"], options.seeds * long.n_steps
    if more > 0:
        step = more / (n_more * n_steps)
    else:  # what else the machine did took longer than the steps: too much rather than nothing
        step = again.seconds["fit"] / ((1 + n_more) * n_steps)

    def line(name: str) -> Line:
        growing = Line.through(*((run.n_rows, run.seconds[name]) for run in (short, long)))
        once = max(0.0, first.seconds[name] - growing.at(first.n_rows))
        return Line(growing.constant + once, growing.slope)

    return Rates(
        order=sample.group.order,
        n_channels=sample.shape[2],
        n_atoms=long.n_atoms,
        n_coordinates=long.n_coordinates,
        start=ready,
        image=image,
        step=step,
        fit=Line.through(
            *(
                (run.n_training_rows, run.seconds["fit"] / options.seeds - step * run.n_steps)
                for run in (short, long)
            )
        ),
        analyze=line("analyze") if named else None,
        report=line("report") if named else None,
        memory={
            "extract": Line(peak.bytes, 0.0),
            **{
                name: Line.through(*((run.n_rows, run.memory[name]) for run in (short, long)))
                for name in long.memory
            },
        },
        n_rows=long.n_rows,
        manifest=_manifest_of(sample),
        model=long.model,
        page=first.page,
    )


def sample_images(paths: Sequence[str] | None, network: Network) -> ImageSource:
    """Images to measure on: those that are named, or parts of scikit-learn's photographs."""
    if paths is not None:
        images = ImageSource(paths, n_channels=network.n_channels)
        return images[list(range(min(_IMAGES, len(images))))]
    from sklearn.datasets import load_sample_images

    photographs = load_sample_images().images
    tiles = [tile for photo in photographs for tile in cut_tiles(photo, min(photo.shape[:2]) // 2)]
    return ImageSource(tiles[:_IMAGES], n_channels=network.n_channels)


def measure_extraction(
    options: argparse.Namespace, network: Network, images: ImageSource, folder: Path
) -> tuple[float, OrbitDataset, OrbitStore]:
    """Seconds an image, and what was read: as many as there is time for, two at least."""

    def extract(chosen: Sequence[int], name: str) -> tuple[float, OrbitDataset, OrbitStore]:
        dataset = dataset_of(options, images[list(chosen)], action_of(options), network)
        start = time.perf_counter()
        # in one chunk: of so few images each would have its own, which takes longer than to read it
        store = dataset.extract(folder / name, dtype=options.dtype, chunk_bytes=_ONE_CHUNK)
        return time.perf_counter() - start, dataset, store

    if len(images) < 3:
        raise ValueError(f"--sample has {len(images)} images; it takes 3 or more to measure on.")
    extract([0], "warm.orbits")  # what is done once: fields, kernels
    one, _, _ = extract([0], "one.orbits")
    n_images = int(np.clip(_SECONDS / one, 2, len(images) - 1))
    seconds, dataset, store = extract(range(1, 1 + n_images), "sample.orbits")
    # what a store costs whatever is in it is in both
    return max(0.0, seconds - one) / (n_images - 1), dataset, store


def tiled(sample: OrbitStore, path: Path, n_images: int, n_positions: int) -> OrbitStore:
    """Make a store of so many images, of whose orbits there are a few."""
    orbits, positions = np.asarray(sample), sample.positions
    images = [StoredImage(f"{i}", f"{i}", n_positions) for i in range(n_images)]
    store = OrbitStore.create(
        path,
        group=sample.group,
        n_channels=sample.shape[2],
        images=images,
        metadata=sample.metadata,
        dtype=sample.dtype.name,
    )
    for chunk in store.pending():
        with store.writer(chunk) as writer:
            for image in writer.pending_images:
                rows = (np.arange(n_positions) + image * n_positions) % len(orbits)
                writer.write(image, orbits[rows], positions[rows])
    return OrbitStore(path)


def _run(
    options: argparse.Namespace,
    store: OrbitStore,
    folder: Path,
    *,
    named: bool,
    n_epochs: int = 1,
    dataset: OrbitDataset | None = None,
) -> _ShortRun:
    """The stages after extraction, as ``groupcross run`` does them; the fit alone if not named."""
    out = folder / "run"
    settings = argparse.Namespace(**{**vars(options), "epochs": n_epochs, "out": out})
    run = _ShortRun(len(store))
    record = record_of_fit(settings, store.path, out)
    with run_folder(settings, out) as place:
        with run.stage("fit"), warnings.catch_warnings():
            warnings.simplefilter("ignore", ConvergenceWarning)  # they are meant to be short
            _, fitted = fit_store(place, settings, store.path, record)
        run.n_training_rows, run.n_steps = fitted["orbits"]["training"], fitted["steps"] // n_epochs
        run.n_atoms = fitted["atoms"]
        run.n_coordinates = GroupCrosscoder.load(out / MODEL).n_coordinates_
        run.model = (out / MODEL).stat().st_size
        if named:
            subject = subject_in(place, out, store.path, verify=not settings.no_verify)
            measured = cache(partial(measured_as, subject, settings))
            with run.stage("analyze"):
                analyze_models(place, subject, settings, measured)
            with run.stage("report"):
                report_on(place, subject, settings, measured, dataset)
            run.page = (out / REPORT).stat().st_size
    shutil.rmtree(out)
    return run


def _is_named(store: OrbitStore) -> bool:
    """Whether symmetries of the store's group have names."""
    try:
        check_nameable(store.group)
    except ValueError:
        return False
    return True


def _manifest_of(store: OrbitStore) -> Line:
    """Bytes of a store's manifest, by images: what one of them adds, and all else."""
    size = (Path(store.path) / "manifest.json").stat().st_size
    # numbers of chunks are few, and names of other images like these; in format version 2, of many
    # images, each takes five bytes less
    entries = len(json.dumps([list(image) for image in store.images]))
    return Line(size - entries, entries / len(store.images))


class _Peak:
    """The most memory that this process had, while somebody looked."""

    def __init__(self) -> None:
        self.bytes = memory_in_use()
        self.is_over = threading.Event()

    def watch(self) -> None:
        while not self.is_over.wait(_INTERVAL):
            self.bytes = max(self.bytes, memory_in_use())


@contextmanager
def _watched() -> Iterator[_Peak]:
    peak = _Peak()
    watcher = threading.Thread(target=peak.watch, daemon=True)
    watcher.start()
    try:
        yield peak
    finally:
        peak.is_over.set()
        watcher.join()


def memory_in_use() -> int:
    """Bytes of this process that the system cannot drop, unlike the pages of mapped files.

    Where the system does not tell them apart: the most that it has had, of both.
    """
    try:
        lines = Path("/proc/self/status").read_text(encoding="utf-8").splitlines()
        return 1024 * int(next(line for line in lines if line.startswith("RssAnon")).split()[1])
    except (OSError, StopIteration):
        pass
    try:
        import resource
    except ImportError:  # Windows
        return 0
    # kilobytes, but on macOS
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * (
        1 if sys.platform == "darwin" else 1024
    )
