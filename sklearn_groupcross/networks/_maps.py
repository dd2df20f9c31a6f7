"""What a layer puts out as a map, and back: maps pass as they are, tokens as the map of patches."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from ._tokens import TokenGrid, find_token_grid


@dataclass(frozen=True)
class LayerMap:
    """A layer's output and its map, (n, channels, height, width).

    `grid` says how tokens lie in the map; it is None where the output is the map.
    """

    layer: str
    output: Tensor
    grid: TokenGrid | None

    @classmethod
    def of(
        cls,
        output: Any,
        layer: str,
        module: nn.Module,
        image_size: tuple[int, int],
        token_grid: tuple[int, int] | None,
        n_prefix: int | None,
    ) -> LayerMap:
        """Look at what a layer of a module put out for images of some (height, width).

        Raises
        ------
        ValueError
            If it is neither a map nor tokens, or the grid of the tokens is not known; see
            `find_token_grid`.
        """
        if not isinstance(output, Tensor):
            raise refuse_structure(output, layer)
        if output.ndim not in (3, 4):
            raise ValueError(
                f"Layer {layer!r} puts out {tuple(output.shape)}; orbits are read from layers that "
                "put out one map (n, channels, height, width), or tokens (n, tokens, channels)."
            )
        if output.ndim == 4:
            return cls(layer, output, None)
        grid = find_token_grid(module, layer, output.shape[1], image_size, token_grid, n_prefix)
        return cls(layer, output, grid)

    def read(self, dtype: torch.dtype | None = None) -> Tensor:
        """Return the map, in another precision if one is given."""
        maps = self.output if self.grid is None else self.grid.to_map(self.output)
        return maps.to(dtype)

    def replaced(self, replace: Callable[[Tensor], Tensor], dtype: torch.dtype | None) -> Tensor:
        """Return an output whose map is a function of this one.

        Raises
        ------
        ValueError
            If the function returns no tensor of the map's shape.
        """
        maps = self.read(dtype)
        replacement = replace(maps)
        if not isinstance(replacement, Tensor) or replacement.shape != maps.shape:
            found = getattr(replacement, "shape", None)
            got = type(replacement).__name__ if found is None else tuple(found)
            raise ValueError(
                f"The replacement of layer {self.layer!r} is a tensor of the shape of its output, "
                f"{tuple(maps.shape)}; got {got}."
            )
        replacement = replacement.to(self.output)
        if self.grid is not None:
            return self.grid.to_tokens(replacement, self.output)
        # a copy: an operation in place behind the layer would write to the caller's tensor, and
        # cannot write to an expanded one
        return replacement.clone()


def refuse_structure(output: object, layer: str, within: Sequence[str] = ()) -> ValueError:
    """Say what a layer puts out that is no tensor, and which layers within it put out one."""
    inside = f" within it ({', '.join(within[:3])})," if within else ""
    return ValueError(
        f"Layer {layer!r} puts out {_describe(output)}; orbits are read from layers that put out "
        f"one tensor. Name a layer that does:{inside} before it or behind it."
    )


def _describe(output: object) -> str:
    if isinstance(output, Tensor):
        return f"tensor {tuple(output.shape)}"
    if isinstance(output, Mapping):
        return f"dict with {', '.join(f'{key!r}: {_describe(v)}' for key, v in output.items())}"
    if isinstance(output, list | tuple):
        return f"{type(output).__name__} of {', '.join(_describe(value) for value in output)}"
    return type(output).__name__
