"""Orbits of many images into an array, or into a store by one process or several."""

from __future__ import annotations

import math
import os
import time
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

from .._ambient import warn_caller
from .._files import reserve_space
from .._progress import tqdm
from .._urls import is_url
from .._workers import check_n_jobs, choose_workers, share_out
from ..groups import FiniteGroup
from ..networks import Network
from ._images import ImageSource
from ._sampling import row_starts
from ._store import OrbitStore
from ._store_chunk import npy_header
from ._store_difference import explain_difference
from ._store_format import Manifest
from ._store_images import StoredImage
from ._store_locating import is_store, place_of
from ._store_runs import RunBuffer

# A store has so many chunks at least. From this size on, a store of four times the bytes has chunks
# of twice the bytes, and twice as many.
_CHUNKS, _SMALL = 16, 2**30
# No chunk is larger. One that was stopped is copied when it is gone on with, or, on object storage,
# lies here while it is written, and is uploaded whole.
_LARGEST_CHUNK, _LARGEST_REMOTE_CHUNK = 2**32, 2**28
# Seconds between two looks whether others have written what they were at.
_INTERVAL = 0.5


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
    storage_options: Mapping[str, Any] | None,
    progress: bool,
) -> OrbitStore:
    """Write what is not there yet; see `OrbitDataset.extract`."""
    check_n_jobs(n_jobs)
    images = _stored_images(dataset)
    if chunk_bytes is None:
        chunk_bytes = _chunk_bytes(dataset, dtype, is_url(path))
    store = open_store(
        path,
        images,
        append=append,
        group=dataset.group,
        n_channels=dataset.n_channels,
        metadata=dataset.metadata(),
        dtype=dtype,
        chunk_bytes=chunk_bytes,
        storage_options=storage_options,
    )
    index_of = match_images(store, images)
    dataset.images.check_all(index_of.values(), progress=progress)
    with tqdm(
        total=len(index_of), desc="reading orbits", unit="image", disable=not progress
    ) as bar:
        is_told = False
        while pending := store.pending_by_chunk():
            # those that others have written since
            bar.update(len(index_of) - sum(map(len, pending.values())) - bar.n)
            written = _write_chunks(dataset, store, storage_options, pending, index_of, n_jobs, bar)
            held = [each for each in written if isinstance(each, str)]
            if len(held) == len(written):
                if not is_told:
                    warn_caller(f"{held[0]} What is left is waited for.", RuntimeWarning)
                    is_told = True
                # the lock of one that is killed is free, and taken then
                time.sleep(_INTERVAL)
    return OrbitStore(path, storage_options=storage_options)


def _write_chunks(
    dataset: Extractable,
    store: OrbitStore,
    storage_options: Mapping[str, Any] | None,
    pending: Mapping[int, Sequence[int]],
    index_of: Mapping[int, int],
    n_jobs: int | None,
    bar: Any,
) -> list[int | str]:
    """Write those of the chunks that nobody else is writing; see `_write_chunk`."""
    # each task has the images of its chunk: of a million, all would be sent with every one
    work = [
        (dataset, store.path, storage_options, chunk, {i: index_of[i] for i in numbers})
        for chunk, numbers in pending.items()
    ]
    n_workers = choose_workers(n_jobs, len(work))
    if n_workers == 1:
        return [_write_chunk(*task, bar) for task in work]
    _refuse_memory(store.path)
    _try_network(dataset, index_of.values())
    done: list[int | str] = []
    names = [f"chunk {chunk} of {store.path}" for chunk in pending]
    for _, written in share_out(_write_chunk, work, n_workers, names):
        bar.update(0 if isinstance(written, str) else written)
        done.append(written)
    return done


