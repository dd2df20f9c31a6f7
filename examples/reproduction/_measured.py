"""What was measured of dictionaries of one setting, with its intervals."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from ._statistics import Estimate, columns, combined, over_groups, over_pairs, over_seeds
from ._study import Study

FloatArray = NDArray[np.float64]


class Measured(NamedTuple):
    """What was measured of the dictionaries of all seeds of a setting.

    Attributes
    ----------
    seeds : DataFrame
        One row a seed. *Live* are features that fire on an orbit held out; families are of three
        live features or more; ``quality`` is the mean silhouette of all live features in the
        analyzer's distances, in which a feature alone has 0 and is a neighbour like any other;
        ``null_...`` is of atoms whose channels have random signs.
    pairs : DataFrame
        One row a pair of seeds: shares of the first's live features, atoms and families that the
        other has. ``beyond_chance`` is the share of features less that of the first's null.
    errors : ndarray of shape (n_seeds, n_photographs)
        Squared errors.
    totals : ndarray of shape (n_photographs,)
        What there was to explain.
    """

    seeds: pd.DataFrame
    pairs: pd.DataFrame
    errors: FloatArray
    totals: FloatArray

    def of_pairs(self, what: str) -> FloatArray:
        """Of seeds and others, (n_seeds, n_seeds); NaN where there is no pair."""
        table = self.pairs.pivot(index="seed", columns="other", values=what)
        return table.reindex(self.seeds["seed"], axis=0).reindex(self.seeds["seed"], axis=1).values

    def explained(self, study: Study, than: Measured | None = None) -> Estimate:
        """Explained variance, or how much more than others; over seeds and photographs."""
        gains = (self.totals if than is None else than.errors) - self.errors
        confidence = study.config["confidence"]

        def of_seeds(rows: NDArray[np.int64]) -> FloatArray:
            return np.asarray(gains[:, rows].sum(axis=1) / self.totals[rows].sum())

        photographs = np.arange(len(self.totals))
        return combined(
            over_seeds(of_seeds(photographs), confidence),
            over_groups(
                lambda rows: float(of_seeds(rows).mean()),
                photographs,
                np.random.default_rng(0),
                study.config["n_resamples"],
                confidence,
            ),
        )

    def summary(self, study: Study) -> pd.DataFrame:
        """Of every quantity the mean with its interval: over seeds, or over pairs of them."""
        confidence, estimates = study.config["confidence"], {}
        for what in self.seeds.columns.drop("seed"):
            values = self.seeds[what]
            if what == "explained":
                estimates[what] = self.explained(study)
            elif what in self.pairs:
                estimates[what] = over_pairs(self.of_pairs(what), confidence)
            else:  # bits are known of one seed
                estimates[what] = over_seeds(
                    values.dropna() if what.endswith("bits") else values, confidence
                )
        return pd.DataFrame({"what": list(estimates), **columns(list(estimates.values()))})
