from __future__ import annotations

import numpy as np
import pytest

from sklearn_groupcross import Cyclic, Dihedral, GroupCrosscoder
from sklearn_groupcross.analysis._dictionaries import name_dictionaries, resolve_dictionaries
from tests.analysis.planted import strangers

D4 = Dihedral(4)
ATOMS = strangers(D4).components


def test_names_are_given_or_numbers():
    assert list(name_dictionaries({"seed 7": ATOMS}, "others")) == ["seed 7"]
    assert list(name_dictionaries([ATOMS, ATOMS], "others")) == ["dictionary 0", "dictionary 1"]


@pytest.mark.parametrize("one", [ATOMS, GroupCrosscoder()])
def test_a_single_dictionary_is_no_list(one):
    with pytest.raises(TypeError, match=r"others is a list.*a single.*\[dictionary\]"):
        name_dictionaries(one, "others")


def test_a_crosscoder_brings_the_group_of_all():
    crosscoder = GroupCrosscoder(group=D4, n_features=3, max_epochs=1, random_state=0)
    crosscoder.fit(np.random.default_rng(0).standard_normal((20, 8, ATOMS.shape[2])))
    atoms, group = resolve_dictionaries({"atoms": ATOMS, "fitted": crosscoder}, None)
    assert group == D4
    np.testing.assert_allclose(np.linalg.norm(atoms["fitted"], axis=(1, 2)), 1.0, rtol=1e-6)
    with pytest.raises(ValueError, match="fitted has atoms over Dihedral"):
        resolve_dictionaries({"fitted": crosscoder}, Cyclic(8))


@pytest.mark.parametrize(
    ("others", "group", "message"),
    [
        ({"a": ATOMS}, None, "a are atoms, which alone do not name their group"),
        ({"a": ATOMS, "b": ATOMS[:, :, :3]}, D4, r"channels differ: \{'a': 12, 'b': 3\}"),
        ({"a": np.full((2, 16), np.nan)}, D4, "Input a contains NaN|'a' contains NaN|a contains"),
    ],
)
def test_what_cannot_be_compared_is_refused(others, group, message):
    with pytest.raises(ValueError, match=message):
        resolve_dictionaries(others, group)
