from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sklearn_groupcross import Dihedral, make_orbits
from sklearn_groupcross.analysis._signatures import (
    find_flat_profiles,
    find_partners,
    find_unaligned_blocks,
)
from sklearn_groupcross.analysis._spectra import self_profiles
from sklearn_groupcross.groups import RotationGroup
from tests.analysis.planted import units

GROUP = Dihedral(4)
GROUPS = [Dihedral(8), RotationGroup("octahedral")]


@pytest.mark.parametrize("group", GROUPS, ids=repr)
def test_other_names_for_the_elements_are_no_wrong_order(group):
    """Left translation renames blocks and keeps every relation under right translation."""
    planted = make_orbits(2, group=group, n_families=5, n_active=1, random_state=3)
    atoms = units(planted.components[:, group.left_translation(3)])
    assert find_partners(atoms, group).share > 0.9
    assert find_unaligned_blocks(atoms, group) is None


def test_atoms_that_everything_fixes_are_not_asked_for_partners():
    """Shuffled they are as near to one another as before, and would hide what the others have."""
    group = GROUPS[0]
    planted = make_orbits(2, group=group, n_families=5, n_active=1, random_state=3)
    atoms = units(planted.components)
    changing = atoms[group.order * np.square(atoms.mean(axis=1)).sum(axis=1) < 0.8]
    round_ones = units(np.repeat(np.ones((12, 1, atoms.shape[2])), group.order, axis=1))
    both = find_partners(np.concatenate([changing, round_ones]), group)
    assert both.share == find_partners(changing, group).share > 0.5
    assert find_partners(round_ones, group) is None


@given(st.integers(0, 100))
def test_flatness_is_the_share_that_the_group_fixes(seed):
    rng = np.random.default_rng(seed)
    atoms = units(rng.standard_normal((7, 8, 3)) + 3 * rng.standard_normal((7, 1, 3)))
    projected = np.square(atoms.mean(axis=1, keepdims=True)).sum(axis=(1, 2)) * GROUP.order
    finding = find_flat_profiles(self_profiles(atoms, GROUP), threshold=1e-9)
    assert finding.value == pytest.approx(np.median(projected), abs=1e-6)
