from __future__ import annotations

import numpy as np
import pytest

from sklearn_groupcross.report import _codes
from sklearn_groupcross.report._excitation import ranked, strongest_samples
from sklearn_groupcross.report._responses import measure_responses
from sklearn_groupcross.report._strongest import strongest_blocks

FEATURES = [4, 9, 0]


@pytest.fixture(scope="module")
def strongest(small_crosscoder, orbits):
    return strongest_blocks(small_crosscoder, orbits, FEATURES)


@pytest.fixture(scope="module")
def best(strongest, small_dataset):
    ids = small_dataset.image_ids
    return [strongest_samples(ranked(codes), ids, 12) for codes in strongest.codes.T]


class Counting(np.ndarray):
    """Orbits that know which of them were read."""

    read: list

    def __getitem__(self, index):
        self.read += np.atleast_1d(index).tolist()
        return np.asarray(self)[index]


def test_they_are_mean_codes_of_transformed_inputs(small_crosscoder, orbits, strongest, best):
    group = small_crosscoder.group_
    found = measure_responses(
        FEATURES, best, crosscoder=small_crosscoder, orbits=orbits, strongest=strongest
    )
    # the orbit of g·x has the identity block O[g]: transform the permuted orbit instead
    codes = np.stack(
        [small_crosscoder.transform(orbits[:, group.right_translation(g)]) for g in range(8)],
        axis=1,
    )
    for row, feature in enumerate(FEATURES):
        relative = []
        for sample in best[row]:
            of_sample = codes[sample, :, feature]
            at = int(of_sample.argmax())
            moved = [of_sample[group.cayley_table[h, at]] for h in range(group.order)]
            relative.append(np.array(moved) / of_sample[at])
        np.testing.assert_allclose(found["mean"][row], np.mean(relative, axis=0), atol=1e-4)
        np.testing.assert_allclose(found["spread"][row], np.std(relative, axis=0), atol=1e-4)
    np.testing.assert_allclose(found["mean"][:, 0], 1.0, rtol=1e-6)
    np.testing.assert_array_equal(found["n_responses"], [len(places) for places in best])


def test_each_orbit_is_read_once_for_all_features(
    small_crosscoder, orbits, strongest, best, monkeypatch
):
    def measure(orbits):
        return measure_responses(
            FEATURES, best, crosscoder=small_crosscoder, orbits=orbits, strongest=strongest
        )

    whole = measure(orbits)
    monkeypatch.setattr(_codes, "_BYTES", 3 * orbits[0].nbytes)
    counting = orbits.view(Counting)
    counting.read = []
    in_parts = measure(counting)
    for name, array in whole.items():
        np.testing.assert_allclose(in_parts[name], array, atol=1e-6)
    assert counting.read == sorted(set().union(*best))
    assert len(counting.read) < sum(map(len, best))


def test_where_nothing_excites_nothing_is_known(small_crosscoder, orbits, strongest, best):
    found = measure_responses(
        FEATURES, [best[0], [], best[2]],
        crosscoder=small_crosscoder, orbits=orbits, strongest=strongest,
    )  # fmt: skip
    assert found["n_responses"][1] == 0
    assert np.isnan(found["mean"][1]).all()
    assert np.isfinite(found["mean"][[0, 2]]).all()
