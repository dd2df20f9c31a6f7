"""Turning and mirroring batches of images by every element of a planar group at once."""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor

from .._ambient import own_state
from ..groups import FiniteGroup, PlanarGroup, as_group
from ._crop import center_crop, check_images, match_parity, required_source_size
from ._lattice import lattice_cosets, plane_matrices
from ._mask import circular_mask
from ._product import Composable


class ImageAction(Composable):
    """The action ``(g·x)(u) = x(g⁻¹ u)`` of a planar group on images, u from the image centre.

    It is a left action, ``(gh)·x = g·(h·x)``. Turns are counter-clockwise as one sees them, so the
    quarter turn is ``torch.rot90(x, 1, (-2, -1))`` and the mirror σ is ``x.flip(-1)``. The
    elements that the group shares with the square (up to eight) are exact, bit for bit; the others
    interpolate.

    Parameters
    ----------
    group : PlanarGroup or str
        `Trivial`, `Cyclic` or `Dihedral`, or its name: see `as_group`.
    interpolation : {"bicubic", "bilinear"}, default="bicubic"
        Off the pixel lattice. On photographs bicubic turns differ half as much from an exact
        action as bilinear ones do (``benchmarks/interpolation.py``), and what blurs off the lattice
        alone would be learned as a symmetry under quarter turns.
    mask : bool, default=False
        Replace what lies outside a disk by `fill`. Every element then sees the same part of the
        image, so a source as small as the result will do.
    fill : float, default=0.5
        Value outside the mask.
    mask_radius : float, optional
        Radius of the disk in pixels of the result. Default: the largest that fits into it.
    mask_softness : float, default=2.0
        Width in pixels of the fall from the image to `fill` at the edge of the disk.

    Raises
    ------
    TypeError
        If the group does not turn the plane.
    ValueError
        If an argument is out of range.

    Examples
    --------
    >>> import torch
    >>> from sklearn_groupcross import Dihedral
    >>> from sklearn_groupcross.actions import ImageAction
    >>> ImageAction(Dihedral(8)).transform(torch.rand(2, 3, 92, 92), size=64).shape
    torch.Size([2, 16, 3, 64, 64])
    """

    def __init__(
        self,
        group: FiniteGroup | str,
        *,
        interpolation: str = "bicubic",
        mask: bool = False,
        fill: float = 0.5,
        mask_radius: float | None = None,
        mask_softness: float = 2.0,
    ) -> None:
        group = as_group(group).unnamed
        if not isinstance(group, PlanarGroup):
            raise TypeError(
                f"Images are moved by Trivial, Cyclic and Dihedral groups; got {group!r}."
            )
        if interpolation not in ("bicubic", "bilinear"):
            raise ValueError(f"interpolation is 'bicubic' or 'bilinear'; got {interpolation!r}.")
        if mask_softness <= 0 or (mask_radius is not None and mask_radius <= 0):
            raise ValueError(
                "mask_radius and mask_softness are positive numbers of pixels; "
                f"got {mask_radius} and {mask_softness}."
            )
        self.group = group
        self.interpolation = interpolation
        self.mask = mask
        self.fill = fill
        self.mask_radius = mask_radius
        self.mask_softness = mask_softness
        self.matrices = plane_matrices(group)
        self._cosets = lattice_cosets(group)

    def __repr__(self) -> str:
        options = (
            "" if self.interpolation == "bicubic" else f", interpolation={self.interpolation!r}"
        )
        if self.mask:
            options += f", mask=True, fill={self.fill:g}, mask_radius={self.mask_radius}"
            options += f", mask_softness={self.mask_softness:g}"
        return f"{type(self).__name__}({self.group!r}{options})"

    @own_state(gradients=None)
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
        check_images(images)
        n_images, n_channels, height, width = images.shape
        size = min(height, width) if size is None else int(size)
        self._check_source(height, width, size)
        source = match_parity(images, size)

        off_lattice = [r for r, _ in self._cosets if r != 0]
        points = _pixel_offsets(size, images.device) @ self._transposed(off_lattice, images)
        # channels of all images side by side: one grid serves all of them
        turned = self._sample(source.reshape(1, -1, *source.shape[-2:]), points)
        turned = turned.reshape(len(off_lattice), n_images, n_channels, size, size)
        turned = _within_range(turned, source)

        result = images.new_empty(n_images, self.group.order, n_channels, size, size)
        representatives = {
            0: center_crop(source, size),
            **dict(zip(off_lattice, turned, strict=True)),
        }
        for representative, members in self._cosets:
            picture = self._masked(representatives[representative])
            for element, quarter_turns, flipped in members:
                result[:, element] = torch.rot90(
                    picture.flip(-1) if flipped else picture, quarter_turns, (-2, -1)
                )
        return result

    @own_state(gradients=None)
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

    @own_state(gradients=None)
    def transform_about(
        self,
        images: Tensor,
        positions: Tensor,
        size: int,
        elements: Sequence[int] | None = None,
        *,
        at: tuple[float, float] = (0.0, 0.0),
    ) -> Tensor:
        """Cut the patch of ``g·x`` in which ``g·p`` lies at `at`, for each image x and position p.

        Pixel u of the patch, from its centre, shows ``x(p + g⁻¹(u - at))``: the patch turns about
        `at`. So the patches of a position under all elements, read by a network at the unit that
        looks at `at`, are an orbit without interpolation between units.

        Parameters
        ----------
        images : Tensor of shape (n, n_channels, height, width)
            Floating point.
        positions : Tensor of shape (n, 2)
            (column, row) in pixels from the image centre, one position for each image. In float64
            they are used as they are.
        size : int
            Side of the patches in pixels.
        elements : sequence of int, optional
            Group elements; default all of them.
        at : (float, float), default=(0.0, 0.0)
            Where ``g·p`` lies in the patch, (column, row) in pixels from its centre. A mask is
            centred there, too.

        Returns
        -------
        patches : Tensor of shape (n, n_elements, n_channels, size, size)
            Beyond the image its border is repeated.

        Raises
        ------
        ValueError
            If images and positions do not fit each other.
        """
        check_images(images)
        if positions.shape != (len(images), 2):
            raise ValueError(
                f"One position for each of {len(images)} images: a tensor ({len(images)}, 2); "
                f"got {tuple(positions.shape)}."
            )
        chosen = list(range(self.group.order)) if elements is None else list(elements)
        n, n_channels = images.shape[:2]
        pivot = torch.tensor(at, dtype=torch.float64, device=images.device)
        offsets = (_pixel_offsets(size, images.device) - pivot) @ self._transposed(chosen, images)
        points = positions.to(images.device, torch.float64)[:, None, None, None] + offsets
        patches = self._sample(images, points.reshape(n, len(chosen) * size, size, 2))
        patches = _within_range(patches, images)
        patches = patches.reshape(n, n_channels, len(chosen), size, size).transpose(1, 2)
        return self._masked(patches, at)

    def source_size(self, size: int) -> int:
        """Side of the smallest square source for results of `size` pixels.

        Without turns off the pixel lattice, or behind a mask, it is `size` itself.

        Parameters
        ----------
        size : int
            Side of the result in pixels.

        Returns
        -------
        source_size : int
        """
        if len(self._cosets) == 1:
            return size
        needed = required_source_size(size)
        if not self.mask:
            return needed
        # a mask that reaches into the corners shows more than the inscribed disk
        diameter = math.ceil(2 * (self.mask_radius or 0))
        return min(needed, max(size, diameter + (diameter - size) % 2))

    def visible_radius(self, size: int) -> float:
        """How far from the centre of `size` pixels the mask leaves the image as it is.

        Infinite without a mask.

        Parameters
        ----------
        size : int
            Side of the result in pixels.

        Returns
        -------
        radius : float
            In pixels.
        """
        if not self.mask:
            return math.inf
        return (size / 2 if self.mask_radius is None else self.mask_radius) - self.mask_softness

    def _check_source(self, height: int, width: int, size: int) -> None:
        if min(height, width) < size:
            raise ValueError(
                f"The source images are {width} x {height} pixels, smaller than the {size} px "
                "asked for; resize them first."
            )
        needed = self.source_size(size)
        if min(height, width) < needed:
            way_out = "a smaller mask_radius" if self.mask else "mask=True"
            raise ValueError(
                f"Turning images of {width} x {height} pixels and cropping to {size} px would show "
                f"their corners: give at least {needed} x {needed} px, or {way_out}."
            )

    def _transposed(self, elements: list[int], like: Tensor) -> Tensor:
        """Matrices by which rows of offsets u become ``g⁻¹u``, of shape (n_elements, 1, 2, 2)."""
        # a row times g is the column g⁻¹u: the inverse of an orthogonal matrix is its transpose
        return self.matrices[elements].to(like.device)[:, None]

    def _sample(self, source: Tensor, points: Tensor) -> Tensor:
        """Values of sources (1 or n, c, h, w) at points (n, h', w', 2), from the image centre.

        One source serves all points without being copied.
        """
        if len(points) == 0:
            return source.new_empty(0, source.shape[1], *points.shape[1:3])
        extent = points.new_tensor([source.shape[-1], source.shape[-2]])
        return F.grid_sample(
            source.expand(len(points), -1, -1, -1),
            # rounded once, at the end: patches that ought to be equal then are, to 1e-5
            (points * (2 / extent)).to(source.dtype),
            mode=self.interpolation,
            padding_mode="border",
            align_corners=False,
        )

    def _masked(self, pictures: Tensor, center: tuple[float, float] = (0.0, 0.0)) -> Tensor:
        if not self.mask:
            return pictures
        mask = circular_mask(
            pictures.shape[-1],
            self.mask_radius,
            self.mask_softness,
            center=center,
            device=pictures.device,
        )
        weights = mask.to(pictures.dtype)
        return pictures * weights + self.fill * (1 - weights)


def _pixel_offsets(size: int, device: torch.device) -> Tensor:
    """(column, row) of every pixel from the centre, of shape (size, size, 2), float64."""
    u = torch.arange(size, device=device, dtype=torch.float64) - (size - 1) / 2
    rows, columns = torch.meshgrid(u, u, indexing="ij")
    return torch.stack([columns, rows], dim=-1)


def _within_range(sampled: Tensor, source: Tensor) -> Tensor:
    """Clamp samples (..., n, c, h', w') to the range of their sources (n, c, h, w).

    Cubics overshoot at edges: no pixel may be darker or brighter than the image it comes from.
    """
    low, high = source.amin((1, 2, 3), keepdim=True), source.amax((1, 2, 3), keepdim=True)
    return torch.minimum(torch.maximum(sampled, low), high)
