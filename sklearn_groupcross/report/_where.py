"""Maps of where in what is shown features fire."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from .._progress import tqdm
from ..crosscoder import GroupCrosscoder, codes_of_activations
from ._codes import reads_whole_orbits
from ._kept import Arrays, Kept
from ._pictures import N_CELLS, Pictures

# Pictures whose surroundings are read together, and encoded together: 42 MB of 480 channels, and
# 11 MB of codes of 1024 features at most.
_READ, _ENCODED = 128, 16


def maps_of_firing(
    features: Sequence[int],
    excitations: Arrays,
    crosscoder: GroupCrosscoder,
    pictures: Pictures,
    image_ids: NDArray[np.int64],
    kept: Kept,
    *,
    progress: bool = False,
) -> NDArray[np.uint8] | None:
    """Codes around what is shown of every feature.

    Features share images: of one image under one element, whatever is shown of it, the network is
    run once.

    Parameters
    ----------
    features : sequence of int
    excitations : dict of str to ndarray
        See `collect_excitations`.
    crosscoder : GroupCrosscoder
    pictures : Pictures
    image_ids : ndarray of shape (n_samples,)
    kept : Kept
    progress : bool, default=False

    Returns
    -------
    maps : ndarray of shape (n_features, n_columns, N_CELLS, N_CELLS), or None
        In steps of 1/255 of the largest of each; 0 where nothing is shown. None where these are
        unknown: of no images, and if the encoder takes more than one activation.
    """
    if reads_whole_orbits(crosscoder) or not features:
        return None
    samples, elements = excitations["samples"], excitations["elements"]
    rows, columns = np.nonzero(samples >= 0)
    maps = np.zeros((*samples.shape, N_CELLS, N_CELLS), dtype=np.uint8)
    one = rows[:1], columns[:1]
    if len(rows) == 0 or pictures.around(samples[one].tolist(), elements[one].tolist()) is None:
        return None
    of_image = np.lexsort([elements[rows, columns], image_ids[samples[rows, columns]]])
    rows, columns = rows[of_image], columns[of_image]
    shown = samples[rows, columns], elements[rows, columns], np.asarray(features)[rows]
    starts = range(0, len(rows), _READ)
    for start in tqdm(starts, desc="finding where features fire", disable=not progress):
        part = slice(start, start + _READ)

        def found(part: slice = part) -> Arrays:
            return {"where": _maps(crosscoder, pictures, *(values[part] for values in shown))}

        maps[rows[part], columns[part]] = kept.arrays(f"where-{start}", found)["where"]
    return maps


def _maps(
    crosscoder: GroupCrosscoder,
    pictures: Pictures,
    samples: NDArray[np.int64],
    elements: NDArray[np.int64],
    features: NDArray[np.int64],
) -> NDArray[np.uint8]:
    around = pictures.around(samples.tolist(), elements.tolist())
    assert around is not None
    # a code is positive where its pre-activation is: the others need not be chosen from all
    weights, bias = crosscoder.encoder_[features], crosscoder.encoder_intercept_[features]
    with np.errstate(invalid="ignore"):  # beyond the map
        own = np.matmul(around, weights[:, None, :, None])[..., 0] + bias[:, None, None]
        fires = own > 0
    codes = np.zeros(fires.shape, dtype=np.float32)
    for start in range(0, len(around), _ENCODED):
        part = slice(start, start + _ENCODED)
        of_feature = np.broadcast_to(features[part, None, None], fires[part].shape)[fires[part]]
        found = codes_of_activations(crosscoder, around[part][fires[part]])
        codes[part][fires[part]] = found[np.arange(len(found)), of_feature]
    largest = codes.max(axis=(1, 2), keepdims=True)
    scaled = np.divide(codes, largest, out=np.zeros_like(codes), where=largest > 0)
    return np.round(scaled * 255).astype(np.uint8)
