"""Sheets of patches for a person to look at; they stay in the folder of the study."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from sklearn_groupcross import GroupCrosscoder, OrbitDataset, SymmetryAnalyzer
from sklearn_groupcross.crosscoder import codes_of_activations
from sklearn_groupcross.orbits import patches_around

from ._family_types import Types
from ._known_kinds import CLASSES
from ._study import Study

if TYPE_CHECKING:
    from matplotlib.figure import Figure


def write_sheets(
    study: Study,
    crosscoder: GroupCrosscoder,
    types: Types,
    repeated: NDArray[np.int64],
    untransformed: NDArray[np.floating],
    n_features: int = 3,
    n_patches: int = 9,
) -> None:
    """Write the strongest patches of the most selective features of each class, a row a feature.

    Of features that other seeds find again, as far as there are any.
    """
    import matplotlib.pyplot as plt

    folder = study.folder / "patches"
    folder.mkdir(exist_ok=True)
    cut = _Cutter(study, crosscoder, untransformed)
    for k, kind in enumerate(CLASSES):
        order = np.lexsort((-types.selectivity, repeated != k))
        chosen = [feature for feature in order if types.named[feature] == k][:n_features]
        if not chosen:
            continue
        rows = [(feature, study.group.identity) for feature in chosen]
        figure = _sheet(rows, cut, n_patches, [f"{feature}" for feature in chosen])
        figure.savefig(folder / f"{kind.replace(' ', '-')}.png", dpi=100, bbox_inches="tight")
        plt.close(figure)


def write_blind_sheets(
    study: Study,
    analysis: SymmetryAnalyzer,
    crosscoder: GroupCrosscoder,
    untransformed: NDArray[np.floating],
    n_families: int = 30,
    n_controls: int = 10,
    n_patches: int = 10,
) -> None:
    """Write families among controls in a random order, to be judged before the key is read.

    A family is its medoid and two other members, each turned as its pose says, so that all three
    rows should look alike; a control is three features of no common family, turned at random.
    ``blind-key.json`` says which is which.
    """
    import matplotlib.pyplot as plt

    folder = study.folder / "patches"
    folder.mkdir(exist_ok=True)
    rng = np.random.default_rng(study.config["split_seed"])
    cut = _Cutter(study, crosscoder, untransformed)
    units = []
    for family in [each for each in analysis.families_ if len(each.members) > 2][:n_families]:
        others = rng.permutation([i for i in family.members if i != family.medoid])[:2]
        members = [int(i) for i in (family.medoid, *others)]
        turns = [study.group.inverse(int(analysis.alignment_[i, family.medoid])) for i in members]
        units.append((f"family of {family.medoid}", members, turns))
    labels = analysis.labels_
    while len(units) < n_families + n_controls and len(labels) > 2:
        members = [int(i) for i in rng.choice(len(labels), 3, replace=False)]
        if all(labels[i] < 0 or list(labels[members]).count(labels[i]) == 1 for i in members):
            turns = [int(h) for h in rng.integers(study.group.order, size=3)]
            units.append(("control", members, turns))
    units = [units[i] for i in rng.permutation(len(units))]
    for number, (_, members, turns) in enumerate(units):
        rows = list(zip(members, turns, strict=True))
        figure = _sheet(rows, cut, n_patches, [f"unit {number}", "", ""])
        figure.savefig(folder / f"blind-{number:02}.png", dpi=75, bbox_inches="tight")
        plt.close(figure)
    key = [{"unit": number, "what": what, "features": members}
           for number, (what, members, _) in enumerate(units)]  # fmt: skip
    (folder / "blind-key.json").write_text(json.dumps(key, indent=1))


class _Cutter:
    """Cuts out what excites a feature most."""

    def __init__(
        self, study: Study, crosscoder: GroupCrosscoder, untransformed: NDArray[np.floating]
    ) -> None:
        config = study.config
        self.store = study.orbits("held_out")
        self.dataset = OrbitDataset(
            study.parts["held_out"],
            network=study.network,
            layer=config["layer"],
            group=study.group,
            n_positions=config["n_positions"],
            random_state=config["split_seed"],
        )
        self.codes = codes_of_activations(crosscoder, untransformed.astype(np.float32))

    def patches(self, feature: int, element: int, n: int) -> NDArray[np.float32]:
        """What excites it most, one patch a photograph, transformed by an element."""
        samples = _strongest(self.codes[:, feature], self.store.image_ids, n)
        return patches_around(
            self.dataset,
            self.store.image_ids[samples],
            self.store.positions[samples],
            np.full(len(samples), element),
        )


def _sheet(rows: list[tuple[int, int]], cut: _Cutter, n_patches: int, titles: list[str]) -> Figure:
    """A row for every feature and element."""
    import matplotlib.pyplot as plt

    figure, axes = plt.subplots(len(rows), n_patches, figsize=(n_patches, len(rows)), squeeze=False)
    for ax in axes.flat:
        ax.axis("off")
    for row, title, (feature, element) in zip(axes, titles, rows, strict=True):
        for ax, patch in zip(row, cut.patches(feature, element, n_patches), strict=False):
            ax.imshow(patch)
        row[0].set_title(title, fontsize=8)
    return figure


def _strongest(codes: NDArray[np.floating], images: NDArray[np.int64], n: int) -> NDArray[np.int64]:
    """Samples with the largest codes, one an image."""
    order = np.argsort(-codes, kind="stable")
    order = order[codes[order] > 0]
    first = np.unique(images[order], return_index=True)[1]
    return order[np.sort(first)][:n]
