"""Layers of a module by name: submodules, and nodes of its graph."""

from __future__ import annotations

import difflib
import warnings
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager, suppress
from typing import Any

from torch import Tensor, nn


class LayerReader:
    """Reads layers of a module by name.

    A layer is a submodule, by its dotted path, or an operation of the forward pass, by the name
    that `torchvision.models.feature_extraction` gives it. Paths come first where a name is both.

    Parameters
    ----------
    module : torch.nn.Module
    """

    def __init__(self, module: nn.Module) -> None:
        self.module = module
        self.paths = [name for name, _ in module.named_modules() if name]
        self._nodes: list[str] | None = None
        # tracing takes longer than a forward pass
        self._extractors: dict[tuple[str, ...], nn.Module] = {}

    @property
    def nodes(self) -> list[str]:
        """Operations of the forward pass; none where its graph cannot be traced."""
        if self._nodes is None:
            # here, since its import takes as long as that of torch, and few layers are nodes
            from torchvision.models.feature_extraction import get_graph_node_names

            try:
                with warnings.catch_warnings():
                    warnings.simplefilter("ignore")
                    _, nodes = get_graph_node_names(self.module, suppress_diff_warning=True)
            except Exception:  # whatever a forward pass raises when it meets a proxy of its input
                nodes = []
            # the first is the image
            self._nodes = nodes[1:]
        return self._nodes

    def is_path(self, layer: str) -> bool:
        """Whether a name is that of a submodule."""
        return layer in self.paths

    def check(self, layer: str, network: str) -> None:
        """Raise an error that offers the nearest names unless the layer exists."""
        if self.is_path(layer) or layer in self.nodes:
            return
        names = [*self.paths, *(node for node in self.nodes if node not in self.paths)]
        near = difflib.get_close_matches(layer, names, n=4, cutoff=0.4) or names[:4]
        untraced = "" if self.nodes else " (Its graph cannot be traced: only submodules are known.)"
        raise ValueError(
            f"Network {network!r} has no layer {layer!r}. Nearest: {', '.join(near)}.{untraced}"
        )

    def read(self, inputs: Tensor, layers: Sequence[str]) -> dict[str, Any]:
        """Run the module up to the last of some layers; what those that were reached put out.

        Submodules share a pass, and so do nodes.
        """
        paths = [layer for layer in layers if self.is_path(layer)]
        nodes = tuple(layer for layer in layers if not self.is_path(layer))
        outputs: dict[str, Any] = {}
        if paths:
            modules = {path: self.module.get_submodule(path) for path in paths}
            with _stop_after(modules, outputs), suppress(_ReachedLayersError):
                self.module(inputs)
        if nodes:
            outputs.update(self._extractor(nodes)(inputs))
        return {layer: outputs[layer] for layer in layers if layer in outputs}

    def maps_within(self, layer: str, inputs: Tensor) -> list[str]:
        """Names of the submodules of a layer that run, and put out one map or one row of tokens."""
        outputs = self.read(inputs, [path for path in self.paths if path.startswith(f"{layer}.")])
        return [
            path
            for path, output in outputs.items()
            if isinstance(output, Tensor) and output.ndim in (3, 4)
        ]

    def _extractor(self, nodes: tuple[str, ...]) -> nn.Module:
        if nodes not in self._extractors:
            from torchvision.models.feature_extraction import create_feature_extractor

            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                extractor = create_feature_extractor(
                    self.module, list(nodes), suppress_diff_warning=True
                )
            self._extractors[nodes] = _keep_copies(extractor.eval())
        return self._extractors[nodes]


def _keep_copies(extractor: Any) -> nn.Module:
    """Make a traced extractor copy what it is to return: later operations may write to it."""
    (output,) = (node for node in extractor.graph.nodes if node.op == "output")
    kept = {}
    for name, node in output.args[0].items():
        with extractor.graph.inserting_after(node):
            kept[name] = extractor.graph.call_function(_copy, (node,))
    output.args = (kept,)
    extractor.recompile()
    return extractor


def _copy(value: Any) -> Any:
    return value.clone() if isinstance(value, Tensor) else value


class _ReachedLayersError(Exception):
    """Raised by a hook to stop the forward pass: nothing after the last layer is computed."""


@contextmanager
def _stop_after(modules: Mapping[str, nn.Module], outputs: dict[str, Any]) -> Iterator[None]:
    def keep(name: str) -> Callable[..., None]:
        def hook(module: nn.Module, inputs: object, output: Any) -> None:
            if name in outputs:
                return
            outputs[name] = output
            if len(outputs) == len(modules):
                raise _ReachedLayersError
            outputs[name] = _copy(output)  # what follows may write to it

        return hook

    with ExitStack() as stack:
        for name, module in modules.items():
            stack.callback(module.register_forward_hook(keep(name)).remove)
        yield


@contextmanager
def replaced(layer: nn.Module, replace: Callable[[Any], Tensor]) -> Iterator[list[Tensor]]:
    """Replace the layer's first output; yields the list that will hold the replacement."""
    seen: list[Tensor] = []

    def hook(module: nn.Module, inputs: object, output: Any) -> Tensor | None:
        if seen:
            return None
        seen.append(replace(output))
        return seen[0]

    handle = layer.register_forward_hook(hook)
    try:
        yield seen
    finally:
        handle.remove()
