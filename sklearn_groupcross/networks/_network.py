"""`Network`: a vision network read at one of its layers."""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from itertools import chain
from typing import Any, overload

import torch
from torch import Tensor, nn

from .._ambient import own_state, warn_caller
from .._integers import check_integer
from ._code_place import CodePlace
from ._compatibility import (
    check_floating,
    check_weights_are_there,
    converted,
    explaining,
    type_of_result,
)
from ._layers import LayerReader
from ._maps import LayerMap, refuse_structure
from ._module_state import WRAPPER_PREFIXES, reading, state_of_a_pass, unwrapped, watching_batches
from ._partial_pass import PartialPasses, Windows
from ._precision import PRECISIONS, resolve_precision, warn_of_slow_products
from ._preprocess import Normalize, prepared, settings_of_timm, settings_of_torchvision

_SHORT = {torch.float16, torch.bfloat16}
Several = list[str] | tuple[str, ...]


class Network:
    """A `torch.nn.Module` that reads images and is observed at a layer.

    Parameters
    ----------
    module : torch.nn.Module
        Every pass runs in evaluation mode and without gradients, and leaves the module's modes,
        statistics and ``requires_grad`` as they were. Weights of float16, bfloat16 or float64 will
        do: what the module reads is converted to their type, and what comes out is float32. Of a
        module of `torch.compile` or `torch.nn.DataParallel`, the one within is read.
    preprocess : callable, optional
        Maps images in [0, 1], (n, n_channels, height, width), to what the module reads. Default:
        nothing. `from_timm` and `from_torchvision` find out what the model needs.
    input_size : int, default=224
        Side in pixels of the images that the network is usually given.
    default_layer : str, optional
        Layer read when none is named.
    name : str, default="custom"
    precision : {"float32", "tf32", "bfloat16", "auto"}, default="float32"
        bfloat16 runs the network under `torch.autocast`; what comes out is float32 either way.
        Activations of ``bvlc_googlenet`` at 3b then differ by about 1 % (relative Frobenius norm).
        ``"tf32"`` is float32 but on CUDA, where convolutions and products take inputs of ten binary
        digits after the first. ``"auto"`` is bfloat16 on CUDA and on a CPU with instructions for
        its products (AVX-512 BF16, AMX), else float32: see `precision_on`.
    channels_last : bool, default=False
        Keep weights and images with their channels last in memory, in which most convolutional
        networks are faster. Shapes stay as they are; the module's own weights are laid out anew.
        The module must not rely on `torch.Tensor.view` of its maps.
    token_grid : tuple of int, optional
        (columns, rows) of the patches of a vision transformer. Default: told from the size of the
        image and the convolution that cuts the patches.
    n_prefix_tokens : int, optional
        Class and register tokens in front of the patches. Default: ``module.num_prefix_tokens``,
        as models of timm have it, or else what is left beside the grid.
    n_channels : int, default=3
        Channels of an image, before it is preprocessed: 3 of RGB, 1 of grey pictures, or as many as
        a microscope has. Of a module that reads another number than 3, either let `preprocess` make
        them of RGB, or say here how many images have.

    Raises
    ------
    TypeError
        If the module is none; `load_network` takes names.
    ValueError
        If the precision is unknown, or a size or number is below 1.

    Warns
    -----
    UserWarning
        Once, at the first pass through a batch normalisation without running statistics: what it
        puts out depends on the other images of the batch, and so on the batch size.

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
        n_channels: int = 3,
    ) -> None:
        if not isinstance(module, nn.Module):
            raise TypeError(
                f"Network wraps a torch.nn.Module; got {module!r}. load_network(name) loads one of "
                "the known networks."
            )
        if precision not in PRECISIONS:
            raise ValueError(f"precision is one of {', '.join(PRECISIONS)}; got {precision!r}.")
        self.module = unwrapped(module)
        self._is_wrapped = self.module is not module
        self._has_warned = False
        self.preprocess = preprocess
        self.input_size = check_integer("input_size", input_size, 1)
        self.default_layer = default_layer
        self.name = name
        self.precision = precision
        self.channels_last = channels_last
        self.token_grid = token_grid
        self.n_prefix_tokens = n_prefix_tokens
        self.n_channels = check_integer("n_channels", n_channels, 1)
        self._code_place: CodePlace | None = None
        if channels_last:
            self.module.to(memory_format=torch.channels_last)
        self._reader = LayerReader(self.module)
        self._passes = PartialPasses()

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
        cls, module: nn.Module, settings: tuple[Normalize, int], options: dict[str, Any]
    ) -> Network:
        preprocess, size = settings
        defaults = {"preprocess": preprocess, "input_size": size, "name": type(module).__name__}
        return cls(module, **{**defaults, **options})

    def __repr__(self) -> str:
        return f"<Network {self.name!r}, {self.input_size} px>"

    def __getstate__(self) -> dict[str, Any]:
        # first where the code is, which the rest may refer to; traced graphs need not travel
        own = {"_code_place": self._code_place}
        fresh = {"_reader": LayerReader(self.module), "_passes": PartialPasses()}
        return {**own, **self.__dict__, **fresh}

    def to(self, device: torch.device | str) -> Network:
        """Move the module to a device and return the network itself.

        Parameters
        ----------
        device : torch.device or str

        Returns
        -------
        self : Network

        Raises
        ------
        ValueError
            If the module has weights without a shape or without values.
        """
        wanted = torch.device(device)
        tensors = chain(self.module.parameters(), self.module.buffers())
        if any(tensor.device != wanted for tensor in tensors):
            check_weights_are_there(self.module, wanted)
            with reading(self.module):  # not under the hands of another thread
                self.module.to(device)
            self._reader = LayerReader(self.module)  # graphs hold tensors of the old device
        return self

    def precision_on(self, device: torch.device | str) -> str:
        """In what the network computes on a device: `precision`, or what ``"auto"`` chooses there.

        Parameters
        ----------
        device : torch.device or str

        Returns
        -------
        precision : {"float32", "tf32", "bfloat16"}
        """
        return resolve_precision(self.precision, torch.device(device))

    def settled(self, device: torch.device | str) -> Network:
        """Return a network that computes on any machine as ``precision="auto"`` chooses for one.

        It is this network where nothing is left to choose; the module is the same in any case.

        Parameters
        ----------
        device : torch.device or str

        Returns
        -------
        network : Network

        Warns
        -----
        RuntimeWarning
            If it computes in bfloat16 on a CPU without instructions for that.
        """
        warn_of_slow_products(self.precision, torch.device(device))
        if self.precision != "auto":
            return self
        other = copy.copy(self)
        other.precision = self.precision_on(device)
        other._reader, other._passes = LayerReader(self.module), PartialPasses()
        return other

    def with_module(self, module: nn.Module) -> Network:
        """Return a network with these settings around another module, in its own precision.

        Parameters
        ----------
        module : torch.nn.Module
            Laid out in memory as this network's is.

        Returns
        -------
        network : Network
        """
        other = copy.copy(self)
        other.module, other._reader = module, LayerReader(module)
        other._passes = PartialPasses()
        other.precision = "float32"
        if self.channels_last:  # read in another layout, it takes twice as long
            module.to(memory_format=torch.channels_last)
        return other

    @property
    def device(self) -> torch.device:
        """Device of the module's parameters, or else of its buffers."""
        for tensor in chain(self.module.parameters(), self.module.buffers()):
            return tensor.device
        return torch.device("cpu")

    @property
    def layer_names(self) -> list[str]:
        """Dotted paths of all submodules, one that has several names under all of them."""
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

        Parameters
        ----------
        layer : str or None

        Returns
        -------
        name : str

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
                    f"Network {self.name!r} has no default layer: name one of its layers, which "
                    "list_layers lists (on the command line: groupcross layers)."
                )
        if not isinstance(layer, str):
            raise TypeError(
                f"A layer is given by its name, one of layer_names or node_names; got {layer!r}."
            )
        if self._is_wrapped and not self._reader.is_path(layer):
            for prefix in WRAPPER_PREFIXES:
                layer = layer.removeprefix(prefix)
        self._reader.check(layer, self.name)
        return layer

    @overload
    def activations(self, images: Tensor, layer: str | None = None) -> Tensor: ...

    @overload
    def activations(self, images: Tensor, layer: Several) -> dict[str, Tensor]: ...

    @own_state()
    def activations(
        self, images: Tensor, layer: str | Several | None = None
    ) -> Tensor | dict[str, Tensor]:
        """Run the network up to a layer, or the last of several, and return what comes out.

        Parameters
        ----------
        images : Tensor of shape (n, n_channels, height, width)
            RGB in [0, 1], or images of the network's `n_channels`.
        layer : str, or list or tuple of str, optional
            A submodule or a node of the graph (`layer_names`, `node_names`). Default: the default
            layer. Several submodules are read in one pass, and so are several nodes.

        Returns
        -------
        activations : Tensor of shape (n, n_channels, map height, map width), float32
            Tokens (n, tokens, n_channels) come as the map of their patches. For several layers, a
            dict with such a map for each name. float64 where images and layer are.

        Raises
        ------
        TypeError
            If the images are no floating-point tensor, or a layer is no name.
        ValueError
            If images and module do not go together, in shape, channels, type or device; or a layer
            does not exist, is not reached, or puts out neither a map nor tokens of floats.
        """
        if layer is None or isinstance(layer, str):
            name = self.check_layer(layer)
            return self._read(self._prepare(images), [name], images.dtype, warns=True)[name]
        names = [self.check_layer(name) for name in layer]
        return self._read(self._prepare(images), names, images.dtype, warns=True)

    @own_state()
    def activations_within(self, images: Tensor, windows: Windows) -> dict[str, Tensor]:
        """As `activations` of several layers, but only some of their units.

        What others look at is not computed, as far as the module's operations are known.

        Parameters
        ----------
        images : Tensor of shape (n, n_channels, height, width)
            As for `activations`.
        windows : mapping of str to Window
            Which units of which layers.

        Returns
        -------
        activations : dict of str to Tensor of shape (n, n_channels, n_rows, n_columns)

        Raises
        ------
        TypeError, ValueError
            As from `activations`, and if a map is not that of the window's field.
        """
        names = [self.check_layer(name) for name in windows]
        inputs = self._prepare(images)
        with self._forward(inputs, warns=True) as laid_out:
            maps = self._passes.read(lambda x: self._reader.read(x, names), laid_out, windows)
        if maps is not None:
            return {n: each.to(type_of_result(each, images.dtype)) for n, each in maps.items()}
        maps = self._read(inputs, names, images.dtype, warns=True)
        for name, window in windows.items():
            window.field.check_map(maps[name], name)
        return {name: window.cut(maps[name]) for name, window in windows.items()}

    @own_state(gradients=True)
    def activations_with_gradients(self, images: Tensor, layer: str | None = None) -> Tensor:
        """As `activations` of one layer, with the history through which gradients flow.

        Parameters
        ----------
        images : Tensor of shape (n, n_channels, height, width)
            As for `activations`; they require gradients. They are recorded whatever torch is set to
            outside.
        layer : str, optional

        Returns
        -------
        activations : Tensor of shape (n, n_channels, map height, map width), float32

        Raises
        ------
        TypeError, ValueError
            As from `activations`, and if what the preprocess or the layer puts out has no gradient:
            where they detach it, compute it under `torch.no_grad`, or make integers of it.

        Examples
        --------
        >>> import torch
        >>> from sklearn_groupcross import load_network
        >>> images = torch.rand(1, 3, 96, 96, requires_grad=True)
        >>> maps = load_network("bundled").activations_with_gradients(images)
        >>> torch.autograd.grad(maps.sum(), images)[0].shape
        torch.Size([1, 3, 96, 96])
        """
        name = self.check_layer(layer)
        inputs = self._prepare(images)
        if not inputs.requires_grad:
            part = "the preprocess" if images.requires_grad else "the images given"
            raise ValueError(
                f"Network {self.name!r} has no gradients: what {part} put in has none. Images "
                "require_grad, and a preprocess neither detaches them nor makes integers of them."
            )
        maps = self._read(inputs, [name], images.dtype, warns=True)[name]
        if not maps.requires_grad:
            raise ValueError(
                f"Layer {name!r} of network {self.name!r} puts out activations without gradients: "
                "its module computes them under torch.no_grad, detaches them or makes integers of "
                "them. Give the module without that."
            )
        return maps

    @own_state(gradients=None)
    def read_layer(self, inputs: Tensor, layer: str | None = None) -> Tensor:
        """Read a layer for inputs that are preprocessed already; see `activations`.

        Gradients are recorded where they are outside.

        Parameters
        ----------
        inputs : Tensor of shape (n, n_channels, height, width)
        layer : str, optional

        Returns
        -------
        maps : Tensor of shape (n, n_channels, map height, map width)
        """
        layer = self.check_layer(layer)
        return self.read_layers(inputs, [layer])[layer]

    @own_state(gradients=None)
    def read_layers(self, inputs: Tensor, layers: Sequence[str]) -> dict[str, Tensor]:
        """Read several layers for inputs that are preprocessed already; see `read_layer`.

        Parameters
        ----------
        inputs : Tensor of shape (n, n_channels, height, width)
        layers : sequence of str

        Returns
        -------
        maps : dict of str to Tensor of shape (n, n_channels, map height, map width)
            By the names of the layers.
        """
        return self._read(inputs, [self.check_layer(layer) for layer in layers], inputs.dtype)

    @own_state(gradients=None)
    def read_each(self, inputs: Tensor, layers: Sequence[str]) -> dict[str, Tensor | ValueError]:
        """Read layers for inputs that are preprocessed already, each as far as it can be read.

        Parameters
        ----------
        inputs : Tensor of shape (n, n_channels, height, width)
        layers : sequence of str
            Names of `layer_names` and `node_names`.

        Returns
        -------
        read : dict of str to Tensor of shape (n, n_channels, map height, map width) or ValueError
            A map for each layer, or why there is none.

        Raises
        ------
        ValueError
            Or what else the module raises, if it fails before any of the layers.
        """
        outputs: dict[str, Any] = {}
        failure: Exception | None = None
        try:
            with self._forward(inputs, warns=False) as laid_out:
                self._reader.read_into(outputs, laid_out, list(layers))
        except Exception as error:  # of the module, which may read images of another size alone
            if not outputs:
                raise
            failure = error
        read: dict[str, Tensor | ValueError] = {}
        for name in layers:
            try:
                self._reader.check(name, self.name)
                if name in outputs:
                    layer_map = self._layer_map(outputs[name], name, inputs)
                    read[name] = layer_map.read(type_of_result(layer_map.output, inputs.dtype))
                elif failure is None:
                    read[name] = self._unreached(name)
                else:
                    read[name] = ValueError(f"The forward pass fails before it: {failure}")
            except ValueError as error:
                read[name] = error
        return read

    def _read(
        self, inputs: Tensor, layers: list[str], dtype: torch.dtype, *, warns: bool = False
    ) -> dict[str, Tensor]:
        names = list(dict.fromkeys(layers))
        if not names:
            raise ValueError("Name at least one layer; got an empty sequence.")
        with self._forward(inputs, warns=warns) as laid_out:
            outputs = self._reader.read(laid_out, names)
            maps = {}
            for name in names:
                if name not in outputs:
                    raise self._unreached(name)
                if not isinstance(outputs[name], Tensor):
                    within = self._reader.maps_within(name, laid_out)
                    raise refuse_structure(outputs[name], name, within)
                read = self._layer_map(outputs[name], name, inputs)
                maps[name] = read.read(type_of_result(read.output, dtype))
        return maps

    def unsteadiness(self, image: Tensor, layers: Sequence[str]) -> str | None:
        """Say what besides an image its activations depend on; None where nothing is found.

        The image is read alone, and beside a black one: that shows what is random, such as a
        dropout that is always on, and statistics of the batch in whatever form, unless they have
        been warned of.

        Parameters
        ----------
        image : Tensor of shape (1, n_channels, height, width)
        layers : sequence of str

        Returns
        -------
        words : str or None
            Such as ``"chance"``.
        """
        names = list(layers)
        alone = self.activations(image, names)
        if self._alike(alone, self.activations(torch.cat([image, torch.zeros_like(image)]), names)):
            return None
        if self._alike(alone, self.activations(image, names)):
            return None if self._has_warned else "the other images of its batch"
        return "chance"

    def _alike(self, maps: dict[str, Tensor], others: dict[str, Tensor]) -> bool:
        """Whether maps of one image are the first of others, but for rounding, or not finite."""
        dtypes = {parameter.dtype for parameter in self.module.parameters()}
        device = next(iter(maps.values())).device
        is_short = self.precision_on(device) == "bfloat16" or dtypes & _SHORT
        tolerance = 0.05 if is_short else 0.01
        return all(
            not bool(single.isfinite().all())
            or bool((single - others[name][:1]).abs().max() <= tolerance * single.abs().max())
            for name, single in maps.items()
        )

    @own_state()
    def run(self, images: Tensor) -> Tensor:
        """Run the whole network and return what it puts out.

        Parameters
        ----------
        images : Tensor of shape (n, n_channels, height, width)
            As for `activations`.

        Returns
        -------
        output : Tensor of shape (n, n_classes), of a classifier
            Logits or probabilities, as the module has it,
            in float32. What is no tensor of floats comes as it is.

        Raises
        ------
        TypeError, ValueError
            As from `activations`.
        """
        with self._forward(self._prepare(images), warns=True) as inputs:
            return self._as_float(self.module(inputs), images.dtype)

    @own_state()
    def run_with_replacement(
        self, images: Tensor, layer: str | None, replace: Callable[[Tensor], Tensor]
    ) -> Tensor:
        """Run the whole network with a layer's output replaced by a function of it.

        Parameters
        ----------
        images : Tensor of shape (n, n_channels, height, width)
            As for `activations`.
        layer : str or None
            A submodule. None is the default layer. Where a layer runs more than once in a forward
            pass, its first output is replaced: the one that `activations` reads.
        replace : callable
            Maps the layer's output, (n, n_channels, map height, map width), to what the rest of
            the network reads in its place, of the same shape. Tokens come as the map of their
            patches; class and register tokens stay as they are. It comes in float32, and is
            converted to the layer's type.

        Returns
        -------
        output : Tensor of shape (n, n_classes), of a classifier
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
            layer_map = self._layer_map(output, name, inputs)
            return layer_map.replaced(replace, type_of_result(layer_map.output, images.dtype))

        with self._forward(inputs, warns=True) as laid_out:
            output, reached = self._reader.run_replacing(laid_out, name, substitute)
            if not reached:
                raise self._unreached(name)
            return self._as_float(output, images.dtype)

    def _prepare(self, images: Tensor) -> Tensor:
        return prepared(images, self.preprocess, self.n_channels, self.name)

    @contextmanager
    def _forward(self, inputs: Tensor, *, warns: bool) -> Iterator[Tensor]:
        """Inputs laid out as the weights are, and torch and the module in the state of a pass.

        Warns, the first time and if asked to, of what normalises by statistics of the batch.
        """
        self._reader.check_weights(inputs.device)
        # what was made in inference mode takes no operation in place outside of it
        inputs = converted(inputs.clone() if inputs.is_inference() else inputs, self.module)
        if self.channels_last and inputs.ndim == 4:
            inputs = inputs.contiguous(memory_format=torch.channels_last)
        warns = warns and not self._has_warned
        precision = self.precision_on(inputs.device)
        with (
            explaining(self.module, inputs, self.name, self.n_channels),
            state_of_a_pass(self.module, inputs.device, precision) as parts,
            watching_batches(self.module, parts if warns else ()) as names,
        ):
            yield inputs
        if names:
            self._has_warned = True
            warn_caller(
                f"Network {self.name!r} normalises by the statistics of each batch, since "
                f"{', '.join(map(repr, names[:3]))}{' and others' if len(names) > 3 else ''} have "
                "no running ones (track_running_stats=False): what is read of an image depends on "
                "the others of its batch, and on batch_size.",
                UserWarning,
            )

    def _as_float(self, output: Any, dtype: torch.dtype) -> Any:
        # a whole network may put out anything: that is the business of whoever runs it
        if not isinstance(output, Tensor) or not output.is_floating_point():
            return output
        return output.to(type_of_result(output, dtype))

    def _layer_map(self, output: Any, layer: str, inputs: Tensor) -> LayerMap:
        check_floating(output, layer)
        size = (inputs.shape[-2], inputs.shape[-1])
        return LayerMap.of(output, layer, self.module, size, self.token_grid, self.n_prefix_tokens)

    def _unreached(self, layer: str) -> ValueError:
        return ValueError(
            f"Layer {layer!r} of network {self.name!r} is not part of its forward pass."
        )
