from __future__ import annotations

import os
import subprocess
import sys

import numpy as np
import pytest
import torch
from sklearn import set_config
from tqdm import std

from sklearn_groupcross.analysis import _embedding
from sklearn_groupcross.analysis._embedding import MIN_FEATURES_FOR_A_MAP, embed


def two_clumps(n):
    """Distances of two clumps, of which the members of each are at distance zero."""
    side = np.arange(n) % 2
    return (side[:, None] != side).astype(np.float64)


@pytest.mark.parametrize("n", [MIN_FEATURES_FOR_A_MAP, 20])
def test_what_is_near_is_near_in_the_plane_and_a_seed_gives_the_same_bits(n):
    distances, n_threads = two_clumps(n), torch.get_num_threads()
    before = distances.copy()
    points = embed(distances, seed=0)
    assert (points.shape, points.dtype) == ((n, 2), np.float32)
    np.testing.assert_array_equal(distances, before)
    np.testing.assert_array_equal(embed(distances, seed=0), points)
    assert torch.get_num_threads() == n_threads
    if n == 20:  # of five features each is a neighbour of all
        apart = np.linalg.norm(points[:, None] - points, axis=2)
        assert apart[distances == 1].mean() > 2 * apart[distances == 0].mean()


def test_users_settings_of_containers_do_not_reach_it():
    set_config(transform_output="pandas")
    try:
        assert type(embed(two_clumps(6), seed=0)) is np.ndarray
    finally:
        set_config(transform_output="default")


def test_too_few_features_are_refused():
    with pytest.raises(ValueError, match="at least 5 features; this dictionary has 4"):
        embed(two_clumps(4), seed=0)


def test_what_umap_compiles_for_a_map_is_kept_on_disk(tmp_path):
    """In processes that have just begun: the second finds what the first has compiled."""
    program = """
import numpy as np
from sklearn_groupcross.analysis._embedding import embed
points = embed(1.0 - np.eye(20), seed=0)
from umap import layouts, umap_
loops = [layouts._nb_optimize_layout_euclidean_single_epoch, umap_.smooth_knn_dist]
loops.append(umap_.compute_membership_strengths)
print([sum(loop.stats.cache_hits.values()) for loop in loops], points.tobytes().hex())
"""
    settings = {**os.environ, "NUMBA_CACHE_DIR": str(tmp_path)}
    results = [
        subprocess.run(
            [sys.executable, "-c", program],
            env=settings,
            capture_output=True,
            text=True,
            check=True,
        ).stdout.split("] ")
        for _ in range(2)
    ]
    assert [hits for hits, _ in results] == ["[0, 0, 0", "[1, 1, 1"]
    assert results[0][1] == results[1][1]


def test_the_first_map_of_a_process_says_what_is_waited_for(monkeypatch):
    told = []

    class Bar(std.tqdm):
        def set_postfix_str(self, s="", refresh=True):
            told.append((self.desc, s))

    monkeypatch.setattr(_embedding, "tqdm", lambda **options: Bar(**options))
    monkeypatch.setattr(_embedding, "_compiled", [])
    for _ in range(2):
        embed(two_clumps(6), seed=0, progress=True)
    first = [("embedding", "importing UMAP, and compiling it the first time"), ("embedding", "")]
    assert told == [*first, ("embedding", "")]
