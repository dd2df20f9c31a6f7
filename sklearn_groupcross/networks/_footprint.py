"""Derived receptive fields held against the pixels that reach a unit."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np
from numpy.typing import NDArray

from .._ambient import own_state
from ._field import ReceptiveField
from ._measuring import Box, Footprints, Unit, attempts, ends_of, unreached
from ._network import Network


@own_state(gradients=True)
def confirm_receptive_field(
    network: Network, layer: str | None, field: ReceptiveField
) -> dict[Unit, Box]:
    """Compare a derived receptive field with the pixels that gradients reach.

    Gradients run back from units of the map's diagonal, and of some off it. No pixel outside a
    unit's field may have one, and where the field ends inside the image, so must the pixels that
    have one. Every path is made visible: weights count as positive, so that gradients neither
    cancel nor die in a ReLU, and maxima pass gradients to all that they compare. What comes through
    `ReceptiveField.global_context` is held constant: the gates, the keys and values of attention,
    the statistics over positions.

    Parameters
    ----------
    network : Network
    layer : str or None
    field : ReceptiveField
        Of that layer; its `input_size` is the side of the image.

    Returns
    -------
    footprints : dict of (column, row) to Box
        Pixels that reach the first, the middle and the last unit of the diagonal, both ends
        included.

    Raises
    ------
    ValueError
        If they disagree; the message names the unit and both boxes. If no gradient can be taken.

    Examples
    --------
    >>> from sklearn_groupcross import load_network, receptive_field
    >>> from sklearn_groupcross.networks import confirm_receptive_field
    >>> network = load_network("bundled")
    >>> footprints = confirm_receptive_field(network, "relu2", receptive_field(network, "relu2"))
    >>> footprints[24, 24]
    Box(left=41, right=55, top=41, bottom=55)
    """
    layer = network.check_layer(layer)
    columns, rows = field.map_size
    diagonal = [(0, 0), (columns // 2, rows // 2), (columns - 1, rows - 1)]
    units = list(dict.fromkeys([*diagonal, *_other_units(field)]))
    refusal: ValueError | None = None
    global_context = field.global_context
    for found in attempts(network, layer, field.input_size, units, forward_only=not global_context):
        if isinstance(found, ValueError):
            refusal = refusal or found
            continue
        disagreement = _compare(network, layer, field, found)
        if disagreement is None:
            return {unit: found.box(unit) for unit in diagonal if found.touched[unit][0].any()}
        refusal, conclusive = disagreement
        if conclusive:
            break
    assert refusal is not None
    raise refusal


def _other_units(field: ReceptiveField) -> Iterator[Unit]:
    """Units off the diagonal; the outermost whose fields lie in the image; neighbours."""
    (columns, rows), repeats = field.map_size, max(field.repeats)
    yield columns // 4, 3 * rows // 4
    yield 3 * columns // 4, rows // 4
    across, down = field.interior_units()
    if across and down:
        # what is cut off and filled up again on the way is missing here
        yield across[0], down[0]
        yield across[-1], down[-1]
    for step in range(1, max(min(repeats, 16), 2)):
        yield min(columns // 2 + step, columns - 1), min(rows // 2 + step, rows - 1)


def _compare(
    network: Network, layer: str, field: ReceptiveField, found: Footprints
) -> tuple[ValueError, bool] | None:
    """What is wrong with a field, and whether it misses pixels, which is past doubt."""
    small = not found.complete  # what reaches a unit and was not seen is then no surprise
    gaps: dict[tuple[int, int, int], float] = {}
    for unit, touched in found.touched.items():
        expected = [ends_of(field, axis, unit[axis]) for axis in (0, 1)]
        label = (network, layer, unit, found.box(unit), [e for ends in expected for e in ends])
        if not touched[0].any():
            # nothing but padding: right where the field is not all of it in the image
            if not small and not any(_reaches_out(*ends, field) for ends in expected):
                return unreached(network, layer, unit), False
            continue
        for axis, (first, last) in enumerate(expected):
            pixels, wrap = np.flatnonzero(touched[axis]), field.wraps[axis]
            if not _explained(pixels, first, last, field, axis):
                return _disagreement(*label), True
            if small or (wrap and _reaches_out(first, last, field)):
                continue
            for end, edge in enumerate((first, last)):
                # an edge outside the image may have gaps at the border, as behind strides that
                # skip pixels
                if not 0 <= edge <= field.input_size - 1:
                    continue
                gap = abs(float(pixels[-end]) - edge)
                # units that repeat end alike, and one of them at the end of the field
                alike = gaps.setdefault((axis, end, unit[axis] % field.repeats[axis]), gap)
                if abs(gap - alike) >= 1 or (field.repeats[axis] == 1 and gap >= 1):
                    return _disagreement(*label), False
    for axis, end in {key[:2] for key in gaps}:
        if min(gap for key, gap in gaps.items() if key[:2] == (axis, end)) >= 1:
            return _disagreement(*label), False
    return None


def _explained(
    pixels: NDArray[np.int_], first: float, last: float, field: ReceptiveField, axis: int
) -> bool:
    """Whether all pixels lie in a field, or stand for what it sees beside the image."""
    last_pixel, wrap = field.input_size - 1, field.wraps[axis]
    # only what lies beside the image is looked for on its other side
    turns = (0, -1, 1) if wrap and _reaches_out(first, last, field) else (0,)
    around = [pixels + turn * wrap for turn in turns]
    inside = [(first - 1e-6 <= p) & (p <= last + 1e-6) for p in around]
    # padding that mirrors the image, or repeats its border, does so unit by unit
    slack = field.stride[axis] + 1e-6
    for beside, middle in ((first < 0, 0), (last > last_pixel, last_pixel)):
        if beside:
            mirrored = 2 * middle - pixels
            inside.append((first - slack <= mirrored) & (mirrored <= last + slack))
            inside.append(np.abs(pixels - middle) <= field.size[axis] / 2)
    return bool(np.logical_or.reduce(inside).all())


def _reaches_out(first: float, last: float, field: ReceptiveField) -> bool:
    return first < 0 or last > field.input_size - 1


def _disagreement(
    network: Network, layer: str, unit: Unit, found: Box, expected: Sequence[float]
) -> ValueError:
    return ValueError(
        f"The receptive field of layer {layer!r} of {network.name!r} is wrong: gradients of unit "
        f"{unit} (column, row) reach pixels {_as_text(found)}; its field is derived as "
        f"{_as_text(expected)}. Some operation on the way moves or mixes positions in a way that "
        "is not known. Read a layer before it."
    )


def _as_text(box: Sequence[float]) -> str:
    left, right, top, bottom = box
    return f"{left:g} to {right:g} along columns and {top:g} to {bottom:g} along rows"
