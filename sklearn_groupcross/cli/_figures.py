"""Figures of an analysis."""

from __future__ import annotations

import argparse
import re
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

from ..analysis import MIN_FEATURES_FOR_A_MAP, Finding, SymmetryAnalyzer
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

FIGURES = "figures"
_OWN_FIGURE = re.compile(
    r"(distances|spectra|map|diagnosis|(family|block|profile)-[0-9]+)\.(png|svg)"
)


def figures_in(out: Path) -> list[str]:
    """Figures that a command before has drawn; others' files in their folder are left alone."""
    figures = out / FIGURES
    return [
        f"{FIGURES}/{path.name}"
        for path in (figures.iterdir() if figures.is_dir() else ())
        if _OWN_FIGURE.fullmatch(path.name)
    ]


def figures_of(
    analysis: SymmetryAnalyzer, findings: list[Finding] | None, options: argparse.Namespace
) -> dict[str, Callable[[Path], None]]:
    """Names of figures, and what draws each of them to a path."""
    return {
        f"{FIGURES}/{name}.{options.format}": partial(_draw, make)
        for name, make in _displays(analysis, findings, options)
    }


def _draw(make: Callable[[], Any], path: Path) -> None:
    save_figure(make().plot().figure_, path)


def _displays(
    analysis: SymmetryAnalyzer, findings: list[Finding] | None, options: argparse.Namespace
) -> Iterator[tuple[str, Callable[[], Any]]]:
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
    # the map comes last: UMAP alone may take many seconds to be imported and compiled
    if n_alive and len(analysis.dead_) >= MIN_FEATURES_FOR_A_MAP and not options.no_map:
        yield "map", partial(FeatureMapDisplay.from_estimator, analysis)
