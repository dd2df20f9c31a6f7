from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sklearn_groupcross import Cyclic, Dihedral, FiniteGroup, Trivial, make_orbits
from sklearn_groupcross.groups import Alternating, Quaternion, Subgroup, Symmetric
from sklearn_groupcross.orbits import _dictionary
from sklearn_groupcross.testing import groups as groups_of
from tests.groups.strategies import GROUPS
from tests.tolerances import assert_near

seeds = st.integers(0, 1000)


small_non_abelian = groups_of(abelian=False, max_order=24)


def is_closed(atoms: np.ndarray, group: FiniteGroup) -> bool:
    """Whether every right translation only permutes the atoms."""
    flat = atoms.reshape(len(atoms), -1)
    for h in range(group.order):
        moved = atoms[:, group.right_translation(h)].reshape(len(atoms), -1)
        nearest = (moved @ flat.T).argmax(axis=1)  # unit atoms: the largest cosine
        if len(set(nearest)) < len(atoms) or not np.allclose(flat[nearest], moved, atol=1e-5):
            return False
    return True


@given(GROUPS, seeds)
def test_planted_atoms_have_the_stated_stabilizers_and_families(group, seed):
    data = make_orbits(3, group=group, n_channels=16, n_families=2, n_active=1, random_state=seed)
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


@given(small_non_abelian, seeds, st.sampled_from(["linear", "network"]))
def test_a_closed_dictionary_is_closed_as_a_set(group, seed, observation):
    data = make_orbits(
        20, group=group, n_channels=8, n_active=1, observation=observation, random_state=seed
    )
    assert is_closed(data.components, group)


def test_a_dictionary_that_is_not_closed_has_one_atom_a_family():
    group = Alternating(4)
    data = make_orbits(
        3, group=group, n_families=5, closed=False, stabilizers="trivial", random_state=0
    )
    assert data.families.tolist() == [0, 1, 2, 3, 4]
    assert not is_closed(data.components, group)


def test_orbits_are_sparse_sums_with_noise():
    options = {"group": Dihedral(3), "n_active": 2, "random_state": 0}
    clean = make_orbits(50, noise=0.0, **options)
    sums = np.einsum("nm,mgd->ngd", clean.codes, clean.components, dtype=np.float64)
    assert_near(clean.orbits, sums, 2)
    assert ((clean.codes > 0).sum(1) == 2).all()
    assert clean.codes[clean.codes > 0].min() >= 1
    noisy = make_orbits(50, noise=0.5, **options)
    np.testing.assert_array_equal(noisy.codes, clean.codes)
    ratio = (noisy.orbits - clean.orbits).std() / clean.orbits.std()
    assert ratio == pytest.approx(0.5, abs=0.05)


def test_what_comes_back():
    group = Dihedral(4)
    data = make_orbits(7, group=group, n_channels=5, n_active=2, random_state=0)
    assert data.orbits.shape == (7, 8, 5)
    assert data.group == group
    assert {data[name].dtype.name for name in ("orbits", "components", "codes")} == {"float32"}
    assert_near(np.square(data.components).sum((1, 2)), np.ones(len(data.components)), 8 * 5)
    assert "mixing" not in data


@pytest.mark.parametrize("observation", ["linear", "network"])
def test_the_same_seed_gives_the_same_data(observation):
    options = {"group": Dihedral(3), "observation": observation, "frequencies": 0.5}
    first, second, other = (make_orbits(5, random_state=s, **options) for s in (3, 3, 4))
    for name in ("orbits", "components", "codes"):
        np.testing.assert_array_equal(first[name], second[name])
        assert not np.array_equal(first[name], other[name])


def test_planted_atoms_depend_on_neither_samples_nor_noise_nor_observation():
    options = {"group": Alternating(4), "random_state": 1}
    first = make_orbits(5, **options)
    other = make_orbits(9, noise=0.3, n_active=2, observation="network", **options)
    np.testing.assert_array_equal(first.components, other.latent_components)
    assert first.stabilizers == other.stabilizers


@pytest.mark.parametrize("observation", ["linear", "network"])
def test_chunks_change_nothing(monkeypatch, observation):
    options = {"group": Symmetric(3), "observation": observation, "random_state": 0, "noise": 0.0}
    whole = make_orbits(50, **options)
    monkeypatch.setattr(_dictionary, "CHUNK_SIZE", 7 * 6 * 32)
    pieces = make_orbits(50, **options)
    # sums of 4 atoms, which the network mixes: 32 channels
    assert_near(pieces.orbits, whole.orbits, 4 + 32)
    noisy = make_orbits(50, **{**options, "noise": 0.5})
    assert (noisy.orbits != pieces.orbits).any(axis=(1, 2)).all()


