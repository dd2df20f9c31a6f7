"""Orbits of many images into an array, or into a store by one process or several."""

from __future__ import annotations

import math
import os
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Protocol

import numpy as np
from joblib import Parallel, delayed, effective_n_jobs
from joblib.parallel import BACKENDS, get_active_backend
from numpy.typing import NDArray
from torch import Tensor

from .._ambient import warn_caller
from .._files import reserve_space
from .._integers import check_integer
from .._progress import tqdm
from .._workers import end_with_parent
from ..groups import FiniteGroup
from ..networks import Network
from ._images import ImageSource
from ._sampling import row_starts
from ._store import OrbitStore
from ._store_chunk import npy_header
from ._store_difference import explain_difference
from ._store_format import Manifest, StoredImage
from ._store_schema import is_store

# A store has so many chunks at least, and no chunk is larger than this many bytes.
_CHUNKS, _LARGEST_CHUNK = 16, 64 * 2**20
# Seconds to wait for a chunk's writer: a killed extraction's workers end a moment after it.
PATIENCE = 10.0
# Backends of joblib that start processes of this one.
_STARTED_HERE = ("loky", "multiprocessing")


class Extractable(Protocol):
    """What extraction asks of an `OrbitDataset`, which says what each member is."""

    network: Network
    images: ImageSource
    source_size: int
    n_positions_per_image: NDArray[np.int64]

    @property
    def group(self) -> FiniteGroup: ...
    @property
    def n_channels(self) -> int: ...
    @property
    def n_samples(self) -> int: ...
    def __len__(self) -> int: ...
    def check_images(self, progress: bool = False) -> None: ...
    def try_network(self, image: Tensor) -> None: ...
    def metadata(self) -> dict[str, Any]: ...
    def iterate(
        self,
        indices: Iterable[int],
        seed_ids: Iterable[int] | None = None,
        n_positions: Iterable[int] | None = None,
    ) -> Iterator[tuple[int, Tensor, Tensor]]: ...


def extract(
    dataset: Extractable,
    path: str | os.PathLike[str],
    *,
    dtype: str,
    append: bool,
    chunk_bytes: int | None,
    n_jobs: int | None,
    progress: bool,
) -> OrbitStore:
    """Write what is not there yet; see `OrbitDataset.extract`."""
    _check_n_jobs(n_jobs)
    images = _stored_images(dataset)
    chunk_bytes = _chunk_bytes(dataset, dtype) if chunk_bytes is None else chunk_bytes
    store = open_store(
        path,
        images,
        append=append,
        group=dataset.group,
        n_channels=dataset.n_channels,
        metadata=dataset.metadata(),
        dtype=dtype,
        chunk_bytes=chunk_bytes,
    )
    index_of = match_images(store, images)
    dataset.images.check_all(index_of.values(), progress=progress)
    work = [(dataset, path, chunk, index_of) for chunk in store.pending()]
    n_jobs, options = _processes(n_jobs, len(work))
    with tqdm(
        total=len(index_of), desc="reading orbits", unit="image", disable=not progress
    ) as bar:
        if n_jobs == 1:
            for task in work:
                _write_chunk(*task, bar)
        else:
            _try_network(dataset, index_of.values())
            tasks = (delayed(_write_chunk)(*task) for task in work)
            parallel = Parallel(n_jobs=n_jobs, return_as="generator_unordered", **options)
            for n_written in parallel(tasks):
                bar.update(n_written)
    return OrbitStore(path)


def open_store(
    path: str | os.PathLike[str],
    images: Sequence[StoredImage],
    *,
    append: bool,
    noun: str = "images",
    **settings: Any,
) -> OrbitStore:
    """Make a store for images, or open the one that is there to go on with it.

    Parameters
    ----------
    path : path
    images : sequence of StoredImage
    append : bool
        Add those that the store has not.
    noun : str, default="images"
        What they are, for the warning of copies.
    **settings : object
        Of `OrbitStore.create`.
    """
    _report_copies(images, noun)
    stored_images = OrbitStore(path, allow_incomplete=True).images if append else None
    store = OrbitStore.create(
        path, images=images if stored_images is None else stored_images, **settings
    )
    if stored_images is not None:
        stored_digests = {image.digest for image in stored_images}
        # none are new where a call is repeated: then what is pending is written
        if new := [image for image in images if image.digest not in stored_digests]:
            store.append(new)
    return store


def difference(dataset: Extractable, path: str | os.PathLike[str], dtype: str) -> str:
    """Say why a store cannot be gone on with; see `OrbitDataset.difference_from`."""
    if not is_store(path):
        return ""
    store = OrbitStore(path, allow_incomplete=True)
    if len(store.pending_images()) == len(store.images):
        return ""
    plan = Manifest.plan(
        group=dataset.group,
        n_channels=dataset.n_channels,
        dtype=dtype,
        metadata=dataset.metadata(),
        images=_stored_images(dataset),
        chunk_bytes=_chunk_bytes(dataset, dtype),
    )
    return explain_difference(Path(path), Manifest.read(Path(path)), plan)


def _stored_images(dataset: Extractable) -> list[StoredImage]:
    return [
        StoredImage(dataset.images.name(i), dataset.images.digest(i), int(n_rows))
        for i, n_rows in enumerate(dataset.n_positions_per_image)
    ]


