from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from sklearn_groupcross.analysis import _neighbors
from sklearn_groupcross.analysis._neighbors import nearest_in_rows, neighbors_graph


@given(arrays(np.float64, (7, 7), elements=st.sampled_from([0.0, 0.5, 1.0, 2.0])), st.data())
def test_the_first_of_the_nearest_are_taken(distances, data):
    dead = np.array(data.draw(st.lists(st.booleans(), min_size=7, max_size=7)))
    n_alive = int((~dead).sum())
    k = data.draw(st.integers(0, max(0, n_alive - 1)))
    before = distances.copy()
    values, columns = nearest_in_rows(distances, dead, k)
    np.testing.assert_array_equal(distances, before)
    for i in range(7):
        others = [j for j in range(7) if j != i and not dead[j]]
        expected = sorted(others, key=lambda j: distances[i, j])[:k]
        assert columns[i].tolist() == expected
        np.testing.assert_array_equal(values[i], distances[i, expected])


def test_passes_of_rows_change_nothing(monkeypatch):
    distances = np.random.default_rng(0).random((20, 20))
    dead = np.arange(20) == 3
    whole = nearest_in_rows(distances, dead, 4)
    monkeypatch.setattr(_neighbors, "_ROWS_A_PASS", 3)
    for found, expected in zip(nearest_in_rows(distances, dead, 4), whole, strict=True):
        np.testing.assert_array_equal(found, expected)


def test_zeros_are_edges_and_the_dead_have_none():
    distances = np.array([[0.0, 0.3], [0.0, 0.2], [9.0, 9.0]])
    indices = np.array([[1, 2], [0, 2], [0, 1]])
    alive = np.array([True, True, False])
    graph = neighbors_graph(distances, indices, alive, "distance")
    assert graph.shape == (3, 3)
    assert graph.nnz == 4
    np.testing.assert_array_equal(np.diff(graph.indptr), [2, 2, 0])
    np.testing.assert_array_equal(graph.toarray(), [[0, 0, 0.3], [0, 0, 0.2], [0, 0, 0]])
    connected = neighbors_graph(distances, indices, alive, "connectivity")
    np.testing.assert_array_equal(connected.toarray(), [[0, 1, 1], [1, 0, 1], [0, 0, 0]])
