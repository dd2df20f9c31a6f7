"""Synthetic images of lines, curves and other elementary shapes.

The bundled network is trained on these images alone, so that the package ships no photograph and
needs no download. A shape is a signed distance in the shape's own axes, `u` along the shape's angle
and `v` a quarter turn counter-clockwise from it, in pixels; a soft threshold of the distance makes
the antialiased figure. Everything random comes from one explicit :class:`torch.Generator`.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor

from sklearn_groupcross.networks.bundled import SHAPE_PERIODS

__all__ = ["SHAPES", "ShapeBatch", "add_surround", "draw_shapes"]

SHAPES = tuple(SHAPE_PERIODS)

_N_PARAMETERS = 22  # four for the geometry, eighteen for the places of nine dots
_LUMA = (0.299, 0.587, 0.114)
# What numbers are drawn and computed as, whatever the defaults of torch are set to.
_DRAWN: dict[str, Any] = {"dtype": torch.float32, "device": "cpu"}


class ShapeBatch(NamedTuple):
    """Images and the truth about them.

    Parameters
    ----------
    images : Tensor of shape (n, 3, size, size)
        RGB in [0, 1], float32.
    kinds : Tensor of shape (n,)
        Index into :data:`SHAPES`, int64.
    angles : Tensor of shape (n,)
        Radians, counter-clockwise with y up, in [0, 2π). Lines and gratings run along it, curves
        bulge towards it, corners open towards it, edges are lighter on its side.
    centers : Tensor of shape (n, 2)
        Row and column of the point the shape turns about, in pixels.
    """

    images: Tensor
    kinds: Tensor
    angles: Tensor
    centers: Tensor


def _line(u: Tensor, v: Tensor, p: Tensor) -> Tensor:
    half_width, half_length = 0.6 + 2.9 * p[0] ** 2, 14.0 + 50.0 * p[1]
    return torch.maximum(v.abs() - half_width, u.abs() - half_length)


def _curve(u: Tensor, v: Tensor, p: Tensor) -> Tensor:
    radius, half_width = 7.0 + 19.0 * p[0], 0.7 + 2.3 * p[1] ** 2
    half_extent = math.radians(40) + math.radians(60) * p[2]
    # the arc's midpoint is the shape's centre, so that the arc bulges towards +u
    rim = torch.hypot(u + radius, v) - radius
    along = (torch.atan2(v, u + radius).abs() - half_extent) * radius
    arc = torch.maximum(rim.abs() - half_width, along)
    return torch.where(p[3] < 0.35, rim, arc)  # a filled disc seen at its rim is a curve too


def _corner(u: Tensor, v: Tensor, p: Tensor) -> Tensor:
    half_opening, half_width = math.radians(25) + math.radians(35) * p[0], 0.7 + 2.3 * p[1] ** 2
    wedge = v.abs() * torch.cos(half_opening) - u * torch.sin(half_opening)
    return torch.where(p[3] < 0.5, wedge, wedge.abs() - half_width)


def _ring(u: Tensor, v: Tensor, p: Tensor) -> Tensor:
    radius, half_width = 3.5 + 9.5 * p[0], 0.7 + 1.6 * p[1] ** 2
    return (torch.hypot(u, v) - radius).abs() - half_width


def _grating(u: Tensor, v: Tensor, p: Tensor) -> Tensor:
    wavelength = 4.5 + 11.5 * p[0]
    return -wavelength / (2 * math.pi) * torch.cos(2 * math.pi * v / wavelength)


def _checks(u: Tensor, v: Tensor, p: Tensor) -> Tensor:
    cell = 4.0 + 8.0 * p[0]
    return -cell / math.pi * torch.cos(math.pi * u / cell) * torch.cos(math.pi * v / cell)


def _dots(u: Tensor, v: Tensor, p: Tensor) -> Tensor:
    pitch = 7.0 + 6.0 * p[0]
    radius = 1.2 + 0.2 * pitch * p[1]
    distance = torch.full_like(u, math.inf)
    for dot in range(9):
        # a 3 × 3 jittered lattice repeated over the plane: irregular, yet never an empty image
        du = u - pitch * (dot // 3 + 0.8 * p[4 + 2 * dot] - 0.4)
        dv = v - pitch * (dot % 3 + 0.8 * p[5 + 2 * dot] - 0.4)
        du = du - 3 * pitch * torch.round(du / (3 * pitch))
        dv = dv - 3 * pitch * torch.round(dv / (3 * pitch))
        distance = torch.minimum(distance, du.square() + dv.square())
    return distance.sqrt() - radius


def _edge(u: Tensor, v: Tensor, p: Tensor) -> Tensor:
    return -u


_DISTANCES: dict[str, Callable[[Tensor, Tensor, Tensor], Tensor]] = {
    "line": _line,
    "curve": _curve,
    "corner": _corner,
    "ring": _ring,
    "grating": _grating,
    "checks": _checks,
    "dots": _dots,
    "edge": _edge,
}


def _colors(kinds: Tensor, generator: torch.Generator) -> tuple[Tensor, Tensor]:
    """Colours of figure and ground, each (n, 3), which always differ in lightness."""
    n = len(kinds)
    dark = 0.65 * torch.rand(n, 1, generator=generator, **_DRAWN)
    light = dark + 0.15 + (0.85 - dark) * torch.rand(n, 1, generator=generator, **_DRAWN)
    tints = torch.randn(2, n, 3, generator=generator, **_DRAWN)
    tints = tints - (tints * torch.tensor(_LUMA, **_DRAWN)).sum(
        -1, keepdim=True
    )  # changes hue, not lightness
    tints = tints * (0.15 * torch.rand(2, n, 1, generator=generator, **_DRAWN))
    figure_is_light = torch.rand(n, 1, generator=generator, **_DRAWN) < 0.5
    # the angle of an edge says which side is lighter, so its sign is not free
    figure_is_light |= (kinds == SHAPES.index("edge"))[:, None]
    figure = torch.where(figure_is_light, light, dark) + tints[0]
    ground = torch.where(figure_is_light, dark, light) + tints[1]
    return figure.clamp(0, 1), ground.clamp(0, 1)


def _shading(n: int, size: int, generator: torch.Generator) -> Tensor:
    """Flat, graded or cloudy light, (n, 1, size, size); about a third of the images each."""
    axis = torch.linspace(-1, 1, size, **_DRAWN)
    slope = 0.25 * torch.randn(n, 2, 1, 1, generator=generator, **_DRAWN)
    gradient = slope[:, 0] * axis[:, None] + slope[:, 1] * axis
    clouds = torch.randn(n, 1, 6, 6, generator=generator, **_DRAWN)
    clouds = F.interpolate(clouds, (size, size), mode="bicubic", align_corners=True)[:, 0]
    choice = torch.rand(n, 1, 1, generator=generator, **_DRAWN)
    field = torch.where(choice < 0.35, gradient, 0.12 * clouds)
    return torch.where(choice > 0.7, torch.zeros((), **_DRAWN), field)[:, None]


def draw_shapes(
    n: int,
    size: int,
    generator: torch.Generator,
    kinds: Sequence[str] = SHAPES,
    *,
    angles: Tensor | None = None,
    jitter: float = 6.0,
    clean: bool = False,
) -> ShapeBatch:
    """Draw one shape per image.

    Parameters
    ----------
    n : int
        Number of images.
    size : int
        Side of the images in pixels.
    generator : torch.Generator
        Source of every draw, on the CPU.
    kinds : sequence of str, default=SHAPES
        Kinds to draw from, all equally likely.
    angles : Tensor of shape (n,), default=None
        Angles in radians, counter-clockwise; None draws them uniformly. The other draws are the
        same either way, so that one seed with two angles gives one shape in two poses.
    jitter : float, default=6.0
        Largest offset of the shape's centre from the image's, in pixels, along rows and columns.
    clean : bool, default=False
        Flat figure on flat ground: no shading and no pixel noise.

    Returns
    -------
    ShapeBatch
        Images (n, 3, size, size), kinds (n,), angles (n,) and centres (n, 2).

    Raises
    ------
    ValueError
        If a kind is unknown.

    Examples
    --------
    >>> import torch
    >>> batch = draw_shapes(4, 49, torch.Generator().manual_seed(0), kinds=["line"])
    >>> batch.images.shape
    torch.Size([4, 3, 49, 49])
    """
    unknown = sorted(set(kinds) - set(SHAPES))
    if unknown or not kinds:
        raise ValueError(f"kinds={list(kinds)!r}; choose one or more of {', '.join(SHAPES)}.")
    allowed = torch.tensor([SHAPES.index(kind) for kind in kinds], dtype=torch.int64, device="cpu")
    labels = allowed[torch.randint(len(allowed), (n,), generator=generator, device="cpu")]
    drawn = 2 * math.pi * torch.rand(n, generator=generator, **_DRAWN)
    turn = drawn if angles is None else angles.to(torch.float32) % (2 * math.pi)
    # rows down, columns right
    offsets = jitter * (2 * torch.rand(n, 2, generator=generator, **_DRAWN) - 1)
    parameters = torch.rand(_N_PARAMETERS, n, 1, 1, generator=generator, **_DRAWN)
    # from crisp to out of focus; half the width of the edge, in pixels
    softness = 0.6 + 2.0 * torch.rand(n, 1, 1, generator=generator, **_DRAWN) ** 2
    figure, ground = _colors(labels, generator)

    axis = torch.arange(size, **_DRAWN) - (size - 1) / 2
    x = (axis - offsets[:, 1:])[:, None, :]
    y = -(axis - offsets[:, :1])[:, :, None]  # rows grow downwards, y grows upwards
    cos, sin = turn.cos()[:, None, None], turn.sin()[:, None, None]
    u, v = x * cos + y * sin, y * cos - x * sin
    distance = torch.empty(n, size, size, **_DRAWN)
    for label in allowed.unique().tolist():
        rows = (labels == label).nonzero()[:, 0]
        distance[rows] = _DISTANCES[SHAPES[label]](u[rows], v[rows], parameters[:, rows])
    cover = (0.5 - distance / (2 * softness)).clamp(0, 1)[:, None]
    images = torch.lerp(ground[:, :, None, None], figure[:, :, None, None], cover)
    if not clean:
        images = images + _shading(n, size, generator)
        level = 0.05 * torch.rand(n, 1, 1, 1, generator=generator, **_DRAWN) ** 2
        images = images + level * torch.randn(n, 3, size, size, generator=generator, **_DRAWN)
    centers = offsets + (size - 1) / 2
    return ShapeBatch(images.clamp(0, 1), labels, turn, centers)


def add_surround(
    batch: ShapeBatch, generator: torch.Generator, radius: tuple[float, float] = (13.0, 26.0)
) -> ShapeBatch:
    """Show each shape through a round window, with another image of the batch around it.

    A photograph puts many things side by side; a unit that has only seen lone shapes answers to
    whatever else its receptive field holds.

    Parameters
    ----------
    batch : ShapeBatch
        Images to combine; n at least 2.
    generator : torch.Generator
        Source of the window radii and of the pairing.
    radius : tuple of float, default=(13.0, 26.0)
        Smallest and largest radius of the window around the shape's centre, in pixels.

    Returns
    -------
    ShapeBatch
        New images, with the kind, angle and centre of the shape inside the window.
    """
    n, _, size, _ = batch.images.shape
    low, high = radius
    reach = low + (high - low) * torch.rand(n, 1, 1, generator=generator, **_DRAWN)
    softness = 1.0 + 4.0 * torch.rand(n, 1, 1, generator=generator, **_DRAWN)
    shift = int(torch.randint(1, max(n, 2), (), generator=generator, device="cpu"))
    other = batch.images.roll(shift, 0).flip(-1)
    grid = torch.arange(size, **_DRAWN)
    rows = (grid - batch.centers[:, :1])[:, :, None]
    columns = (grid - batch.centers[:, 1:])[:, None, :]
    window = (0.5 + (reach - torch.hypot(rows, columns)) / (2 * softness)).clamp(0, 1)[:, None]
    return batch._replace(images=torch.lerp(other, batch.images, window))
