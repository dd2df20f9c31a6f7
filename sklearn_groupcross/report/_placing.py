"""Pictures of what excites features, on their way into an atlas."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from .._progress import tqdm
from ..groups import FiniteGroup
from ._kept import Arrays, Kept
from ._packing import Atlas
from ._pictures import Pictures

# Features whose pictures wait for their places at once, 100 MB of eight patches each; and pictures
# that are made, and kept, together.
_FEATURES, _PICTURES = 1024, 128


class Places(NamedTuple):
    """Numbers of pictures in an atlas; -1 where there is none.

    Attributes
    ----------
    pictures : ndarray of shape (n_features, n_columns), int32
    views : ndarray of shape (n_features, n_drawn), int32
        Of the strongest input.
    """

    pictures: NDArray[np.int32]
    views: NDArray[np.int32]


def place_pictures(
    excitations: Arrays,
    drawn: Sequence[int],
    group: FiniteGroup,
    pictures: Pictures,
    image_ids: NDArray[np.int64],
    atlas: Atlas,
    kept: Kept,
    *,
    progress: bool = False,
) -> Places:
    """Make what is shown of every feature, and put it into an atlas, feature by feature.

    It is made in the order of images, each of which is decoded for all that is shown of it.

    Parameters
    ----------
    excitations : dict of str to ndarray
        See `collect_excitations`.
    drawn : sequence of int
        Elements by which pictures of the strongest are transformed besides. Where that is the
        identity alone, its own picture serves.
    group : FiniteGroup
    pictures : Pictures
    image_ids : ndarray of shape (n_samples,)
    atlas : Atlas
    kept : Kept
    progress : bool, default=False

    Returns
    -------
    places : Places
    """
    # all that is wanted, a row a feature: the columns, then the strongest as it is transformed
    samples, elements = excitations["samples"], excitations["elements"]
    n_columns = samples.shape[1]
    views = np.array(drawn if list(drawn) != [0] else [], dtype=np.int64)
    # block g of the orbit of x is the identity block of that of y = g·x, and block hg that of h·y
    moved = group.cayley_table[np.ix_(views, elements[:, 0])].T
    wanted = np.hstack([samples, np.repeat(samples[:, :1], len(views), axis=1)])
    by = np.hstack([elements, moved])
    numbers = np.full(wanted.shape, -1, dtype=np.int32)
    with tqdm(
        total=int((wanted >= 0).sum()), desc="making pictures", unit="picture", disable=not progress
    ) as bar:
        for first in range(0, len(wanted), _FEATURES):
            block = slice(first, first + _FEATURES)
            there = wanted[block] >= 0
            made = _make(
                wanted[block][there],
                by[block][there],
                pictures,
                image_ids,
                kept,
                f"pictures-{first}",
                bar,
            )
            if made is not None:
                numbers[block][there] = [atlas.add(picture) for picture in made]
    of_columns, of_views = numbers[:, :n_columns], numbers[:, n_columns:]
    return Places(of_columns, of_columns[:, :1] if list(drawn) == [0] else of_views)


def _make(
    samples: NDArray[np.int64],
    elements: NDArray[np.int64],
    pictures: Pictures,
    image_ids: NDArray[np.int64],
    kept: Kept,
    name: str,
    bar: Any,
) -> NDArray[np.uint8] | None:
    """Pictures (n, side, side, 3) of samples, transformed; None where nothing can be shown."""
    made = np.empty((len(samples), pictures.tile, pictures.tile, 3), dtype=np.uint8)
    by_image = np.argsort(image_ids[samples], kind="stable")
    for start in range(0, len(samples), _PICTURES):
        part = by_image[start : start + _PICTURES]

        def of_part(part: NDArray[np.intp] = part) -> Arrays:
            shown = pictures.of(samples[part].tolist(), elements[part].tolist())
            return {"pictures": np.stack(list(shown)) if shown else np.zeros(0, np.uint8)}

        shown = kept.arrays(f"{name}-{start}", of_part)["pictures"]
        if len(shown) == 0:
            return None
        made[part] = shown
        bar.update(len(part))
    return made
