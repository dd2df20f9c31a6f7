"""Dictionaries and autoencoders whose families are known."""

from __future__ import annotations

import numpy as np
import torch

from sklearn_groupcross import Dihedral, GroupCrosscoder, make_orbits
from sklearn_groupcross.analysis._similarity import best_alignment, unit_atoms


def units(blocks):
    """Atoms (m, order, d) of length one."""
    return unit_atoms(blocks.reshape(len(blocks), -1), blocks.shape[1])


def compare(blocks, group):
    """Atoms of length one, their distances and alignment."""
    atoms = units(blocks)
    similarity, alignment = best_alignment(atoms, None, group, torch.device("cpu"))
    distances = np.clip(1.0 - similarity, 0.0, 2.0)
    np.fill_diagonal(distances, 0.0)
    return atoms, distances, alignment


def plant(group, n_families=3, seed=0, noise=0.3, **options):
    """Families with some noise, so that nothing ties."""
    planted = make_orbits(
        2, group=group, n_channels=24, n_families=n_families, n_active=1, random_state=seed,
        **options,
    )  # fmt: skip
    rng = np.random.default_rng(seed)
    scale = noise / np.sqrt(planted.components[0].size)
    return planted, planted.components + scale * rng.standard_normal(planted.components.shape)


def strangers(group, seed=0, n_families=4, **options):
    """Atoms that are not one another's transforms."""
    options = {"closed": False, "n_channels": 12} | options
    return make_orbits(8, group=group, n_families=n_families, random_state=seed, **options)


def moved_copy(atoms, group, rng):
    """The same atoms in another order, in other poses, of other sizes."""
    order = rng.permutation(len(atoms))
    poses = rng.integers(0, group.order, len(atoms))
    sizes = rng.uniform(0.1, 10, len(atoms))
    copy = [
        size * atoms[i][group.right_translation(h)]
        for i, h, size in zip(order, poses, sizes, strict=True)
    ]
    return np.stack(copy), order, poses


def free_families(n_samples=1600, group=None, seed=0, n_families=6, n_channels=64, noise=0.0):
    """Free families: 48 atoms, fewer than channels, so that one block tells all codes."""
    return make_orbits(
        n_samples,
        group=Dihedral(4) if group is None else group,
        n_families=n_families,
        n_channels=n_channels,
        noise=noise,
        random_state=seed,
        stabilizers="trivial",
    )


def perfect_autoencoder(data):
    """An autoencoder of the identity block that reads the planted codes off it."""
    identity = data.components[:, 0]
    autoencoder = GroupCrosscoder(n_features=len(identity), max_epochs=1, random_state=0)
    autoencoder.fit(data.orbits[:, :1])
    autoencoder.encoder_ = np.linalg.pinv(identity).T.astype(np.float32)
    autoencoder.encoder_intercept_ = np.zeros(len(identity), dtype=np.float32)
    autoencoder.threshold_ = 0.5  # planted codes are 1 or more
    autoencoder.components_, autoencoder.intercept_ = identity, np.zeros_like(identity[0])
    return autoencoder
