"""What is printed of an analysis: numbers for machines, tables for people."""

from __future__ import annotations

import argparse
from collections import Counter
from typing import Any

import numpy as np
import pandas as pd
from tabulate import tabulate

from ..analysis import KINDS, measurable_kinds
from ._measuring import MIN_FREQUENCY, Measured, summarize, turns_of_interest
from ._option_names import in_options

_ROWS_A_KIND = 5


def results_of(measured: Measured, metadata: dict[str, Any], image_word: str) -> dict[str, Any]:
    """All that is printed, in what JSON can hold."""
    analysis, unseen, training = measured.analysis, measured.unseen, measured.training
    group = analysis.group_
    alive = np.flatnonzero(~analysis.dead_)
    counted = _counted(measured.features)
    # the class is what all members of a family share: axes belong to the feature
    classes = Counter(analysis.stabilizers_[i].name.split(":")[0] for i in alive)
    results: dict[str, Any] = {
        "summary": summarize(measured, metadata, image_word),
        "group": repr(group),
        "features": len(analysis.dead_),
        "dead": int(analysis.dead_.sum()),
        "alone": int((analysis.labels_[alive] < 0).sum()),
        "threshold": analysis.threshold,
        "kinds": [
            {
                "kind": kind,
                "features": int((counted["kind"] == kind).sum()),
                "meaning": KINDS[kind],
            }
            for kind in measurable_kinds(group, analysis.kind_words)
        ],
        "turns": list(turns_of_interest(group)),
        "symmetry_classes": dict(classes.most_common()),
        "families": [
            {
                "family": family.label,
                "medoid": family.medoid,
                "symmetry": analysis.atom_stabilizers_[family.medoid].name,
                "members": list(family.members),
                "poses": len(set(family.poses)),
                "gaps": [group.describe_element(gap) for gap in family.gaps],
            }
            for family in analysis.families_
        ],
        "findings": None,
    }
    if unseen is not None:
        known = analysis.confidence_[np.isfinite(analysis.confidence_)]
        results["median_confidence"] = float(np.median(known)) if len(known) else None
        results["variance_unexplained"] = {
            "training": None if training is None else 1 - training.explained_variance,
            "measured": 1 - unseen.explained_variance,
        }
        results["active_features"] = unseen.l0
        results["features_firing"] = int((unseen.frequencies >= MIN_FREQUENCY).sum())
    again = measured.features["found_again"][alive]
    results["found_again"] = None if again.isna().all() else float(again.mean())
    if measured.findings is not None:
        results["findings"] = [
            {
                "name": finding.name,
                "message": finding.message,
                "value": float(finding.value),
                "limit": float(finding.limit),
                "advice": finding.advice,
            }
            for finding in measured.findings
        ]
    return results


def print_summary(results: dict[str, Any], features: pd.DataFrame) -> None:
    """Print what every command prints that has analysed: the lines, the kinds and the features."""
    print()
    print(tabulate(results["summary"].items(), tablefmt="plain", disable_numparse=True))
    moved = "turned" if results["turns"] else "transformed"
    print(f"\nKinds of features (p: cosine of an atom with its own {moved} copy)\n")
    print(tabulate([kind.values() for kind in results["kinds"]], ("kind", "features", "meaning")))
    _print_frequent(features, results["turns"])


def print_families(results: dict[str, Any], n_families: int) -> None:
    """Print classes of symmetry, and the largest families with their gaps."""
    lines = {
        "dead (zero atoms)": results["dead"],
        "families": len(results["families"]),
        "features alone": results["alone"],
    }
    if "median_confidence" in results:
        median = results["median_confidence"]
        lines["median confidence of symmetries"] = (
            "unknown: too few images, or features fire on too few"
            if median is None
            else f"{median:.2f}"
        )
    print()
    print(tabulate(lines.items(), tablefmt="plain", colalign=("left", "left")))
    print(f"\nSymmetry classes (threshold {results['threshold']:g}; C1: none)\n")
    print(tabulate(results["symmetry_classes"].items(), headers=("class", "features")))
    if not results["families"] or n_families == 0:
        return
    print("\nThe largest families\n")
    columns = ("family", "features", "medoid", "poses", "gaps", "symmetry of the medoid")
    shown = [
        (
            family["family"],
            len(family["members"]),
            family["medoid"],
            family["poses"],
            _shorten(family["gaps"]),
            family["symmetry"],
        )
        for family in results["families"][:n_families]
    ]
    print(tabulate(shown, headers=columns))


def print_findings(results: dict[str, Any], options: argparse.Namespace) -> None:
    """Print signs of failure with what to try; nothing where they were not looked for."""
    if results["findings"] is None:
        return
    print("\nFindings\n")
    for finding in results["findings"]:
        values = f"{finding['value']:.3g}, limit {finding['limit']:.3g}"
        text = in_options(f"{finding['message']} {finding['advice']}", options)
        print(f"- {finding['name']} ({values}): {text}")
    if not results["findings"]:
        print("none: no sign of failure")


def _print_frequent(features: pd.DataFrame, turns: list[str]) -> None:
    if "frequency" not in features:
        return
    firing = _counted(features)
    print("\nThe most frequent features of each kind\n")
    if firing.empty:
        print("No feature fires: lower --l1, raise --k, or train for more --epochs.")
    columns = ["kind", "symmetry", *turns, "family", "frequency", "found_again", "responses"]
    if firing["found_again"].isna().all():  # no other seed was asked, as the summary says
        columns.remove("found_again")
    # on how few images they fire is in the table of the folder
    words = firing["responses"].fillna("").str.replace("unknown: .*", "unknown", regex=True)
    firing = firing.assign(
        responses=words, remark=firing["remark"].astype(object).where(firing["remark"].notna(), "")
    )
    by_kind = firing.sort_values("frequency", ascending=False).groupby("kind", sort=False)
    shown = by_kind.head(_ROWS_A_KIND)
    shown = shown.sort_values("kind", key=lambda kinds: kinds.map(list(KINDS).index), kind="stable")
    if (shown["remark"] != "").any():
        columns.append("remark")
    print(tabulate(shown[columns], headers=["feature", *columns], floatfmt=".3f"))


def _counted(features: pd.DataFrame) -> pd.DataFrame:
    """Features that fire often enough to be counted; without orbits, all that are not dead."""
    # the code of an atom that is zero may fire, and says nothing
    alive = features[features["kind"] != "dead"]
    return alive[alive["frequency"] >= MIN_FREQUENCY] if "frequency" in alive else alive


def _shorten(gaps: list[str], n_shown: int = 2) -> str:
    """Count gaps, and name them while they are few."""
    if len(gaps) > n_shown:
        return str(len(gaps))
    return f"{len(gaps)}: {', '.join(gaps)}" if gaps else "0"
