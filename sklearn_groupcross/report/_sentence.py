"""What was found, in a sentence that one person can tell another."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

_PLURALS = {"line": "lines", "grid": "grids"}


def what_was_found(
    n_features: int, families: list[dict[str, Any]], found_again: NDArray[np.floating]
) -> str:
    """Tell of families, the largest, one without gaps, and how much other seeds found again.

    Parameters
    ----------
    n_features : int
        That fire.
    families : list of dict
        As `describe_families` gives them, the largest first, with ``main_kind``.
    found_again : ndarray of shape (n_features,)
        NaN where it was not measured.

    Returns
    -------
    sentence : str
        Such as ``"43 families; 17 directed features in 16 of 32 poses; …"``.
    """
    # features that are alike in one pose are not one another's transforms
    families = [family for family in families if family["n_taken"] > 1]
    if not families:
        parts = [f"{n_features} features, of which no two are one another's transforms"]
    else:
        n = len(families)
        in_families = sum(len(family["members"]) for family in families)
        parts = [
            f"{n} {'family' if n == 1 else 'families'} of features that are one another's "
            f"transforms, {in_families} of {n_features} features in all"
        ]
        largest = families[0]
        parts.append(
            f"the largest has {_counted(_size(largest), largest['main_kind'])} in "
            f"{largest['n_taken']} of {largest['n_poses']} poses"
        )
        whole = [f for f in families if 2 < f["n_poses"] == f["n_taken"] and f is not largest]
        if whole:
            most = max(whole, key=lambda family: family["n_poses"])
            parts.append(
                f"one of {_counted(_size(most), most['main_kind'])} has all {most['n_poses']}"
            )
    known = found_again[np.isfinite(found_again)]
    if len(known):
        parts.append(f"{known.mean():.0%} of features found again by another seed")
    return "; ".join(parts).replace("%", " %") + "."


def _size(family: dict[str, Any]) -> int:
    return len(family["members"]) + len(family["silent"])


def _counted(n: int, kind: str) -> str:
    if n == 1 and kind in _PLURALS:
        return f"1 {kind}"
    return f"{n} {_PLURALS.get(kind, f'{kind} features' if kind != 'other' else 'features')}"
