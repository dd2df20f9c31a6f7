"""The arrays that a module expects, among all that a checkpoint holds."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

import torch
from torch import Tensor

#: Containers within containers, and containers in all, that are looked into.
_DEPTH, _MOST = 5, 10_000


class _Set(NamedTuple):
    """Arrays of one dict, those whose names begin alike, without that beginning."""

    where: str
    prefix: str
    arrays: dict[str, Tensor]

    def __str__(self) -> str:
        place = f"in {self.where}" if self.where else "at its top"
        return f"{place}, behind {self.prefix!r}" if self.prefix else place


def fitting_state(
    found: Any, expected: Mapping[str, Tensor], optional: tuple[str, ...] = ()
) -> dict[str, Tensor]:
    """Choose the arrays that a module expects, by their names and shapes.

    They may lie in a dict or a list of pairs within others, as under ``"state_dict"`` or
    ``"model"``, beside numbers such as an epoch, and behind a common beginning of their names, such
    as ``"module."``.

    Parameters
    ----------
    found : object
        What a file holds.
    expected : mapping of str to Tensor
        The module's ``state_dict()``.
    optional : tuple of str
        Beginnings of names of arrays that may be there and are not needed.

    Raises
    ------
    ValueError
        If no set of arrays fits, or several different ones do; the sentence goes on from the
        file's name.
    """
    sets = [
        one for where, arrays in _dicts_of_arrays(found) for one in _behind(where, arrays, expected)
    ]
    if not sets:
        raise ValueError(f"holds {_describe(found)}, and no arrays with names")
    misfits = [_misfit(one.arrays, expected, optional) for one in sets]
    fitting = [one for one, misfit in zip(sets, misfits, strict=True) if not misfit]
    if not fitting:
        nearest = min(
            range(len(sets)), key=lambda i: sum(k not in sets[i].arrays for k in expected)
        )
        one = sets[nearest]
        place = f" ({one})" if one.where or one.prefix else ""
        raise ValueError(f"does not fit{place}: {'; '.join(misfits[nearest])}")
    first = {key: fitting[0].arrays[key] for key in expected}
    for other in fitting[1:]:
        if not all(torch.equal(first[key], other.arrays[key]) for key in expected):
            raise ValueError(
                f"holds several sets of weights that fit and differ ({fitting[0]}; {other}): save "
                "one of them to a file of its own"
            )
    return first


def _dicts_of_arrays(found: Any) -> Iterator[tuple[str, dict[str, Tensor]]]:
    waiting: list[tuple[str, Any, int]] = [("", found, 0)]
    seen: set[int] = set()
    while waiting:
        where, value, depth = waiting.pop(0)
        if id(value) in seen or depth > _DEPTH or len(seen) > _MOST:
            continue
        if _is_pairs(value):
            value = dict(value)
        if isinstance(value, dict):
            seen.add(id(value))
            # of the type, since a file may put anything in the place of a method of the object
            items = list(dict.items(value))
            arrays = {k: v for k, v in items if isinstance(k, str) and isinstance(v, Tensor)}
            if arrays:
                yield where, arrays
        elif isinstance(value, list | tuple):
            seen.add(id(value))
            items = list(enumerate(value))
        else:
            continue
        for key, inner in items:
            if isinstance(inner, dict | list | tuple):
                waiting.append((f"{where}[{key!r}]", inner, depth + 1))


def _is_pairs(value: Any) -> bool:
    return isinstance(value, list) and all(
        isinstance(pair, tuple)
        and len(pair) == 2
        and isinstance(pair[0], str)
        and isinstance(pair[1], Tensor)
        for pair in value
    )


def _behind(
    where: str, arrays: dict[str, Tensor], expected: Mapping[str, Tensor]
) -> Iterator[_Set]:
    """Arrays as they are, and without each beginning that the first expected name stands behind."""
    yield _Set(where, "", arrays)
    known = next(iter(expected))
    for name in arrays:
        if name.endswith(f".{known}"):
            prefix = name.removesuffix(known)
            yield _Set(
                where,
                prefix,
                {k.removeprefix(prefix): v for k, v in arrays.items() if k.startswith(prefix)},
            )


def _misfit(
    arrays: dict[str, Tensor], expected: Mapping[str, Tensor], optional: tuple[str, ...]
) -> list[str]:
    missing = [key for key in expected if key not in arrays]
    unknown = [key for key in arrays if key not in expected and not key.startswith(optional)]
    details = []
    if missing:
        details.append(f"{len(missing)} arrays are missing ({missing[0]}, ...)")
    if unknown:
        details.append(f"{len(unknown)} are unknown ({unknown[0]}, ...)")
    for key, wanted in expected.items():
        if key in arrays and (said := _difference(arrays[key], wanted)):
            details.append(f"{key} {said}")
            break
    return details


def _difference(array: Tensor, wanted: Tensor) -> str | None:
    if array.shape != wanted.shape:
        return f"has shape {tuple(array.shape)} instead of {tuple(wanted.shape)}"
    plain = array.layout == torch.strided and not array.is_quantized and not array.is_meta
    if not plain or array.is_floating_point() != wanted.is_floating_point() or array.is_complex():
        kind = str(array.dtype).removeprefix("torch.")
        return f"is of {kind} instead of {str(wanted.dtype).removeprefix('torch.')}"
    if array.is_floating_point() and not torch.isfinite(array).all():
        return "holds NaN or infinity"
    return None


def _describe(found: Any) -> str:
    if isinstance(found, dict):
        names = ", ".join(repr(key)[:40] for key in list(dict.keys(found))[:4])
        return f"a dict with {names or 'nothing'}"
    if isinstance(found, list | tuple):
        return f"a {type(found).__name__} of {len(found)}"
    return f"a {type(found).__name__}"
