"""A study of crops of two photographs, at the scale of the tests."""

from __future__ import annotations

import numpy as np
import pytest
from PIL import Image
from sklearn.datasets import load_sample_images

from examples.reproduction._config import DEFAULT, read_config
from examples.reproduction._study import Study


@pytest.fixture(scope="session")
def study(tmp_path_factory):
    folder = tmp_path_factory.mktemp("study")
    images = folder / "images"
    images.mkdir()
    rng = np.random.default_rng(0)
    for number, photograph in enumerate(load_sample_images().images * 20):
        y, x = (rng.integers(side - 180) for side in photograph.shape[:2])
        Image.fromarray(photograph[y : y + 180, x : x + 180]).save(images / f"{number:04}.png")
    return Study(read_config(DEFAULT, "smoke"), folder / "work", images)
