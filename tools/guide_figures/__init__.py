"""Draw the pictures of the guide's pages into a folder.

    python -m tools.guide_figures docs/_static [NAME ...]

Without names all are drawn. Numbers in them are computed: from the bundled network, scikit-learn's
sample photographs, planted orbits, the command line itself, or tables and files of this repository.
"""

from __future__ import annotations

from pathlib import Path

import matplotlib.pyplot as plt

from ._drawing import ROOT
from ._program import cli, install, options, rooms, runs, trust
from ._results import clusters, faithfulness, frontier, holds, plotting, table_of
from ._training import crosscoder, devices, groups, networks, orbits, scaling

__all__ = ["FIGURES", "ROOT", "main", "table_of"]


def main(folder: str, *names: str) -> None:
    """Write the pictures."""
    with plt.rc_context({"svg.hashsalt": "guide", "font.size": 10}):
        for name in names or sorted(FIGURES):
            draw, suffix = FIGURES[name]
            path = Path(folder, f"guide-{name}.{suffix}")
            figure = draw()
            figure.savefig(path, dpi=150, metadata={"Date": None} if suffix == "svg" else None)
            plt.close(figure)
            print(path, path.stat().st_size)


FIGURES = {
    "groups": (groups, "svg"),
    "networks": (networks, "webp"),
    "orbits": (orbits, "webp"),
    "crosscoder": (crosscoder, "svg"),
    "devices": (devices, "svg"),
    "scaling": (scaling, "svg"),
    "faithfulness": (faithfulness, "webp"),
    "plotting": (plotting, "webp"),
    "cli": (cli, "svg"),
    "runs": (runs, "svg"),
    "clusters": (clusters, "svg"),
    "options": (options, "webp"),
    "trust": (trust, "svg"),
    "install": (install, "svg"),
    "holds": (holds, "svg"),
    "frontier": (frontier, "svg"),
    "rooms": (rooms, "svg"),
}
