"""The receptive field of a layer: derived from the operations, held against gradients."""

from __future__ import annotations

import math
from collections.abc import Sequence
from weakref import WeakKeyDictionary

import torch
from torch import Tensor, nn

from .._ambient import own_state, warn_caller
from .._integers import check_integer
from ._compatibility import check_weights_are_there
from ._field import ReceptiveField
from ._field_rules import POINTWISE, RULES
from ._fitting import measure_field
from ._footprint import confirm_receptive_field
from ._measured_state import preprocess_as_key, state_of_paths
from ._measuring import NotMeasuredError
from ._module_state import reading
from ._network import Network
from ._places import Nowhere, Place
from ._tracking import FieldTracker
from ._zoo import resolve_network

# What gradients have shown of a module, for as long as it is there: nothing here may keep it alive.
_measured: WeakKeyDictionary[nn.Module, dict[object, ReceptiveField]] = WeakKeyDictionary()


@own_state()
def receptive_field(
    network: Network | nn.Module | str,
    layer: str | None = None,
    input_size: int | None = None,
    *,
    confirm: bool = True,
) -> ReceptiveField:
    """Find stride, offset and size of a layer's receptive fields.

    One image passes through `Network.preprocess` and the network while every operation is watched:
    convolutions, pools and paddings widen and shift the field, concatenations and sums unite it,
    writes to slices reach the whole tensor, upsampling makes units finer than pixels. What depends
    on the whole image and is alike at all positions (a gate of squeeze-and-excite), or is mixed in
    position by position (attention), leaves units where they are, and is marked as
    `ReceptiveField.global_context`.

    The result is then held against gradients; see `confirm_receptive_field`. Where an operation is
    not known, the field is measured by gradients alone (`ReceptiveField.derivation` says so), and
    accepted if all units that are looked at, at the corners too, lie on one grid.

    Parameters
    ----------
    network : Network, torch.nn.Module or str
        What `resolve_network` takes. A module is left as it was, as `Network` does.
    layer : str, optional
        Default: the network's default layer.
    input_size : int, optional
        Side of the image in pixels. Default: the network's.
    confirm : bool, default=True
        Compare with gradients, once for a network, layer and size, and again where other weights
        are zero: a few forward passes. Without, only what is derived is returned, and nothing is
        measured.

    Returns
    -------
    field : ReceptiveField

    Raises
    ------
    ValueError
        If units have no place in the image: an operation on the way mixes all positions, the
        preprocess resizes the image, or what gradients show fits no grid. If the layer's channels
        come last.

    Warns
    -----
    UserWarning
        If the network has no gradients to compare with.

    Notes
    -----
    For chains of convolutions and pools, stride, offset and size are those of [1]_.

    References
    ----------
    .. [1] Araujo, Norris and Sim (2019), "Computing receptive fields of convolutional neural
       networks", Distill, doi:10.23915/distill.00021.

    Examples
    --------
    >>> import torch
    >>> from sklearn_groupcross import Network, receptive_field
    >>> module = torch.nn.Sequential(torch.nn.Conv2d(3, 8, 7, stride=2, padding=3))
    >>> field = receptive_field(Network(module, input_size=32), "0")
    >>> field.stride, field.offset, field.size
    ((2.0, 2.0), (0.0, 0.0), (7, 7))
    """
    network = resolve_network(network)
    size = network.input_size if input_size is None else check_integer("input_size", input_size, 1)
    layer = network.check_layer(layer)
    with reading(network.module):  # one thread measures, and others find what it has found
        field = _derive(network, layer, size)
        if confirm:
            check_weights_are_there(network.module, torch.device("cpu"))  # gradients need some
            return _confirmed(network, layer, size, field)
    if isinstance(field, ReceptiveField):
        return field
    raise field


def _confirmed(
    network: Network, layer: str, size: int, derived: ReceptiveField | ValueError
) -> ReceptiveField:
    known = _measured.setdefault(network.module, {})
    try:
        key = (
            *(layer, size, network.n_channels, network.token_grid, network.n_prefix_tokens),
            *(state_of_paths(network.module), preprocess_as_key(network.preprocess)),
            derived if isinstance(derived, ReceptiveField) else None,
        )
        hash(key)
    except TypeError:  # a preprocess that is no key
        return _hold_against_gradients(network, layer, size, derived)
    if key not in known:
        known[key] = _hold_against_gradients(network, layer, size, derived)
    return known[key]


def _hold_against_gradients(
    network: Network, layer: str, size: int, derived: ReceptiveField | ValueError
) -> ReceptiveField:
    """Return the derived field if gradients agree, and else what they show.

    Raises
    ------
    ValueError
        If there is no grid on which units lie.
    """
    if isinstance(derived, ReceptiveField):
        try:
            confirm_receptive_field(network, layer, derived)
        except NotMeasuredError as error:
            warn_caller(
                f"The receptive field of layer {layer!r} of {network.name!r} is read off its "
                f"operations, and could not be compared with gradients: {error}",
                UserWarning,
            )
        except ValueError as disagreement:
            try:
                return measure_field(network, layer, size)
            except ValueError:
                hint = "" if network.preprocess is None else f" {_PREPROCESS}"
                raise ValueError(f"{disagreement}{hint}") from None
        return derived
    try:
        return measure_field(network, layer, size)
    except ValueError as reason:
        raise ValueError(f"{derived} {reason}") from None


