"""Planted symmetries keep their names where responses carry them, and only there."""

from __future__ import annotations

import numpy as np
import pytest

from sklearn_groupcross import Dihedral, GroupCrosscoder, SymmetryAnalyzer, make_orbits
from sklearn_groupcross.analysis import _naming

GROUP = Dihedral(4)
IMAGE_IDS = np.arange(600) // 10


SYMMETRIES = [GROUP.generated_subgroup(g) for g in ([], [2], [4], [5], [2, 4], [1, 4])]


@pytest.fixture(scope="module")
def planted():
    return make_orbits(
        2000, group=GROUP, n_channels=32, n_families=6, stabilizers=SYMMETRIES, n_active=3,
        random_state=0,
    )  # fmt: skip


@pytest.fixture(scope="module")
def crosscoder(planted):
    return fit(planted)


def fit(planted, **options):
    return GroupCrosscoder(
        GROUP, dict_init=planted.components.reshape(len(planted.components), -1), activation="topk",
        k=3, max_epochs=30, batch_size=64, random_state=0, **options,
    ).fit(planted.orbits[:1400])  # fmt: skip


def true_order(planted):
    return np.array([stabilizer.order for stabilizer in planted.stabilizers])


def test_true_names_are_kept(planted, crosscoder):
    analysis = SymmetryAnalyzer().fit(crosscoder, orbits=planted.orbits[1400:], image_ids=IMAGE_IDS)
    symmetric = true_order(planted) > 1
    assert symmetric.sum() == 15
    pairs = zip(analysis.stabilizers_, planted.stabilizers, strict=True)
    right = np.array([named.subgroup.elements == true.elements for named, true in pairs])
    assert right[symmetric].mean() >= 0.9
    table = analysis.features_table_
    assert (table["responses"][symmetric & right] == "carry it").all()
    assert (table["responses"][true_order(planted) == 1] == "").mean() > 0.9
    assert (table["response_inside"][symmetric & right] > 0.8).all()
    assert analysis.responses_.profiles.shape == (len(table), GROUP.order)


def test_a_symmetry_of_the_decoder_alone_is_not_stated(planted, crosscoder):
    """With another encoder the decoder keeps its symmetries, and nothing else has them."""
    deaf = GroupCrosscoder(GROUP)
    deaf.__dict__.update(crosscoder.__dict__)
    size = np.abs(crosscoder.encoder_).mean()
    free = np.random.default_rng(0).standard_normal(crosscoder.encoder_.shape)
    deaf.encoder_ = (size * free).astype(np.float32)
    alone = SymmetryAnalyzer().fit(deaf)
    analysis = SymmetryAnalyzer().fit(deaf, orbits=planted.orbits[1400:], image_ids=IMAGE_IDS)
    known = ~analysis.features_table_["responses"].str.startswith("unknown").to_numpy()
    by_decoder = known & np.array([s.subgroup.order > 1 for s in alone.stabilizers_])
    stated = np.array([s.subgroup.order > 1 for s in analysis.stabilizers_])
    assert by_decoder.sum() >= 10
    assert stated[by_decoder].sum() <= 1


def test_an_encoder_of_whole_orbits_is_not_asked(planted):
    whole = fit(planted, encoder_input="orbit")
    analysis = SymmetryAnalyzer().fit(whole, orbits=planted.orbits[1400:], image_ids=IMAGE_IDS)
    assert set(analysis.features_table_["responses"]) == {"not measured"}
    assert analysis.stabilizers_ is analysis.atom_stabilizers_
    assert analysis.evidence_ is not None


def test_a_higher_threshold_withdraws_names(planted, crosscoder):
    def n_stated(**options):
        analyzer = SymmetryAnalyzer(**options)
        analysis = analyzer.fit(crosscoder, orbits=planted.orbits[1400:], image_ids=IMAGE_IDS)
        return sum(s.subgroup.order > 1 for s in analysis.stabilizers_)

    assert n_stated(response_threshold=0.999) < n_stated()


def test_more_orbits_than_are_needed_are_thinned_out(planted, crosscoder, monkeypatch):
    asked = []
    code_profiles = _naming.code_profiles

    def noted(*args, **options):
        measured = code_profiles(*args, **options)
        asked.append(int(measured.n_orbits.sum()))
        return measured

    monkeypatch.setattr(_naming, "code_profiles", noted)
    monkeypatch.setattr(_naming, "_MAX_ORBITS_OF_RESPONSES", 200)
    SymmetryAnalyzer().fit(crosscoder, orbits=planted.orbits[1400:], image_ids=IMAGE_IDS)
    assert asked == [200]


def test_what_too_few_images_show_is_named_as_it_stands(planted, crosscoder):
    # nearly all of them are of one image
    orbits, few = planted.orbits[1400:], np.maximum(np.arange(600) - 594, 0)
    analyzer = SymmetryAnalyzer(family_distance=0.4)
    standing = analyzer.fit(crosscoder).atom_stabilizers_
    assert any(stabilizer.subgroup.order > 1 for stabilizer in standing)
    named = SymmetryAnalyzer(family_distance=0.4).fit(crosscoder, orbits=orbits, image_ids=few)
    assert np.isnan(named.confidence_).all()
    assert len(named.families_) > 0
    assert [s.name for s in named.atom_stabilizers_] == [s.name for s in standing]
