"""STAND-IN, to be removed at integration: what `SymmetryAnalyzer` is about to have.

Tests that use it say so; with the attributes in the package, `MergedAnalyzer` is
`SymmetryAnalyzer` and `Finding` that of `sklearn_groupcross.analysis`.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from types import SimpleNamespace

import numpy as np
import pandas as pd

from sklearn_groupcross import SymmetryAnalyzer
from sklearn_groupcross.analysis._similarity import unit_atoms
from sklearn_groupcross.groups import GroupFourier


@dataclass(frozen=True)
class Finding:
    name: str
    message: str
    value: float
    limit: float
    advice: str
    evidence: dict = field(default_factory=dict)


class MergedAnalyzer(SymmetryAnalyzer):
    def fit(self, X, y=None, *, orbits=None, image_ids=None):
        super().fit(X)
        self.dead_ = self.kinds_ == "dead"
        atoms = unit_atoms(self.components_, self.group_.order)
        self.spectra_ = GroupFourier(self.group_).power(atoms, axis=1)
        self.confidence_ = np.full(len(self.labels_), np.nan if orbits is None else 0.9)
        self.families_ = [self._with_gaps(family) for family in self.families_]
        self.families_table_ = pd.DataFrame(
            {
                "medoid": [f.medoid for f in self.families_],
                "size": [len(f.members) for f in self.families_],
                "symmetry": [self.stabilizers_[f.medoid].name for f in self.families_],
                "gaps": [len(f.gaps) for f in self.families_],
            },
            index=pd.RangeIndex(len(self.families_), name="family"),
        )
        return self

    def _with_gaps(self, family):
        cosets = self.group_.cosets(self.stabilizers_[family.medoid].subgroup)
        gaps = tuple(c[0] for c in cosets if not set(c) & set(family.poses))
        values = {name: getattr(family, name) for name in ("label", "medoid", "members", "poses")}
        return _Family(**values, gaps=gaps)

    def diagnose(self, X=None):
        norms = np.linalg.norm(self.components_, axis=1)
        return [Finding("dead atoms", "Many atoms are zero.", 0.6, 0.5, "lower l1", {"n": norms})]


class _Family(SimpleNamespace):
    def __len__(self):
        return len(self.members)
