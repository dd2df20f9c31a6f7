from __future__ import annotations

import numpy as np
import pytest

from sklearn_groupcross import Dihedral, SymmetryAnalyzer, make_orbits
from sklearn_groupcross.report._families import describe_families


@pytest.fixture(scope="module")
def planted():
    made = make_orbits(10, group=Dihedral(4), n_families=3, closed=True, random_state=2)
    atoms = made.components.reshape(len(made.components), -1)
    return SymmetryAnalyzer(group=Dihedral(4)).fit(atoms)


def test_every_member_has_a_place_and_every_gap_is_empty(planted):
    families = describe_families(planted, np.ones(len(planted.labels_)))
    assert len(families) == len(planted.families_) > 1
    sizes = [len(family["members"]) for family in families]
    assert sizes == sorted(sizes, reverse=True)
    for family in families:
        slots = family["wheel"]["slots"]
        placed = [member for slot in slots for member in slot["members"]]
        assert sorted(placed) == sorted(family["members"])
        assert sum(not slot["gap"] for slot in slots) == family["n_taken"]
        assert len(family["gaps"]) == family["n_poses"] - family["n_taken"]
        assert len(slots) == family["n_poses"]
        assert family["wheel"]["medoid"]["members"] == [family["medoid"]]
        own = family["similarities"][family["members"].index(family["medoid"])]
        assert own == pytest.approx(1)
        labels = {near["label"] for near in family["near"]}
        assert labels == {other["label"] for other in families} - {family["label"]}


def test_silent_members_keep_their_places(planted):
    whole = planted.families_[0]
    silent = next(member for member in whole.members if member != whole.medoid)
    frequencies = np.ones(len(planted.labels_))
    frequencies[silent] = 0
    described = describe_families(planted, frequencies)
    (family,) = [f for f in described if f["label"] == whole.label]
    assert silent not in family["members"]
    assert len(family["members"]) == len(whole) - 1
    assert family["silent"] == [silent]
    # a pose that a feature has is no gap, whether these inputs make it fire or not
    assert len(family["gaps"]) == len(whole.gaps)
    (slot,) = [slot for slot in family["wheel"]["slots"] if slot["silent"]]
    assert (slot["silent"], slot["members"], slot["gap"]) == ([silent], [], False)
    # of one that fires there is no family
    frequencies[list(whole.members)] = 0
    frequencies[whole.medoid] = 1
    labels = [f["label"] for f in describe_families(planted, frequencies)]
    assert whole.label not in labels
