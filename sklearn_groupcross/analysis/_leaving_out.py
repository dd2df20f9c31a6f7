"""Halves of the images, and what remains of them without some."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ._code_moments import CodeMoments, without

Indices = NDArray[np.int64]


def split_images(image_ids: NDArray[Any], rng: np.random.Generator) -> tuple[Indices, Indices]:
    """Samples of two random halves of the images, in increasing order.

    Raises
    ------
    ValueError
        If there is only one image.
    """
    images = np.unique(image_ids)
    if len(images) < 2:
        raise ValueError("Two halves of the images are compared; there is only one.")
    first = rng.permutation(images)[: len(images) // 2]
    in_first = np.isin(image_ids, first)
    return np.flatnonzero(in_first), np.flatnonzero(~in_first)


def by_group(
    halves: Sequence[Indices], leave_out: ArrayLike | None, n_samples: int
) -> list[dict[int, Indices]]:
    """Samples of each group in each half; one group if none is left out.

    Raises
    ------
    ValueError
        If groups are not one integer for each sample, or fewer than two.
    """
    if leave_out is None:
        return [{0: half} for half in halves]
    groups = np.asarray(leave_out)
    if groups.shape != (n_samples,) or not np.issubdtype(groups.dtype, np.integer):
        raise ValueError(
            f"leave_out names the group of each of {n_samples} samples by an integer; got "
            f"{groups.dtype} of shape {groups.shape}."
        )
    if len(np.unique(groups)) < 2:
        raise ValueError("leave_out names one group: without it there are no samples.")
    return [{int(g): half[groups[half] == g] for g in np.unique(groups[half])} for half in halves]


def leaving_out(
    whole: list[CodeMoments], parts: list[dict[int, CodeMoments]], leave_out: ArrayLike | None
) -> Iterator[tuple[dict[str, float], list[CodeMoments]]]:
    """Columns that say what is left out, and moments of the halves: all, then without each group.

    Raises
    ------
    ValueError
        If a half has no other group than one that is left out.
    """
    if leave_out is None:
        yield {}, whole
        return
    yield {"left_out": np.nan}, whole
    for g in sorted(set().union(*parts)):
        if any(set(half) == {g} for half in parts):
            raise ValueError(f"Without group {g} of leave_out a half of the images is empty.")
        pairs = zip(whole, parts, strict=True)
        yield {"left_out": g}, [without(w, half[g]) if g in half else w for w, half in pairs]
