from __future__ import annotations

import importlib.util
import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from PIL import Image

import sklearn_groupcross
from sklearn_groupcross import GroupCrosscoder, OrbitStore
from sklearn_groupcross._files import written_whole
from sklearn_groupcross.cli import main
from sklearn_groupcross.cli._folder import RunFolder
from sklearn_groupcross.orbits import ImageSource
from tests.cli.runs import EXTRACTION, FITTING, RESULTS, bits, run, run_arguments


def test_run_writes_report_models_and_tables(folder, tmp_path, capsys):
    out = tmp_path / "new" / "out"
    assert run(folder, out) == 0
    assert set(os.listdir(out)) == RESULTS
    printed = capsys.readouterr().out
    for line in (
        "variance unexplained, training",
        "variance unexplained, held out",
        "(L0)",
        "dead",
        "found again by the other seed",
        "Findings",
    ):
        assert line in printed
    table = pd.read_csv(out / "features.csv", index_col="feature")
    crosscoder = GroupCrosscoder.load(out / "crosscoder.safetensors")
    assert len(table) == len(crosscoder.components_) == 4
    assert crosscoder.augment
    assert {"kind", "symmetry", "family", "frequency", "p(180°)", "p(90°)"} <= set(table)
    dead = ~crosscoder.components_.any(axis=1)
    assert table["found_again"][~dead].isin([0.0, 1.0]).all()
    assert OrbitStore(out / "orbits").shape == (60, 8, 96)

    # the same command again reads, fits and writes nothing, and prints the same
    before = bits(out)
    times = {path: path.stat().st_mtime_ns for path in out.iterdir() if path.name != "run.log"}
    assert run(folder, out) == 0
    assert capsys.readouterr().out == printed
    assert bits(out) == before
    assert {path: path.stat().st_mtime_ns for path in times} == times


def test_the_papers_l1_instead_of_k(folder, tmp_path, capsys):
    out = tmp_path / "out"
    small = ["--network", "bundled", "--group", "cyclic:4", "--positions", "10", "--features", "8"]
    options = ["--epochs", "2", "--l1", "0.5", "--no-augment", "--seeds", "1", "--out", str(out)]
    assert main(["run", str(folder), *small, *options]) == 0
    crosscoder = GroupCrosscoder.load(out / "crosscoder.safetensors")
    assert (crosscoder.activation, crosscoder.l1, crosscoder.augment) == ("relu", 0.5, False)
    assert "l1 = 0.5" in capsys.readouterr().out


def test_compression_is_reported(folder, tmp_path, capsys):
    out = tmp_path / "out"
    assert run(folder, out, "--compression", "0.9", "--seeds", "1") == 0
    crosscoder = GroupCrosscoder.load(out / "crosscoder.safetensors")
    assert crosscoder.compression == 0.9
    printed = capsys.readouterr().out
    assert f"{crosscoder.n_coordinates_} coordinates with 9" in printed
    # of a single seed nothing is printed that was not measured
    assert "not measured: that takes --seeds 2 or more" in printed
    assert "found_again" not in printed


@pytest.mark.parametrize("share", ["1.5", "0", "abc", "nan"])
def test_what_compression_takes_is_said(folder, tmp_path, capsys, share):
    assert run(folder, tmp_path / "out", "--compression", share) == 2
    assert f"above 0 and at most 1, auto or none; got '{share}'" in capsys.readouterr().err


