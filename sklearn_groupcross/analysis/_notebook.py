"""What families and a fitted analysis show in a notebook.

They are `Any` here: these modules import this one.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from .._html import card, wheel

# Families with a wheel of their own.
_MOST_WHEELS = 4
_MOST_LISTED = 16


def family_html(family: Any) -> str:
    """Members, poses and gaps of a family."""
    members = ", ".join(map(str, family.members[:_MOST_LISTED]))
    facts = {
        "poses": family.description,
        "members": members + (", …" if len(family) > _MOST_LISTED else ""),
        "medoid": family.medoid,
        "coverage": f"{family.coverage:.0%}, {len(family.gaps)} gaps",
    }
    title = f"Family {family.label}: {len(family)} features"
    return card(title, facts, _wheel(family, "orange: the medoid; dashed: gaps"))


def families_html(families: Sequence[Any]) -> str:
    """The largest families."""
    n = sum(map(len, families))
    facts = {f"family {family.label}": family.description for family in _largest(families)}
    if len(families) > _MOST_WHEELS:
        facts["others"] = f"{len(families) - _MOST_WHEELS} more"
    return card(f"{len(families)} families of {n} features", facts, *_wheels(families))


def analysis_html(analysis: Any) -> str:
    """Kinds and families of a fitted analyzer."""
    kinds, counts = np.unique(analysis.kinds_.astype(str), return_counts=True)
    by_count = np.argsort(-counts, kind="stable")
    families = analysis.families_
    n_alone = int((analysis.labels_ < 0).sum())
    facts: dict[str, object] = {
        "group": repr(analysis.group_),
        "features": len(analysis.labels_),
        "kinds": ", ".join(f"{counts[i]} {kinds[i]}" for i in by_count),
        "families": f"{len(families)}, and {n_alone} features alone",
    }
    return card("What was found", facts, *_wheels(families))


def _largest(families: Sequence[Any]) -> list[Any]:
    return sorted(families, key=len, reverse=True)[:_MOST_WHEELS]


def _wheels(families: Sequence[Any]) -> list[str]:
    return [
        _wheel(family, f"family {family.label}: {len(family)} features", 96)
        for family in _largest(families)
    ]


def _wheel(family: Any, caption: str, size: int = 132) -> str:
    """Poses of a family; of those that are the same, the smallest element."""
    if family.group is None:
        return ""
    at_medoid = family.poses[family.members.index(family.medoid)]
    roles = {
        **dict.fromkeys(family.gaps, "gap"),
        **dict.fromkeys(family.poses, "member"),
        at_medoid: "medoid",
    }
    return wheel(family.group, roles, caption, size)
