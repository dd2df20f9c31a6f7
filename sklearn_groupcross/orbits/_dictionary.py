"""Dictionaries whose atoms have known symmetry, and sparse codes over them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy.linalg import expm

from ..groups import FiniteGroup, Subgroup, check_nameable

#: Numbers that are drawn at once: 32 MiB in double precision, whatever the number of samples.
CHUNK_SIZE = 2**22

#: Mean square of a code that is active: 1 plus an exponential.
MEAN_SQUARE_CODE = 5.0


class Dictionary(NamedTuple):
    """Unit atoms (n_atoms, order, n_channels) float32; of each its family and its symmetry.

    `stabilizers` is what fixes each atom; `subgroups` what fixes the share `energies` of it.
    """

    atoms: NDArray[np.float32]
    families: NDArray[np.int64]
    stabilizers: list[Subgroup]
    subgroups: list[Subgroup]
    energies: NDArray[np.float64]


def choose_stabilizers(
    stabilizers: str | Subgroup | Sequence[Subgroup], group: FiniteGroup, n_families: int
) -> list[Subgroup] | None:
    """Subgroups that fix the first atom of each family; None if they are drawn at random.

    Raises
    ------
    ValueError
        If there are not as many as families, one is not a subgroup of `group`, or all of the
        group's subgroups would have to be listed and are too many.
    """
    if isinstance(stabilizers, str):
        if stabilizers == "trivial":
            return [group.generated_subgroup([])] * n_families
        check_nameable(
            group, "Pass stabilizers='trivial', or subgroups from group.generated_subgroup."
        )
        return None
    chosen = [stabilizers] * n_families if isinstance(stabilizers, Subgroup) else list(stabilizers)
    for subgroup in chosen:
        if not isinstance(subgroup, Subgroup) or subgroup.group != group:
            raise ValueError(
                f"stabilizers must be subgroups of group={group!r}; got {subgroup!r}. "
                "See group.subgroups() and group.generated_subgroup."
            )
        if group.generated_subgroup(subgroup.elements).elements != subgroup.elements:
            raise ValueError(
                f"stabilizers: the elements {subgroup.elements} are not closed under products "
                f"in {group!r}. Build subgroups with group.generated_subgroup."
            )
    if len(chosen) != n_families:
        raise ValueError(
            f"stabilizers has {len(chosen)} subgroups and n_families={n_families}: pass one a "
            "family, or a single subgroup for all."
        )
    return chosen


def one_a_family(values: float | Sequence[float], name: str, n_families: int) -> list[float]:
    """Return a number for each family, from one for all or a list.

    Raises
    ------
    ValueError
        If there are not as many as families.
    """
    listed = np.atleast_1d(np.asarray(values, dtype=np.float64)).tolist()
    listed = listed * n_families if np.ndim(values) == 0 else listed
    if len(listed) != n_families:
        raise ValueError(
            f"{name} has {len(listed)} numbers and n_families={n_families}: pass one a family, or "
            "a single number for all."
        )
    return listed


def plant_atoms(
    group: FiniteGroup,
    n_channels: int,
    chosen: list[Subgroup] | None,
    smoothness: list[float],
    energies: list[float],
    closed: bool,
    rng: np.random.RandomState,
) -> Dictionary:
    """Draw a random atom a family, of the symmetry it is to have, and translate it."""
    every = group.subgroups() if chosen is None else ()
    trivial = group.generated_subgroup([])
    atoms, families, stabilizers, subgroups, shares = [], [], [], [], []
    for family, (smooth, energy) in enumerate(zip(smoothness, energies, strict=True)):
        subgroup = every[rng.randint(len(every))] if chosen is None else chosen[family]
        if energy < 1 and subgroup.order == 1:
            raise ValueError(
                f"Family {family} has energy {energy} and the trivial subgroup, which fixes all of "
                "any atom: choose larger stabilizers for near misses, or energy 1."
            )
        seed = rng.standard_normal((group.order, n_channels))
        if smooth > 0:
            seed = diffusion(group, smooth) @ seed
        fixed = np.mean([seed[group.right_translation(h)] for h in subgroup.elements], axis=0)
        atom = fixed / np.linalg.norm(fixed)
        if energy < 1:
            # the two parts are orthogonal, so that shares of energy are exact
            rest = seed - fixed
            atom = np.sqrt(energy) * atom + np.sqrt(1 - energy) * rest / np.linalg.norm(rest)
        atom = atom.astype(np.float32)
        fixing = subgroup if energy == 1 else trivial
        translated = set()
        for h in range(group.order if closed else 1):
            # h and h k give the same translate for k in the stabilizer
            coset = frozenset(group.cayley_table[h, list(fixing.elements)].tolist())
            if coset not in translated:
                translated.add(coset)
                atoms.append(atom[group.right_translation(h)])
                families.append(family)
                stabilizers.append(fixing.conjugate(h))
                subgroups.append(subgroup.conjugate(h))
                shares.append(energy)
    return Dictionary(np.stack(atoms), np.array(families), stabilizers, subgroups, np.array(shares))


def diffusion(group: FiniteGroup, steps: float) -> NDArray[np.float64]:
    """Matrix (order, order) that mixes each block with those some steps from it.

    A step multiplies by a conjugate of element 1 or of its inverse, the smallest turn of planar
    groups: the law of a random walk of ``steps²`` steps on average. All conjugates count alike, so
    that it commutes with both translations and makes no atom more symmetric than it is smooth.
    """
    if group.order == 1:
        return np.eye(1)
    conjugates = {
        group.multiply(group.multiply(g, 1), group.inverse(g)) for g in range(group.order)
    }
    neighbors = sorted(conjugates | {group.inverse(k) for k in conjugates})
    walk = np.mean([np.eye(group.order)[group.right_translation(k)] for k in neighbors], axis=0)
    return expm(steps**2 * (walk - np.eye(group.order)))


def draw_codes(
    n_samples: int, n_active: int, weights: NDArray[np.floating], rng: np.random.RandomState
) -> NDArray[np.float32]:
    """Draw codes (n_samples, n_atoms) with `n_active` entries ``1 + Exp(1)`` a row, else 0.

    Active atoms are drawn one after the other without replacement, in proportion to `weights`.
    """
    codes = np.zeros((n_samples, len(weights)), dtype=np.float32)
    for rows in row_chunks(n_samples, len(weights)):
        # clocks of these rates ring in the order of such draws: all rows at once
        rings = rng.standard_exponential((len(codes[rows]), len(weights))) / weights
        first = np.argpartition(rings, n_active - 1, axis=1)[:, :n_active]
        first.sort(axis=1)  # a partition leaves them in an order that depends on the processor
        np.put_along_axis(codes[rows], first, 1 + rng.standard_exponential(first.shape), axis=1)
    return codes


def row_chunks(n_rows: int, n_columns: int) -> Iterator[slice]:
    """Consecutive slices of rows that hold at most `CHUNK_SIZE` numbers, or one row."""
    step = max(1, CHUNK_SIZE // n_columns)
    return (slice(start, min(start + step, n_rows)) for start in range(0, n_rows, step))
