from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sklearn_groupcross import Dihedral, Trivial, make_orbits
from sklearn_groupcross.groups import Symmetric
from sklearn_groupcross.orbits import _dictionary
from sklearn_groupcross.testing import groups as groups_of
from tests.groups.strategies import NON_ABELIAN

seeds = st.integers(0, 1000)


small_non_abelian = groups_of(abelian=False, max_order=24)


class TestStabilizers:
    @given(small_non_abelian, seeds)
    def test_free_families_have_as_many_members_as_the_group(self, group, seed):
        data = make_orbits(2, group=group, n_families=2, stabilizers="trivial", random_state=seed)
        assert np.bincount(data.families).tolist() == [group.order] * 2
        flat = data.components.reshape(len(data.components), -1)
        assert (flat @ flat.T - np.eye(len(flat))).max() < 0.99
        assert {subgroup.order for subgroup in data.stabilizers} == {1}

    @given(st.data(), st.sampled_from(NON_ABELIAN), seeds)
    def test_one_subgroup_a_family(self, data, group, seed):
        chosen = [data.draw(st.sampled_from(group.subgroups())) for _ in range(3)]
        planted = make_orbits(
            2, group=group, n_families=3, n_active=1, stabilizers=chosen, random_state=seed
        )
        for family, subgroup in enumerate(chosen):
            members = np.flatnonzero(planted.families == family)
            assert len(members) == group.order // subgroup.order
            assert planted.stabilizers[members[0]] == subgroup
            first = planted.components[members[0]]
            for h in range(group.order):
                fixed = np.allclose(first[group.right_translation(h)], first, atol=1e-6)
                assert fixed == (h in subgroup)

    def test_one_subgroup_for_all_families(self):
        group = Dihedral(4)
        half_turn = group.generated_subgroup([2])
        data = make_orbits(2, group=group, n_families=3, stabilizers=half_turn)
        assert len(data.components) == 12
        # the half turn commutes with everything: its conjugates are itself
        assert data.stabilizers == [half_turn] * 12

    def test_free_families_need_no_list_of_all_subgroups(self):
        data = make_orbits(2, group=Dihedral(65), n_families=1, stabilizers="trivial")
        assert len(data.components) == 130

    def test_the_setting_of_the_recovery_benchmark(self):
        group = Dihedral(8)
        options = {"n_channels": 64, "n_active": 16, "stabilizers": "trivial", "random_state": 0}
        closed = make_orbits(100, group=group, n_families=16, **options)
        assert closed.components.shape == (256, 16, 64)
        unclosed = make_orbits(100, group=group, n_families=256, closed=False, **options)
        assert unclosed.components.shape == (256, 16, 64)
        assert ((unclosed.codes > 0).sum(axis=1) == 16).all()


class TestFrequencies:
    def test_odds_of_single_atoms_are_the_power_law(self):
        options = {"group": Trivial(), "n_families": 6, "n_active": 1, "random_state": 0}
        codes = make_orbits(20_000, frequencies=1.5, **options).codes
        expected = np.arange(1, 7) ** -1.5
        np.testing.assert_allclose((codes > 0).mean(axis=0), expected / expected.sum(), atol=0.015)

    def test_two_atoms_are_drawn_one_after_the_other(self):
        options = {"group": Trivial(), "n_families": 3, "n_active": 2, "random_state": 0}
        codes = make_orbits(20_000, frequencies=1.0, **options).codes
        odds = np.array([1, 1 / 2, 1 / 3]) / (11 / 6)
        left_out = [
            odds[j] * odds[k] / (1 - odds[j]) + odds[k] * odds[j] / (1 - odds[k])
            for j, k in ((1, 2), (0, 2), (0, 1))
        ]
        np.testing.assert_allclose((codes == 0).mean(axis=0), left_out, atol=0.015)

    def test_members_of_a_family_share_their_frequency(self):
        data = make_orbits(
            20_000,
            group=Symmetric(3),
            n_families=3,
            n_channels=4,
            n_active=2,
            stabilizers="trivial",
            frequencies=1.0,
            random_state=0,
        )
        active = (data.codes > 0).mean(axis=0)
        means = [active[data.families == family].mean() for family in range(3)]
        np.testing.assert_allclose(active, np.repeat(means, 6), atol=0.015)
        assert means[0] > 1.5 * means[1] > 1.5 * means[2]

    def test_uniform_is_the_exponent_zero(self):
        options = {"group": Dihedral(3), "stabilizers": "trivial", "random_state": 0}
        uniform, zero = (make_orbits(5_000, frequencies=f, **options) for f in ("uniform", 0.0))
        np.testing.assert_array_equal(uniform.orbits, zero.orbits)
        np.testing.assert_allclose((uniform.codes > 0).mean(axis=0), 4 / 24, atol=0.03)


class TestNearMisses:
    @given(st.sampled_from(NON_ABELIAN), st.data(), st.floats(0.05, 0.95), seeds)
    def test_the_subgroup_fixes_the_stated_share_exactly(self, group, data, energy, seed):
        chosen = data.draw(st.sampled_from(group.subgroups()[1:]))
        planted = make_orbits(
            2, group=group, n_families=2, stabilizers=chosen, energies=[energy, 1], n_active=1,
            smoothness=0.7, random_state=seed,
        )  # fmt: skip
        for atom, subgroup, share in zip(
            planted.components, planted.subgroups, planted.energies, strict=True
        ):
            fixed = np.mean([atom[group.right_translation(h)] for h in subgroup.elements], axis=0)
            assert (fixed**2).sum() == pytest.approx(share, abs=1e-5)
        near = planted.families == 0
        assert near.sum() == group.order
        assert {s.order for s, n in zip(planted.stabilizers, near, strict=True) if n} == {1}
        assert planted.stabilizers[group.order] == chosen

    def test_smooth_atoms_change_little_at_the_smallest_turn(self):
        group = Dihedral(12)
        options = {"stabilizers": "trivial", "n_families": 20, "closed": False}
        cosines = []
        for smoothness in (0.0, 0.8, 1.6):
            atoms = make_orbits(
                1, group=group, smoothness=smoothness, random_state=0, **options
            ).components
            cosines.append((atoms * atoms[:, group.right_translation(1)]).sum((1, 2)).mean())
        assert abs(cosines[0]) < 0.1
        assert 0.5 < cosines[1] < 0.8 < cosines[2]

    @given(small_non_abelian)
    def test_smoothing_commutes_with_both_translations(self, group):
        matrix = _dictionary.diffusion(group, 0.8)
        np.testing.assert_allclose(matrix.sum(axis=1), 1)
        for h in range(group.order):
            for move in (group.right_translation(h), group.left_translation(h)):
                np.testing.assert_allclose(matrix[np.ix_(move, move)], matrix, atol=1e-9)

    @pytest.mark.parametrize(
        ("options", "message"),
        [
            ({"energies": 0.0}, "'energies' parameter"),
            ({"energies": [0.5, 2.0]}, r"shares in \(0, 1\]; got \[0.5, 2.0\]"),
            ({"energies": [0.5]}, "energies has 1 numbers and n_families=2"),
            ({"smoothness": [1.0] * 3}, "smoothness has 3 numbers and n_families=2"),
            ({"smoothness": -1.0}, "'smoothness' parameter"),
            ({"energies": 0.5, "stabilizers": "trivial"}, "Family 0 .* the trivial subgroup"),
        ],
    )
    def test_bad_input(self, options, message):
        with pytest.raises(ValueError, match=message):
            make_orbits(group=Dihedral(3), n_families=2, **options)
