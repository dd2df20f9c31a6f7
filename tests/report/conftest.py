from __future__ import annotations

import pytest

from sklearn_groupcross import SymmetryAnalyzer


@pytest.fixture(scope="session")
def analysis(small_crosscoder):
    return SymmetryAnalyzer().fit(small_crosscoder)


@pytest.fixture(scope="session")
def orbits(small_dataset):
    return small_dataset.as_array()
