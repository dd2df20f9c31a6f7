"""What the report shows of each feature: what excites it, and what a turn does to that."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ..analysis import KINDS, SymmetryAnalyzer
from ..crosscoder import GroupCrosscoder, codes_of_activations
from ..groups import FiniteGroup, PlanarGroup
from ._pictures import Pictures
from ._strongest import StrongestBlocks


@dataclass(frozen=True)
class Exhibit:
    """Pictures and numbers of one feature.

    Attributes
    ----------
    feature : int
    samples : tuple of int
        Samples that excite it most, transformed or not, one an image, the strongest first.
    pictures : list of str
        Of those samples, transformed as they excite it most; empty where nothing can be shown.
    views : list of str
        Of the strongest under some of the group's elements; likewise.
    responses : tuple of float
        The feature's code at each of these views, relative to the strongest.
    """

    feature: int
    samples: tuple[int, ...]
    pictures: list[str]
    views: list[str]
    responses: tuple[float, ...]


def choose_elements(group: FiniteGroup, n_elements: int = 8) -> list[int]:
    """Elements under which a patch is shown: mostly turns, evenly spaced, then two mirrors."""
    if group.order <= n_elements:
        return list(range(group.order))
    if not isinstance(group, PlanarGroup):
        return [round(i) for i in np.linspace(0, group.order, n_elements, endpoint=False)]
    if not group.has_mirrors:
        return sorted({i * group.n_turns // n_elements for i in range(n_elements)})
    n = group.n_turns
    turns = [0, n // 8, n // 4, 3 * n // 8, n // 2, 3 * n // 4]
    return list(dict.fromkeys([*turns, n, n + n // 4]))


def choose_features(
    analysis: SymmetryAnalyzer, frequencies: NDArray[np.floating], n_features: int
) -> list[int]:
    """Features to show: the frequent ones of each kind in turn, so that rare kinds are not lost."""
    by_frequency = np.argsort(-frequencies, kind="stable")
    firing = [int(i) for i in by_frequency if frequencies[i] > 0]
    queues: dict[str, list[int]] = {kind: [] for kind in KINDS}
    for feature in firing:
        queues.setdefault(str(analysis.kinds_[feature]), []).append(feature)
    chosen: list[int] = []
    for rank in range(max(map(len, queues.values()), default=0)):
        chosen.extend(queue[rank] for queue in queues.values() if rank < len(queue))
    return chosen[:n_features]


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


def collect_exhibit(
    feature: int,
    *,
    crosscoder: GroupCrosscoder,
    pictures: Pictures,
    orbits: NDArray[np.floating],
    strongest: StrongestBlocks,
    column: int,
    image_ids: NDArray[np.int64],
    elements: list[int],
    n_pictures: int,
) -> Exhibit | None:
    """Collect the pictures of one feature, that of a column; None if no sample excites it."""
    codes, blocks = strongest.codes[:, column], strongest.blocks[:, column]
    chosen = strongest_samples(codes, image_ids[strongest.rows], n_pictures)
    if not chosen:
        return None
    samples = strongest.rows[chosen].tolist()
    # block g of the orbit of x is the identity block of that of y = g·x, and block hg that of h·y
    views = crosscoder.group_.cayley_table[elements, blocks[chosen[0]]].tolist()
    turned = codes_of_activations(crosscoder, np.asarray(orbits[samples[0]])[views])[:, feature]
    return Exhibit(
        feature=feature,
        samples=tuple(samples),
        pictures=pictures.of(samples, blocks[chosen].tolist()),
        views=pictures.of(samples[:1] * len(views), views),
        responses=tuple((turned / codes[chosen[0]]).tolist()),
    )
