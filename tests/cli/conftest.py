from __future__ import annotations

import pytest
from PIL import Image

from tests.cli.runs import run


@pytest.fixture(scope="session")
def folder(tmp_path_factory, smooth_images):
    """Six small images."""
    folder = tmp_path_factory.mktemp("images")
    for i, image in enumerate(smooth_images):
        Image.fromarray(image).resize((150, 150)).save(folder / f"{i}.png")
    return folder


@pytest.fixture(scope="session")
def whole(folder, tmp_path_factory):
    """The folder of a run that nobody has disturbed; not to be changed."""
    out = tmp_path_factory.mktemp("whole") / "out"
    assert run(folder, out) == 0
    return out
