from __future__ import annotations

import numpy as np
import pytest

from sklearn_groupcross import Cyclic, Dihedral
from sklearn_groupcross.analysis import KINDS, measurable_kinds, name_kinds


def profile(group, rotations):
    values = np.interp(
        np.arange(group.n_turns) * 360 / group.n_turns,
        np.linspace(0, 360, len(rotations)),
        rotations,
    )
    return np.concatenate([values] * (2 if group.has_mirrors else 1))


@pytest.mark.parametrize("group", [Cyclic(16), Dihedral(16)], ids=repr)
@pytest.mark.parametrize(
    ("rotations", "kind"),
    [
        ([1, 0, 1, 0, 1], "line"),
        ([1, 0, 1, 0, 1, 0, 1, 0, 1], "grid"),
        ([1, 0.5, 0, 0.5, 1], "curve or edge"),
        ([1, 0.9, 0.9, 0.9, 1], "round"),
        ([1, 0.5, 0.5, 0.5, 1], "other"),
        ([1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1], "other"),
    ],
)
def test_kinds(group, rotations, kind):
    assert name_kinds(profile(group, rotations)[None], group)[0] == kind
    assert kind in KINDS


def test_kinds_that_a_group_cannot_show_are_never_named():
    assert measurable_kinds(Dihedral(4)) == ["line", "other"]
    assert measurable_kinds(Cyclic(16)) == list(KINDS)
    assert name_kinds(np.full((1, 4), 0.9), Cyclic(4))[0] == "other"
    assert name_kinds(np.array([[1.0, 0.0, 0.0]]), Cyclic(3))[0] == "other"
    assert name_kinds(np.array([[1.0, 0.0]]), Cyclic(2))[0] == "other"
