"""Figure of `networks`, from its tables alone."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from sklearn_groupcross.plotting import PALETTE

from ._statistics import Estimate
from ._subjects import CHOSEN, DRAWN, ORDER, TRAINED

if TYPE_CHECKING:
    from matplotlib.figure import Figure


def draw(tables: Mapping[str, pd.DataFrame]) -> dict[str, Figure]:
    """Every network a line: the index, what is found again, and the measure that was chosen."""
    import matplotlib.pyplot as plt

    blue, orange, green, *_ = PALETTE
    styles = {TRAINED: ("o", green), ORDER: ("s", orange), DRAWN: ("D", blue)}
    table = tables["measures"].merge(
        tables["networks"][["what", "architecture", "weights"]], on="what"
    )
    names = list(dict.fromkeys(table["architecture"]))
    y = dict(zip(names, range(len(names), 0, -1), strict=True))
    shown = {
        "index": "equivariance index,\nmedian over features",
        "found_again": "share of features found again\nby another seed, less chance",
        CHOSEN: "excess kurtosis of responses\nto photographs, median",
    }
    figure, axes = plt.subplots(1, 3, figsize=(7.2, 2.9), sharey=True, layout="constrained")
    for ax, (name, label) in zip(axes, shown.items(), strict=True):
        for shift, (weights, (marker, color)) in zip((0.2, 0, -0.2), styles.items(), strict=True):
            part = table[(table["measure"] == name) & (table["weights"] == weights)]
            value, low, high = (part[f].to_numpy() for f in Estimate._fields)
            ax.errorbar(
                value, part["architecture"].map(y).to_numpy() + shift,
                xerr=np.abs([value - low, high - value]), fmt=marker, markersize=3.5,
                linewidth=1, color=color, label=weights,
            )  # fmt: skip
        ax.set_xlabel(label, fontsize=8)
        ax.tick_params(labelsize=8)
        ax.grid(axis="y", color="#E2E2E2", linewidth=0.5)
        ax.spines[["top", "right"]].set_visible(False)
    axes[0].set_yticks(list(y.values()), names, fontsize=8)
    figure.legend(*axes[0].get_legend_handles_labels(), loc="outside upper center", ncols=3,
                  fontsize=8, frameon=False)  # fmt: skip
    return {"weights": figure}
