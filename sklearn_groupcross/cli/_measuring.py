"""What is known of a fitted dictionary: its analysis, and how well it fits and holds."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from .._ambient import own_state
from .._progress import tqdm
from ..analysis import MIN_EFFECTIVE_BAGS, NOT_MEASURED, Finding, SymmetryAnalyzer
from ..crosscoder import GroupCrosscoder
from ..groups import PlanarGroup
from ..model_selection import Statistics, collect_statistics
from ..orbits import StoredOrbits
from ._fit import Split, describe_sparsity

#: Share of held-out orbits on which a feature must fire to be counted.
MIN_FREQUENCY = 1e-3
_TOO_FEW_IMAGES = f"{NOT_MEASURED}: that takes {MIN_EFFECTIVE_BAGS} held-out images or more"


@dataclass(frozen=True)
class Orbits:
    """Orbits that a dictionary is measured on.

    Attributes
    ----------
    measured : StoredOrbits
        Held out; or all, where nothing says what was.
    training : StoredOrbits or None
    n_images : tuple of (int, int)
        For training and held out.
    """

    measured: StoredOrbits
    training: StoredOrbits | None
    n_images: tuple[int, int]

    @classmethod
    def of_split(cls, split: Split) -> Orbits:
        """Those of a split."""
        n_images = split.n_training_images, split.n_held_out_images
        return cls(split.held_out, split.training, n_images)

    def bags(self, what: str) -> NDArray[np.int64]:
        """Number of the image, or of the quarter of an image, that every measured orbit is of."""
        ids = self.measured.image_ids
        if what == "images":
            return ids
        right, upper = (self.measured.positions > 0).T
        return 4 * ids + 2 * right + upper


@dataclass(frozen=True)
class Measured:
    """A dictionary, its analysis and what orbits say of it.

    Attributes
    ----------
    crosscoder : GroupCrosscoder
    others : sequence of GroupCrosscoder
        Of other seeds.
    analysis : SymmetryAnalyzer
    features : DataFrame
        One row for each feature: the analyzer's table, its profile at some turns and, with orbits,
        its frequency on those that it is measured on.
    orbits : Orbits or None
    training, unseen : Statistics or None
        On orbits to train on, and to measure on.
    findings : list of Finding or None
        What looks wrong, on orbits and in the light of other seeds.
    """

    crosscoder: GroupCrosscoder
    others: Sequence[GroupCrosscoder]
    analysis: SymmetryAnalyzer
    features: pd.DataFrame
    orbits: Orbits | None
    training: Statistics | None
    unseen: Statistics | None
    findings: list[Finding] | None

    @property
    def frequencies(self) -> NDArray[np.float64] | None:
        """Share of the measured orbits on which each feature fires."""
        return None if self.unseen is None else self.unseen.frequencies


@own_state()
def measure(
    crosscoders: Sequence[GroupCrosscoder],
    analyzer: SymmetryAnalyzer,
    orbits: Orbits | None,
    *,
    bags: str = "images",
    progress: bool = True,
) -> Measured:
    """Analyse the first of some crosscoders in the light of orbits and of the others.

    Parameters
    ----------
    crosscoders : sequence of GroupCrosscoder
    analyzer : SymmetryAnalyzer
        Not fitted.
    orbits : Orbits or None
        With orbits of too few images for that, names are not held against responses.
    bags : {"images", "quarters"}, default="images"
        What counts as an image there: of few, quarters of them.
    progress : bool, default=True

    Returns
    -------
    measured : Measured
    """
    crosscoder, *others = crosscoders
    if orbits is None:
        analysis = analyzer.fit(crosscoder, others=others or None)
        return Measured(
            crosscoder, others, analysis, _tabulate(analysis, None), None, None, None, None
        )
    ids = orbits.bags(bags)
    has_enough = len(np.unique(ids)) >= MIN_EFFECTIVE_BAGS
    evidence = {"orbits": orbits.measured, "image_ids": ids} if has_enough else {}
    analysis = analyzer.fit(crosscoder, others=others or None, **evidence)
    training, unseen = _measure(crosscoder, orbits.training, orbits.measured, progress)
    features = _tabulate(analysis, unseen.frequencies)
    if not has_enough:
        features["confidence_remark"] = _TOO_FEW_IMAGES
    return Measured(
        crosscoder,
        others,
        analysis,
        features,
        orbits,
        training,
        unseen.without_rows(),
        analysis.diagnose(crosscoder, orbits.measured, statistics=unseen),
    )


def summarize(measured: Measured, metadata: dict[str, Any], image_word: str) -> dict[str, str]:
    """Lines for a person, by what they are of."""
    crosscoder, analysis = measured.crosscoder, measured.analysis
    group, n_features = analysis.group_, len(measured.features)
    lines = {}
    if "network" in metadata:
        lines["network"] = f"{metadata['network']}, layer {'+'.join(metadata.get('layers', {}))}"
    lines["group"] = f"{group!r}, {group.order} elements"
    orbits, training, unseen = measured.orbits, measured.training, measured.unseen
    if orbits is not None and orbits.training is not None:
        n_training, n_held_out = orbits.n_images
        lines["images"] = f"{n_training} {image_word} for training, {n_held_out} held out"
        lines["orbits"] = f"{len(orbits.training)} for training, {len(orbits.measured)} held out"
    elif orbits is not None:
        lines["images"] = f"{orbits.n_images[1]}, of which nothing says what was held out"
        lines["orbits"] = str(len(orbits.measured))
    lines["atoms"] = f"{n_features}, {describe_sparsity(crosscoder)}"
    lines["training"] = (
        f"{crosscoder.n_steps_} steps, {'augmented' if crosscoder.augment else 'not augmented'}"
        f"{_describe_compression(crosscoder)}"
    )
    if training is not None:
        lines["variance unexplained, training"] = f"{1 - training.explained_variance:.3f}"
    if orbits is None or unseen is None:
        return lines
    where = "" if training is None else ", held out"
    kind = "orbits" if training is None else "held-out orbits"
    lines[f"variance unexplained{where}"] = f"{1 - unseen.explained_variance:.3f}"
    lines[f"active features an orbit (L0){where}"] = f"{unseen.l0:.1f}"
    if training is not None:
        lines["dead features"] = (
            f"{int((~training.fired).sum())} of {n_features} never fire on "
            f"{training.n_samples} training orbits"
        )
    fires = unseen.frequencies >= MIN_FREQUENCY
    lines[f"features firing on ≥ {MIN_FREQUENCY:.1%} of {kind}"] = str(int(fires.sum()))
    lines |= _describe_finding_again(analysis, fires, len(measured.others))
    lines["symmetries of their atoms, in held-out responses"] = _describe_responses(
        measured.features[fires]["responses"]
    )
    return lines


def turns_of_interest(group: Any) -> dict[str, int]:
    """Elements at which a table shows the self-profile: the smallest turn, 45°, 90°, 180°."""
    if not isinstance(group, PlanarGroup) or group.n_turns == 1:
        return {}
    turns = {1} | {group.n_turns // part for part in (8, 4, 2) if group.n_turns % part == 0}
    return {f"p({group.degrees(t):g}°)": t for t in sorted(turns)}


def _tabulate(analysis: SymmetryAnalyzer, frequencies: NDArray[np.floating] | None) -> pd.DataFrame:
    table = analysis.features_table_.copy()
    if frequencies is not None:
        table["frequency"] = frequencies
    for column, element in turns_of_interest(analysis.group_).items():
        table[column] = analysis.profiles_[:, element]
    return table


def _measure(
    crosscoder: GroupCrosscoder,
    training: Any,
    held_out: Any,
    progress: bool,
) -> tuple[Statistics | None, Statistics]:
    """How well a crosscoder fits, on the data that it saw and on the data that it did not."""
    with tqdm(total=2 - (training is None), desc="measuring", disable=not progress) as bar:
        seen = None
        if training is not None:
            seen = collect_statistics(crosscoder, training)
            bar.update()
        unseen = collect_statistics(crosscoder, held_out, keep_rows=True)
        bar.update()
    return seen, unseen


def _describe_responses(words: pd.Series) -> str:
    if (words == NOT_MEASURED).all():
        return _TOO_FEW_IMAGES
    counts = words[words != ""].str.split(":").str[0].value_counts()
    return ", ".join(f"{n} {word}" for word, n in counts.items()) or "no atom has one"


def _describe_compression(crosscoder: GroupCrosscoder) -> str:
    if crosscoder.compression is None:
        return ""
    return (
        f", {crosscoder.n_coordinates_} coordinates with {crosscoder.kept_variance_:.1%} of the "
        "variance"
    )


def _describe_finding_again(
    analysis: SymmetryAnalyzer, fires: NDArray[np.bool_], n_others: int
) -> dict[str, str]:
    """How many features other seeds have too, among those that fire."""
    if n_others == 0:
        return {"found again": "not measured: that takes --seeds 2 or more"}
    firing = analysis.found_again_[fires & ~analysis.dead_]
    if len(firing) == 0:
        return {}
    of_others = "the other seed" if n_others == 1 else f"{n_others} other seeds"
    return {
        f"of these, found again by {of_others}": f"{firing.mean():.0%} on average, "
        f"{(firing >= 0.5).mean():.0%} by at least half"
    }
