from __future__ import annotations

import json

import numpy as np
import pytest

from sklearn_groupcross import Cyclic, Dihedral, FiniteGroup, OrbitStore
from tests.orbits.stores import create, fill, images


def test_chunks_hold_whole_images_of_about_their_size(tmp_path):
    store = create(tmp_path / "store", images=images(10, rows=4), chunk_bytes=900)
    assert store.pending() == list(range(10))  # an image is larger than half a chunk
    store = create(tmp_path / "larger", images=images(10, rows=4), chunk_bytes=13 * 120)
    assert [list(f.images) for f in store._files] == [[0, 1, 2], [3, 4, 5], [6, 7, 8], [9]]
    store = create(tmp_path / "tiny", images=images(3), chunk_bytes=1)
    assert len(fill(store)) == 3 + 4 + 5


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"images": []}, "the list of images is empty"),
        ({"images": images(3, rows=-1)}, "has n_rows=-1"),
        ({"dtype": "float64"}, "float16 or float32; got float64"),
        ({"dtype": "three digits"}, "float16 or float32; got three digits"),
        ({"n_channels": 0}, "at least 1"),
        ({"metadata": {"seed": np.int64(1)}}, "what JSON can hold"),
        ({"metadata": {"x": float("nan")}}, "what JSON can hold"),
        ({"metadata": {1: 2}}, "keys .* are strings"),
        ({"metadata": {"layers": {"top": [3, 11]}}}, r"\['top'\] is \[3, 11\]; .* 10 channels"),
        ({"metadata": {"layers": {"top": "all"}}}, "is 'all'"),
        ({"metadata": {"layers": ["top"]}}, r"maps the name of a layer to \[first, stop\]"),
        ({"group": "dihedral:x"}, "'dihedral:x'"),
    ],
)
def test_wrong_configurations(tmp_path, options, message):
    with pytest.raises(ValueError, match=message):
        create(tmp_path / "store", **options)
    assert not (tmp_path / "store").exists()


def test_a_group_of_a_family_of_ones_own_is_refused_and_what_to_do_is_said(tmp_path):
    class Klein(FiniteGroup):
        pass

    group = Klein([[0, 1, 2, 3], [1, 0, 3, 2], [2, 3, 0, 1], [3, 2, 1, 0]])
    with pytest.raises(ValueError, match=r"FiniteGroup\(group.cayley_table\) can be saved"):
        create(tmp_path / "store", group=group)
    assert not (tmp_path / "store").exists()
    store = create(tmp_path / "store", group=FiniteGroup(group.cayley_table))
    assert OrbitStore(store.path).group == FiniteGroup(group.cayley_table)


def test_groups_of_all_kinds_are_kept(tmp_path):
    for number, group in enumerate((Dihedral(3) * Cyclic(2), Dihedral(2))):
        store = create(tmp_path / str(number), group=group)
        assert OrbitStore(store.path).group == group


class TestTheManifest:
    @pytest.fixture
    def manifest(self, tmp_path):
        return create(tmp_path / "store").path / "manifest.json"

    def fails(self, manifest, message):
        with pytest.raises(ValueError, match=message):
            OrbitStore(manifest.parent)

    def test_a_changed_value(self, manifest):
        manifest.write_text(manifest.read_text(encoding="utf-8").replace("photo 1", "photo 9"))
        self.fails(manifest, r"manifest\.json is damaged: .* checksum")

    def test_a_truncated_file(self, manifest):
        manifest.write_text(manifest.read_text(encoding="utf-8")[:50])
        self.fails(manifest, r"manifest\.json is damaged: it is not JSON")

    def test_a_newer_version(self, manifest):
        content = json.loads(manifest.read_text(encoding="utf-8")) | {
            "format_version": 7,
            "version": "9.1",
        }
        manifest.write_text(json.dumps(content))
        self.fails(manifest, r"format version 7, written by sklearn_groupcross 9\.1; .* version 1")

    def test_something_else(self, manifest):
        manifest.write_text("[]", encoding="utf-8")
        self.fails(manifest, "not the manifest of an orbit store")

    def test_no_store(self, tmp_path):
        with pytest.raises(FileNotFoundError, match="No orbit store at"):
            OrbitStore(tmp_path)
