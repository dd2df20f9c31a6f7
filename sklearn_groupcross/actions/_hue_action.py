"""Turning the colours of images: rotations about the greys."""

from __future__ import annotations

import math
from collections.abc import Sequence
from numbers import Integral

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

from .._ambient import own_state
from ..groups import Cyclic, FiniteGroup, Trivial, as_group
from ._crop import check_images, cut_center
from ._image_action import ImageAction
from ._linear_action import LinearAction


class HueAction(LinearAction):
    """Turn the colours of RGB images about the greys, ``r = g = b``, by multiples of ``360°/n``.

    Element k, such as the "hue turn 120°", turns red towards green, green towards blue, by
    ``360° k/n``; a third of a turn swaps the channels and is exact, bit for bit. It is a rotation
    of colour space: greys stay, and so does the sum of the channels, to rounding. Positions stay
    too.

    **Nothing is clipped**, or turning back would not give the image back. Values may leave [0, 1]:
    of scikit-learn's two sample photographs 0.7 % of all values do so under ``HueAction(6)``, by up
    to 0.26.

    Parameters
    ----------
    group : Cyclic, int or str
        ``HueAction(6)`` is ``HueAction(Cyclic(6))``.
    interpolation : {"bicubic", "bilinear"}, default="bicubic"
        How `transform_about` reads between pixels.

    Raises
    ------
    TypeError
        If the group is not cyclic.

    Examples
    --------
    >>> import torch
    >>> from sklearn_groupcross.actions import HueAction
    >>> red = torch.tensor([1.0, 0.0, 0.0]).reshape(1, 3, 1, 1)
    >>> HueAction(3).transform(red)[0, :, :, 0, 0].tolist()
    [[1.0, 0.0, 0.0], [0.0, 1.0, 0.0], [0.0, 0.0, 1.0]]
    """

    def __init__(self, group: FiniteGroup | int | str, *, interpolation: str = "bicubic") -> None:
        if isinstance(group, Integral) and not isinstance(group, bool):
            group = Cyclic(int(group))
        elif isinstance(group, str):
            group = as_group(group)
        group = group.unnamed if isinstance(group, FiniteGroup) else group
        if not isinstance(group, Cyclic):
            raise TypeError(f"Hues are turned by Cyclic(n) or a whole number n; got {group!r}.")
        turns = [f"hue turn {group.degrees(k):g}°" for k in range(1, group.order)]
        super().__init__(group.named(["identity", *turns]), _hue_matrices(group.order), axis=1)
        self.interpolation = interpolation
        self._upright = ImageAction(Trivial(), interpolation=interpolation)

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self.group!r})"

    @own_state(gradients=None)
    def transform(self, inputs: Tensor, size: int | None = None) -> Tensor:
        """Turn the colours of every image by every element.

        Parameters
        ----------
        inputs : Tensor of shape (n_images, 3, height, width)
            RGB, floating point.
        size : int, optional
            Crop to the central square of so many pixels. Default: the whole image.

        Returns
        -------
        transformed : Tensor of shape (n_images, order, 3, size, size) or \
(n_images, order, 3, height, width)

        Raises
        ------
        ValueError
            If the images have other than three channels, or are smaller than `size`.
        """
        _check_rgb(inputs)
        return super().transform(inputs if size is None else cut_center(inputs, size))

    @own_state(gradients=None)
    def transform_positions(self, positions: Tensor) -> Tensor:
        """Positions stay: (..., 2) is repeated for every element, (..., order, 2).

        Parameters
        ----------
        positions : Tensor of shape (..., 2)
            (column, row) in pixels from the image centre.

        Returns
        -------
        moved : Tensor of shape (..., order, 2)
        """
        return positions.unsqueeze(-2).expand(*positions.shape[:-1], self.group.order, 2)

    @own_state(gradients=None)
    def transform_about(
        self,
        images: Tensor,
        positions: Tensor,
        size: int,
        elements: Sequence[int] | None = None,
        *,
        at: tuple[float, float] = (0.0, 0.0),
    ) -> Tensor:
        """Cut a patch out of each RGB image and turn its colours.

        Parameters and results are those of `PositionedAction.transform_about`.

        Parameters
        ----------
        images : Tensor of shape (n, n_channels, height, width)
        positions : Tensor of shape (n, 2)
        size : int
        elements : sequence of int, optional
            Default: all.
        at : (float, float), default=(0.0, 0.0)

        Returns
        -------
        patches : Tensor of shape (n, n_elements, n_channels, size, size)
        """
        _check_rgb(images)
        patches = self._upright.transform_about(images, positions, size, at=at)[:, 0]
        turned = super().transform(patches)
        return turned if elements is None else turned[:, list(elements)]

    def source_size(self, size: int) -> int:
        """Side of the smallest source for results of `size` pixels: `size` itself.

        Parameters
        ----------
        size : int
            Side of the result in pixels.

        Returns
        -------
        source_size : int
        """
        return size

    def visible_radius(self, size: int) -> float:
        """Infinite: nothing is masked.

        Parameters
        ----------
        size : int
            Side of the result in pixels.

        Returns
        -------
        radius : float
            In pixels.
        """
        return math.inf


def _check_rgb(images: Tensor) -> None:
    check_images(images)
    if images.shape[1] != 3:
        raise ValueError(f"Hues are those of RGB images, 3 channels; got {images.shape[1]}.")


def _hue_matrices(n: int) -> NDArray[np.float64]:
    """Rotations (n, 3, 3) of (r, g, b) about the greys, exact at thirds of a turn."""
    turn = np.arange(n)[:, None, None]
    channel = np.arange(3)
    # in units of 1/(3n) of a turn: how far hue j of the source is from hue i of the result
    steps = (3 * turn + n * (channel[None, :] - channel[:, None])) % (3 * n)
    weights = (1 + 2 * np.cos(2 * np.pi * steps / (3 * n))) / 3
    weights[steps == 0] = 1
    weights[(steps == n) | (steps == 2 * n)] = 0
    return weights
