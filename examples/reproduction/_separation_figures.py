"""Figures of the comparison with plain autoencoders."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from sklearn_groupcross.plotting import PALETTE

if TYPE_CHECKING:
    from matplotlib.figure import Figure

#: From top to bottom, and how it is written.
_KINDS = {
    "crosscoder": "group crosscoder",
    "augmented": "group crosscoder, augmented",
    "plain": "plain autoencoder",
    "plain of all transformed": "plain, of all transformed",
    "principal axes": "principal axes",
    "random directions": "random directions",
    "neurons": "neurons",
    "crosscoder of shuffled blocks": "group crosscoder,\nblocks of other samples",
}
_TRAINED = {"crosscoder": 0, "augmented": 0, "plain": 1, "plain of all transformed": 1}
_GREY = 5
_PANELS = {
    "silhouette": "silhouette,\ndistances",
    "silhouette_map": "silhouette,\nUMAP",
    "share_in_families": "share of features\nin families",
}


def draw_kinds(runs: pd.DataFrame, kinds: pd.DataFrame, distance: float) -> Figure:
    """A row a kind of dictionary, a panel a measure: seeds, their mean and its interval."""
    import matplotlib.pyplot as plt

    figure, axes = plt.subplots(
        1, len(_PANELS), figsize=(9, 4.4), sharey=True, layout="constrained"
    )
    runs = runs[runs["family_distance"] == distance]
    kinds = kinds[kinds["family_distance"] == distance]
    shown = [kind for kind in _KINDS if (kinds["kind"] == kind).any()]
    for ax, (what, label) in zip(axes, _PANELS.items(), strict=True):
        for y, kind in enumerate(shown):
            color = PALETTE[_TRAINED.get(kind, _GREY)]
            seeds = runs.loc[runs["kind"] == kind, what].dropna()
            ax.plot(seeds, np.full(len(seeds), y + 0.22), "|", color=color, markersize=7)
            row = kinds[(kinds["kind"] == kind) & (kinds["measure"] == what)].iloc[0]
            if np.isnan(row["value"]):
                said = "no families in some seeds" if len(seeds) else "no families"
                ax.text(0.5, y, said, transform=ax.get_yaxis_transform(), ha="center",
                    va="center", color="0.35", fontsize=9)  # fmt: skip
                continue
            ax.plot([row["low"], row["high"]], [y, y], color=color, linewidth=2)
            ax.plot(row["value"], y, "o", color=color, markersize=6)
        ax.axvline(0, color="0.75", linewidth=0.8, zorder=0)
        ax.set_xlabel(label)
        ax.spines[["top", "right"]].set_visible(False)
    axes[0].set_yticks(range(len(shown)), [_KINDS[kind] for kind in shown])
    axes[0].invert_yaxis()
    axes[2].set_xlim(left=min(0, axes[2].get_xlim()[0]))
    return figure


def draw_differences(
    differences: pd.DataFrame, power: pd.DataFrame, pair: tuple[str, str], margin: float
) -> Figure:
    """Mean difference with interval at all distances; what the pilot said could be seen; margin."""
    import matplotlib.pyplot as plt

    figure, ax = plt.subplots(figsize=(7.5, 3.8), layout="constrained")
    rows = differences[(differences["first"] == pair[0]) & (differences["second"] == pair[1])]
    cuts = sorted(rows["family_distance"].unique())
    ax.axvspan(-margin, margin, color="0.9", zorder=0, label=f"of no practical size (±{margin:g})")
    ax.axvline(0, color="0.5", linewidth=0.8, zorder=1)
    for i, what in enumerate(_PANELS):
        for j, cut in enumerate(cuts):
            y = i + 0.24 * (j - (len(cuts) - 1) / 2)
            at = (rows["measure"] == what) & (rows["family_distance"] == cut)
            row = rows[at].iloc[0]
            seen = power[(power["measure"] == what) & (power["family_distance"] == cut)].iloc[0]
            label = (
                "smallest difference that the seeds see with 80 % power (pilot)"
                if not i + j
                else None
            )
            limit = seen["detectable"]
            ax.plot([-limit, limit], [y, y], "|", color="0.35", markersize=9, label=label)
            ax.plot([row["low"], row["high"]], [y, y], color=PALETTE[j], linewidth=2)
            label = None if i else f"family distance {cut:g}: mean, 95 % interval"
            ax.plot(row["value"], y, "o", color=PALETTE[j], label=label)
    ax.set_yticks(range(len(_PANELS)), list(_PANELS.values()))
    ax.invert_yaxis()
    ax.set_xlabel("group crosscoder less plain autoencoder")
    ax.spines[["top", "right"]].set_visible(False)
    figure.legend(loc="outside lower center", ncols=2, fontsize=9, frameon=False)
    return figure
