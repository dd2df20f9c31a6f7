from __future__ import annotations

import base64
import io
import json

import numpy as np
import pytest
from PIL import Image

from sklearn_groupcross.report import _visualizations as module
from sklearn_groupcross.report import picture_features
from sklearn_groupcross.report._visualizations import as_pictures
from sklearn_groupcross.visualization import Visualizations


def drawn(features, n_controls, n_channels=3):
    rng = np.random.default_rng(sum(features))
    return Visualizations(
        images=rng.random((len(features), 2, 20, 20, n_channels), dtype=np.float32),
        values=rng.random((len(features), 2), dtype=np.float32),
        features=np.array(features, dtype=np.int64),
        elements=np.array([3]),
        words=("encoder", "block of <turn 90°>"),
        control_images=rng.random((n_controls, 2, 20, 20, n_channels), dtype=np.float32),
        control_values=rng.random((n_controls, 2), dtype=np.float32),
    )


def decoded(picture):
    head, _, content = picture["src"].partition(",")
    assert head == "data:image/webp;base64"
    return Image.open(io.BytesIO(base64.b64decode(content)), formats=["WEBP"])


@pytest.mark.parametrize("n_channels", [1, 3, 5])
def test_pictures_are_those_of_each_feature(n_channels):
    one = drawn([4, 7], 1, n_channels)
    one.images[1, 0] = 0.0
    shown = as_pictures(one)
    assert list(shown["features"]) == ["4", "7"]
    assert [picture["words"] for picture in shown["features"]["7"]] == [
        f"encoder: {one.values[1, 0]:.2f}",
        f"block of <turn 90°>: {one.values[1, 1]:.2f}",
    ]
    assert [p["words"].split(":")[0] for p in shown["control"]] == list(one.words)
    black, other = (np.asarray(decoded(p)) for p in shown["features"]["7"])
    assert black.shape == (20, 20, 3)
    assert black.max() <= 2
    assert other.std() > 10
    json.dumps(shown)  # as a page holds it


@pytest.fixture
def making(monkeypatch):
    """What was made, and after how many calls it is stopped."""
    calls = []

    def make(crosscoder, network, layer, *, features, n_controls, **options):
        if len(calls) == making.stops_after:
            raise KeyboardInterrupt
        calls.append((features, n_controls))
        return drawn(features, n_controls)

    monkeypatch.setattr(module, "visualize_features", make)
    making.stops_after, making.calls = None, calls
    return making


def test_frequent_features_of_each_kind_a_few_at_a_time(
    analysis, small_crosscoder, making, tmp_path
):
    frequencies = np.linspace(0, 1, 24)
    options = {"n_features": 12, "frequencies": frequencies, "min_frequency": 0.1}
    shown = picture_features(small_crosscoder, analysis, "bundled", **options)
    made = [feature for features, _ in making.calls for feature in features]
    assert [len(features) for features, _ in making.calls] == [5, 5, 2]
    assert [n for _, n in making.calls] == [1, 0, 0]
    assert list(shown["features"]) == [str(feature) for feature in made]
    assert len(shown["control"]) == 2
    assert min(frequencies[made]) >= 0.1
    assert "random" in shown["note"]


def test_what_was_stopped_goes_on(analysis, small_crosscoder, making, tmp_path):
    options = {"n_features": 12, "frequencies": np.linspace(0.1, 1, 24)}
    expected = picture_features(small_crosscoder, analysis, "bundled", **options)
    making.calls.clear()
    making.stops_after = 2
    with pytest.raises(KeyboardInterrupt):
        picture_features(
            small_crosscoder, analysis, "bundled", keep_in=tmp_path / "kept", **options
        )
    making.stops_after = None
    found = picture_features(
        small_crosscoder, analysis, "bundled", keep_in=tmp_path / "kept", **options
    )
    assert len(making.calls) == 3
    assert found == expected
    for path in (tmp_path / "kept").iterdir():
        path.write_bytes(path.read_bytes()[:50])  # not whole
    again = picture_features(
        small_crosscoder, analysis, "bundled", keep_in=tmp_path / "kept", **options
    )
    assert len(making.calls) == 6
    assert again == expected
