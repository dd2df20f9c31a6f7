"""Receptive fields by measurement alone: the grid on which what reaches some units lies."""

from __future__ import annotations

import numpy as np

from .._ambient import own_state
from ._field import ReceptiveField
from ._footprint import confirm_receptive_field
from ._measuring import Footprints, attempts, ends_of
from ._network import Network


@own_state(gradients=True)
def measure_field(network: Network, layer: str, input_size: int) -> ReceptiveField:
    """Receptive field of a layer by gradients alone.

    A run of units in the middle says stride, size and after how many units fields repeat; units at
    the corners and elsewhere must agree.

    Raises
    ------
    ValueError
        If units lie on no grid, or none of them sees less than the whole image.
    """
    refusal: ValueError | None = None
    for found in attempts(network, layer, input_size, None):
        if isinstance(found, ValueError):
            refusal = refusal or found
            continue
        try:
            field = _fit(network, layer, input_size, found)
            if found.complete:
                confirm_receptive_field(network, layer, field)
            return field
        except ValueError as error:
            refusal = error
    assert refusal is not None
    raise refusal


def _fit(network: Network, layer: str, input_size: int, found: Footprints) -> ReceptiveField:
    strides, offsets, sizes, repeats = [], [], [], []
    for axis in (0, 1):
        ends: dict[int, set[tuple[int, int]]] = {}
        for unit, touched in found.touched.items():
            pixels = np.flatnonzero(touched[axis])
            if len(pixels) and pixels[0] > 0 and pixels[-1] < input_size - 1:
                ends.setdefault(unit[axis], set()).add((int(pixels[0]), int(pixels[-1])))
        if any(len(pairs) > 1 for pairs in ends.values()):
            raise ValueError("Measured by gradients, its units do not lie in columns and rows.")
        known = {k: next(iter(pairs)) for k, pairs in ends.items()}
        period, step = _period(known)
        stride = step / period
        first = min(low - k * stride for k, (low, _) in known.items())
        last = max(high - k * stride for k, (_, high) in known.items())
        strides.append(stride)
        offsets.append((first + last) / 2)
        sizes.append(int(np.ceil(last - first - 1e-9)) + 1)
        repeats.append(period)
    field = ReceptiveField(
        stride=(strides[0], strides[1]),
        offset=(offsets[0], offsets[1]),
        size=(sizes[0], sizes[1]),
        map_size=found.map_size,
        n_channels=found.n_channels,
        input_size=input_size,
        global_context=found.global_context,
        repeats=(repeats[0], repeats[1]),
        derivation="measured",
    )
    _check_grid(field, found)
    return field


def _check_grid(field: ReceptiveField, found: Footprints) -> None:
    """Hold all units, the border's too, against those of the same kind in the middle.

    Raises
    ------
    ValueError
        If they are not where these say, to the pixel.
    """
    last_pixel = field.input_size - 1
    for axis in (0, 1):
        stride, repeats = field.stride[axis], field.repeats[axis]
        alike: dict[int, set[tuple[float, float]]] = {}
        for wanted_free in (True, False):
            for unit, touched in found.touched.items():
                pixels, k = np.flatnonzero(touched[axis]), unit[axis]
                low, high = (int(pixels[0]), int(pixels[-1])) if len(pixels) else (-1, -1)
                if (low > 0 and high < last_pixel) != wanted_free:
                    continue
                ends = alike.setdefault(k % repeats, set())
                if wanted_free:
                    ends.add((round(low - k * stride, 6), round(high - k * stride, 6)))
                for first, last in ends or {ends_of(field, axis, 0)}:
                    first, last = round(first + k * stride), round(last + k * stride)
                    if not len(pixels):
                        fits = last < 0 or first > last_pixel
                    else:
                        fits = first <= low and high <= last
                        fits &= first < 0 or low == first
                        fits &= last > last_pixel or high == last
                    if not fits:
                        raise ValueError("Measured by gradients, its units lie on no grid.")


def _period(ends: dict[int, tuple[int, int]]) -> tuple[int, int]:
    """After how many units fields repeat, and how many pixels further on.

    Raises
    ------
    ValueError
        If too few units are known, or they never repeat.
    """
    if len(ends) < 2:
        raise ValueError(
            "Measured by gradients, its fields reach to the borders of the image: try a larger "
            "input_size."
        )
    for period in range(1, 7):
        pairs = [(ends[k], ends[k + period]) for k in ends if k + period in ends]
        steps = {b - a for one, other in pairs for a, b in zip(one, other, strict=True)}
        if len(steps) == 1 and (len(pairs) > period or period == 1):
            step = steps.pop()
            if step <= 0:
                break
            return period, step
    raise ValueError("Measured by gradients, neighbouring units do not lie beside one another.")
