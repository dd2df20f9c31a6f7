from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from sklearn_groupcross import (
    Cyclic,
    Dihedral,
    GroupCrosscoder,
    OrbitStore,
    SymmetryAnalyzer,
    extract_orbits,
    stack_orbits,
)
from sklearn_groupcross.actions import (
    ImageAction,
    LinearAction,
    PermutationAction,
    PointCloudAction,
    SetAction,
    TimeShiftAction,
)
from sklearn_groupcross.groups import Symmetric
from tests.groups.strategies import NON_ABELIAN
from tests.tolerances import assert_near


def normal(*shape, seed=0):
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed))


def features(inputs):
    """Some function without symmetry, each row by itself."""
    flat = inputs.flatten(1)
    weights = normal(flat.shape[1], 4, seed=1).to(flat)
    return torch.tanh(flat @ weights)


def assert_same_features(found, expected, inputs):
    """Rows of products in other batches; what follows them is no steeper than they are."""
    flat = inputs.flatten(1)
    size = (flat.abs() @ normal(flat.shape[1], 4, seed=1).abs()).max()
    assert_near(found, expected, flat.shape[1], size)


@given(st.sampled_from(NON_ABELIAN), st.data())
def test_orbits_of_transformed_inputs_are_right_translates(group, data):
    """The orbit of h·x is ``O[:, gh]``; with ``hg`` it would not be."""
    h = data.draw(st.integers(1, group.order - 1))
    action = PermutationAction(group, group.cayley_table)
    signals = normal(3, group.order)
    orbits = stack_orbits(signals, action, features)
    moved = stack_orbits(action.transform(signals)[:, h], action, features)
    assert_same_features(moved, orbits[:, group.right_translation(h)], signals)
    left = group.cayley_table[h]
    if not np.array_equal(left, group.right_translation(h)):
        assert np.abs(moved - orbits[:, left]).max() > 1e-3


@pytest.mark.parametrize("batch_size", [1, 7, 24, 30, 1000])
def test_the_batch_size_does_not_matter(batch_size):
    action, clouds = PointCloudAction("octahedral"), normal(5, 6, 3)
    orbits = stack_orbits(clouds, action, features, batch_size=batch_size)
    assert orbits.shape == (5, 24, 4)
    assert orbits.dtype == np.float32
    expected = [[features(x[None])[0].numpy() for x in views] for views in action.transform(clouds)]
    assert_same_features(orbits, np.array(expected), clouds)


def test_no_more_than_the_batch_reaches_the_function():
    seen = []

    def function(inputs):
        seen.append(len(inputs))
        return inputs

    stack_orbits(normal(7, 8), TimeShiftAction(Cyclic(4)), function, batch_size=10)
    assert max(seen) <= 10
    assert sum(seen) == 28


def test_images_of_one_batch_do_not_influence_each_other():
    images = torch.stack([torch.full((1, 24, 24), 0.5), torch.zeros(1, 24, 24)])
    images[0, 0, 12:], images[1, 0, 12:, :12] = 0.6, 1.0
    action = ImageAction(Dihedral(8), mask=True)
    both = stack_orbits(images, action, lambda x: x.flatten(1))
    alone = stack_orbits(images[:1], action, lambda x: x.flatten(1))
    np.testing.assert_array_equal(both[:1], alone)


def test_arrays_memory_maps_and_lists(tmp_path):
    signals = np.random.default_rng(0).standard_normal((6, 8))
    np.save(tmp_path / "signals.npy", signals)
    action = TimeShiftAction(Cyclic(4))
    expected = stack_orbits(torch.from_numpy(signals), action, features)
    reversed_twice = signals[::-1].copy()[::-1]
    signals.setflags(write=False)
    mapped = np.load(tmp_path / "signals.npy", mmap_mode="r")
    for inputs in (signals, mapped, signals.tolist(), reversed_twice):
        np.testing.assert_array_equal(stack_orbits(inputs, action, features), expected)


def test_whole_numbers_reach_the_function_as_they_are():
    tokens = torch.arange(12).reshape(3, 4)
    embedding = torch.nn.Embedding(12, 5)
    orbits = stack_orbits(
        tokens, SetAction(Symmetric(4), axis=-1), lambda t: embedding(t).flatten(1)
    )
    np.testing.assert_array_equal(orbits[:, 0], embedding(tokens).detach().flatten(1).numpy())


