"""One run from images to stated symmetries: what `groupcross demo` and `groupcross run` do."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from tqdm.auto import tqdm

from .._ambient import own_state
from .._files import written_whole
from ..analysis import SymmetryAnalyzer
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
    """

    summary: dict[str, str]
    features: pd.DataFrame

    @property
    def firing(self) -> pd.DataFrame:
        """The features that fire often enough on held-out orbits to be counted."""
        return self.features[self.features["frequency"] >= MIN_FREQUENCY]


@own_state()
def run_experiment(
    train: OrbitDataset,
    held_out: OrbitDataset,
    crosscoder: GroupCrosscoder,
    place: Callable[[str], Path],
    *,
    title: str,
    image_word: str = "images",
    progress: bool = True,
) -> Experiment:
    """Read orbits, fit, analyse, and write report, model and table.

    Parameters
    ----------
    train, held_out : OrbitDataset
        Over different images, of one network, layer and group.
    crosscoder : GroupCrosscoder
        Not fitted; of the datasets' group.
    place : callable
        Gives the path to write the result of a name to, for each of `RESULTS` and `ORBITS`.
    title : str
        Of the report.
    image_word : str, default="images"
        What the datasets' images are.
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
    crosscoder.fit(orbits)
    crosscoder.save(place(MODEL))

    analysis = SymmetryAnalyzer(verbose=int(progress)).fit(crosscoder)
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
    return Experiment(summary, features)


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
