"""Poses of a family's members: which the family has, which it lacks, in words."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from ..groups import PlanarGroup, Subgroup

# A list of names for people ends here; the rest is counted.
_LONGEST_LIST = 4
_PLURALS = {
    "line": "lines",
    "grid": "grids",
    "three-fold": "three-fold features",
    "directed": "directed features",
    "round": "round features",
}


class Poses(NamedTuple):
    """Poses of members: the element, similarity with the medoid there, lead over other poses."""

    elements: tuple[int, ...]
    similarities: tuple[float, ...]
    margins: tuple[float, ...]


def measure_poses(
    atoms: NDArray[np.floating], medoid: NDArray[np.floating], stabilizer: Subgroup
) -> Poses:
    """Find the element that carries a medoid to each atom, and how certain that is.

    Parameters
    ----------
    atoms : ndarray of shape (n_members, order, d)
        Unit atoms.
    medoid : ndarray of shape (order, d)
        Unit atom.
    stabilizer : Subgroup
        Of the medoid, K: h and h k carry it to the same place for every k in K.

    Returns
    -------
    poses : Poses
        A margin is the largest cosine ``⟨W, R_h W_medoid⟩`` less the largest one outside the
        coset h K. NaN where K is the whole group.
    """
    group = stabilizer.group
    translates = group.translates(medoid).reshape(group.order, -1)
    correlation = atoms.reshape(len(atoms), -1) @ translates.T
    best = correlation.argmax(axis=1)
    rows = np.arange(len(atoms))[:, None]
    cosets = group.cayley_table[np.ix_(best, np.array(stabilizer.elements))]
    outside = correlation.copy()
    outside[rows, cosets] = -np.inf
    margins = correlation.max(axis=1) - outside.max(axis=1)
    margins[~np.isfinite(margins)] = np.nan
    similarities = np.minimum(correlation.max(axis=1), 1.0)
    return Poses(
        canonical_poses(best, stabilizer), tuple(similarities.tolist()), tuple(margins.tolist())
    )


def canonical_poses(poses: NDArray[np.int64], stabilizer: Subgroup) -> tuple[int, ...]:
    """Name every pose by the smallest element that carries the medoid there.

    ``h`` and ``h k`` do the same to the medoid for every k of its stabilizer.
    """
    alternatives = stabilizer.group.cayley_table[np.ix_(poses, np.array(stabilizer.elements))]
    return tuple(alternatives.min(axis=1).tolist())


def all_poses(stabilizer: Subgroup) -> tuple[int, ...]:
    """Smallest element of every left coset of a stabilizer: the poses that differ."""
    return tuple(coset[0] for coset in stabilizer.group.cosets(stabilizer))


def describe_poses(poses: Sequence[int], stabilizer: Subgroup, kind: str | None = None) -> str:
    """Say which poses there are, such as ``"curves or edges: 0° to 337.5°, missing 90°"``.

    Parameters
    ----------
    poses : sequence of int
        As `canonical_poses` gives them.
    stabilizer : Subgroup
        Of the medoid. Angles are modulo its turns: those of a line end below 180°.
    kind : str, optional
        What the medoid is: a key of `KINDS`.

    Returns
    -------
    description : str
        It ends in ``"complete"`` where no pose is missing.
    """
    every = all_poses(stabilizer)
    present = set(poses)
    group = stabilizer.group
    if isinstance(group, PlanarGroup):
        text = _describe_turns(present, every, group)
    else:
        text = _describe_elements(present, every, stabilizer)
    if len(present) == len(every):
        text += "; complete"
    prefix = _PLURALS.get(kind or "")
    return f"{prefix}: {text}" if prefix else text


def list_elements(elements: Sequence[int], stabilizer: Subgroup) -> str:
    """Names of elements, the first few if there are many; angles in runs if they are turns."""
    group = stabilizer.group
    if not isinstance(group, PlanarGroup):
        names = [group.describe_element(element) for element in elements]
        hidden = len(names) - _LONGEST_LIST
        if hidden > 1:
            names = [*names[:_LONGEST_LIST], f"{hidden} more"]
        return "; ".join(names)
    every, chosen = all_poses(stabilizer), set(elements)
    sheets = []
    for name, sheet in _sheets(every, group):
        steps = [i for i, element in enumerate(sheet) if element in chosen]
        if steps:
            sheets.append(name + _runs(steps, sheet, group))
    return "; ".join(sheets)


def _describe_elements(present: set[int], every: Sequence[int], stabilizer: Subgroup) -> str:
    missing = [pose for pose in every if pose not in present]
    text = f"{len(present)} of {len(every)} poses"
    if not missing:
        return text
    if len(missing) > len(present):
        return f"{text}, only {list_elements(sorted(present), stabilizer)}"
    return f"{text}, missing {list_elements(missing, stabilizer)}"


def _describe_turns(present: set[int], every: Sequence[int], group: PlanarGroup) -> str:
    sheets = []
    for name, sheet in _sheets(every, group):
        steps = [i for i, element in enumerate(sheet) if element in present]
        missing = [i for i in range(len(sheet)) if i not in steps]
        if not steps:
            sheets.append(f"{name}none")
        elif len(missing) > len(steps):
            sheets.append(f"{name}only {_runs(steps, sheet, group)}")
        else:
            text = _span(sheet[0], sheet[-1], group)
            lacking = f", missing {_runs(missing, sheet, group)}" if missing else ""
            sheets.append(f"{name}{text}{lacking}")
    return "; ".join(sheets)


def _sheets(every: Sequence[int], group: PlanarGroup) -> list[tuple[str, list[int]]]:
    """Turns, and turns of the mirror image, which are other poses if no mirror fixes the medoid."""
    mirrored = group.mirrored
    turned = [element for element in every if not mirrored[element]]
    images = [element for element in every if mirrored[element]]
    return [("", turned), ("mirrored ", images)] if images else [("", turned)]


def _runs(steps: Sequence[int], sheet: Sequence[int], group: PlanarGroup) -> str:
    """Angles of some of a sheet's poses, neighbours as ranges; the circle has no end."""
    runs: list[list[int]] = []
    for step in steps:
        if runs and step == runs[-1][1] + 1:
            runs[-1][1] = step
        else:
            runs.append([step, step])
    wraps = len(runs) > 1 and runs[0][0] == 0 and runs[-1][1] == len(sheet) - 1
    if wraps:
        runs[-1][1] = runs.pop(0)[1]
    spans = [_span(sheet[first], sheet[last], group) for first, last in runs]
    hidden = len(spans) - _LONGEST_LIST
    if hidden > 1:
        spans = [*spans[:_LONGEST_LIST], f"{hidden} more"]
    return " and ".join(filter(None, [", ".join(spans[:-1]), spans[-1]]))


def _span(first: int, last: int, group: PlanarGroup) -> str:
    start, end = f"{group.degrees(first):g}°", f"{group.degrees(last):g}°"
    return start if first == last else f"{start} to {end}"
