"""Short names for the candidates of a search, from the parameters in which they differ."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from numbers import Integral, Real
from typing import Any

from ..crosscoder import GroupCrosscoder, sparsity_parameter

_SYMBOLS = {"l1": "λ"}


def name_candidates(
    candidates: Sequence[Mapping[str, Any]], label: str
) -> tuple[list[str], list[str]]:
    """Names of points, from the numbers that vary, and labels of lines, from all else."""
    keys = list(dict.fromkeys(key for candidate in candidates for key in candidate))
    varied = [key for key in keys if len({repr(c.get(key)) for c in candidates}) > 1]
    numbers = [key for key in varied if all(_is_number(c[key]) for c in candidates if key in c)]
    names = [_join(_name(key, c[key]) for key in numbers if key in c) for c in candidates]
    labels = [
        _join([label, *(_name(key, c[key]) for key in varied if key not in numbers and key in c)])
        for c in candidates
    ]
    return names, labels


def name_sparsity(crosscoder: GroupCrosscoder) -> str:
    """Name and value of the parameter that decides how sparse codes are, of a fitted crosscoder."""
    parameter = sparsity_parameter(crosscoder)
    # of the weights: parameters may have been left to the estimator, or set since
    return _name(parameter, crosscoder.k_ if parameter == "k" else crosscoder.l1_)


def _name(key: str, value: Any) -> str:
    if isinstance(value, str):
        return value
    parameter = key.rsplit("__", 1)[-1]
    is_decimal = _is_number(value) and not isinstance(value, Integral)
    return f"{_SYMBOLS.get(parameter, parameter)}={f'{value:.2g}' if is_decimal else value}"


def _is_number(value: Any) -> bool:
    return isinstance(value, Real) and not isinstance(value, bool)


def _join(words: Iterable[str]) -> str:
    return ", ".join(word for word in words if word)
