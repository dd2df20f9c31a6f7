"""Turning and mirroring batches of images by every element of a planar group at once."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from ..groups import PlanarGroup
from ._mask import circular_mask


class ImageAction:
    """The action ``(g·x)(u) = x(g⁻¹ u)`` of a planar group on images, u from the image centre.

    It is a left action, ``(gh)·x = g·(h·x)``. Turns are counter-clockwise as one sees them, so the
    quarter turn is ``torch.rot90(x, 1, (-2, -1))`` and the mirror σ is ``x.flip(-1)``. The
    elements that the group shares with the square (up to eight) are exact, bit for bit; the others
    are bicubic: on photographs they differ half as much from an exact action as bilinear ones do
    (``benchmarks/interpolation.py``), and what blurs off the lattice alone would be learned as a
    symmetry under quarter turns.

    Parameters
    ----------
    group : PlanarGroup
        `Trivial`, `Cyclic` or `Dihedral`.
    mask : bool, default=False
        Replace what lies outside the inscribed circle by `fill`. Every element then sees the same
        part of the image, so a source as small as the result will do.
    fill : float, default=0.5
        Value outside the mask.

    Examples
    --------
    >>> import torch
    >>> from sklearn_groupcross import Dihedral
    >>> from sklearn_groupcross.actions import ImageAction
    >>> ImageAction(Dihedral(8)).transform(torch.rand(2, 3, 92, 92), size=64).shape
    torch.Size([2, 16, 3, 64, 64])
    """

    def __init__(self, group: PlanarGroup, *, mask: bool = False, fill: float = 0.5) -> None:
        if not isinstance(group, PlanarGroup):
            raise TypeError(
                f"Images are moved by Trivial, Cyclic and Dihedral groups; got {group!r}."
            )
        self.group = group
        self.mask = mask
        self.fill = fill
        self.matrices = _matrices(group)
        self._cosets = _lattice_cosets(group)

    def transform(self, images: Tensor, size: int | None = None) -> Tensor:
        """Transform every image by every element: turn, then crop.

        Parameters
        ----------
        images : Tensor of shape (n_images, n_channels, height, width)
            Floating point.
        size : int, optional
            Side of the square results in pixels. Default: the shorter side of the images.

        Returns
        -------
        transformed : Tensor of shape (n_images, order, n_channels, size, size)

        Raises
        ------
        ValueError
            If a turn would show the corners of the source and `mask` is off, or if the source is
            smaller than the result.
        """
        if images.ndim != 4 or not images.is_floating_point():
            raise ValueError(
                "Images are a floating-point tensor (n_images, n_channels, height, width); "
                f"got {images.dtype} of shape {tuple(images.shape)}."
            )
        n_images, n_channels, height, width = images.shape
        size = min(height, width) if size is None else int(size)
        self._check_source(height, width, size)
        source = _match_parity(images, size)
        mask = circular_mask(size, device=images.device).to(images.dtype) if self.mask else None

        upright = centre_crop(source, size)
        off_lattice = [r for r, _ in self._cosets if r != 0]
        # channels of all images side by side: one grid serves all of them
        turned = _sample(
            source.reshape(1, -1, *source.shape[-2:]), self._grids(off_lattice, source, size)
        )
        turned = turned.reshape(len(off_lattice), n_images, n_channels, size, size)

        result = images.new_empty(n_images, self.group.order, n_channels, size, size)
        representatives = {0: upright, **dict(zip(off_lattice, turned, strict=True))}
        for representative, members in self._cosets:
            picture = representatives[representative]
            if mask is not None:
                picture = self.fill + (picture - self.fill) * mask
            for element, quarter_turns, flipped in members:
                result[:, element] = torch.rot90(
                    picture.flip(-1) if flipped else picture, quarter_turns, (-2, -1)
                )
        return result

    def transform_positions(self, positions: Tensor) -> Tensor:
        """Carry positions along: ``g·p`` for every element g.

        Parameters
        ----------
        positions : Tensor of shape (..., 2)
            (column, row) in pixels from the image centre, rows down.

        Returns
        -------
        moved : Tensor of shape (..., order, 2)
        """
        matrices = self.matrices.to(positions)
        return torch.einsum("gij,...j->...gi", matrices, positions)

    def transform_about(
        self,
        images: Tensor,
        positions: Tensor,
        size: int,
        elements: Sequence[int] | None = None,
    ) -> Tensor:
        """Cut the patch about ``g·p`` out of ``g·x``, for each image x and its position p.

        Parameters
        ----------
        images : Tensor of shape (n, n_channels, height, width)
        positions : Tensor of shape (n, 2)
            (column, row) in pixels from the image centre, one position for each image.
        size : int
            Side of the patches in pixels.
        elements : sequence of int, optional
            Group elements; default all of them.

        Returns
        -------
        patches : Tensor of shape (n, n_elements, n_channels, size, size)
            Beyond the image its border is repeated.
        """
        chosen = list(range(self.group.order)) if elements is None else list(elements)
        n, n_channels, height, width = images.shape
        # x(p + g⁻¹ u): the inverse of an orthogonal matrix is its transpose
        offsets = _pixel_offsets(size, images) @ self.matrices[chosen].to(images)[:, None]
        points = positions.to(images)[:, None, None, None, :] + offsets[None]
        grid = points * (2 / points.new_tensor([width, height]))
        patches = _sample(images, grid.reshape(n, len(chosen) * size, size, 2))
        return patches.reshape(n, n_channels, len(chosen), size, size).transpose(1, 2)

    def _check_source(self, height: int, width: int, size: int) -> None:
        if min(height, width) < size:
            raise ValueError(
                f"The source images are {width} x {height} pixels, smaller than the {size} px "
                "asked for; resize them first."
            )
        needed = required_source_size(size)
        if len(self._cosets) > 1 and not self.mask and min(height, width) < needed:
            raise ValueError(
                f"Turning images of {width} x {height} pixels and cropping to {size} px would show "
                f"their corners: give at least {needed} x {needed} px, or mask=True."
            )

    def _grids(self, elements: list[int], source: Tensor, size: int) -> Tensor:
        """Sampling grids of shape (n_elements, size, size, 2): where each result pixel looks."""
        points = _pixel_offsets(size, source) @ self.matrices[elements].to(source)[:, None]
        return points * (2 / points.new_tensor([source.shape[-1], source.shape[-2]]))


def required_source_size(size: int) -> int:
    """Side of the smallest source, of the crop's parity, whose turns never show a corner."""
    side = math.ceil((size - 1) * math.sqrt(2) + 1)
    return side + (side - size) % 2  # of the same parity, or a row is dropped to centre the crop


