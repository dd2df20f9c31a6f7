"""Tokens of vision transformers read as maps: which tokens are the grid of patches."""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor, nn


class TokenGrid(NamedTuple):
    """Tokens ``n_prefix ... n_prefix + rows * columns - 1`` are the grid, row by row."""

    columns: int
    rows: int
    n_prefix: int

    def to_map(self, tokens: Tensor) -> Tensor:
        """Map tokens (n, tokens, d) to a map (n, d, rows, columns)."""
        grid = tokens[:, self.n_prefix : self.n_prefix + self.rows * self.columns]
        return grid.transpose(1, 2).unflatten(2, (self.rows, self.columns))

    def to_tokens(self, maps: Tensor, tokens: Tensor) -> Tensor:
        """Put a map in the place of the grid, between the tokens that are not part of it."""
        end = self.n_prefix + self.rows * self.columns
        grid = maps.flatten(2).transpose(1, 2)
        return torch.cat([tokens[:, : self.n_prefix], grid, tokens[:, end:]], dim=1)


def find_token_grid(
    module: nn.Module,
    layer: str,
    n_tokens: int,
    image_size: tuple[int, int],
    token_grid: tuple[int, int] | None,
    n_prefix: int | None,
) -> TokenGrid:
    """Tell the grid of patches from class and register tokens in front of it.

    Parameters
    ----------
    module : torch.nn.Module
        Its first convolution cuts the patches, if its stride is its kernel; others in front of it
        may only keep the size.
    layer : str
        For messages.
    n_tokens : int
        Tokens that the layer puts out.
    image_size : tuple of int
        (height, width) of the images in pixels.
    token_grid : tuple of int, optional
        (columns, rows), where they cannot be told from the image and the patches.
    n_prefix : int, optional
        Tokens in front of the grid. Default: ``module.num_prefix_tokens`` if there is such a
        number, and otherwise all tokens that are not part of the grid. A layer without any, as the
        patch embedding, may be read nonetheless.

    Raises
    ------
    ValueError
        If the grid is not known or does not fit the number of tokens.
    """
    if token_grid is None:
        patch = _patch_size(module)
        if patch is None:
            raise ValueError(
                f"Layer {layer!r} puts out {n_tokens} tokens, and no convolution of the network "
                "cuts the image into patches that do not overlap: say how they lie with "
                "Network(..., token_grid=(columns, rows), n_prefix_tokens=...)."
            )
        token_grid = (image_size[1] // patch[1], image_size[0] // patch[0])
        origin = f"patches of {patch[1]} × {patch[0]} px on {image_size[1]} × {image_size[0]} px"
    else:
        origin = f"token_grid={token_grid}"
    columns, rows = token_grid
    others = n_tokens - columns * rows
    expected = getattr(module, "num_prefix_tokens", None) if n_prefix is None else n_prefix
    # only who names the number may have tokens behind the grid too
    fits = others >= 0 and (n_prefix is not None or expected in (None, others) or others == 0)
    if others and expected is not None:
        fits = fits and expected <= others
    if fits and expected is None and others > _MOST_PREFIX_TOKENS:
        raise ValueError(
            f"Layer {layer!r} puts out {n_tokens} tokens; {origin} make a grid of {columns} × "
            f"{rows}, and {others} tokens in front of it are too many to be class or register "
            "tokens. Say how they lie with Network(..., token_grid=(columns, rows), "
            "n_prefix_tokens=...)."
        )
    if not fits:
        in_front = "" if expected is None else f" behind {expected} others"
        raise ValueError(
            f"Layer {layer!r} puts out {n_tokens} tokens; {origin} make a grid of {columns} × "
            f"{rows} = {columns * rows}{in_front}. Name a layer whose output is "
            "(n, tokens, channels), or say how its tokens lie with "
            "Network(..., token_grid=(columns, rows), n_prefix_tokens=...)."
        )
    return TokenGrid(columns, rows, others if expected is None or not others else expected)


#: Class, distillation and register tokens of the models that there are come to fewer.
_MOST_PREFIX_TOKENS = 16


def _patch_size(module: nn.Module) -> tuple[int, int] | None:
    """(height, width) of the patches that the network's first convolution with a stride cuts.

    Only where they do not overlap: a convolution further on that cuts something, as in attention
    with spatial reduction, says nothing about the image.
    """
    for part in module.modules():
        if isinstance(part, nn.Conv2d) and part.stride != (1, 1):
            side_by_side = tuple(part.kernel_size) == tuple(part.stride)
            return (part.kernel_size[0], part.kernel_size[1]) if side_by_side else None
    return None
