"""`visualize_features`: the images that features want."""

from __future__ import annotations

from dataclasses import dataclass
from numbers import Real

import numpy as np
import torch
from numpy.typing import ArrayLike, NDArray
from sklearn.utils import check_random_state
from torch import Tensor, nn

from .._ambient import own_state
from .._device import resolve_device
from .._integers import check_integer
from .._plain import as_numpy
from .._progress import tqdm
from ..crosscoder import GroupCrosscoder, check_reads_activations
from ..groups import FiniteGroup, PlanarGroup
from ..networks import Network, receptive_field, resolve_network
from ._optimization import optimize
from ._targets import Targets, targets_of
from ._window import Window, find_window


@dataclass(frozen=True)
class Visualizations:
    """Images that features want, as `visualize_features` makes them.

    A row is a feature. The first column is the image that most excites its encoder, and each
    further one that whose activation points most along the decoder's block of an element.

    Attributes
    ----------
    images : ndarray of shape (n_features, 1 + n_elements, size, size, n_channels), float32
        In [0, 1], as the network is given them.
    values : ndarray of shape (n_features, 1 + n_elements), float32
        What they reach: the encoder's pre-activation, and the cosine with a block.
    features : ndarray of shape (n_features,), int64
    elements : ndarray of shape (n_elements,), int64
        Whose blocks these are.
    words : tuple of str
        What each column is.
    control_images : ndarray of shape (n_controls, 1 + n_elements, size, size, n_channels), float32
        The same of random mixtures of all features: what pictures look like that are of no feature.
    control_values : ndarray of shape (n_controls, 1 + n_elements), float32
    patch_values : ndarray of shape (n_features, 1 + n_elements), float32 or None
        What the given patches reach.
    """

    images: NDArray[np.float32]
    values: NDArray[np.float32]
    features: NDArray[np.int64]
    elements: NDArray[np.int64]
    words: tuple[str, ...]
    control_images: NDArray[np.float32]
    control_values: NDArray[np.float32]
    patch_values: NDArray[np.float32] | None = None


@own_state()
def visualize_features(
    crosscoder: GroupCrosscoder,
    network: Network | nn.Module | str,
    layer: str | None = None,
    *,
    features: ArrayLike,
    elements: ArrayLike | None = None,
    patches: ArrayLike | None = None,
    n_controls: int = 1,
    n_steps: int = 64,
    learning_rate: float = 0.05,
    batch_size: int = 16,
    device: str | torch.device = "auto",
    random_state: int | np.random.RandomState | None = 0,
    progress: bool = False,
) -> Visualizations:
    """Make pictures of what features want, by optimization.

    A picture starts from faint noise and climbs by gradients, described by its frequencies and, of
    RGB, in decorrelated colours, and in each step a little turned, scaled and moved, as lucent has
    it [1]_. It is as large as the receptive field, and seen by the unit in the middle of the
    layer's map.

    Parameters
    ----------
    crosscoder : GroupCrosscoder
        Fitted on activations of that layer. A pipeline is refused: activations come as they are.
    network : Network, torch.nn.Module or str
        As `OrbitDataset` takes it. It is moved to the device; its weights, their gradients and its
        modes stay as they are.
    layer : str, optional
        Default: the network's default layer.
    features : array-like of int, of shape (n_shown,)
    elements : array-like of int, of shape (n_elements,), optional
        Elements of the group, of whose blocks there are pictures too. Default: the identity and,
        of turns, the one nearest to a quarter turn.
    patches : array-like of shape (n_features, size, size, n_channels), optional
        A real image for each feature, such as the patch that excites it most
        (`OrbitDataset.patches`): what it reaches is told beside what the picture reaches.
    n_controls : int, default=1
        Rows of the same pictures for random directions. A control is a mixture of all features with
        normal weights, so that it has the second moments of real ones and moves under the group as
        they do.
    n_steps : int, default=64
    learning_rate : float, default=0.05
        Of Adam.
    batch_size : int, default=16
        Pictures that pass through the network at once. Up to rounding, a picture does not depend on
        that, nor on which others are made.
    device : str or torch.device, default="auto"
        Of the network; ``"auto"`` is CUDA when there is one.
    random_state : int, RandomState instance or None, default=0
        The same seed on the same CPU gives the same bits. No global generator is drawn from, unless
        None asks for numpy's.
    progress : bool, default=False

    Returns
    -------
    visualizations : Visualizations

    Raises
    ------
    ImportError
        If torch-lucent, of the extra ``lucent``, is missing.
    TypeError
        If the crosscoder is a pipeline or something else.
    ValueError
        If the crosscoder reads whole orbits or another number of channels than the layer has, there
        is no such feature or element, patches have another shape, or the network has no gradients.

    Notes
    -----
    The encoder's picture maximizes ``W_enc a + b_enc`` for the activation a. Blocks have
    no pre-activation: theirs maximizes the projection of ``a − b_dec[g]`` on the direction of
    ``W_dec[g]``, times the cosine between them, if that is above 0.1. The projection alone is large
    wherever activations are large, and the cosine alone as high where they are faint.

    References
    ----------
    .. [1] Olah, Mordvintsev and Schubert (2017), "Feature visualization", Distill.
       https://doi.org/10.23915/distill.00007

    Examples
    --------
    >>> from sklearn.datasets import load_sample_images
    >>> from sklearn_groupcross import Cyclic, GroupCrosscoder, OrbitDataset
    >>> from sklearn_groupcross.visualization import visualize_features
    >>> images, group = load_sample_images().images, Cyclic(4)
    >>> orbits = OrbitDataset(images, network="bundled", group=group)
    >>> crosscoder = GroupCrosscoder(group, n_features=64, max_epochs=5, random_state=0)
    >>> crosscoder = crosscoder.fit(orbits.as_array())
    >>> found = visualize_features(crosscoder, orbits.network, features=[3, 5], n_steps=4)
    >>> found.images.shape, found.words
    ((2, 3, 35, 35, 3), ('encoder', 'block of identity', 'block of turn 90°'))
    """
    check_reads_activations(crosscoder)
    n_steps = check_integer("n_steps", n_steps, 1)
    batch_size = check_integer("batch_size", batch_size, 1)
    n_controls = check_integer("n_controls", n_controls, 0)
    if not (isinstance(learning_rate, Real) and 0 < learning_rate < np.inf):
        raise ValueError(f"learning_rate is a finite number above 0; got {learning_rate!r}.")
    group = crosscoder.group_
    chosen = _check_numbers("features", features, len(crosscoder.components_))
    moved = _check_numbers(
        "elements", default_elements(group) if elements is None else elements, group.order
    )
    random = check_random_state(random_state)
    network = resolve_network(network)
    layer = network.check_layer(layer)
    field = receptive_field(network, layer)
    if field.n_channels != crosscoder.n_channels_:
        raise ValueError(
            f"The crosscoder reads activations of {crosscoder.n_channels_} channels; layer "
            f"{layer!r} of network {network.name!r} has {field.n_channels}."
        )
    network.to(resolve_device(device))
    window = find_window(network, layer, field)
    seed, seed_of_controls = random.randint(np.iinfo(np.int32).max, size=2).tolist()
    given = None
    if patches is not None:
        given = _check_patches(patches, len(chosen), window, network)
    rng = np.random.default_rng(seed_of_controls)
    targets = targets_of(crosscoder, chosen, moved, n_controls, rng).to(network.device)
    images, values = [], []
    with tqdm(
        total=len(targets) * n_steps, desc="visualizing", unit="step", disable=not progress
    ) as bar:
        for start in range(0, len(targets), batch_size):
            part = targets[start : start + batch_size]
            made = optimize(
                network,
                window,
                part,
                n_steps=n_steps,
                learning_rate=learning_rate,
                seed=seed,
                advance=bar.update,
            )
            images.append(made.permute(0, 2, 3, 1).cpu())
            values.append(_values(network, window, part, made))
    n_columns = 1 + len(moved)
    of_all = torch.cat(images).clamp(0, 1).numpy()
    of_all = of_all.reshape(-1, n_columns, *of_all.shape[1:])
    reached = torch.cat(values).numpy().reshape(-1, n_columns)
    if not (np.isfinite(of_all).all() and np.isfinite(reached).all()):
        raise ValueError(
            f"Layer {layer!r} of network {network.name!r} puts out NaN or infinity on the way to a "
            "picture: a smaller learning_rate may help, where the network is sound."
        )
    n = len(chosen)
    return Visualizations(
        images=of_all[:n],
        values=reached[:n],
        features=chosen,
        elements=moved,
        words=("encoder", *(f"block of {group.describe_element(int(g))}" for g in moved)),
        control_images=of_all[n:],
        control_values=reached[n:],
        patch_values=None
        if given is None
        else _of_patches(network, window, targets, given, n_columns),
    )


