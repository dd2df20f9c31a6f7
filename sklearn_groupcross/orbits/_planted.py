"""Orbits made from a dictionary that is known, to see whether it is found again."""

from __future__ import annotations

import numpy as np
from sklearn.utils import Bunch, check_random_state

from ..groups import FiniteGroup


def make_orbits(
    n_samples: int = 1000,
    *,
    group: FiniteGroup,
    n_channels: int = 32,
    n_families: int = 4,
    n_active: int = 4,
    closed: bool = True,
    noise: float = 0.05,
    random_state: int | np.random.RandomState | None = None,
) -> Bunch:
    """Draw orbit stacks as sparse sums of planted atoms with known symmetry.

    Each family starts from a random atom, averaged over a subgroup drawn at random, which then
    fixes it. Its other members are the atom's distinct right translates.

    Parameters
    ----------
    n_samples : int, default=1000
    group : FiniteGroup
    n_channels : int, default=32
    n_families : int, default=4
    n_active : int, default=4
        Atoms that make up one sample.
    closed : bool, default=True
        Plant every translate of an atom; otherwise one atom a family.
    noise : float, default=0.05
        Standard deviation of the noise on a coordinate, relative to that of the signal.
    random_state : int, RandomState instance or None, default=None

    Returns
    -------
    data : `~sklearn.utils.Bunch`
        ``orbits`` (n_samples, order, n_channels) float32; ``components`` (n_atoms, order,
        n_channels) of unit norm; ``codes`` (n_samples, n_atoms); ``families`` (n_atoms,);
        ``stabilizers``, a list of `Subgroup`, one an atom.

    Examples
    --------
    >>> from sklearn_groupcross import Dihedral, make_orbits
    >>> make_orbits(20, group=Dihedral(3), n_channels=8, random_state=0).orbits.shape
    (20, 6, 8)
    """
    rng = check_random_state(random_state)
    subgroups = group.subgroups()
    atoms, families, stabilizers = [], [], []
    for family in range(n_families):
        subgroup = subgroups[rng.randint(len(subgroups))]
        seed = rng.standard_normal((group.order, n_channels))
        atom = np.mean([seed[group.right_translation(h)] for h in subgroup.elements], axis=0)
        translated = set()
        for h in range(group.order if closed else 1):
            # h and h k give the same translate for k in the stabilizer
            coset = frozenset(group.cayley_table[h, list(subgroup.elements)].tolist())
            if coset not in translated:
                translated.add(coset)
                atoms.append(atom[group.right_translation(h)])
                families.append(family)
                stabilizers.append(subgroup.conjugate(h))
    components = np.stack(atoms)
    components /= np.linalg.norm(components, axis=(1, 2), keepdims=True)

    codes = np.zeros((n_samples, len(components)), dtype=np.float32)
    for row in codes:
        active = rng.choice(len(components), size=min(n_active, len(components)), replace=False)
        row[active] = 1.0 + rng.exponential(size=len(active))
    orbits = np.einsum("nm,mgd->ngd", codes, components)
    orbits += noise * orbits.std() * rng.standard_normal(orbits.shape)
    return Bunch(
        orbits=orbits.astype(np.float32),
        components=components.astype(np.float32),
        codes=codes,
        families=np.array(families),
        stabilizers=stabilizers,
    )
