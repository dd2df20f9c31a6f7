from __future__ import annotations

import numpy as np
import pytest

from sklearn_groupcross import (
    Cyclic,
    Dihedral,
    GroupCrosscoder,
    SymmetryAnalyzer,
    Trivial,
    make_orbits,
)
from sklearn_groupcross.analysis import diagnose
from sklearn_groupcross.analysis._signatures import find_unaligned_blocks, find_wasted_atoms
from sklearn_groupcross.groups import RotationGroup
from tests.analysis.planted import units

GROUP = Dihedral(4)
GROUPS = [Dihedral(8), RotationGroup("octahedral")]


def names(findings):
    return [finding.name for finding in findings]


@pytest.fixture(scope="module")
def planted():
    return make_orbits(1500, group=GROUP, n_families=3, n_active=3, random_state=1)


@pytest.fixture(scope="module")
def crosscoder(planted):
    return train(planted.orbits, n_features=30)


def train(orbits, n_features, k=3, max_epochs=30):
    return GroupCrosscoder(
        GROUP, n_features, activation="topk", k=k, max_epochs=max_epochs, batch_size=64,
        dead_features=None, random_state=0,
    ).fit(orbits)  # fmt: skip


def test_all_is_well(planted, crosscoder):
    analysis = SymmetryAnalyzer().fit(crosscoder)
    assert diagnose(analysis) == []
    assert diagnose(analysis, crosscoder) == []
    assert diagnose(analysis, orbits=planted.orbits) == []
    assert diagnose(analysis, crosscoder, planted.orbits) == []
    flat = planted.orbits.reshape(len(planted.orbits), -1)
    assert diagnose(analysis, crosscoder, flat.astype(np.float16)) == []


@pytest.mark.parametrize("stabilizers", ["random", "trivial"])
@pytest.mark.parametrize("group", GROUPS, ids=repr)
def test_planted_atoms_are_well(group, stabilizers):
    planted = make_orbits(
        300, group=group, n_families=5, stabilizers=stabilizers, n_channels=32, random_state=3
    )
    analysis = SymmetryAnalyzer(group=group).fit(planted.components)
    assert diagnose(analysis, orbits=planted.orbits) == []


@pytest.mark.parametrize("group", GROUPS, ids=repr)
def test_blocks_in_a_wrong_order(group):
    planted = make_orbits(2, group=group, n_families=5, n_active=1, random_state=3)
    order = np.random.default_rng(0).permutation(group.order)
    analysis = SymmetryAnalyzer(group=group).fit(planted.components[:, order])
    clusters, unaligned = diagnose(analysis)
    assert (clusters.name, unaligned.name) == ("no clusters", "unaligned blocks")
    for finding in (clusters, unaligned):
        assert finding.value <= finding.limit == 0.25
        assert f"{finding.value:.0%}" in finding.message
        assert str(finding).startswith(f"{finding.name}: ")
    assert clusters.evidence["nearest"].shape == (len(planted.components),)


def test_atoms_without_partners_are_no_clusters():
    planted = make_orbits(
        2, group=Dihedral(8), n_families=60, n_active=1, closed=False, stabilizers="trivial",
        random_state=0,
    )  # fmt: skip
    found = diagnose(SymmetryAnalyzer(group=Dihedral(8)).fit(planted.components))
    # their blocks have nothing to do with each other either: no order of them is better
    assert names(found) == ["no clusters", "unaligned blocks"]
    assert found[0].value < 0.2  # chance is one in twenty, by construction


def test_a_dictionary_of_noise_has_no_clusters():
    noise = np.random.default_rng(0).standard_normal((600, GROUP.order, 24))
    crosscoder = train(noise, n_features=48, max_epochs=5)
    found = names(diagnose(SymmetryAnalyzer().fit(crosscoder), crosscoder, noise))
    assert "no clusters" in found
    assert "unaligned blocks" in found


def test_orbits_that_ignore_the_transformation(planted):
    rng = np.random.default_rng(0)
    same = planted.orbits[:, :1] + 0.01 * rng.standard_normal(planted.orbits.shape)
    crosscoder = train(same, n_features=30)
    findings = diagnose(SymmetryAnalyzer().fit(crosscoder), crosscoder, same)
    assert "flat profiles" in names(findings)
    finding = findings[names(findings).index("flat profiles")]
    assert finding.value > finding.limit == 0.8
    assert finding.evidence["mean_profile"].shape == (GROUP.order,)
    # the data say that it is not the fit's fault
    assert finding.evidence["shared_by_blocks"][0] > 0.95
    assert "this layer hardly depends" in finding.advice
    alone = diagnose(SymmetryAnalyzer().fit(crosscoder))
    assert "shared_by_blocks" not in alone[names(alone).index("flat profiles")].evidence


