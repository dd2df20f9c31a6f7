from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from sklearn_groupcross import Cyclic, Dihedral, GroupCrosscoder, stack_orbits
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


@pytest.mark.parametrize(
    ("function", "kind", "message"),
    [
        (lambda x: x.numpy(), TypeError, "returns a torch Tensor .* got ndarray"),
        (lambda x: x.sum(1), ValueError, r"values\[:, None\]"),
        (lambda x: x[:, None], ValueError, r"Pool or flatten"),
        (lambda x: x[:2], ValueError, r"for m = 12 transformed inputs; got .* \(2, 8\)\.$"),
        (lambda x: x.to(torch.complex64), ValueError, "real values"),
        (
            lambda x: x.log(),
            ValueError,
            "result contains NaN: in rows 1, 2, first in block 0, channel 0",
        ),
    ],
)
def test_functions_that_return_something_else_are_refused(function, kind, message):
    signals = torch.ones(3, 8)
    signals[1:] = -1
    with pytest.raises(kind, match=message):
        stack_orbits(signals, TimeShiftAction(Cyclic(4)), function)


def test_channels_that_change_between_batches_are_refused():
    widths = iter([3, 4])
    with pytest.raises(ValueError, match="4 channels for inputs 1 and after, 3 before"):
        stack_orbits(
            normal(2, 8),
            TimeShiftAction(Cyclic(4)),
            lambda x: x[:, : next(widths)],
            batch_size=4,
        )


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
