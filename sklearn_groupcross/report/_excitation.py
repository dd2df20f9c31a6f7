"""What excites a feature: which inputs, how strongly, and what elements change."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..analysis import KINDS, SymmetryAnalyzer
from ..crosscoder import GroupCrosscoder
from ..groups import FiniteGroup, PlanarGroup
from ._codes import codes_under
from ._pictures import Pictures
from ._strongest import StrongestBlocks

#: Inputs by whose firings responses are averaged, each from another image.
_N_RESPONSES = 12
_N_BINS = 24
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


def choose_samples(
    codes: NDArray[np.floating], image_ids: NDArray[np.int64], columns: Columns
) -> list[int]:
    """Inputs to show of a feature, each of another image if there are enough; -1 for none.

    Parameters
    ----------
    codes : ndarray of shape (n_samples,)
    image_ids : ndarray of shape (n_samples,)
    columns : Columns

    Returns
    -------
    samples : list of int, of length ``len(columns)``
    """
    firing = np.flatnonzero(codes > 0)
    by_code = firing[np.argsort(-codes[firing], kind="stable")]
    chosen = strongest_samples(codes, image_ids, columns.n_strongest)
    used = {int(image_ids[sample]) for sample in chosen}
    chosen += [-1] * (columns.n_strongest - len(chosen))
    for quantile in columns.quantiles:
        wanted = round((1 - quantile) * (len(by_code) - 1))
        nearest = by_code[np.argsort(np.abs(np.arange(len(by_code)) - wanted), kind="stable")]
        fresh = (int(sample) for sample in nearest if int(image_ids[sample]) not in used)
        other = (int(sample) for sample in nearest if int(sample) not in chosen)
        chosen.append(next(fresh, next(other, -1)))
        used.add(int(image_ids[chosen[-1]]))
    return chosen


def strongest_samples(
    codes: NDArray[np.floating], image_ids: NDArray[np.int64], n_samples: int
) -> list[int]:
    """Samples with the largest codes of one feature, at most one an image."""
    chosen: dict[int, int] = {}
    for sample in np.argsort(-codes, kind="stable"):
        if codes[sample] <= 0 or len(chosen) == n_samples:
            break
        chosen.setdefault(int(image_ids[sample]), int(sample))
    return list(chosen.values())


def collect_excitation(
    feature: int,
    *,
    crosscoder: GroupCrosscoder,
    pictures: Pictures,
    orbits: Any,
    strongest: StrongestBlocks,
    column: int,
    image_ids: NDArray[np.int64],
    columns: Columns,
) -> dict[str, NDArray[Any]]:
    """Collect what the page shows of one feature.

    Parameters
    ----------
    feature : int
    crosscoder : GroupCrosscoder
    pictures : Pictures
    orbits : ndarray or StoredOrbits of shape (n_samples, order, n_channels)
    strongest : StrongestBlocks
    column : int
        That of the feature in `strongest`.
    image_ids : ndarray of shape (n_samples,)
    columns : Columns

    Returns
    -------
    excitation : dict of str to ndarray
        ``samples``, the ``elements`` that transform them and ``codes`` (n_columns,), -1 and NaN
        where there is none; ``pictures`` (n_columns, side, side, 3) and ``views`` (n_elements,
        side, side, 3), bytes, of no length where nothing can be shown; ``mean`` and ``spread``
        (order,) of the codes on strongest inputs under every element, relative to that under the
        identity; ``n_responses``, ``counts`` (24,), ``largest`` and ``n_silent``.
    """
    codes, blocks = strongest.codes[:, column], strongest.blocks[:, column]
    chosen = choose_samples(codes, image_ids[strongest.rows], columns)
    there = [sample for sample in chosen if sample >= 0]
    samples, elements = strongest.rows[there].tolist(), blocks[there].tolist()
    relative = np.full(len(columns), np.nan, dtype=np.float32)
    filled = np.flatnonzero(np.array(chosen) >= 0)
    if there:
        relative[filled] = codes[there] / codes[there[0]]
    numbers, under = np.full((2, len(columns)), -1, dtype=np.int64)
    numbers[filled], under[filled] = samples, elements
    mean, spread, n_responses = _responses(
        feature, crosscoder, orbits, strongest, codes, blocks, image_ids, pictures
    )
    counts, largest = _histogram(codes)
    side = pictures.tile
    shown = _in_columns(pictures.of(samples, elements), filled, (len(columns), side, side, 3))
    views = _views(crosscoder.group_, pictures, samples, elements, columns)
    return {
        "samples": numbers,
        "elements": under,
        "codes": relative,
        "pictures": shown,
        "views": views,
        "mean": mean,
        "spread": spread,
        "n_responses": np.array([n_responses]),
        "counts": counts,
        "largest": np.array([largest]),
        "n_silent": np.array([int((codes <= 0).sum())]),
    }


def _in_columns(values: Any, filled: NDArray[np.intp], shape: tuple[int, ...]) -> NDArray[np.uint8]:
    if len(values) == 0:
        return np.zeros(0, dtype=np.uint8)
    placed = np.zeros(shape, dtype=np.uint8)
    placed[filled] = np.stack(list(values))
    return placed


def _views(
    group: FiniteGroup,
    pictures: Pictures,
    samples: list[int],
    elements: list[int],
    columns: Columns,
) -> NDArray[np.uint8]:
    """The strongest under elements, as far as CSS does not make these of its own picture."""
    drawn = list(dict.fromkeys(pictures.by_css(element)[0] for element in columns.elements))
    if not samples or drawn == [0]:
        return np.zeros(0, dtype=np.uint8)
    # block g of the orbit of x is the identity block of that of y = g·x, and block hg that of h·y
    moved = group.cayley_table[drawn, elements[0]].tolist()
    made = pictures.of(samples[:1] * len(moved), moved)
    return np.stack(list(made)) if len(made) else np.zeros(0, dtype=np.uint8)


def _responses(
    feature: int,
    crosscoder: GroupCrosscoder,
    orbits: Any,
    strongest: StrongestBlocks,
    codes: NDArray[np.floating],
    blocks: NDArray[np.int64],
    image_ids: NDArray[np.int64],
    pictures: Pictures,
) -> tuple[NDArray[np.float32], NDArray[np.float32], int]:
    """Codes on the strongest inputs under every element: mean, deviation, and of how many."""
    group = crosscoder.group_
    best = strongest_samples(codes, image_ids[strongest.rows], _N_RESPONSES)
    if not best:
        nothing = np.full(group.order, np.nan, dtype=np.float32)
        return nothing, nothing.copy(), 0
    stacks = np.asarray(orbits[strongest.rows[best]])
    codes_of = codes_under(crosscoder, stacks, range(group.order))[:, :, feature]
    # of h·y, where y = g·x is the strongest input of the orbit of x
    of_all = np.take_along_axis(codes_of, group.cayley_table[:, blocks[best]].T, axis=1)
    relative = of_all / of_all[:, :1]
    return (
        relative.mean(axis=0).astype(np.float32),
        relative.std(axis=0).astype(np.float32),
        len(best),
    )


def _histogram(codes: NDArray[np.floating]) -> tuple[NDArray[np.int64], float]:
    largest = float(codes.max(initial=0.0))
    firing = codes[codes > 0]
    counts, _ = np.histogram(firing, bins=_N_BINS, range=(0.0, largest or 1.0))
    return counts.astype(np.int64), largest