def default_elements(group: FiniteGroup) -> list[int]:
    """Return the identity and the turn nearest to a quarter turn, if there are turns."""
    if not isinstance(group, PlanarGroup) or group.n_turns < 3:
        return [0]
    return [0, max(1, round(group.n_turns / 4))]


@torch.no_grad()
def _values(network: Network, window: Window, targets: Targets, images: Tensor) -> Tensor:
    column, row = window.unit
    maps = network.activations(window.fill(images), window.layer)
    return targets.values(maps[:, :, row, column]).float().cpu()


def _of_patches(
    network: Network,
    window: Window,
    targets: Targets,
    patches: Tensor,
    n_columns: int,
) -> NDArray[np.float32]:
    """What patches reach of the targets of their features."""
    rows = []
    for i, patch in enumerate(patches.split(1)):
        part = targets[i * n_columns : (i + 1) * n_columns]
        same = patch.to(network.device).expand(n_columns, -1, -1, -1)
        rows.append(_values(network, window, part, same))
    return torch.stack(rows).numpy()


def _check_numbers(name: str, numbers: ArrayLike, n: int) -> NDArray[np.int64]:
    chosen = np.atleast_1d(np.asarray(as_numpy(numbers, name)))
    if chosen.size == 0:  # of float64, whatever was meant
        chosen = chosen.astype(np.int64)
    if chosen.ndim != 1 or not np.issubdtype(chosen.dtype, np.integer):
        raise ValueError(f"{name} are integers, a list of them; got {numbers!r}.")
    if name == "features" and len(chosen) == 0:
        raise ValueError("features names at least one; got none.")
    if len(chosen) and (chosen.min() < 0 or chosen.max() >= n):
        raise ValueError(f"{name} lie between 0 and {n - 1}; got {numbers!r}.")
    return chosen.astype(np.int64)


def _check_patches(patches: ArrayLike, n: int, window: Window, network: Network) -> Tensor:
    array = np.asarray(as_numpy(patches, "patches"))
    expected = (n, window.size, window.size, network.n_channels)
    is_image = array.shape == expected and np.issubdtype(array.dtype, np.floating)
    if not (is_image and ((array >= 0) & (array <= 1)).all()):
        raise ValueError(
            f"patches are one image a feature, floats in [0, 1] of shape {expected}, which is the "
            f"receptive field; got {array.dtype} of shape {array.shape}, or other values."
        )
    return torch.from_numpy(array.astype(np.float32)).permute(0, 3, 1, 2)
