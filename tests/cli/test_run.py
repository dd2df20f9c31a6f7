from __future__ import annotations

import os
import shutil
import sys

import numpy as np
import pandas as pd
import pytest
from PIL import Image

import sklearn_groupcross
from sklearn_groupcross import GroupCrosscoder
from sklearn_groupcross._files import written_whole
from sklearn_groupcross.cli import main
from sklearn_groupcross.cli._experiment import RESULTS
from sklearn_groupcross.cli._run import cut_tiles
from tests.cli.runs import run, run_arguments


def test_run_writes_report_model_and_table(folder, tmp_path, capsys):
    out = tmp_path / "new" / "out"
    assert run(folder, out) == 0
    assert sorted(os.listdir(out)) == ["crosscoder.safetensors", "features.csv", "report.html"]
    printed = capsys.readouterr().out
    for line in (
        "variance unexplained, training",
        "variance unexplained, held out",
        "(L0)",
        "dead",
    ):
        assert line in printed
    table = pd.read_csv(out / "features.csv", index_col="feature")
    crosscoder = GroupCrosscoder.load(out / "crosscoder.safetensors")
    assert len(table) == len(crosscoder.components_) == 24
    assert crosscoder.augment
    assert {"kind", "symmetry", "family", "frequency", "p(180°)", "p(90°)", "p(45°)"} <= set(table)


def test_the_papers_l1_instead_of_k(folder, tmp_path, capsys):
    out = tmp_path / "out"
    small = ["--network", "bundled", "--group", "cyclic:4", "--positions", "10", "--features", "16"]
    options = ["--epochs", "2", "--l1", "0.5", "--no-augment", "--out", str(out)]
    assert main(["run", str(folder), *small, *options]) == 0
    crosscoder = GroupCrosscoder.load(out / "crosscoder.safetensors")
    assert (crosscoder.activation, crosscoder.l1, crosscoder.augment) == ("relu", 0.5, False)
    assert "l1 = 0.5" in capsys.readouterr().out


def test_compression_is_reported(folder, tmp_path, capsys):
    out = tmp_path / "out"
    assert run(folder, out, "--compression", "0.9") == 0
    crosscoder = GroupCrosscoder.load(out / "crosscoder.safetensors")
    assert crosscoder.compression == 0.9
    printed = capsys.readouterr().out
    assert f"{crosscoder.n_coordinates_} coordinates with 9" in printed


def test_seeds_tell_what_is_found_again(folder, tmp_path, capsys):
    out = tmp_path / "out"
    assert run(folder, out, "--seeds", "3", "--compression", "none") == 0
    assert "found again by 2 other seeds" in capsys.readouterr().out
    table = pd.read_csv(out / "features.csv", index_col="feature")
    assert set(table["found_again"].dropna()) <= {0.0, 0.5, 1.0}
    assert GroupCrosscoder.load(out / "crosscoder.safetensors").compression is None


@pytest.mark.parametrize("share", ["1.5", "0", "abc", "nan"])
def test_what_compression_takes_is_said(folder, tmp_path, capsys, share):
    with pytest.raises(SystemExit):
        run(folder, tmp_path / "out", "--compression", share)
    assert f"a share in (0, 1], auto or none; got '{share}'" in capsys.readouterr().err


