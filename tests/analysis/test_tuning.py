from __future__ import annotations

import numpy as np
import pytest

from sklearn_groupcross import Cyclic, Dihedral, SymmetryAnalyzer, Trivial
from sklearn_groupcross.analysis import _tuning, angle_tuning, name_kinds
from sklearn_groupcross.analysis._similarity import unit_atoms
from sklearn_groupcross.analysis._spectra import self_profiles
from sklearn_groupcross.analysis._tuning import coarse_turns
from sklearn_groupcross.groups import Quaternion


def atoms_over_angles(group, period, axis, width=25.0, n_channels=64, seed=0):
    """An atom whose blocks are a smooth function of where the group puts a pattern.

    The pattern is a bump at each multiple of the period, and the pattern has a mirror axis.
    """
    rng = np.random.default_rng(seed)
    centers = rng.uniform(0, 360, n_channels)
    angles = np.array([group.degrees(g) for g in range(group.order)])
    # the pattern at `axis` goes to t + axis after a turn by t, mirrored first to t + 180 - axis
    there = np.where(group.mirrored, angles + 180 - axis, angles + axis)
    off = (there[:, None] - centers + period / 2) % period - period / 2
    return np.exp(-0.5 * (off / width) ** 2)


def tuning_of(group, *args, **options):
    atoms = np.stack([atoms_over_angles(group, *args, **options)])
    atoms = atoms - atoms.mean(axis=1, keepdims=True)  # what turns, without the rest
    unit = unit_atoms(atoms.reshape(1, -1), group.order)
    return angle_tuning(self_profiles(unit, group), group)


@pytest.mark.parametrize("period", [360, 180, 90])
@pytest.mark.parametrize("axis", [0.0, 17.0, 40.0])
def test_the_same_feature_reads_alike_under_all_groups(period, axis):
    width = {360: 40.0, 180: 25.0, 90: 15.0}[period]
    # half of a period of 90° is the step of eight turns: waves of it may lie between them
    turns = (8, 16, 32, 64) if period > 90 else (16, 32, 64)
    read = {n: tuning_of(Dihedral(n), period, axis, width) for n in turns}
    for tuning in read.values():
        assert tuning.periods[0] == period
        off = (tuning.axes[0] - axis + period / 4) % (period / 2) - period / 4
        assert abs(off) < 3
    finest = read[64].half_widths[0]
    for n, tuning in read.items():
        assert abs(tuning.half_widths[0] - finest) < max(1, 90 / n)


def test_three_fold_features_come_back_after_120_degrees():
    tuning = tuning_of(Cyclic(12), 120, 0.0, 20.0)
    assert tuning.periods[0] == 120
    assert np.isnan(tuning.axes[0])  # no mirrors, no axis


def test_what_no_turn_changes_has_period_0_and_nothing_else():
    tuning = angle_tuning(np.full((2, 16), 0.9), Dihedral(8))
    assert tuning.periods.tolist() == [0, 0]
    assert np.isnan(tuning.half_widths).all()
    assert np.isnan(tuning.axes).all()


def test_half_widths_count_from_the_floor_of_the_profile():
    angles = np.arange(32) * 360 / 32
    for floor in (-0.2, 0.0, 0.4):
        profile = floor + (1 - floor) * (0.5 + 0.5 * np.cos(np.radians(angles)))
        assert angle_tuning(profile[None], Cyclic(32)).half_widths[0] == pytest.approx(90, abs=0.5)


def test_a_feature_without_mirror_has_no_axis():
    profile = np.concatenate([0.5 + 0.5 * np.cos(np.arange(16) * np.pi / 8), np.full(16, 0.3)])
    assert np.isnan(angle_tuning(profile[None], Dihedral(16)).axes[0])


def test_groups_that_do_not_turn_the_plane_have_no_angles():
    for group in (Quaternion(), Trivial()):
        tuning = angle_tuning(np.ones((3, group.order)), group)
        for values in (tuning.periods, tuning.half_widths, tuning.axes):
            assert values.shape == (3,)
            assert np.isnan(values).all()


@pytest.mark.parametrize(
    ("n", "step"),
    [(64, 45), (8, 45), (12, 30), (10, 36), (20, 36), (4, 90), (7, 360 / 7), (2, 180)],
)
def test_groups_are_asked_about_the_same_angles(n, step):
    turns = coarse_turns(n)
    np.testing.assert_allclose(turns * 360 / n, np.arange(len(turns)) * step)
    assert len(turns) * step == pytest.approx(360)


def test_the_table_has_them_and_dead_features_have_none():
    atoms = np.stack([atoms_over_angles(Dihedral(8), 360, 10.0).ravel(), np.zeros(16 * 64)])
    table = SymmetryAnalyzer(Dihedral(8)).fit(atoms).features_table_
    assert {"period", "half_width", "axis", "remark"} <= set(table)
    assert table.loc[1, ["period", "half_width", "axis"]].isna().all()
    assert table.loc[1, "remark"] == ""
    assert np.isfinite(table.loc[0, "period"])


@pytest.mark.parametrize(
    ("profiles", "message"),
    [
        (np.ones(8), "2D array"),
        (np.ones((3, 4)), r"each of the 8 elements of Dihedral\(4\).* got shape \(3, 4\)"),
        (np.full((3, 8), np.nan), "profiles contains NaN"),
        ("abc", "could not convert"),
    ],
    ids=["one", "another group's", "NaN", "text"],
)
def test_what_are_no_profiles(profiles, message):
    for read in (angle_tuning, name_kinds):
        with pytest.raises(ValueError, match=message):
            read(profiles, Dihedral(4))


def test_some_features_at_a_time_read_the_same(monkeypatch):
    group = Dihedral(16)
    profiles = np.stack([self_profiles(random_units(group, i), group)[0] for i in range(7)])
    profiles[2] = 1
    whole = angle_tuning(profiles, group)
    assert whole.periods[2] == 0
    assert np.isfinite(whole.half_widths).sum() == 6
    monkeypatch.setattr(_tuning, "_ROWS_A_PASS", 2)
    for one, other in zip(
        vars(whole).values(), vars(angle_tuning(profiles, group)).values(), strict=True
    ):
        np.testing.assert_allclose(one, other, atol=1e-9)


def random_units(group, seed):
    atoms = atoms_over_angles(group, 360, 10.0 * seed, seed=seed)[None]
    return unit_atoms((atoms - atoms.mean(axis=1, keepdims=True)).reshape(1, -1), group.order)
