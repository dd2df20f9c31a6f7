from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from sklearn_groupcross import Dihedral
from sklearn_groupcross.crosscoder import _basis, _spectra
from sklearn_groupcross.crosscoder._basis import fit_basis
from sklearn_groupcross.crosscoder._feed import translate
from sklearn_groupcross.groups import Alternating, Cyclic, Quaternion
from sklearn_groupcross.testing import groups
from tests.tolerances import rounding

GROUP = Dihedral(4)


@st.composite
def bases(draw, max_order=12):
    """A basis, and orbit stacks that it was not made of; channels, shares and spectra vary."""
    group = draw(groups(max_order=max_order))
    n_channels, share = draw(st.integers(1, 5)), draw(st.floats(0.05, 1.0))
    generator = torch.Generator().manual_seed(draw(st.integers(0, 2**31 - 1)))
    width = group.order * n_channels
    decay = torch.linspace(0, draw(st.floats(0.0, 5.0)), width).neg().exp()
    stacks = torch.randn(draw(st.integers(1, 30)), width, generator=generator) * decay
    fitted = fit_basis(stacks.split(7), group, share)
    lost = (stacks - fitted.basis.expand(fitted.basis.compress(stacks))).square().sum()
    assert fitted.lost * len(stacks) == pytest.approx(
        float(lost), rel=1e-3, abs=1e-5 * float(stacks.square().sum())
    )
    return fitted.basis, stacks, share, fitted.kept, torch.randn(4, width, generator=generator)


@given(case=bases())
def test_coordinates_are_an_isometry_of_the_share_that_is_asked_for(case):
    basis, stacks, share, kept, others = case
    coordinates = basis.compress(stacks)
    assert kept >= share - 1e-6
    assert float(coordinates.square().sum()) == pytest.approx(
        kept * float(stacks.square().sum()), rel=1e-4
    )
    assert coordinates.shape[1] == basis.n_coordinates <= stacks.shape[1]
    given_ones = basis.compress(others)
    torch.testing.assert_close(basis.compress(basis.expand(given_ones)), given_ones)
    torch.testing.assert_close(
        basis.expand(given_ones).norm(dim=1), given_ones.norm(dim=1), rtol=1e-4, atol=1e-5
    )
    if share == 1.0 and len(stacks) > stacks.shape[1]:
        torch.testing.assert_close(basis.expand(given_ones), others, rtol=1e-4, atol=1e-4)


@given(case=bases(), data=st.data())
def test_translations_stay_within_the_span(case, data):
    basis, _, _, _, others = case
    h = data.draw(st.integers(0, basis.group.order - 1))
    moved = basis.translate(basis.compress(others), h)
    expected = basis.compress(translate(others, basis.group, h))
    torch.testing.assert_close(moved, expected, rtol=1e-4, atol=1e-5)


@given(case=bases())
def test_invariant_parts_are_the_same_in_every_block(case):
    basis, _, _, _, others = case
    order = basis.group.order
    part = basis.invariant_part(basis.compress(others))
    blocks = basis.expand(part).reshape(len(others), order, -1)
    torch.testing.assert_close(blocks, blocks[:, :1].expand_as(blocks), rtol=1e-4, atol=1e-5)
    torch.testing.assert_close(basis.expand(part, slice(1)), blocks[:, 0], rtol=1e-4, atol=1e-5)


def test_no_axis_is_kept_that_is_not_needed():
    """Orbits of three features and their translates fill three axes of every component at most."""
    group = Dihedral(3)
    atoms = torch.randn(3, 6 * 20, generator=torch.Generator().manual_seed(0))
    stacks = torch.cat([translate(atoms, group, h) for h in range(group.order)])
    fitted = fit_basis([stacks], group, 1 - 1e-6)
    # irreps of dimension 1, 1 and 2: of the last both columns lie along the same six axes
    assert [len(axes) for axes in fitted.basis.axes] == [3, 3, 6]
    assert fitted.kept == pytest.approx(1.0)


