from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import binom

from sklearn_groupcross import Dihedral, GroupCrosscoder, make_orbits
from sklearn_groupcross.analysis import _evidence
from sklearn_groupcross.analysis._evidence import _summarise, gather_evidence, paired_profiles
from sklearn_groupcross.groups._stabilizer import energies_and_minima
from tests.groups.strategies import NON_ABELIAN, groups

GROUP = Dihedral(4)
N_BAGS = 20


def evidence_of(atoms, group, noise, seed=0, weight=None):
    """Evidence as if each of 20 bags saw the atoms with noise of its own."""
    generator = torch.Generator().manual_seed(seed)
    bags = torch.tensor(atoms)[None].repeat(N_BAGS, 1, 1, 1)
    scale = noise * (N_BAGS / atoms[0].size) ** 0.5
    bags += scale * torch.randn(bags.shape, generator=generator, dtype=bags.dtype)
    if weight is not None:
        bags *= torch.tensor(weight)[:, :, None, None]
    weight = np.ones(bags.shape[:2]) if weight is None else weight
    within = np.stack([paired_profiles(bag, bag, group) for bag in bags])
    across = np.stack([paired_profiles(bag, bags.sum(0), group) for bag in bags])
    photographs = 10 * (weight > 0).sum(axis=0)
    return _summarise(group, within, across, weight, photographs, seed=7)


def profiles_of(atoms, group):
    translates = [(atoms * atoms[:, group.right_translation(h)]) for h in range(group.order)]
    profiles = np.stack([t.sum((1, 2)) for t in translates], axis=1)
    return profiles / profiles[:, :1]


@given(groups, st.integers(0, 99))
def test_paired_profiles_equal_the_definition(group, seed):
    left, right = torch.tensor(np.random.default_rng(seed).standard_normal((2, 3, group.order, 2)))
    profile = paired_profiles(left, right, group)
    for h in range(group.order):
        move = torch.tensor(group.right_translation(h).copy())
        expected = ((left * right[:, move]) + (right * left[:, move])).sum(dim=(1, 2)) / 2
        np.testing.assert_allclose(profile[:, h], expected, atol=1e-9)


def test_noise_drops_out_of_energies_and_standard_errors_are_right():
    group = Dihedral(6)
    subgroup = group.generated_subgroup([3])
    options = {"n_families": 300, "closed": False, "stabilizers": subgroup, "n_active": 1}
    atoms = make_orbits(
        1, group=group, n_channels=8, energies=0.7, random_state=0, **options
    ).components.astype(np.float64)
    evidence = evidence_of(atoms, group, noise=0.5)
    which = group.subgroups().index(subgroup)
    energy, errors = evidence.energies[:, which], evidence.standard_errors[:, which]
    assert energy.mean() == pytest.approx(0.7, abs=3 * energy.std() / len(energy) ** 0.5 + 0.002)
    assert errors.mean() == pytest.approx(energy.std(), rel=0.2)
    # the plain cosine of noisy atoms is biased by far more
    rng = np.random.default_rng(0)
    noisy = atoms + 0.5 / atoms[0].size ** 0.5 * rng.standard_normal(atoms.shape)
    plain = energies_and_minima(group, profiles_of(noisy, group))[0][:, which]
    assert plain.mean() < 0.67


@pytest.mark.parametrize("noise", [0.1, 0.4, 0.8])
def test_the_stated_error_rate_holds_for_features_a_margin_below_the_threshold(noise):
    """margin 0: H is false by nothing, and the point estimate alone would err half of the time."""
    group = Dihedral(6)
    subgroup = group.generated_subgroup([3, 6])
    options = {"n_families": 400, "closed": False, "stabilizers": subgroup, "n_active": 1}
    atoms = make_orbits(
        1, group=group, n_channels=8, energies=0.8, smoothness=0.6, random_state=1, **options
    ).components.astype(np.float64)
    true = energies_and_minima(group, profiles_of(atoms, group))[0]
    evidence = evidence_of(atoms, group, noise)
    which = group.subgroups().index(subgroup)
    assert (evidence.energies[:, which] > 0.8).mean() > 0.4
    bounds = evidence.lower_bounds(0.05)
    at_most = binom.ppf(0.999, len(atoms), 0.05) / len(atoms)
    assert (bounds[:, which] > 0.8).mean() <= at_most
    # all bounds at once; 0.02 for a covariance that is known from 20 bags only
    assert (bounds > true + 1e-6).any(axis=1).mean() <= at_most + 0.02
    for margin in (0.0, 0.1):
        named, _ = evidence.name(0.8, margin=margin, error_rate=0.05)
        energy = [true[i, group.subgroups().index(s.subgroup)] for i, s in enumerate(named)]
        assert np.mean(np.array(energy) <= 0.8 - margin) <= at_most


