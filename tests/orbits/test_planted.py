from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sklearn_groupcross import Dihedral, make_orbits
from sklearn_groupcross.groups import Alternating
from tests.groups.strategies import groups


@given(groups, st.integers(0, 1000))
def test_planted_atoms_have_the_stated_stabilizers_and_families(group, seed):
    data = make_orbits(3, group=group, n_channels=16, n_families=2, random_state=seed)
    for atom, family, stabilizer in zip(
        data.components, data.families, data.stabilizers, strict=True
    ):
        for h in range(group.order):
            translated = atom[group.right_translation(h)]
            cosine = (data.components * translated).sum((1, 2))
            # a translate is again a planted atom, of the same family ...
            assert cosine.max() == pytest.approx(1, abs=1e-5)
            assert data.families[cosine.argmax()] == family
            # ... and the same atom for the elements of the stabilizer alone
            assert (h in stabilizer) == bool((translated * atom).sum() > 1 - 1e-5)


def test_a_dictionary_that_is_not_closed_has_one_atom_a_family():
    data = make_orbits(3, group=Alternating(4), n_families=5, closed=False, random_state=0)
    assert data.families.tolist() == [0, 1, 2, 3, 4]


def test_orbits_are_sparse_sums_with_noise():
    options = {"group": Dihedral(3), "n_active": 2, "random_state": 0}
    clean = make_orbits(50, noise=0.0, **options)
    sums = np.einsum("nm,mgd->ngd", clean.codes, clean.components)
    np.testing.assert_allclose(clean.orbits, sums, atol=1e-5)
    assert ((clean.codes > 0).sum(1) == 2).all()
    noisy = make_orbits(50, noise=0.5, **options)
    ratio = (noisy.orbits - clean.orbits).std() / clean.orbits.std()
    assert ratio == pytest.approx(0.5, abs=0.05)


def test_the_same_seed_gives_the_same_data():
    first, second = (make_orbits(5, group=Dihedral(3), random_state=3).orbits for _ in range(2))
    np.testing.assert_array_equal(first, second)
