"""Probes: step edges, corners, arcs and disks, drawn under every element of a planar group."""

from __future__ import annotations

import math
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from .._ambient import own_state
from .._device import resolve_device
from ..actions import ImageAction
from ..groups import FiniteGroup, as_group
from ..networks import Network, receptive_field
from ._reader import interpolate_map


class Shape(Protocol):
    """A part of the plane, known by the distance from its border."""

    def distance(self, points: Tensor) -> Tensor:
        """Signed distance in pixels from the border, negative within the shape.

        Parameters
        ----------
        points : Tensor of shape (..., 2)
            (column, row) in pixels from the point that the probe is drawn about.

        Returns
        -------
        distance : Tensor of shape (...)
            Exact near the border; elsewhere only its sign counts.
        """
        ...


@dataclass(frozen=True)
class Edge:
    """The half of the plane above a horizontal line, which passes through the point."""

    def distance(self, points: Tensor) -> Tensor:
        """Signed distance from the border; see `Shape`.

        Parameters
        ----------
        points : Tensor of shape (..., 2)

        Returns
        -------
        distance : Tensor of shape (...,)
        """
        return points[..., 1]


@dataclass(frozen=True)
class Corner:
    """A filled wedge with its tip at the point, opening upwards.

    Parameters
    ----------
    degrees : float
        Between its sides, in (0, 180).
    """

    degrees: float

    def __post_init__(self) -> None:
        if not 0 < self.degrees < 180:
            raise ValueError(f"A corner opens by more than 0° and less than 180°; got {self}.")

    def distance(self, points: Tensor) -> Tensor:
        """Signed distance from the border; see `Shape`.

        Parameters
        ----------
        points : Tensor of shape (..., 2)

        Returns
        -------
        distance : Tensor of shape (...,)
        """
        half = math.radians(self.degrees) / 2
        across, along = points[..., 0].abs(), -points[..., 1]
        return across * math.cos(half) - along * math.sin(half)


@dataclass(frozen=True)
class Arc:
    """A circular stroke that passes through the point, its centre straight above.

    Parameters
    ----------
    radius : float
        Pixels from the centre to the middle of the stroke.
    width : float
        Of the stroke, in pixels; less than the radius.
    """

    radius: float
    width: float

    def __post_init__(self) -> None:
        if not 0 < self.width < self.radius:
            raise ValueError(f"An arc has 0 < width < radius; got {self}.")

    def distance(self, points: Tensor) -> Tensor:
        """Signed distance from the border; see `Shape`.

        Parameters
        ----------
        points : Tensor of shape (..., 2)

        Returns
        -------
        distance : Tensor of shape (...,)
        """
        from_center = torch.hypot(points[..., 0], points[..., 1] + self.radius)
        stroke = (from_center - self.radius).abs() - self.width / 2
        # the half circle nearest to the point: a whole circle would come back into the picture
        return torch.maximum(stroke, -self.radius - points[..., 1])


@dataclass(frozen=True)
class Disk:
    """A filled disk whose border passes through the point, its centre straight above.

    Parameters
    ----------
    radius : float
        In pixels.
    """

    radius: float

    def __post_init__(self) -> None:
        if not self.radius > 0:
            raise ValueError(f"A disk has a positive radius; got {self}.")

    def distance(self, points: Tensor) -> Tensor:
        """Signed distance from the border; see `Shape`.

        Parameters
        ----------
        points : Tensor of shape (..., 2)

        Returns
        -------
        distance : Tensor of shape (...,)
        """
        return torch.hypot(points[..., 0], points[..., 1] + self.radius) - self.radius