@given(st.sampled_from(NON_ABELIAN), st.data())
def test_clear_symmetries_are_named_with_confidence_and_translation_conjugates_them(group, data):
    chosen = [data.draw(st.sampled_from(group.subgroups())) for _ in range(3)]
    options = {"n_families": 3, "closed": False, "n_active": 1, "n_channels": 40}
    atoms = make_orbits(1, group=group, stabilizers=chosen, random_state=0, **options).components
    h = data.draw(st.integers(0, group.order - 1))
    shifted = 5 * atoms[:, group.right_translation(h)]
    for some, element in ((atoms, 0), (shifted, h)):
        scale = 0.05 * np.linalg.norm(some[0])
        named, confidence = evidence_of(some.astype(np.float64), group, scale).name()
        assert [s.subgroup for s in named] == [s.conjugate(element) for s in chosen]
        assert [s.class_name for s in named] == [s.class_name for s in chosen]
        assert confidence.min() > 0.95


def test_confidence_falls_near_the_threshold():
    half_turn = GROUP.generated_subgroup([2])
    options = {"stabilizers": half_turn, "closed": False, "n_families": 2, "n_active": 1}
    # c(half turn) = 2 E - 1: the second lies on the threshold of the minimum, 0.8
    data = make_orbits(1, group=GROUP, n_channels=40, energies=[1, 0.9], random_state=0, **options)
    _, confidence = evidence_of(data.components.astype(np.float64), GROUP, 0.2).name()
    assert confidence[0] > 0.95
    assert confidence[1] < 0.95


def test_features_without_evidence_say_why():
    atoms = np.random.default_rng(0).standard_normal((4, GROUP.order, 8))
    weight = np.ones((N_BAGS, 4))
    weight[:, 0] = 0
    weight[3:, 1] = 0
    atoms[2] *= 1e-9  # nothing but noise, whose products may be of any sign
    evidence = evidence_of(atoms, GROUP, 0.1, seed=3, weight=weight)
    assert evidence.reasons[0] == "fires on no photograph"
    assert evidence.reasons[1].startswith("fires on 30 photographs, as if in 3.0 of 20 bags")
    named, confidence = evidence.name()
    assert np.isnan(confidence[:2]).all()
    assert np.isfinite(confidence[3])
    assert [s.name for s in named[:2]] == ["C1: none"] * 2


@pytest.fixture(scope="module")
def data():
    return make_orbits(900, group=GROUP, n_channels=16, n_families=3, random_state=5)


@pytest.fixture(scope="module")
def crosscoder(data):
    return GroupCrosscoder(
        group=GROUP, n_features=2 * len(data.components), activation="topk", k=4,
        max_epochs=60, batch_size=64, random_state=0, device="cpu",
    ).fit(data.orbits)  # fmt: skip


@pytest.fixture(scope="module")
def image_ids(data):
    return np.arange(len(data.orbits)) % 90


@pytest.fixture(scope="module")
def evidence(crosscoder, data, image_ids):
    return gather_evidence(crosscoder, data.orbits, image_ids, device="cpu")


