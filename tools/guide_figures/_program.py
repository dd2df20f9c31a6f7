"""Pictures of commands, files and the parts of the package."""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
from collections import defaultdict
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np
from matplotlib.figure import Figure
from matplotlib.patches import Circle, FancyBboxPatch
from PIL import Image

from sklearn_groupcross.orbits import Arc, Corner, Edge, Shape, draw_probe

from ._dictionaries import octagon_dictionary, photograph, small_dictionary
from ._drawing import INK, PALE, READ, ROOT, SQUARE, WRITE, arrow, bare, box


def cli() -> Figure:
    """Commands, and the files between them."""
    figure, ax = plt.subplots(figsize=(5.2, 3.9), layout="constrained")
    bare(ax)
    ax.set(xlim=(0, 10), ylim=(0.2, 6.1))
    commands = ("extract", "fit", "analyze", "report")
    files = (
        "a store of orbits",
        "crosscoder.safetensors\nand other seeds",
        "features.csv\nfamilies.csv, figures/",
        "report.html",
    )
    ax.add_patch(
        FancyBboxPatch(
            (2.0, 0.45), 3.1, 5.0, boxstyle="round,pad=0,rounding_size=0.15", facecolor=PALE,
            edgecolor=INK, linestyle="--",
        )
    )  # fmt: skip
    ax.text(3.55, 5.62, "groupcross run does all four", ha="center", fontsize=11, color=INK)
    arrow(ax, (1.55, 4.8), (2.3, 4.8))
    ax.text(0.85, 4.8, "images,\na network", ha="center", va="center", fontsize=10)
    for i, (command, made) in enumerate(zip(commands, files, strict=True)):
        y = 4.8 - 1.28 * i
        box(ax, 2.3, y - 0.36, 2.5, 0.72, command, INK, family="monospace")
        arrow(ax, (4.8, y), (5.9, y), WRITE)
        box(ax, 5.9, y - 0.42, 3.9, 0.84, made, WRITE)
        if i:
            arrow(ax, (6.0, y + 1.28 - 0.42), (4.8, y + 0.2), WRITE)
    return figure


def runs() -> Figure:
    """The files of a run and of ``groupcross analyze``, by the stage that writes them."""
    shapes: tuple[Shape, ...] = (Edge(), Corner(90), Arc(8.0, 3.0))
    with tempfile.TemporaryDirectory() as folder:
        images, results = Path(folder, "images"), Path(folder, "results")
        images.mkdir()
        for i, shape in enumerate(shapes):
            for j, picture in enumerate(draw_probe(shape, SQUARE, 138, at=(6.0, -4.0))):
                pixels = picture.permute(1, 2, 0).clamp(0, 1).numpy() * 255
                Image.fromarray(pixels.astype(np.uint8)).save(images / f"{i}-{j}.png")
        command = [sys.executable, "-m", "sklearn_groupcross"]
        run = f"run {images} --network bundled --group dihedral:4 --positions 20"
        fit = f"--features 24 --k 4 --epochs 40 --seeds 2 --quiet --out {results}"
        for arguments in (
            [*run.split(), *fit.split()],
            ["analyze", str(results / "crosscoder.safetensors"), "--families", "1", "--quiet"],
        ):
            subprocess.run([*command, *arguments], check=True, stdout=subprocess.DEVNULL)
        stages = json.loads((results / "stages.json").read_text())
        found = sorted(str(path.relative_to(results)) for path in results.iterdir())
    return draw_tree(found, stages)


WHAT_FILES_ARE = {
    "orbits": "the store of orbits",
    "crosscoder.safetensors": "the dictionary that is reported",
    "crosscoder-seed1.safetensors": "another seed, to see what holds",
    "features.csv": "one row a feature",
    "families.csv": "one row a family",
    "figures": "pictures, of groupcross analyze",
    "report.html": "the page to look at",
    "stages.json": "which stages are done",
    "run.toml": "settings, to repeat the run",
    "run.log": "what was said, and when",
}
STAGE_COLORS = {
    "extract": "#8a6d1d", "fit": INK, "analyze": WRITE, "report": READ, "every stage": "0.45",
}  # fmt: skip


