from __future__ import annotations

import os
import re
import shutil
import signal
import sys

import numpy as np
import pandas as pd
import pytest
from PIL import Image

import sklearn_groupcross
from sklearn_groupcross import Dihedral, GroupCrosscoder, OrbitDataset, OrbitStore
from sklearn_groupcross._experiment import RESULTS
from sklearn_groupcross._files import written_whole
from sklearn_groupcross.cli import main
from sklearn_groupcross.cli._experiments import cut_tiles
from sklearn_groupcross.crosscoder._trainer import Trainer
from tests.orbits.stores import create, fill


@pytest.fixture(scope="module")
def folder(tmp_path_factory, smooth_images):
    folder = tmp_path_factory.mktemp("images")
    for i, image in enumerate(smooth_images):
        Image.fromarray(image).resize((150, 150)).save(folder / f"{i}.png")
    return folder


def run_arguments(folder, out):
    small = ["--network", "bundled", "--group", "dihedral:8", "--positions", "30"]
    small += ["--features", "24", "--k", "4", "--epochs", "4", "--held-out", "2", "--out", str(out)]
    return ["run", str(folder), *small]


def run(folder, out, *more):
    return main([*run_arguments(folder, out), *more])


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


def test_the_same_seed_gives_the_same_table(folder, tmp_path):
    tables = []
    for name in "ab":
        assert run(folder, tmp_path / name) == 0
        tables.append((tmp_path / name / "features.csv").read_text())
    assert tables[0] == tables[1]


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


def contents(folder):
    return {path.name: path.read_bytes() for path in folder.iterdir()}


STAGES = (
    "sklearn_groupcross.GroupCrosscoder.save",
    "sklearn_groupcross.SymmetryAnalyzer.fit",
    "sklearn_groupcross._experiment.write_report",
    "sklearn_groupcross.cli._results._write_record",
    "sklearn_groupcross.cli._results._move",
)


def interrupted(*args, **kwargs):
    raise KeyboardInterrupt


def test_a_run_that_ends_early_keeps_the_old_results_and_goes_on(folder, tmp_path, monkeypatch):
    """Stopped at any stage after training: nothing is lost, and it ends with the same bits."""
    whole, out = tmp_path / "whole", tmp_path / "out"
    small = ["--features", "4", "--k", "2"]  # too few for a map, which takes longest
    assert run(folder, whole, *small) == 0
    out.mkdir()
    old = dict.fromkeys(RESULTS, b"old")
    for name in RESULTS:
        (out / name).write_text("old")
    assert run(folder, out, *small) == 2
    for stage in STAGES:
        with monkeypatch.context() as patch:
            patch.setattr(stage, interrupted)
            assert run(folder, out, "--overwrite", *small) == 130
        # training is done, and not again
        monkeypatch.setattr(Trainer, "train_on", lambda *args: pytest.fail("it trains again"))
        left = contents(out)
        (checkpoint,) = set(left) - {*RESULTS, *hidden(left)}
        assert checkpoint.endswith(".checkpoint.safetensors")
        assert {name: left[name] for name in RESULTS} == old
        assert stage.endswith("_move") or not hidden(left)
    # the last one's results were complete: it may replace them, and does so without being told
    assert run(folder, out, *small) == 0
    assert contents(out) == contents(whole)


def hidden(names):
    return {name for name in names if name.startswith(".")}


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
            (["--compression", "1.5"], "'compression' parameter"),
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
            (lambda f: (f / "text.jpg").write_text("hello"), "text.jpg is not an image"),
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
        (tmp_path / "report.html").write_text("precious")
        assert run(folder, tmp_path) == 2
        assert "--overwrite" in capsys.readouterr().err
        assert (tmp_path / "report.html").read_text() == "precious"
        assert run(folder, tmp_path, "--overwrite") == 0
        assert (tmp_path / "report.html").read_text() != "precious"

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
        (tmp_path / "file").write_text("")
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


