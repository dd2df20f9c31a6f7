from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sklearn_groupcross import Cyclic, Dihedral, SymmetryAnalyzer, make_orbits
from sklearn_groupcross.groups import Symmetric
from sklearn_groupcross.plotting import FamilyWheelDisplay
from sklearn_groupcross.plotting._family_layout import lay_out_family

GROUP = Dihedral(8)


def circles(display):
    """Centre and stroke of every place that was drawn."""
    return [
        (np.array(patch.center), patch.get_linestyle() not in ("-", "solid"))
        for patch in display.ax_.patches
    ]


def smallest_of_cosets(group, stabilizer):
    return [coset[0] for coset in group.cosets(stabilizer)]


@given(st.data())
def test_places_never_overlap(data):
    group = data.draw(st.sampled_from([Dihedral(12), Dihedral(32), Cyclic(5), Symmetric(4)]))
    stabilizer = data.draw(st.sampled_from(group.subgroups()))
    poses = smallest_of_cosets(group, stabilizer)
    layout = lay_out_family(group, poses, stabilizer)
    assert sorted(layout.slots) == sorted(poses)
    slots = [*layout.slots.values(), *([layout.medoid] if layout.medoid else [])]
    centers = np.array([(slot.x, slot.y) for slot in slots])
    radii = np.array([slot.diameter for slot in slots]) / 2
    distances = np.linalg.norm(centers[:, None] - centers[None], axis=2)
    np.fill_diagonal(distances, np.inf)
    assert (distances >= radii[:, None] + radii[None] - 1e-9).all()
    left, right, bottom, top = layout.extent
    assert (centers[:, 0] - radii >= left).all()
    assert (centers[:, 0] + radii <= right).all()
    assert (centers[:, 1] - radii >= bottom).all()
    assert (centers[:, 1] + radii <= top).all()


def test_members_stand_where_their_turn_brings_the_top():
    poses = [0, GROUP.rotation_by(90), GROUP.rotation_by(315), 8]
    display = FamilyWheelDisplay.from_arrays(poses, GROUP).plot()
    (top, left, right_above, mirrored), dashed = zip(*circles(display)[:4], strict=True)
    assert not any(dashed)
    np.testing.assert_allclose(top, [0, 1], atol=1e-12)
    np.testing.assert_allclose(left, [-1, 0], atol=1e-12)  # counter-clockwise
    np.testing.assert_allclose(right_above, [0.5**0.5, 0.5**0.5])
    assert mirrored[0] == 0
    assert 0 < mirrored[1] < 1  # on the inner ring
    assert display.ax_.get_title() == "4 features in 4 of 16 poses"


def test_angles_are_taken_modulo_the_stabilizer():
    half_turn = GROUP.generated_subgroup([GROUP.rotation_by(180)])
    at_45, at_225 = GROUP.rotation_by(45), GROUP.rotation_by(225)
    display = FamilyWheelDisplay.from_arrays([0, at_45], GROUP, stabilizer=half_turn).plot()
    again = FamilyWheelDisplay.from_arrays([0, at_225], GROUP, stabilizer=half_turn).plot()
    for one, other in zip(circles(display), circles(again), strict=True):
        np.testing.assert_array_equal(one[0], other[0])
    np.testing.assert_allclose(circles(display)[1][0], [-1, 0], atol=1e-12)
    angles = {text.get_text() for text in display.ax_.texts} - {"0", "1", "medoid\n0"}
    assert angles == {"0°", "45°", "90°", "135°"}
    assert "once round is 180°" in display.ax_.get_xlabel()


def test_gaps_are_dashed_and_copies_are_counted():
    display = FamilyWheelDisplay.from_arrays(
        [0, 2, 2, 2], Cyclic(4), members=[7, 3, 11, 5], gaps=[1, 3]
    ).plot()
    drawn = circles(display)
    assert sorted(dashed for _, dashed in drawn) == [False] * 3 + [True] * 2
    gaps = sorted(center[0] for center, dashed in drawn if dashed)
    np.testing.assert_allclose(gaps, [-1, 1])
    texts = {text.get_text() for text in display.ax_.texts}
    assert {"7", "3\n+2", "medoid\n7"} <= texts
    assert "gaps (2)" in display.ax_.get_xlabel()


def test_every_member_has_its_patch():
    shades = np.linspace(0.1, 0.9, 3)
    patches = np.tile(shades[:, None, None, None], (1, 5, 6, 3))
    poses = [GROUP.rotation_by(90), 0, 12]
    display = FamilyWheelDisplay.from_arrays(poses, GROUP, medoid=1, patches=patches).plot()
    images = {}
    for image in display.ax_.images:
        left, right, bottom, top = image.get_extent()
        center = (round((left + right) / 2, 6) + 0.0, round((bottom + top) / 2, 6) + 0.0)
        images[center] = float(np.asarray(image.get_array())[0, 0, 0])
        assert image.get_clip_path() is not None
    assert images[(-1.0, 0.0)] == shades[0]
    assert images[(0.0, 1.0)] == images[(0.0, 0.0)] == shades[1]
    assert len(images) == 4
    assert display.ax_.get_xlim()[1] > 1  # pictures do not shrink the axes to themselves


def test_other_groups_have_a_grid_of_named_poses():
    group = Symmetric(4)
    display = FamilyWheelDisplay.from_arrays([0, 5], group, gaps=[1, 2]).plot()
    texts = [text.get_text() for text in display.ax_.texts]
    assert all(group.describe_element(pose) in texts for pose in range(24))
    assert len(circles(display)) == 4


def test_a_family_of_an_estimator():
    planted = make_orbits(5, group=GROUP, n_families=4, random_state=5)
    atoms = planted.components.reshape(len(planted.components), -1)
    # a family that has lost two of its members
    family = SymmetryAnalyzer(group=GROUP).fit(atoms).families_[0]
    lost = [member for member in family.members if member != family.medoid][:2]
    analysis = SymmetryAnalyzer(group=GROUP).fit(np.delete(atoms, lost, axis=0))
    label = next(f.label for f in analysis.families_ if f.gaps)
    display = FamilyWheelDisplay.from_estimator(analysis, label).plot()
    found = analysis.families_[label]
    assert sorted(display.gaps) == sorted(found.gaps)
    assert len(found.gaps) == 2
    assert sum(dashed for _, dashed in circles(display)) == 2
    assert f"feature {found.medoid}" in display.title
    with pytest.raises(ValueError, match="numbered from 0; got 99"):
        FamilyWheelDisplay.from_estimator(analysis, 99)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"poses": []}, "at least one"),
        ({"members": [1]}, "one pose a member"),
        ({"poses": [0, 16]}, "0 to 15; got 16"),
        ({"gaps": [-1]}, "0 to 15; got -1"),
        ({"medoid": 9}, "9 is none of"),
        ({"stabilizer": Cyclic(8).subgroups()[1]}, "The stabilizer is one of"),
        ({"patches": np.zeros((2, 5, 5))}, r"\(2, height, width, 3\)"),
        ({"patches": np.zeros((3, 5, 5, 3))}, r"got \(3, 5, 5, 3\)"),
    ],
)
def test_what_does_not_fit_is_refused(options, message):
    options = {"poses": [0, 1], **options}
    with pytest.raises(ValueError, match=message):
        FamilyWheelDisplay.from_arrays(options.pop("poses"), GROUP, **options)
