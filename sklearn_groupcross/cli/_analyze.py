"""``groupcross analyze``: from a saved crosscoder to stated symmetries."""

from __future__ import annotations

import argparse
import re
from collections import Counter
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from tabulate import tabulate
from tqdm.auto import tqdm

from .._device import resolve_device
from .._files import written_whole
from .._stacks._validation import check_constraints
from ..analysis import MIN_FEATURES_FOR_A_MAP, Finding, SymmetryAnalyzer
from ..crosscoder import GroupCrosscoder
from ..groups import check_nameable
from ..orbits import OrbitStore
from ..plotting import (
    DiagnosisDisplay,
    DistanceMatrixDisplay,
    FamilyWheelDisplay,
    FeatureMapDisplay,
    SelfProfileDisplay,
    SpectrumDisplay,
    TransformBlockDisplay,
    save_figure,
)
from ._arguments import as_json, check_installed, in_words
from ._output import output_folder
from ._streams import say

FEATURES, FAMILIES, FIGURES = "features.csv", "families.csv", "figures"
_OWN_FIGURE = re.compile(
    r"(distances|spectra|map|diagnosis|(family|block|profile)-[0-9]+)\.(png|svg)"
)


def analyze(options: argparse.Namespace) -> None:
    """Run ``groupcross analyze``."""
    if options.families < 0:
        raise ValueError(f"--families is a number of families, at least 0; got {options.families}.")
    check_installed("matplotlib")
    analyzer = SymmetryAnalyzer(
        threshold=options.threshold,
        family_distance=options.family_distance,
        device=resolve_device(options.device),
        random_state=options.seed,
        verbose=1,
    )
    check_constraints(analyzer)
    crosscoder = GroupCrosscoder.load(options.model)
    check_nameable(crosscoder.group_)
    store = None if options.orbits is None else _open_store(options.orbits, crosscoder)
    say(f"{options.model}: {len(crosscoder.components_)} atoms, {in_words(crosscoder.group_)}")
    out = options.out
    with output_folder(options, (FEATURES, FAMILIES), (FIGURES,)) as results:
        analysis, findings = _fit(analyzer, crosscoder, store)
        _write(analysis, findings, results.place, options)
        # an old picture beside a new one would mislead
        results.publish(replaced=[FEATURES, FAMILIES, *_figures_in(out)])
        (out / FIGURES).mkdir(exist_ok=True)
    summary = _summarize(analysis, findings, crosscoder)
    if options.json:
        print(as_json(summary))
    else:
        _print_summary(summary, options.families)
        print(f"\nTables:  {out / FEATURES}, {out / FAMILIES}\nFigures: {out / FIGURES}")


def _open_store(path: Path, crosscoder: GroupCrosscoder) -> OrbitStore:
    """Open a store; complain now about orbits that do not fit, rather than after the analysis."""
    store = OrbitStore(path)
    expected = (crosscoder.group_, crosscoder.n_channels_)
    if (store.group, store.shape[2]) != expected:
        raise ValueError(
            f"The orbits in {path} are over {store.group!r} with {store.shape[2]} channels, the "
            f"crosscoder is over {expected[0]!r} with {expected[1]}."
        )
    return store


def _fit(
    analyzer: SymmetryAnalyzer, crosscoder: GroupCrosscoder, store: OrbitStore | None
) -> tuple[SymmetryAnalyzer, list[Finding] | None]:
    """Analyse; with orbits also resample images, and look for signs of failure."""
    if store is None:
        return analyzer.fit(crosscoder), None
    analysis = analyzer.fit(crosscoder, orbits=store, image_ids=store.image_ids)
    return analysis, analysis.diagnose(crosscoder, store)


def _write(
    analysis: SymmetryAnalyzer,
    findings: list[Finding] | None,
    place: Callable[[str], Path],
    options: argparse.Namespace,
) -> None:
    for name, table in (
        (FEATURES, analysis.features_table_),
        (FAMILIES, analysis.families_table_),
    ):
        content = table.to_csv().encode()
        with written_whole(place(name)) as temporary:
            temporary.write_bytes(content)
    displays = list(_displays(analysis, findings, options))
    for name, make in tqdm(displays, desc="drawing figures"):
        save_figure(make().plot().figure_, place(f"{FIGURES}/{name}.{options.format}"))


