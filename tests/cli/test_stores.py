from __future__ import annotations

import os
import re
import shutil
import tempfile
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from sklearn_groupcross import Dihedral, OrbitDataset, OrbitStore
from sklearn_groupcross.cli import main
from sklearn_groupcross.cli._record import read_record
from sklearn_groupcross.networks import _precision
from sklearn_groupcross.orbits import _store_locating
from tests.cli.runs import FITTING, bits, run, run_arguments
from tests.orbits.stores import create, fill


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

    def test_what_is_damaged_is_discarded_if_that_is_asked_for(self, store, capsys):
        shard = store.path / "chunk-00000.npy"
        shard.write_bytes(shard.read_bytes()[:-1] + b"?")
        assert main(["store", "verify", str(store.path), "--discard"]) == 0
        printed, said = capsys.readouterr()
        assert "1 of 12 images discarded" in printed
        assert "image 2 ('photo 2.jpg')" in said
        assert OrbitStore(store.path).pending_images() == [2]
        assert main(["store", "verify", str(store.path), "--discard", "--quiet"]) == 0
        assert capsys.readouterr() == ("", "")

    def test_no_store(self, tmp_path, capsys):
        assert main(["store", "info", str(tmp_path)]) == 2
        assert "a store of orbits is needed" in capsys.readouterr().err


class TestFlippedBit:
    """Of the orbits of a whole run: every command that reads them sees it, unless told not to."""

    @pytest.fixture
    def out(self, whole, tmp_path):
        out = tmp_path / "out"
        shutil.copytree(whole, out)
        for chunk in (1, 2):  # one image in each: to train on, and held out
            orbits = out / "orbits" / f"chunk-0000{chunk}.npy"
            content = bytearray(orbits.read_bytes())
            content[-9] ^= 1
            orbits.write_bytes(content)
        return out

    @pytest.mark.parametrize("command", ["run", "fit", "analyze", "report"])
    def test_it_is_seen_named_and_mended(self, whole, folder, out, tmp_path, capsys, command):
        model = out / "crosscoder.safetensors"
        gone = {"analyze": "features.csv", "report": "report.html"}
        for path in out.glob(gone.get(command, "*.*")):
            path.unlink()
        arguments = {
            "run": run_arguments(folder, out),
            "fit": ["fit", str(out / "orbits"), *FITTING, "--out", str(out)],
        }.get(command, [command, str(model)])
        assert main(arguments) == 2
        error = capsys.readouterr().err.splitlines()[-1]
        files = re.escape(str(out / "orbits" / "chunk-0000"))
        assert re.search(rf"{files}([12])\.npy or .* is damaged: .* image \1 \(", error)
        assert "groupcross store verify --discard" in error
        assert main([*arguments, "--no-verify"]) == 0
        assert main(["store", "verify", str(out / "orbits"), "--discard"]) == 0
        anew = tmp_path / "anew"
        anew.mkdir()
        (out / "orbits").rename(anew / "orbits")
        assert run(folder, anew) == 0
        assert bits(anew) == bits(whole)