def test_ctrl_c_in_training_can_be_taken_up_again(folder, tmp_path, capsys, monkeypatch):
    train_on = Trainer.train_on

    def interrupted(self, batch):
        os.kill(os.getpid(), signal.SIGINT)
        train_on(self, batch)

    out = tmp_path / "out"
    with monkeypatch.context() as patch:
        patch.setattr(Trainer, "train_on", interrupted)
        assert run(folder, out) == 130
    (saved,) = out.iterdir()
    assert str(saved) in capsys.readouterr().err
    assert GroupCrosscoder.load(saved).n_iter_ == 1
    assert run(folder, out) == 0  # the same command goes on from there
    assert not saved.exists()
    whole = tmp_path / "whole"
    assert run(folder, whole) == 0
    resumed, at_once = (GroupCrosscoder.load(o / "crosscoder.safetensors") for o in (out, whole))
    np.testing.assert_array_equal(resumed.components_, at_once.components_)


@pytest.mark.skipif(not hasattr(signal, "SIGHUP"), reason="Windows ends processes without asking")
@pytest.mark.parametrize("name", ["SIGTERM", "SIGHUP"])
def test_other_signals_save_and_clean_up_as_well(folder, tmp_path, capsys, monkeypatch, name):
    number = getattr(signal, name)
    train_on = Trainer.train_on

    def stopped(self, batch):
        signal.raise_signal(number)
        train_on(self, batch)

    out = tmp_path / "out"
    before = signal.getsignal(number)
    with monkeypatch.context() as patch:
        patch.setattr(Trainer, "train_on", stopped)
        assert run(folder, out) == 128 + number
    assert signal.getsignal(number) == before
    assert name in capsys.readouterr().err.splitlines()[-1]
    (saved,) = out.iterdir()
    assert GroupCrosscoder.load(saved).n_iter_ == 1

    monkeypatch.setattr(
        "sklearn_groupcross.orbits.OrbitDataset.read_orbits",
        lambda *args, **kwargs: signal.raise_signal(number),
    )
    assert run(folder, tmp_path / "other") == 128 + number
    assert not (tmp_path / "other").exists()


def test_two_runs_into_one_folder(folder, tmp_path, capsys, monkeypatch):
    out = tmp_path / "out"
    save = GroupCrosscoder.save

    def second_run(self, path):
        for command in (
            [*run_arguments(folder, out), "--seed", "1", "--overwrite"],
            ["demo", "--out", str(out), "--overwrite"],
        ):
            assert main(command) == 2
            error = capsys.readouterr().err.splitlines()[-1]
            assert f"process {os.getpid()} on " in error
            assert str(out) in error
        save(self, path)

    monkeypatch.setattr(GroupCrosscoder, "save", second_run)
    assert run(folder, out) == 0
    assert sorted(os.listdir(out)) == sorted(RESULTS)
    assert GroupCrosscoder.load(out / "crosscoder.safetensors").random_state == 0


def test_ctrl_c_before_training_leaves_nothing(folder, tmp_path, capsys, monkeypatch):
    def interrupted(*args, **kwargs):
        raise KeyboardInterrupt

    monkeypatch.setattr("sklearn_groupcross.orbits.OrbitDataset.read_orbits", interrupted)
    assert run(folder, tmp_path / "out") == 130
    assert "interrupted" in capsys.readouterr().err
    assert not (tmp_path / "out").exists()


def test_a_fault_of_the_program_is_not_a_users_mistake(folder, tmp_path, monkeypatch):
    def faulty(*args, **kwargs):
        raise RuntimeError("a bug")

    monkeypatch.setattr("sklearn_groupcross.orbits.OrbitDataset.read_orbits", faulty)
    with pytest.raises(RuntimeError, match="a bug"):
        run(folder, tmp_path / "out")


def test_unknown_commands_print_the_usage(capsys):
    with pytest.raises(SystemExit) as stop:
        main(["fly"])
    assert stop.value.code == 2
    assert "usage: groupcross" in capsys.readouterr().err


