"""The claims of the paper as sentences that can fail, and what the tables say of them."""

from __future__ import annotations

import json
import warnings
from pathlib import Path

import pandas as pd

from ._stages import STAGES, read_tables


def judge(folder: Path) -> pd.DataFrame:
    """Say of every claim whose stage has tables whether it holds.

    Writes verdicts.csv, and verdicts-shown.csv for readers.

    Parameters
    ----------
    folder : Path
        Of the tables.

    Returns
    -------
    verdicts : DataFrame

    Warns
    -----
    UserWarning
        If tables of a stage were written by another version of it.
    """
    rows = []
    for stage in STAGES:
        record = folder / f"{stage.name}.json"
        if not record.exists():
            continue
        settings = json.loads(record.read_text(encoding="utf-8"))["settings"]
        tables = read_tables(folder, stage)
        n_held_out = settings["n_held_out"]  # a stage may take fewer of them
        n_held_out = min(n_held_out, settings.get(stage.name, {}).get("n_held_out", n_held_out))
        for claim in stage.claims:
            try:
                estimate, verdict = claim.measure(tables)
            except LookupError:
                warnings.warn(
                    f"{record.with_suffix('')}: tables of another version of this stage; claim "
                    f"{claim.number} is left out. Measure again: --stages {stage.name} --again.",
                    stacklevel=2,
                )
                continue
            rows.append({
                "claim": claim.number,
                "sentence": claim.sentence,
                "verdict": verdict,
                "effect": claim.effect,
                **estimate._asdict(),
                "n_seeds": len(settings["seeds"]),
                "n_held_out": n_held_out,
            })  # fmt: skip
    verdicts = pd.DataFrame(rows)
    if rows:
        verdicts.to_csv(folder / "verdicts.csv", index=False, float_format="%.5g")
        for_readers(verdicts).to_csv(folder / "verdicts-shown.csv", index=False)
    return verdicts


def for_readers(verdicts: pd.DataFrame) -> pd.DataFrame:
    """Verdicts as a page shows them, an estimate with its interval in one cell."""
    return pd.DataFrame({
        "": verdicts["claim"],
        "claim": verdicts["sentence"],
        "verdict": verdicts["verdict"],
        "effect": [
            _with_interval(row.value, row.low, row.high) for row in verdicts.itertuples()
        ],
        "which is": verdicts["effect"],
    })  # fmt: skip


def _with_interval(value: float, low: float, high: float) -> str:
    def rounded(number: float) -> str:
        return f"{number:.2f}" if abs(number) < 10 else f"{number:.0f}"

    between = "" if pd.isna(low) else f" ({rounded(low)} to {rounded(high)})"
    return rounded(value) + between