class TestMistakes:
    """Exit code 2, one line that names the remedy, and nothing left behind."""

    def fails(self, capsys, out, arguments, message):
        assert main(arguments) == 2
        error = capsys.readouterr().err.strip().splitlines()[-1]
        assert error.startswith("groupcross: error: ")
        assert message in error
        assert not out.exists()

    @pytest.mark.parametrize(
        ("more", "message"),
        [
            (["--layer", "relu33"], "Nearest: relu3"),
            (["--network", "resnet"], "the known ones are bundled"),
            (["--group", "klein"], "'dihedral:N'"),
            (["--k", "25"], "k=25 codes cannot be active"),
            (["--features", "0"], "'n_features' parameter"),
            (["--held-out", "6"], "cannot be split"),
            (["--n-images", "7"], "between 2 and 6"),
            (["--weights", "absent.safetensors"], "No weights file"),
            (["--device", "abacus"], "Unknown device"),
            (["--positions", "0"], "at least 1"),
            (["--group", "dihedral:65"], "at most 128"),
            (["--group", "dihedral:99999999999999999999"], "dihedral:512 is the largest"),
            (["--device", "meta"], "holds no numbers"),
            (["--seed", "-1"], "'random_state' parameter"),
        ],
    )
    def test_options(self, folder, tmp_path, capsys, more, message):
        out = tmp_path / "out"
        arguments = ["run", str(folder), "--network", "bundled", "--features", "24", "--k", "4"]
        self.fails(capsys, out, [*arguments, "--out", str(out), *more], message)

    @pytest.mark.parametrize(
        ("make", "message"),
        [
            (lambda f: None, "No images in"),
            (
                lambda f: (f / "text.jpg").write_bytes(b"hello"),
                "text.jpg is not an image",
            ),
            (
                lambda f: (f / "cut.png").write_bytes(make_png(f)[:200]),
                "cut.png cannot be decoded",
            ),
        ],
        ids=["empty", "text", "truncated"],
    )
    def test_folders(self, tmp_path, capsys, make, message):
        images, out = tmp_path / "images", tmp_path / "out"
        images.mkdir()
        make(images)
        if any(images.iterdir()):
            Image.new("RGB", (150, 150)).save(images / "good.png")
        self.fails(
            capsys, out, ["run", str(images), "--network", "bundled", "--out", str(out)], message
        )

    def test_results_are_not_overwritten(self, folder, tmp_path, capsys):
        (tmp_path / "report.html").write_text("precious", encoding="utf-8")
        assert run(folder, tmp_path) == 2
        assert "--overwrite" in capsys.readouterr().err
        assert (tmp_path / "report.html").read_text(encoding="utf-8") == "precious"
        assert run(folder, tmp_path, "--overwrite") == 0
        assert (tmp_path / "report.html").read_text(encoding="utf-8") != "precious"

    @pytest.mark.parametrize(
        "stage", ["OrbitDataset.read_orbits", "GroupCrosscoder.save", "SymmetryAnalyzer.fit"]
    )
    def test_a_folder_that_vanishes_is_named(self, folder, tmp_path, capsys, monkeypatch, stage):
        images, out = tmp_path / "images", tmp_path / "out"
        shutil.copytree(folder, images)
        vanishing = images if stage.endswith("orbits") else out
        owner, method = stage.split(".")
        before = getattr(getattr(sklearn_groupcross, owner), method)

        def vanish(self, *args, **kwargs):
            shutil.rmtree(vanishing, ignore_errors=True)
            return before(self, *args, **kwargs)

        monkeypatch.setattr(f"sklearn_groupcross.{stage}", vanish)
        self.fails(capsys, out, run_arguments(images, out), str(vanishing))

    def test_what_the_end_needs_is_asked_for_at_the_start(
        self, folder, tmp_path, capsys, monkeypatch
    ):
        monkeypatch.setitem(sys.modules, "jinja2", None)
        out = tmp_path / "out"
        self.fails(capsys, out, run_arguments(folder, out), "sklearn-groupcross[report]")

    @pytest.mark.parametrize(
        "error",
        [
            MemoryError("Unable to allocate 74 GiB"),
            RuntimeError("DefaultCPUAllocator: can't allocate memory: you tried to allocate 9 B"),
        ],
    )
    def test_short_memory_is_no_fault_of_the_program(
        self, folder, tmp_path, capsys, monkeypatch, error
    ):
        def too_large(*args, **kwargs):
            raise error

        out = tmp_path / "out"
        monkeypatch.setattr("sklearn_groupcross.orbits.OrbitDataset.read_orbits", too_large)
        self.fails(capsys, out, run_arguments(folder, out), "memory")

    def test_an_output_that_cannot_be_written(self, folder, tmp_path, capsys):
        (tmp_path / "file").write_text("", encoding="utf-8")
        assert run(folder, tmp_path / "file" / "out") == 2
        assert "Cannot write results to" in capsys.readouterr().err

    def test_a_full_disk_leaves_nothing_half_written(self, folder, tmp_path, capsys, monkeypatch):
        def no_space(self, path):
            with written_whole(path) as temporary:
                temporary.write_bytes(b"half of it")
                raise OSError(28, "No space left on device")

        out = tmp_path / "out"
        with monkeypatch.context() as patch:
            patch.setattr(GroupCrosscoder, "save", no_space)
            assert run(folder, out) == 2
        error = capsys.readouterr().err.splitlines()[-1]
        assert error.endswith(f"No space left on device: '{out / 'crosscoder.safetensors'}'")
        (checkpoint,) = out.iterdir()  # what has been learned is not lost
        assert checkpoint.name.endswith(".checkpoint.safetensors")
        assert run(folder, out) == 0
        assert sorted(os.listdir(out)) == sorted(RESULTS)


def make_png(folder):
    path = folder / "whole.png"
    noise = np.random.default_rng(0).integers(0, 256, (64, 64, 3), dtype=np.uint8)
    Image.fromarray(noise).save(path)
    data = path.read_bytes()
    path.unlink()
    return data


def test_tiles_cover_an_image_side_by_side():
    image = np.arange(7 * 10 * 3).reshape(7, 10, 3)
    tiles = cut_tiles(image, 3)
    assert len(tiles) == 6
    np.testing.assert_array_equal(tiles[4], image[3:6, 3:6])


def test_demo_finds_lines_and_directed_features(tmp_path, capsys):
    """The first command a newcomer runs, as it is."""
    assert main(["demo", "--out", str(tmp_path / "demo")]) == 0
    table = pd.read_csv(tmp_path / "demo" / "features.csv", index_col="feature")
    firing = table[table["frequency"] >= 1e-3]
    lines = (firing["p(180°)"] > 0.8) & (firing["p(90°)"] < 0.2)
    directed = firing["kind"] == "directed"
    assert lines.sum() >= 1
    assert directed.sum() >= 1
    assert (firing["p(180°)"][directed] < 0.5).all()
    assert (firing["kind"][lines] == "line").all()
    printed = capsys.readouterr().out
    rows = [line.split() for line in printed.splitlines()]
    assert any(len(row) > 2 and row[1] == "line" for row in rows if row[0:1] and row[0].isdigit())
    assert any("directed" in line and line.strip()[0].isdigit() for line in printed.splitlines())
