from __future__ import annotations

import io
import os
import re
import sys

import numpy as np
import pytest
from PIL import Image

from sklearn_groupcross import Cyclic, GroupCrosscoder, SymmetryAnalyzer
from sklearn_groupcross.actions import TimeShiftAction
from sklearn_groupcross.report import ReportSubject, _report, write_report
from tests.report.conftest import script_sources
from tests.report.page import read_page, unpacked


def test_the_report_is_one_file_that_loads_nothing(
    analysis, small_crosscoder, small_dataset, orbits, tmp_path
):
    path = tmp_path / "report.html"
    write_report(path, analysis, small_crosscoder, small_dataset, orbits, title="A title")
    assert os.listdir(tmp_path) == ["report.html"]
    text = path.read_text(encoding="utf-8")
    assert all(source.startswith(("data:", "#")) for source in script_sources(text))
    assert "<title>A title</title>" in text
    assert read_page(text)["title"] == "A title"


def test_every_firing_feature_is_there(
    analysis, small_crosscoder, small_dataset, orbits, tmp_path, written
):
    frequencies = (small_crosscoder.transform(orbits) > 0).mean(axis=0)
    least = float(np.median(frequencies))
    about = (analysis, small_crosscoder, small_dataset, orbits)
    write_report(tmp_path / "report.html", *about, frequencies=frequencies, min_frequency=least)
    ((content, atlases),) = written
    (run,) = content["runs"]
    numbers = unpacked(run["features"]["number"])
    assert sorted(numbers) == np.flatnonzero(frequencies >= least).tolist()
    assert (content["noun"], content["comparison"]) == ("patch", None)
    # every number of a picture is that of a tile
    for shown in (run["shown"]["picture"], run["views"]["picture"]):
        pictures = unpacked(shown)
        assert len(pictures) == len(numbers)
        assert -1 <= pictures.min() <= pictures.max() < run["pictures"]["n"]
    assert len(atlases["pictures"]) == run["pictures"]["n_atlases"]
    assert run["blocks"]["n"] == len(numbers)
    assert unpacked(run["responses"]["mean"]).shape == (len(numbers), 8)
    assert run["sentence"].endswith(".")


def test_tiles_are_the_pictures_of_their_features(
    analysis, small_crosscoder, small_dataset, orbits, tmp_path, written
):
    write_report(tmp_path / "report.html", analysis, small_crosscoder, small_dataset, orbits)
    ((content, atlases),) = written
    (run,) = content["runs"]
    row = 3
    feature = int(unpacked(run["features"]["number"])[row])
    n, order, d = orbits.shape
    codes = small_crosscoder.encode(orbits.reshape(-1, d)).reshape(n, order, -1)[..., feature]
    sample, element = np.unravel_index(codes.argmax(), codes.shape)
    expected = small_dataset.patches([sample], elements=[element])[0, 0].mean((0, 1))
    picture = int(unpacked(run["shown"]["picture"])[row, 0])
    about = run["pictures"]
    sheet, place = divmod(picture, about["per_atlas"])
    down, across = (about["tile"] * i for i in divmod(place, about["columns"]))
    file = np.asarray(Image.open(io.BytesIO(atlases["pictures"][sheet])))
    tile = file[down : down + about["tile"], across : across + about["tile"]]
    np.testing.assert_allclose(tile.mean((0, 1)) / 255, expected, atol=0.05)
    name = run["words"][unpacked(run["shown"]["image"])[row, 0]]
    assert name == small_dataset.images.name(int(small_dataset.image_ids[sample]))


def test_names_from_outside_are_text_and_nothing_else(
    analysis, small_crosscoder, small_dataset, orbits, tmp_path
):
    name = "</script><script>alert('&\x1b[31m\0\udcff\u202e')</script>"
    path = tmp_path / "report.html"
    about = (analysis, small_crosscoder, small_dataset, orbits)
    write_report(path, *about, summary={name: name}, title=name, name=name, commands=[name])
    text = path.read_bytes().decode("utf-8")
    assert "<script>alert" not in text
    assert text.count("</script>") == len(re.findall("<script[ >]", text))
    assert text.replace("\n", "").replace("\t", "").replace("\xa0", "").isprintable()


@pytest.mark.skipif(os.name == "nt", reason="links need rights there")
def test_a_link_and_a_long_name(analysis, small_crosscoder, small_dataset, orbits, tmp_path):
    there = tmp_path / ("r" * 250 + ".html")
    link = tmp_path / "report.html"
    link.symlink_to(there)
    write_report(link, analysis, small_crosscoder, small_dataset, orbits)
    assert link.is_symlink()
    assert there.read_text(encoding="utf-8").startswith("<!doctype html>")
    assert sorted(os.listdir(tmp_path)) == sorted([there.name, "report.html"])


def test_the_report_reaches_the_disk(
    analysis, small_crosscoder, small_dataset, orbits, tmp_path, monkeypatch
):
    acts = []
    for name in ("fsync", "replace"):
        act = getattr(os, name)

        def noted(*args, name=name, act=act):
            acts.append(name)
            return act(*args)

        monkeypatch.setattr(os, name, noted)
    write_report(tmp_path / "report.html", analysis, small_crosscoder, small_dataset, orbits)
    # the content before the name, and the name as well
    assert acts == ["fsync", "replace", "fsync"]


