"""Symmetries of atoms are stated where responses carry them: on codes that are made by hand."""

from __future__ import annotations

import numpy as np
import pytest

from sklearn_groupcross import Dihedral
from sklearn_groupcross.analysis._code_profiles import _Sums
from sklearn_groupcross.analysis._responses import (
    ALIKE_OUTSIDE,
    CARRIED,
    NOT_MEASURED,
    SILENT,
    confirm_names,
    no_responses,
    not_stated,
)
from sklearn_groupcross.groups import find_stabilizers

torch = pytest.importorskip("torch")

GROUP = Dihedral(4)
HALF_TURN = GROUP.generated_subgroup([2])
MIRRORS = GROUP.generated_subgroup([2, 4])
EVERYTHING = GROUP.subgroups()[-1]
RULE = {"threshold": 0.5, "margin": 0.1, "error_rate": 0.05, "seed": 0}


def fixed_by(subgroup, rng, shape):
    """Codes on the blocks of orbits (*shape, order) that a subgroup leaves as they are."""
    codes = rng.exponential(size=(*shape, GROUP.order)) * rng.integers(0, 2, (*shape, 1))
    elements = list(subgroup.elements)
    return codes[..., GROUP.cayley_table[elements]].mean(axis=-2)


def measured_of(codes):
    """Profiles of codes (n_images, n_orbits, order, m), every image a bag."""
    sums = _Sums(len(codes), codes.shape[3], GROUP)
    for image, of_image in enumerate(codes):
        sums.add(image, iter([torch.from_numpy(of_image)]), len(of_image))
    return sums.profiles()


def atom_with(subgroup):
    profile = np.zeros((1, GROUP.order))
    profile[0, list(subgroup.elements)] = 1.0
    return find_stabilizers(GROUP, profile)[0], profile[0]


def confirm(codes, symmetries):
    atoms = [atom_with(symmetry) for symmetry in symmetries]
    profiles = np.stack([profile for _, profile in atoms])
    return confirm_names(measured_of(codes), [a for a, _ in atoms], profiles, **RULE)


def columns(*of_features, n_images=30, n_orbits=20):
    rng = np.random.default_rng(0)
    shape = (n_images, n_orbits)
    return np.stack([fixed_by(subgroup, rng, shape) for subgroup in of_features], axis=-1)


def test_what_responses_carry_is_stated():
    trivial = GROUP.subgroups()[0]
    codes = columns(HALF_TURN, MIRRORS, EVERYTHING, trivial, HALF_TURN, trivial)
    symmetries = [HALF_TURN, MIRRORS, EVERYTHING, EVERYTHING, MIRRORS, trivial]
    stated, responses = confirm(codes, symmetries)
    assert responses.words.tolist() == [
        CARRIED,
        CARRIED,
        CARRIED,
        "lack: every turn and mirror",
        "carry part: half turn",
        "",
    ]
    found = [s.subgroup.elements for s in stated]
    expected = [HALF_TURN, MIRRORS, EVERYTHING, trivial, HALF_TURN, trivial]
    assert found == [subgroup.elements for subgroup in expected]
    np.testing.assert_allclose(responses.inside[:3], 1)
    assert (responses.outside[:3] < 0.8).all()
    assert np.isnan(responses.inside[5])
    # what is not stated of the atom is the runner-up
    assert stated[4].runner_up == MIRRORS
    assert stated[4].runner_up_score == 1.0
    assert stated[4].margin == pytest.approx(0.2)


def test_alike_under_everything_is_no_reason_for_a_smaller_symmetry():
    codes = columns(EVERYTHING)
    stated, responses = confirm(codes, [HALF_TURN])
    assert responses.words.tolist() == [ALIKE_OUTSIDE]
    assert stated[0].subgroup.order == 1
    assert responses.outside[0] == pytest.approx(1)


