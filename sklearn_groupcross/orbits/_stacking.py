"""Orbits of any function of any inputs: for networks that read no images, and for all others."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from itertools import pairwise
from typing import Any

import numpy as np
import torch
from numpy.typing import ArrayLike, NDArray
from torch import Tensor

from .._ambient import own_state
from .._plain import as_numpy
from .._progress import tqdm
from .._urls import is_url
from .._version import __version__
from ..actions import Action
from ._extract import choose_chunk_bytes, match_images, open_store
from ._function_orbits import FunctionOrbits
from ._store import OrbitStore
from ._store_images import StoredImage
from ._store_runs import BYTES_AT_ONCE

# What rounding, and batches of other sizes, may change in a stored orbit.
_TOLERANCE = 0.02
# Seconds to wait for a chunk's writer: what a killed process began ends a moment after it.
_PATIENCE = 10.0


@own_state()
def stack_orbits(
    inputs: ArrayLike | Tensor,
    action: Action,
    function: Callable[[Any], Any],
    *,
    arrays: bool | None = None,
    batch_size: int = 256,
    device: str | torch.device = "auto",
    progress: bool = False,
) -> NDArray[np.float32]:
    """Stack what a function makes of every transformed input: ``O[i, g] = function(g·x_i)``.

    For images read at positions of a convolutional layer there is `OrbitDataset`; for a store on
    disk `extract_orbits`.

    Parameters
    ----------
    inputs : array-like or Tensor of shape (n, ...)
        What the action transforms. Floating-point inputs are given to the function in the dtype
        of its parameters if it is a module, in their own if it reads arrays, else in float32;
        others as they are.
    action : Action
        For example `PointCloudAction`, `TimeShiftAction`, or a class of your own.
    function : callable or torch.nn.Module
        Maps transformed inputs (m, ...) to values (m, n_channels), each row by itself. A module
        is put in evaluation mode meanwhile, and left on `device`. No gradients are recorded.
    arrays : bool, optional
        Whether the function is given numpy arrays, and returns one, rather than torch tensors; it
        then runs on the CPU. Default: arrays for a method of a scikit-learn estimator, such as
        ``pca.transform`` or ``classifier.predict_proba``, tensors for everything else.
    batch_size : int, default=256
        Transformed inputs given to the function at once.
    device : str or torch.device, default="auto"
        Where inputs are transformed and the function runs. ``"auto"`` is CUDA when there is one.
    progress : bool, default=False
        Show a progress bar.

    Returns
    -------
    orbits : ndarray of shape (n, order, n_channels), float32
        What `GroupCrosscoder.fit` takes. An array does not know its action: fit with
        ``group=action.group``, whose elements have the action's names.

    Raises
    ------
    TypeError
        If the action has no ``group`` or ``transform``, or the function returns something else
        than what it is given.
    ValueError
        If there are no inputs, or the function's values are not finite or have another shape.

    Examples
    --------
    >>> import torch
    >>> from sklearn_groupcross import Cyclic, stack_orbits
    >>> from sklearn_groupcross.actions import TimeShiftAction
    >>> generator = torch.Generator().manual_seed(0)
    >>> signals = torch.randn(10, 64, generator=generator)
    >>> network = torch.nn.Sequential(torch.nn.Linear(64, 32), torch.nn.ReLU())
    >>> stack_orbits(signals, TimeShiftAction(Cyclic(8)), network).shape
    (10, 8, 32)
    """
    reader = FunctionOrbits(
        inputs, action, function, arrays=arrays, batch_size=batch_size, device=device
    )
    n = len(reader.inputs)
    orbits: NDArray[np.float32] | None = None
    with reader.ready():
        starts = range(0, n, reader.n_inputs_at_once)
        for start in tqdm(starts, desc="stacking orbits", disable=not progress, leave=False):
            rows = np.arange(start, min(start + reader.n_inputs_at_once, n))
            read = reader.read(rows)
            if orbits is None:
                orbits = np.empty((n, *read.shape[1:]), dtype=np.float32)
            orbits[rows] = read
    assert orbits is not None  # there is at least one input
    return orbits


@own_state()
def extract_orbits(
    inputs: ArrayLike | Tensor,
    action: Action,
    function: Callable[[Any], Any],
    path: str | os.PathLike[str],
    *,
    groups: ArrayLike | None = None,
    arrays: bool | None = None,
    dtype: str = "float16",
    append: bool = False,
    batch_size: int = 256,
    chunk_bytes: int | None = None,
    storage_options: Mapping[str, Any] | None = None,
    device: str | torch.device = "auto",
    progress: bool = False,
) -> OrbitStore:
    """Write the orbits that `stack_orbits` gives to a store on disk.

    The store is what `OrbitDataset.extract` writes of images: `GroupCrosscoder` fits it, and the
    command line goes on from it. It knows the action, in whose words features are described. A call
    that is killed is resumed by the same call.

    Parameters
    ----------
    inputs : array-like or Tensor of shape (n, ...)
        Row i of the store is the orbit of input i.
    action : Action
    function : callable or torch.nn.Module
    path : path or str
        Folder of the store, or a URL; see `OrbitStore`.
    groups : array-like of shape (n,), optional
        Which source each input comes from, such as the recording of which it is a window: what
        splits into training and held-out data must keep together. Inputs of one source stand one
        after the other. A source is to the store what an image is otherwise, its number the
        ``image_ids`` of its rows. Default: every input is its own source.
    arrays : bool, optional
        See `stack_orbits`.
    dtype : {"float16", "float32"}, default="float16"
        In which orbits are stored.
    append : bool, default=False
        Add sources to a store that was written with the same action and function. Those that it
        has already, by their content, are left out.
    batch_size : int, default=256
    chunk_bytes : int, optional
        About the size of one of the store's files. Default: as `OrbitDataset.extract`.
    storage_options : mapping, optional
        Of a URL; see `OrbitStore`.
    device : str or torch.device, default="auto"
    progress : bool, default=False
        Show a progress bar.

    Returns
    -------
    store : OrbitStore

    Raises
    ------
    TypeError
        As `stack_orbits`.
    ValueError
        As `stack_orbits`; or if inputs of one source are apart, the store was written with other
        settings, inputs or another function (of which the first orbit is compared), or values are
        too large for `dtype`.
    OSError
        If it cannot be written.

    Warns
    -----
    UserWarning
        If some sources are copies of others.

    Examples
    --------
    >>> import tempfile
    >>> from sklearn.datasets import load_digits
    >>> from sklearn.decomposition import PCA
    >>> from sklearn_groupcross import Cyclic, extract_orbits
    >>> from sklearn_groupcross.actions import TimeShiftAction
    >>> rows = load_digits().data.reshape(-1, 8)[:400]  # of 50 digits, 8 rows each
    >>> pca = PCA(n_components=4).fit(rows)
    >>> digit = [i // 8 for i in range(400)]
    >>> folder = tempfile.TemporaryDirectory()
    >>> store = extract_orbits(
    ...     rows, TimeShiftAction(Cyclic(8)), pca.transform, folder.name, groups=digit
    ... )
    >>> store.shape, len(store.images), store.group.describe_element(3)
    ((400, 8, 4), 50, 'shift by 3 of 8')
    >>> folder.cleanup()
    """
    reader = FunctionOrbits(
        inputs, action, function, arrays=arrays, batch_size=batch_size, device=device
    )
    starts, names = _sources(groups, len(reader.inputs))
    images = [
        StoredImage(name, _digest(reader.inputs[start:stop]), stop - start)
        for name, (start, stop) in zip(names, pairwise(starts), strict=True)
    ]
    with reader.ready():
        first = reader.read(np.arange(1))
        row_bytes = first[0].size * np.dtype(dtype).itemsize
        store = open_store(
            path,
            images,
            append=append,
            noun="inputs" if groups is None else "sources",
            group=action.group,
            n_channels=first.shape[2],
            metadata={**reader.metadata(), "package_version": __version__},
            dtype=dtype,
            chunk_bytes=chunk_bytes
            or choose_chunk_bytes(len(reader.inputs) * row_bytes, is_url(path)),
            storage_options=storage_options,
        )
        index_of = match_images(store, images)
        _check_function(store, images[0], first[0], storage_options)
        with tqdm(
            total=len(index_of), desc="reading orbits", unit="input", disable=not progress
        ) as bar:
            for chunk in store.pending():
                with store.writer(chunk, timeout=_PATIENCE) as writer:
                    for run in _runs(writer.pending_images, store.images, row_bytes):
                        rows = [np.arange(*starts[index_of[n] : index_of[n] + 2]) for n in run]
                        orbits = reader.read(np.concatenate(rows))
                        writer.write_run(run, orbits, np.zeros((len(orbits), 2)))
                        bar.update(len(run))
    return OrbitStore(path, storage_options=storage_options)


def _sources(groups: ArrayLike | None, n: int) -> tuple[list[int], list[str]]:
    """First input of every source, and the number of inputs at the end; and the sources' names."""
    if groups is None:
        return list(range(n + 1)), [f"input {i}" for i in range(n)]
    labels = np.asarray(as_numpy(groups, "groups"))
    if labels.shape != (n,):
        raise ValueError(
            f"groups says for each of {n} inputs which source it comes from; got shape "
            f"{labels.shape}."
        )
    starts = [0, *(np.flatnonzero(labels[1:] != labels[:-1]) + 1).tolist()]
    names = [str(labels[start]) for start in starts]
    if len(set(names)) < len(names):
        again = next(name for i, name in enumerate(names) if name in names[:i])
        raise ValueError(
            f"Inputs of the source {again!r} are not one after the other. Sort them: "
            'order = np.argsort(groups, kind="stable"); inputs, groups = inputs[order], '
            "groups[order]."
        )
    return [*starts, n], names


def _digest(inputs: NDArray[Any] | Tensor) -> str:
    array = np.ascontiguousarray(as_numpy(inputs))
    digest = hashlib.sha256(f"{array.dtype} {array.shape}".encode())
    digest.update(array.reshape(-1).view(np.uint8).data)
    return digest.hexdigest()


def _check_function(
    store: OrbitStore,
    image: StoredImage,
    orbit: NDArray[np.float32],
    storage_options: Mapping[str, Any] | None,
) -> None:
    """Refuse to go on with a store whose orbit of an image is not what the function gives now.

    What a function does cannot be hashed; of one input it can be seen.
    """
    number = next(i for i, stored in enumerate(store.images) if stored.digest == image.digest)
    if number in store.pending_images():
        return
    # one orbit of one chunk is asked for: no copy of it is made
    present = OrbitStore(
        store.path, allow_incomplete=True, storage_options=storage_options, cache_bytes=0
    )
    stored = present[np.flatnonzero(present.image_ids == number)[:1]][0].astype(np.float32)
    if np.abs(stored - orbit).max() > _TOLERANCE * np.abs(orbit).max(initial=1e-3):
        raise ValueError(
            f"The store at {store.path} holds another orbit of {image.name} than the one that the "
            "function gives now: it was written with another function. Choose another folder, or "
            "remove this one."
        )


def _runs(
    numbers: Sequence[int], images: Sequence[StoredImage], row_bytes: int
) -> Iterator[list[int]]:
    """Images that are written together: neighbours, as few bytes as make a write worth while."""
    run: list[int] = []
    n_bytes = 0
    for number in numbers:
        if run and (number != run[-1] + 1 or n_bytes >= BYTES_AT_ONCE):
            yield run
            run, n_bytes = [], 0
        run.append(number)
        n_bytes += images[number].n_rows * row_bytes
    if run:
        yield run
