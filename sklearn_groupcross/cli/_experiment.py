"""One run from images to stated symmetries: what `groupcross demo` and `groupcross run` do."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from tqdm.auto import tqdm

from .._ambient import own_state
from .._files import written_whole
from ..analysis import MIN_EFFECTIVE_BAGS, NOT_MEASURED, Finding, SymmetryAnalyzer
from ..crosscoder import GroupCrosscoder, sparsity_parameter
from ..groups import PlanarGroup
from ..model_selection import Statistics, collect_statistics
from ..orbits import OrbitDataset
from ..report import write_report

# Above this, orbits go to a file beside the results and are read through a memory map.
_BYTES_IN_MEMORY = 4 * 2**30
#: Share of held-out orbits on which a feature must fire to be counted.
MIN_FREQUENCY = 1e-3

REPORT, MODEL, TABLE = "report.html", "crosscoder.safetensors", "features.csv"
#: What every run leaves in its folder.
RESULTS = (REPORT, MODEL, TABLE)
#: What a run leaves there if its orbits are larger than memory should hold.
ORBITS = ("orbits-train.npy", "orbits-held-out.npy")


@dataclass(frozen=True)
class Experiment:
    """Results of a run.

    Attributes
    ----------
    summary : dict of str to str
        Lines for a person.
    features : DataFrame
        One row for each feature: the analyzer's table, its profile at some turns and its frequency
        on held-out orbits.
    findings : list of Finding
        What looks wrong, on held-out orbits and in the light of other seeds.
    """

    summary: dict[str, str]
    features: pd.DataFrame
    findings: list[Finding]

    @property
    def firing(self) -> pd.DataFrame:
        """The features that fire often enough on held-out orbits to be counted."""
        return self.features[self.features["frequency"] >= MIN_FREQUENCY]


@own_state()
def run_experiment(
    train: OrbitDataset,
    held_out: OrbitDataset,
    crosscoders: Sequence[GroupCrosscoder],
    place: Callable[[str], Path],
    *,
    title: str,
    image_word: str = "images",
    quarters: bool = False,
    progress: bool = True,
) -> Experiment:
    """Read orbits, fit, analyse, and write report, model and table.

    What is reported is the first dictionary, and which of its features the others find again.

    Parameters
    ----------
    train, held_out : OrbitDataset
        Over different images, of one network, layer and group.
    crosscoders : sequence of GroupCrosscoder
        Not fitted; of the datasets' group, and alike but for their seeds.
    place : callable
        Gives the path to write the result of a name to, for each of `RESULTS` and `ORBITS`.
    title : str
        Of the report.
    image_word : str, default="images"
        What the datasets' images are.
    quarters : bool, default=False
        Whether held-out images are so few that their quarters must count as images where names
        are held against responses.
    progress : bool, default=True
        Show progress bars.

    Returns
    -------
    experiment : Experiment
    """
    orbits, held_out_orbits = (
        _read_orbits(dataset, place(name), progress)
        for dataset, name in zip((train, held_out), ORBITS, strict=True)
    )
    for crosscoder in crosscoders:
        crosscoder.fit(orbits)
    crosscoder, others = crosscoders[0], crosscoders[1:]
    crosscoder.save(place(MODEL))

    ids = _quarters(held_out) if quarters else held_out.image_ids
    analysis = _analyze(crosscoder, others, held_out_orbits, ids, progress)
    training, unseen = _measure(crosscoder, orbits, held_out_orbits, progress)
    features = _tabulate(analysis, unseen.frequencies)
    summary = {
        "network": f"{train.network.name}, layer {train.layer}",
        "group": f"{train.group!r}, {train.group.order} elements",
        "images": f"{len(train)} {image_word} for training, {len(held_out)} held out",
        "orbits": f"{train.n_samples} for training, {held_out.n_samples} held out",
        "atoms": f"{len(features)}, {_describe_sparsity(crosscoder)}",
        "training": f"{crosscoder.n_steps_} steps, augment={crosscoder.augment}"
        + _describe_compression(crosscoder),
        "variance unexplained, training": f"{1 - training.explained_variance:.3f}",
        "variance unexplained, held out": f"{1 - unseen.explained_variance:.3f}",
        "active features an orbit (L0), held out": f"{unseen.l0:.1f}",
        "dead features": f"{int((~training.fired).sum())} of {len(features)} never fire on "
        f"{len(orbits)} training orbits",
        f"features firing on ≥ {MIN_FREQUENCY:.1%} of held-out orbits": str(
            int((unseen.frequencies >= MIN_FREQUENCY).sum())
        ),
        **_describe_finding_again(analysis, unseen.frequencies, len(others)),
        "symmetries of their atoms, in held-out responses": _describe_responses(
            features[unseen.frequencies >= MIN_FREQUENCY]["responses"]
        ),
    }
    table = features.to_csv().encode()
    with written_whole(place(TABLE)) as temporary:
        temporary.write_bytes(table)
    write_report(
        place(REPORT),
        analysis,
        crosscoder,
        train,
        orbits,
        frequencies=unseen.frequencies,
        min_frequency=MIN_FREQUENCY,
        summary=summary,
        title=title,
        progress=progress,
    )
    findings = analysis.diagnose(crosscoder, held_out_orbits, others=others)
    return Experiment(summary, features, findings)


def _analyze(
    crosscoder: GroupCrosscoder,
    others: Sequence[GroupCrosscoder],
    held_out_orbits: NDArray[np.float32],
    image_ids: NDArray[np.int64],
    progress: bool,
) -> SymmetryAnalyzer:
    """Name what atoms have and held-out responses carry; of few images, what atoms have."""
    analyzer = SymmetryAnalyzer(refit=False, verbose=int(progress))
    if len(np.unique(image_ids)) < MIN_EFFECTIVE_BAGS:
        return analyzer.fit(crosscoder, others=others or None)
    return analyzer.fit(
        crosscoder, orbits=held_out_orbits, image_ids=image_ids, others=others or None
    )


def _quarters(dataset: OrbitDataset) -> NDArray[np.int64]:
    """Quarter of an image, about its centre, that every orbit is of, as a number."""
    right, upper = (dataset.positions > 0).T
    return 4 * dataset.image_ids + 2 * right + upper


def _describe_responses(words: pd.Series) -> str:
    if (words == NOT_MEASURED).all():
        return f"not measured: that takes {MIN_EFFECTIVE_BAGS} held-out images or more"
    counts = words[words != ""].str.split(":").str[0].value_counts()
    return ", ".join(f"{n} {word}" for word, n in counts.items()) or "no atom has one"


def _measure(
    crosscoder: GroupCrosscoder,
    orbits: NDArray[np.float32],
    held_out_orbits: NDArray[np.float32],
    progress: bool,
) -> tuple[Statistics, Statistics]:
    """How well a crosscoder fits, on the data that it saw and on the data that it did not."""
    with tqdm(total=2, desc="measuring", disable=not progress) as bar:
        training = collect_statistics(crosscoder, orbits)
        bar.update()
        held_out = collect_statistics(crosscoder, held_out_orbits)
        bar.update()
    return training, held_out


def _read_orbits(dataset: OrbitDataset, file: Path, progress: bool) -> NDArray[np.float32]:
    n_bytes = 4 * dataset.n_samples * dataset.group.order * dataset.field.n_channels
    return dataset.as_array(file if n_bytes > _BYTES_IN_MEMORY else None, progress=progress)


def _describe_sparsity(crosscoder: GroupCrosscoder) -> str:
    if sparsity_parameter(crosscoder) == "k":
        return f"{crosscoder.k_} active"
    return f"l1 = {crosscoder.l1:g}"


def _describe_compression(crosscoder: GroupCrosscoder) -> str:
    if crosscoder.compression is None:
        return ""
    return (
        f", {crosscoder.n_coordinates_} coordinates with {crosscoder.kept_variance_:.1%} of the "
        "variance"
    )


def _describe_finding_again(
    analysis: SymmetryAnalyzer, frequencies: NDArray[np.floating], n_others: int
) -> dict[str, str]:
    """How many features other seeds have too, among those that fire; nothing without others."""
    firing = analysis.found_again_[(frequencies >= MIN_FREQUENCY) & ~analysis.dead_]
    if n_others == 0 or len(firing) == 0:
        return {}
    of_others = "the other seed" if n_others == 1 else f"{n_others} other seeds"
    return {
        f"of these, found again by {of_others}": f"{firing.mean():.0%} on average, "
        f"{(firing >= 0.5).mean():.0%} by at least half"
    }


def _tabulate(analysis: SymmetryAnalyzer, frequencies: NDArray[np.floating]) -> pd.DataFrame:
    table = analysis.features_table_.assign(frequency=frequencies)
    for column, element in turns_of_interest(analysis.group_).items():
        table[column] = analysis.profiles_[:, element]
    return table


def turns_of_interest(group: Any) -> dict[str, int]:
    """Elements at which a table shows the self-profile: the smallest turn, 45°, 90°, 180°."""
    if not isinstance(group, PlanarGroup) or group.n_turns == 1:
        return {}
    turns = {1} | {group.n_turns // part for part in (8, 4, 2) if group.n_turns % part == 0}
    return {f"p({group.degrees(t):g}°)": t for t in sorted(turns)}
