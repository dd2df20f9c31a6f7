"""What an action is: the protocols that the rest of the package asks for."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol, runtime_checkable

from torch import Tensor

from ..groups import FiniteGroup


@runtime_checkable
class Action(Protocol):
    """A finite group that acts on inputs of some kind: what `stack_orbits` needs.

    Any class with these two members is one; nothing is inherited. `check_action` tells whether it
    keeps the law ``(gh)·x = g·(h·x)``.

    Examples
    --------
    >>> import torch
    >>> from sklearn_groupcross import Cyclic
    >>> from sklearn_groupcross.actions import Action, check_action
    >>> class SignAction:
    ...     group = Cyclic(2)
    ...     def transform(self, inputs):
    ...         return torch.stack([inputs, -inputs], dim=1)
    >>> isinstance(SignAction(), Action)
    True
    >>> check_action(SignAction(), torch.randn(3, 5))
    """

    @property
    def group(self) -> FiniteGroup:
        """The group; its elements give the order of the results."""
        ...

    def transform(self, inputs: Tensor, /) -> Tensor:
        """Transform every input by every element.

        Parameters
        ----------
        inputs : Tensor of shape (n, ...)

        Returns
        -------
        transformed : Tensor of shape (n, order, ...)
            ``transformed[i, g]`` is ``g·x_i``; element 0 leaves everything as it is.
        """
        ...


@runtime_checkable
class PositionedAction(Protocol):
    """An action on images that says where every position goes: what `OrbitDataset` needs.

    Positions are (column, row) in pixels from the image centre, rows down.
    """

    @property
    def group(self) -> FiniteGroup:
        """The group; its elements give the order of the results."""
        ...

    def transform(self, images: Tensor, size: int | None = None) -> Tensor:
        """Transform images (n, channels, height, width), then crop to the central `size` pixels.

        Parameters
        ----------
        images : Tensor of shape (n, n_channels, height, width)
        size : int, optional
            Side of the result in pixels.

        Returns
        -------
        transformed : Tensor of shape (n, order, n_channels, size, size)
            Without `size`, as large as the action makes them.
        """
        ...

    def transform_positions(self, positions: Tensor) -> Tensor:
        """Carry positions (..., 2) along: ``g·p`` for every element, of shape (..., order, 2).

        Parameters
        ----------
        positions : Tensor of shape (..., 2)
            (column, row) in pixels from the image centre.

        Returns
        -------
        moved : Tensor of shape (..., order, 2)
        """
        ...

    def transform_about(
        self,
        images: Tensor,
        positions: Tensor,
        size: int,
        elements: Sequence[int] | None = None,
        *,
        at: tuple[float, float] = (0.0, 0.0),
    ) -> Tensor:
        """Cut the patch of ``g·x`` in which ``g·p`` lies at `at`, (column, row) from its centre.

        Parameters
        ----------
        images : Tensor of shape (n, n_channels, height, width)
        positions : Tensor of shape (n, 2)
            (column, row) in pixels from the image centre, one position for each image.
        size : int
            Side of the patches in pixels.
        elements : sequence of int, optional
            Group elements; default all of them.
        at : (float, float), default=(0.0, 0.0)
            Where ``g·p`` lies in the patch, (column, row) in pixels from its centre.

        Returns
        -------
        patches : Tensor of shape (n, n_elements, n_channels, size, size)
        """
        ...

    def source_size(self, size: int) -> int:
        """Side of the smallest square image from which `transform` can make `size` pixels.

        Parameters
        ----------
        size : int
            Side of the result in pixels.

        Returns
        -------
        source_size : int
        """
        ...

    def visible_radius(self, size: int) -> float:
        """How far from the centre of `size` pixels a mask leaves the image as it is.

        Infinite where nothing is masked.

        Parameters
        ----------
        size : int
            Side of the result in pixels.

        Returns
        -------
        radius : float
            In pixels.
        """
        ...


def check_inputs(inputs: Tensor, axis: int) -> None:
    """Refuse inputs that have no such axis beside the first, the axis of the samples."""
    if not isinstance(inputs, Tensor):
        raise TypeError(f"An action transforms a torch Tensor (n, ...); got {type(inputs)}.")
    if not -inputs.ndim < axis < inputs.ndim or axis == 0:
        raise ValueError(
            f"The action moves axis {axis} of each input, and the first axis counts the inputs; "
            f"got a tensor of shape {tuple(inputs.shape)}."
        )
