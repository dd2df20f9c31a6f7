"""What `OrbitDataset` settles before it reads: action, layers, sizes of images and batches."""

from __future__ import annotations

import hashlib
import math
from collections.abc import Iterable, Sequence

import torch
from torch import nn

from .._integers import check_integer
from ..actions import ImageAction, PositionedAction
from ..groups import FiniteGroup, as_group
from ..networks import Network

#: What a `PositionedAction` has.
_MEMBERS = (
    "group",
    "transform",
    "transform_positions",
    "transform_about",
    "source_size",
    "visible_radius",
)


def resolve_action(
    group: FiniteGroup | str | None, action: PositionedAction | None
) -> PositionedAction:
    """Take the action, or the turns and mirrors of the group.

    Raises
    ------
    ValueError
        If neither is given, or they are of different groups.
    TypeError
        If the action does not move positions; the message names what it lacks.
    """
    if action is None:
        if group is None:
            raise ValueError("Give a group, such as Dihedral(16), or an action.")
        return ImageAction(group)
    if not isinstance(action, PositionedAction):
        missing = [name for name in _MEMBERS if not hasattr(action, name)]
        raise TypeError(
            "An action that moves images and positions is needed, a PositionedAction; "
            f"{action!r} lacks {', '.join(missing)}. For functions of inputs that have no "
            "positions see stack_orbits."
        )
    if group is not None and as_group(group) != action.group:
        raise ValueError(f"The action is one of {action.group!r}, and group is {group!r}.")
    return action


def default_source_size(input_size: int, action: PositionedAction) -> int:
    """Side to scale images to, of the input's parity: a little more than any turn needs.

    It is 320 for 224, a size in which images often come, and then they are not resampled.
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
    TypeError, ValueError
        If it is no whole number, or below 1.
    """
    if batch_size is None:
        return 64 if device.type == "cuda" else 8
    return check_integer("batch_size", batch_size, 1)


def resolve_layers(network: Network, layer: str | Sequence[str] | None) -> tuple[str, ...]:
    """Names of the layers to read, each checked.

    Raises
    ------
    TypeError
        If they are no names.
    ValueError
        If there is none, one does not exist, or one is named twice.
    """
    if layer is None or isinstance(layer, str):
        return (network.check_layer(layer),)
    if not isinstance(layer, Iterable) or isinstance(layer, nn.Module):
        raise TypeError(
            f"layer is the name of a layer, such as {network.layer_names[-1]!r}, or several names; "
            f"got {layer!r}."
        )
    names = tuple(network.check_layer(name) for name in layer)
    if not names:
        raise ValueError("Name at least one layer, or leave layer out for the network's default.")
    for name in names:
        if names.count(name) > 1:
            raise ValueError(f"Layer {name!r} is named {names.count(name)} times: name it once.")
    return names


def network_digest(network: Network) -> str:
    """SHA-256 of a network's structure and of all its weights."""
    return module_digest(network.module)


def module_digest(module: nn.Module) -> str:
    """SHA-256 of a module's structure and of all its weights."""
    state = hashlib.sha256(repr(module).encode())
    for name, tensor in sorted(module.state_dict().items()):
        state.update(f"{name} {tensor.dtype} {tuple(tensor.shape)}".encode())
        # as bytes: numpy knows no bfloat16
        flat = tensor.detach().cpu().contiguous().flatten()
        state.update(flat.view(torch.uint8).numpy().data)
    return state.hexdigest()
