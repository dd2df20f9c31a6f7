from __future__ import annotations

import pytest

from sklearn_groupcross import load_network


@pytest.fixture(scope="session")
def network():
    return load_network("bundled")
