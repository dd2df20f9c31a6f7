from __future__ import annotations

import pytest

from sklearn_groupcross import Cyclic, Dihedral, Trivial
from sklearn_groupcross.analysis._poses import describe_poses
from sklearn_groupcross.groups import Quaternion, RotationGroup

FULL = range(16)


@pytest.mark.parametrize(
    ("group", "generators", "poses", "kind", "words"),
    [
        (Cyclic(16), [], set(FULL) - {4}, "directed",
         "directed features: 0° to 337.5°, missing 90°"),
        (Cyclic(32), [16], FULL, "line", "lines: 0° to 168.75°; complete"),
        (Cyclic(16), [], set(FULL) - {1, 2, 8}, None,
         "0° to 337.5°, missing 22.5° to 45° and 180°"),
        (Cyclic(16), [], set(FULL) - {0, 15, 8}, None,
         "0° to 337.5°, missing 180° and 337.5° to 0°"),
        (Cyclic(16), [], {2, 3, 9}, "other", "only 45° to 67.5° and 202.5°"),
        (Dihedral(4), [], {0, 1, 2, 3, 4, 5, 7}, None,
         "0° to 270°; mirrored 0° to 270°, missing 180°"),
        (Dihedral(4), [], {0, 1, 3}, None, "0° to 270°, missing 180°; mirrored none"),
        (Dihedral(4), [4], {0, 1, 2, 3}, "grid", "grids: 0° to 270°; complete"),
        (Trivial(), [], {0}, "round", "round features: 0°; complete"),
        (Quaternion(), [4], {0, 1, 2}, None, "3 of 4 poses, missing k"),
        (Quaternion(), [], {0, 6}, None, "2 of 8 poses, only identity; -j"),
    ],
)  # fmt: skip
def test_poses_in_words(group, generators, poses, kind, words):
    assert describe_poses(sorted(poses), group.generated_subgroup(generators), kind) == words


def test_long_lists_of_poses_are_shortened():
    group = RotationGroup("octahedral")
    text = describe_poses(range(12), group.generated_subgroup([]))
    names = [group.describe_element(element) for element in range(12, 16)]
    assert text == f"12 of 24 poses, missing {'; '.join(names)}; 8 more"
