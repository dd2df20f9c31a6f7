from __future__ import annotations

import io

import pytest
from PIL import Image

from sklearn_groupcross.plotting import (
    DistanceMatrixDisplay,
    TransformBlockDisplay,
    figure_to_png,
    save_figure,
)


def test_a_figure_as_bytes_is_closed(analysis):
    import matplotlib.pyplot as plt

    figure = DistanceMatrixDisplay.from_estimator(analysis).plot().figure_
    assert Image.open(io.BytesIO(figure_to_png(figure))).format == "PNG"
    assert not plt.get_fignums()


@pytest.mark.parametrize("ending", ["png", "svg"])
def test_figures_are_written_whole_and_always_the_same(analysis, tmp_path, ending):
    for name in "ab":
        figure = TransformBlockDisplay.from_estimator(analysis, 2).plot().figure_
        save_figure(figure, tmp_path / f"{name}.{ending}")
    assert (tmp_path / f"a.{ending}").read_bytes() == (tmp_path / f"b.{ending}").read_bytes()
    with pytest.raises(ValueError, match="not supported"):
        save_figure(TransformBlockDisplay.from_estimator(analysis, 2).plot().figure_, "a.klm")
    assert sorted(path.name for path in tmp_path.iterdir()) == [f"a.{ending}", f"b.{ending}"]
