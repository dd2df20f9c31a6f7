"""What the report shows of each feature: what excites it, and what a turn does to that."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ..analysis import KINDS, SymmetryAnalyzer
from ..crosscoder import GroupCrosscoder, codes_of_activations
from ..groups import FiniteGroup, PlanarGroup
from ..orbits import OrbitDataset


@dataclass(frozen=True)
class Exhibit:
    """Pictures and numbers of one feature.

    Attributes
    ----------
    feature : int
    samples : tuple of int
        Samples that excite it most, one an image, the strongest first.
    patches : ndarray of shape (n_samples, size, size, 3)
        What those samples look at.
    views : ndarray of shape (n_elements, size, size, 3)
        The strongest patch under some of the group's elements.
    responses : tuple of float
        The feature's code at each of these views, relative to the strongest sample's.
    """

    feature: int
    samples: tuple[int, ...]
    patches: NDArray[np.float32]
    views: NDArray[np.float32]
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
    dataset: OrbitDataset,
    orbits: NDArray[np.floating],
    codes: NDArray[np.floating],
    elements: list[int],
    n_patches: int,
) -> Exhibit | None:
    """Collect the pictures of one feature; None if no sample excites it."""
    samples = strongest_samples(codes, dataset.image_ids, n_patches)
    if not samples:
        return None
    # block h of the orbit of x is the identity block of the orbit of h·x
    blocks = np.asarray(orbits[samples[0]])[elements]
    turned = codes_of_activations(crosscoder, blocks)[:, feature]
    return Exhibit(
        feature=feature,
        samples=tuple(samples),
        patches=dataset.patches(samples)[:, 0],
        views=dataset.patches(samples[:1], elements=elements)[0],
        responses=tuple((turned / codes[samples[0]]).tolist()),
    )