def draw_tree(names: list[str], stages: dict) -> Figure:
    """Files at the top of a folder, in the colour of the stage that writes them."""
    stage_of = {}
    for stage, record in stages["stages"].items():
        for output in record["outputs"]:
            stage_of[output.partition("/")[0]] = stage
    stage_of["figures"] = "analyze"  # the command draws them, `run` does not
    by_stage = defaultdict(list)
    for name in sorted(names, key=list(WHAT_FILES_ARE).index):
        by_stage[stage_of.get(name, "every stage")].append(name)
    # extraction is recorded in the store itself
    if "extract" not in by_stage:
        by_stage["every stage"].remove("orbits")
        by_stage["extract"].append("orbits")
    rows = [(stage, name) for stage in STAGE_COLORS for name in by_stage[stage]]
    figure, ax = plt.subplots(figsize=(5.4, 0.34 * len(rows) + 0.6), layout="constrained")
    bare(ax)
    ax.set(xlim=(0, 10), ylim=(-len(rows) - 0.1, 1.3))
    ax.text(0.1, 0.75, "results/", family="monospace", fontsize=11, weight="bold")
    seen = None
    for i, (stage, name) in enumerate(rows):
        color = STAGE_COLORS[stage]
        ax.plot([0.3, 0.3, 0.65], [0.35 - i + 0.15, -i, -i], color="0.6", linewidth=1)
        mark = "/" if "." not in name else ""
        ax.text(0.75, -i, name + mark, family="monospace", fontsize=9, va="center", color=color)
        ax.text(5.1, -i, WHAT_FILES_ARE[name], fontsize=9.5, va="center")
        if stage != seen:
            ax.text(
                9.95, -i, stage, ha="right", va="center", fontsize=10, color=color, weight="bold"
            )
        seen = stage
    return figure


def options() -> Figure:
    """What the options of reading, fitting and naming mean, on data."""
    dataset, codes, analysis = octagon_dictionary()
    _, stack, square = small_dictionary()
    figure, axes = plt.subplots(1, 3, figsize=(6, 3), layout="constrained")
    reading, fitting, naming = axes
    half = photograph().shape[0] / 2
    reading.imshow(photograph(), extent=(-half, half, half, -half))
    points = dataset.positions[dataset.image_ids == 0]
    reading.plot(*points.T, ".", color="white", markersize=4, markeredgecolor=READ)
    reading.add_patch(Circle((0, 0), dataset.radius, fill=False, edgecolor="white", linewidth=2))
    reading.set_title(f"reading:\n{len(points)} positions, a radius", fontsize=11)
    reading.set_xlabel("--positions  --radius", family="monospace", fontsize=9.5)
    code = square.transform(stack[60:61])[0]
    fitting.bar(range(len(code)), code, width=1.6, color=INK)
    active = int((code > 0).sum())
    fitting.set_title(f"fitting: {len(code)} features,\n{active} active in this orbit", fontsize=11)
    fitting.set_xlabel("--features  --k", family="monospace", fontsize=9.5)
    named = [i for i, found in enumerate(analysis.stabilizers_) if found.name.startswith("C2")]
    feature = max(named or range(len(analysis.profiles_)), key=lambda i: (codes[:, i] > 0).mean())
    turns = dataset.action.group.order // 2
    profile = analysis.profiles_[feature][:turns]
    naming.plot(np.arange(turns) * 360 / turns, profile, "o-", color=WRITE)
    naming.axhline(0.8, color=READ, linestyle="--")
    naming.text(350, 0.83, "0.8", color=READ, ha="right", va="bottom", fontsize=10)
    naming.set(xticks=(0, 90, 180, 270), xticklabels=("0°", "90°", "180°", "270°"), ylim=(-1, 1.15))
    naming.set_yticks([-1, 0, 1])
    naming.spines[["top", "right"]].set_visible(False)
    naming.set_title("naming: how alike\na turn leaves it", fontsize=11)
    naming.set_xlabel("--threshold", family="monospace", fontsize=9.5)
    for ax in (reading, fitting):
        ax.set(xticks=[], yticks=[])
    return figure


