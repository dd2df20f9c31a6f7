"""What excites features: which inputs, how strongly, and what elements change."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..analysis import KINDS, SymmetryAnalyzer
from ..crosscoder import GroupCrosscoder
from ..groups import FiniteGroup, PlanarGroup
from ._kept import Arrays
from ._responses import measure_responses
from ._strongest import StrongestBlocks

#: Inputs by whose firings responses are averaged, each from another image.
_N_RESPONSES = 12
_N_BINS = 24
# Features whose codes are taken out of those of all together: they lie far from one another.
_AT_ONCE = 64
_ORDINALS = ("strongest", "2nd strongest", "3rd strongest")


@dataclass(frozen=True)
class Columns:
    """Which inputs are shown of every feature, and under which elements.

    Attributes
    ----------
    n_strongest : int
        One an image.
    quantiles : tuple of float
        Shares of a feature's firings that are weaker than what is shown besides.
    elements : tuple of int
        By which the strongest is transformed.
    shows_where : bool
        Whether there are maps of where features fire.
    """

    n_strongest: int
    quantiles: tuple[float, ...]
    elements: tuple[int, ...]
    shows_where: bool

    def __len__(self) -> int:
        return self.n_strongest + len(self.quantiles)

    def drawn(self, css: Sequence[tuple[int, str]]) -> list[int]:
        """Elements by which pictures are drawn, where CSS does the rest: see `Pictures.by_css`."""
        return list(dict.fromkeys(css[element][0] for element in self.elements))

    def words(self) -> list[str]:
        """What each of them is."""
        ranks = range(self.n_strongest)
        names = [_ORDINALS[i] if i < len(_ORDINALS) else f"{i + 1}th strongest" for i in ranks]
        return names + [f"above {q:.0%} of its firings".replace("%", " %") for q in self.quantiles]


def choose_elements(group: FiniteGroup, n_elements: int = 8) -> list[int]:
    """Elements under which an input is shown: mostly turns, evenly spaced, then two mirrors."""
    if group.order <= n_elements:
        return list(range(group.order))
    if not isinstance(group, PlanarGroup):
        return [round(i) for i in np.linspace(0, group.order, n_elements, endpoint=False)]
    if not group.has_mirrors:
        return sorted({i * group.n_turns // n_elements for i in range(n_elements)})
    n = group.n_turns
    turns = [0, n // 8, n // 4, 3 * n // 8, n // 2, 3 * n // 4]
    return list(dict.fromkeys([*turns, n, n + n // 4]))


def in_order(analysis: SymmetryAnalyzer, frequencies: NDArray[np.floating]) -> list[int]:
    """Features that fire: the frequent ones of each kind in turn, so that no rare kind is lost."""
    by_frequency = np.argsort(-frequencies, kind="stable")
    queues: dict[str, list[int]] = {kind: [] for kind in KINDS}
    for feature in by_frequency:
        if frequencies[feature] > 0:
            queues.setdefault(str(analysis.kinds_[feature]), []).append(int(feature))
    longest = max(map(len, queues.values()), default=0)
    ranks = range(longest)
    return [queue[rank] for rank in ranks for queue in queues.values() if rank < len(queue)]


def ranked(codes: NDArray[np.floating]) -> NDArray[np.intp]:
    """Samples on which one feature fires, by its codes (n_samples,), the largest first."""
    firing = np.flatnonzero(codes > 0)
    return firing[np.argsort(-codes[firing], kind="stable")]


def choose_samples(
    by_code: NDArray[np.intp], image_ids: NDArray[np.int64], columns: Columns
) -> list[int]:
    """Inputs to show of a feature, each of another image if there are enough; -1 for none.

    Parameters
    ----------
    by_code : ndarray of shape (n_firing,)
        See `ranked`.
    image_ids : ndarray of shape (n_samples,)
    columns : Columns

    Returns
    -------
    samples : list of int, of length ``len(columns)``
    """
    chosen = strongest_samples(by_code, image_ids, columns.n_strongest)
    used = [int(image_ids[sample]) for sample in chosen]
    chosen += [-1] * (columns.n_strongest - len(chosen))
    for quantile in columns.quantiles:
        wanted = round((1 - quantile) * (len(by_code) - 1))
        sample = _nearest(by_code, wanted, ~np.isin(image_ids[by_code], used))
        if sample < 0:
            sample = _nearest(by_code, wanted, ~np.isin(by_code, chosen))
        if sample >= 0:
            used.append(int(image_ids[sample]))
        chosen.append(sample)
    return chosen


def _nearest(by_code: NDArray[np.intp], rank: int, allowed: NDArray[np.bool_]) -> int:
    """The sample of the rank nearest to one, among those that are allowed; -1 if none is."""
    ranks = np.flatnonzero(allowed)
    return int(by_code[ranks[np.abs(ranks - rank).argmin()]]) if len(ranks) else -1


def strongest_samples(
    by_code: NDArray[np.intp], image_ids: NDArray[np.int64], n_samples: int
) -> list[int]:
    """The first samples of those `ranked`, at most one an image."""
    chosen: dict[int, int] = {}
    for sample in by_code:
        if len(chosen) == n_samples:
            break
        chosen.setdefault(int(image_ids[sample]), int(sample))
    return list(chosen.values())


def collect_excitations(
    features: Sequence[int],
    *,
    crosscoder: GroupCrosscoder,
    orbits: Any,
    strongest: StrongestBlocks,
    image_ids: NDArray[np.int64],
    columns: Columns,
    progress: bool = False,
) -> Arrays:
    """Collect what the page shows of features, but for pictures.

    Parameters
    ----------
    features : sequence of int
        Those of the columns of `strongest`.
    crosscoder : GroupCrosscoder
    orbits : ndarray or StoredOrbits of shape (n_samples, order, n_channels)
    strongest : StrongestBlocks
    image_ids : ndarray of shape (n_samples,)
    columns : Columns
    progress : bool, default=False

    Returns
    -------
    excitations : dict of str to ndarray
        ``samples``, the ``elements`` that transform them and ``codes`` (n_features, n_columns), -1
        and NaN where there is none; ``mean`` and ``spread`` (n_features, order) of the codes on
        strongest inputs under every element, relative to that under the identity, and of how many
        inputs they are, ``n_responses``; ``counts`` (n_features, 24), ``largest`` and ``n_silent``.
    """
    n = len(features)
    samples = np.full((n, len(columns)), -1, dtype=np.int64)
    elements, relative = samples.copy(), np.full(samples.shape, np.nan, dtype=np.float32)
    counts, largest = np.zeros((n, _N_BINS), dtype=np.int64), np.zeros(n)
    n_silent = np.zeros(n, dtype=np.int64)
    best: list[list[int]] = []
    ids = image_ids[strongest.rows]
    for row in range(n):
        if row % _AT_ONCE == 0:
            codes_of_some = strongest.codes[:, row : row + _AT_ONCE].T.copy()
        codes, blocks = codes_of_some[row % _AT_ONCE], strongest.blocks[:, row]
        by_code = ranked(codes)
        chosen = np.array(choose_samples(by_code, ids, columns))
        filled = chosen >= 0
        there = chosen[filled]
        samples[row, filled], elements[row, filled] = strongest.rows[there], blocks[there]
        relative[row, filled] = codes[there] / codes[there[:1]]
        counts[row], largest[row] = _histogram(codes)
        n_silent[row] = len(codes) - len(by_code)
        best.append(strongest_samples(by_code, ids, _N_RESPONSES))
    responses = measure_responses(
        features, best, crosscoder=crosscoder, orbits=orbits, strongest=strongest, progress=progress
    )
    return {
        "samples": samples,
        "elements": elements,
        "codes": relative,
        "counts": counts,
        "largest": largest,
        "n_silent": n_silent,
        **responses,
    }


def _histogram(codes: NDArray[np.floating]) -> tuple[NDArray[np.int64], float]:
    largest = float(codes.max(initial=0.0))
    firing = codes[codes > 0]
    counts, _ = np.histogram(firing, bins=_N_BINS, range=(0.0, largest or 1.0))
    return counts.astype(np.int64), largest