def _try_network(dataset: Extractable, indices: Iterable[int]) -> None:
    """Warn here of what readings depend on: else each task would look, and warn its own process."""
    with_positions = (index for index in indices if dataset.n_positions_per_image[index])
    first = next(with_positions, None)
    if first is not None:
        before = dataset.network.device
        dataset.try_network(dataset.images.load(first, dataset.source_size))
        dataset.network.to(before)  # workers move their own


def fill_array(dataset: Extractable, progress: bool) -> NDArray[np.float32]:
    """Read the orbits of all images into an array in memory."""
    array = np.empty(_shape(dataset), dtype=np.float32)
    starts = row_starts(dataset.n_positions_per_image)
    for index, orbits in _read_all(dataset, progress):
        array[starts[index] : starts[index + 1]] = orbits
    return array


def write_array(dataset: Extractable, path: Path, progress: bool) -> None:
    """Write the orbits of all images to a ``.npy`` file, one after the other.

    The file is written to, not mapped: a disk that fills is then an error, and not the end of the
    process.

    Raises
    ------
    OSError
        If there is no room; that is found out first.
    """
    header = npy_header(np.dtype("<f4"), _shape(dataset))
    with open(path, "wb") as file:
        file.truncate(len(header) + 4 * math.prod(_shape(dataset)))
        reserve_space(path)
        file.write(header)
        for _, orbits in _read_all(dataset, progress):
            file.write(np.ascontiguousarray(orbits, dtype="<f4").reshape(-1).view(np.uint8).data)


def _shape(dataset: Extractable) -> tuple[int, int, int]:
    return dataset.n_samples, dataset.group.order, dataset.n_channels


def _read_all(dataset: Extractable, progress: bool) -> Iterator[tuple[int, NDArray[np.float32]]]:
    """Number and orbits of every image, all of which were seen to be sound."""
    dataset.check_images(progress)
    read = dataset.iterate(range(len(dataset)))
    for index, orbits, _ in tqdm(
        read, desc="reading orbits", unit="image", total=len(dataset), disable=not progress
    ):
        yield index, orbits.numpy()


def _chunk_bytes(dataset: Extractable, dtype: str) -> int:
    n_values = dataset.n_samples * dataset.group.order * dataset.n_channels
    return choose_chunk_bytes(n_values * np.dtype(dtype).itemsize)


def choose_chunk_bytes(n_bytes: int) -> int:
    """About a sixteenth of all: the layout is the same for any number of processes."""
    return min(_LARGEST_CHUNK, -(-n_bytes // _CHUNKS))


def _write_chunk(
    dataset: Extractable,
    path: str | os.PathLike[str],
    chunk: int,
    index_of: Mapping[int, int],
    bar: Any = None,
) -> int:
    """Read the images of one chunk that it lacks: what one process does, on its own."""
    store = OrbitStore(path, allow_incomplete=True)
    with store.writer(chunk, timeout=PATIENCE) as writer:
        numbers = writer.pending_images
        # positions go by the number in the store: appended images have some of their own. So does
        # how many there are: the store's rows are laid out, whatever the dataset would give now
        read = dataset.iterate(
            [index_of[n] for n in numbers],
            seed_ids=numbers,
            n_positions=[writer.n_rows(n) for n in numbers],
        )
        for number, (_, orbits, positions) in zip(numbers, read, strict=True):
            writer.write(number, orbits.numpy(), positions.numpy())
            if bar is not None:
                bar.update()
    return len(numbers)


def match_images(store: OrbitStore, images: Sequence[StoredImage]) -> dict[int, int]:
    """Say for the store's pending images which of the dataset's they are, by their content."""
    index_of: dict[str, int] = {}
    for index, image in enumerate(images):
        index_of.setdefault(image.digest, index)
    pending = store.pending_images()
    for number in pending:
        if store.images[number].digest not in index_of:
            raise ValueError(
                f"The store still lacks the orbits of {store.images[number].name}, which is not "
                "among the images given: give it too, with append=True."
            )
    return {number: index_of[store.images[number].digest] for number in pending}


def _check_n_jobs(n_jobs: int | None) -> None:
    if n_jobs is not None:
        check_integer("n_jobs", n_jobs)
        if n_jobs == 0:
            raise ValueError("n_jobs is a number of processes, or -1 for one a core; got 0.")


def _processes(n_jobs: int | None, n_tasks: int) -> tuple[int, dict[str, Any]]:
    """How many processes to use, and with what options.

    Those that joblib starts on this machine watch the process that they work for, and there are no
    more of them than tasks. Dask and Ray see to their own.
    """
    n_workers = effective_n_jobs(n_jobs)
    backend, _ = get_active_backend()
    started_here = tuple(BACKENDS[name] for name in _STARTED_HERE if name in BACKENDS)
    if isinstance(backend, started_here):
        return max(1, min(n_workers, n_tasks)), {"initializer": end_with_parent}
    return n_workers, {}


def _report_copies(images: Sequence[StoredImage], noun: str) -> None:
    names: dict[str, list[str]] = defaultdict(list)
    for image in images:
        names[image.digest].append(image.name)
    copies = [same for same in names.values() if len(same) > 1]
    if copies:
        shown = "; ".join(" = ".join(same[:4]) for same in copies[:3])
        warn_caller(
            f"{sum(len(same) - 1 for same in copies)} of {len(images)} {noun} are copies of "
            f"others ({shown}{' ...' if len(copies) > 3 else ''}): in different folds of a "
            "split they leak.",
            UserWarning,
        )
