from __future__ import annotations

import importlib.util

import pytest


@pytest.fixture(scope="session", autouse=True)
def lucent():
    if importlib.util.find_spec("lucent") is None:
        pytest.skip("torch-lucent, of the extra `lucent`, is not installed")