def centre_crop(images: Tensor, size: int) -> Tensor:
    """Cut the central square of `size` pixels out of images of the same parity or larger."""
    top, left = (images.shape[-2] - size) // 2, (images.shape[-1] - size) // 2
    return images[..., top : top + size, left : left + size]


def _match_parity(images: Tensor, size: int) -> Tensor:
    """Drop a last row or column so that the crop sits exactly in the middle of what remains."""
    height, width = (n - (n - size) % 2 for n in images.shape[-2:])
    return images[..., :height, :width]


def _pixel_offsets(size: int, like: Tensor) -> Tensor:
    """(column, row) of every pixel from the centre, of shape (size, size, 2)."""
    u = torch.arange(size, device=like.device, dtype=like.dtype) - (size - 1) / 2
    rows, columns = torch.meshgrid(u, u, indexing="ij")
    return torch.stack([columns, rows], dim=-1)


def _sample(source: Tensor, grids: Tensor) -> Tensor:
    """Bicubic samples of sources (1 or n, c, h, w) through grids (n, h', w', 2).

    One source serves all grids without being copied.
    """
    if len(grids) == 0:
        return source.new_empty(0, source.shape[1], *grids.shape[1:3])
    sampled = F.grid_sample(
        source.expand(len(grids), -1, -1, -1),
        grids,
        mode="bicubic",
        padding_mode="border",
        align_corners=False,
    )
    # cubics overshoot at edges: no pixel may be darker or brighter than the source's
    return sampled.clamp(source.amin(), source.amax())


def _matrices(group: PlanarGroup) -> Tensor:
    """Matrices (order, 2, 2) on (column, row) positions, float64, exact at quarter turns."""
    turns, n = group.turns, group.n_turns
    # whole quarter turns apart, so that cos(90°) is 0 and not 6e-17
    quarter, rest = np.divmod(4 * turns, n)
    angle = 0.5 * np.pi * rest / n
    c, s = np.cos(angle), np.sin(angle)
    cos = np.choose(quarter, [c, -s, -c, s])
    sin = np.choose(quarter, [s, c, -s, -c])
    matrices = np.stack([np.stack([cos, sin], -1), np.stack([-sin, cos], -1)], axis=-2)
    matrices[group.mirrored, :, 0] *= -1  # σ first: columns change sign
    return torch.from_numpy(matrices)


def _lattice_cosets(group: PlanarGroup) -> list[tuple[int, list[tuple[int, int, bool]]]]:
    """Right cosets ``L r`` of the elements L that the group shares with the square.

    One warp a coset is enough: ``(l r)·x = l·(r·x)``, and l only rearranges pixels.

    Returns
    -------
    cosets : list of (representative, [(element, quarter turns, flipped), ...])
        The representative of L itself is the identity.
    """
    on_lattice = np.flatnonzero(4 * group.turns % group.n_turns == 0)
    remaining = set(range(group.order))
    cosets = []
    while remaining:
        representative = min(remaining)
        members = []
        for lattice in on_lattice:
            element = group.multiply(int(lattice), representative)
            quarter_turns = int(4 * group.turns[lattice] // group.n_turns)
            members.append((element, quarter_turns, bool(group.mirrored[lattice])))
            remaining.remove(element)
        cosets.append((representative, members))
    return cosets
