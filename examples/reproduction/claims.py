"""The claims of the paper as sentences that can fail, and what the tables say of them."""

from __future__ import annotations

import json
import warnings
from pathlib import Path

import numpy as np
import pandas as pd

from ._stages import STAGES, read_tables
from ._statistics import Estimate


def judge(folder: Path) -> pd.DataFrame:
    """Say of every claim whose stage has tables whether it holds.

    Writes verdicts.csv, and for readers verdicts-shown.csv, verdicts-STAGE.csv and rules-STAGE.csv.

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
    rows, stages = [], []
    for stage in STAGES:
        record = folder / f"{stage.name}.json"
        if not record.exists():
            continue
        settings = json.loads(record.read_text(encoding="utf-8"))["settings"]
        tables = read_tables(folder, stage)
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
            # a stage, or a claim, may take fewer of them
            n_held_out = settings["n_held_out"]
            of_claim = settings.get(stage.name, {}).get(claim.held_out, n_held_out)
            stages.append(stage.name)
            rows.append({
                "claim": claim.number,
                "sentence": claim.sentence,
                "verdict": verdict,
                "effect": claim.effect,
                **estimate._asdict(),
                "n_seeds": len(settings["seeds"]),
                "n_held_out": min(n_held_out, of_claim),
            })  # fmt: skip
    verdicts = pd.DataFrame(rows)
    if rows:
        verdicts.to_csv(folder / "verdicts.csv", index=False, float_format="%.5g")
        shown = for_readers(verdicts)
        # of all stages together, what an effect is would leave no room for the claims
        shown.iloc[:, :4].to_csv(folder / "verdicts-shown.csv", index=False)
        for name, part in shown.groupby(np.array(stages)):
            part.to_csv(folder / f"verdicts-{name}.csv", index=False)
        for stage in STAGES:
            if stage.name in stages:
                rules = [(claim.number, claim.rule) for claim in stage.claims]
                table = pd.DataFrame(rules, columns=["", "rule"])
                table.to_csv(folder / f"rules-{stage.name}.csv", index=False)
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
        "seeds, photographs held out": [
            f"{row.n_seeds}, {row.n_held_out}" for row in verdicts.itertuples()
        ],
    })  # fmt: skip


def beside_full(verdicts: pd.DataFrame, full: pd.DataFrame) -> pd.DataFrame:
    """The same claims at another scale and in the full study.

    Parameters
    ----------
    verdicts, full : DataFrame
        As `judge` gives them.

    Returns
    -------
    table : DataFrame
        A row a claim that both have: both verdicts, whether they agree, both effects.
    """
    both = verdicts.merge(full, on="claim", suffixes=("", "_full"))
    effects = [
        [_with_interval(*row) for row in both[[f"{n}{s}" for n in Estimate._fields]].to_numpy()]
        for s in ("", "_full")
    ]
    return pd.DataFrame({
        "": both["claim"],
        "claim": both["sentence"],
        "verdict": both["verdict"],
        "verdict, full": both["verdict_full"],
        "agree": np.where(both["verdict"] == both["verdict_full"], "yes", "no"),
        "effect": effects[0],
        "effect, full": effects[1],
    })  # fmt: skip


def _with_interval(value: float, low: float, high: float) -> str:
    # as many digits as the interval has to tell
    digits = 0 if abs(value) >= 10 else 3 if high - low < 0.05 else 2

    def rounded(number: float) -> str:
        return f"{number:.{digits}f}"

    between = "" if pd.isna(low) else f" ({rounded(low)} to {rounded(high)})"
    return rounded(value) + between
