from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from sklearn_groupcross import Cyclic, OrbitStore
from sklearn_groupcross.orbits import ImageSource, StoredImage
from sklearn_groupcross.orbits._image_folders import IMAGE_SUFFIXES, list_folder


def test_a_folder_in_the_order_of_names_with_subfolders(folder):
    source = ImageSource(folder)
    assert [source.name(i) for i in range(len(source))] == ["a.jpg", "b.png", "c.PNG"]


HIDDEN = [
    "._a.jpg",
    ".DS_Store",
    ".hidden/b.jpg",
    "__MACOSX/a.jpg",
    "__MACOSX/sub/._c.jpg",
    "sub/._c.PNG",
    "sub/.thumbnails/c.jpg",
    "@eaDir/a.jpg/SYNOPHOTO_THUMB_XL.jpg",
    "Thumbs.db",
    "sub/thumbs.db",
    "sub/Desktop.ini",
]


def test_hidden_files_and_folders_are_passed_over(folder, tmp_path_factory):
    names = [path.name for path in ImageSource(folder)._items]
    for name in HIDDEN:
        (folder / name).parent.mkdir(exist_ok=True, parents=True)
        (folder / name).write_bytes(b"\0\5\x16\7Mac OS X" if "._" in name else b"\xff\xd8\xff")
    assert [path.name for path in ImageSource(folder)._items] == names
    hidden = tmp_path_factory.mktemp("hidden") / ".photos"  # itself named
    folder.rename(hidden)
    assert [path.name for path in ImageSource(hidden)._items] == names
    with pytest.raises(ValueError, match=r"\._a\.jpg is not an image"):
        ImageSource([hidden / "._a.jpg"]).check(0)  # as is a file that is named
    for path in hidden.rglob("*"):
        if path.is_file() and path.name in names:
            path.unlink()
    with pytest.raises(ValueError, match="No images in"):
        ImageSource(hidden)


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "GIF", "TIFF", "WEBP", "JPEG2000"])
def test_images_with_other_suffixes_are_said_to_be_passed_over(folder, kind):
    Image.new("RGB", (20, 20)).save(folder / "sub" / "other.img", kind)
    with pytest.warns(UserWarning, match=r"holds 1 image with other names \(other\.img\)") as said:
        source = ImageSource(folder)
    assert said[0].filename == __file__
    assert len(source) == 3
    (folder / "sub" / "c.PNG").unlink()
    with pytest.raises(ValueError, match=r"No images in .* 1 image with other names .*: name them"):
        ImageSource(folder / "sub")
    assert ImageSource([folder / "sub" / "other.img"]).load(0, 20).shape == (3, 20, 20)


def test_the_content_says_what_a_file_is(folder):
    Image.open(folder / "b.png").save(folder / "sub" / "c.PNG", "JPEG")
    source = ImageSource(folder)
    assert [source.load(i, 24).shape for i in range(3)] == [(3, 24, 24)] * 3


def test_folders_within_a_list(folder):
    assert len(ImageSource([folder / "sub", folder / "a.jpg"])) == 2


parts = st.text("ab", min_size=1, max_size=2)
names = st.builds(
    lambda folders, dot, stem, suffix: "/".join([*folders, dot + stem + suffix]),
    st.lists(st.sampled_from(["x", "Y", ".hidden", "__MACOSX", "@eaDir"]), max_size=2),
    st.sampled_from(["", "", "."]),
    parts,
    st.sampled_from([*IMAGE_SUFFIXES, ".JPG", ".txt", ""]),
)


@given(names=st.lists(names, min_size=1, max_size=8, unique_by=str.lower))
def test_images_are_files_of_the_suffixes_that_nothing_hides(names, tmp_path_factory):
    folder = tmp_path_factory.mktemp("images") / ".itself hidden"
    for name in names:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(b"\xff\xd8\xff" if name.endswith("g") else b"text")
    expected = [
        name
        for name in names
        if Path(name).suffix.lower() in IMAGE_SUFFIXES
        and not any(part[0] == "." or part in ("__MACOSX", "@eaDir") for part in Path(name).parts)
    ]
    if expected:
        assert list_folder(folder) == sorted(folder / name for name in expected)
    else:
        with pytest.raises(ValueError, match="No images in"):
            list_folder(folder)


def test_a_file_is_itself_and_a_pattern_is_none(tmp_path):
    (tmp_path / "a.dat").write_bytes(b"")
    assert list_folder(tmp_path / "a.dat") == [tmp_path / "a.dat"]
    with pytest.raises(FileNotFoundError, match=r"Patterns are not expanded: give sorted"):
        list_folder(tmp_path / "*.jpg")
    with pytest.raises(FileNotFoundError, match="No image file or folder at .*absent[.]$"):
        list_folder(tmp_path / "absent")


def test_stores_and_results_are_no_images(folder):
    names = [path.name for path in ImageSource(folder)._items]
    images = [StoredImage("a", "0", 1)]
    store = OrbitStore.create(folder / "x.orbits", group=Cyclic(2), n_channels=3, images=images)
    np.save(store.path / "more.npy", np.zeros((4, 4, 3)))
    results = folder / "results"
    for name in ("figures/map.png", "orbits/chunk-00000.npy"):
        (results / name).parent.mkdir(parents=True)
        (results / name).write_bytes(b"\x89PNG\r\n\x1a\n")
    for name, content in (
        ("stages.json", '{\n "format": "groupcross stages/1"}'),
        ("orbits/manifest.json", (store.path / "manifest.json").read_text()),
    ):
        (results / name).write_text(content)
    assert [path.name for path in ImageSource(folder)._items] == names
    # who names them gets them, and somebody's own files of these names are no results
    assert [path.name for path in ImageSource(results / "figures")._items] == ["map.png"]
    (results / "stages.json").write_text('{"format": "mine"}')
    assert [path.name for path in ImageSource(results)._items] == ["map.png"]
