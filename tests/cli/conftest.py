from __future__ import annotations

import pytest
from PIL import Image


@pytest.fixture(scope="session")
def folder(tmp_path_factory, smooth_images):
    """Six small images."""
    folder = tmp_path_factory.mktemp("images")
    for i, image in enumerate(smooth_images):
        Image.fromarray(image).resize((150, 150)).save(folder / f"{i}.png")
    return folder