def test_a_module_is_evaluated_and_left_as_it_was():
    network = torch.nn.Sequential(torch.nn.Linear(8, 6), torch.nn.Dropout(0.5), torch.nn.Tanh())
    network.double()
    network[2].eval()
    signals, action = normal(4, 8), TimeShiftAction(Cyclic(2))
    first, second = (stack_orbits(signals, action, network) for _ in range(2))
    np.testing.assert_array_equal(first, second)
    assert [m.training for m in network] == [True, True, False]
    assert all(p.grad is None for p in network.parameters())


def test_the_orbits_train_a_crosscoder():
    orbits = stack_orbits(normal(30, 8), TimeShiftAction(Cyclic(4)), features)
    crosscoder = GroupCrosscoder(group=Cyclic(4), n_features=8, max_epochs=2).fit(orbits)
    assert crosscoder.transform(orbits).shape == (30, 8)


class Shapeless:
    group = Cyclic(4)

    def transform(self, inputs):
        return inputs


def test_bad_arguments_are_refused():
    action = LinearAction(Cyclic(1), np.ones((1, 1, 1)))
    with pytest.raises(TypeError, match="a group and a method transform"):
        stack_orbits(normal(2, 1), Cyclic(4), features)
    with pytest.raises(ValueError, match="batch_size is at least 1"):
        stack_orbits(normal(2, 1), action, features, batch_size=0)
    with pytest.raises(ValueError, match=r"n >= 1"):
        stack_orbits(normal(0, 1), action, features)
    with pytest.raises(ValueError, match=r"got \(3,\)"):
        stack_orbits(normal(3), action, features)
    with pytest.raises(ValueError, match=r"\(2, 4, ...\); got \(2, 8\)"):
        stack_orbits(normal(2, 8), Shapeless(), features)


SHIFTS = TimeShiftAction(Cyclic(4))


def test_a_store_holds_the_orbits_of_the_stack(tmp_path):
    signals = normal(41, 8)
    recordings = np.repeat(["a", "b", "c", "d"], [10, 1, 20, 10])
    store = extract_orbits(
        signals, SHIFTS, features, tmp_path / "store", groups=recordings, batch_size=12
    )
    expected = stack_orbits(signals, SHIFTS, features)
    np.testing.assert_allclose(np.asarray(store, dtype=np.float32), expected, atol=2e-3)
    np.testing.assert_array_equal(store.image_ids, np.repeat(range(4), [10, 1, 20, 10]))
    assert [image.name for image in store.images] == ["a", "b", "c", "d"]
    assert store.metadata["action"] == "TimeShiftAction(Cyclic(4), axis=-1)"
    assert store.verify().ok
    alone = extract_orbits(signals, SHIFTS, features, tmp_path / "alone", dtype="float32")
    np.testing.assert_array_equal(alone.image_ids, np.arange(41))
    np.testing.assert_allclose(np.asarray(alone), expected, atol=1e-6)
    assert len(alone.pending()) == 0


class Stopped(Exception):
    pass


@pytest.mark.parametrize("groups", [None, np.arange(40) // 4])
def test_a_stopped_call_goes_on_where_it_was(tmp_path, groups):
    signals, calls = normal(40, 8), []

    def function(inputs, most=3):
        calls.append(len(inputs))
        if len(calls) > most:
            raise Stopped
        return features(inputs)

    options = {"groups": groups, "chunk_bytes": 8 * 4 * 4 * 2, "batch_size": 16}
    with pytest.raises(Stopped):
        extract_orbits(signals, SHIFTS, function, tmp_path / "store", **options)
    n_pending = len(OrbitStore(tmp_path / "store", allow_incomplete=True).pending_images())
    n_images = 40 if groups is None else 10
    assert 0 < n_pending < n_images
    function.__defaults__ = (1000,)
    calls.clear()
    store = extract_orbits(signals, SHIFTS, function, tmp_path / "store", **options)
    whole = extract_orbits(signals, SHIFTS, function, tmp_path / "whole", **options)
    np.testing.assert_array_equal(np.asarray(store), np.asarray(whole))
    assert store.verify().ok
    calls.clear()
    extract_orbits(signals, SHIFTS, function, tmp_path / "store", **options)
    assert sum(calls) == 4  # the first orbit, which is compared


def test_sources_are_added_by_their_content(tmp_path):
    signals = normal(30, 8)
    recordings = np.arange(30) // 10
    extract_orbits(signals[:20], SHIFTS, features, tmp_path / "store", groups=recordings[:20])
    store = extract_orbits(
        signals[10:], SHIFTS, features, tmp_path / "store", groups=recordings[10:], append=True
    )
    assert [image.n_rows for image in store.images] == [10, 10, 10]
    expected = stack_orbits(signals, SHIFTS, features)
    np.testing.assert_allclose(np.asarray(store, dtype=np.float32), expected, atol=2e-3)


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"function": lambda x: 2 * features(x)}, "its metadata\\['function'\\] is"),
        ({"action": TimeShiftAction(Cyclic(2))}, "its group is Cyclic"),
        ({"action": TimeShiftAction(Cyclic(4), length=8)}, "its metadata\\['action'\\] is"),
        ({"inputs": normal(5, 8, seed=9)}, "other images"),
        ({"inputs": normal(5, 8).double()}, "its metadata\\['inputs'\\] is"),
    ],
)
def test_a_store_of_something_else_is_left_alone(tmp_path, changed, message):
    arguments = {"inputs": normal(5, 8), "action": SHIFTS, "function": features}
    store = extract_orbits(**arguments, path=tmp_path / "store")
    before = np.asarray(store)
    with pytest.raises(ValueError, match=message):
        extract_orbits(**(arguments | changed), path=tmp_path / "store")
    np.testing.assert_array_equal(np.asarray(OrbitStore(store.path)), before)