def _figures_in(out: Path) -> list[str]:
    """Figures that a command before has drawn; others' files in their folder are left alone."""
    figures = out / FIGURES
    return [
        f"{FIGURES}/{path.name}"
        for path in (figures.iterdir() if figures.is_dir() else ())
        if _OWN_FIGURE.fullmatch(path.name)
    ]


def _displays(
    analysis: SymmetryAnalyzer, findings: list[Finding] | None, options: argparse.Namespace
) -> Iterator[tuple[str, Callable[[], Any]]]:
    """Names of figures, and what makes their displays."""
    n_alive = int((~analysis.dead_).sum())
    if n_alive:
        yield "distances", partial(DistanceMatrixDisplay.from_estimator, analysis)
        yield "spectra", partial(SpectrumDisplay.from_estimator, analysis)
    for family in analysis.families_[: options.families]:
        label, medoid = family.label, family.medoid
        yield f"family-{label:03d}", partial(FamilyWheelDisplay.from_estimator, analysis, label)
        yield f"block-{medoid}", partial(TransformBlockDisplay.from_estimator, analysis, medoid)
        yield f"profile-{medoid}", partial(SelfProfileDisplay.from_estimator, analysis, medoid)
    if findings:
        yield "diagnosis", partial(DiagnosisDisplay.from_findings, findings)
    # the map comes last: importing and compiling UMAP alone takes many seconds
    if n_alive and len(analysis.dead_) >= MIN_FEATURES_FOR_A_MAP and not options.no_map:
        yield "map", partial(FeatureMapDisplay.from_estimator, analysis)


def _summarize(
    analysis: SymmetryAnalyzer, findings: list[Finding] | None, crosscoder: GroupCrosscoder
) -> dict[str, Any]:
    """What is printed, in what JSON can hold."""
    group = analysis.group_
    alive = np.flatnonzero(~analysis.dead_)
    # the class is what all members of a family share: axes belong to the feature
    classes = Counter(analysis.stabilizers_[i].name.split(":")[0] for i in alive)
    summary: dict[str, Any] = {
        "group": repr(group),
        "features": len(analysis.dead_),
        "dead": int(analysis.dead_.sum()),
        "alone": int((analysis.labels_[alive] < 0).sum()),
        "threshold": analysis.threshold,
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
    if findings is not None:
        known = analysis.confidence_[np.isfinite(analysis.confidence_)]
        summary["median_confidence"] = float(np.median(known)) if len(known) else None
        summary["findings"] = [
            {
                "name": finding.name,
                "message": finding.message,
                "value": float(finding.value),
                "limit": float(finding.limit),
                "advice": finding.advice,
            }
            for finding in findings
        ]
    return summary


def _print_summary(summary: dict[str, Any], n_families: int) -> None:
    lines = {
        "group": summary["group"],
        "features": summary["features"],
        "dead (zero atoms)": summary["dead"],
        "families": len(summary["families"]),
        "features alone": summary["alone"],
    }
    if summary["findings"] is not None:
        median = summary["median_confidence"]
        lines["median confidence of symmetries"] = (
            "unknown: features fire on too few images" if median is None else f"{median:.2f}"
        )
    print(tabulate(lines.items(), tablefmt="plain", colalign=("left", "left")))
    print(f"\nSymmetry classes (threshold {summary['threshold']:g}; C1: none)\n")
    print(tabulate(summary["symmetry_classes"].items(), headers=("class", "features")))
    if summary["families"]:
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
            for family in summary["families"][: max(n_families, 1)]
        ]
        print(tabulate(shown, headers=columns))
    if summary["findings"] is not None:
        print("\nFindings\n")
        for finding in summary["findings"]:
            values = f"{finding['value']:.3g}, limit {finding['limit']:.3g}"
            print(f"- {finding['name']} ({values}): {finding['message']} {finding['advice']}")
        if not summary["findings"]:
            print("none: no sign of failure")


def _shorten(gaps: list[str], n_shown: int = 2) -> str:
    """Count gaps, and name them while they are few."""
    if len(gaps) > n_shown:
        return str(len(gaps))
    return f"{len(gaps)}: {', '.join(gaps)}" if gaps else "0"
