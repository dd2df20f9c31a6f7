"""Several dictionaries as they are given: their unit atoms, by name."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..crosscoder import GroupCrosscoder
from ..groups import FiniteGroup, as_group
from ._atoms import resolve_atoms
from ._similarity import unit_atoms


def name_dictionaries(dictionaries: Sequence[Any] | Mapping[str, Any], name: str) -> dict[str, Any]:
    """Dictionaries by name; those of a sequence are called by their number.

    Parameters
    ----------
    dictionaries : sequence, or mapping of names, of GroupCrosscoder or array-like
    name : str
        Of the argument, for messages.

    Raises
    ------
    TypeError
        If it is a single dictionary.
    """
    if isinstance(dictionaries, Mapping):
        return dict(dictionaries)
    if hasattr(dictionaries, "shape") or not isinstance(dictionaries, Sequence):
        raise TypeError(
            f"{name} is a list of dictionaries, or a mapping of their names; got a single "
            f"{type(dictionaries).__name__}. Of one dictionary make a list: [dictionary]."
        )
    return {f"dictionary {i}": dictionary for i, dictionary in enumerate(dictionaries)}


def resolve_dictionaries(
    dictionaries: Mapping[str, Any],
    group: FiniteGroup | str | None,
    *,
    resolved: Mapping[str, NDArray[np.floating]] | None = None,
) -> tuple[dict[str, NDArray[np.floating]], FiniteGroup]:
    """Unit atoms of dictionaries over one group and the same channels.

    Parameters
    ----------
    dictionaries : mapping of names of GroupCrosscoder or array-like
        At least one.
    group : FiniteGroup, str or None
        Needed if all are atoms.
    resolved : mapping of names of ndarray of shape (m, order, d), optional
        Unit atoms over the group, which come first among the others.

    Returns
    -------
    atoms : dict of str to ndarray of shape (m, order, d)
    group : FiniteGroup

    Raises
    ------
    ValueError, TypeError
        As `resolve_atoms`; or if groups or channels differ.
    """
    known = None if group is None else as_group(group)
    for name, dictionary in dictionaries.items():
        if known is None and isinstance(dictionary, GroupCrosscoder):
            _, known = resolve_atoms(dictionary, None, name)
    atoms_of = dict(resolved or {})
    for name, dictionary in dictionaries.items():
        components, known = resolve_atoms(dictionary, known, name)
        atoms_of[name] = unit_atoms(components, known.order)
    widths = {name: atoms.shape[2] for name, atoms in atoms_of.items()}
    if len(set(widths.values())) > 1:
        raise ValueError(
            f"Only dictionaries of the same layer can be compared; channels differ: {widths}."
        )
    assert known is not None  # there is a dictionary, and it was resolved with it
    return atoms_of, known