class TestMistakes:
    """Exit code 2, one line that names the remedy, and nothing left behind."""

    def fails(self, capsys, out, arguments, message, left=()):
        assert main(arguments) == 2
        error = capsys.readouterr().err.strip().splitlines()[-1]
        assert error.startswith(("groupcross: error: ", "groupcross run: error: "))
        assert message in error
        assert {path.name for path in out.iterdir()} == set(left) if left else not out.exists()

    @pytest.mark.parametrize(
        ("more", "message"),
        [
            (["--layer", "relu33"], "Nearest: relu3"),
            (["--network", "resnet"], "the known ones are bundled"),
            (["--group", "klein"], "'dihedral:N'"),
            (["--k", "25"], "--k 25 codes cannot be active among --features 24"),
            (["--features", "0"], "--features: an integer of 1 or more"),
            (["--held-out", "6"], "cannot be split"),
            (["--n-images", "7"], "between 1 and 6"),
            (["--n-images", "1"], "--n-images 1 is too few"),
            (["--seeds", "0"], "1 or more; got '0'"),
            (["--threshold", "2"], "above 0 and below 1"),
            (["--weights", "absent.safetensors"], "no such file"),
            (["--device", "abacus"], "got 'abacus'"),
            (["--positions", "0"], "an integer of 1 or more"),
            (["--group", "dihedral:65"], "at most 128"),
            (["--group", "dihedral:99999999999999999999"], "dihedral:512 is the largest"),
            (["--device", "meta"], "auto, cpu, cuda or cuda:N"),
            (["--seed", "-1"], "--seed: an integer from 0"),
        ],
    )
    def test_options(self, folder, tmp_path, capsys, more, message):
        out = tmp_path / "out"
        arguments = ["run", str(folder), "--network", "bundled", "--features", "24", "--k", "4"]
        self.fails(capsys, out, [*arguments, "--out", str(out), *more], message)

    def test_sizes_are_known_before_the_work(self, folder, tmp_path, capsys):
        out = tmp_path / "out"
        command = ["run", str(folder), *EXTRACTION, "--k", "1000", "--out", str(out)]
        self.fails(capsys, out, command, "--k 1000 codes cannot be active among 154 atoms")

    def test_code_of_ones_own_that_fails_is_named(self, folder, tmp_path, capsys, monkeypatch):
        monkeypatch.setattr(sys, "path", list(sys.path))
        code, out = tmp_path / "groupcross_bad.py", tmp_path / "out"
        code.write_text(
            "from torch import nn\n\n\ndef build():\n"
            "    return nn.Sequential(nn.Conv2d(3, 8, 5), nn.Conv2d(16, 8, 5))\n",
            encoding="utf-8",
        )
        own = ["--network", f"{code}:build", "--layer", "1", "--group", "dihedral:4"]
        command = ["run", str(folder), *own, "--out", str(out)]
        message = "build fails for an image of 224 × 224 px: RuntimeError: Given groups=1"
        self.fails(capsys, out, command, message)

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
        left = {"orbits", "run.log", "run.toml"} if vanishing == images else set()
        self.fails(capsys, out, run_arguments(images, out), str(vanishing), left)
        if left:  # what was read is kept
            store = OrbitStore(out / "orbits", allow_incomplete=True)
            assert store.pending_images() == [1, 2, 3, 4, 5]

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
        assert "a folder is needed" in capsys.readouterr().err

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
        # what has been learned is not lost, nor what was read
        (training,) = set(os.listdir(out)) - {"orbits", "run.log", "run.toml"}
        (checkpoint,) = (out / training).iterdir()
        assert checkpoint.name.endswith(".checkpoint.safetensors")
        assert run(folder, out) == 0
        assert set(os.listdir(out)) == RESULTS


def make_png(folder):
    path = folder / "whole.png"
    noise = np.random.default_rng(0).integers(0, 256, (64, 64, 3), dtype=np.uint8)
    Image.fromarray(noise).save(path)
    data = path.read_bytes()
    path.unlink()
    return data


@pytest.mark.skipif(os.name == "nt", reason="processes are forked and killed by signals")
def test_killed_in_every_stage_a_run_ends_with_the_same_bits(folder, tmp_path):
    program = [sys.executable, "-m", "tests.cli.kills", str(folder), str(tmp_path)]
    subprocess.run(program, check=True, cwd=Path(__file__).parents[2])


def stage_by_stage(folder, out):
    """The commands that together are a run."""
    return [
        ["extract", str(folder), *EXTRACTION, "--out", str(out / "orbits")],
        ["fit", str(out / "orbits"), *FITTING, "--out", str(out)],
        ["analyze", str(out / "crosscoder.safetensors"), "--families", "0"],
        ["report", str(out / "crosscoder.safetensors")],
    ]


def test_stages_by_hand_give_the_same_as_a_run(folder, whole, tmp_path, capsys):
    out = tmp_path / "out"
    for command in stage_by_stage(folder, out):
        assert main(command) == 0
    by_hand, at_once = bits(out), bits(whole)
    figures = {name for name in by_hand if name.startswith("figures/")}
    assert figures  # a run draws none
    assert by_hand.keys() - figures == at_once.keys()
    # which also names the figures
    same = at_once.keys() - {"stages.json"}
    assert {name for name in same if by_hand[name] != at_once[name]} == set()
    # and a run has nothing to add
    capsys.readouterr()
    assert run(folder, out) == 0
    said = capsys.readouterr().err
    for stage in ("fit", "analyze", "report"):
        assert f"{stage}: done already" in said
    assert bits(out) == by_hand


