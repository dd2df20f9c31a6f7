"""Figures of `transform_blocks`, from its tables."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from sklearn_groupcross import Dihedral
from sklearn_groupcross.plotting import PALETTE, TransformBlockDisplay

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

_STYLE = "sklearn_groupcross.plotting.groupcross"
_BLUE, _ORANGE, _GREEN, _PURPLE, _BROWN, _GREY = PALETTE
_COLORS = {
    "curve": _ORANGE,
    "edge": _PURPLE,
    "corner": _BROWN,
    "line": _BLUE,
    "round": _GREEN,
    "other": _GREY,
}
_DASHES = {"curve": "-", "edge": "--", "corner": ":", "line": "-", "round": "-.", "other": ":"}
_CONTROLS = {
    "half turn of another": (_GREEN, "-", "half turn of another feature"),
    "shuffled blocks": (_BROWN, "--", "blocks shuffled"),
    "untrained network": (_PURPLE, "-.", "untrained network"),
    "augmented": ("black", ":", "trained on translated orbits too"),
    "fewer photographs": (_GREY, "-", "trained, of fewer photographs"),
}
_READINGS = {
    "decoder": "decoder: cosine with the turned atom",
    "codes": "codes, held-out photographs:\ncorrelation with the turned input",
    "neurons": "neurons, held-out photographs:\ncorrelation with the turned input",
}


def draw(tables: Mapping[str, pd.DataFrame]) -> dict[str, Figure]:
    """Figures of this stage, by name."""
    import matplotlib.pyplot as plt

    with plt.style.context(_STYLE):
        return {
            "distribution": _draw_distribution(tables),
            "profiles": _draw_profiles(tables["profiles"]),
            "blocks": _draw_blocks(tables["blocks"]),
        }


def _subplots(size: tuple[float, float], n_columns: int, **options: Any) -> Any:
    import matplotlib.pyplot as plt

    return plt.subplots(1, n_columns, figsize=size, layout="constrained", **options)


def _draw_distribution(tables: Mapping[str, pd.DataFrame]) -> Figure:
    table = tables["distribution"]
    figure, (left, right) = _subplots((7.2, 4.2), 2, sharex=True)
    of_main = table[table["features"] == "all"]
    parts = {name: of_main[of_main["class"] == name] for name in _COLORS if name != "round"}
    starts = parts["other"]["from"].to_numpy()
    ends = np.append(starts, 2 * starts[-1] - starts[-2])
    total = 100 * sum(part["share"].to_numpy() for part in parts.values())
    left.stairs(total, ends, fill=True, color="#D0D0D0", label=f"features ({of_main['n'].sum()})")
    # features are what it is about: a control that is one tall peak runs out of the picture
    top = 1.35 * total.max()
    for what, (color, dash, label) in _CONTROLS.items():
        shares = 100 * table[table["features"] == what]["share"].to_numpy()
        if not len(shares):
            continue
        left.stairs(shares, ends, color=color, linestyle=dash, linewidth=1.2, label=label)
        peak = int(shares.argmax())
        if shares[peak] > top:
            at_left = starts[peak] > 0.5
            left.annotate(
                f"to {shares[peak]:.0f} %", (ends[peak + (not at_left)], 0.97 * top),
                xytext=(-3 if at_left else 3, 0), textcoords="offset points",
                ha="right" if at_left else "left", va="top", fontsize=6.5, color=color,
            )  # fmt: skip
    left.set(ylim=(0, top), ylabel="share of all (%)", title="all features, and controls")
    for name in ("edge", "corner", "curve", "line"):
        part = parts[name]
        if part["n"].sum():
            shares = 100 * part["n"].to_numpy() / part["n"].sum()
            label = f"{name} ({part['n'].sum()})"
            style = {"color": _COLORS[name], "linestyle": _DASHES[name]}
            right.stairs(shares, ends, label=label, linewidth=1.4, **style)
            if name in ("curve", "line"):
                right.stairs(shares, ends, fill=True, alpha=0.25, color=_COLORS[name])
    right.set(ylabel="share of the class (%)", title="features with a class, by class")
    for ax in (left, right):
        ax.set_xlabel("p(180°): cosine of the atom with its half turn")
        _mark(ax)
        ax.legend(loc="upper center", bbox_to_anchor=(0.5, -0.17), ncols=2, fontsize=6.5)
    return figure


def _mark(ax: Axes) -> None:
    """Lines at what is called gone and back."""
    for at in (0.5, 0.8):
        ax.axvline(at, color="#404040", linewidth=0.6, linestyle=(0, (1, 2)))


def _draw_profiles(table: pd.DataFrame) -> Figure:
    figure, axes = _subplots((7.2, 3.1), 3, sharex=True, sharey=True)
    for ax, (reading, title) in zip(axes, _READINGS.items(), strict=True):
        of_reading = table[table["reading"] == reading]
        for name in ("round", "line", "curve", "edge", "corner"):
            part = of_reading[of_reading["class"] == name]
            if part.empty or not part["n"].iloc[0]:
                continue
            # once round: 360° is where it began
            part = pd.concat([part, part[part["degrees"] == 0].assign(degrees=360.0)])
            label = f"{name} ({part['n'].iloc[0]})"
            ax.fill_between(
                part["degrees"], part["low"], part["high"], color=_COLORS[name], alpha=0.2, lw=0
            )
            ax.plot(part["degrees"], part["value"], _DASHES[name], color=_COLORS[name], label=label)
        ax.set(xticks=range(0, 361, 90), xlabel="turn (degrees)")
        ax.set_title(title, fontsize=7.5)
        ax.axhline(0, color="#404040", linewidth=0.6)
        ax.legend(
            loc="upper center", bbox_to_anchor=(0.5, -0.2), fontsize=6.5, ncols=2, columnspacing=0.8
        )
    axes[0].set(ylabel="mean over features or neurons", ylim=(-0.1, 1.03))
    return figure


def _draw_blocks(table: pd.DataFrame) -> Figure:
    figure, axes = _subplots((7.2, 3.4), 2)
    for ax, (name, part) in zip(axes, table.groupby("class"), strict=True):
        block = part.filter(regex=r"^h\d+$").to_numpy(float) / 100
        which, n = part[["features", "n"]].iloc[0]
        title = f"{n} {name}s" + (" found again" if which == "found again" else "")
        # nothing of a class is an empty picture
        TransformBlockDisplay.from_arrays(
            np.nan_to_num(block), Dihedral(len(block) // 2), title
        ).plot(ax, cmap="Reds", vmin=0, vmax=1)
    return figure
