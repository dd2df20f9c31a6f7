from __future__ import annotations

import json
import re

import pytest

from sklearn_groupcross import SymmetryAnalyzer
from sklearn_groupcross.report import _report


@pytest.fixture(scope="session")
def analysis(small_crosscoder):
    return SymmetryAnalyzer().fit(small_crosscoder)


@pytest.fixture(scope="session")
def orbits(small_dataset):
    return small_dataset.as_array()


@pytest.fixture
def written(monkeypatch):
    """What pages are made of, in the order in which they are made: (content, atlases)."""
    made = []
    assemble = _report.assemble

    def noted(content, atlases, title):
        made.append((json.loads(json.dumps(content, default=lambda value: value.item())), atlases))
        return assemble(content, atlases, title)

    monkeypatch.setattr(_report, "assemble", noted)
    return made


def script_sources(text):
    """What the elements of a page refer to."""
    return re.findall(r'\s(?:src|href)="([^"]*)"', text)