def test_a_function_that_gives_something_else_is_seen(tmp_path):
    signals = normal(5, 8)

    def scaled(factor):
        return lambda inputs: factor * features(inputs)

    extract_orbits(signals, SHIFTS, scaled(1.0), tmp_path / "store")
    extract_orbits(signals, SHIFTS, scaled(1.001), tmp_path / "store")  # rounding
    with pytest.raises(ValueError, match="holds another orbit of input 0"):
        extract_orbits(signals, SHIFTS, scaled(2.0), tmp_path / "store")
    network = torch.nn.Linear(8, 3)
    extract_orbits(signals, SHIFTS, network, tmp_path / "network")
    with pytest.raises(ValueError, match=r"metadata\['function_digest'\]"):
        extract_orbits(signals, SHIFTS, torch.nn.Linear(8, 3), tmp_path / "network")


def test_bad_groups_are_refused_and_copies_are_named(tmp_path):
    signals = normal(4, 8)
    with pytest.raises(ValueError, match=r"for each of 4 inputs .* got shape \(3,\)"):
        extract_orbits(signals, SHIFTS, features, tmp_path / "store", groups=[0, 0, 1])
    with pytest.raises(ValueError, match="source '0' are not one after the other"):
        extract_orbits(signals, SHIFTS, features, tmp_path / "store", groups=[0, 0, 1, 0])
    assert not (tmp_path / "store").exists()
    signals[3] = signals[1]
    with pytest.warns(UserWarning, match=r"1 of 4 inputs are copies .*input 1 = input 3"):
        extract_orbits(signals, SHIFTS, features, tmp_path / "store")


@settings(max_examples=20)
@given(groups=st.lists(st.integers(1, 5), min_size=1, max_size=9), group=st.sampled_from([2, 4]))
def test_any_sources_come_back_in_order(groups, group, tmp_path_factory):
    n = sum(groups)
    signals = torch.arange(8.0 * n).reshape(n, 8) % 101
    ids = np.repeat(np.arange(len(groups)), groups)
    store = extract_orbits(
        signals,
        TimeShiftAction(Cyclic(group)),
        lambda x: x,
        tmp_path_factory.mktemp("stores") / "store",
        groups=ids,
        chunk_bytes=200,
    )
    np.testing.assert_array_equal(store.image_ids, ids)
    np.testing.assert_array_equal(np.asarray(store)[:, 0], signals.numpy())


def test_the_store_knows_its_action_and_so_do_the_model_and_its_analysis(tmp_path):
    store = extract_orbits(normal(60, 8), SHIFTS, features, tmp_path / "store")
    crosscoder = GroupCrosscoder(group=Cyclic(4), n_features=6, max_epochs=3, random_state=0)
    crosscoder.fit(store)
    assert crosscoder.group_.describe_element(3) == "shift by 3 of 4"
    crosscoder.save(tmp_path / "model.safetensors")
    again = GroupCrosscoder.load(tmp_path / "model.safetensors")
    analysis = SymmetryAnalyzer().fit(again, orbits=store, image_ids=store.image_ids)
    assert analysis.group_.describe_element(2) == "shift by 2 of 4"
    plain = GroupCrosscoder(group=Cyclic(4), n_features=6, max_epochs=3, random_state=0)
    plain.fit(np.asarray(store))
    for group in (SHIFTS.group, Cyclic(4).named(["identity", "1", "2", "3"])):
        renamed = SymmetryAnalyzer(group=group).fit(plain, orbits=store)
        assert {s.subgroup.group for s in renamed.stabilizers_} == {group}
        words = {s.subgroup.group.describe_element(1) for s in renamed.own_stabilizers_}
        assert words == {group.describe_element(1)}
