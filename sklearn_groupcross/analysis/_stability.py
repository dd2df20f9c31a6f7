"""`stability`: which features another seed, or another half of the data, finds again."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import permutations
from typing import Any

import numpy as np
import pandas as pd
import torch
from numpy.typing import NDArray
from sklearn.utils import check_random_state

from .._ambient import own_state
from .._device import resolve_device
from .._shares import check_share
from ..groups import FiniteGroup
from ._clustering import cluster_families
from ._dictionaries import name_dictionaries, resolve_dictionaries
from ._matching import SHARED, Matching, live_atoms, match_atoms
from ._resampling import percentile_interval, resampled_means
from ._similarity import best_alignment, unit_atoms

# Features within this average distance are resampled together: they are found again together.
_FAMILY_DISTANCE = 0.4
_NULLS = ("signs", "gaussian")


@dataclass(frozen=True)
class Stability:
    """How well features are found again.

    Attributes
    ----------
    features : DataFrame
        One row a feature and other dictionary: ``dictionary``, ``feature``, ``other``, ``match``
        (its partner in the one-to-one matching; -1 without), ``similarity`` with the partner (NaN
        without), ``best``, the largest similarity with any feature of the other, taken or not, and
        ``stable``. Dead features have none.
    summary : DataFrame
        One row a dictionary, means over the others: ``dictionary``; ``n_live``, ``n_dead``;
        ``stable_share``, the share of its live features whose partner reaches the threshold, with
        a 95 % interval in ``stable_share_low`` and ``stable_share_high``; ``mean_similarity`` with
        the partner, 0 for features without; ``mean_max_similarity``, the mean of ``best``; and
        ``null_stable_share``, ``null_mean_max_similarity``, the same against atoms that have
        nothing to do with it. What is not defined, because a dictionary is dead, is NaN.
    """

    features: pd.DataFrame
    summary: pd.DataFrame


@own_state()
def stability(
    dictionaries: Sequence[Any] | Mapping[str, Any],
    *,
    group: FiniteGroup | str | None = None,
    up_to_group: bool = True,
    threshold: float = SHARED,
    null: str = "signs",
    n_resamples: int = 2000,
    device: str | torch.device = "auto",
    random_state: int | np.random.RandomState | None = 0,
) -> Stability:
    """Compare dictionaries that should agree: of other seeds, or of other halves of the data.

    Every pair is matched as by `match_dictionaries`. The share of features that find a partner
    depends on how many features there are and on how smooth they are, so that it is shown beside a
    null: the same figures against atoms without anything in common.

    Parameters
    ----------
    dictionaries : sequence, or mapping of names, of GroupCrosscoder or array-like
        At least two, as `match_dictionaries` takes them.
    group : FiniteGroup or str, optional
        Needed for atoms.
    up_to_group : bool, default=True
        Whether a feature in another pose is the same.
    threshold : float, default=0.7
        Similarity from which a feature counts as stable: a convention, half of the energy.
    null : {"signs", "gaussian"}, default="signs"
        ``"signs"`` turns the sign of each channel of each atom of the other dictionary at random,
        alike in all blocks: self-profiles and the sizes of coordinates stay, directions do not.
        ``"gaussian"`` draws atoms that are no smoother over the group than noise.
    n_resamples : int, default=2000
        Of the bootstrap.
    device : str or torch.device, default="auto"
    random_state : int, RandomState instance or None, default=0
        Of the null and the bootstrap.

    Returns
    -------
    stability : Stability

    Raises
    ------
    ValueError
        If there are fewer than two dictionaries, or they cannot be matched.
    TypeError
        If it is one dictionary, or one of them is none.

    See Also
    --------
    found_again : The share of others that find a feature again, without nulls and intervals.

    Notes
    -----
    ``mean_max_similarity`` is the mean max cosine similarity (MMCS) of [2]_, up to the group; many
    features may share one best match, so that it is never below ``mean_similarity``.

    The interval is a percentile bootstrap over families of each dictionary (features of average
    distance below 0.4; features alone are families of one), because features of a family are found
    again together. It holds for these dictionaries: how much another seed would differ, only more
    seeds can say. With fewer than five families it is NaN.

    References
    ----------
    .. [1] Paulo and Belrose (2025), "Sparse autoencoders trained on the same data learn different
       features", arXiv:2501.16615.
    .. [2] Sharkey, Braun and Millidge (2022), "Taking features out of superposition with sparse
       autoencoders".

    Examples
    --------
    >>> import numpy as np
    >>> from sklearn_groupcross import Dihedral, make_orbits
    >>> from sklearn_groupcross.analysis import stability
    >>> group = Dihedral(4)
    >>> atoms = make_orbits(10, group=group, random_state=0).components
    >>> noise = np.random.default_rng(0).standard_normal(atoms.shape) / 30
    >>> found = stability({"seed 0": atoms, "seed 1": atoms + noise}, group=group)
    >>> found.summary[["dictionary", "stable_share", "null_stable_share"]]
      dictionary  stable_share  null_stable_share
    0     seed 0           1.0                0.0
    1     seed 1           1.0                0.0
    """
    threshold = check_share("threshold", threshold, "a cosine")
    if null not in _NULLS:
        raise ValueError(f"null is one of {', '.join(map(repr, _NULLS))}; got {null!r}.")
    by_name = name_dictionaries(dictionaries, "dictionaries")
    if len(by_name) < 2:
        raise ValueError(f"stability compares at least two dictionaries; got {len(by_name)}.")
    atoms_of, group = resolve_dictionaries(by_name, group)
    target = resolve_device(device)
    rng = np.random.default_rng(check_random_state(random_state).randint(2**31 - 1))

    def match(first: NDArray[np.floating], second: NDArray[np.floating]) -> Matching:
        return match_atoms(
            first, second, group, target, up_to_group=up_to_group, threshold=threshold
        )

    tables: list[pd.DataFrame] = []
    nulls: dict[str, list[tuple[float, float]]] = {name: [] for name in atoms_of}
    for name, other in permutations(atoms_of, 2):
        atoms, others = atoms_of[name], atoms_of[other]
        matching = match(atoms, others)
        live = np.flatnonzero(~matching.dead_first)
        tables.append(
            pd.DataFrame(
                {
                    "dictionary": name,
                    "feature": live,
                    "other": other,
                    "match": matching.partner_first[live],
                    "similarity": matching.similarity_first[live],
                    "best": matching.best_first[live],
                    "stable": matching.matched_first[live],
                }
            )
        )
        scrambled = match(atoms, _scramble(others, null, rng))
        stable = float(scrambled.matched.sum() / len(live)) if len(live) else np.nan
        best = scrambled.best_first[live]
        nulls[name].append((stable, best.mean() if np.isfinite(best).any() else np.nan))

    features = pd.concat(tables, ignore_index=True)
    rows = []
    for name, atoms in atoms_of.items():
        own = features[features["dictionary"] == name]
        row = {"dictionary": name} | _summarize(own, atoms, group, target, n_resamples, rng)
        null_share, null_best = np.mean(nulls[name], axis=0)
        rows.append(row | {"null_stable_share": null_share, "null_mean_max_similarity": null_best})
    return Stability(features, pd.DataFrame(rows))


def _scramble(
    atoms: NDArray[np.floating], null: str, rng: np.random.Generator
) -> NDArray[np.floating]:
    """Atoms that have nothing in common with the others; dead ones stay dead."""
    if null == "signs":
        signs = rng.integers(0, 2, size=(len(atoms), 1, atoms.shape[2])) * 2 - 1
        return atoms * signs.astype(atoms.dtype)
    drawn = rng.standard_normal(atoms.shape).astype(atoms.dtype)
    drawn *= live_atoms(atoms)[:, None, None]
    return unit_atoms(drawn.reshape(len(drawn), -1), atoms.shape[1])


def _summarize(
    features: pd.DataFrame,
    atoms: NDArray[np.floating],
    group: FiniteGroup,
    device: torch.device,
    n_resamples: int,
    rng: np.random.Generator,
) -> dict[str, float]:
    live = live_atoms(atoms)
    per_feature = features.groupby("feature", sort=True)
    stable = per_feature["stable"].mean().to_numpy()
    similarity = features["similarity"].fillna(0.0).groupby(features["feature"]).mean().to_numpy()
    best = per_feature["best"].mean().to_numpy()
    row: dict[str, float] = {"n_live": int(live.sum()), "n_dead": int((~live).sum())}
    low = high = np.nan
    if len(stable):
        families = cluster_families(
            1.0 - best_alignment(atoms[live], None, group, device)[0],
            np.ones(len(stable), bool),
            _FAMILY_DISTANCE,
        )
        means = resampled_means(
            stable[None], np.ones((1, len(stable)), bool), families[None], n_resamples, rng
        )
        low, high = percentile_interval(means)
    return row | {
        "stable_share": stable.mean() if len(stable) else np.nan,
        "stable_share_low": low,
        "stable_share_high": high,
        "mean_similarity": similarity.mean() if len(stable) else np.nan,
        "mean_max_similarity": best.mean() if np.isfinite(best).any() else np.nan,
    }