@own_state()
def draw_probe(
    shape: Shape,
    group: FiniteGroup | str,
    size: int,
    *,
    at: tuple[float, float] = (0.0, 0.0),
    foreground: float = 1.0,
    background: float = 0.5,
) -> Tensor:
    """Draw a shape under every element of a group.

    A shape is a function of the plane, so ``(g·x)(u) = x(g⁻¹u)`` is computed at the pixels
    themselves: nothing is interpolated, no corners of a turned picture show, and orientations that
    differ by an element of the square's group differ by a rearrangement of pixels (if `at` is a
    pixel or a corner of one, and up to the picture's frame).

    Parameters
    ----------
    shape : Shape
        `Edge`, `Corner`, `Arc`, `Disk`, or anything with their method.
    group : PlanarGroup or str
        ``Cyclic(32)`` gives 32 orientations.
    size : int
        Side of the pictures in pixels.
    at : (float, float), default=(0.0, 0.0)
        The point that the shape is drawn and turned about, (column, row) in pixels from the centre
        of the picture: where the unit looks that is to be probed.
    foreground, background : float, default=1.0, 0.5
        Grey of the shape and of the rest, in [0, 1].

    Returns
    -------
    images : Tensor of shape (order, 3, size, size), float32
        RGB. Borders are antialiased over one pixel.

    Raises
    ------
    ValueError
        If a grey value lies outside [0, 1] or the size is not positive.

    Examples
    --------
    >>> from sklearn_groupcross import Cyclic
    >>> from sklearn_groupcross.orbits import Arc, draw_probe
    >>> draw_probe(Arc(radius=12, width=4), Cyclic(32), 92).shape
    torch.Size([32, 3, 92, 92])
    """
    if size < 1 or not (0 <= foreground <= 1 and 0 <= background <= 1):
        raise ValueError(
            "A probe has a size of 1 px or more, and greys from 0 to 1; got "
            f"size={size}, foreground={foreground:g}, background={background:g}."
        )
    wide: dict[str, Any] = {"dtype": torch.float64, "device": "cpu"}
    pixels = torch.arange(size, **wide) - (size - 1) / 2
    rows, columns = torch.meshgrid(pixels, pixels, indexing="ij")
    points = torch.stack([columns, rows], dim=-1) - torch.tensor(at, **wide)
    matrices = ImageAction(group).matrices
    # a row times g is the column g⁻¹u: the inverse of an orthogonal matrix is its transpose
    moved = points @ matrices[:, None]
    coverage = (0.5 - shape.distance(moved)).clamp(0, 1)
    gray = background + (foreground - background) * coverage
    return gray.to(torch.float32)[:, None].expand(-1, 3, -1, -1).contiguous()


@own_state()
def probe_orbits(
    shapes: Sequence[Shape],
    network: Network,
    group: FiniteGroup | str,
    *,
    layer: str | None = None,
    n_positions: int = 8,
    foreground: float = 1.0,
    background: float = 0.5,
    device: str | torch.device = "auto",
    random_state: int = 0,
) -> NDArray[np.float32]:
    """Orbits of a network's activations over drawn shapes.

    Each shape is drawn about some positions between units, under every element of the group, and
    read there by bilinear interpolation, like the orbits of images. Over many positions, what
    the grid of units and pools does to one of them averages out.

    Parameters
    ----------
    shapes : sequence of Shape
    network : Network
    group : PlanarGroup or str
        Not necessarily that of a crosscoder: its `encode` reads blocks one by one.
    layer : str, optional
        Default: the network's default layer.
    n_positions : int, default=8
        Drawn uniformly between four neighbouring units.
    foreground, background : float, default=1.0, 0.5
        Grey of the shapes and of the rest; see `draw_probe`.
    device : str or torch.device, default="auto"
    random_state : int, default=0
        Of the positions, which are the same for all shapes.

    Returns
    -------
    orbits : ndarray of shape (n_shapes, n_positions, order, n_channels)

    Raises
    ------
    ValueError
        If there is no such layer, or no position.

    Examples
    --------
    >>> from sklearn_groupcross import Cyclic, load_network
    >>> from sklearn_groupcross.orbits import Corner, Edge, probe_orbits
    >>> network = load_network("bundled")
    >>> probe_orbits([Edge(), Corner(90)], network, Cyclic(4), n_positions=3).shape
    (2, 3, 4, 96)
    """
    if n_positions < 1:
        raise ValueError(f"Probes are drawn at 1 position or more; got {n_positions}.")
    layer, group = network.check_layer(layer), as_group(group)
    network.to(resolve_device(device))
    field = receptive_field(network, layer)
    if not field.global_context:  # a patch in which four units see no padding is enough
        side = field.smallest_input()[0] + math.ceil(max(field.stride))
        with suppress(ValueError):  # of a network that reads images of one size
            field = receptive_field(network, layer, min(side, field.input_size))
    corner = torch.tensor(field.smallest_input()[1], dtype=torch.float64, device="cpu")
    within = np.random.default_rng(random_state).random((n_positions, 2))
    positions = field.to_positions(corner + torch.from_numpy(within))
    orbits = np.empty((len(shapes), n_positions, group.order, field.n_channels), dtype=np.float32)
    for i, shape in enumerate(shapes):
        for j, position in enumerate(positions):
            images = draw_probe(
                shape,
                group,
                field.input_size,
                at=(float(position[0]), float(position[1])),
                foreground=foreground,
                background=background,
            )
            # grey, in as many channels as the network's images have
            images = images[:, :1].expand(-1, network.n_channels, -1, -1).contiguous()
            maps = network.activations(images.to(network.device), layer)
            field.check_map(maps, layer)
            units = field.to_units(position).to(maps).expand(group.order, 1, 2)
            orbits[i, j] = interpolate_map(maps, units)[:, 0].cpu().numpy()
    return orbits
