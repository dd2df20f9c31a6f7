"""The images that a command is given: which are drawn, and which are set apart as damaged."""

from __future__ import annotations

import argparse

import numpy as np

from ..networks import Network
from ..orbits import ImageSource
from ._arguments import choose_count
from ._streams import complain

# Names of damaged images that are said; the store has all of them.
_NAMED = 20


def draw_images(options: argparse.Namespace, network: Network) -> ImageSource:
    """Draw the images of a command at random, in their own order.

    Parameters
    ----------
    options : Namespace
        `images`, `n_images`, `seed` and `skip_damaged`, the share of those drawn that may be
        damaged, None for none.
    network : Network
        Says how many channels images have.

    Returns
    -------
    images : ImageSource
        Without those that are damaged, if that was asked for; else they are still to be checked.

    Raises
    ------
    ValueError
        If there are too few, or more are damaged than may be.
    """
    images = ImageSource(options.images, n_channels=network.n_channels)
    n_images = choose_count(options.n_images, len(images), "--n-images")
    order = np.random.default_rng(options.seed).permutation(len(images))[:n_images]
    drawn = images[np.sort(order)]
    if options.skip_damaged is None:
        return drawn
    return drawn.without_damaged(options.skip_damaged, progress=True)


def say_damaged(images: ImageSource) -> None:
    """List images that were set apart, at the end of a command."""
    damaged = sorted(images.damaged)
    if not damaged:
        return
    what = "1 damaged image was" if len(damaged) == 1 else f"{len(damaged)} damaged images were"
    complain(f"{what} set apart:")
    for image in damaged[:_NAMED]:
        complain(f"- {image.reason}")
    if len(damaged) > _NAMED:
        complain(f"- and {len(damaged) - _NAMED} others")