def test_a_round_feature_must_tell_places_of_an_image_apart():
    rng = np.random.default_rng(0)
    of_image = np.repeat(rng.uniform(1, 3, size=(30, 1, 1, 1)), 20, axis=1)
    everywhere = np.repeat(of_image, GROUP.order, axis=2)  # the same at all places of an image
    stated, responses = confirm(everywhere, [EVERYTHING])
    assert responses.words.tolist() == [ALIKE_OUTSIDE]
    assert responses.outside[0] == pytest.approx(1)
    assert stated[0].subgroup.order == 1


def test_few_images_leave_the_name_and_say_so():
    codes = columns(HALF_TURN, HALF_TURN)
    codes[3:, ..., 0] = 0  # fires on three images
    codes[1:, ..., 1] *= 0.01  # on all of them, but hardly
    stated, responses = confirm(codes, [HALF_TURN, HALF_TURN])
    assert [s.subgroup.order for s in stated] == [2, 2]
    assert responses.words[0].startswith("unknown: fires on 3 images, as if on ")
    assert responses.words[1].startswith("unknown: fires on 30 images, as if on 1.0; at least 5")


def test_a_name_of_which_little_is_known_falls_with_its_strongest_inputs():
    trivial = GROUP.subgroups()[0]
    codes = columns(HALF_TURN, trivial, HALF_TURN)
    codes[3:] = 0  # all of them fire on three images
    codes[0, :, :, 1] = np.eye(GROUP.order)[0]  # this one on single blocks alone
    codes[1:, :, :, 1] = 0
    codes[..., 2] = 0  # and this one never
    stated, responses = confirm(codes, [HALF_TURN] * 3)
    assert [s.subgroup.order for s in stated] == [2, 1, 2]
    of_atoms = [atom_with(HALF_TURN)[0]] * 3
    np.testing.assert_array_equal(
        not_stated(of_atoms, stated), [[False] * 8, [False, False, True] + [False] * 5, [False] * 8]
    )
    assert responses.words[1].endswith(f"at least 5 are needed; {SILENT}")
    np.testing.assert_array_equal(responses.strongest, [1, 0, np.nan])
    assert not responses.known.any()
    # one input is enough
    codes[0, 0, 0, 0], codes[0, 0, 2, 0] = 2 * codes.max(), 0
    stated, responses = confirm(codes, [HALF_TURN] * 3)
    assert responses.strongest[0] > 0.5
    assert stated[0].subgroup.order == 1


def test_strongest_inputs_that_fall_silent_take_a_name():
    """Many weak inputs may carry a correlation that no strong one bears out."""
    codes = columns(HALF_TURN)
    kept, _ = confirm(codes, [HALF_TURN])
    assert kept[0].subgroup == HALF_TURN
    codes[:, 0] = 0.0
    codes[:, 0, 0] = codes.max()  # of every image the strongest, and nothing half a turn on
    stated, responses = confirm(codes, [HALF_TURN])
    assert responses.inside[0] > 0.7
    assert responses.strongest[0] == 0
    assert stated[0].subgroup.order == 1
    assert responses.words[0] == "lack: half turn"


def test_false_names_are_rare():
    """Codes that no mirror fixes more than others do: at most one in twenty is given one."""
    rng = np.random.default_rng(1)
    trivial = GROUP.subgroups()[0]
    m = 200
    own = fixed_by(trivial, rng, (12, 6, m)).transpose(0, 1, 3, 2)
    common = rng.exponential(size=(12, 6, 1, m)) * 2  # alike under everything
    mirror = GROUP.generated_subgroup([4])
    _, responses = confirm(own + common, [mirror] * m)
    given = np.isin(responses.words, [CARRIED]).mean()
    assert np.median(responses.inside) > 0.5
    assert given < 0.09  # 0.05, and three standard errors


def test_without_orbits_nothing_is_measured():
    responses = no_responses(3)
    assert responses.words.tolist() == [NOT_MEASURED] * 3
    assert np.isnan(responses.inside).all()
    assert responses.profiles is None