def test_nothing_half_written(analysis, small_crosscoder, small_dataset, orbits, tmp_path):
    with pytest.raises(FileNotFoundError):
        write_report(
            tmp_path / "absent" / "report.html", analysis, small_crosscoder, small_dataset, orbits
        )
    assert os.listdir(tmp_path) == []


def test_without_jinja_the_message_says_what_to_install(
    analysis, small_crosscoder, small_dataset, orbits, tmp_path, monkeypatch
):
    monkeypatch.setitem(sys.modules, "jinja2", None)
    with pytest.raises(ImportError, match=r"sklearn-groupcross\[report\]"):
        write_report(tmp_path / "report.html", analysis, small_crosscoder, small_dataset, orbits)


def test_orbits_are_read_from_the_dataset_or_shown_without_it(
    analysis, small_crosscoder, small_dataset, orbits, tmp_path, written
):
    given = [(small_dataset, orbits), (small_dataset,), (None, orbits)]
    for subject in given:
        write_report(tmp_path / "report.html", analysis, small_crosscoder, *subject)
    (both, atlases), (alone, same), (without, none) = written
    assert (both, atlases) == (alone, same)
    run = without["runs"][0]
    assert (run["pictures"], without["noun"]) == (None, "input")
    assert none["pictures"] == []
    assert run["codes"] == both["runs"][0]["codes"]


def test_an_analysis_is_enough(analysis, tmp_path, written):
    write_report(tmp_path / "report.html", analysis)
    ((content, atlases),) = written
    (run,) = content["runs"]
    assert run["shown"] is run["codes"] is run["responses"] is None
    assert len(unpacked(run["features"]["number"])) == (~analysis.dead_).sum()
    assert list(atlases) == ["blocks"]


def test_two_dictionaries_lie_side_by_side(
    analysis, small_crosscoder, small_dataset, orbits, tmp_path, written
):
    other = small_crosscoder.__class__(**{**small_crosscoder.get_params(), "random_state": 1})
    other.fit(orbits)
    second = ReportSubject(
        SymmetryAnalyzer().fit(other), other, small_dataset, orbits, name="seed 1"
    )
    about = (analysis, small_crosscoder, small_dataset, orbits)
    write_report(tmp_path / "report.html", *about, name="seed 0", other=second)
    ((content, atlases),) = written
    assert [run["name"] for run in content["runs"]] == ["seed 0", "seed 1"]
    assert [run["pictures"]["atlas"] for run in content["runs"]] == ["pictures", "pictures1"]
    assert set(atlases) == {"pictures", "blocks", "pictures1", "blocks1"}
    pairs = content["comparison"]
    for side, run in zip(("first", "second"), content["runs"], strict=True):
        assert set(unpacked(pairs[side])) <= set(unpacked(run["features"]["number"]))
    # of the other there are fewer pictures
    first, second = (unpacked(run["shown"]["picture"]).shape[1] for run in content["runs"])
    assert second < first
    assert content["runs"][1]["shown"]["firing"] is None


def test_many_features_have_fewer_pictures(
    analysis, small_crosscoder, small_dataset, orbits, tmp_path, written, monkeypatch
):
    monkeypatch.setattr(_report, "_MAX_FEATURES_WITH_ALL", 5)
    write_report(tmp_path / "report.html", analysis, small_crosscoder, small_dataset, orbits)
    shown = written[0][0]["runs"][0]["shown"]
    assert (len(shown["words"]), shown["firing"]) == (4, None)


def test_signals_are_drawn_and_shifted(tmp_path, written):
    action = TimeShiftAction(Cyclic(6))
    signals = np.random.default_rng(0).standard_normal((80, 12)).astype(np.float32)
    orbits = np.stack([np.roll(signals, 2 * g, axis=1) for g in range(6)], axis=1)
    crosscoder = GroupCrosscoder(
        group=action.group, n_features=8, activation="topk", k=3, max_epochs=30, random_state=0
    ).fit(orbits)
    analysis = SymmetryAnalyzer(group=action.group).fit(crosscoder)
    about = {"inputs": signals, "action": action}
    write_report(tmp_path / "report.html", analysis, crosscoder, orbits=orbits, **about)
    ((content, _),) = written
    (run,) = content["runs"]
    assert content["noun"] == "signal"
    assert run["group"]["turns"] == 0
    assert run["views"]["css"] == [""] * 6
    assert not run["pictures"]["round"]
    views = unpacked(run["views"]["picture"])
    there = unpacked(run["shown"]["picture"])[:, 0] >= 0
    assert there.any()
    assert (views[there] >= 0).all()


def test_a_few_features_alone(analysis, small_crosscoder, orbits, tmp_path, written):
    about = (analysis, small_crosscoder, None, orbits)
    for n in (5, None):
        write_report(tmp_path / "report.html", *about, max_features=n)
    (few, all_of_them) = (content["runs"][0] for content, _ in written)
    numbers = unpacked(few["features"]["number"])
    assert numbers.tolist() == unpacked(all_of_them["features"]["number"])[:5].tolist()
    for family in few["families"]:
        assert set(family["members"]) <= set(numbers)
    with pytest.raises(ValueError, match="max_features is at least 1"):
        write_report(tmp_path / "report.html", *about, max_features=0)


def test_details_that_are_none_are_refused(analysis, tmp_path):
    with pytest.raises(TypeError, match="n_features"):
        write_report(tmp_path / "report.html", analysis, n_features=3)
    assert os.listdir(tmp_path) == []
