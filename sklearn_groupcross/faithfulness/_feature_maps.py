"""`feature_maps`: where in images features fire."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import ArrayLike, NDArray
from torch import nn

from .._ambient import own_state
from .._device import resolve_device
from ..crosscoder import GroupCrosscoder, check_reads_activations, codes_of_activations
from ..networks import Network, receptive_field, resolve_network
from ._inputs import CenterBatches, encoding_passes


@dataclass(frozen=True)
class FeatureMaps:
    """Codes at every position of images.

    Attributes
    ----------
    maps : ndarray of shape (n_images, n_features, rows, columns), float32
        Codes of the features at every unit of the layer's map.
    features : ndarray of shape (n_features,), int64
        Which features these are.
    images : ndarray of shape (n_images, input_size, input_size, n_channels), float32
        What the network was given: RGB in [0, 1].
    extent : tuple of float
        (left, right, bottom, top) of the map in pixels of the image: ``extent=`` of matplotlib's
        ``imshow`` lays a map over its image such that every unit covers the pixels around its
        centre.
    """

    maps: NDArray[np.float32]
    features: NDArray[np.int64]
    images: NDArray[np.float32]
    extent: tuple[float, float, float, float]


@own_state()
def feature_maps(
    crosscoder: GroupCrosscoder,
    network: Network | nn.Module | str,
    images: Any,
    *,
    layer: str | None = None,
    features: ArrayLike | None = None,
    source_size: int | None = None,
    batch_size: int = 16,
    device: str | torch.device = "auto",
) -> FeatureMaps:
    """Encode every position of images, as maps to lay over them.

    Features are encoded from untransformed images, in one pass through the network: that the
    encoder reads the identity block alone is what makes this possible.

    Parameters
    ----------
    crosscoder : GroupCrosscoder
        Fitted on activations of that layer. A pipeline is refused: activations come as they are.
    network : Network, torch.nn.Module or str
        As `OrbitDataset` takes it.
    images : path, sequence of paths, array or sequence of arrays
        See `ImageSource`.
    layer : str, optional
        Default: the network's default layer.
    features : array-like of int, of shape (n_shown,), optional
        The features wanted. Default: all, which is large: 1024 features of one image on a map of
        28 x 28 units are 3 MiB.
    source_size : int, optional
        Images are scaled to this number of pixels on the shorter side, and the centre, of the
        network's input size, is cut out of them. Default: the input size, so that the whole square
        is seen. `OrbitDataset.source_size` gives the scale at which orbits are read.
    batch_size : int, default=16
        Images that pass through the network at once.
    device : str or torch.device, default="auto"
        Of the network; ``"auto"`` is CUDA when there is one.

    Returns
    -------
    maps : FeatureMaps

    Raises
    ------
    ValueError
        If the crosscoder reads whole orbits or another number of channels than the layer has, or
        there is no such feature.

    Examples
    --------
    >>> from sklearn.datasets import load_sample_images
    >>> from sklearn_groupcross import Cyclic, GroupCrosscoder, OrbitDataset
    >>> from sklearn_groupcross.faithfulness import feature_maps
    >>> images, group = load_sample_images().images, Cyclic(4)
    >>> orbits = OrbitDataset(images, network="bundled", group=group)
    >>> crosscoder = GroupCrosscoder(group, n_features=64, max_epochs=5, random_state=0)
    >>> crosscoder = crosscoder.fit(orbits.as_array())
    >>> feature_maps(crosscoder, orbits.network, images, features=[3, 5]).maps.shape
    (2, 2, 24, 24)
    """
    check_reads_activations(crosscoder)
    network = resolve_network(network)
    layer = network.check_layer(layer)
    field = receptive_field(network, layer)
    size = field.input_size
    batches = CenterBatches(
        images,
        size,
        size if source_size is None else int(source_size),
        batch_size,
        network.n_channels,
    )
    if field.n_channels != crosscoder.n_channels_:
        raise ValueError(
            f"The crosscoder reads activations of {crosscoder.n_channels_} channels; layer "
            f"{layer!r} of network {network.name!r} has {field.n_channels}."
        )
    chosen = _check_features(features, len(crosscoder.components_))
    network.to(resolve_device(device))
    columns, rows = field.map_size
    maps = np.empty((batches.n_images, len(chosen), rows, columns), dtype=np.float32)
    squares = np.empty((batches.n_images, size, size, network.n_channels), dtype=np.float32)
    start = 0
    for batch in batches:
        done = slice(start, start + len(batch))
        squares[done] = batch.permute(0, 2, 3, 1).numpy()
        activations = network.activations(batch.to(network.device), layer)
        field.check_map(activations, layer)
        flat = activations.permute(0, 2, 3, 1).reshape(-1, field.n_channels).cpu().numpy()
        codes = _encode(crosscoder, flat, chosen).reshape(-1, rows, columns, len(chosen))
        maps[done] = codes.transpose(0, 3, 1, 2)
        start = done.stop
    return FeatureMaps(maps, chosen, squares, field.extent)


def _encode(
    crosscoder: GroupCrosscoder, activations: NDArray[np.float32], features: NDArray[np.int64]
) -> NDArray[np.float32]:
    """Codes of some features; of all of them there are too many to hold for every position."""
    chosen = []
    for part in encoding_passes(len(activations), len(crosscoder.components_)):
        chosen.append(codes_of_activations(crosscoder, activations[part])[:, features])
    return np.concatenate(chosen)


def _check_features(features: ArrayLike | None, n_features: int) -> NDArray[np.int64]:
    if features is None:
        return np.arange(n_features)
    chosen = np.atleast_1d(np.asarray(features))
    if chosen.size == 0:  # of float64, whatever was meant
        chosen = chosen.astype(np.int64)
    if chosen.ndim != 1 or not np.issubdtype(chosen.dtype, np.integer):
        raise ValueError(f"features are integers, a list of them; got {features!r}.")
    if len(chosen) == 0 or chosen.min() < 0 or chosen.max() >= n_features:
        raise ValueError(f"features lie between 0 and {n_features - 1}; got {features!r}.")
    return chosen.astype(np.int64)
