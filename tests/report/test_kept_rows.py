from __future__ import annotations

import numpy as np
import pytest

from sklearn_groupcross.report import _report, write_report
from sklearn_groupcross.report._kept_rows import KeptRows
from sklearn_groupcross.report._strongest import StrongestBlocks

FOUND = StrongestBlocks(np.arange(3), np.ones((3, 2), np.float32), np.zeros((3, 2), np.int64))


def never():
    raise AssertionError("it is there")


def test_what_was_made_is_read_again(tmp_path):
    folder = tmp_path / "kept"
    row = {"order": np.int64(2), "energy": np.float32(0.1), "views": [{"picture": None}]}
    kept = KeptRows(folder)
    first = kept.row(7, lambda: row)
    assert kept.row(8, lambda: None) is None
    strongest = kept.strongest(lambda: FOUND)
    again = KeptRows(folder)
    assert (
        again.row(7, never)
        == first
        == {"order": 2, "energy": float(np.float32(0.1)), "views": row["views"]}
    )
    assert again.row(8, never) is None
    for array, other in zip(again.strongest(never), strongest, strict=True):
        np.testing.assert_array_equal(array, other)
        assert array.dtype == other.dtype
    again.remove()
    assert not folder.exists()


@pytest.mark.parametrize("content", [b"", b"{", b"\xff", b"PK\3\4"])
def test_what_is_damaged_is_made_again(tmp_path, content):
    for name in ("feature-7.json", "strongest.safetensors"):
        (tmp_path / name).write_bytes(content)
    kept = KeptRows(tmp_path)
    assert kept.row(7, lambda: {"order": 1}) == {"order": 1}
    np.testing.assert_array_equal(kept.strongest(lambda: FOUND).codes, FOUND.codes)
    assert KeptRows(tmp_path).row(7, never) == {"order": 1}


def test_nothing_is_kept_without_a_folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    kept = KeptRows(None)
    assert kept.row(7, lambda: {"order": 1}) == {"order": 1}
    assert kept.strongest(lambda: FOUND) is FOUND
    kept.remove()
    assert list(tmp_path.iterdir()) == []


def test_a_report_that_is_stopped_goes_on(
    analysis, small_crosscoder, small_dataset, orbits, tmp_path, monkeypatch
):
    def write(name, **settings):
        path = tmp_path / name
        write_report(
            path, analysis, small_crosscoder, small_dataset, orbits, max_features=5, **settings
        )
        return path.read_bytes()

    made = []
    collect = _report.collect_exhibit

    def counted(feature, **arguments):
        if len(made) == 3 and stops:
            raise KeyboardInterrupt
        made.append(feature)
        return collect(feature, **arguments)

    monkeypatch.setattr(_report, "collect_exhibit", counted)
    stops = True
    with pytest.raises(KeyboardInterrupt):
        write("page.html", keep_in=tmp_path / "kept")
    stops = False
    page = write("page.html", keep_in=tmp_path / "kept")
    assert len(made) == len(set(made)) == 5
    assert not (tmp_path / "kept").exists()
    assert page == write("other.html")