def trust() -> Figure:
    """What is read as data, and what is run."""
    figure, ax = plt.subplots(figsize=(5.2, 3.7), layout="constrained")
    bare(ax)
    ax.set(xlim=(0, 10), ylim=(0, 6.2))
    columns = (
        ("read as data", WRITE, ("images", "weights", "models, checkpoints", "stores", "records")),
        ("run as code", READ, ("your modules", "FILE.py:FUNCTION\nthat you typed",
                               "FILE.py:FUNCTION of\na record, by --config")),
        ("keep to yourself", "#8a6d1d", ("NUMBA_CACHE_DIR", "TRITON_CACHE_DIR",
                                         "TORCHINDUCTOR_\nCACHE_DIR")),
    )  # fmt: skip
    notes = (
        "nothing in them\nis run",
        "as you, with\nyour rights",
        "who writes there\ncan run code",
    )
    for i, ((title, color, items), note) in enumerate(zip(columns, notes, strict=True)):
        x, height = 0.1 + 3.35 * i, 4.05 / len(items)
        ax.text(x + 1.55, 5.75, title, ha="center", fontsize=12, color=color, weight="bold")
        ax.text(x + 1.55, 5.0, note, ha="center", fontsize=9.5)
        for j, item in enumerate(items):
            y = 4.85 - height * (j + 1)
            box(ax, x, y + 0.08, 3.1, height - 0.16, "", color)
            is_code = item.isupper() or ".py" in item
            ax.text(x + 1.55, y + height / 2, item, ha="center", va="center",
                    fontsize=8.5 if is_code else 10.5,
                    family="monospace" if is_code else None)  # fmt: skip
    return figure


def install() -> Figure:
    """A terminal: the commands of the page, and the first table that the demo prints."""
    printed = (ROOT / "docs/demo_output.txt").read_text(encoding="utf-8").strip()
    rows = [line.split("  ", 1) for line in printed.split("\n\n")[0].splitlines()]
    shown = [f"{name}: {value.strip()}" for name, value in rows]
    lines = ['$ python -m pip install ".[report,lucent]"', "$ groupcross demo"]
    for line in shown:
        while line:
            cut = line if len(line) <= 56 else line[: line.rindex(" ", 0, 56)]
            lines.append(cut)
            line = line[len(cut) :].strip()
            line = f"  {line}" if line else ""
    figure = plt.figure(figsize=(5.2, 0.2 * len(lines) + 0.45))
    figure.set_facecolor("#1d2733")
    for i, line in enumerate(lines):
        figure.text(
            0.03, 1 - (0.3 + 0.2 * i) / figure.get_figheight(), line, family="monospace",
            fontsize=9.5, va="center", color="#8fd3b6" if line.startswith("$") else "#e8edf2",
        )  # fmt: skip
    return figure


def rooms() -> Figure:
    """Which room imports which, counted in the source."""
    from tools.import_graph import imports_of, read_modules, room_of

    def room(module: str) -> str:
        return "_stacks" if module.startswith("_stacks") else room_of(module)

    modules = read_modules(ROOT)
    counts: dict[tuple[str, str], int] = defaultdict(int)
    for name in modules:
        for each in imports_of(name, modules) if name != "__main__" else ():
            if each.kind != "for types":
                counts[room(each.source), room(each.target)] += 1
    order = [
        "ground", "groups", "_stacks", "actions", "networks", "orbits", "crosscoder",
        "model_selection", "analysis", "faithfulness", "visualization", "plotting", "report", "cli",
    ]  # fmt: skip
    matrix = np.array([[counts[source, target] for target in order] for source in order])
    np.fill_diagonal(matrix, 0)
    figure, ax = plt.subplots(figsize=(5.2, 5), layout="constrained")
    ax.imshow(np.minimum(matrix, 12), cmap="Blues", vmax=16)
    for (i, j), count in np.ndenumerate(matrix):
        if count:
            ax.text(j, i, str(count), ha="center", va="center", fontsize=9)
    ax.set(xticks=range(len(order)), yticks=range(len(order)))
    ax.set_xticklabels(order, rotation=50, ha="left", rotation_mode="anchor")
    ax.set_yticklabels(order)
    ax.tick_params(top=True, bottom=False, labeltop=True, labelbottom=False, length=0)
    ax.plot([-0.5, len(order) - 0.5], [-0.5, len(order) - 0.5], color=READ, linewidth=1)
    ax.set(xlabel="is imported", ylabel="imports")
    return figure
