"""Two groups that act at once: the direct product of two actions that commute."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

from .._ambient import own_state
from ..groups import DirectProduct
from ._laws import apply_action
from ._protocols import Action, PositionedAction

# Relative to the inputs. Turns of images interpolate: those that commute differ a little.
_TOLERANCE, _TOLERANCE_OF_IMAGES = 1e-4, 0.05


class Composable:
    """What the actions of this package share: ``first * second``; see `product_action`."""

    def example_axes(self) -> dict[int, int] | None:
        """Axes that inputs have, and a length that each may have; None if there is more to it."""
        return None

    def __mul__(self: Action, other: Any) -> ProductAction:
        return product_action(self, other) if isinstance(other, Action) else NotImplemented


def product_action(
    first: Action, second: Action, *, example: Tensor | None = None
) -> ProductAction:
    """Join two commuting actions on the same inputs into one; also written ``first * second``.

    Parameters
    ----------
    first, second : Action
    example : Tensor of shape (n, ...), optional
        See `ProductAction`.

    Returns
    -------
    action : ProductAction
        An `ImageProductAction`, which says where positions go, if both factors do.

    Raises
    ------
    TypeError
        If a factor is no action.
    ValueError
        If the actions do not commute; the message names a pair of elements. If no example is given
        and none can be made up.

    Examples
    --------
    >>> from sklearn_groupcross import Cyclic
    >>> from sklearn_groupcross.actions import HueAction, ImageAction, product_action
    >>> product_action(ImageAction(Cyclic(4)), HueAction(6))
    ImageProductAction(ImageAction(Cyclic(4)), HueAction(Cyclic(6)))
    """
    if isinstance(first, PositionedAction) and isinstance(second, PositionedAction):
        return ImageProductAction(first, second, example=example)
    return ProductAction(first, second, example=example)


class ProductAction(Composable):
    """Two commuting actions on the same inputs, as one action of the product of their groups.

    ``(i, j)·x = i·(j·x) = j·(i·x)``; the element (i, j) has the index ``i * second.group.order +
    j``. `product_action` makes one, or an `ImageProductAction` of two actions on images.

    Parameters
    ----------
    first, second : Action
    example : Tensor of shape (n, ...), optional
        Inputs on which to check that the actions commute. Default: random ones, for the actions
        of this package and all `PositionedAction`; others must bring an example.

    Attributes
    ----------
    group : DirectProduct
    first, second : Action

    Raises
    ------
    TypeError
        If a factor is no action.
    ValueError
        If the actions do not commute; the message names a pair of elements. If no example is given
        and none can be made up.

    Examples
    --------
    >>> import torch
    >>> from sklearn_groupcross.actions import PointCloudAction, SetAction
    >>> from sklearn_groupcross.groups import Symmetric
    >>> action = PointCloudAction("tetrahedral") * SetAction(Symmetric(4))  # turn, and rearrange
    >>> action.transform(torch.randn(2, 4, 3)).shape
    torch.Size([2, 288, 4, 3])
    """

    def __init__(self, first: Action, second: Action, *, example: Tensor | None = None) -> None:
        for action in (first, second):
            if not isinstance(action, Action):
                raise TypeError(f"An action has a group and a method transform; got {action!r}.")
        self.first = first
        self.second = second
        self.group = DirectProduct(first.group, second.group)
        self._check_commuting(example)

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self.first!r}, {self.second!r})"

    def transform(self, inputs: Tensor) -> Tensor:
        """Transform every input by every pair of elements.

        Parameters
        ----------
        inputs : Tensor of shape (n, ...)
            What both factors take.

        Returns
        -------
        transformed : Tensor of shape (n, order, ...)
        """
        return _pairs(self.first, self.second, inputs).flatten(1, 2)

    def example_axes(self) -> dict[int, int]:
        """Axes that inputs have, and a length that each may have.

        Returns
        -------
        axes : dict of int to int
        """
        return _merged(self.first, self.second)

    @own_state()
    def _check_commuting(self, example: Tensor | None) -> None:
        if example is None:
            axes = _merged(self.first, self.second)
            n_axes = 1 + max(abs(axis) if axis < 0 else axis for axis in axes)
            shape = [2] * n_axes
            for axis, length in axes.items():
                shape[axis] = length
            generator = torch.Generator("cpu").manual_seed(0)
            example = torch.randn(shape, generator=generator, dtype=torch.float64, device="cpu")
        by_first = _pairs(self.first, self.second, example)
        by_second = _pairs(self.second, self.first, example).transpose(1, 2)
        self._compare(by_first, by_second, _TOLERANCE)

    def _compare(self, by_first: Tensor, by_second: Tensor, tolerance: float) -> None:
        """Compare j·(i·x) with i·(j·x), both of shape (n, first order, second order, ...)."""
        if by_first.shape == by_second.shape:
            a, b = (
                t.double().transpose(0, 2).flatten(2).transpose(0, 1) for t in (by_first, by_second)
            )
            spread = (b - b.mean(-1, keepdim=True)).norm(dim=-1).amax().clamp_min(1e-12)
            wrong = (a - b).norm(dim=-1) / spread
            i, j = divmod(int(wrong.argmax()), wrong.shape[1])
            if float(wrong[i, j]) <= tolerance:
                return
            found = f"differ by {float(wrong[i, j]):.2g} of the inputs' size for i = {i}, j = {j}"
        else:
            found = f"have the shapes {tuple(by_first.shape[3:])} and {tuple(by_second.shape[3:])}"
        raise ValueError(
            f"{self.first!r} and {self.second!r} do not commute, and only then does the product of "
            f"their groups act: j·(i·x) and i·(j·x) {found}."
        )


class ImageProductAction(ProductAction):
    """Two commuting actions on images, at most one of which moves positions.

    ``ImageAction(Dihedral(8)) * HueAction(6)`` is one: 96 elements. The images are turned once for
    every element of the one group, and then recoloured by every element of the other.

    Parameters
    ----------
    first, second : PositionedAction
    example : Tensor of shape (n, n_channels, height, width), optional
        See `ProductAction`. Default: random RGB images.

    Attributes
    ----------
    group : DirectProduct
    first, second : PositionedAction

    Raises
    ------
    ValueError
        If both actions move positions, or if they do not commute.

    Examples
    --------
    >>> import torch
    >>> from sklearn_groupcross import Dihedral
    >>> from sklearn_groupcross.actions import HueAction, ImageAction
    >>> action = ImageAction(Dihedral(8)) * HueAction(6)
    >>> action.transform(torch.rand(2, 3, 48, 48), size=32).shape
    torch.Size([2, 96, 3, 32, 32])
    >>> action.group.describe_element(action.first.group.rotation_by(90) * 6 + 1)
    'turn 90° and hue turn 60°'
    """

    first: PositionedAction
    second: PositionedAction

    def __init__(
        self, first: PositionedAction, second: PositionedAction, *, example: Tensor | None = None
    ) -> None:
        if _moves_positions(first) and _moves_positions(second):
            raise ValueError(
                f"{first!r} and {second!r} both move positions. Of two actions on images at least "
                "one leaves them in place, as HueAction does; give one action of a group that "
                "holds both."
            )
        super().__init__(first, second, example=example)

    @property
    def _warp_is_first(self) -> bool:
        return not _moves_positions(self.second)

    def transform(self, inputs: Tensor, size: int | None = None) -> Tensor:
        """Transform every image by every pair of elements, and crop.

        Parameters
        ----------
        inputs : Tensor of shape (n_images, n_channels, height, width)
        size : int, optional
            Side of the square results in pixels. Default: as the action that moves positions has
            it.

        Returns
        -------
        transformed : Tensor of shape (n_images, order, n_channels, size, size)
        """
        if self._warp_is_first:
            return self._recolored(self.first.transform(inputs, size)).flatten(1, 2)
        return self._recolored(self.second.transform(inputs, size)).transpose(1, 2).flatten(1, 2)

    def transform_positions(self, positions: Tensor) -> Tensor:
        """Carry positions (..., 2) along: ``g·p``, of shape (..., order, 2).

        Parameters
        ----------
        positions : Tensor of shape (..., 2)
            (column, row) in pixels from the image centre.

        Returns
        -------
        moved : Tensor of shape (..., order, 2)
        """
        moved = self.second.transform_positions(self.first.transform_positions(positions))
        return moved.flatten(-3, -2)

    def transform_about(
        self,
        images: Tensor,
        positions: Tensor,
        size: int,
        elements: Sequence[int] | None = None,
        *,
        at: tuple[float, float] = (0.0, 0.0),
    ) -> Tensor:
        """Cut the patch of ``g·x`` in which ``g·p`` lies at `at`.

        Parameters and results are those of `PositionedAction.transform_about`; elements are those
        of the product.

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
        chosen = range(self.group.order) if elements is None else elements
        pairs = [divmod(int(g), self.second.group.order) for g in chosen]
        if not self._warp_is_first:
            pairs = [(i, j) for j, i in pairs]
        warp = self.first if self._warp_is_first else self.second
        # every warp once, however many colours of it are asked for
        warps = sorted({i for i, _ in pairs})
        patches = self._recolored(warp.transform_about(images, positions, size, warps, at=at))
        return patches[:, [warps.index(i) for i, _ in pairs], [j for _, j in pairs]]

    def source_size(self, size: int) -> int:
        """Side of the smallest square source for results of `size` pixels.

        Parameters
        ----------
        size : int
            Side of the result in pixels.

        Returns
        -------
        source_size : int
        """
        return max(self.first.source_size(size), self.second.source_size(size))

    def visible_radius(self, size: int) -> float:
        """How far from the centre the masks of both leave the image as it is; else infinite.

        Parameters
        ----------
        size : int
            Side of the result in pixels.

        Returns
        -------
        radius : float
            In pixels.
        """
        return min(self.first.visible_radius(size), self.second.visible_radius(size))

    def _recolored(self, pictures: Tensor) -> Tensor:
        """Apply the other action to pictures (n, k, ...), giving (n, k, its order, ...)."""
        other = self.second if self._warp_is_first else self.first
        return apply_action(other, pictures.flatten(0, 1)).unflatten(0, pictures.shape[:2])

    @own_state()
    def _check_commuting(self, example: Tensor | None) -> None:
        first, second, size = self.first, self.second, 9
        for_second, for_first = second.source_size(size), first.source_size(size)
        if example is None:
            side = max(first.source_size(for_second), second.source_size(for_first))
            example = _smooth_images(side)
        by_first = _pairs(first, second, example, for_second, size)
        by_second = _pairs(second, first, example, for_first, size).transpose(1, 2)
        self._compare(by_first, by_second, _TOLERANCE_OF_IMAGES)


