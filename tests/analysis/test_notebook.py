from __future__ import annotations

from dataclasses import replace

import pytest

from sklearn_groupcross import Dihedral, SymmetryAnalyzer, make_orbits
from sklearn_groupcross.analysis._families import Families
from tests.notebook import read, read_small


@pytest.fixture(scope="module")
def analysis():
    planted = make_orbits(5, group=Dihedral(4), n_families=6, random_state=5)
    atoms = planted.components.reshape(len(planted.components), -1)
    return SymmetryAnalyzer(group=Dihedral(4)).fit(atoms)


def test_an_analysis_shows_kinds_and_families_and_computes_nothing(analysis):
    before = dict(vars(analysis))
    html = analysis._repr_mimebundle_()["text/html"]
    assert vars(analysis).keys() == before.keys()
    assert "_embedding" not in vars(analysis)
    words, _ = read(html)
    assert f"features {len(analysis.labels_)}" in words
    for kind in set(analysis.kinds_):
        assert f"{(analysis.kinds_ == kind).sum()} {kind}" in words
    assert f"{len(analysis.families_)}, and {(analysis.labels_ < 0).sum()} features alone" in words
    # the rest is scikit-learn's
    learned = analysis._learned_html()
    assert html.endswith(learned)
    read_small(learned)


def test_a_family_shows_members_and_gaps(analysis):
    family = analysis.families_[0]
    family = replace(family, members=family.members[:3], poses=family.poses[:3], gaps=(7,))
    medoid = replace(family, medoid=family.members[1])
    words, tags = read_small(medoid._repr_html_())
    assert family.description in words
    assert f"members {', '.join(map(str, family.members))}" in words
    fills = [attributes["fill"] for tag, attributes in tags if tag == "circle"]
    assert fills.count("#F58A2E") == 1
    assert fills[family.poses[1]] == "#F58A2E"
    assert fills.count("#3597F0") == len(set(family.poses)) - 1
    assert fills[7] == "none"


def test_families_are_a_list_that_shows_the_largest(analysis):
    families = analysis.families_
    assert isinstance(families, list)
    words, tags = read_small(families._repr_html_())
    assert words.startswith(f"{len(families)} families of {sum(map(len, families))} features")
    assert [tag for tag, _ in tags].count("svg") == min(4, len(families))
    assert read_small(Families()._repr_html_())[0] == "0 families of 0 features"


def test_families_are_equal_whether_their_group_is_told_or_not(analysis):
    family = analysis.families_[0]
    without = replace(family, group=None)
    assert without == family
    assert "svg" not in without._repr_html_()
    assert "Dihedral" not in repr(family)


def test_descriptions_run_nothing(analysis):
    family = replace(analysis.families_[0], description="<script>x</script>")
    _, tags = read_small(Families([family])._repr_html_())
    assert "script" not in {tag for tag, _ in tags}
