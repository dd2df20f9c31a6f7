from __future__ import annotations

import copy

import numpy as np
import pytest

from sklearn_groupcross import Cyclic, GroupCrosscoder, SymmetryAnalyzer
from sklearn_groupcross.report import ReportSubject
from sklearn_groupcross.report._comparison import compare, match_responses
from sklearn_groupcross.report._subject import resolve_subject
from tests.report.page import unpacked


@pytest.fixture(scope="module")
def moved(small_crosscoder):
    """The same dictionary in another order and, atom by atom, in other poses."""
    group, rng = small_crosscoder.group_, np.random.default_rng(0)
    m, d = len(small_crosscoder.components_), small_crosscoder.n_channels_
    order, poses = rng.permutation(m), rng.integers(group.order, size=m)
    atoms = small_crosscoder.components_.reshape(m, group.order, d)
    other = copy.deepcopy(small_crosscoder)
    other.components_ = np.stack(
        [atoms[i][group.right_translation(h)] for i, h in zip(order, poses, strict=True)]
    ).reshape(m, -1)
    return other, order


def material(analysis, crosscoder, orbits):
    return resolve_subject(ReportSubject(analysis, crosscoder, None, orbits))


def test_the_same_in_other_poses_is_found(analysis, small_crosscoder, moved):
    other, order = moved
    first = resolve_subject(ReportSubject(analysis, name="one"))
    second = resolve_subject(ReportSubject(SymmetryAnalyzer().fit(other), name="two"))
    found = compare(first, second)
    assert found["measure"] == "cosine"
    assert found["how"].startswith("one beside two.")
    assert unpacked(found["similarity"]) == pytest.approx(1)
    firsts, seconds = unpacked(found["first"]), unpacked(found["second"])
    assert sorted(firsts) == np.flatnonzero(~analysis.dead_).tolist()
    np.testing.assert_array_equal(order[seconds], firsts)
    group = analysis.group_
    atoms = small_crosscoder.components_.reshape(len(order), group.order, -1)
    others = other.components_.reshape(atoms.shape)
    for i, j, h in zip(firsts, seconds, unpacked(found["element"]), strict=True):
        np.testing.assert_allclose(atoms[i], others[j][group.right_translation(h)], atol=1e-5)


class Exact:
    """A network that is equivariant: orbits in which block g is a permutation of block 0."""

    def __init__(self, group, rng):
        base = rng.standard_normal((200, group.order, 3)).astype(np.float32)
        # channels are a function on the group times three: g acts by translation
        self.orbits = np.stack(
            [base[:, group.right_translation(g)].reshape(200, -1) for g in range(group.order)],
            axis=1,
        )


def test_responses_find_what_atoms_would(rng_crosscoder):
    crosscoder, analysis, orbits, other = rng_crosscoder
    first = material(analysis, crosscoder, orbits)
    second = material(analysis, other, orbits)
    pairs, similarity, element = match_responses(first, second)
    firing = (first.frequencies > 0).sum()
    assert len(pairs) == min(firing, (second.frequencies > 0).sum())
    good = similarity > 0.999
    assert good.mean() > 0.9
    group = crosscoder.group_
    for (i, j), h in zip(pairs[good], element[good], strict=True):
        # the code of i on h·y is that of j on y
        codes = crosscoder.encode(orbits[:, group.cayley_table[h, 0]])[:, i]
        np.testing.assert_allclose(codes, other.encode(orbits[:, 0])[:, j], atol=1e-4)


@pytest.fixture(scope="module")
def rng_crosscoder():
    """A crosscoder, and one whose encoder reads inputs as if they were transformed."""
    group, rng = Cyclic(5), np.random.default_rng(0)
    orbits = Exact(group, rng).orbits
    crosscoder = GroupCrosscoder(
        group, n_features=12, activation="relu", l1=0.01, max_epochs=20, random_state=0
    ).fit(orbits)
    analysis = SymmetryAnalyzer().fit(crosscoder)
    order, poses = rng.permutation(12), rng.integers(5, size=12)
    other = copy.deepcopy(crosscoder)
    # z_j(y) = z_i(h·y): the action on channels is the translation, which is orthogonal
    encoder = crosscoder.encoder_.reshape(12, 5, 3)
    other.encoder_ = np.stack(
        [
            encoder[i][np.argsort(group.right_translation(h))]
            for i, h in zip(order, poses, strict=True)
        ]
    ).reshape(12, -1)
    other.encoder_intercept_ = crosscoder.encoder_intercept_[order]
    return crosscoder, analysis, orbits, other


def test_what_cannot_be_compared_is_refused(analysis, small_crosscoder, orbits):
    first = material(analysis, small_crosscoder, orbits)
    other = SymmetryAnalyzer(group=Cyclic(5)).fit(np.random.default_rng(0).random((6, 10)))
    with pytest.raises(ValueError, match=r"over Dihedral\(4\), the second over Cyclic\(5\)"):
        compare(first, resolve_subject(ReportSubject(other)))
    with pytest.raises(ValueError, match="240 orbits, the second 0"):
        compare(first, resolve_subject(ReportSubject(analysis)), "responses")
