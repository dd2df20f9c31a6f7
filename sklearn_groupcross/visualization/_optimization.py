"""The loop: pictures climb towards their targets."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

from .._ambient import own_state
from ..networks import Network
from ._lucent import Pictures
from ._targets import Targets
from ._window import Window


@own_state(gradients=True)
def optimize(
    network: Network,
    window: Window,
    targets: Targets,
    *,
    n_steps: int,
    learning_rate: float,
    seed: int,
    advance: Callable[[int], object],
) -> Tensor:
    """Make a picture for each target.

    Parameters
    ----------
    network : Network
    window : Window
    targets : Targets
        On the network's device.
    n_steps : int
    learning_rate : float
        Of Adam.
    seed : int
        Of the start and of what is done to pictures in each step: the same for all of them.
    advance : callable
        Told after each step how many pictures took it.

    Returns
    -------
    images : Tensor of shape (n, n_channels, size, size)

    Raises
    ------
    ValueError
        If activations do not say how they depend on the image.
    """
    device = network.device
    pictures = Pictures(len(targets), network.n_channels, window.size, device, seed)
    optimizer = torch.optim.Adam([pictures.spectrum], lr=learning_rate)
    generator = torch.Generator().manual_seed(seed + 1)
    for _ in range(n_steps):
        activations = window.read(network, pictures.transformed(generator))
        total = targets.objective(activations).sum()
        pictures.spectrum.grad = _gradient(total, pictures.spectrum, network, window)
        optimizer.step()
        advance(len(targets))
    return pictures.images().detach()


def _gradient(total: Tensor, spectrum: Tensor, network: Network, window: Window) -> Tensor:
    """Gradient by which Adam descends; of no weight of the network is any recorded."""
    named = f"layer {window.layer!r} of network {network.name!r}"
    try:
        (gradient,) = torch.autograd.grad(-total, [spectrum], allow_unused=True)
    except RuntimeError as error:
        raise ValueError(
            f"The way from an image to {named} has no gradient, and without one no picture can be "
            f"optimized: {error}"
        ) from error
    if gradient is None or not gradient.any():
        raise ValueError(
            f"The gradient of {named} by the image is "
            f"{'missing' if gradient is None else 'zero'}: something on the way detaches what it "
            "computes, rounds it or makes integers of it. No picture can be optimized through it."
        )
    if not gradient.isfinite().all():
        raise ValueError(f"The gradient of {named} by the image is not finite.")
    return gradient
