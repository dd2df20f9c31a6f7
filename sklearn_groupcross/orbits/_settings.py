"""What `OrbitDataset` settles before it reads: the action, the size of images, that of batches."""

from __future__ import annotations

import math

import torch

from ..actions import ImageAction, PositionedAction
from ..groups import PlanarGroup


def resolve_action(group: PlanarGroup | None, action: PositionedAction | None) -> PositionedAction:
    """Take the action, or the turns and mirrors of the group.

    Raises
    ------
    ValueError
        If neither is given, or they are of different groups.
    TypeError
        If the action does not move positions.
    """
    if action is None:
        if group is None:
            raise ValueError("Give a group, such as Dihedral(16), or an action.")
        return ImageAction(group)
    if not isinstance(action, PositionedAction):
        raise TypeError(
            f"An action that moves images and positions is needed; got {action!r}. For functions "
            "of inputs that have no positions see stack_orbits."
        )
    if group is not None and group != action.group:
        raise ValueError(f"The action is one of {action.group!r}, and group is {group!r}.")
    return action


def default_source_size(input_size: int, action: PositionedAction) -> int:
    """Side to scale images to, of the input's parity: a little more than any turn needs.

    It is 320 for 224, a size in which photographs often come, and then they are not resampled.
    Behind a mask no margin is needed.
    """
    if math.isfinite(action.visible_radius(input_size)):
        return action.source_size(input_size)
    size = math.ceil(input_size * 10 / 7)
    return max(size + (size - input_size) % 2, action.source_size(input_size))


def resolve_batch_size(batch_size: int | None, device: torch.device) -> int:
    """Take the given number, or what keeps the device busy: few maps fit in a CPU's caches.

    Raises
    ------
    ValueError
        If it is below 1.
    """
    if batch_size is None:
        return 64 if device.type == "cuda" else 8
    if batch_size < 1:
        raise ValueError(f"batch_size is at least 1; got {batch_size}.")
    return batch_size