def test_a_run_over_a_store_leaves_it_where_it_is(folder, whole, tmp_path, capsys):
    out = tmp_path / "out"
    before = bits(whole)
    assert main(["run", str(whole / "orbits"), *FITTING, "--out", str(out)]) == 0
    assert bits(whole) == before
    found = bits(out)
    assert set(found) == {name for name in before if not name.startswith("orbits/")}
    recorded = {"run.toml", "stages.json"}  # they say where the store is
    assert {name for name in found.keys() - recorded if found[name] != before[name]} == set()
    capsys.readouterr()
    assert main(["run", str(whole / "orbits"), "--positions", "3", "--out", str(out)]) == 2
    assert "--positions says how images are read" in capsys.readouterr().err.splitlines()[-1]
    assert main(["run", "--out", str(out)]) == 2
    assert "required: IMAGES, a store, or --config" in capsys.readouterr().err


def test_a_record_that_names_what_is_not_there_is_named(tmp_path, capsys):
    record = tmp_path / "run.toml"
    record.write_text('format = "groupcross run/1"\n[extract]\nimages = ["gone"]\n')
    assert main(["run", "--config", str(record)]) == 2
    error = capsys.readouterr().err
    assert "no such file or folder: 'gone'" in error
    assert str(record) in error


def test_other_settings_are_refused_and_the_remedy_is_said(folder, whole, tmp_path, capsys):
    out = tmp_path / "out"
    shutil.copytree(whole, out)
    before = bits(out)
    for more, words in [
        (["--epochs", "5"], "--epochs was 4, and is 5 now"),
        (["--seeds", "1"], "--seeds was 2, and is 1 now"),
        (["--positions", "7"], "another store"),
        (["--threshold", "0.9"], "--threshold was 0.8, and is 0.9 now"),
    ]:
        assert run(folder, out, *more) == 2
        error = capsys.readouterr().err.splitlines()[-1]
        assert words in error
        assert "--overwrite" in error
        assert bits(out) == before


def test_what_is_lost_is_made_again_and_what_was_changed_is_kept(folder, whole, tmp_path, capsys):
    out = tmp_path / "out"
    shutil.copytree(whole, out)
    for name in ("report.html", "features.csv"):
        (out / name).unlink()
        assert run(folder, out) == 0
        assert bits(out) == bits(whole)
    (out / "features.csv").write_text("mine", encoding="utf-8")
    assert run(folder, out) == 2
    assert "features.csv was changed since" in capsys.readouterr().err
    assert (out / "features.csv").read_text(encoding="utf-8") == "mine"
    assert run(folder, out, "--overwrite") == 0
    assert bits(out) == bits(whole)


def test_a_damaged_model_is_fitted_again_and_the_record_says_what_it_said(folder, whole, tmp_path):
    out = tmp_path / "out"
    shutil.copytree(whole, out)
    before = bits(out)
    with open(out / "crosscoder-seed1.safetensors", "ab") as file:
        file.write(b"x")
    assert main(["fit", str(out / "orbits"), *FITTING, "--out", str(out), "--overwrite"]) == 0
    assert bits(out) == before
    assert "[analyze]" in (out / "run.toml").read_text(encoding="utf-8")


@pytest.mark.parametrize(
    ("name", "says"),
    [
        ("orbits/thesis.tex", "other files in it"),
        ("orbits/manifest.json", "manifest.json is damaged: it is not JSON"),
        ("orbits", "orbits"),
        ("run.toml", "no TOML"),
        ("report.html", "already holds report.html"),
        ("features.csv", "already holds features.csv"),
        ("crosscoder.safetensors/thesis.tex", "is a folder"),
    ],
)
def test_what_is_somebody_elses_stays(folder, tmp_path, capsys, name, says):
    path = tmp_path / "out" / name
    path.parent.mkdir(parents=True)
    path.write_text("thesis", encoding="utf-8")
    assert run(folder, tmp_path / "out") == 2
    assert says in capsys.readouterr().err.splitlines()[-1]
    assert path.read_text(encoding="utf-8") == "thesis"


