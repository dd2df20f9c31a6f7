"""What the pictures share: colours, boxes, arrows."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from matplotlib.axes import Axes
from matplotlib.patches import FancyBboxPatch

from sklearn_groupcross import (
    Dihedral,
)

ROOT = Path(__file__).resolve().parents[2]
SQUARE = Dihedral(4)
READ = "#d1495b"  # what the encoder reads, as in the glossary
INK = "#30506e"
WRITE = "#2a7f62"
PALE = "#eef2f6"
_RAISED = str.maketrans({" ": "", "^": "", "2": "²", "3": "³"})
NAMES = [SQUARE.element_name(g).translate(_RAISED) for g in range(SQUARE.order)]


def bare(ax: Axes) -> None:
    """Leave out ticks and frame."""
    ax.set(xticks=[], yticks=[])
    ax.set_frame_on(False)


def box(
    ax: Axes, x: float, y: float, width: float, height: float, text: str, color: str, **options: Any
) -> None:
    """A rounded box, x and y its lower left corner, with text in the middle."""
    ax.add_patch(
        FancyBboxPatch(
            (x, y), width, height, boxstyle="round,pad=0,rounding_size=0.06",
            facecolor=options.pop("facecolor", "white"), edgecolor=color, linewidth=1.4,
        )
    )  # fmt: skip
    ax.text(x + width / 2, y + height / 2, text, ha="center", va="center", fontsize=10, **options)


def arrow(ax: Axes, start: tuple[float, float], end: tuple[float, float], color: str = INK) -> None:
    """From one point of the axes to another."""
    ax.annotate("", end, start, arrowprops={"arrowstyle": "-|>", "color": color, "lw": 1.6})
