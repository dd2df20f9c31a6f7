from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from sklearn_groupcross import Dihedral, GroupCrosscoder, make_orbits
from sklearn_groupcross.analysis import _bounds, _jackknife
from sklearn_groupcross.analysis._jackknife import PairedProfiles, gather_evidence
from tests.analysis.test_evidence import evidence_of
from tests.groups.strategies import GROUPS

GROUP = Dihedral(4)
N_BAGS = 20


@given(GROUPS, st.integers(0, 99), st.sampled_from([1, 2**21]))
def test_paired_profiles_equal_the_definition(group, seed, n_bytes):
    left, right = torch.tensor(np.random.default_rng(seed).standard_normal((2, 3, group.order, 2)))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(_jackknife, "_CHUNK_BYTES", n_bytes)
        within, across = PairedProfiles(right.flatten(1), group)(left.flatten(1))
    for h in range(group.order):
        move = torch.tensor(group.right_translation(h).copy())
        for profile, other in ((within, left), (across, right)):
            expected = ((left * other[:, move]) + (other * left[:, move])).sum(dim=(1, 2)) / 2
            np.testing.assert_allclose(profile[:, h], expected, atol=1e-9)


def test_features_without_evidence_say_why():
    atoms = np.random.default_rng(0).standard_normal((4, GROUP.order, 8))
    weight = np.ones((N_BAGS, 4))
    weight[:, 0] = 0
    weight[3:, 1] = 0
    atoms[2] *= 1e-9  # nothing but noise, whose products may be of any sign
    evidence = evidence_of(atoms, GROUP, 0.1, seed=3, weight=weight)
    assert evidence.reasons[0] == "fires on no image"
    assert evidence.reasons[1].startswith("fires on 30 images, as if in 3.0 of 20 bags")
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
    i = int(np.nanargmax(evidence.n_images * np.isfinite(evidence.profiles[:, 0])))
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
    assert evidence.n_images[i] == fired


def test_batches_parts_and_memory_maps_change_nothing(
    crosscoder, data, image_ids, evidence, monkeypatch, tmp_path
):
    np.save(tmp_path / "orbits.npy", data.orbits)
    orbits = np.load(tmp_path / "orbits.npy", mmap_mode="r")
    n_columns = crosscoder.components_.shape[1]
    monkeypatch.setattr(_jackknife, "_BYTES_OF_SUMS", 4 * n_columns * 5)
    monkeypatch.setattr(_bounds, "_BYTES_A_PASS", 1)
    other = gather_evidence(crosscoder, orbits, image_ids, device="cpu", batch_size=7)
    np.testing.assert_array_equal(other.n_images, evidence.n_images)
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
    with pytest.raises(ValueError, match=r"each of the 900 samples.* got shape \(899,\)"):
        gather_evidence(crosscoder, data.orbits, image_ids[1:])
    with pytest.raises(ValueError, match="n_bags=1 and 1 images"):
        gather_evidence(crosscoder, data.orbits, np.zeros(900))
    with pytest.raises(TypeError, match="n_bags is a whole number; got 2.5"):
        gather_evidence(crosscoder, data.orbits, image_ids, n_bags=2.5)
    with pytest.raises(TypeError, match="crosscoder is a GroupCrosscoder; got a ndarray"):
        gather_evidence(crosscoder.components_, data.orbits, image_ids)
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
