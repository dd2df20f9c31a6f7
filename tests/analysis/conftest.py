"""Planted families, and an autoencoder that reads them off one block: what lifting is tried on."""

from __future__ import annotations

import pytest

from tests.analysis.planted import free_families, perfect_autoencoder


@pytest.fixture(scope="module")
def data():
    return free_families()


@pytest.fixture(scope="module")
def autoencoder(data):
    return perfect_autoencoder(data)
