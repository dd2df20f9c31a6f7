"""Orbits of many images into an array, or into a store by one process or several."""

from __future__ import annotations

import hashlib
import os
import warnings
from collections import defaultdict
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from joblib import Parallel, delayed, effective_n_jobs
from numpy.typing import NDArray
from tqdm.auto import tqdm

from .._files import reserve_space
from .._integers import check_integer
from .._version import __version__
from ..networks import Network
from ._sampling import row_starts
from ._store import OrbitStore
from ._store_format import StoredImage

if TYPE_CHECKING:
    from ._dataset import OrbitDataset

# A store has so many chunks at least, and no chunk is larger than this many bytes.
_CHUNKS, _LARGEST_CHUNK = 16, 64 * 2**20


def extract(
    dataset: OrbitDataset,
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
    images = [
        StoredImage(dataset.images.name(i), dataset.images.digest(i), int(n_rows))
        for i, n_rows in enumerate(dataset.n_positions_)
    ]
    _report_copies(images)
    there = OrbitStore(path, allow_incomplete=True).images if append else None
    store = OrbitStore.create(
        path,
        group=dataset.group,
        n_channels=dataset.n_channels,
        images=images if there is None else there,
        metadata=describe(dataset),
        dtype=dtype,
        chunk_bytes=_chunk_bytes(dataset, dtype) if chunk_bytes is None else chunk_bytes,
    )
    if there is not None:
        known = {image.digest for image in there}
        # none are new where a call is repeated: then what is pending is written
        if new := [image for image in images if image.digest not in known]:
            store.append(new)
    index_of = _match(store, images)
    work = [(dataset, path, chunk, index_of) for chunk in store.pending()]
    with tqdm(
        total=len(index_of), desc="reading orbits", unit="image", disable=not progress
    ) as bar:
        if effective_n_jobs(n_jobs) == 1:
            for task in work:
                _write_chunk(*task, bar)
        else:
            tasks = (delayed(_write_chunk)(*task) for task in work)
            for n_written in Parallel(n_jobs=n_jobs, return_as="generator_unordered")(tasks):
                bar.update(n_written)
    return OrbitStore(path)


def fill_array(dataset: OrbitDataset, file: Path | None, progress: bool) -> NDArray[np.float32]:
    """Write orbits image by image into an array, in memory or in a ``.npy`` file."""
    shape = (dataset.n_samples, dataset.group.order, dataset.n_channels)
    if file is None:
        array = np.empty(shape, dtype=np.float32)
    else:
        array = np.lib.format.open_memmap(file, mode="w+", dtype=np.float32, shape=shape)
        reserve_space(file)
    starts = row_starts(dataset.n_positions_)
    read = dataset.iterate(range(len(dataset)))
    for index, orbits, _ in tqdm(
        read, desc="reading orbits", unit="image", total=len(dataset), disable=not progress
    ):
        array[starts[index] : starts[index + 1]] = orbits.numpy()
    return array


def _chunk_bytes(dataset: OrbitDataset, dtype: str) -> int:
    """About a sixteenth of all: the layout is the same for any number of processes."""
    n_values = dataset.n_samples * dataset.group.order * dataset.n_channels
    return min(_LARGEST_CHUNK, -(-n_values * np.dtype(dtype).itemsize // _CHUNKS))


def _write_chunk(
    dataset: OrbitDataset,
    path: str | os.PathLike[str],
    chunk: int,
    index_of: Mapping[int, int],
    bar: Any = None,
) -> int:
    """Read the images of one chunk that it lacks: what one process does, on its own."""
    with OrbitStore(path, allow_incomplete=True).writer(chunk) as writer:
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


def describe(dataset: OrbitDataset) -> dict[str, Any]:
    """All that orbits depend on besides images and group, as JSON can hold it."""
    return {
        "network": dataset.network.name,
        "network_digest": network_digest(dataset.network),
        "layers": {n: [s.start, s.stop] for n, s in dataset.layer_channels.items()},
        "action": repr(dataset.action),
        "sampling": dataset.sampling,
        "radius": dataset.radius,
        "interpolation": dataset.interpolation,
        "input_size": dataset.field.input_size,
        "source_size": dataset.source_size,
        "precision": dataset.network.precision,
        "random_state": dataset.random_state,
        "package_version": __version__,
    }


def network_digest(network: Network) -> str:
    """SHA-256 of a module's structure and of all its weights."""
    state = hashlib.sha256(repr(network.module).encode())
    for name, tensor in sorted(network.module.state_dict().items()):
        state.update(f"{name} {tensor.dtype} {tuple(tensor.shape)}".encode())
        # as bytes: numpy knows no bfloat16
        flat = tensor.detach().cpu().contiguous().flatten()
        state.update(flat.view(torch.uint8).numpy().data)
    return state.hexdigest()


def _match(store: OrbitStore, images: Sequence[StoredImage]) -> dict[int, int]:
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


def _report_copies(images: Sequence[StoredImage]) -> None:
    names: dict[str, list[str]] = defaultdict(list)
    for image in images:
        names[image.digest].append(image.name)
    copies = [same for same in names.values() if len(same) > 1]
    if copies:
        shown = "; ".join(" = ".join(same[:4]) for same in copies[:3])
        warnings.warn(
            f"{sum(len(same) - 1 for same in copies)} of {len(images)} images are copies of "
            f"others ({shown}{' ...' if len(copies) > 3 else ''}): in different folds of a "
            "split they leak.",
            stacklevel=4,
        )
