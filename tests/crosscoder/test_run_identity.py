"""What tells one run from another."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import array_shapes, arrays

from sklearn_groupcross import Cyclic, Dihedral, GroupCrosscoder, Trivial, make_orbits
from sklearn_groupcross.crosscoder import keeping_checkpoint
from sklearn_groupcross.crosscoder._persistence import identity_of_parameters, parameters_to_json
from sklearn_groupcross.crosscoder._run_identity import (
    fingerprint,
    identity_of_seed,
)

ARRAYS = arrays(
    st.sampled_from([np.float32, np.float64, np.int64]),
    array_shapes(max_dims=2, max_side=4),
    elements=st.integers(-3, 3),
)


@given(ARRAYS, ARRAYS)
def test_arrays_have_one_fingerprint_if_they_are_the_same(first, second):
    same = first.dtype == second.dtype and np.array_equal(first, second)
    assert (fingerprint(first) == fingerprint(second)) == same
    assert fingerprint(np.asfortranarray(first)) == fingerprint(first)


def test_labels_are_told_apart_by_what_they_say():
    labels = np.array(["a", "b"], dtype=object)
    assert fingerprint(labels) == fingerprint(np.array(["a", "b"], dtype=object))
    assert fingerprint(labels) != fingerprint(np.array(["a", "c"], dtype=object))


@given(st.integers(0, 2**32 - 1))
def test_a_seed_is_itself(seed):
    assert identity_of_seed(seed) == identity_of_seed(np.uint32(seed)) == seed


def test_a_generator_is_the_state_that_it_is_in():
    first, second = (np.random.RandomState(0) for _ in range(2))
    assert identity_of_seed(first) == identity_of_seed(second)
    first.rand()
    assert identity_of_seed(first) != identity_of_seed(second)
    second.rand()
    assert identity_of_seed(first) == identity_of_seed(second)


@pytest.mark.parametrize("bits", [np.random.PCG64, np.random.Philox])
def test_generators_of_any_kind_have_a_state(bits):
    first, second = (np.random.RandomState(bits(seed)) for seed in (0, 1))
    assert identity_of_seed(first) != identity_of_seed(second)


def test_no_seed_is_none():
    assert identity_of_seed(None) is None


def identity(**parameters):
    crosscoder = GroupCrosscoder(**parameters)
    return identity_of_parameters(parameters_to_json(crosscoder.get_params(deep=False)))


@pytest.mark.parametrize(
    ("first", "second"),
    [
        ({"group": "dihedral:4"}, {"group": Dihedral(4)}),
        ({"group": None}, {"group": Trivial()}),
        ({"group": "trivial"}, {"group": None}),
        ({"l1": 1}, {"l1": 1.0}),
        ({"l1": np.float32(0.5)}, {"l1": 0.5}),
        ({"n_features": np.int64(8)}, {"n_features": 8}),
        ({"verbose": 1, "sparse_output": True}, {}),
    ],
    ids=repr,
)
def test_a_run_has_one_identity_however_it_is_written(first, second):
    assert identity(**first) == identity(**second)


@pytest.mark.parametrize(
    ("first", "second"),
    [
        ({"group": "dihedral:4"}, {"group": Dihedral(8)}),
        ({"group": "dihedral:4"}, {"group": Cyclic(8)}),
        ({"l1": 1}, {"l1": 1.5}),
        ({"augment": True}, {}),
        ({"k": 1}, {"k": None}),
    ],
    ids=repr,
)
def test_different_runs_have_different_identities(first, second):
    assert identity(**first) != identity(**second)


def test_a_run_goes_on_whether_its_group_is_named_or_made(tmp_path):
    orbits = make_orbits(100, group=Dihedral(3), n_channels=8, random_state=0).orbits
    options = {"n_features": 12, "random_state": 0, "checkpoint_dir": tmp_path}
    names = []
    for group in ("dihedral:3", Dihedral(3)):
        crosscoder = GroupCrosscoder(group, max_epochs=2, **options)
        with keeping_checkpoint(crosscoder):
            crosscoder.fit(orbits)
            names += [path.name for path in tmp_path.glob("*.checkpoint.safetensors")]
    assert len(names) == 2
    assert names[0] == names[1]


def test_the_penalty_of_the_weights_is_not_that_of_the_next_fit(tmp_path):
    orbits = make_orbits(100, group=Dihedral(3), n_channels=8, random_state=0).orbits
    crosscoder = GroupCrosscoder("dihedral:3", 12, l1=0.3, max_epochs=2, random_state=0).fit(orbits)
    assert crosscoder.set_params(l1=7).l1_ == 0.3
    crosscoder.save(tmp_path / "model.safetensors")
    loaded = GroupCrosscoder.load(tmp_path / "model.safetensors")
    assert (loaded.l1, loaded.l1_) == (7, 0.3)
    sparse = GroupCrosscoder("dihedral:3", 12, activation="topk", k=2, max_epochs=2).fit(orbits)
    assert sparse.l1_ is None
