from __future__ import annotations

import pytest

from sklearn_groupcross.cli._manifest import (
    MANIFEST,
    Manifest,
    Stage,
    differences,
    digest_of,
    digest_of_file,
)


def test_what_is_written_is_read(tmp_path):
    assert Manifest.read(tmp_path).stages == {}
    stage = Stage(done=True, settings={"k": 4}, inputs={}, outputs={"a/b.png": "0f"}, results={})
    Manifest(stages={"fit": stage}).write(tmp_path / MANIFEST)
    assert Manifest.read(tmp_path).stages == {"fit": stage}


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"[]",
        b'{"format":"other"}',
        b'{"format":"groupcross stages/1","stages":{"fit":{"done":true,"settings":{},"inputs":{},'
        b'"outputs":{"../../etc/passwd":"00"},"results":{}}}}',
    ],
)
def test_a_damaged_one_is_refused_and_named(tmp_path, content):
    (tmp_path / MANIFEST).write_bytes(content)
    with pytest.raises(ValueError, match=r"stages\.json is damaged.*Delete it"):
        Manifest.read(tmp_path)


def test_differences_are_said_as_options_are_typed():
    before, now = {"k": 4, "held_out": 2, "seed": 0}, {"l1": 0.1, "held_out": 3, "seed": 0}
    assert differences(before, now) == [
        "--held-out was 2, and is 3 now",
        "--k was 4 and is not given now",
        "--l1 was not given, and is 0.1 now",
    ]


def test_digests_tell_texts_apart(tmp_path):
    assert digest_of(["a", "b"]) != digest_of(["ab"])
    assert digest_of(["\udcff"])  # a name that is no text
    path = tmp_path / "file"
    path.write_bytes(b"a")
    before = digest_of_file(path)
    path.write_bytes(b"b")
    assert digest_of_file(path) != before
