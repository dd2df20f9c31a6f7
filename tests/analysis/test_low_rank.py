from __future__ import annotations

import numpy as np
import pytest
import torch

from sklearn_groupcross.analysis._correlation import Spectra
from sklearn_groupcross.analysis._low_rank import NEGLIGIBLE
from sklearn_groupcross.analysis._similarity import best_alignment, unit_atoms
from sklearn_groupcross.groups import CompactFourier, Cyclic, Dihedral

CPU = torch.device("cpu")


def atoms_in_few_coordinates(group, m=520, d=12, n_axes=3, seed=0):
    """Atoms (m, order, d) whose coefficients lie in some axes of each irrep; none in the last."""
    rng = np.random.default_rng(seed)
    fourier = CompactFourier(group)
    axes = np.random.default_rng(99)
    coefficients = []
    for n_rows, n_columns in fourier.shapes:
        basis = axes.standard_normal((n_axes, n_rows, d))
        # row, column, channel
        part = np.einsum("nck,krd->nrcd", rng.standard_normal((m, n_columns, n_axes)), basis)
        coefficients.append(part.reshape(m, -1, d))
    coefficients[-1][:] = 0
    stacked = np.concatenate(coefficients, axis=1)
    blocks = (fourier.forward.T * fourier.weights) @ stacked
    return unit_atoms(blocks.reshape(m, -1).astype(np.float32), group.order)


@pytest.mark.parametrize("group", [Dihedral(5), Cyclic(7)], ids=repr)
def test_atoms_in_few_coordinates_are_compared_in_these(group):
    atoms = atoms_in_few_coordinates(group)
    atoms[3] = 0
    atoms[4] = atoms[0][group.right_translation(2)]
    spectra = Spectra(atoms, group, CPU)
    ranks = [basis.shape[1] for basis in spectra.bases]
    assert ranks == [3] * (len(ranks) - 1) + [0]
    similarity, _ = best_alignment(atoms, None, group, CPU)
    exact, _ = best_alignment(atoms.astype(np.float64), None, group, CPU)
    np.testing.assert_allclose(similarity, exact, atol=2e-6)
    assert similarity[0, 4] == 1
    assert (np.delete(similarity[3], 3) == 0).all()


def test_strangers_are_compared_in_the_coordinates_of_the_dictionary():
    group = Dihedral(4)
    atoms = atoms_in_few_coordinates(group)
    rng = np.random.default_rng(0)
    strangers = unit_atoms(rng.standard_normal((9, atoms[0].size)).astype(np.float32), group.order)
    assert Spectra(atoms, group, CPU).bases[0] is not None
    for first, second in [(strangers, atoms), (atoms, strangers)]:
        found, _ = best_alignment(first, second, group, CPU)
        exact, _ = best_alignment(first.astype(np.float64), second.astype(np.float64), group, CPU)
        np.testing.assert_allclose(found, exact, atol=2e-6)
        known = Spectra(first, group, CPU), Spectra(second, group, CPU)
        np.testing.assert_allclose(
            best_alignment(known[0], second, group, CPU)[0], exact, atol=2e-6
        )
        np.testing.assert_array_equal(best_alignment(first, known[1], group, CPU)[0], found)


@pytest.mark.parametrize("n_axes", [5, 30])
def test_many_axes_are_found_as_well(n_axes):
    """More than half of the sums that are looked at first, of irreps of one column; and fewer."""
    group = Dihedral(4)
    atoms = atoms_in_few_coordinates(group, m=600, d=64, n_axes=n_axes)
    ranks = {basis.shape[1] for basis in Spectra(atoms, group, CPU).bases if basis is not None}
    assert ranks == {n_axes, 0}


@pytest.mark.parametrize("share", [1e-3, 1.0])
def test_one_atom_outside_of_what_the_others_span_is_seen(share):
    group = Dihedral(4)
    atoms = atoms_in_few_coordinates(group)
    strange = np.random.default_rng(1).standard_normal(atoms[0].shape)
    # not among the few that are looked at first
    atoms[1] += share * (strange / np.linalg.norm(strange)).astype(np.float32)
    atoms = unit_atoms(atoms.reshape(len(atoms), -1), group.order)
    spectra = Spectra(atoms, group, CPU)
    assert share**2 > NEGLIGIBLE
    assert all(basis is None for basis in spectra.bases)
    similarity, _ = best_alignment(atoms, None, group, CPU)
    exact, _ = best_alignment(atoms.astype(np.float64), None, group, CPU)
    np.testing.assert_allclose(similarity, exact, atol=2e-6)


def test_random_atoms_and_those_in_float64_keep_all_of_their_coefficients():
    group = Dihedral(4)
    full = np.random.default_rng(0).standard_normal((520, group.order * 12)).astype(np.float32)
    for atoms in (
        unit_atoms(full, group.order),
        atoms_in_few_coordinates(group).astype(np.float64),
        atoms_in_few_coordinates(group, m=40),
    ):
        assert all(basis is None for basis in Spectra(atoms, group, CPU).bases)
