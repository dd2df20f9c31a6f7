from __future__ import annotations

import io

import numpy as np
import pytest
from PIL import Image

from sklearn_groupcross import SymmetryAnalyzer
from sklearn_groupcross.plotting import block_to_rgb
from sklearn_groupcross.report import _contents
from sklearn_groupcross.report._contents import blocks_atlas, describe_dictionary
from sklearn_groupcross.report._packing import Words
from tests.report.page import unpacked


def describe(analysis, crosscoder, features, **more):
    frequencies = np.zeros(len(analysis.components_))
    frequencies[features] = 0.25
    words = Words()
    about = {"name": "it", "summary": {}, "commands": [], "findings": [], "min_frequency": 0}
    content = describe_dictionary(
        analysis, crosscoder, features, frequencies, words, **{**about, **more}
    )
    return content, list(words)


def test_columns_are_those_of_the_table(analysis, small_crosscoder):
    features = [7, 2, 11]
    content, words = describe(analysis, small_crosscoder, features)
    columns = {name: unpacked(array) for name, array in content["features"].items()}
    table = analysis.features_table_.loc[features]
    assert columns["number"].tolist() == features
    names = [content["kinds"][kind]["name"] for kind in columns["kind"]]
    assert names == table["kind"].tolist()
    assert [words[i] for i in columns["symmetry"]] == table["symmetry"].tolist()
    assert columns["family"].tolist() == table["family"].tolist()
    elements = content["group"]["elements"]
    assert [elements[p] if p >= 0 else "" for p in columns["pose"]] == table["pose"].tolist()
    np.testing.assert_allclose(columns["frequency"], 0.25)
    np.testing.assert_allclose(columns["energy"], table["energy"], rtol=1e-6)
    profiles = unpacked(content["profiles"]) / 127
    np.testing.assert_allclose(profiles, analysis.profiles_[features], atol=0.005)
    spectra = unpacked(content["spectra"]) / 255
    np.testing.assert_allclose(spectra, analysis.spectra_[features], atol=0.003)
    assert len(content["irreps"]) == spectra.shape[1]
    assert sum(kind["count"] for kind in content["kinds"]) == 3


@pytest.mark.parametrize("at_a_time", [256, 5])
def test_neighbors_are_the_nearest_of_those_shown(
    analysis, small_crosscoder, monkeypatch, at_a_time
):
    monkeypatch.setattr(_contents, "_SORTED", at_a_time)
    features = list(range(0, 24, 2))
    content, _ = describe(analysis, small_crosscoder, features)
    rows = unpacked(content["neighbors"]["row"])
    similarity = unpacked(content["neighbors"]["similarity"]) / 127
    element = unpacked(content["neighbors"]["element"])
    among = analysis.similarity_[np.ix_(features, features)]
    for row, own in enumerate(among):
        others = np.delete(own, row)
        assert row not in rows[row]
        np.testing.assert_allclose(similarity[row], np.sort(others)[::-1][:8], atol=0.006)
        np.testing.assert_array_equal(
            element[row],
            [analysis.alignment_[features[row], features[other]] for other in rows[row]],
        )


def test_without_all_distances_there_are_neighbors_but_no_map(small_crosscoder, analysis):
    few = SymmetryAnalyzer(max_features_in_full=5, family_method="graph").fit(small_crosscoder)
    content, _ = describe(few, small_crosscoder, list(range(24)))
    whole, _ = describe(analysis, small_crosscoder, list(range(24)))
    assert content["map"] is None
    assert whole["map"] is not None
    np.testing.assert_allclose(
        unpacked(content["neighbors"]["similarity"]).astype(int),
        unpacked(whole["neighbors"]["similarity"]),
        atol=1,
    )
    assert (unpacked(content["neighbors"]["element"]) == -1).all()


def test_tables_about_the_run(analysis, small_crosscoder):
    summary = {"network": "small", "orbits": 7, "Versions": {"torch": "2"}}
    content, _ = describe(analysis, small_crosscoder, [1, 2], summary=summary)
    tables = {table["title"]: dict(map(tuple, table["rows"])) for table in content["about"]}
    assert tables["Run"] == {"network": "small", "orbits": "7"}
    assert tables["Versions"] == {"torch": "2"}
    assert tables["Dictionary"]["k"] == "4"
    assert tables["Dictionary"]["steps"] == str(small_crosscoder.n_steps_)
    assert float(tables["Dictionary"]["loss, last pass"]) == pytest.approx(
        small_crosscoder.history_["loss"][-1], rel=1e-3
    )
    assert tables["Analysis"]["threshold"] == "0.8"
    alone, _ = describe(analysis, None, [1, 2])
    assert [table["title"] for table in alone["about"]] == ["Analysis"]


def test_blocks_are_pictures(analysis):
    atlas = blocks_atlas(analysis, [3, 5], "blocks")
    assert atlas.tile == 8
    (file,) = atlas.files()
    sheet = np.asarray(Image.open(io.BytesIO(file)))
    expected = block_to_rgb(np.round(analysis.transform_blocks(5) * 16) / 16)
    np.testing.assert_array_equal(sheet[:8, 8:16], expected)
