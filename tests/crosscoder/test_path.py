from __future__ import annotations

import numpy as np
import pytest

from sklearn_groupcross import Dihedral, GroupCrosscoder, crosscoder_path, make_orbits

GROUP = Dihedral(3)


@pytest.fixture(scope="module")
def orbits():
    return make_orbits(
        600, group=GROUP, n_channels=16, n_families=2, n_active=3, random_state=0
    ).orbits


def estimator(**options):
    defaults = {
        "group": GROUP,
        "n_features": 24,
        "batch_size": 100,
        "max_epochs": 30,
        "random_state": 0,
    }
    return GroupCrosscoder(**{**defaults, **options})


class CountedStore:
    def __init__(self, array):
        self._array = array
        self.shape, self.dtype = array.shape, array.dtype
        self.n_batches = 0

    def __getitem__(self, rows):
        self.n_batches += not isinstance(rows, slice)
        return self._array[rows]


@pytest.mark.parametrize("activation", ["relu", "jumprelu"])
def test_a_path_is_as_good_as_independent_fits(orbits, activation):
    l1s = [0.03, 0.1, 0.3]
    path = crosscoder_path(estimator(activation=activation), orbits, l1s)
    assert [fitted.l1 for fitted in path] == l1s
    l0 = [(fitted.transform(orbits) > 0).sum(1).mean() for fitted in path]
    assert l0[0] > l0[1] > l0[2]
    for fitted in path:
        alone = estimator(activation=activation, l1=fitted.l1).fit(orbits)
        assert fitted.score(orbits) > alone.score(orbits) - (0.03 if activation == "relu" else 0.06)
        alone_l0 = (alone.transform(orbits) > 0).sum(1).mean()
        assert (fitted.transform(orbits) > 0).sum(1).mean() < 1.3 * alone_l0 + 0.5


def test_the_first_is_the_plain_fit(orbits):
    first = crosscoder_path(estimator(), orbits, [0.3, 0.05])[0]
    np.testing.assert_array_equal(first.components_, estimator(l1=0.05).fit(orbits).components_)


def test_the_passes_are_shared(orbits):
    counts = []
    for l1s in ([0.03, 0.1], [0.03, 0.1, 0.2, 0.3, 0.4]):
        store = CountedStore(orbits)
        crosscoder_path(estimator(max_epochs=4), store, l1s, refine=0.5)
        counts.append(store.n_batches)
    assert counts == [(4 + 2) * 6] * 2


def test_the_estimator_is_left_alone_and_its_clones_are_whole(orbits, tmp_path):
    template = estimator(max_epochs=2)
    path = crosscoder_path(template, orbits, [0.3, 0.1])
    assert len(path) == 2
    assert not hasattr(template, "components_")
    for fitted in path:
        fitted.save(tmp_path / "model.safetensors")
        again = GroupCrosscoder.load(tmp_path / "model.safetensors")
        np.testing.assert_array_equal(again.transform(orbits), fitted.transform(orbits))


@pytest.mark.parametrize(
    ("options", "l1s", "refine", "message"),
    [
        ({}, [], 0.5, "one or more; got"),
        ({}, [-0.1, 1.0], 0.5, "at least 0"),
        ({}, [0.1, np.nan], 0.5, "finite penalties"),
        ({}, 0.1, 0.5, r"a sequence of penalties, such as \[0.03, 0.1\]; got 0.1"),
        ({}, [0.3, 0.1, 0.1], 0.5, r"a penalty twice: \[0.3, 0.1, 0.1\]"),
        ({}, [0.1], 0.0, "refine is a share"),
        ({"activation": "topk"}, [0.1], 0.5, "no effect with activation='topk'"),
    ],
)
def test_bad_input(orbits, options, l1s, refine, message):
    with pytest.raises(ValueError, match=message):
        crosscoder_path(estimator(**options), orbits, l1s, refine=refine)