def test_a_dictionary_that_is_too_small(planted):
    crosscoder = train(planted.orbits, n_features=2, k=1)
    found = diagnose(SymmetryAnalyzer().fit(crosscoder), crosscoder, planted.orbits)
    assert names(found) == ["poor reconstruction"]
    half = len(found[0].evidence["explained"])
    assert half == GROUP.order
    assert 0 <= found[0].value <= found[0].limit


def test_an_identity_block_that_is_larger(planted):
    analysis = SymmetryAnalyzer(group=GROUP).fit(planted.components)
    larger = planted.orbits.copy()
    larger[:, 0] *= 1.12
    (finding,) = diagnose(analysis, orbits=larger)
    assert finding.name == "unequal blocks"
    assert finding.value == pytest.approx(1.12 / (1 + 0.12 / 8) - 1, abs=0.02)
    assert int(finding.evidence["deviation"].argmax()) == 0
    assert "Block 0" in finding.message


def test_dead_atoms(planted, crosscoder):
    atoms = planted.components
    with_zeros = np.concatenate([atoms, np.zeros_like(atoms)])
    (finding,) = diagnose(SymmetryAnalyzer(group=GROUP).fit(with_zeros))
    assert (finding.name, finding.value) == ("dead atoms", 0.5)
    # atoms that never fire are not zero
    silent = GroupCrosscoder(GROUP)
    silent.__dict__.update(crosscoder.__dict__)
    silent.encoder_intercept_ = crosscoder.encoder_intercept_.copy()
    silent.encoder_intercept_[: len(silent.encoder_intercept_) // 2] = -1e6
    found = diagnose(SymmetryAnalyzer().fit(silent), silent, planted.orbits)
    assert "dead atoms" in names(found)


def test_duplicates_are_copies_and_not_translates(planted):
    atoms = planted.components
    copies = np.concatenate([atoms, 3 * atoms])
    found = diagnose(SymmetryAnalyzer(group=GROUP).fit(copies))
    assert names(found) == ["duplicate atoms"]
    assert found[0].value == 0.5
    free = make_orbits(2, group=GROUP, n_families=2, stabilizers="trivial", random_state=0)
    assert find_wasted_atoms(units(free.components), np.zeros(16, dtype=bool)) == []


@pytest.mark.parametrize("group", [Trivial(), Cyclic(2), Cyclic(3), Dihedral(2)], ids=repr)
def test_small_groups_and_small_dictionaries_are_not_judged(group):
    atoms = np.random.default_rng(0).standard_normal((2, group.order, 9))
    assert diagnose(SymmetryAnalyzer(group=group).fit(atoms)) == []
    assert find_unaligned_blocks(units(atoms), group) is None
    dead = np.zeros((3, group.order, 9))
    assert names(diagnose(SymmetryAnalyzer(group=group).fit(dead))) == ["dead atoms"]


def test_the_same_seed_finds_the_same():
    noise = np.random.default_rng(0).standard_normal((300, 8, 6))
    analysis = SymmetryAnalyzer(group=GROUP).fit(noise)
    one, two = (diagnose(analysis, random_state=3) for _ in range(2))
    assert one == two
    assert one[0].value > 0
    assert one != diagnose(analysis, random_state=4)


def test_strangers_are_refused(planted, crosscoder):
    analysis = SymmetryAnalyzer(group=GROUP).fit(planted.components)
    with pytest.raises(ValueError, match="not those that were analysed"):
        diagnose(analysis, crosscoder, planted.orbits)
    with pytest.raises(ValueError, match="must be a multiple of 8"):
        diagnose(analysis, orbits=planted.orbits.reshape(len(planted.orbits), -1)[:, :-3])


def test_what_fires_when_the_input_is_turned_is_not_dead():
    group = Dihedral(4)
    planted = make_orbits(
        600, group=group, n_channels=24, n_families=2, stabilizers="trivial", random_state=0
    )
    crosscoder = GroupCrosscoder(
        group,
        16,
        activation="topk",
        k=2,
        augment=True,
        max_epochs=40,
        batch_size=64,
        random_state=0,
    ).fit(planted.orbits)
    analysis = SymmetryAnalyzer().fit(crosscoder)
    codes = crosscoder.transform(planted.orbits)
    upright = planted.orbits[(codes[:, :8] > 0).sum(axis=1) == 0]
    assert len(upright) >= 10
    silent = ~(crosscoder.transform(upright) > 0).any(axis=0)
    assert silent.mean() > 0.25  # on these inputs as they are
    found = [finding.name for finding in diagnose(analysis, crosscoder, upright)]
    assert "dead atoms" not in found
    # without augmentation nothing has been trained to fire on turned ones
    crosscoder.augment = False
    found = [finding.name for finding in diagnose(analysis, crosscoder, upright)]
    assert "dead atoms" in found