def test_evidence_equals_the_direct_refit(crosscoder, data, image_ids, evidence):
    codes = crosscoder.transform(data.orbits)
    residual = data.orbits.reshape(900, -1) - crosscoder.inverse_transform(codes)
    i = int(np.nanargmax(evidence.n_photographs * np.isfinite(evidence.profiles[:, 0])))
    rng = np.random.default_rng(0)
    bag = rng.permutation(np.arange(90) % N_BAGS)[image_ids]
    weighted = codes[:, i : i + 1] * (residual + codes[:, i : i + 1] * crosscoder.components_[i])
    sums = np.stack([weighted[bag == b].sum(0) for b in range(N_BAGS)])
    blocks = sums.reshape(N_BAGS, GROUP.order, -1).astype(np.float64)
    profile = np.zeros(GROUP.order)
    for h in range(GROUP.order):
        moved = blocks[:, GROUP.right_translation(h)]
        products = np.tensordot(blocks, moved, axes=((1, 2), (1, 2)))
        profile[h] = products.sum() - np.trace(products)
    np.testing.assert_allclose(evidence.profiles[i], profile / profile[0], atol=1e-4)
    fired = len(np.unique(image_ids[codes[:, i] > 0]))
    assert evidence.n_photographs[i] == fired


def test_batches_parts_and_memory_maps_change_nothing(
    crosscoder, data, image_ids, evidence, monkeypatch, tmp_path
):
    np.save(tmp_path / "orbits.npy", data.orbits)
    orbits = np.load(tmp_path / "orbits.npy", mmap_mode="r")
    n_columns = crosscoder.components_.shape[1]
    monkeypatch.setattr(_evidence, "_BYTES_OF_SUMS", 4 * n_columns * 5)
    monkeypatch.setattr(_evidence, "_BYTES_A_PASS", 1)
    other = gather_evidence(crosscoder, orbits, image_ids, device="cpu", batch_size=7)
    np.testing.assert_array_equal(other.n_photographs, evidence.n_photographs)
    np.testing.assert_allclose(other.profiles, evidence.profiles, atol=1e-4)
    assert other.reasons == evidence.reasons
    np.testing.assert_allclose(other.name()[1], evidence.name()[1], atol=0.05)


def test_the_same_seed_gives_the_same_bits(crosscoder, data, image_ids, evidence):
    again = gather_evidence(crosscoder, data.orbits, image_ids, device="cpu")
    np.testing.assert_array_equal(again.deviations, evidence.deviations)
    np.testing.assert_array_equal(again.name()[1], evidence.name()[1])


@pytest.mark.cuda
@pytest.mark.skipif(not torch.cuda.is_available(), reason="torch finds no CUDA device")
def test_cuda_gives_the_same_evidence(crosscoder, data, image_ids, evidence):
    other = gather_evidence(crosscoder, data.orbits, image_ids, device="cuda")
    np.testing.assert_allclose(other.profiles, evidence.profiles, atol=1e-3)


def test_a_group_too_large_for_names_is_refused_before_the_work():
    X = np.random.default_rng(0).standard_normal((40, 130)).astype(np.float32)
    crosscoder = GroupCrosscoder(Dihedral(65), 4, max_epochs=1).fit(X)
    with pytest.raises(ValueError, match="groups of at most 128 elements; this one has 130"):
        gather_evidence(crosscoder, None, None)


def test_bad_input_is_refused(crosscoder, data, image_ids, evidence):
    with pytest.raises(ValueError, match=r"each of the 900 samples; got shape \(899,\)"):
        gather_evidence(crosscoder, data.orbits, image_ids[1:])
    with pytest.raises(ValueError, match="n_bags=1 and 1 photographs"):
        gather_evidence(crosscoder, data.orbits, np.zeros(900))
    with pytest.raises(ValueError, match="4 blocks"):
        gather_evidence(crosscoder, data.orbits[:, :4], image_ids)
    broken = data.orbits.copy()
    broken[3, 2, 1] = np.nan
    with pytest.raises(ValueError, match="Input orbits contains NaN"):
        gather_evidence(crosscoder, broken, image_ids, device="cpu")
    with pytest.raises(ValueError, match=r"error_rate lies in \(0, 1\)"):
        evidence.lower_bounds(1.0)
    with pytest.raises(ValueError, match=r"threshold lies in \(0, 1\)"):
        evidence.name(1.0)
    with pytest.raises(ValueError, match=r"margin lies in \[0, threshold\)"):
        evidence.name(0.8, margin=0.8)