class NotFollowedError(ValueError):
    """A layer's place that is not derived from operations; gradients may show it."""


def derive_each(
    network: Network, layers: Sequence[str], size: int
) -> dict[str, tuple[Tensor | None, ReceptiveField | ValueError]]:
    """Follow the operations to several layers in one pass.

    Returns
    -------
    found : dict of str to (Tensor or None, ReceptiveField or ValueError)
        For each layer its map, if it has one, and its field, or why it has none: gradients may say
        more after a `NotFollowedError`.
    """
    image = _probe(network, size)
    with FieldTracker(image, RULES, POINTWISE) as tracker:
        inputs = network._prepare(image)
        read = network.read_each(inputs, layers)
    _check_preprocessed(network, tracker, image, inputs)
    found: dict[str, tuple[Tensor | None, ReceptiveField | ValueError]] = {}
    for layer, output in read.items():
        if isinstance(output, ValueError):
            found[layer] = None, output
            continue
        try:
            found[layer] = output, _field_of(network, layer, tracker, inputs, output, size)
        except ValueError as error:
            found[layer] = output, error
    return found


def _derive(network: Network, layer: str, size: int) -> ReceptiveField | ValueError:
    """Follow the operations; where that fails, the error that says why."""
    image = _probe(network, size)
    with FieldTracker(image, RULES, POINTWISE) as tracker:
        inputs = network._prepare(image)
        output = network.read_layer(inputs, layer)
    _check_preprocessed(network, tracker, image, inputs)
    try:
        return _field_of(network, layer, tracker, inputs, output, size)
    except NotFollowedError as error:
        return error


def _probe(network: Network, size: int) -> Tensor:
    generator = torch.Generator().manual_seed(0)
    shape = (1, network.n_channels, size, size)
    image = torch.rand(shape, generator=generator, dtype=torch.float32, device="cpu")
    return image.to(network.device)


def _field_of(
    network: Network, layer: str, tracker: FieldTracker, inputs: Tensor, output: Tensor, size: int
) -> ReceptiveField:
    """Field of a layer that was read while operations were followed.

    Raises
    ------
    NotFollowedError
        If they could not be followed to it.
    ValueError
        If its channels do not come before its rows and columns.
    """
    place = tracker.state(output)
    label = f"Layer {layer!r} of {network.name!r}"
    if not isinstance(place, Place):
        if not isinstance(tracker.state(inputs), Place):
            raise NotFollowedError(
                f"{label} has no place in the image: in preprocess of {network.name!r}, "
                f"{_operation(tracker.state(inputs))} mixes all positions. {_PREPROCESS}"
            )
        raise NotFollowedError(
            f"{label} has no place in the image: {_operation(place)} mixes all positions."
        )
    if (place.column_axis, place.row_axis) != (-1, -2):
        raise ValueError(
            f"{label} puts out {tuple(output.shape)}, its channels not before its rows and "
            "columns: name a layer that puts out a map (n, channels, height, width)."
        )
    column, row = place.column, place.row
    return ReceptiveField(
        stride=(column.stride, row.stride),
        offset=((column.first + column.last) / 2, (row.first + row.last) / 2),
        # a field behind upsampling may end between two pixels
        size=(_whole(column.last - column.first) + 1, _whole(row.last - row.first) + 1),
        map_size=(output.shape[-1], output.shape[-2]),
        n_channels=output.shape[1],
        input_size=size,
        global_context=place.global_context,
        repeats=(column.period, row.period),
        wraps=(column.wrap, row.wrap),
    )


_PREPROCESS = (
    "Images are turned and cropped to input_size before preprocess, which is to change values "
    "only: write Network.from_torchvision(module, weights) in place of Network(module, "
    "weights.transforms()), or leave resizing and cropping out of it."
)


def _check_preprocessed(
    network: Network, tracker: FieldTracker, image: Tensor, inputs: Tensor
) -> None:
    """Refuse a preprocess that changes the size of images where nobody can follow it."""
    if not isinstance(tracker.state(inputs), Place) and inputs.shape[-2:] != image.shape[-2:]:
        before, after = (f"{x.shape[-1]} × {x.shape[-2]}" for x in (image, inputs))
        raise ValueError(
            f"preprocess of {network.name!r} makes images of {after} px of those of {before} px "
            f"({_operation(tracker.state(inputs))}). {_PREPROCESS}"
        )


def _operation(state: Nowhere | Place | None) -> str:
    return state.operation if isinstance(state, Nowhere) else "an operation that torch does not see"


def _whole(distance: float) -> int:
    return math.ceil(distance - 1e-9)
