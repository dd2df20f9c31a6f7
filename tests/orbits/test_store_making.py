"""What an orbit store takes, and what it refuses."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from sklearn_groupcross import Cyclic, OrbitStore
from tests.orbits.stores import contents, create, expected, fill, images


class TestReopening:
    def test_the_same_configuration_goes_on(self, tmp_path):
        fill(create(tmp_path / "store"), at_most=4)
        assert create(tmp_path / "store").pending_images()[0] == 4

    def test_images_that_were_set_apart_are_no_setting(self, tmp_path):
        record = {"network": "abc", "damaged_images": ["x.png"]}
        fill(create(tmp_path / "store", metadata=record), at_most=4)
        again = create(tmp_path / "store", metadata={"network": "abc"})
        assert again.metadata == record
        assert again.pending_images()[0] == 4

    @pytest.mark.parametrize(
        ("options", "message"),
        [
            ({"group": Cyclic(6)}, r"its group is Dihedral\(3\), not Cyclic\(6\)"),
            ({"n_channels": 5}, "its n_channels is 10, not 5"),
            ({"dtype": "float32"}, "its dtype is 'float16', not 'float32'"),
            ({"metadata": {"network": "xyz"}}, r"its metadata\['network'\] is 'abc', not 'xyz'"),
            ({"metadata": {}}, r"its metadata\['network'\] is 'abc', not None"),
            ({"images": images(12, rows=9)}, "its image 'photo 0.jpg' has 3 positions, not 9"),
        ],
    )
    def test_another_one_is_refused_with_the_difference(self, tmp_path, options, message):
        fill(create(tmp_path / "store"), at_most=1)
        with pytest.raises(ValueError, match=f"another store at .*: {message}.*remove this one"):
            create(tmp_path / "store", **options)

    @pytest.mark.parametrize(
        ("wanted", "message"),
        [
            (images(5), r"holds these 5 images already, among 12: open it with OrbitStore\('"),
            (images(12)[::-1], "holds these 12 images already, in another order: open it"),
            (images(13), "holds 12 of these 13 images, among 12: append=True .* adds the others"),
            (images(3, first=20), "holds other images: append=True .* adds these"),
        ],
    )
    def test_good_orbits_are_never_to_be_removed(self, tmp_path, wanted, message):
        fill(create(tmp_path / "store"), at_most=1)
        with pytest.raises(ValueError, match=message) as refusal:
            create(tmp_path / "store", images=wanted)
        assert "remove" not in str(refusal.value)

    def test_copies_with_other_numbers_of_rows_are_reopened(self, tmp_path):
        copies = [*images(3), images(1, rows=9)[0]]  # the first and the last are one image
        fill(create(tmp_path / "store", images=copies), at_most=2)
        assert create(tmp_path / "store", images=copies).pending_images() == [2, 3]

    def test_a_store_without_rows_is_replaced(self, tmp_path):
        first = create(tmp_path / "store")
        with first.writer(0):  # arrays are made, and nothing is written
            pass
        again = create(tmp_path / "store", dtype="float32", n=2)
        assert len(again.images) == 2
        assert fill(again).verify().ok
        assert sorted(contents(again.path)) == [
            "chunk-00000.jsonl",
            "chunk-00000.npy",
            "chunk-00000.positions.npy",
            "manifest.json",
        ]

    def test_a_store_in_work_is_not_replaced(self, tmp_path):
        with (
            create(tmp_path / "store").writer(1),
            pytest.raises(ValueError, match="its dtype is 'float16'"),
        ):
            create(tmp_path / "store", dtype="float32")

    def test_a_folder_with_other_files_is_left_alone(self, tmp_path):
        (tmp_path / "thesis.tex").write_text("precious", encoding="utf-8")
        with pytest.raises(ValueError, match="no orbit store"):
            create(tmp_path)
        assert os.listdir(tmp_path) == ["thesis.tex"]

    @pytest.mark.skipif(os.name == "nt", reason="a process is killed by SIGKILL")
    def test_a_beginning_that_was_killed_is_no_obstacle(self, tmp_path):
        """In a program of its own, which is killed where all that it leaves is there."""
        code = (
            "import os, signal; from pathlib import Path\n"
            "from sklearn_groupcross.orbits._store_format import Manifest\n"
            "from tests.orbits.stores import create\n"
            "Manifest.write = lambda *_: os.kill(os.getpid(), signal.SIGKILL)\n"
            f"create(Path({str(tmp_path)!r}))"
        )
        killed = subprocess.run([sys.executable, "-c", code], cwd=Path(__file__).parents[2])
        assert killed.returncode == -signal.SIGKILL
        assert sorted(os.listdir(tmp_path)) == [".manifest.lock", ".manifest.owner"]
        remains = tmp_path / ".groupcross-0123456789ab-x"
        remains.mkdir()
        (remains / "manifest.json").write_text("{", encoding="utf-8")
        assert fill(create(tmp_path)).verify().ok
        assert not remains.exists()


def test_append_adds_chunks_and_changes_none(tmp_path):
    store = fill(create(tmp_path / "store"))
    before = contents(store.path)
    store.append(images(3, first=12))
    assert store.pending_images() == [12, 13, 14]
    fill(store)
    np.testing.assert_array_equal(np.asarray(store), expected(store)[0])
    after = contents(store.path)
    assert all(after[name] == data for name, data in before.items() if name != "manifest.json")
    with pytest.raises(ValueError, match="'photo 3.jpg' is in the store already"):
        store.append(images(1, first=3))


def test_append_of_another_process_is_kept(tmp_path):
    first = create(tmp_path / "store")
    second = OrbitStore(first.path)
    first.append(images(1, first=12))
    second.append(images(1, first=13))
    assert [image.name for image in second.images[-2:]] == ["photo 12.jpg", "photo 13.jpg"]