class TestNetwork:
    @given(small_non_abelian, seeds, st.data())
    def test_the_network_commutes_with_right_translation(self, group, seed, data):
        planted = make_orbits(
            5,
            group=group,
            n_channels=9,
            n_latent=6,
            n_active=1,
            noise=0.0,
            observation="network",
            random_state=seed,
        )
        latent = np.einsum("nm,mgd->ngd", planted.codes, planted.latent_components)

        def observe(blocks):
            return np.maximum(blocks @ planted.mixing.T + planted.bias, 0)

        np.testing.assert_allclose(observe(latent), planted.orbits, atol=1e-5)
        h = data.draw(st.integers(0, group.order - 1))
        permutation = group.right_translation(h)
        np.testing.assert_allclose(
            observe(latent[:, permutation]), planted.orbits[:, permutation], atol=1e-5
        )

    def test_a_bias_of_its_own_for_every_block_does_not_commute(self):
        """What the test above must be able to see."""
        group = Symmetric(3)
        rng = np.random.default_rng(0)
        latent, bias = rng.standard_normal((5, 6, 4)), rng.standard_normal((6, 4))
        permutation = group.right_translation(3)
        permuted = np.maximum(latent[:, permutation] + bias, 0)
        assert not np.allclose(permuted, np.maximum(latent + bias, 0)[:, permutation])

    def test_activations_are_never_negative_and_about_half_are_zero(self):
        data = make_orbits(500, group=Dihedral(4), observation="network", noise=0.2, random_state=0)
        assert data.orbits.min() == 0
        assert 0.3 < (data.orbits == 0).mean() < 0.7

    def test_latent_channels(self):
        options = {"group": Dihedral(3), "n_channels": 12, "random_state": 0}
        data = make_orbits(5, observation="network", n_latent=20, **options)
        assert data.orbits.shape == (5, 6, 12)
        assert data.latent_components.shape[1:] == (6, 20)
        assert data.components.shape[1:] == (6, 12)
        assert data.mixing.shape == (12, 20)
        assert data.bias.shape == (12,)
        assert make_orbits(5, observation="network", **options).mixing.shape == (12, 12)

    def test_components_are_near_the_best_linear_dictionary_and_it_is_not_exact(self):
        data = make_orbits(
            5_000,
            group=Dihedral(4),
            n_families=8,
            n_active=8,
            noise=0.0,
            observation="network",
            stabilizers="trivial",
            random_state=0,
        )
        X = data.orbits.reshape(5_000, -1)
        codes = np.column_stack([data.codes, np.ones(len(X))])
        best = np.linalg.lstsq(codes, X, rcond=None)[0]
        residual = np.square(X - codes @ best).sum() / np.square(X - X.mean(axis=0)).sum()
        assert 0.05 < residual < 0.3
        best = best[:-1] / np.linalg.norm(best[:-1], axis=1, keepdims=True)

        def mean_cosine(atoms):
            flat = atoms.reshape(len(atoms), -1)
            return ((flat / np.linalg.norm(flat, axis=1, keepdims=True)) * best).sum(1).mean()

        assert mean_cosine(data.components) > 0.9
        # the slopes matter
        assert (
            mean_cosine(data.components)
            > mean_cosine(data.latent_components @ data.mixing.T) + 0.05
        )

    def test_a_network_that_is_silent_gives_no_nan(self):
        for seed in range(10):
            data = make_orbits(
                1,
                group=Trivial(),
                n_channels=1,
                n_families=1,
                n_active=1,
                observation="network",
                random_state=seed,
            )
            assert np.isfinite(data.components).all()


class TestBadInput:
    @pytest.mark.parametrize(
        "options",
        [
            {"n_samples": 0},
            {"group": 8},
            {"n_channels": 0},
            {"n_families": 0},
            {"n_active": 0},
            {"noise": -0.1},
            {"stabilizers": "none"},
            {"frequencies": "zipf"},
            {"frequencies": -1.0},
            {"observation": "relu"},
            {"n_latent": 0},
            {"random_state": "seed"},
        ],
    )
    def test_parameters_out_of_range(self, options):
        name, value = next(iter(options.items()))
        message = f"'{name}' parameter of make_orbits must be .* Got {value!r}"
        with pytest.raises(ValueError, match=message):
            make_orbits(**{"group": Dihedral(3), **options})

    def test_groups_that_nothing_is_named(self):
        with pytest.raises(ValueError, match="Unknown group 'D8': expected .* 'dihedral:N'"):
            make_orbits(group="D8")

    def test_more_active_atoms_than_there_are(self):
        with pytest.raises(ValueError, match=r"n_active=4 .* dictionary of 3: 3 families"):
            make_orbits(group=Dihedral(3), n_families=3, closed=False)

    def test_stabilizers_of_another_group(self):
        message = r"must be subgroups of group=Dihedral\(3\); got <Subgroup of Cyclic\(6\)"
        with pytest.raises(ValueError, match=message):
            make_orbits(group=Dihedral(3), stabilizers=Cyclic(6).subgroups()[1])
        with pytest.raises(ValueError, match=r"must be subgroups .* got 'trivial'"):
            make_orbits(group=Dihedral(3), n_families=1, stabilizers=["trivial"])

    def test_stabilizers_that_are_not_closed(self):
        group = Quaternion()
        with pytest.raises(ValueError, match=r"\(0, 3\) are not closed .*generated_subgroup"):
            make_orbits(group=group, stabilizers=Subgroup(group, (0, 3)))

    def test_not_one_stabilizer_a_family(self):
        group = Dihedral(3)
        with pytest.raises(ValueError, match="has 6 subgroups and n_families=4"):
            make_orbits(group=group, stabilizers=group.subgroups())

    def test_random_stabilizers_of_a_large_group(self):
        with pytest.raises(ValueError, match=r"at most 128 .*has 130.*stabilizers='trivial'"):
            make_orbits(group=Dihedral(65))

    def test_latent_channels_of_nothing(self):
        with pytest.raises(ValueError, match=r"n_latent=8 .* observation='network'"):
            make_orbits(group=Dihedral(3), n_latent=8)
