"""Layers of a module by name: submodules, and nodes of its graph."""

from __future__ import annotations

import difflib
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager, suppress
from typing import Any

import torch
from torch import Tensor, nn

from ._aliases import by_name, is_shared, named_parts, part_at, shared_paths
from ._compatibility import check_weights_are_there
from ._module_state import tracing


class LayerReader:
    """Reads layers of a module by name.

    A layer is a submodule, by its dotted path, or an operation of the forward pass, by the name
    that `torchvision.models.feature_extraction` gives it. Paths come first where a name is both.

    Of a submodule that runs several times the first output is read. Where it has several names,
    that is the first of the calls that are made through the name asked for, or the first of all if
    none is.

    Parameters
    ----------
    module : torch.nn.Module
    """

    def __init__(self, module: nn.Module) -> None:
        self.module = module
        parts = named_parts(module)
        self.paths = list(parts)
        self._shared = shared_paths(parts)
        self._nodes: list[str] | None = None
        # tracing takes longer than a forward pass
        self._extractors: dict[tuple[str, ...], nn.Module] = {}
        self._ready_for: set[torch.device] = set()

    def check_weights(self, device: torch.device) -> None:
        """Raise a `ValueError` unless the weights have shapes, and values for a pass on a device.

        Once they have, that is not looked for again: on small images it takes longer than a pass.
        """
        if device not in self._ready_for:
            check_weights_are_there(self.module, device)
            self._ready_for.add(device)

    @property
    def nodes(self) -> list[str]:
        """Operations of the forward pass; none where its graph cannot be traced."""
        if self._nodes is None:
            # here, since its import takes as long as that of torch, and few layers are nodes
            from torchvision.models.feature_extraction import get_graph_node_names

            try:
                # tracing switches between the modes, and ends in that of the whole module
                with tracing(self.module):
                    _, nodes = get_graph_node_names(self.module, suppress_diff_warning=True)
            except Exception:  # whatever a forward pass raises when it meets a proxy of its input
                nodes = []
            # the first is the image
            self._nodes = nodes[1:]
        return self._nodes

    def is_path(self, layer: str) -> bool:
        """Whether a name is that of a submodule."""
        if layer in self.paths:
            return True
        # what a module finds in another way than by its table of parts
        with suppress(AttributeError):
            return bool(layer) and part_at(self.module, layer) is not self.module
        return False

    def check(self, layer: str, network: str) -> None:
        """Raise a `ValueError` unless the layer exists, with the nearest names, and can be read."""
        if self.is_path(layer):
            script = self._script_around(layer)
            if script is not None:
                part = f"its part {script!r}" if script else "the module"
                raise ValueError(
                    f"Layer {layer!r} of network {network!r} cannot be read: {part} is a script of "
                    "torch.jit, which runs as one program and shows nothing of what is inside. "
                    "Wrap the Python module that it was made of."
                )
            return
        if layer in self.nodes:
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
        outputs: dict[str, Any] = {}
        self.read_into(outputs, inputs, layers)
        return {layer: outputs[layer] for layer in layers if layer in outputs}

    def read_into(self, outputs: dict[str, Any], inputs: Tensor, layers: Sequence[str]) -> None:
        """As `read`; what was put out before the module fails is there all the same."""
        paths = [layer for layer in layers if self.is_path(layer)]
        nodes = tuple(layer for layer in layers if not self.is_path(layer))
        if paths:
            with by_name(self.module, paths, self._shared) as modules:
                self._run(inputs, modules, outputs)
            missed = [p for p in paths if p not in outputs and is_shared(p, self._shared)]
            if missed:
                modules = {path: part_at(self.module, path) for path in missed}
                self._run(inputs, modules, outputs)
        if nodes:
            outputs.update(self._extractor(nodes)(inputs))

    def _run(
        self, inputs: Tensor, modules: Mapping[str, nn.Module], outputs: dict[str, Any]
    ) -> None:
        seen: dict[str, Any] = {}
        try:
            with _stop_after(modules, seen), suppress(_ReachedLayersError):
                self.module(inputs)
        finally:
            outputs.update(seen)

    def run_replacing(
        self, inputs: Tensor, layer: str, replace: Callable[[Any], Tensor]
    ) -> tuple[Any, bool]:
        """Run the whole module with the output replaced that `read` reads.

        Returns
        -------
        output
            What the module puts out.
        reached : bool
            Whether the layer was part of the pass.
        """
        with (
            by_name(self.module, [layer], self._shared) as modules,
            replaced(modules[layer], replace) as seen,
        ):
            output = self.module(inputs)
        if not seen and is_shared(layer, self._shared):
            with replaced(part_at(self.module, layer), replace) as seen:
                output = self.module(inputs)
        return output, bool(seen)

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

            with tracing(self.module):
                extractor = create_feature_extractor(
                    self.module, list(nodes), suppress_diff_warning=True
                )
                self._extractors[nodes] = _keep_copies(extractor.eval())
        return self._extractors[nodes]

    def _script_around(self, layer: str) -> str | None:
        """Path of the script that a submodule is in, empty for the whole module; None for none."""
        if isinstance(self.module, torch.jit.ScriptModule):
            return ""
        names = layer.split(".")
        for n in range(1, len(names)):
            above = ".".join(names[:n])
            if isinstance(part_at(self.module, above), torch.jit.ScriptModule):
                return above
        return None


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
