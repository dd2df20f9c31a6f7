"""`found_again`: of each feature, the share of other runs that have it too."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from .._ambient import own_state
from .._device import resolve_device
from .._shares import check_share
from ..groups import FiniteGroup
from ._correlation import Spectra
from ._dictionaries import name_dictionaries, resolve_dictionaries
from ._matching import SHARED, live_atoms, match_atoms


@own_state()
def found_again(
    dictionary: Any,
    others: Sequence[Any] | Mapping[str, Any],
    *,
    group: FiniteGroup | str | None = None,
    up_to_group: bool = True,
    threshold: float = SHARED,
    device: str | torch.device = "auto",
) -> NDArray[np.floating]:
    """For each feature of a dictionary, the share of other runs that find it again.

    Another run finds a feature if the partner that it has there, in the one-to-one matching of
    `match_dictionaries`, reaches the threshold. What one start of training finds and others do not
    says as much about the start as about the network: read names and families beside this share.

    Parameters
    ----------
    dictionary : GroupCrosscoder or array-like of shape (m, order * d) or (m, order, d)
    others : sequence, or mapping of names, of GroupCrosscoder or array-like
        One or more: of other seeds (`crosscoder_ensemble`), or of other halves of the data. The
        dictionary itself is not to be among them: it would find all of itself.
    group : FiniteGroup or str, optional
        Needed if all are atoms.
    up_to_group : bool, default=True
        Whether a feature in another pose is the same.
    threshold : float, default=0.7
        Similarity from which a feature counts as found: a convention, half of the energy.
    device : str or torch.device, default="auto"

    Returns
    -------
    share : ndarray of shape (m,)
        In [0, 1], a multiple of 1 / number of others; NaN for dead features.

    Raises
    ------
    ValueError
        If there are no others, or they cannot be matched.
    TypeError
        If `others` is one dictionary, or one of them is none.

    See Also
    --------
    stability : The same with nulls and intervals, for all dictionaries of a list.
    consensus_dictionary : What at least half of the runs agree on.

    Examples
    --------
    >>> import numpy as np
    >>> from sklearn_groupcross import Dihedral, make_orbits
    >>> from sklearn_groupcross.analysis import found_again
    >>> group = Dihedral(4)
    >>> options = dict(group=group, closed=False, stabilizers="trivial")
    >>> atoms, strange = (make_orbits(10, **options, random_state=i).components for i in (0, 1))
    >>> turned = atoms[:, group.right_translation(1)]
    >>> found_again(atoms, [turned[:2], np.concatenate([turned[1:], strange[:1]])], group=group)
    array([0.5, 1. , 0.5, 0.5])
    """
    threshold = check_share("threshold", threshold, "a cosine")
    named = {"the dictionary": dictionary} | _name(others)
    atoms_of, group = resolve_dictionaries(named, group)
    atoms, *rest = atoms_of.values()
    target = resolve_device(device)
    spectra = Spectra(atoms, group, target) if up_to_group else None
    return _shares(atoms, spectra, rest, group, target, threshold)


def found_again_of_atoms(
    atoms: NDArray[np.floating],
    spectra: Spectra,
    others: Sequence[Any] | Mapping[str, Any],
    group: FiniteGroup,
    device: torch.device,
) -> NDArray[np.floating]:
    """`found_again` of unit atoms (m, order, d) whose spectra are known, up to the group."""
    resolved = {"the dictionary": atoms}
    atoms_of, _ = resolve_dictionaries(_name(others), group, resolved=resolved)
    _, *rest = atoms_of.values()
    return _shares(atoms, spectra, rest, group, device, SHARED)


def _name(others: Sequence[Any] | Mapping[str, Any]) -> dict[str, Any]:
    named = name_dictionaries(others, "others")
    if not named:
        raise ValueError("others holds no dictionary: found_again compares with one or more.")
    return named


def _shares(
    atoms: NDArray[np.floating],
    spectra: Spectra | None,
    others: Sequence[NDArray[np.floating]],
    group: FiniteGroup,
    device: torch.device,
    threshold: float,
) -> NDArray[np.floating]:
    """Shares of others, by their unit atoms; another pose is another feature without spectra."""
    up_to_group = spectra is not None
    matchings = [
        match_atoms(
            atoms,
            other,
            group,
            device,
            up_to_group=up_to_group,
            threshold=threshold,
            spectra=spectra,
        )
        for other in others
    ]
    share = np.mean([matching.matched_first for matching in matchings], axis=0)
    return np.where(live_atoms(atoms), share, np.nan)
