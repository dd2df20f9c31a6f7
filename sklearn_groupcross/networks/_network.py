"""`Network`: a vision network read at one of its layers."""

from __future__ import annotations

import difflib
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress

import torch
from torch import Tensor, nn


class _ReachedLayerError(Exception):
    """Raised by the hook to stop the forward pass at the layer: nothing after it is computed."""


class Network:
    """A `torch.nn.Module` that reads RGB images and is observed at a layer.

    Parameters
    ----------
    module : torch.nn.Module
        It is put in evaluation mode, without gradients to its weights.
    preprocess : callable, optional
        Maps RGB images in [0, 1], (n, 3, height, width), to what the module reads. Default:
        nothing.
    input_size : int, default=224
        Side in pixels of the images that the network is usually given.
    default_layer : str, optional
        Layer read when none is named.
    name : str, default="custom"

    Examples
    --------
    >>> import torch
    >>> from sklearn_groupcross import Network
    >>> module = torch.nn.Sequential(torch.nn.Conv2d(3, 8, 5, stride=2), torch.nn.ReLU())
    >>> Network(module, input_size=64).activations(torch.rand(1, 3, 64, 64), layer="1").shape
    torch.Size([1, 8, 30, 30])
    """

    def __init__(
        self,
        module: nn.Module,
        preprocess: Callable[[Tensor], Tensor] | None = None,
        *,
        input_size: int = 224,
        default_layer: str | None = None,
        name: str = "custom",
    ) -> None:
        self.module = module.eval().requires_grad_(False)
        self.preprocess = preprocess
        self.input_size = input_size
        self.default_layer = default_layer
        self.name = name

    def __repr__(self) -> str:
        return f"<Network {self.name!r}, {self.input_size} px>"

    def to(self, device: torch.device | str) -> Network:
        """Move the module to a device and return the network itself."""
        self.module.to(device)
        return self

    @property
    def device(self) -> torch.device:
        """Device of the module's parameters."""
        parameter = next(self.module.parameters(), None)
        return torch.device("cpu") if parameter is None else parameter.device

    @property
    def layer_names(self) -> list[str]:
        """Dotted paths of all submodules."""
        return [name for name, _ in self.module.named_modules() if name]

    def check_layer(self, layer: str | None) -> str:
        """Return the layer's name, the default for None.

        Raises
        ------
        ValueError
            If the network has no such layer; the message offers the nearest names.
        """
        if layer is None:
            layer = self.default_layer
            if layer is None:
                raise ValueError(
                    f"Network {self.name!r} has no default layer: name one of its layers."
                )
        names = self.layer_names
        if layer not in names:
            near = difflib.get_close_matches(layer, names, n=4, cutoff=0.4) or names[:4]
            raise ValueError(
                f"Network {self.name!r} has no layer {layer!r}. Nearest: {', '.join(near)}."
            )
        return layer

    @torch.inference_mode()
    def activations(self, images: Tensor, layer: str | None = None) -> Tensor:
        """Run the network up to a layer and return what that layer puts out.

        Parameters
        ----------
        images : Tensor of shape (n, 3, height, width)
            RGB in [0, 1].
        layer : str, optional

        Returns
        -------
        activations : Tensor of shape (n, n_channels, map height, map width)

        Raises
        ------
        ValueError
            If the layer does not exist, is not reached, or does not put out a map.
        """
        return self.read_layer(self._prepare(images), layer)

    def read_layer(self, inputs: Tensor, layer: str | None = None) -> Tensor:
        """Read a layer for inputs that are preprocessed already; see `activations`."""
        layer = self.check_layer(layer)
        seen: list[Tensor] = []
        with _stop_at(self.module.get_submodule(layer), seen), suppress(_ReachedLayerError):
            self.module(inputs)
        if not seen:
            raise self._unreached(layer)
        return _check_map(seen[0], layer)

    @torch.inference_mode()
    def run(self, images: Tensor) -> Tensor:
        """Run the whole network and return what it puts out.

        Parameters
        ----------
        images : Tensor of shape (n, 3, height, width)
            RGB in [0, 1].

        Returns
        -------
        output : Tensor
            For a classifier of shape (n, n_classes): logits or probabilities, as the module has it.
        """
        return self.module(self._prepare(images))

    @torch.inference_mode()
    def run_with_replacement(
        self, images: Tensor, layer: str | None, replace: Callable[[Tensor], Tensor]
    ) -> Tensor:
        """Run the whole network with a layer's output replaced by a function of it.

        Parameters
        ----------
        images : Tensor of shape (n, 3, height, width)
            RGB in [0, 1].
        layer : str or None
            None is the default layer. Where a layer runs more than once in a forward pass, its
            first output is replaced: the one that `activations` reads.
        replace : callable
            Maps the layer's output, (n, n_channels, map height, map width), to what the rest of
            the network reads in its place, of the same shape.

        Returns
        -------
        output : Tensor
            As from `run`.

        Raises
        ------
        ValueError
            If the layer does not exist, is not reached or does not put out a map, or if the
            replacement has another shape.

        Examples
        --------
        >>> import torch
        >>> from sklearn_groupcross import load_network
        >>> network, images = load_network("bundled"), torch.rand(2, 3, 96, 96)
        >>> logits = network.run(images)
        >>> same = network.run_with_replacement(images, "relu3", lambda maps: maps)
        >>> bool((same == logits).all())
        True
        """
        layer = self.check_layer(layer)
        with _replaced(self.module.get_submodule(layer), layer, replace) as seen:
            output = self.module(self._prepare(images))
        if not seen:
            raise self._unreached(layer)
        return output

    def _prepare(self, images: Tensor) -> Tensor:
        return images if self.preprocess is None else self.preprocess(images)

    def _unreached(self, layer: str) -> ValueError:
        return ValueError(
            f"Layer {layer!r} of network {self.name!r} is not part of its forward pass."
        )


def _check_map(output: object, layer: str) -> Tensor:
    if not isinstance(output, Tensor) or output.ndim != 4:
        shape = tuple(output.shape) if isinstance(output, Tensor) else type(output).__name__
        raise ValueError(
            f"Layer {layer!r} puts out {shape}; orbits are read from layers that put out one "
            "map (n, channels, height, width)."
        )
    return output


@contextmanager
def _stop_at(layer: nn.Module, seen: list[Tensor]) -> Iterator[None]:
    def hook(module: nn.Module, inputs: object, output: Tensor) -> None:
        seen.append(output)
        raise _ReachedLayerError

    handle = layer.register_forward_hook(hook)
    try:
        yield
    finally:
        handle.remove()


@contextmanager
def _replaced(
    layer: nn.Module, name: str, replace: Callable[[Tensor], Tensor]
) -> Iterator[list[Tensor]]:
    """Replace the layer's first output; yields the list that will hold the replacement."""
    seen: list[Tensor] = []

    def hook(module: nn.Module, inputs: object, output: Tensor) -> Tensor | None:
        if seen:
            return None
        maps = _check_map(output, name)
        replacement = replace(maps)
        if not isinstance(replacement, Tensor) or replacement.shape != maps.shape:
            found = getattr(replacement, "shape", None)
            got = type(replacement).__name__ if found is None else tuple(found)
            raise ValueError(
                f"The replacement of layer {name!r} is a tensor of the shape of its output, "
                f"{tuple(maps.shape)}; got {got}."
            )
        # contiguous: an operation in place behind the layer cannot write to an expanded tensor
        seen.append(replacement.to(maps).contiguous())
        return seen[0]

    handle = layer.register_forward_hook(hook)
    try:
        yield seen
    finally:
        handle.remove()
