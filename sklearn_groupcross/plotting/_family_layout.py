"""Where the poses of a family stand: around a circle for turns, in rows for other groups."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from ..groups import FiniteGroup, PlanarGroup, Subgroup, as_group

# The largest diameter of a slot, and what part of the room between neighbours it fills.
_LARGEST, _FILL = 0.6, 0.93


@dataclass(frozen=True)
class Slot:
    """A place in the picture, for one pose.

    Attributes
    ----------
    x, y : float
        Centre.
    diameter : float
    name : str
        The pose in words.
    name_at : tuple of float
        Where the name is written.
    """

    x: float
    y: float
    diameter: float
    name: str
    name_at: tuple[float, float]


@dataclass(frozen=True)
class Layout:
    """Places of all poses, by their smallest element.

    Attributes
    ----------
    slots : dict of int to Slot
    medoid : Slot or None
        The middle of a wheel.
    extent : tuple of float
        Left, right, bottom, top.
    caption : str
        How to read it.
    """

    slots: dict[int, Slot]
    medoid: Slot | None
    extent: tuple[float, float, float, float]
    caption: str


def lay_out_family(
    group: FiniteGroup | str,
    poses: Sequence[int],
    stabilizer: Subgroup,
    *,
    n_names: int = 36,
    n_columns: int | None = None,
) -> Layout:
    """Place the poses of a family.

    Parameters
    ----------
    group : FiniteGroup or str
    poses : sequence of int
        The smallest element of every left coset of `stabilizer`.
    stabilizer : Subgroup
        Of the medoid.
    n_names : int, default=36
        Around a circle, at most: more angles would lie on each other.
    n_columns : int, optional
        Of other groups. Default: so many that the picture is wider than high.

    Returns
    -------
    layout : Layout
    """
    group = as_group(group)
    if isinstance(group, PlanarGroup) and group.n_turns >= 3:
        return _wheel(group, poses, stabilizer, n_names)
    return _grid(group, poses, n_columns or default_columns(len(poses)))


def _wheel(group: PlanarGroup, poses: Sequence[int], stabilizer: Subgroup, n_names: int) -> Layout:
    """Turns on a circle, mirrored poses on a smaller one; once round is what the medoid allows."""
    n_fixed = sum(not group.mirrored[g] for g in stabilizer.elements)
    n_around = group.n_turns // n_fixed
    period = 360 / n_fixed
    chord = 2 * np.sin(np.pi / n_around) if n_around > 1 else 2.0
    outer = min(_LARGEST, _FILL * chord)
    has_inner = any(group.mirrored[pose] for pose in poses)
    radius, free = 1.0, 1.0 - 0.5 * outer
    inner = 0.0
    if has_inner:
        # the largest circle of slots that leaves the outer ones free
        radius = (1 - 0.55 * outer) / (1 + 0.55 * _FILL * chord)
        inner = min(_LARGEST, _FILL * chord * radius)
        radius = 1 - 0.5 * outer - 0.6 * inner
        free = radius - 0.5 * inner
    names = max(1, -(-n_around // n_names))
    slots = {}
    for pose in poses:
        degrees = group.degrees(pose) % period
        angle = 2 * np.pi * degrees / period
        # upright at the top, then counter-clockwise, as images turn
        away = np.array([-np.sin(angle), np.cos(angle)])
        is_mirrored = bool(group.mirrored[pose])
        x, y = away * (radius if is_mirrored else 1.0)
        is_named = not is_mirrored and round(degrees * group.n_turns / 360) % names == 0
        name_x, name_y = away * (1 + 0.5 * outer + 0.16)
        slots[int(pose)] = Slot(
            x=float(x),
            y=float(y),
            diameter=inner if is_mirrored else outer,
            name=f"{degrees:.5g}°" if is_named else "",
            name_at=(float(name_x), float(name_y)),
        )
    side = 1 + 0.5 * outer + 0.3
    caption = "around: the turn that carries the medoid there"
    if n_fixed > 1:
        caption += f"; once round is {period:g}°, which leaves the medoid as it is"
    if has_inner:
        caption += "; inner ring: mirrored, then turned"
    return Layout(
        slots,
        Slot(0.0, 0.0, min(0.6, 1.5 * free), "", (0.0, 0.0)),
        (-side, side, -side, side),
        caption,
    )


def default_columns(n_poses: int) -> int:
    """How many places a row has, where names are short."""
    return max(2, int(np.ceil(np.sqrt(1.6 * n_poses))))


def _grid(group: FiniteGroup, poses: Sequence[int], n_columns: int) -> Layout:
    slots = {}
    for i, pose in enumerate(poses):
        x, y = float(i % n_columns), -1.25 * (i // n_columns)
        slots[int(pose)] = Slot(x, y, 0.84, group.describe_element(pose), (x, y - 0.6))
    n_rows = -(-len(poses) // n_columns)
    extent = (-0.6, n_columns - 0.4, -1.25 * (n_rows - 1) - 0.85, 0.55)
    return Layout(
        slots, None, extent, "below each place: the element that carries the medoid there"
    )