class TestUrls:
    """Stores behind URLs, from images to names of features."""

    @pytest.fixture(autouse=True)
    def no_cache_of_the_user(self, tmp_path, monkeypatch):
        monkeypatch.setattr(_store_locating, "default_cache_dir", lambda: tmp_path / "cache")

    def test_from_extract_to_analyze(self, folder, tmp_path, capsys):
        url, out = f"memory://{tmp_path.name}/images.orbits", tmp_path / "out"
        extract = ["extract", str(folder), "--network", "bundled", "--group", "dihedral:4"]
        assert main([*extract, "--positions", "5", "--out", url]) == 0
        assert main([*extract, "--positions", "5", "--out", url]) == 0
        assert f"Nothing to do: {url} holds all of these images" in capsys.readouterr().err
        assert main(["store", "info", url]) == 0
        assert "6 of 6" in capsys.readouterr().out
        assert main(["store", "verify", url]) == 0
        small = ["--features", "8", "--epochs", "1", "--seeds", "1", "--held-out", "2"]
        assert main(["fit", url, "--out", str(out), *small]) == 0
        model = str(out / "crosscoder.safetensors")
        assert main(["analyze", model, "--no-map"]) == 0
        said = capsys.readouterr()
        assert "4 images for training, 2 held out" in said.out
        record = read_record(out / "run.toml")
        assert record["fit"]["orbits"] == url
        assert len(record["hashes"]["orbits"]) == 64

    def test_no_store(self, capsys):
        assert main(["store", "info", "memory://nowhere/a.orbits"]) == 2
        assert "No orbit store at memory://nowhere/a.orbits" in capsys.readouterr().err


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

    def test_options_reach_the_dataset(self, folder, tmp_path, monkeypatch):
        monkeypatch.setattr(_precision, "multiplies_bfloat16", lambda: True)  # else it is warned of
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
            (["--max-samples", "5"], "--max-samples 5 leaves some of the 6 images"),
            (["--sampling", "grid", "--positions", "9999"], "got --positions 9999"),
            (["--layer", "conv9"], "no layer 'conv9'"),
            (["--mask", "--interpolation", "exact"], "use --interpolation bilinear"),
            (["--jobs", "0"], "--jobs: an integer of 1 or more"),
            (["--seed", "-1"], "an integer from 0"),
            (["--hues", "0"], "an integer from 1 to 1024"),
            (["--hues", "1000000"], "an integer from 1 to 1024"),
            (["--group", "dihedral:100", "--hues", "9"], "1800 elements"),
        ]:
            assert self.extract(folder, tmp_path / "store", *more) == 2
            assert message in capsys.readouterr().err
        assert not (tmp_path / "store").exists()


@pytest.fixture
def place(smooth_images):
    """Images in a place that other users may enter, unlike pytest's own."""
    place = Path(tempfile.mkdtemp())
    place.chmod(0o755)
    (place / "images").mkdir()
    for i, image in enumerate(smooth_images):
        Image.fromarray(image).resize((150, 150)).save(place / "images" / f"{i}.png")
    yield place
    shutil.rmtree(place)


def options(place, *more):
    command = ["extract", str(place / "images"), "--out", str(place / "store")]
    return [*command, "--network", "bundled", "--group", "dihedral:4", "--positions", "3", *more]


def test_of_a_complete_store_nothing_is_written(place, capsys):
    assert main(options(place)) == 0
    assert "Nothing to do" not in capsys.readouterr().err
    for path in (place / "store").iterdir():
        path.chmod(0o444)
    (place / "store").chmod(0o555)
    is_root = hasattr(os, "geteuid") and os.geteuid() == 0
    if is_root:
        os.seteuid(65534)  # root may write anywhere
    try:
        for more, said in (([], "Nothing to do"), (["--append"], "Nothing to add")):
            assert main(options(place, *more)) == 0
            printed = capsys.readouterr()
            assert f"{said}: {place / 'store'} holds all of these images already" in printed.err
            assert "6 of 6" in printed.out
    finally:
        if is_root:
            os.seteuid(0)
        (place / "store").chmod(0o755)


def test_damaged_images_are_all_named_and_hidden_ones_passed_over(place, capsys):
    (place / "images" / "._0.png").write_bytes(b"\0\5\x16\7")
    for name in ("1.png", "3.png"):
        (place / "images" / name).write_text(f"no image, {name}")
    assert main(options(place)) == 2
    error = capsys.readouterr().err
    assert "2 of 6 images cannot be used" in error
    assert "1.png is not an image" in error
    assert "3.png is not an image" in error
    run = ["run", str(place / "images"), "--out", str(place / "out"), "--held-out", "3"]
    assert main([*run, "--network", "bundled", "--group", "dihedral:4", "--features", "8"]) == 2
    assert "2 of 6 images cannot be used" in capsys.readouterr().err
