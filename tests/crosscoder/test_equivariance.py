"""The model against right translation: what commutes with it, and what must not."""

from __future__ import annotations

import hypothesis.strategies as st
import numpy as np
import pytest
from hypothesis import given, settings

from sklearn_groupcross import Cyclic, Dihedral, GroupCrosscoder, make_orbits
from sklearn_groupcross.groups import Quaternion, Symmetric
from sklearn_groupcross.testing import groups
from tests.tolerances import assert_near

from .kinds import NAMES, k_for

N_CHANNELS, N_ATOMS = 5, 8


def translated(stacks, group, h):
    return stacks.reshape(len(stacks), group.order, -1)[:, group.right_translation(h)]


def fit(group, orbits, start, encoder_input, **options):
    """20 steps: 4 epochs of 5 batches."""
    return GroupCrosscoder(
        group=group,
        encoder_input=encoder_input,
        dict_init=start,
        batch_size=20,
        max_epochs=4,
        random_state=0,
        **options,
    ).fit(orbits)


def difference(group, h, seed, encoder_input, **options):
    """Difference of atoms of R_h X from R_h of atoms of X, relative to the largest number.

    Of the atom in the middle: Adam divides a gradient by its size, so that where one happens to be
    hardly more than its rounding the two runs part, in that atom.
    """
    rng = np.random.default_rng(seed)
    # generic data: nothing about them is invariant under the group
    orbits = rng.standard_normal((100, group.order, N_CHANNELS)).astype(np.float32)
    start = rng.standard_normal((N_ATOMS, group.order, N_CHANNELS))
    plain = fit(group, orbits, start, encoder_input, **options)
    moved = fit(
        group,
        translated(orbits, group, h),
        translated(start, group, h),
        encoder_input,
        **options,
    )
    expected = translated(plain.components_, group, h).reshape(N_ATOMS, -1)
    each = np.abs(moved.components_ - expected).max(axis=1)
    return np.median(each) / np.abs(expected).max()


@settings(max_examples=12)
@given(data=st.data(), seed=st.integers(0, 2**16))
@pytest.mark.parametrize("activation", NAMES)
def test_reading_whole_orbits_commutes_with_right_translation(activation, data, seed):
    group = data.draw(groups(max_order=12))
    h = data.draw(st.integers(0, group.order - 1))
    k = k_for(activation, 3)
    assert difference(group, h, seed, "orbit", activation=activation, k=k) < 1e-5


@settings(max_examples=12)
@given(data=st.data(), seed=st.integers(0, 2**16))
def test_reading_the_identity_block_does_not(data, seed):
    group = data.draw(st.sampled_from([Cyclic(4), Dihedral(3), Quaternion(), Symmetric(3)]))
    h = data.draw(st.integers(1, group.order - 1))
    assert difference(group, h, seed, "identity") > 1e-2


@settings(max_examples=8)
@given(data=st.data())
def test_codes_that_read_orbits_move_with_the_group(data):
    """With encoder rows translated like the atoms, R_h permutes nothing but the blocks."""
    group = data.draw(st.sampled_from([Dihedral(3), Quaternion()]))
    h = data.draw(st.integers(0, group.order - 1))
    orbits = make_orbits(100, group=group, n_channels=N_CHANNELS, random_state=0).orbits
    start = np.random.default_rng(0).standard_normal((N_ATOMS, group.order, N_CHANNELS))
    plain = fit(group, orbits, start, "orbit")
    moved = fit(group, translated(orbits, group, h), translated(start, group, h), "orbit")
    np.testing.assert_allclose(
        moved.transform(translated(orbits, group, h)), plain.transform(orbits), atol=1e-3
    )


@pytest.mark.parametrize("encoder_input", ["identity", "orbit"])
@pytest.mark.parametrize("activation", NAMES)
def test_folding_the_units_changes_neither_codes_nor_reconstructions(activation, encoder_input):
    """What training computed in its units the fitted estimator computes in those of the data."""
    import torch

    group = Dihedral(3)
    orbits = 5.0 + 37.0 * make_orbits(200, group=group, n_channels=8, random_state=0).orbits
    crosscoder = GroupCrosscoder(
        group=group,
        n_features=12,
        activation=activation,
        k=k_for(activation, 3),
        encoder_input=encoder_input,
    ).partial_fit(orbits)
    trainer = crosscoder._trainer
    scaled = trainer.units.apply_(torch.tensor(orbits.reshape(200, -1)))
    read = scaled[:, : trainer.parameters.encoder.shape[1]]
    with torch.no_grad():
        threshold = trainer.options.rule.threshold(trainer.threshold, trainer.parameters)
        expected = trainer.options.rule.infer(read, trainer.parameters, threshold).numpy()
    codes = crosscoder.transform(orbits)
    # in the units of the data the mean is a part of every sum, and cancels
    size = np.abs(orbits.reshape(200, -1)[:, : read.shape[1]]) @ np.abs(crosscoder.encoder_).T
    active = (codes > 0) & (expected > 0)
    assert active.sum() > 0.99 * max((codes > 0).sum(), (expected > 0).sum())
    assert_near(codes[active], expected[active], read.shape[1] + 1, size.max())
    reconstruction = torch.from_numpy(crosscoder.inverse_transform(codes))
    np.testing.assert_allclose(
        trainer.units.apply_(reconstruction),
        trainer.reconstruction(read).numpy(),
        rtol=1e-4,
        atol=1e-4,
    )