class TestStores:
    @pytest.fixture
    def store(self, tmp_path):
        return fill(create(tmp_path / "small.orbits"))

    def test_info(self, store, capsys):
        assert main(["store", "info", str(store.path)]) == 0
        printed = capsys.readouterr().out
        for words in ("Dihedral(3)", "(54, 6, 10)", "float16", "12 of 12", "metadata: network"):
            assert words in printed

    def test_verify(self, store, capsys):
        assert main(["store", "verify", str(store.path)]) == 0
        assert capsys.readouterr().out == "12 of 12 images verified.\n"
        assert main(["store", "verify", str(store.path), "--quiet"]) == 0
        assert capsys.readouterr() == ("", "")

    def test_pending_images_are_no_damage(self, store, capsys):
        store.discard([3, 7])
        assert main(["store", "verify", str(store.path)]) == 0
        assert "10 of 12 images verified, 2 pending." in capsys.readouterr().out

    def test_damage_is_named(self, store, capsys):
        for chunk in (0, 2):
            shard = store.path / f"chunk-0000{chunk}.npy"
            shard.write_bytes(shard.read_bytes()[:-1] + b"?")
        assert main(["store", "verify", str(store.path), "--quiet"]) == 2
        first, last = capsys.readouterr().err.strip().splitlines()
        assert "chunk-00000.npy" in first
        assert "image 2 ('photo 2.jpg')" in first
        assert last.startswith("groupcross: error: ")
        assert "chunk-00002.npy" in last
        assert "2 of 12 images" in last

    def test_no_store(self, tmp_path, capsys):
        assert main(["store", "info", str(tmp_path)]) == 2
        assert "No orbit store at" in capsys.readouterr().err


def test_tiles_cover_an_image_side_by_side():
    image = np.arange(7 * 10 * 3).reshape(7, 10, 3)
    tiles = cut_tiles(image, 3)
    assert len(tiles) == 6
    np.testing.assert_array_equal(tiles[4], image[3:6, 3:6])


def test_run_on_real_weights_and_photographs(shared_data, tmp_path, capsys):
    photographs = [str(p) for p in sorted((shared_data / "images").glob("*.jpg"))[::40]]
    weights = str(shared_data / "bvlc_googlenet.safetensors")
    network = ["--network", "bvlc_googlenet", "--weights", weights, "--held-out", "3"]
    size = ["--group", "dihedral:4", "--positions", "60", "--features", "128", "--k", "16"]
    out = tmp_path / "out"
    assert main(["run", *photographs, *network, *size, "--epochs", "80", "--out", str(out)]) == 0
    lines = capsys.readouterr().out.splitlines()
    (held_out,) = [line.split()[-1] for line in lines if "unexplained, held out" in line]
    # 1,020 orbits teach little, but far more than the mean
    assert float(held_out) < 0.9
    table = pd.read_csv(out / "features.csv", index_col="feature")
    assert (table["frequency"] > 0).sum() > 64


def test_demo_finds_lines_and_curves(tmp_path, capsys):
    """The first command a newcomer runs, as it is."""
    assert main(["demo", "--out", str(tmp_path / "demo")]) == 0
    table = pd.read_csv(tmp_path / "demo" / "features.csv", index_col="feature")
    firing = table[table["frequency"] >= 1e-3]
    lines = (firing["p(180°)"] > 0.8) & (firing["p(90°)"] < 0.2)
    curves = (firing["p(180°)"] < 0.2) & (firing["p(22.5°)"] > 0.4)
    assert lines.sum() >= 1
    assert curves.sum() >= 1
    assert (firing["kind"][lines] == "line").all()
    printed = capsys.readouterr().out
    rows = [line.split() for line in printed.splitlines()]
    assert any(len(row) > 2 and row[1] == "line" for row in rows if row[0:1] and row[0].isdigit())
    assert any(
        "curve or edge" in line and line.strip()[0].isdigit() for line in printed.splitlines()
    )


