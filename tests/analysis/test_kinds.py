from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sklearn_groupcross import Cyclic, Dihedral, SymmetryAnalyzer, Trivial
from sklearn_groupcross.analysis import KINDS, measurable_kinds, name_kinds
from sklearn_groupcross.analysis._kinds import NamedKinds, find_kinds, keep_carried
from sklearn_groupcross.groups import Quaternion, Symmetric


def profile(group, rotations):
    """Values at equal steps over the full turn, read at the group's turns."""
    values = np.interp(
        np.arange(group.n_turns) * 360 / group.n_turns,
        np.linspace(0, 360, len(rotations)),
        rotations,
    )
    return np.concatenate([values] * (2 if group.has_mirrors else 1))


GROUPS = [Cyclic(8), Dihedral(8), Cyclic(16), Dihedral(24), Dihedral(32)]


@pytest.mark.parametrize("group", GROUPS, ids=repr)
@pytest.mark.parametrize(
    ("rotations", "kind", "remark"),
    [
        ([1, 0, 1, 0, 1], "line", ""),
        ([1, 0.45, 0.85, 0.45, 1], "line", ""),
        ([1, 0.55, 0.85, 0.55, 1], "other", "between line and round"),
        ([1, 0, 1, 0, 1, 0, 1, 0, 1], "grid", ""),
        ([1, 0.6, 0.9, 0.6, 0.9, 0.6, 0.9, 0.6, 1], "other", "between grid and round"),
        ([1, 0.5, 0, 0.5, 1], "directed", ""),
        ([1] + [0] * 31 + [1], "directed", ""),
        ([1, 0, 0.6, 0, 1], "other", "between directed and line"),
        ([1, 0.7, 0.6, 0.7, 1], "other", "between directed and round"),
        ([1, 0.9, 0.9, 0.9, 1], "round", ""),
    ],
)
def test_kinds(group, rotations, kind, remark):
    kinds, remarks = find_kinds(profile(group, rotations)[None], group)
    assert (kinds[0], remarks[0]) == (kind, remark)
    assert kind in KINDS


def test_three_fold_needs_turns_of_60_degrees():
    returns = [1, 0, 1, 0, 1, 0, 1]
    for n in (6, 12, 24):
        assert name_kinds(profile(Cyclic(n), returns)[None], Cyclic(n))[0] == "three-fold"
        assert "three-fold" in measurable_kinds(Cyclic(n))
    assert "three-fold" not in measurable_kinds(Dihedral(32))
    coarse = np.array([[1.0, 0.9, 0.9], [1.0, 0.0, 0.0]])
    kinds, remarks = find_kinds(coarse, Cyclic(3))
    assert kinds.tolist() == ["other", "other"]
    assert remarks.tolist() == ["no turn of the group changes it", "back after 360°"]


@given(
    amplitudes=st.lists(st.floats(0, 1), min_size=4, max_size=4),
    narrow=st.floats(0, 0.3),
    sharpness=st.integers(2, 30),
)
def test_the_number_of_turns_does_not_matter(amplitudes, narrow, sharpness):
    """One function of the angle, read at the turns of each group."""

    def at(degrees):
        waves = np.cos(np.outer([1, 2, 4, 3], np.radians(degrees)))
        peak = np.exp(sharpness**2 * (np.cos(np.radians(degrees)) - 1))
        smooth = np.array(amplitudes) @ waves + (4 - sum(amplitudes))
        return (1 - narrow) * smooth / 4 + narrow * peak

    kinds = {n: name_kinds(at(np.arange(n) * 360 / n)[None], Cyclic(n))[0] for n in (8, 16, 32, 64)}
    assert len(set(kinds.values())) == 1


def test_kinds_that_a_group_cannot_show_are_never_named():
    plane = [kind for kind in KINDS if kind not in {"invariant", "symmetric", "free"}]
    assert measurable_kinds(Dihedral(4)) == ["line", "directed", "other"]
    assert measurable_kinds(Cyclic(24)) == plane
    assert measurable_kinds(Trivial()) == ["other"]
    assert name_kinds(np.ones((1, 1)), Trivial())[0] == "other"
    assert name_kinds(np.full((1, 4), 0.9), Cyclic(4))[0] == "other"
    assert name_kinds(np.array([[1.0, 0.0, 0.0]]), Cyclic(3))[0] == "other"
    assert name_kinds(np.array([[1.0, 0.0]]), Cyclic(2))[0] == "directed"


def test_other_groups_use_words_of_their_own():
    group = Quaternion()
    minus_one = group.generated_subgroup([group.center.elements[1]])
    fixed = np.zeros(8)
    fixed[list(minus_one.elements)] = 1
    profiles = np.stack([np.ones(8), fixed, np.eye(8)[0]])
    assert name_kinds(profiles, group).tolist() == ["invariant", "symmetric", "free"]
    assert measurable_kinds(group) == ["invariant", "symmetric", "free"]


def test_a_profile_that_no_power_bears_out_is_no_symmetry():
    group = Symmetric(3)
    cycle = next(g for g in range(6) if group.element_order(g) == 3)
    once = np.zeros(6)
    once[[0, cycle]] = 1
    both = once.copy()
    both[group.inverse(cycle)] = 1
    assert name_kinds(np.stack([once, both]), group).tolist() == ["free", "symmetric"]


def test_cyclic_groups_of_hues_are_not_in_the_plane():
    line = profile(Cyclic(8), [1, 0, 1, 0, 1])[None]
    assert name_kinds(line, Cyclic(8), words="group")[0] == "symmetric"
    assert measurable_kinds("cyclic:8", "group") == ["invariant", "symmetric", "free"]
    atoms = np.random.default_rng(0).standard_normal((3, 8 * 5))
    analysis = SymmetryAnalyzer(Cyclic(8), kind_words="group").fit(atoms)
    assert set(analysis.features_table_["kind"]) == {"free"}


def test_bad_words():
    with pytest.raises(ValueError, match="words are one of auto, plane, group; got 'hue'"):
        name_kinds(np.ones((1, 8)), Cyclic(8), words="hue")
    with pytest.raises(ValueError, match="does not turn the plane"):
        measurable_kinds(Quaternion(), "plane")


def test_kinds_are_kept_where_responses_come_back():
    group = Dihedral(8)
    kinds = np.array(["line", "grid", "round", "line", "directed", "round"], dtype=object)
    named = NamedKinds(kinds, np.full(6, "", dtype=object))
    responses = np.full((6, group.order), 0.1)
    responses[0, 4] = 0.9  # the half turn
    responses[1, [2, 6]] = 0.9  # quarter turns, not the half turn between them
    responses[5, 1:8] = 0.6
    known = np.array([True, True, True, False, True, True])
    kept = keep_carried(named, responses, known, group, 0.5)
    assert kept.kinds.tolist() == ["line", "grid", "other", "line", "directed", "round"]
    assert kept.remarks[2] == "round by its atom, not by its responses"
    assert named.kinds.tolist() == kinds.tolist()