def test_coordinates_hold_alike_shares_of_the_variance():
    """Adam moves every number alike: without mixing the first would hold a thousand times more."""
    decay = torch.logspace(0, -3, 8 * 32)
    stacks = torch.randn(2000, 8 * 32, generator=torch.Generator().manual_seed(0)) * decay
    basis = fit_basis([stacks], GROUP, 0.999).basis
    deviations = basis.compress(stacks).std(dim=0)[: basis.n_coordinates // 64 * 64]
    assert float(deviations.max() / deviations.min()) < 3


@pytest.mark.parametrize("group", [Dihedral(8), Cyclic(7), Quaternion(), Alternating(4)], ids=repr)
def test_squares_are_those_of_float64(group, monkeypatch):
    """In more than one chunk and more than one block of rows of a matrix."""
    monkeypatch.setattr(_basis, "_SQUARE_ROWS", 3)
    stacks = np.random.default_rng(0).standard_normal((40, group.order, 5)) + 1
    found, n = _basis._squares(torch.from_numpy(stacks).float().flatten(1).split(17), group)
    assert n == 40
    for rho, square in zip(group.irreps, found, strict=True):
        # rows of coefficients that are independent of one another
        matrices = rho.independent_rows @ rho.matrices  # (order, D / t, D)
        rows = np.einsum("gab,ngc->nbac", matrices, stacks) * (rho.dimension / group.order) ** 0.5
        rows = rows.reshape(40 * rho.dimension, -1)
        size = float(np.square(rows).sum(0).max())
        np.testing.assert_allclose(
            square, rows.T @ rows, rtol=0, atol=rounding(np.float32, len(rows), size)
        )
        np.testing.assert_array_equal(square, square.T)


def test_large_components_keep_what_their_exact_axes_would(monkeypatch):
    """Of matrices of more than 256 columns only leading axes are looked for at first."""
    group, n_channels = Dihedral(3), 200
    generator = torch.Generator().manual_seed(0)
    decay = torch.arange(1, 6 * n_channels + 1) ** -0.7
    mixing = torch.linalg.qr(torch.randn(len(decay), len(decay), generator=generator)).Q
    stacks = (torch.randn(1500, len(decay), generator=generator) * decay) @ mixing
    done, whole = [], _spectra.whole_spectrum
    monkeypatch.setattr(_spectra, "whole_spectrum", lambda one: done.append(len(one)) or whole(one))
    quick = {share: fit_basis(stacks.split(400), group, share) for share in (0.5, 0.9)}
    assert done.count(2 * n_channels) == 1  # for the larger share alone
    monkeypatch.setattr(_spectra, "_LEADING", 2 * n_channels)
    for share, found in quick.items():
        exact = fit_basis(stacks.split(400), group, share)
        assert found.basis.n_coordinates == pytest.approx(exact.basis.n_coordinates, abs=2)
        assert found.kept == pytest.approx(exact.kept, abs=1e-3)
        lost = (stacks - found.basis.expand(found.basis.compress(stacks))).square().sum()
        assert found.lost * len(stacks) == pytest.approx(float(lost), rel=1e-4)


def test_bits_do_not_depend_on_the_number_of_threads(monkeypatch):
    monkeypatch.setattr(_spectra, "_LEADING", 32)
    group, n_channels = Dihedral(8), 96
    generator = torch.Generator().manual_seed(0)
    stacks = torch.randn(400, group.order * n_channels, generator=generator)
    stacks *= torch.linspace(0, 6, stacks.shape[1]).neg().exp()
    before, found = torch.get_num_threads(), []
    try:
        for n_threads in (1, 2, 3):
            torch.set_num_threads(n_threads)
            basis = fit_basis(stacks.split(150), group, 0.9).basis
            coordinates = basis.compress(stacks)
            found.append([*basis.axes, coordinates, basis.expand(coordinates)])
    finally:
        torch.set_num_threads(before)
    for others in found[1:]:
        assert all(map(torch.equal, found[0], others))
