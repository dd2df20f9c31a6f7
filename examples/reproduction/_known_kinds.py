"""Drawn probes of feature types that earlier manual work proposed, with what resembles them."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import partial
from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional as F

from sklearn_groupcross import Cyclic
from sklearn_groupcross.actions import ImageAction
from sklearn_groupcross.networks import Network, receptive_field
from sklearn_groupcross.orbits import Arc, Corner, Disk, Edge

#: Of which the paper's claim is.
TYPES = (
    "curve", "line", "double curve", "circle", "corner", "grid", "bricks",
    "colour contrast", "high-low frequency", "eye",
)  # fmt: skip
#: What resembles them and is none: each type has to be preferred to these too.
FOILS = ("edge", "stripes", "texture", "plain colour")
CLASSES = (*TYPES, *FOILS)

_STRAIGHT = 1e4  # pixels: an arc of this radius is a straight stroke
# Changes of red, green and blue that leave the luminance (ITU-R BT.601) as it is.
_CHROMA = torch.tensor([[1.402, -0.714, 0.0], [0.0, -0.344, 1.772]], dtype=torch.float64)

Paint = Callable[[Tensor], Tensor]


class Drawing(NamedTuple):
    """A picture of a class: `paint` gives RGB (..., 3) at (column, row), pixels from the unit."""

    kind: str
    paint: Paint


class _Looks(NamedTuple):
    """In what a set of probes differs from another: sizes in pixels of a field of 91, shades."""

    radii: tuple[float, float]  # of curves and eyes
    small: tuple[float, float]  # of circles
    widths: tuple[float, float]
    degrees: tuple[float, float]  # of corners
    periods: tuple[float, float]  # of grids, bricks and stripes
    fine: tuple[float, float]  # of textures; coarse ones are four times as large
    grays: tuple[tuple[float, float], tuple[float, float]]  # of a shape and of the rest
    hues: tuple[float, float]  # degrees; each against its opposite
    seed: int  # of the positions


LOOKS = {
    "naming": _Looks(
        (12, 24), (5, 10), (2, 4), (50, 90), (12, 20), (3, 5),
        ((1.0, 0.5), (0.0, 0.5)), (0, 90), 0,
    ),
    "judging": _Looks(
        (15, 20), (6.5, 8), (2.5, 3.5), (65, 110), (14, 17), (3.5, 4.5),
        ((0.85, 0.25), (0.15, 0.6)), (30, 120), 1,
    ),
}  # fmt: skip


def drawings(looks: _Looks, scale: float = 1.0) -> list[Drawing]:
    """Eight pictures of each class.

    Parameters
    ----------
    looks : of `LOOKS`
    scale : float, default=1.0
        Size of the receptive field, of 91 px.
    """
    return [Drawing(kind, paint) for kind, paint in _all(looks, scale)]


def read_drawings(
    network: Network, layer: str, which: str, *, n_turns: int = 16, n_positions: int = 2
) -> NDArray[np.float32]:
    """Activations on a set of drawings, averaged over positions: (n_drawings, n_turns, n_channels).

    Drawn about positions between units and read there by bilinear interpolation, as orbits are.
    """
    field = receptive_field(network, layer)
    side, corner = field.smallest_input()
    field = receptive_field(network, layer, side + int(np.ceil(max(field.stride))))
    looks = LOOKS[which]
    chosen = drawings(looks, max(field.size) / 91)
    within = np.random.default_rng(looks.seed).random((n_positions, 2))
    positions = field.to_positions(torch.tensor(np.add(corner, within)))
    readings = np.zeros((len(chosen), n_turns, field.n_channels), dtype=np.float32)
    for i, drawing in enumerate(chosen):
        for at in positions:
            images = _draw(drawing.paint, n_turns, field.input_size, at).to(network.device)
            maps = network.activations(images, layer)
            size = maps.new_tensor([maps.shape[-1], maps.shape[-2]])
            units = (2 * field.to_units(at).to(maps) + 1) / size - 1
            grid = units.expand(len(maps), 1, 1, 2)
            read = F.grid_sample(maps, grid, padding_mode="border", align_corners=False)
            readings[i] += read[:, :, 0, 0].cpu().numpy() / n_positions
    return readings


def prefer(directions: NDArray[np.floating], readings: NDArray[np.floating]) -> NDArray[np.float64]:
    """By how much the best drawing of each class excites a direction more than all others do.

    Parameters
    ----------
    directions : ndarray of shape (m, n_channels)
    readings : ndarray of shape (n_drawings, n_turns, n_channels)

    Returns
    -------
    selectivities : ndarray of shape (m, n_classes)
        In standard deviations of its responses to all; one class of a row is positive.
    """
    responses = np.moveaxis(readings.astype(np.float64) @ directions.T, 2, 0)
    deviation = responses.std(axis=(1, 2))
    kinds = np.repeat(np.arange(len(CLASSES)), len(readings) // len(CLASSES))
    best = responses.max(axis=2)
    peaks = np.stack([best[:, kinds == k].max(axis=1) for k in range(len(CLASSES))], axis=1)
    peaks /= np.where(deviation > 0, deviation, 1.0)[:, None]
    others = [np.delete(peaks, k, axis=1).max(axis=1) for k in range(len(CLASSES))]
    return np.asarray(peaks - np.stack(others, axis=1))


def limits(selectivities: NDArray[np.float64], error_rate: float) -> NDArray[np.float64]:
    """What few of these controls exceed in each class, all classes together at the error rate."""
    share = 1 - error_rate / len(CLASSES)
    return np.maximum(np.quantile(selectivities, share, axis=0, method="higher"), 0.0)


def _draw(paint: Paint, n_turns: int, size: int, at: Tensor) -> Tensor:
    """Draw a picture about a position in every orientation: (n_turns, 3, size, size)."""
    pixels = torch.arange(size, dtype=torch.float64) - (size - 1) / 2
    rows, columns = torch.meshgrid(pixels, pixels, indexing="ij")
    points = torch.stack([columns, rows], dim=-1) - at.to(torch.float64)
    # a row times g is the column g⁻¹u
    moved = points @ ImageAction(Cyclic(n_turns)).matrices.to(torch.float64)[:, None]
    return paint(moved).clamp(0, 1).movedim(-1, 1).to(torch.float32).contiguous()


def _all(looks: _Looks, s: float) -> Iterator[tuple[str, Paint]]:
    """Classes and pictures, in the order of `CLASSES`."""
    sizes = range(2)
    radii, small, widths, periods, fine = (
        [s * value for value in values] for values in looks[:3] + looks[4:6]
    )
    shades = [tuple(_gray(g) for g in pair) for pair in looks.grays]
    colours = [(_colour(hue), _colour(hue + 180)) for hue in looks.hues]
    for f, b in shades:
        for i in sizes:
            yield "curve", partial(_two, Arc(radii[i], widths[i]).distance, f, b)
            yield "curve", partial(_two, Disk(radii[i]).distance, f, b)
    for f, b in shades:
        for width in (*widths, 1.5 * widths[0], 1.5 * widths[1]):
            yield "line", partial(_two, Arc(_STRAIGHT, width).distance, f, b)
    for f, b in shades:
        for i in sizes:
            for gap in (2.5, 4):
                yield "double curve", partial(_two, _double(radii[i], widths[0], gap), f, b)
    for f, b in shades:
        for i in sizes:
            yield "circle", partial(_two, partial(_ring, small[i], widths[0]), f, b)
            yield "circle", partial(_two, lambda u, r=small[i]: u.norm(dim=-1) - r, f, b)
    for f, b in shades:
        for degrees, width in zip(looks.degrees, widths, strict=True):
            yield "corner", partial(_two, Corner(degrees).distance, f, b)
            yield "corner", partial(_two, partial(_angle, degrees, width), f, b)
    for kind, pattern in (("grid", _grid), ("bricks", _bricks)):
        for f, b in shades:
            for period in periods:
                for width in widths:
                    yield kind, partial(_two, partial(pattern, period, width), f, b)
    for a, b in colours + [pair[::-1] for pair in colours]:
        yield "colour contrast", partial(_two, Edge().distance, a, b)
        yield "colour contrast", partial(_two, lambda u: u.norm(dim=-1) - 8 * s, a, b)
    for period in fine:
        for high in (_chequers, _waves):
            for low in (4 * period, 7 * period):
                yield "high-low frequency", partial(_high_low, high, period, low)
    for i in sizes:
        for iris in (_colour(looks.hues[0] + 60), _colour(looks.hues[0] + 250)):
            for almond in (False, True):
                yield "eye", partial(_eye, 0.6 * radii[i], iris, almond)
    for (f, b), change in zip(shades * 4, (0, 0, 0.1, 0.1, 0.2, 0.2, -0.1, -0.1), strict=True):
        yield "edge", partial(_two, Edge().distance, f, b + change)
    for f, b in shades:
        for i in sizes:
            yield "stripes", partial(_two, partial(_bars, periods[i], widths[i]), f, b)
            yield "stripes", partial(_two, partial(_pair, periods[i] / 2, widths[0]), f, b)
    for period in (fine[0], fine[1], 4 * fine[0], 4 * fine[1]):
        for carrier in (_chequers, _waves):
            yield "texture", partial(_gray_of, carrier, period)
    for a, b in colours:
        for strength in (1.0, 0.6):
            for colour in (a, b):
                yield "plain colour", partial(_plain, _gray(0.5) + strength * (colour - 0.5))


def _gray(value: float) -> Tensor:
    return torch.full((3,), value, dtype=torch.float64)


def _colour(hue: float, strength: float = 0.25) -> Tensor:
    """Colour of middle luminance: 0° is red, 90° blue, as in the plane of (Cr, Cb)."""
    angle = np.radians(hue)
    return 0.5 + strength * (np.cos(angle) * _CHROMA[0] + np.sin(angle) * _CHROMA[1])


def _two(distance: Callable[[Tensor], Tensor], shape: Tensor, rest: Tensor, u: Tensor) -> Tensor:
    """Two colours, the border antialiased over a pixel."""
    cover = (0.5 - distance(u)).clamp(0, 1)[..., None]
    return rest + (shape - rest) * cover


def _double(radius: float, width: float, gap: float) -> Callable[[Tensor], Tensor]:
    """Two concentric strokes, `gap` widths apart, the unit between them."""

    def distance(u: Tensor) -> Tensor:
        beside = torch.hypot(u[..., 0], u[..., 1] + radius) - radius
        strokes = (beside.abs() - gap * width / 2).abs() - width / 2
        return torch.maximum(strokes, -radius - u[..., 1])  # the half circle near the unit

    return distance


def _ring(radius: float, width: float, u: Tensor) -> Tensor:
    return (u.norm(dim=-1) - radius).abs() - width / 2


def _angle(degrees: float, width: float, u: Tensor) -> Tensor:
    return Corner(degrees).distance(u).abs() - width / 2


def _bars(period: float, width: float, u: Tensor) -> Tensor:
    return ((u[..., 1] + period / 2) % period - period / 2).abs() - width / 2


def _pair(gap: float, width: float, u: Tensor) -> Tensor:
    return (u[..., 1].abs() - gap / 2).abs() - width / 2


def _grid(period: float, width: float, u: Tensor) -> Tensor:
    return torch.minimum(_bars(period, width, u), _bars(period, width, u.flip(-1)))


def _bricks(height: float, width: float, u: Tensor) -> Tensor:
    """Courses twice as long as high, every second one shifted by half a brick."""
    odd = torch.floor(u[..., 1] / height + 0.5) % 2
    across = torch.stack([u[..., 1], u[..., 0] + height * odd], dim=-1)
    shifted = torch.stack([u[..., 0], u[..., 1] + height / 2], dim=-1)
    return torch.minimum(_bars(2 * height, width, across), _bars(height, width, shifted))


def _chequers(period: float, u: Tensor) -> Tensor:
    """In [-1, 1]."""
    return (3 * torch.sin(2 * np.pi * u / period).prod(dim=-1)).clamp(-1, 1)


def _waves(period: float, u: Tensor) -> Tensor:
    return (1.5 * torch.sin(2 * np.pi * u[..., 0] / period)).clamp(-1, 1)


def _gray_of(carrier: Callable[[float, Tensor], Tensor], period: float, u: Tensor) -> Tensor:
    return (0.5 + 0.4 * carrier(period, u))[..., None].expand(*u.shape[:-1], 3)


def _high_low(
    carrier: Callable[[float, Tensor], Tensor], high: float, low: float, u: Tensor
) -> Tensor:
    """Fine above the unit, coarse below."""
    fine, coarse = (_gray_of(carrier, period, u) for period in (high, low))
    return torch.where(u[..., 1:] < 0, fine, coarse)


def _eye(radius: float, iris: Tensor, almond: bool, u: Tensor) -> Tensor:
    """A dark middle within a ring, on white within skin: round, or between two lids."""
    skin = torch.tensor([0.80, 0.62, 0.50], dtype=torch.float64)
    from_middle = u.norm(dim=-1)
    white = from_middle - 1.5 * radius
    if almond:
        lids = [
            torch.hypot(u[..., 0], u[..., 1] + side * 2 * radius) - 3 * radius for side in (-1, 1)
        ]
        white = torch.maximum(*lids)
    picture = skin.expand(*u.shape[:-1], 3)
    for distance, colour in (
        (white, _gray(0.95)),
        (from_middle - radius, iris),
        (from_middle - 0.45 * radius, _gray(0.05)),
    ):
        picture = _two(lambda _, d=distance: d, colour, picture, u)
    return picture


def _plain(colour: Tensor, u: Tensor) -> Tensor:
    return colour.expand(*u.shape[:-1], 3)