class TestExtract:
    def extract(self, folder, out, *more):
        small = ["--network", "bundled", "--group", "dihedral:4", "--positions", "5"]
        return main(["extract", str(folder), *small, "--out", str(out), *more])

    def test_a_store_appears_and_is_described(self, folder, tmp_path, capsys):
        assert self.extract(folder, tmp_path / "store") == 0
        shown = capsys.readouterr().out
        assert re.search(r"shape +\(30, 8, 96\)", shown)
        assert main(["store", "verify", str(tmp_path / "store")]) == 0
        again = OrbitDataset(folder, network="bundled", group=Dihedral(4), n_positions=5)
        found = np.asarray(OrbitStore(tmp_path / "store"))
        np.testing.assert_allclose(found, again.as_array(), rtol=2e-3, atol=1e-4)

    def test_options_reach_the_dataset(self, folder, tmp_path):
        more = ["--sampling", "energy", "--interpolation", "exact", "--layer", "relu2"]
        more += ["--layer", "relu3", "--hues", "3", "--precision", "bfloat16", "--radius", "9"]
        more += ["--n-images", "2", "--dtype", "float32", "--max-samples", "7", "--seed", "3"]
        assert self.extract(folder, tmp_path / "store", *more) == 0
        store = OrbitStore(tmp_path / "store")
        assert store.shape == (7, 24, 144)
        assert store.dtype == np.float32
        described = store.metadata
        assert described["layers"] == {"relu2": [0, 48], "relu3": [48, 144]}
        assert described["sampling"] == "energy"
        assert described["interpolation"] == "exact"
        assert described["precision"] == "bfloat16"
        assert described["random_state"] == 3
        assert described["radius"] == 9
        assert "HueAction" in described["action"]

    def test_a_mask_needs_no_margin(self, folder, tmp_path):
        assert self.extract(folder, tmp_path / "store", "--mask") == 0
        assert OrbitStore(tmp_path / "store").metadata["source_size"] == 96

    def test_more_images_are_appended(self, folder, tmp_path, capsys):
        files = sorted(folder.iterdir())
        assert self.extract(files[0], tmp_path / "store") == 0
        assert self.extract(folder, tmp_path / "store") == 2
        assert "holds 1 of these 6 images" in capsys.readouterr().err
        assert self.extract(folder, tmp_path / "store", "--append") == 0
        assert len(OrbitStore(tmp_path / "store").images) == 6
        assert "Nothing to add" not in capsys.readouterr().err
        assert self.extract(files[3], tmp_path / "store", "--append") == 0
        assert "Nothing to add" in capsys.readouterr().err

    def test_discarded_images_are_written_again(self, folder, tmp_path, capsys):
        assert self.extract(folder, tmp_path / "store") == 0
        OrbitStore(tmp_path / "store").discard([2])
        capsys.readouterr()
        assert self.extract(folder, tmp_path / "store", "--append") == 0
        assert "Nothing to add" not in capsys.readouterr().err
        assert OrbitStore(tmp_path / "store").verify().n_verified == 6

    def test_mistakes_are_said_in_one_line(self, folder, tmp_path, capsys):
        for more, message in [
            (["--radius", "90"], "between 0 and half the input"),
            (["--n-images", "7"], "between 1 and 6"),
            (["--layer", "conv9"], "no layer 'conv9'"),
            (["--mask", "--interpolation", "exact"], "mask lies about the image centre"),
            (["--jobs", "0"], "n_jobs is a number of processes"),
            (["--seed", "-1"], "at least 0"),
            (["--hues", "0"], "at least 1"),
            (["--hues", "1000000"], "cyclic:1024 is the largest"),
            (["--group", "dihedral:100", "--hues", "9"], "1800 elements"),
        ]:
            assert self.extract(folder, tmp_path / "store", *more) == 2
            assert message in capsys.readouterr().err
        assert not (tmp_path / "store").exists()