def test_orbits_whose_manifest_is_damaged_stay(folder, tmp_path, capsys):
    """Nothing says that they are a store; so it was removed."""
    orbits = tmp_path / "out" / "orbits"
    assert main(["extract", str(folder), *EXTRACTION, "--out", str(orbits)]) == 0
    manifest = orbits / "manifest.json"
    manifest.write_bytes(manifest.read_bytes().replace(b"OrbitStore", b"OrbitStorf"))
    before = bits(orbits)
    assert run(folder, tmp_path / "out") == 2
    error = capsys.readouterr().err.splitlines()[-1]
    assert "if this one was a store, the file is damaged. Without it" in error
    assert bits(orbits) == before


def test_fewer_seeds_leave_no_models_behind(folder, whole, tmp_path):
    out = tmp_path / "out"
    shutil.copytree(whole, out)
    assert run(folder, out, "--seeds", "1", "--overwrite") == 0
    assert set(os.listdir(out)) == RESULTS - {"crosscoder-seed1.safetensors"}
    first = "crosscoder.safetensors"
    assert (out / first).read_bytes() == (whole / first).read_bytes()


def test_json_goes_alone_to_standard_output(folder, whole, tmp_path, capsys):
    out = tmp_path / "out"
    shutil.copytree(whole, out)
    capsys.readouterr()
    assert run(folder, out, "--json") == 0
    results = json.loads(capsys.readouterr().out)
    assert results["fit"]["images"] == {"training": 4, "held_out": 2}
    assert results["analyze"]["features"] == 4
    assert {"kinds", "families", "findings", "variance_unexplained"} <= results["analyze"].keys()


def test_what_was_whole_when_a_command_was_killed_takes_its_place(
    whole, tmp_path, capsys, monkeypatch
):
    def fit(out, epochs, *more):
        options = ["--features", "4", "--k", "2", "--seeds", "1", "--epochs", str(epochs)]
        return main(["fit", str(whole / "orbits"), *options, "--out", str(out), *more])

    def stop(*_):
        raise KeyboardInterrupt

    out = tmp_path / "out"
    assert fit(tmp_path / "before", 2) == fit(tmp_path / "after", 3) == fit(out, 2) == 0
    before, after = (
        (tmp_path / name / "crosscoder.safetensors").read_bytes() for name in ("before", "after")
    )
    assert before != after
    with monkeypatch.context() as patch:
        patch.setattr(RunFolder, "take_place", stop)
        assert fit(out, 3, "--overwrite") == 130
    assert (out / "crosscoder.safetensors").read_bytes() == before
    # who does not ask for it does not get it, and loses nothing
    assert fit(out, 3) == 2
    assert fit(out, 2) == 0
    assert (out / "crosscoder.safetensors").read_bytes() == before
    with monkeypatch.context() as patch:
        patch.setattr(RunFolder, "take_place", stop)
        assert fit(out, 3, "--overwrite") == 130
    assert fit(out, 3, "--overwrite") == 0
    assert (out / "crosscoder.safetensors").read_bytes() == after
    assert "done already" in capsys.readouterr().err


def test_too_few_images_are_named_as_the_reason(whole):
    table = pd.read_csv(whole / "features.csv")
    assert set(table["confidence_remark"]) == {"not measured: that takes 5 held-out images or more"}


def test_a_page_with_patches_is_not_replaced_by_one_without(folder, tmp_path, capsys, monkeypatch):
    monkeypatch.setattr(sys, "path", list(sys.path))
    code = tmp_path / "groupcross_own.py"
    code.write_text(
        "from sklearn_groupcross import load_network\n\n\ndef build():\n"
        "    return load_network('bundled')\n",
        encoding="utf-8",
    )
    out = tmp_path / "out"
    own = ["--network", f"{code}:build"]
    assert run(folder, out, *own) == 0
    before = bits(out)
    report = ["report", str(out / "crosscoder.safetensors")]
    capsys.readouterr()
    assert main(report) == 0
    said = capsys.readouterr().err
    assert "were read by code, which is not run because a record says so" in said
    assert "report: done already" in said
    assert bits(out) == before
    # where it is typed it is run
    assert main([*report, *own]) == 0
    assert bits(out) == before
    assert main(["run", "--config", str(out / "run.toml"), "--out", str(tmp_path / "again")]) == 0
    again = bits(tmp_path / "again")
    assert again["report.html"] == before["report.html"]
    assert again["crosscoder.safetensors"] == before["crosscoder.safetensors"]


