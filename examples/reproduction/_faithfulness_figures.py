"""Figures of features kept and taken out, from the tables alone."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from sklearn_groupcross.plotting import PALETTE

if TYPE_CHECKING:
    from matplotlib.figure import Figure

_BLUE, _ORANGE, _GREEN, _, _, _GREY = PALETTE
_LABELS = {
    "all features": "all features",
    "families": "families alone",
    "random features": "random features,\nas many and as strong",
    "features alone": "all other features",
    "mean": "the layer's mean",
}


def draw_effects(tables: Mapping[str, pd.DataFrame]) -> Figure:
    """Left: what is kept; right: every family taken out, against random sets."""
    import matplotlib.pyplot as plt

    figure, axes = plt.subplots(
        1, 2, figsize=(8.4, 3.7), layout="constrained", width_ratios=(1, 1.15)
    )
    for ax, draw, name in (
        (axes[0], _draw_kept, "replaced"),
        (axes[1], _draw_taken_out, "families"),
    ):
        draw(ax, tables[name][tables[name]["dictionary"] == "plain"])
    return figure


def _draw_kept(ax: Any, table: pd.DataFrame) -> None:
    kept = table[table["what"] != "mean"].iloc[::-1]
    colors = {"families": _BLUE, "random features": _ORANGE}
    for y, row in enumerate(kept.itertuples()):
        value, low, high = row.recovered_value, row.recovered_low, row.recovered_high
        color = colors.get(row.what, _GREY)
        ax.plot([low, high], [y, y], color=color, lw=2)
        ax.plot(value, y, "o", color=color, ms=7)
        if np.isfinite(value):
            ax.annotate(f"{value:.2f}", (value, y), xytext=(0, 7), textcoords="offset points",
                ha="center", fontsize=9)  # fmt: skip
    ax.set_yticks(
        range(len(kept)),
        [f"{_LABELS[r.what]}\n({r.features:.0f} features)" for r in kept.itertuples()],
        fontsize=9,
    )
    ax.set_ylim(-0.5, len(kept) - 0.3)
    ax.set_xlabel("recovered (1: the network's own answer,\n0: no better than the layer's mean)")
    ax.set_title("Features kept", fontsize=11)
    ax.grid(axis="x", alpha=0.3)
    ax.spines[["top", "right"]].set_visible(False)


def _draw_taken_out(ax: Any, table: pd.DataFrame) -> None:
    from matplotlib.ticker import FuncFormatter, LogLocator, NullFormatter

    unit = 1e3
    limits = table[["random_kl", "turned_kl", "kl"]].to_numpy(float).ravel() * unit
    limits = limits[limits > 0]
    for control, color, marker, label in (
        ("turned", _GREY, "x", "as much in another direction"),
        ("random", _ORANGE, "o", "random sets, as many and as strong"),
    ):
        ax.scatter(table[f"{control}_kl"] * unit, table["kl"] * unit, s=26, marker=marker,
            color=color, label=label, alpha=0.8)  # fmt: skip
    if len(limits):
        ends = np.array([limits.min() * 0.8, limits.max() * 1.25])
        ax.plot(ends, ends, color="black", lw=0.8)
        ax.annotate("equal", ends[1:].repeat(2), xytext=(-40, -12), textcoords="offset points",
            fontsize=9)  # fmt: skip
        ax.set(xscale="log", yscale="log", xlim=ends, ylim=ends)
        for axis in (ax.xaxis, ax.yaxis):
            axis.set_major_locator(LogLocator(subs=(1, 2, 5)))
            axis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
            axis.set_minor_formatter(NullFormatter())
    ax.set_xlabel("divergence without what is compared (10⁻³ nats)")
    ax.set_ylabel("divergence without\nthe family (10⁻³ nats)")
    ax.set_title("One family taken out, against each control", fontsize=11)
    ax.legend(fontsize=8.5, loc="upper center", bbox_to_anchor=(0.45, -0.2), frameon=False,
        handletextpad=0.2)  # fmt: skip
    ax.spines[["top", "right"]].set_visible(False)


def draw_classes(table: pd.DataFrame) -> Figure:
    """The classes that three families' absence hurts most, chosen on other photographs."""
    import matplotlib.pyplot as plt

    families = list(dict.fromkeys(table["family"]))
    figure, axes = plt.subplots(
        1, max(1, len(families)), figsize=(8.4, 2.9), layout="constrained", squeeze=False
    )
    for ax, family in zip(axes[0], families, strict=False):
        rows = table[table["family"] == family].iloc[::-1]
        y = np.arange(len(rows))
        errors = [rows["drop_value"] - rows["drop_low"], rows["drop_high"] - rows["drop_value"]]
        ax.barh(y, rows["drop_value"], color=_BLUE, height=0.65, label="the family")
        ax.errorbar(rows["drop_value"], y, xerr=np.maximum(errors, 0), fmt="none",
            ecolor="black", lw=1)  # fmt: skip
        ax.plot(rows["random_drop"], y, "o", color=_ORANGE, ms=5, label="random sets")
        ax.axvline(0, color="black", lw=0.6)
        ax.set_yticks(y, [str(name)[:24] for name in rows["name"]], fontsize=8.5)
        ax.set_title(f"a family of kind “{rows['kind'].iloc[0]}”", fontsize=10)
        ax.set_xlabel("drop of the class's logit\non other photographs", fontsize=9)
        ax.tick_params(axis="x", labelsize=8.5)
        ax.spines[["top", "right"]].set_visible(False)
    if families:
        handles, labels = axes[0, 0].get_legend_handles_labels()
        figure.legend(handles, labels, loc="outside lower center", ncols=2, fontsize=9,
            frameon=False)  # fmt: skip
    return figure
