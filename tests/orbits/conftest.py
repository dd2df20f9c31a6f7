from __future__ import annotations

import numpy as np
import pytest
from PIL import Image

from tests.orbits.stores import create, expected, fill


@pytest.fixture(scope="session")
def store(tmp_path_factory):
    """A complete store of two layers, only to be read."""
    store = create(
        tmp_path_factory.mktemp("stores") / "small.orbits",
        metadata={"network": "abc", "layers": {"low": (0, 4), "high": (4, 10)}},
    )
    return fill(store)


@pytest.fixture(scope="session")
def array(store):
    return expected(store)[0]


@pytest.fixture
def folder(tmp_path):
    """Three images, one of them in a subfolder, and a note."""
    rng = np.random.default_rng(0)
    (tmp_path / "sub").mkdir()
    for name in ("b.png", "a.jpg", "sub/c.PNG"):
        Image.fromarray(rng.integers(0, 256, (30, 40, 3), dtype=np.uint8)).save(tmp_path / name)
    (tmp_path / "notes.txt").write_text("not an image", encoding="utf-8")
    return tmp_path
