"""Features and neurons with the class that probes give them, and how they change as they turn."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray

from sklearn_groupcross import GroupCrosscoder, SymmetryAnalyzer
from sklearn_groupcross.faithfulness import probe_kinds, untrained

from ._copies import copies
from ._recurrence import find_partners, has_partner, share_of_seeds
from ._study import Study

FloatArray = NDArray[np.float64]

#: Share of random directions that may be given a class: what the package has, and a stricter one.
STATED, STRICT = 0.05, 0.01
_N_CONTROLS = 20000  # that limits are of: at the stricter rate 25 exceed those of a class


class Named(NamedTuple):
    """Classes of directions: stated by one set of probes, and nearest by the other as well."""

    classes: NDArray[np.object_]
    strict: NDArray[np.object_]
    nearest: NDArray[np.object_]
    orientations: FloatArray


@dataclass(frozen=True)
class NamedFeatures:
    """Live features of some dictionaries.

    Attributes
    ----------
    table : DataFrame
        A row a feature: ``seed`` (number of the dictionary), ``feature``, ``class`` (of probes;
        "other": none that both sets of probes state), ``strict`` (the same by stricter limits),
        ``nearest``, ``orientation``, ``p90``, ``p180``, ``period``, ``half_width``, ``word`` (the
        analyzer's, read off the decoder), ``found_again``, ``copies`` (of which group, see
        `copies`), ``index`` (of equivariance).
    profiles : ndarray of shape (n, n_turns)
        The decoder's self-profile at turns by ``360 t / n_turns`` degrees.
    analyses : list of SymmetryAnalyzer
        One a dictionary, if they are kept.
    """

    table: pd.DataFrame
    profiles: FloatArray
    analyses: list[SymmetryAnalyzer]

    def chosen(self, which: pd.Series) -> NamedFeatures:
        """Features of which this is true alone."""
        table = self.table[which].reset_index(drop=True)
        return replace(self, table=table, profiles=self.profiles[which.to_numpy()])

    def strictly(self) -> NamedFeatures:
        """The same with classes by stricter limits."""
        return replace(self, table=self.table.assign(**{"class": self.table["strict"]}))


class Probes:
    """Names directions by the study's probes.

    Parameters
    ----------
    study : Study
    trained : bool, default=True
        Or behind the network with weights in a random order.
    """

    def __init__(self, study: Study, *, trained: bool = True) -> None:
        self.layer = study.config["layer"]
        self.network = study.network if trained else untrained(study.network)
        self.readings = [
            study.probe_readings(which, trained=trained) for which in ("naming", "judging")
        ]
        n_channels = self.readings[0].activations.shape[-1]
        self.limits = [
            self._kinds(np.eye(n_channels), 0, error_rate=rate, n_controls=_N_CONTROLS).limits
            for rate in (STATED, STRICT)
        ]

    def name(self, encoder: GroupCrosscoder | ArrayLike) -> Named:
        """Classes of features of a crosscoder, or of directions (m, n_channels)."""
        # limits are known: no more controls than there have to be
        first, second = (self._kinds(encoder, which, n_controls=2) for which in (0, 1))
        classes = [
            np.where(
                (first.selectivities > limits).any(axis=1) & (first.nearest == second.nearest),
                first.nearest,
                "other",
            ).astype(object)
            for limits in self.limits
        ]
        return Named(*classes, first.nearest, first.orientations)

    def _kinds(self, encoder: GroupCrosscoder | ArrayLike, which: int, **options: float) -> Any:
        readings = self.readings[which]
        return probe_kinds(
            encoder,
            self.network,
            self.layer,
            readings=readings,
            # how often another network's are named is not asked
            untrained_readings=readings,
            **options,
        )


def name_features(
    study: Study, crosscoders: Sequence[GroupCrosscoder], probes: Probes, *, keep: bool = False
) -> NamedFeatures:
    """Name the features of dictionaries of several seeds, and read their decoders."""
    group, n = study.group, study.config["n_turns"]
    again = has_partner(find_partners(crosscoders))
    groups = copies(
        find_partners(crosscoders, up_to_group=False),
        [len(each.components_) for each in crosscoders],
    )
    tables, profiles, analyses = [], [], []
    for seed, crosscoder in enumerate(crosscoders):
        analysis, named = SymmetryAnalyzer().fit(crosscoder), probes.name(crosscoder)
        live = np.flatnonzero(~analysis.dead_)
        turns = analysis.profiles_[:, :n]
        table = pd.DataFrame(
            {
                "seed": seed,
                "feature": np.arange(len(turns)),
                "class": named.classes,
                "strict": named.strict,
                "nearest": named.nearest,
                "orientation": named.orientations,
                "p90": turns[:, group.rotation_by(90)],
                "p180": turns[:, group.rotation_by(180)],
                "period": analysis.tuning_.periods,
                "half_width": analysis.tuning_.half_widths,
                "word": analysis.kinds_,
                "found_again": share_of_seeds(again, seed) if len(crosscoders) > 1 else np.nan,
                "copies": groups[seed],
                "index": analysis.equivariance_.index,
            }
        )
        tables.append(table.iloc[live])
        profiles.append(turns[live])
        if keep:  # 100 MB each
            analyses.append(analysis)
    return NamedFeatures(
        pd.concat(tables, ignore_index=True), np.concatenate(profiles).astype(float), analyses
    )
