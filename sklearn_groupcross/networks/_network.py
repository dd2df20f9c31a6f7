"""`Network`: a vision network read at one of its layers."""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any, overload

import torch
from torch import Tensor, nn

from .._integers import check_integer
from ._layers import LayerReader, replaced
from ._maps import LayerMap, refuse_structure
from ._preprocess import Normalise, settings_of_timm, settings_of_torchvision

PRECISIONS = ("float32", "bfloat16")
Several = list[str] | tuple[str, ...]


class Network:
    """A `torch.nn.Module` that reads RGB images and is observed at a layer.

    Parameters
    ----------
    module : torch.nn.Module
        It is put in evaluation mode, without gradients to its weights.
    preprocess : callable, optional
        Maps RGB images in [0, 1], (n, 3, height, width), to what the module reads. Default:
        nothing. `from_timm` and `from_torchvision` find out what the model needs.
    input_size : int, default=224
        Side in pixels of the images that the network is usually given.
    default_layer : str, optional
        Layer read when none is named.
    name : str, default="custom"
    precision : {"float32", "bfloat16"}, default="float32"
        bfloat16 runs the network under `torch.autocast`; what comes out is float32 either way.
        Activations of ``bvlc_googlenet`` at 3b then differ by about 1 % (relative Frobenius norm).
    channels_last : bool, default=False
        Keep weights and images with their channels last in memory, in which most convolutional
        networks are faster. Shapes stay as they are. The module must not rely on `Tensor.view` of
        its maps.
    token_grid : tuple of int, optional
        (columns, rows) of the patches of a vision transformer. Default: told from the size of the
        image and the convolution that cuts the patches.
    n_prefix_tokens : int, optional
        Class and register tokens in front of the patches. Default: ``module.num_prefix_tokens``,
        as models of timm have it, or else what is left beside the grid.

    Raises
    ------
    TypeError
        If the module is none; `load_network` takes names.
    ValueError
        If the precision is unknown, or the input size is below 1.

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
        precision: str = "float32",
        channels_last: bool = False,
        token_grid: tuple[int, int] | None = None,
        n_prefix_tokens: int | None = None,
    ) -> None:
        if not isinstance(module, nn.Module):
            raise TypeError(
                f"Network wraps a torch.nn.Module; got {module!r}. load_network(name) loads one of "
                "the known networks."
            )
        if precision not in PRECISIONS:
            raise ValueError(f"precision is one of {', '.join(PRECISIONS)}; got {precision!r}.")
        self.module = module.eval().requires_grad_(False)
        self.preprocess = preprocess
        self.input_size = check_integer("input_size", input_size, 1)
        self.default_layer = default_layer
        self.name = name
        self.precision = precision
        self.channels_last = channels_last
        self.token_grid = token_grid
        self.n_prefix_tokens = n_prefix_tokens
        if channels_last:
            self.module.to(memory_format=torch.channels_last)
        self._reader = LayerReader(self.module)

    @classmethod
    def from_timm(cls, module: nn.Module, **options: Any) -> Network:
        """Wrap a model of timm, or one that describes itself in the same way.

        Parameters
        ----------
        module : torch.nn.Module
            Its ``pretrained_cfg`` or ``default_cfg`` holds ``mean``, ``std`` and ``input_size``.
        **options
            Other parameters of `Network`; they come before what the model says.

        Raises
        ------
        ValueError
            If the model does not describe itself, or its images are not square.
        """
        return cls._described(module, settings_of_timm(module), options)

    @classmethod
    def from_torchvision(cls, module: nn.Module, weights: Any, **options: Any) -> Network:
        """Wrap a model of torchvision, preprocessing images as its weights ask for.

        Parameters
        ----------
        module : torch.nn.Module
        weights : torchvision.models.WeightsEnum
            For example ``ResNet18_Weights.DEFAULT``, or what its ``transforms()`` returns. They say
            mean, deviation and crop size; nothing is downloaded or loaded into the module.
        **options
            Other parameters of `Network`; they come before what the weights say.

        Raises
        ------
        ValueError
            If the weights do not say how images are preprocessed.

        Examples
        --------
        >>> from torchvision.models import ResNet18_Weights, resnet18
        >>> from sklearn_groupcross import Network
        >>> Network.from_torchvision(resnet18(), ResNet18_Weights.IMAGENET1K_V1)
        <Network 'ResNet', 224 px>
        """
        return cls._described(module, settings_of_torchvision(weights), options)

    @classmethod
    def _described(
        cls, module: nn.Module, settings: tuple[Normalise, int], options: dict[str, Any]
    ) -> Network:
        preprocess, size = settings
        defaults = {"preprocess": preprocess, "input_size": size, "name": type(module).__name__}
        return cls(module, **{**defaults, **options})

    def __repr__(self) -> str:
        return f"<Network {self.name!r}, {self.input_size} px>"

    def __getstate__(self) -> dict[str, Any]:
        # traced graphs need not travel
        return {**self.__dict__, "_reader": LayerReader(self.module)}

    def to(self, device: torch.device | str) -> Network:
        """Move the module to a device and return the network itself."""
        if torch.device(device) != self.device:
            self.module.to(device)
            self._reader = LayerReader(self.module)  # graphs hold tensors of the old device
        return self

    def with_module(self, module: nn.Module) -> Network:
        """Return a network with these settings around another module, in its own precision."""
        other = copy.copy(self)
        other.module, other._reader = module, LayerReader(module)
        other.precision, other.channels_last = "float32", False
        return other

    @property
    def device(self) -> torch.device:
        """Device of the module's parameters."""
        parameter = next(self.module.parameters(), None)
        return torch.device("cpu") if parameter is None else parameter.device

    @property
    def layer_names(self) -> list[str]:
        """Dotted paths of all submodules."""
        return list(self._reader.paths)

    @property
    def node_names(self) -> list[str]:
        """Operations of the forward pass, as torchvision's feature extraction names them.

        They can be read as layers too: sums of residual blocks, for example, are no submodules.
        Empty where the forward pass cannot be traced.
        """
        return list(self._reader.nodes)

    def check_layer(self, layer: str | None) -> str:
        """Return the layer's name, the default for None.

        Raises
        ------
        TypeError
            If it is no name.
        ValueError
            If the network has no such layer; the message offers the nearest names.
        """
        if layer is None:
            layer = self.default_layer
            if layer is None:
                raise ValueError(
                    f"Network {self.name!r} has no default layer: name one of its layers."
                )
        if not isinstance(layer, str):
            raise TypeError(
                f"A layer is given by its name, one of layer_names or node_names; got {layer!r}."
            )
        self._reader.check(layer, self.name)
        return layer

    @overload
    def activations(self, images: Tensor, layer: str | None = None) -> Tensor: ...

    @overload
    def activations(self, images: Tensor, layer: Several) -> dict[str, Tensor]: ...

    @torch.inference_mode()
    def activations(
        self, images: Tensor, layer: str | Several | None = None
    ) -> Tensor | dict[str, Tensor]:
        """Run the network up to a layer, or the last of several, and return what comes out.

        Parameters
        ----------
        images : Tensor of shape (n, 3, height, width)
            RGB in [0, 1].
        layer : str, or list or tuple of str, optional
            A submodule or a node of the graph (`layer_names`, `node_names`). Default: the default
            layer. Several submodules are read in one pass, and so are several nodes.

        Returns
        -------
        activations : Tensor of shape (n, n_channels, map height, map width)
            Tokens (n, tokens, n_channels) come as the map of their patches. For several layers, a
            dict with such a map for each name.

        Raises
        ------
        TypeError
            If the images are no floating-point tensor, or a layer is no name.
        ValueError
            If the images have another shape, or a layer does not exist, is not reached, or puts out
            neither a map nor tokens.
        """
        if layer is None or isinstance(layer, str):
            return self.read_layer(self._prepare(images), layer)
        return self.read_layers(self._prepare(images), layer)

    def read_layer(self, inputs: Tensor, layer: str | None = None) -> Tensor:
        """Read a layer for inputs that are preprocessed already; see `activations`."""
        layer = self.check_layer(layer)
        return self.read_layers(inputs, [layer])[layer]

    def read_layers(self, inputs: Tensor, layers: Sequence[str]) -> dict[str, Tensor]:
        """Read several layers for inputs that are preprocessed already; see `activations`."""
        names = list(dict.fromkeys(self.check_layer(layer) for layer in layers))
        if not names:
            raise ValueError("Name at least one layer; got an empty sequence.")
        with self._forward(inputs) as inputs:
            outputs = self._reader.read(inputs, names)
        maps = {}
        for name in names:
            if name not in outputs:
                raise self._unreached(name)
            if not isinstance(outputs[name], Tensor):
                within = self._reader.maps_within(name, inputs)
                raise refuse_structure(outputs[name], name, within)
            maps[name] = self._layer_map(outputs[name], name, inputs).read(self._dtype)
        return maps

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
        with self._forward(self._prepare(images)) as inputs:
            return self._as_float(self.module(inputs))

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
            A submodule. None is the default layer. Where a layer runs more than once in a forward
            pass, its first output is replaced: the one that `activations` reads.
        replace : callable
            Maps the layer's output, (n, n_channels, map height, map width), to what the rest of
            the network reads in its place, of the same shape. Tokens come as the map of their
            patches; class and register tokens stay as they are.

        Returns
        -------
        output : Tensor
            As from `run`.

        Raises
        ------
        ValueError
            If the layer does not exist, is not reached, is no submodule or puts out neither a map
            nor tokens, or if the replacement has another shape.

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
        name = self.check_layer(layer)
        if not self._reader.is_path(name):
            raise ValueError(
                f"Layer {name!r} of network {self.name!r} is a node of its graph; only the output "
                "of a submodule can be replaced (layer_names lists them)."
            )
        inputs = self._prepare(images)

        def substitute(output: Any) -> Tensor:
            return self._layer_map(output, name, inputs).replaced(replace, self._dtype)

        with (
            self._forward(inputs) as laid_out,
            replaced(self.module.get_submodule(name), substitute) as seen,
        ):
            output = self._as_float(self.module(laid_out))
        if not seen:
            raise self._unreached(name)
        return output

    def _prepare(self, images: Tensor) -> Tensor:
        if not isinstance(images, Tensor) or not images.is_floating_point():
            kind = str(images.dtype) if isinstance(images, Tensor) else type(images).__name__
            raise TypeError(
                "Images are a floating-point torch Tensor (n, 3, height, width), RGB in [0, 1]; "
                f"got {kind}."
            )
        if images.ndim != 4:
            raise ValueError(
                "Images have shape (n, 3, height, width), one image being (1, 3, height, width); "
                f"got {tuple(images.shape)}."
            )
        return images if self.preprocess is None else self.preprocess(images)

    @contextmanager
    def _forward(self, inputs: Tensor) -> Iterator[Tensor]:
        """Inputs laid out as the weights are, in the precision of the pass."""
        if self.channels_last:
            inputs = inputs.contiguous(memory_format=torch.channels_last)
        if self.precision == "bfloat16":
            with torch.autocast(inputs.device.type, torch.bfloat16):
                yield inputs
        else:
            yield inputs

    @property
    def _dtype(self) -> torch.dtype | None:
        """What outputs are converted to; None leaves them as they are."""
        return torch.float32 if self.precision == "bfloat16" else None

    def _as_float(self, output: Any) -> Any:
        # a whole network may put out anything: that is the business of whoever runs it
        return output.to(self._dtype) if isinstance(output, Tensor) else output

    def _layer_map(self, output: Any, layer: str, inputs: Tensor) -> LayerMap:
        size = (inputs.shape[-2], inputs.shape[-1])
        return LayerMap.of(output, layer, self.module, size, self.token_grid, self.n_prefix_tokens)

    def _unreached(self, layer: str) -> ValueError:
        return ValueError(
            f"Layer {layer!r} of network {self.name!r} is not part of its forward pass."
        )
