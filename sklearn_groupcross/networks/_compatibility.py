"""Whether inputs and a module go together in type, place and channels, and words where not."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterator
from contextlib import contextmanager

import torch
from torch import Tensor, nn
from torch.nn.parameter import is_lazy

FLOAT_TYPES = (torch.float16, torch.bfloat16, torch.float32, torch.float64)


def converted(inputs: Tensor, module: nn.Module) -> Tensor:
    """Convert inputs to the floating-point type in which a module computes.

    That is the type of its first weight of several axes: what is left in float32 in a module of
    float16, such as its normalisations, is rarely what reads the image.

    Raises
    ------
    ValueError
        If the module computes in a type that torch has few operations for, such as float8.
    """
    dtype = _type_of(module)
    if dtype is None or not inputs.is_floating_point() or inputs.dtype == dtype:
        return inputs
    if dtype not in FLOAT_TYPES:
        raise ValueError(
            f"The module's weights are {_short(dtype)}; activations are read from modules of "
            f"{', '.join(map(_short, FLOAT_TYPES))}. Convert it: module.float()."
        )
    return inputs.to(dtype)


def type_of_result(output: Tensor, wanted: torch.dtype) -> torch.dtype:
    """Type in which an output is handed on: float32, or float64 where it was asked for in that."""
    return torch.float64 if output.dtype == wanted == torch.float64 else torch.float32


def check_floating(output: object, layer: str) -> None:
    """Raise a `ValueError` if a layer puts out a tensor, but of integers or the like."""
    if not isinstance(output, Tensor) or (output.is_floating_point() and not output.is_quantized):
        return
    if output.is_quantized:
        kind, remedy = f"quantized values ({_short(output.dtype)})", "the module as it was before"
    elif output.is_complex():
        kind, remedy = f"complex numbers ({_short(output.dtype)})", "a layer of real numbers"
    else:
        kind, remedy = f"integers ({_short(output.dtype)})", "a layer before it"
    raise ValueError(
        f"Layer {layer!r} puts out {kind}; orbits are read from layers of floating-point numbers. "
        f"Read {remedy}."
    )


def check_weights_are_there(module: nn.Module, device: torch.device) -> None:
    """Raise a `ValueError` if weights have no shape yet, or no values for a pass on a device."""
    for name, tensor in _tensors(module):
        if is_lazy(tensor):
            raise ValueError(
                f"{name!r} has no shape yet (a lazy layer): run the module once on preprocessed "
                "images before it is read."
            )
        if tensor.is_meta and device.type != "meta":
            raise ValueError(
                f"{name!r} is on the meta device and has no values: give it some with "
                "module.to_empty(device='cpu') and module.load_state_dict(...)."
            )


@contextmanager
def explaining(module: nn.Module, inputs: Tensor, name: str, n_channels: int) -> Iterator[None]:
    """Say in words why a module failed on its inputs, where that is not its own affair.

    Parameters
    ----------
    module : torch.nn.Module
    inputs : Tensor
        What the module was given, preprocessed.
    name : str
        Of the network.
    n_channels : int
        Channels of an image, before it was preprocessed.

    Raises
    ------
    ValueError
        In the place of torch's `RuntimeError`, if types, devices or channels do not go together.
    """
    try:
        yield
    except torch.OutOfMemoryError:  # the images are fine: fewer of them may do
        raise
    except RuntimeError as error:
        text = " ".join(str(error).split())
        reason = (
            _quantized(text)
            or _devices(text, module, inputs)
            or _types(text, module, inputs)
            or _channels(text, module, inputs, n_channels)
        )
        if reason is None:
            raise
        raise ValueError(
            f"Network {name!r} cannot read these images: {reason} (torch: {text[:300]})"
        ) from error


def _quantized(text: str) -> str | None:
    if "quantized" not in text and "Quantized" not in text:
        return None
    return (
        "the module has quantized operations, which read and put out quantized tensors. Read the "
        "module as it was before it was quantized."
    )


def _devices(text: str, module: nn.Module, inputs: Tensor) -> str | None:
    if "device" not in text:
        return None
    places: dict[str, list[str]] = defaultdict(list)
    for name, tensor in _tensors(module):
        places[str(tensor.device)].append(name)
    if len(places) > 1:
        return (
            f"its parameters lie on several devices ({_listed(places)}). Move them to one: "
            "network.to(device)."
        )
    if places and str(inputs.device) not in places:
        return (
            f"they are on {inputs.device} and the module is on {next(iter(places))}. Move one to "
            "the other: images.to(network.device), or network.to(device)."
        )
    return None


def _types(text: str, module: nn.Module, inputs: Tensor) -> str | None:
    if not re.search(r"type|not implemented for|Half|BFloat16|Double|Float|Long|Char|Byte", text):
        return None
    types: dict[str, list[str]] = defaultdict(list)
    for name, tensor in module.named_parameters():
        types[_short(tensor.dtype)].append(name)
    whole = [name for name, tensor in module.named_parameters() if not tensor.is_floating_point()]
    if whole:
        return (
            f"the module's weights are no floating-point numbers ({_listed(types)}). Convert it: "
            "module.float()."
        )
    if len(types) > 1:
        return (
            f"the module's weights are of several types ({_listed(types)}), and images come in "
            f"{_short(inputs.dtype)}. Convert it to one: module.float()."
        )
    if types and "not implemented for" in text:
        return (
            f"{inputs.device.type} does not compute all of the module in {next(iter(types))}. "
            "Convert it: module.float()."
        )
    return None


def _channels(text: str, module: nn.Module, inputs: Tensor, n_channels: int) -> str | None:
    if inputs.ndim < 2:
        return None
    n_given = inputs.shape[1]
    told = re.search(r"to have (\d+) channels, but got (\d+) channels", text)
    reader, reads = _first_reader(module)
    if told and int(told[2]) == n_given:
        reads = int(told[1])
    elif not re.search(r"channel|should contain \d+ elements", text):
        if "shapes cannot be multiplied" in text:
            return (
                f"a linear layer reads another number of values than they have, being "
                f"{tuple(inputs.shape)} when preprocessed. Give images of the size and the "
                "channels that the module was made for."
            )
        return None
    if reads is None or reads == n_given:
        return None
    layer = "it" if reader is None else f"its layer {reader!r}"
    if reads == n_channels:
        remedy = f"Images of this network have n_channels={n_channels}: give such, or a preprocess."
    else:
        remedy = (
            f"Images have n_channels={n_channels} before that: give a preprocess that makes "
            f"{reads} of them, such as lambda images: images.mean(1, keepdim=True) for grey, or, "
            f"where images have that many themselves, Network(..., n_channels={reads})."
        )
    return f"{layer} reads {reads} channels, and preprocessed images have {n_given}. {remedy}"


def _first_reader(module: nn.Module) -> tuple[str | None, int | None]:
    """Name the first layer that is made for some number of channels, and that number."""
    for name, part in module.named_modules():
        for kind, attribute in (
            (nn.modules.conv._ConvNd, "in_channels"),
            (nn.modules.batchnorm._NormBase, "num_features"),
            (nn.GroupNorm, "num_channels"),
        ):
            if isinstance(part, kind):
                return name, getattr(part, attribute)
    return None, None


def _type_of(module: nn.Module) -> torch.dtype | None:
    first = None
    for _, tensor in _tensors(module):
        if tensor.is_floating_point():
            if tensor.ndim > 1:
                return tensor.dtype
            first = first or tensor.dtype
    return first


def _tensors(module: nn.Module) -> Iterator[tuple[str, Tensor]]:
    yield from module.named_parameters()
    yield from module.named_buffers()


def _short(dtype: torch.dtype) -> str:
    return str(dtype).removeprefix("torch.")


def _listed(names: dict[str, list[str]]) -> str:
    return "; ".join(f"{kind}: {', '.join(of[:2])}" for kind, of in names.items())
