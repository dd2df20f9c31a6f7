"""Where in an image orbits are read."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from .._ambient import warn_caller
from .._integers import check_integer
from ..actions import PositionedAction
from ..networks import ReceptiveField
from ._reader import exact_reach

#: What `OrbitDataset` calls ``sampling``.
SAMPLINGS = ("disk", "energy", "center", "grid")
DEFAULT_POSITIONS = 80
# Of so many positions for every one that is wanted, "energy" chooses.
_CANDIDATES = 4


def allot_positions(
    sampling: str, n_positions: int | None, max_samples: int | None, n_images: int, n_units: int
) -> NDArray[np.int64]:
    """Settle how many positions every image gets.

    Parameters
    ----------
    sampling : {"disk", "energy", "center", "grid"}
    n_positions : int or None
        Budget of an image.
    max_samples : int or None
        Budget of all images together, shared out evenly; the first images get what is left over.
    n_images : int
    n_units : int
        Units of the grid within the radius.

    Returns
    -------
    counts : ndarray of shape (n_images,), int64

    Raises
    ------
    TypeError
        If a budget is no whole number.
    ValueError
        If a budget is below 1, or the sampling cannot give so many positions.

    Warns
    -----
    UserWarning
        If the budget of all leaves some images without any.
    """
    if sampling not in SAMPLINGS:
        raise ValueError(f"sampling is one of {', '.join(SAMPLINGS)}; got {sampling!r}.")
    for name, budget in (("n_positions", n_positions), ("max_samples", max_samples)):
        if budget is not None:
            check_integer(name, budget, 1)
    most = {"center": 1, "grid": n_units}.get(sampling)
    if n_positions is None:
        n_positions = DEFAULT_POSITIONS if most is None else most
    if most is not None and n_positions > most:
        raise ValueError(
            f"sampling={sampling!r} gives at most {most} "
            f"position{'' if most == 1 else 's'} an image within the radius; "
            f"got n_positions={n_positions}."
        )
    if n_positions == 0:
        raise ValueError("No unit of the layer lies within the radius: give a larger radius.")
    counts = np.full(n_images, n_positions, dtype=np.int64)
    if max_samples is not None and counts.sum() > max_samples:
        each, left_over = divmod(max_samples, n_images)
        counts[:] = each
        counts[:left_over] += 1
        if each == 0:
            warn_caller(
                f"max_samples={max_samples} is fewer than the {n_images} images: the last "
                f"{n_images - left_over} give no orbits. Leave them out, or give a larger budget.",
                UserWarning,
            )
    return counts


def generator_of_image(seed: int, image_id: int) -> np.random.Generator:
    """Every image has a generator of its own: its positions do not depend on those beside it."""
    return np.random.default_rng((seed, image_id))


def draw_from_disk(n_positions: int, radius: float, rng: np.random.Generator) -> Tensor:
    """Draw positions uniformly from a disk about the image centre.

    They are continuous: on the layer's grid the identity block would be read at a unit and the
    others between units, which alone makes its norm larger.

    Returns
    -------
    positions : Tensor of shape (n_positions, 2), float32
        (column, row) in pixels from the image centre.
    """
    distance = radius * np.sqrt(rng.random(n_positions))
    angle = 2 * math.pi * rng.random(n_positions)
    positions = np.stack([distance * np.cos(angle), distance * np.sin(angle)], axis=1)
    return torch.from_numpy(positions.astype(np.float32))


def n_candidates(n_positions: int) -> int:
    """How many positions `choose_by_energy` wants to choose from."""
    return _CANDIDATES * n_positions


def choose_by_energy(orbits: Tensor, n_positions: int, rng: np.random.Generator) -> Tensor:
    """Choose orbits without replacement, with probability by their mean activation norm.

    The mean is over all blocks. By the identity block alone, an orbit that happens to be strong
    there would be chosen for it, and the identity block would come out larger than the rest.

    Parameters
    ----------
    orbits : Tensor of shape (n_candidates, order, n_channels)

    Returns
    -------
    chosen : Tensor of shape (n_positions,), int64
        Increasing.
    """
    energy = orbits.double().norm(dim=2).mean(dim=1).cpu().numpy()
    # Gumbel's trick draws without replacement, and an orbit of zeros only when nothing else is left
    with np.errstate(divide="ignore"):
        keys = np.log(energy) + rng.gumbel(size=len(energy))
    chosen = np.argsort(-keys, kind="stable")[:n_positions]
    return torch.from_numpy(np.sort(chosen))


def grid_positions(field: ReceptiveField, radius: float) -> Tensor:
    """Centres of the layer's units within a disk, row by row, of shape (n, 2)."""
    center = (field.input_size - 1) / 2
    columns, rows = (
        np.arange(n) * stride + offset - center
        for n, stride, offset in zip(field.map_size, field.stride, field.offset, strict=True)
    )
    grid = np.stack(np.meshgrid(columns, rows), axis=-1).reshape(-1, 2)
    inside = np.hypot(*grid.T) <= radius
    return torch.from_numpy(grid[inside].astype(np.float32))


