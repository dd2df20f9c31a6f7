"""Families as the page shows them: members by pose on a wheel, gaps, and what is near."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..analysis import Family, SymmetryAnalyzer
from ..plotting import Slot, lay_out_family
from ._group_words import in_ranges

_N_NEAR = 4


def describe_families(
    analysis: SymmetryAnalyzer, frequencies: NDArray[np.floating]
) -> list[dict[str, Any]]:
    """Describe the families of which two features or more fire.

    Members that do not fire are in their places, but not among those that are shown: a pose that
    they take is no gap.

    Parameters
    ----------
    analysis : SymmetryAnalyzer
        Fitted.
    frequencies : ndarray of shape (n_atoms,)
        0 for features that are left out.

    Returns
    -------
    families : list of dict
        The largest first.
    """
    described, medoids = [], []
    for family in analysis.families_:
        firing = [i for i, member in enumerate(family.members) if frequencies[member] > 0]
        if len(firing) >= 2:
            described.append(_describe(analysis, family, firing))
            medoids.append(family.medoid)
    _add_near(analysis, described, medoids)
    return sorted(described, key=lambda family: -len(family["members"]))


def _describe(analysis: SymmetryAnalyzer, family: Family, firing: list[int]) -> dict[str, Any]:
    members = [family.members[i] for i in firing]
    poses = [family.poses[i] for i in firing]
    similarities = [family.similarities[i] for i in firing]
    names, counts = np.unique(analysis.kinds_[members].astype(str), return_counts=True)
    by_count = np.argsort(-counts, kind="stable")
    stabilizer = analysis.atom_stabilizers_[family.medoid]
    smallest = {
        element: coset[0]
        for coset in analysis.group_.cosets(stabilizer.subgroup)
        for element in coset
    }
    at: dict[int, list[int]] = {}
    # the medoid is shown rather than others of its pose
    for i in np.argsort(np.array(members) != family.medoid, kind="stable"):
        at.setdefault(smallest[int(poses[i])], []).append(members[i])
    silent: dict[int, list[int]] = {}
    for member, pose in zip(family.members, family.poses, strict=True):
        if member not in members:
            silent.setdefault(smallest[int(pose)], []).append(int(member))
    all_poses = sorted(set(smallest.values()))
    layout = lay_out_family(analysis.group_, all_poses, stabilizer.subgroup)
    gaps = [pose for pose in all_poses if pose not in at and pose not in silent]
    found_again = float(analysis.found_again_[members].mean())
    return {
        "label": family.label,
        "medoid": family.medoid,
        "members": members,
        "silent": sorted(member for there in silent.values() for member in there),
        "poses": list(poses),
        "similarities": [round(float(s), 3) for s in similarities],
        "gaps": gaps,
        "gap_words": in_ranges(analysis.group_, gaps, analysis.kind_words != "group"),
        "n_poses": len(all_poses),
        "n_taken": len(all_poses) - len(gaps),
        "description": family.description,
        "symmetry": stabilizer.name,
        "main_kind": str(names[by_count[0]]),
        "kinds": ", ".join(f"{counts[i]} {names[i]}" for i in by_count),
        "found_again": found_again,
        "spread": float(1 - np.mean(similarities)),
        "near": [],
        "wheel": {
            "extent": list(layout.extent),
            "caption": layout.caption,
            "medoid": None
            if layout.medoid is None or family.medoid not in members
            else _slot(layout.medoid, [family.medoid], []),
            "slots": [
                _slot(slot, at.get(pose, []), silent.get(pose, []))
                for pose, slot in layout.slots.items()
            ],
        },
    }


def _slot(slot: Slot, members: list[int], silent: list[int]) -> dict[str, Any]:
    return {
        "x": round(slot.x, 4),
        "y": round(slot.y, 4),
        "diameter": round(slot.diameter, 4),
        "name": slot.name,
        "name_at": [round(at, 4) for at in slot.name_at],
        "members": members,
        "silent": silent,
        "gap": not members and not silent,
    }


def _add_near(
    analysis: SymmetryAnalyzer, described: list[dict[str, Any]], medoids: list[int]
) -> None:
    """Add which families' medoids are nearest, where all distances are there."""
    if not hasattr(analysis, "distances_"):
        return
    distances = analysis.distances_[np.ix_(medoids, medoids)]
    for i, family in enumerate(described):
        by_distance = [j for j in np.argsort(distances[i], kind="stable") if j != i]
        family["near"] = [
            {"label": described[j]["label"], "distance": round(float(distances[i, j]), 3)}
            for j in by_distance[:_N_NEAR]
        ]
