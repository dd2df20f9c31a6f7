"""Dictionaries whose atoms have known symmetry, and sparse codes over them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from ..groups import MAX_ORDER_FOR_ALL_SUBGROUPS, FiniteGroup, Subgroup

#: Numbers that are drawn at once: 32 MiB in double precision, whatever the number of samples.
CHUNK_SIZE = 2**22

#: Mean square of a code that is active: 1 plus an exponential.
MEAN_SQUARE_CODE = 5.0


class Dictionary(NamedTuple):
    """Unit atoms (n_atoms, order, n_channels) float32; of each its family and its stabilizer."""

    atoms: NDArray[np.float32]
    families: NDArray[np.int64]
    stabilizers: list[Subgroup]


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
        if group.order > MAX_ORDER_FOR_ALL_SUBGROUPS:
            raise ValueError(
                f"stabilizers='random' draws from all subgroups, which are listed for groups of "
                f"at most {MAX_ORDER_FOR_ALL_SUBGROUPS} elements; {group!r} has {group.order}. "
                "Pass stabilizers='trivial', or subgroups from group.generated_subgroup."
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


def plant_atoms(
    group: FiniteGroup,
    n_channels: int,
    n_families: int,
    chosen: list[Subgroup] | None,
    closed: bool,
    rng: np.random.RandomState,
) -> Dictionary:
    """Draw a random atom a family, average it over its stabilizer, and translate it."""
    every = group.subgroups() if chosen is None else ()
    atoms, families, stabilizers = [], [], []
    for family in range(n_families):
        subgroup = every[rng.randint(len(every))] if chosen is None else chosen[family]
        seed = rng.standard_normal((group.order, n_channels))
        atom = np.mean([seed[group.right_translation(h)] for h in subgroup.elements], axis=0)
        atom = (atom / np.linalg.norm(atom)).astype(np.float32)
        translated = set()
        for h in range(group.order if closed else 1):
            # h and h k give the same translate for k in the stabilizer
            coset = frozenset(group.cayley_table[h, list(subgroup.elements)].tolist())
            if coset not in translated:
                translated.add(coset)
                atoms.append(atom[group.right_translation(h)])
                families.append(family)
                stabilizers.append(subgroup.conjugate(h))
    return Dictionary(np.stack(atoms), np.array(families), stabilizers)


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
