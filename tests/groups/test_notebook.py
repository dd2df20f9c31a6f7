from __future__ import annotations

import numpy as np
import pytest

from sklearn_groupcross import Cyclic, Dihedral
from sklearn_groupcross.groups import Quaternion, Symmetric
from tests.notebook import read_small


def test_a_group_shows_its_order_and_its_table():
    words, tags = read_small(Dihedral(4)._repr_html_())
    assert words.startswith(
        "Dihedral(4) elements 8 abelian no of them 1 of order 1, 5 of order 2, 2 of order 4"
    )
    assert "img" in {tag for tag, _ in tags}


def test_irreps_are_shown_if_they_are_known_and_not_computed():
    group = Quaternion()
    before = set(vars(group))
    assert "irreps" not in read_small(group._repr_html_())[0]
    assert set(vars(group)) == before
    assert len(group.irreps) == 5
    words, _ = read_small(group._repr_html_())
    listed = words.partition("irreps of dimension ")[2].split(" Cayley")[0]
    assert sorted(listed.split(", ")) == sorted(str(irrep.dimension) for irrep in group.irreps)


@pytest.mark.parametrize("group", [Cyclic(65), Cyclic(1000), Symmetric(5)], ids=repr)
def test_large_groups_are_counted(group):
    words, tags = read_small(group._repr_html_())
    assert f"elements {group.order}" in words
    assert "img" not in {tag for tag, _ in tags}


def test_a_subgroup_is_seen_among_all_elements():
    subgroup = Dihedral(6).generated_subgroup([3])
    words, tags = read_small(subgroup._repr_html_())
    assert subgroup.name in words
    assert "order 2 of 12" in words
    filled = [tag for tag, attributes in tags if attributes.get("fill") == "#3597F0"]
    assert len(filled) == 2


def test_a_stabilizer_shows_its_evidence():
    group = Dihedral(4)
    profile = np.where(np.isin(np.arange(8), [0, 2]), 0.9, 0.1)
    stabilizer = group.stabilizer(profile)
    words, _ = read_small(stabilizer._repr_html_())
    assert stabilizer.name in words
    assert f"smallest cosine {stabilizer.minimum:.3f}" in words
    assert f"{stabilizer.runner_up.name} ({stabilizer.runner_up_score:.3f})" in words


def test_names_of_elements_run_nothing():
    group = Cyclic(3).named(["identity", "<script>x</script>", "'\"&"])
    for html in (group._repr_html_(), group.generated_subgroup([1])._repr_html_()):
        _, tags = read_small(html)
        assert "script" not in {tag for tag, _ in tags}
