"""`downstream_effect`: what a network computes from a layer's reconstruction."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd
import torch
from numpy.typing import ArrayLike, NDArray
from sklearn.base import BaseEstimator
from torch import Tensor, nn

from .._ambient import own_state
from .._device import resolve_device
from .._plain import as_numpy
from ..crosscoder import GroupCrosscoder, check_reads_activations, codes_of_activations
from ..networks import Network, resolve_network
from ._class_scores import ClassScores, check_scores, summarize
from ._inputs import CenterBatches, encoding_passes

Crosscoders = GroupCrosscoder | Sequence[GroupCrosscoder] | Mapping[str, GroupCrosscoder]
# Maps activations (n_positions, c) to what replaces them, and the number of active codes.
Rebuild = Callable[[Tensor], tuple[Tensor, float]]


@own_state()
def downstream_effect(
    crosscoders: Crosscoders,
    network: Network | nn.Module | str,
    images: Any,
    *,
    layer: str | None = None,
    labels: ArrayLike | None = None,
    keep: Mapping[str, ArrayLike] | None = None,
    ablate: Mapping[str, ArrayLike] | None = None,
    source_size: int | None = None,
    batch_size: int = 16,
    device: str | torch.device = "auto",
    random_state: int = 0,
) -> pd.DataFrame:
    """Measure what replacing a layer by its reconstruction does to a classifier's output.

    At every position of the layer's map, the border included, the activation is encoded and
    replaced by the reconstruction of the identity block; the rest of the network then runs on. The
    same is done with each channel's mean over all images and positions (mean ablation) and with
    zeros (zero ablation): a dictionary is worth what it does better than these.

    Parameters
    ----------
    crosscoders : GroupCrosscoder, sequence or mapping of names to GroupCrosscoder
        Fitted on activations of that layer; several, for example, of different sparsity. They
        encode on their own `device`. A pipeline is refused: activations come as they are.
    network : Network, torch.nn.Module or str
        As `OrbitDataset` takes it. It puts out class scores, (n_images, n_classes): logits, or
        probabilities, which are recognised by being non-negative with a sum of 1 in every row.
    images : path, sequence of paths, array or sequence of arrays
        See `ImageSource`. They should not be among those of the fit.
    layer : str, optional
        Default: the network's default layer.
    labels : array-like of shape (n_images,), int, optional
        True class of every image.
    keep : mapping of names to array-like of shape (n_kept,), optional
        Sets of features, as indices or as a mask over all atoms, of one crosscoder: a condition
        each, in which these alone make the reconstruction.
    ablate : mapping of names to array-like of shape (n_ablated,), optional
        Sets of features, likewise: a condition each, in which what they add is taken from the map.
        All else stays, what the dictionary does not explain too, so that the effect is theirs
        alone.
    source_size : int, optional
        Images are scaled to this number of pixels on the shorter side, and the centre, of the
        network's input size, is cut out of them. Default: 8/7 of the input size, so 256 for 224,
        as classifiers of ImageNet are usually tested. `OrbitDataset.source_size` gives the scale
        at which orbits are read.
    batch_size : int, default=16
        Images that pass through the network at once.
    device : str or torch.device, default="auto"
        Of the network; ``"auto"`` is CUDA when there is one.
    random_state : int, default=0
        Seed of the bootstrap.

    Returns
    -------
    effects : DataFrame
        One row a condition: ``original``, ``crosscoder`` (or ``crosscoder 0``, ..., or the names
        of the mapping), the names of `keep` and of `ablate`, ``mean ablation``, ``zero ablation``.
        Columns:

        - ``condition``;
        - ``l0``: active codes a position that are in use, mean over positions;
        - ``explained_variance`` of the layer's map: ``1 − Σ‖a − â‖² / Σ‖a − mean‖²``;
        - ``kl``: Kullback-Leibler divergence of the class distribution from the original
          network's, ``Σ p log(p / p̂)``, in nats, mean over images;
        - ``agreement``: share of images whose most probable class stays;
        - ``recovered``: ``1 − kl / kl of mean ablation``; 1 is faithful, 0 as good as the mean;
        - with `labels`: ``accuracy`` (top-1), ``cross_entropy`` in nats, and ``loss_recovered``,
          ``(CE_mean − CE) / (CE_mean − CE_original)``, CE_mean that of mean ablation. This is the
          definition of [1]_ with mean in place of zero ablation.

        ``kl``, ``agreement`` and ``recovered`` have bounds of 95 % intervals in ``..._low`` and
        ``..._high``: percentile bootstrap over images, the same resamples for every condition.
        What is not defined is NaN.

    Raises
    ------
    ValueError
        If a crosscoder reads whole orbits or another number of channels than the layer has, if the
        network is not a classifier, if labels do not fit, or if sets of features are not of one
        crosscoder's atoms.

    References
    ----------
    .. [1] Rajamanoharan et al. (2024), "Improving dictionary learning with gated sparse
       autoencoders", arXiv:2404.16014.

    Examples
    --------
    >>> from sklearn.datasets import load_sample_images
    >>> from sklearn_groupcross import GroupCrosscoder, OrbitDataset, Cyclic
    >>> from sklearn_groupcross.faithfulness import downstream_effect
    >>> images, group = load_sample_images().images, Cyclic(4)
    >>> orbits = OrbitDataset(images, network="bundled", group=group)
    >>> crosscoder = GroupCrosscoder(group, n_features=64, max_epochs=5, random_state=0)
    >>> crosscoder = crosscoder.fit(orbits.as_array())
    >>> effects = downstream_effect(crosscoder, orbits.network, images)
    >>> effects["condition"].tolist()
    ['original', 'crosscoder', 'mean ablation', 'zero ablation']
    """
    by_name = _check_crosscoders(crosscoders)
    sets = _conditions_of_sets(by_name, keep or {}, ablate or {})
    network = resolve_network(network)
    layer = network.check_layer(layer)
    size = round(network.input_size * 8 / 7) if source_size is None else int(source_size)
    batches = CenterBatches(images, network.input_size, size, batch_size, network.n_channels)
    truth = None if labels is None else _check_labels(labels, batches.n_images)
    network.to(resolve_device(device))
    mean = _ChannelMean(by_name, network.name, layer)
    scores = [
        check_scores(
            network.run_with_replacement(batch.to(network.device), layer, mean),
            len(batch),
            network.name,
        )
        for batch in batches
    ]
    original = ClassScores.of(torch.cat(scores))
    if truth is not None and truth.max() >= original.n_classes:
        raise ValueError(
            f"labels name class {truth.max()}; network {network.name!r} has "
            f"{original.n_classes} classes, 0 to {original.n_classes - 1}."
        )
    conditions = [_Condition(name, _reconstruction(c)) for name, c in by_name.items()]
    conditions += sets
    mean_ablation = _Condition("mean ablation", _constant(mean.value))
    zero_ablation = _Condition("zero ablation", _constant(torch.zeros_like(mean.value)))
    conditions += [mean_ablation, zero_ablation]
    for batch in batches:
        batch = batch.to(network.device)
        for condition in conditions:
            condition.scores.append(network.run_with_replacement(batch, layer, condition).cpu())

    total = mean_ablation.squared_error  # about the mean
    of_maps = {"original": (np.nan, 1.0)} | {
        c.name: (c.l0, c.explained_variance(total)) for c in conditions
    }
    of_images = {"original": original.compare(original, truth)} | {
        c.name: original.like(torch.cat(c.scores)).compare(original, truth) for c in conditions
    }
    controls = of_images["mean ablation"], of_images["original"]
    return pd.DataFrame(
        [
            {"condition": name, "l0": l0, "explained_variance": explained}
            | summarize(of_images[name], *controls, random_state)
            for name, (l0, explained) in of_maps.items()
        ]
    )


class _ChannelMean:
    """Leaves maps as they are, and keeps the mean of every channel over images and positions."""

    def __init__(self, crosscoders: dict[str, GroupCrosscoder], network: str, layer: str) -> None:
        self.crosscoders, self.network, self.layer = crosscoders, network, layer
        self.total: Tensor | None = None
        self.n_positions = 0

    def __call__(self, maps: Tensor) -> Tensor:
        for name, crosscoder in self.crosscoders.items():
            if crosscoder.n_channels_ != maps.shape[1]:
                raise ValueError(
                    f"{name!r} reads activations of {crosscoder.n_channels_} channels; layer "
                    f"{self.layer!r} of network {self.network!r} has {maps.shape[1]}."
                )
        total = maps.double().sum(dim=(0, 2, 3))
        self.total = total if self.total is None else self.total + total
        self.n_positions += maps.shape[0] * maps.shape[2] * maps.shape[3]
        return maps

    @property
    def value(self) -> Tensor:
        assert self.total is not None  # ImageSource holds at least one image
        return (self.total / self.n_positions).float()


class _Condition:
    """Replaces maps position by position, and keeps count of how well."""

    def __init__(self, name: str, rebuild: Rebuild) -> None:
        self.name, self.rebuild = name, rebuild
        self.scores: list[Tensor] = []
        self.squared_error = self.n_active = 0.0
        self.n_positions = 0

    def __call__(self, maps: Tensor) -> Tensor:
        n, channels, height, width = maps.shape
        activations = maps.permute(0, 2, 3, 1).reshape(-1, channels).float()
        rebuilt, n_active = self.rebuild(activations)
        self.squared_error += float((activations - rebuilt).double().square().sum())
        self.n_active += n_active
        self.n_positions += len(activations)
        return rebuilt.reshape(n, height, width, channels).permute(0, 3, 1, 2)

    @property
    def l0(self) -> float:
        return self.n_active / self.n_positions

    def explained_variance(self, total: float) -> float:
        return 1.0 - self.squared_error / total if total > 0 else float(self.squared_error == 0)


def _conditions_of_sets(
    by_name: dict[str, GroupCrosscoder],
    keep: Mapping[str, ArrayLike],
    ablate: Mapping[str, ArrayLike],
) -> list[_Condition]:
    if not keep and not ablate:
        return []
    if len(by_name) > 1:
        raise ValueError(
            f"keep and ablate name features of one crosscoder; got {len(by_name)} crosscoders."
        )
    (crosscoder,) = by_name.values()
    names = [*by_name, *keep, *ablate]
    taken = {"original", "mean ablation", "zero ablation"} & set(names)
    if taken or len(set(names)) < len(names):
        twice = min(taken or {name for name in names if names.count(name) > 1})
        raise ValueError(f"Two conditions are named {twice!r}: rename a set of features.")
    return [
        _Condition(
            name, _reconstruction(crosscoder, _check_features(name, features, crosscoder), part)
        )
        for part, sets in (("kept", keep), ("ablated", ablate))
        for name, features in sets.items()
    ]


def _check_features(
    name: str, features: ArrayLike, crosscoder: GroupCrosscoder
) -> NDArray[np.bool_]:
    """Return a mask over the atoms."""
    n_atoms, array = len(crosscoder.components_), np.asarray(as_numpy(features, name))
    if array.dtype == bool and array.shape == (n_atoms,):
        return array
    is_list = array.ndim == 1 and (array.size == 0 or np.issubdtype(array.dtype, np.integer))
    if not is_list or (array.size and not (0 <= array.min() <= array.max() < n_atoms)):
        raise ValueError(
            f"{name!r} is no set of features: indices from 0 to {n_atoms - 1}, or a mask of shape "
            f"({n_atoms},); got {array.dtype} of shape {array.shape}."
        )
    mask = np.zeros(n_atoms, dtype=bool)
    mask[array.astype(np.int64)] = True
    return mask


def _reconstruction(
    crosscoder: GroupCrosscoder, features: NDArray[np.bool_] | None = None, part: str = "kept"
) -> Rebuild:
    """Encode with the crosscoder itself; decode the identity block alone, of all |G| blocks.

    Of the features those of a set, if there is one; or the activations less what these add.
    """
    n_channels = crosscoder.n_channels_
    atoms = np.ascontiguousarray(crosscoder.components_[:, :n_channels], dtype=np.float32)
    bias = np.asarray(crosscoder.intercept_[:n_channels], dtype=np.float32)

    def rebuild(activations: Tensor) -> tuple[Tensor, float]:
        array = activations.cpu().numpy()
        rebuilt, n_active = np.empty_like(array), 0
        for rows in encoding_passes(len(array), len(atoms)):
            codes = codes_of_activations(crosscoder, array[rows])
            if features is None:
                rebuilt[rows] = codes @ atoms + bias
            elif part == "kept":
                codes = codes[:, features]
                rebuilt[rows] = codes @ atoms[features] + bias
            else:
                rebuilt[rows] = array[rows] - codes[:, features] @ atoms[features]
                codes = codes[:, ~features]
            n_active += int((codes != 0).sum())
        return torch.from_numpy(rebuilt).to(activations.device), n_active

    return rebuild


def _constant(value: Tensor) -> Rebuild:
    return lambda activations: (value.expand_as(activations), np.nan)


def _check_crosscoders(crosscoders: Crosscoders) -> dict[str, GroupCrosscoder]:
    by_name: dict[str, Any]
    if isinstance(crosscoders, Mapping):
        by_name = dict(crosscoders)
    elif isinstance(crosscoders, BaseEstimator):  # a pipeline has a length and items, too
        by_name = {"crosscoder": crosscoders}
    else:
        by_name = {f"crosscoder {i}": crosscoder for i, crosscoder in enumerate(crosscoders)}
    if not by_name:
        raise ValueError("No crosscoders: the collection is empty.")
    if reserved := {"original", "mean ablation", "zero ablation"} & set(by_name):
        raise ValueError(f"{min(reserved)!r} is the name of a control: rename the crosscoder.")
    for name, crosscoder in by_name.items():
        check_reads_activations(crosscoder, name)
    return by_name


def _check_labels(labels: ArrayLike, n_images: int) -> NDArray[np.int64]:
    array = np.asarray(as_numpy(labels, "labels"))
    if array.shape != (n_images,) or not np.issubdtype(array.dtype, np.integer):
        raise ValueError(
            f"labels are integers, one for each of {n_images} images; got {array.dtype} of shape "
            f"{array.shape}."
        )
    if array.min() < 0:
        raise ValueError(f"labels are class indices from 0; got {array.min()}.")
    return array.astype(np.int64)
