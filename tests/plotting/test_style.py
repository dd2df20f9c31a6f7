from __future__ import annotations

import io
import sys

import pytest
from PIL import Image

from sklearn_groupcross import Dihedral
from sklearn_groupcross.plotting import (
    DistanceMatrixDisplay,
    SelfProfileDisplay,
    TransformBlockDisplay,
    figure_to_png,
    save_figure,
)

GROUP = Dihedral(4)


def test_displays_draw_on_given_axes(analysis):
    import matplotlib.pyplot as plt

    _, ax = plt.subplots()
    assert TransformBlockDisplay.from_estimator(analysis, 0).plot(ax).ax_ is ax
    assert SelfProfileDisplay.from_estimator(analysis, 0).plot(ax).figure_ is ax.figure


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


def test_without_matplotlib_the_message_says_what_to_install(analysis, monkeypatch):
    monkeypatch.setitem(sys.modules, "matplotlib.pyplot", None)
    with pytest.raises(ImportError, match=r"sklearn-groupcross\[plot\]"):
        TransformBlockDisplay.from_estimator(analysis, 0).plot()
