"""A group as the page needs it: its elements in words, and along which lines they are drawn."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..groups import DirectProduct, FiniteGroup, PlanarGroup, Subgroup


def describe_group(group: FiniteGroup, turns_the_plane: bool) -> dict[str, Any]:
    """Describe a group.

    Parameters
    ----------
    group : FiniteGroup
    turns_the_plane : bool
        Whether turns are told in degrees, where the group has any.
    """
    planar = group if turns_the_plane and isinstance(group, PlanarGroup) else None
    elements = range(group.order)
    return {
        "name": repr(group),
        "order": group.order,
        "elements": [group.describe_element(g) for g in elements],
        "turns": 0 if planar is None else planar.n_turns,
        "degrees": None if planar is None else [planar.degrees(g) for g in elements],
        "mirrored": None if planar is None else [int(m) for m in planar.mirrored],
        "axes": axes_of(group, turns_the_plane),
    }


def axes_of(group: FiniteGroup, turns_the_plane: bool = True) -> list[dict[str, Any]]:
    """Lines through the identity along which something that depends on elements is drawn.

    One for the turns of a planar group, with a curve of its own for mirrored ones; one for each
    factor of a product; else one through all elements.

    Parameters
    ----------
    group : FiniteGroup
    turns_the_plane : bool, default=True
        See `describe_group`.
    """
    if isinstance(group.unnamed, DirectProduct):
        product = group.unnamed
        lines = []
        for factor, stride in ((product.left, product.right.order), (product.right, 1)):
            for axis in axes_of(factor, turns_the_plane):
                curves = [[g * stride for g in curve] for curve in axis["elements"]]
                lines.append({**axis, "elements": curves})
        return lines
    if turns_the_plane and isinstance(group, PlanarGroup) and group.order > 1:
        n = group.n_turns
        curves, names = [list(range(n))], ["turned"]
        if group.has_mirrors:
            curves.append(list(range(n, 2 * n)))
            names.append("mirrored, then turned")
        labels = [f"{group.degrees(g):g}°" for g in range(n)]
        return [{"name": "turn", "labels": labels, "elements": curves, "curves": names}]
    if group.order == 1:
        return []
    labels = [group.describe_element(g) for g in range(group.order)]
    elements = [list(range(group.order))]
    return [{"name": "element", "labels": labels, "elements": elements, "curves": [""]}]


def plainest(
    group: FiniteGroup,
    elements: NDArray[np.integer],
    after: Sequence[Subgroup],
    before: Sequence[Subgroup],
) -> NDArray[np.int64]:
    """Of all elements that carry one feature to another, the one that is told most easily.

    If h carries the second to the first, so does t·h·s for every t that leaves the first as it is
    and every s that leaves the second: a line that is turned by 270° and mirrored is one that is
    turned by 90°. Turns come before mirrored turns, small ones before large ones.

    Parameters
    ----------
    group : FiniteGroup
    elements : ndarray of shape (n,)
    after, before : sequence of Subgroup, of length n
        What leaves the first and the second of each pair as it is.

    Returns
    -------
    plainest : ndarray of shape (n,), int64
    """
    if isinstance(group, PlanarGroup):
        turns = np.minimum(group.turns, group.n_turns - group.turns)
        order = np.lexsort((group.turns, turns, group.mirrored))
    else:
        order = np.arange(group.order)
    rank = np.empty(group.order, dtype=np.int64)
    rank[order] = np.arange(group.order)
    known: dict[tuple[Any, ...], int] = {}
    found = np.empty(len(elements), dtype=np.int64)
    table = group.cayley_table
    for i, (h, left, right) in enumerate(zip(elements, after, before, strict=True)):
        key = (int(h), left.elements, right.elements)
        if key not in known:
            first = table[np.array(left.elements), int(h)]
            moved = table[np.ix_(first, np.array(right.elements))]
            known[key] = int(order[rank[moved].min()])
        found[i] = known[key]
    return found


def in_ranges(
    group: FiniteGroup, elements: Sequence[int], turns_the_plane: bool
) -> list[list[str]]:
    """Elements in words, turned and mirrored ones apart, neighbours as ranges.

    Returns
    -------
    lines : list of [name, text]
    """
    if not (turns_the_plane and isinstance(group, PlanarGroup)):
        words = "; ".join(group.describe_element(int(g)) for g in elements)
        return [["elements", words]] if words else []
    lines = []
    for name, mirrored in (("turned", False), ("mirrored, then turned", True)):
        turns = sorted(int(group.turns[g]) for g in elements if group.mirrored[g] == mirrored)
        runs: list[list[int]] = []
        for turn in turns:
            if runs and turn == runs[-1][-1] + 1:
                runs[-1].append(turn)
            else:
                runs.append([turn])
        parts = [
            " to ".join(f"{360 * turn / group.n_turns:g}°" for turn in dict.fromkeys([r[0], r[-1]]))
            for r in runs
        ]
        if parts:
            lines.append([name, ", ".join(parts)])
    return lines
