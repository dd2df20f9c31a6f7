"""Stages: each answers one question, writes its tables, and draws its figures from these alone."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime, timezone
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
import scipy
import sklearn
import torch

import sklearn_groupcross

from ._claim import Claim
from ._study import Study

if TYPE_CHECKING:
    from matplotlib.figure import Figure

Tables = dict[str, pd.DataFrame]


@dataclass(frozen=True)
class Stage:
    """A module of this package that answers a question.

    Attributes
    ----------
    name : str
        Of the module, which has `measure`, `draw` and `CLAIMS`; tables and figures begin with it.
    question : str
    """

    name: str
    question: str

    @property
    def measure(self) -> Callable[[Study], Tables]:
        """Gives the tables, by name."""
        return self._module.measure

    @property
    def draw(self) -> Callable[[Mapping[str, pd.DataFrame]], dict[str, Figure]]:
        """Gives figures of tables, by name."""
        return self._module.draw

    @property
    def claims(self) -> tuple[Claim, ...]:
        """What its tables decide."""
        return self._module.CLAIMS

    @property
    def _module(self) -> Any:
        return import_module(f".{self.name}", __package__)


STAGES = (
    Stage("families", "Do features fall into families, and into which?"),
    Stage("transform_blocks", "Do curves need the full turn, and lines half of it?"),
    Stage("separation", "Do families stand further apart than those of a plain autoencoder?"),
    Stage("sparsity", "What does the penalty do, over five orders of magnitude?"),
    Stage("depth", "Which symmetries survive in deeper layers?"),
    Stage("groups", "What do other groups reveal?"),
    Stage("sampling", "Does it matter how orbits are read?"),
    Stage("networks", "What of it is there without training?"),
    Stage("choices", "What do the encoder's input, translated orbits and few coordinates do?"),
    Stage("faithfulness", "Does the network use families?"),
)


def run_stage(stage: Stage, study: Study, folder: Path, command: str, *, again: bool) -> Tables:
    """Measure what is not measured yet, write tables with where they come from, draw figures.

    Parameters
    ----------
    stage : Stage
    study : Study
    folder : Path
        Of the tables.
    command : str
        What makes these tables; written beside them.
    again : bool
        Measure even if the tables are there.

    Returns
    -------
    tables : dict of str to DataFrame
    """
    record_file = folder / f"{stage.name}.json"
    settings = _settings_of(study.config, stage.name)
    if not again and record_file.exists():
        record = json.loads(record_file.read_text(encoding="utf-8"))
        if record["settings"] == settings:
            return read_tables(folder, stage)
    start = time.perf_counter()
    tables = stage.measure(study)
    record = {
        "question": stage.question,
        "command": command,
        "tables": sorted(tables),
        "seconds": round(time.perf_counter() - start),
        "date": datetime.now(timezone.utc).date().isoformat(),
        "processor": _processor(),
        "threads": torch.get_num_threads(),
        "versions": {
            module.__name__: module.__version__
            for module in (np, scipy, sklearn, torch, sklearn_groupcross)
        },
        "settings": settings,
    }
    folder.mkdir(parents=True, exist_ok=True)
    for name, table in tables.items():
        table.to_csv(folder / f"{stage.name}-{name}.csv", index=False, float_format="%.5g")
    # last: a stage that was broken off has no record
    record_file.write_text(json.dumps(record, indent=1) + "\n", encoding="utf-8")
    return read_tables(folder, stage)


def read_tables(folder: Path, stage: Stage) -> Tables:
    """Read the tables of a stage as they were written."""
    record = json.loads((folder / f"{stage.name}.json").read_text(encoding="utf-8"))
    return {name: pd.read_csv(folder / f"{stage.name}-{name}.csv") for name in record["tables"]}


def draw_stage(stage: Stage, tables: Mapping[str, pd.DataFrame], folder: Path) -> list[Path]:
    """Draw the figures of a stage from its tables, as SVG files of a folder."""
    import matplotlib.pyplot as plt

    folder.mkdir(parents=True, exist_ok=True)
    paths = []
    for name, figure in stage.draw(tables).items():
        paths.append(folder / f"{stage.name}-{name}.svg")
        # without a date, and with names of its own: the same tables give the same file
        with plt.rc_context({"svg.hashsalt": stage.name, "svg.fonttype": "none"}):
            figure.savefig(paths[-1], bbox_inches="tight", metadata={"Date": None})
        plt.close(figure)
    return paths


def _settings_of(config: Mapping[str, Any], stage: str) -> dict[str, Any]:
    """What a stage can depend on: all settings but those of other stages."""
    others = {other.name for other in STAGES} - {stage}
    return {key: value for key, value in config.items() if key not in others}


def _processor() -> str:
    cpuinfo = Path("/proc/cpuinfo")
    lines = cpuinfo.read_text(encoding="utf-8").splitlines() if cpuinfo.exists() else []
    said = dict(line.split(":", 1) for line in lines if ":" in line)
    said = {key.strip(): value.strip() for key, value in said.items()}
    flags = said.get("flags", "").split()
    # those that decide how fast training and extraction are
    known = [name for name in ("avx2", "avx512f", "avx512_bf16", "amx_bf16") if name in flags]
    return f"{said.get('model name', 'unknown')} ({', '.join(known) or 'instructions unknown'})"
