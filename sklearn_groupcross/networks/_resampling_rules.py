"""How operations that make maps finer, or sample them anew, move a receptive field."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace
from fractions import Fraction
from typing import Any

from torch import Tensor

from ._places import AxisField, Place, Rule, State


def place_of_map(state: State, value: Any) -> Place | None:
    """Place of a map (n, channels, height, width); None for everything else."""
    place = state(value)
    if isinstance(place, Place) and (place.column_axis, place.row_axis) == (-1, -2):
        return place
    return None


def _finer(axis: AxisField, times: int, first: Fraction, last: Fraction) -> AxisField:
    """Field of units of which `times` come to one of before, unit 0 reading ``first ... last``."""
    return axis._replace(
        first=axis.first + float(first) * axis.stride,
        last=axis.last + float(last) * axis.stride,
        stride=axis.stride / times,
        period=axis.period * times,
    )


def transposed_axis(
    axis: AxisField, kernel: int, stride: int, padding: int, dilation: int
) -> AxisField:
    """Field behind a transposed convolution: unit o reads the units (o + padding - t) / stride.

    t runs over the kernel, 0 ... dilation (kernel - 1); only whole numbers count, so which units
    are read repeats after `stride` units.
    """
    first = Fraction(padding - (kernel - 1) * dilation, stride)
    return _finer(axis, stride, first, Fraction(padding, stride))


def _nearest(axis: AxisField, size: int, new_size: int, scale: float | None) -> AxisField | None:
    finer, coarser = _whole_factors(size, new_size, scale)
    if finer:
        return _finer(axis, finer, -Fraction(finer - 1, finer), Fraction(0))
    return axis.strided(coarser) if coarser else None


def _nearest_exact(
    axis: AxisField, size: int, new_size: int, scale: float | None
) -> AxisField | None:
    _, coarser = _whole_factors(size, new_size, scale)
    if coarser:
        return axis.shifted(coarser // 2).strided(coarser)
    return _nearest(axis, size, new_size, scale)


def _interpolated(
    axis: AxisField, size: int, new_size: int, scale: float | None, reach: int
) -> AxisField | None:
    """Field behind interpolation from the nearest `reach` units on either side."""
    finer, coarser = _whole_factors(size, new_size, scale)
    ratio = Fraction(1, finer) if finer else Fraction(coarser)
    if not ratio:
        return None
    # unit k lies at (k + 1/2) ratio - 1/2 of the map; on a unit it reads that unit alone
    offsets = [(ratio * (2 * k + 1) - 1) / 2 for k in range(finer or 1)]
    ends = []
    for at in offsets:
        whole = at.denominator == 1
        ends.append((at if whole else math.floor(at) - reach + 1) - (at - offsets[0]))
        ends.append((at if whole else math.floor(at) + reach) - (at - offsets[0]))
    if finer:
        return _finer(axis, finer, Fraction(min(ends)), Fraction(max(ends)))
    low, high = axis.shifted(float(min(ends))), axis.shifted(float(max(ends)))
    return low._replace(last=high.last).strided(coarser)


def _whole_factors(size: int, new_size: int, scale: float | None) -> tuple[int, int]:
    """How many units come to one of before, or how many of before to one; zeros if neither."""
    # torch takes a factor that was given as it is, not the ratio of sizes, which are rounded
    factor = Fraction(new_size, size) if not scale else Fraction(scale).limit_denominator(4096)
    if factor.denominator == 1:
        return factor.numerator, 0
    return (0, factor.denominator) if factor.numerator == 1 else (0, 0)


def _resample(kind: str) -> Rule:
    def rule(args: Sequence[Any], state: State, output: Tensor) -> Place | None:
        place, x = place_of_map(state, args[0]), args[0]
        aligned = kind in ("bilinear", "bicubic") and len(args) > 2 and args[2]
        if place is None:
            return None
        if tuple(x.shape[-2:]) == tuple(output.shape[-2:]):
            return place
        if aligned:  # corners on corners: the step is no whole number
            return None
        scales = [a for a in args[2:] if a is None or isinstance(a, float)]
        scales = [*scales, None, None][:2]
        axes = []
        for axis, name in ((-1, "column"), (-2, "row")):
            numbers = (getattr(place, name), x.shape[axis], output.shape[axis], scales[axis])
            if kind == "nearest":
                axes.append(_nearest(*numbers))
            elif kind == "nearest_exact":
                axes.append(_nearest_exact(*numbers))
            else:
                axes.append(_interpolated(*numbers, 1 if kind == "bilinear" else 2))
        column, row = axes
        return None if column is None or row is None else replace(place, column=column, row=row)

    return rule


def _pixel_shuffle(args: Sequence[Any], state: State, output: Tensor) -> Place | None:
    place, times = place_of_map(state, args[0]), args[1]
    if place is None:
        return None
    ends = (times, -Fraction(times - 1, times), Fraction(0))
    return replace(place, column=_finer(place.column, *ends), row=_finer(place.row, *ends))


def _pixel_unshuffle(args: Sequence[Any], state: State, output: Tensor) -> Place | None:
    place, times = place_of_map(state, args[0]), args[1]
    if place is None:
        return None
    column, row = (
        axis._replace(last=axis.shifted(times - 1).last).strided(times)
        for axis in (place.column, place.row)
    )
    return replace(place, column=column, row=row)


RESAMPLING_RULES: dict[str, Rule] = {
    "upsample_nearest2d": _resample("nearest"),
    "_upsample_nearest_exact2d": _resample("nearest_exact"),
    "upsample_bilinear2d": _resample("bilinear"),
    "upsample_bicubic2d": _resample("bicubic"),
    # smoothed before they are sampled: the same only where nothing changes
    **dict.fromkeys(
        ["_upsample_bilinear2d_aa", "_upsample_bicubic2d_aa", "_upsample_lanczos2d_aa"],
        lambda args, state, output: (
            place_of_map(state, args[0]) if args[0].shape[-2:] == output.shape[-2:] else None
        ),
    ),
    "pixel_shuffle": _pixel_shuffle,
    "pixel_unshuffle": _pixel_unshuffle,
}