def test_figures_go_with_the_tables_that_they_are_of(folder, tmp_path):
    out = tmp_path / "out"
    assert run(folder, out) == 0
    assert main(["analyze", str(out / "crosscoder.safetensors"), "--no-map"]) == 0
    assert any((out / "figures").iterdir())
    assert run(folder, out, "--threshold", "0.9", "--overwrite") == 0
    assert not any((out / "figures").iterdir())
    assert "figures" not in json.loads((out / "stages.json").read_bytes())["stages"]


def test_results_among_the_images_are_no_images(folder, whole, tmp_path):
    images = tmp_path / "images"
    shutil.copytree(folder, images)
    shutil.copytree(whole, images / "groupcross-run")
    (images / "groupcross-run" / "figures").mkdir()
    shutil.copy(next(folder.glob("*.png")), images / "groupcross-run" / "figures" / "map.png")
    assert len(ImageSource(images)) == len(ImageSource(folder)) == 6


@pytest.fixture
def pages(monkeypatch):
    """Takes the place of the page, and keeps what it is to show."""
    from sklearn_groupcross.cli import _report

    shown = []

    def write_report(path, *arguments, visualizations=None, keep_in, **options):
        shown.append(visualizations)
        shutil.rmtree(keep_in, ignore_errors=True)  # as the page does when it is written
        Path(path).write_text(json.dumps(visualizations), encoding="utf-8")

    monkeypatch.setattr(_report, "write_report", write_report)
    return shown


@pytest.mark.skipif(
    importlib.util.find_spec("lucent") is None, reason="torch-lucent is not installed"
)
class TestVisualize:
    def test_the_page_is_given_pictures_of_the_frequent_features(self, folder, tmp_path, pages):
        out = tmp_path / "out"
        assert run(folder, out, "--visualize", "2") == 0
        (shown,) = pages
        table = pd.read_csv(out / "features.csv", index_col="feature")
        assert len(shown["features"]) == 2
        assert all(table["frequency"][int(feature)] > 0 for feature in shown["features"])
        assert {len(row) for row in shown["features"].values()} == {3}
        assert len(shown["control"]) == 3
        assert set(os.listdir(out)) == RESULTS
        # the same again finds it done; without is another page
        assert run(folder, out, "--visualize", "2") == 0
        assert len(pages) == 1
        report = ["report", str(out / "crosscoder.safetensors")]
        assert main(report) != 0
        assert main([*report, "--overwrite"]) == 0
        assert pages[1:] == [None]

    def test_what_cannot_be_is_said_before_the_work(self, folder, tmp_path, capsys, pages):
        out = tmp_path / "out"
        layers = ["--layer", "relu2", "--layer", "relu3"]
        assert run(folder, out, "--visualize", "2", *layers) != 0
        assert "--visualize reads one layer, and the orbits are of 2" in capsys.readouterr().err
        assert not out.exists()
        assert run(folder, out) == 0
        shutil.move(folder, tmp_path / "elsewhere")
        try:
            report = ["report", str(out / "crosscoder.safetensors"), "--visualize", "2"]
            assert main([*report, "--overwrite"]) != 0
            said = capsys.readouterr().err
            assert "--visualize optimizes images through the network" in said
            store = ["run", str(out / "orbits"), *FITTING, "--out", str(tmp_path / "other")]
            assert main([*store, "--visualize", "2"]) != 0
            assert "which is not at hand" in capsys.readouterr().err
            assert not (tmp_path / "other").exists()
        finally:
            shutil.move(tmp_path / "elsewhere", folder)


def test_without_lucent_visualize_is_refused_before_the_work(folder, tmp_path, capsys, monkeypatch):
    monkeypatch.setitem(sys.modules, "lucent", None)
    assert run(folder, tmp_path / "out", "--visualize", "2") != 0
    assert "pip install 'sklearn-groupcross[lucent]'" in capsys.readouterr().err
    assert not (tmp_path / "out").exists()