def choose_units(units: Tensor, n_positions: int, rng: np.random.Generator) -> Tensor:
    """Draw some of the grid's units without replacement, in the grid's order."""
    chosen = np.sort(rng.permutation(len(units))[:n_positions])
    return units[torch.from_numpy(chosen)]


def resolve_radius(
    radius: float | None,
    fields: Sequence[ReceptiveField],
    action: PositionedAction,
    interpolation: str,
    source_size: int,
    sampling: str = "disk",
) -> float:
    """Radius of the disk in which positions lie: the given one, checked, or the largest valid one.

    Parameters
    ----------
    radius : float or None
        In pixels.
    fields : sequence of ReceptiveField
        Of all layers that are read.
    action : PositionedAction
    interpolation : {"bilinear", "exact"}
    source_size : int
        Side of the images before they are turned, in pixels.
    sampling : {"disk", "energy", "center", "grid"}, default="disk"
        At the centre, a mask need not leave room for other fields.

    Returns
    -------
    radius : float

    Raises
    ------
    ValueError
        If readings at that radius would look beyond the image, or even those at its centre would;
        if no radius is given and a mask hides some of what a reading at the centre sees.
    """
    largest = min(_largest_radius(field, action, interpolation, source_size) for field in fields)
    if radius is None:
        if largest < 0 and sampling != "center":
            size = max(max(field.size) for field in fields)
            visible = action.visible_radius(fields[0].input_size)
            raise ValueError(
                f"The mask shows {visible:g} px about the image centre, and readings of fields of "
                f"{size} px do not fit into that: give a larger mask_radius or input_size, an "
                "earlier layer, or a radius if fields may reach beyond the mask."
            )
        return max(0.0, largest)
    half = fields[0].input_size / 2
    if not 0 <= radius <= half:
        raise ValueError(
            f"The radius lies between 0 and half the input, {half:g} px; got {radius}."
        )
    if interpolation == "exact" and radius > largest:
        raise ValueError(
            f"Exact readings {radius:g} px from the centre look beyond the image: the radius is "
            f"at most {largest:.1f} px."
        )
    return float(radius)


def _largest_radius(
    field: ReceptiveField, action: PositionedAction, interpolation: str, source_size: int
) -> float:
    visible = action.visible_radius(field.input_size)
    if interpolation != "exact":
        # a reading looks at the four units around it
        reach = math.hypot(
            *(
                (size - 1) / 2 + stride
                for size, stride in zip(field.size, field.stride, strict=True)
            )
        )
        return min(field.interior_radius(), visible - reach)
    if math.isfinite(visible):
        raise ValueError(
            "A mask lies about the image centre, and exact readings cut patches about other "
            "positions: use interpolation='bilinear', or no mask."
        )
    largest = (source_size - 1) / 2 - exact_reach(field)
    if largest < 0:
        raise ValueError(
            f"Fields of {field.size[0]} px do not fit into images of {source_size} px under every "
            "turn: use interpolation='bilinear'."
        )
    return largest


def warn_of_padding(
    layers: Sequence[str], fields: Sequence[ReceptiveField], interpolation: str, radius: float
) -> None:
    """Warn if readings within the default radius see the padding of the network."""
    for layer, field in zip(layers, fields, strict=True):
        columns, rows = field.interior_units()
        # a patch of the size of the input is as good as the image, where a unit fits into it
        fits = bool(columns and rows) if interpolation == "exact" else field.has_interior
        if not fits:
            warn_caller(
                f"The fields of layer {layer!r}, {field.size[0]} px wide, do not fit into images "
                f"of {field.input_size} px: readings up to {radius:.1f} px from the centre see the "
                "network's padding. Read an earlier layer or give a larger input_size; a radius "
                "says that you want this.",
                UserWarning,
            )
            return


def row_starts(counts: Sequence[int] | NDArray[np.int64]) -> NDArray[np.int64]:
    """First row of every image, and the number of rows at the end, of shape (n_images + 1,)."""
    return np.concatenate([[0], np.cumsum(counts)])