def _pairs(first: Action, second: Action, inputs: Tensor, *sizes: int) -> Tensor:
    """``j·(i·x)`` for all elements, of shape (n, first order, second order, ...)."""
    size = [{"size": s} for s in sizes] or [{}, {}]
    once = apply_action(first, inputs, **size[0])
    twice = apply_action(second, once.flatten(0, 1), **size[1])
    return twice.unflatten(0, once.shape[:2])


def _moves_positions(action: PositionedAction) -> bool:
    position = torch.tensor([3.0, 1.0], dtype=torch.float32, device="cpu")
    return not torch.equal(
        action.transform_positions(position), position.expand(action.group.order, 2)
    )


def _smooth_images(side: int) -> Tensor:
    """Three random RGB images, low in contrast, with a black and a white corner.

    So that samplers which clamp to the range of the image have nothing to clamp.
    """
    generator = torch.Generator("cpu").manual_seed(0)
    coarse = torch.rand(3, 3, 4, 4, generator=generator, dtype=torch.float64, device="cpu")
    images = 0.4 + 0.2 * F.interpolate(coarse, size=(side, side), mode="bilinear")
    images[..., 0, 0], images[..., -1, -1] = 0, 1
    return images


def _merged(first: Action, second: Action) -> dict[int, int]:
    """Axes and lengths of inputs that both actions take."""
    known = [a.example_axes() if isinstance(a, Composable) else None for a in (first, second)]
    if known[0] is None or known[1] is None:
        raise ValueError(
            f"Whether {first!r} and {second!r} commute is checked on inputs, and what those look "
            "like is not known here: product_action(first, second, example=inputs)."
        )
    axes = dict(known[0])
    for axis, length in known[1].items():
        axes[axis] = math.lcm(length, axes.get(axis, 1))
    if min(axes) < 0 < max(axes):
        raise ValueError(
            f"{first!r} and {second!r} count axes from both ends, and may or may not mean the same "
            "one: count from one end, or give product_action(first, second, example=inputs)."
        )
    return axes
