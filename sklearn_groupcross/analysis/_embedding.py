"""A map of features in the plane."""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from contextlib import contextmanager

import numpy as np
import torch
from numpy.typing import NDArray
from sklearn import config_context

from .._compiled import keeping
from .._progress import tqdm
from ._neighbors import smallest_in_rows

MIN_FEATURES_FOR_A_MAP = 5
# UMAP takes the smallest distance above zero for the local scale: translates of one atom, at
# distance 0, would have the atoms of other families for their neighbourhood.
_SMALLEST = 1e-6
_ROWS_A_PASS = 256
# What numba compiles of UMAP for a map, in seconds; UMAP itself keeps none of it on disk.
_LOOPS = ("smooth_knn_dist", "compute_membership_strengths")
_LOOP_OF_LAYOUT = "_nb_optimize_layout_euclidean_single_epoch"
_STEP, _WAIT = "embedding", "importing UMAP, and compiling it the first time"
# Whether this process has waited for that.
_compiled: list[bool] = []


def embed(
    distances: NDArray[np.floating], seed: int, *, progress: bool = False
) -> NDArray[np.float32]:
    """UMAP of a distance matrix into the plane, reproducible for a seed.

    The first map of a process waits for UMAP to be imported, and that of an installation for it to
    be compiled: what numba has compiled is kept on disk. The bar names what is waited for.

    Parameters
    ----------
    distances : ndarray of shape (m, m)
        Non-negative, exactly symmetric, zero diagonal.
    seed : int
    progress : bool, default=False

    Returns
    -------
    embedding : ndarray of shape (m, 2), float32

    Raises
    ------
    ValueError
        If there are fewer than `MIN_FEATURES_FOR_A_MAP` features.
    """
    m = len(distances)
    if m < MIN_FEATURES_FOR_A_MAP:
        raise ValueError(
            f"A map needs at least {MIN_FEATURES_FOR_A_MAP} features; this dictionary has {m}."
        )
    with tqdm(total=1, desc=_STEP, unit="map", disable=not progress) as bar:
        if not _compiled:
            bar.set_postfix_str(_WAIT)
        embedding = _mapped(distances, seed)
        _compiled.append(True)
        bar.set_postfix_str("")
        bar.update()
    return embedding


def _mapped(distances: NDArray[np.floating], seed: int) -> NDArray[np.float32]:
    m = len(distances)
    n_neighbors = min(15, m - 1)
    with warnings.catch_warnings():
        # umap says so when TensorFlow, which we do not use, is missing
        warnings.filterwarnings(
            "ignore", message="Tensorflow not installed", category=ImportWarning
        )
        from umap import UMAP, layouts, umap_
    loops = [getattr(umap_, name, None) for name in _LOOPS]
    loops.append(getattr(layouts, _LOOP_OF_LAYOUT, None))
    with _kept_threads(), keeping(loops), warnings.catch_warnings():
        # a precomputed metric has no inverse transform; we ask for none
        warnings.filterwarnings("ignore", message="using precomputed metric; inverse_transform")
        # nor a transform of further features
        warnings.filterwarnings("ignore", message=r"precomputed_knn\[2\] \(knn_search_index\)")
        # families far apart leave the neighbour graph in pieces, which UMAP lays out one by one
        warnings.filterwarnings("ignore", message="Graph is not fully connected")
        # of many distances of exactly zero; it then starts from random positions, seeded as well
        warnings.filterwarnings("ignore", message="Spectral initialisation failed")
        mapper = UMAP(
            metric="precomputed",
            n_neighbors=n_neighbors,
            precomputed_knn=_nearest(distances, n_neighbors),
            init="random" if m < 16 else "spectral",
            random_state=seed,
            n_jobs=1,
        )
        # beside the neighbours it reads distances of pieces that have none in common
        with config_context(transform_output="default"):
            square = distances.astype(np.float32, copy=False)
            return np.asarray(mapper.fit_transform(square), dtype=np.float32)


def _nearest(
    distances: NDArray[np.floating], n_neighbors: int
) -> tuple[NDArray[np.int32], NDArray[np.float32]]:
    """Every feature itself and its nearest, and how far they are: what UMAP reads of distances.

    It would find them with code that takes half of all its time to compile.
    """
    m = len(distances)
    columns = np.empty((m, n_neighbors), dtype=np.int32)
    values = np.empty((m, n_neighbors), dtype=np.float32)
    for start in range(0, m, _ROWS_A_PASS):
        rows = np.arange(start, min(start + _ROWS_A_PASS, m))
        part = np.maximum(distances[rows].astype(np.float32), _SMALLEST)
        part[np.arange(len(rows)), rows] = 0.0
        columns[rows] = smallest_in_rows(part, n_neighbors)
        values[rows] = np.take_along_axis(part, columns[rows].astype(np.int64), axis=1)
    return columns, values


@contextmanager
def _kept_threads() -> Iterator[None]:
    """Give torch its number of threads back: numba, within UMAP, sets that of the whole process.

    Another number would change the bits of what is trained afterwards.
    """
    n_threads = torch.get_num_threads()
    try:
        yield
    finally:
        torch.set_num_threads(n_threads)