def open_store(
    path: str | os.PathLike[str],
    images: Sequence[StoredImage],
    *,
    append: bool,
    noun: str = "images",
    storage_options: Mapping[str, Any] | None = None,
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
    storage_options : mapping, optional
    **settings : object
        Of `OrbitStore.create`.
    """
    _report_copies(images, noun)
    stored_images = None
    if append:
        stored_images = OrbitStore(path, storage_options=storage_options).images
    store = OrbitStore.create(
        path,
        images=images if stored_images is None else stored_images,
        storage_options=storage_options,
        **settings,
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
        chunk_bytes=_chunk_bytes(dataset, dtype, is_url(path)),
    )
    return explain_difference(store.path, place_of(path).read_manifest(), plan)


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


def _chunk_bytes(dataset: Extractable, dtype: str, is_remote: bool) -> int:
    n_values = dataset.n_samples * dataset.group.order * dataset.n_channels
    return choose_chunk_bytes(n_values * np.dtype(dtype).itemsize, is_remote)


def choose_chunk_bytes(n_bytes: int, is_remote: bool = False) -> int:
    """Choose the size of a store's chunks, as `OrbitDataset.extract` does where nothing is said.

    It follows from the orbits alone, so that the layout of a store is the same for any number of
    processes. Up to 1 GiB a store has sixteen chunks; above, files and their size grow alike, as
    the root of the store.

    Parameters
    ----------
    n_bytes : int
        Of all orbits: samples times |G| times channels, times bytes of a number.
    is_remote : bool, default=False
        Whether the store is on object storage. Chunks are of at most 256 MiB there, of 4 GiB
        elsewhere.

    Returns
    -------
    chunk_bytes : int
        As `OrbitStore.create` takes it. A chunk has whole images, and one at least.

    See Also
    --------
    OrbitDataset.extract : Its parameter `chunk_bytes`.

    Examples
    --------
    >>> from sklearn_groupcross.orbits import choose_chunk_bytes
    >>> for exponent in (28, 32, 40):
    ...     print(choose_chunk_bytes(2**exponent) // 2**20, "MiB")
    16 MiB
    128 MiB
    2048 MiB
    """
    chunk_bytes = -(-n_bytes // _CHUNKS)
    if n_bytes > _SMALL:
        chunk_bytes = _SMALL // _CHUNKS * math.isqrt(100 * n_bytes // _SMALL) // 10
    return min(chunk_bytes, _LARGEST_REMOTE_CHUNK if is_remote else _LARGEST_CHUNK)


def _refuse_memory(path: str | os.PathLike[str]) -> None:
    """Refuse processes that would write to a memory of their own."""
    if str(path).startswith("memory://"):
        raise ValueError(
            f"{path} is in the memory of this process, which others do not see: n_jobs=1 writes it."
        )


def _write_chunk(
    dataset: Extractable,
    path: str | os.PathLike[str],
    storage_options: Mapping[str, Any] | None,
    chunk: int,
    index_of: Mapping[int, int],
    bar: Any = None,
) -> int | str:
    """Read the images of one chunk that it lacks: what one process does, on its own.

    Returns
    -------
    written : int or str
        Number of images; or who it is, if another process is writing the chunk.
    """
    store = OrbitStore(path, storage_options=storage_options)
    with ExitStack() as opened:
        try:
            writer = opened.enter_context(store.writer(chunk))
        except BlockingIOError as error:
            return str(error)
        buffer = opened.enter_context(RunBuffer(writer))
        numbers = writer.pending_images
        # positions go by the number in the store: appended images have some of their own. So does
        # how many there are: the store's rows are laid out, whatever the dataset would give now
        read = dataset.iterate(
            [index_of[n] for n in numbers],
            seed_ids=numbers,
            n_positions=[writer.n_rows(n) for n in numbers],
        )
        for number, (_, orbits, positions) in zip(numbers, read, strict=True):
            buffer.add(number, orbits.numpy(), positions.numpy())
            if bar is not None:
                bar.update()
    return len(numbers)


def match_images(store: OrbitStore, images: Sequence[StoredImage]) -> dict[int, int]:
    """Say for the store's pending images which of the dataset's they are, by their content."""
    index_of: dict[str, int] = {}
    for index, image in enumerate(images):
        index_of.setdefault(image.digest, index)
    pending = store.pending_images()
    stored = store.images
    for number in pending:
        if stored[number].digest not in index_of:
            raise ValueError(
                f"The store still lacks the orbits of {stored[number].name}, which is not "
                "among the images given: give it too, with append=True."
            )
    return {number: index_of[stored[number].digest] for number in pending}


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
