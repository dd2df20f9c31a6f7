from __future__ import annotations

import numpy as np
import pytest

from sklearn_groupcross.report import _placing, _report, write_report
from sklearn_groupcross.report._kept import SUFFIX, Kept
from sklearn_groupcross.report._pictures import Patches

FOUND = {"rows": np.arange(3), "codes": np.ones((3, 2), np.float32), "none": np.zeros(0, np.uint8)}


def never():
    raise AssertionError("it is there")


def test_what_was_made_is_read_again(tmp_path):
    folder = tmp_path / "kept"
    Kept(folder).arrays("strongest", lambda: FOUND)
    kept = Kept(folder)
    again = kept.arrays("strongest", never)
    assert again.keys() == FOUND.keys()
    for name, array in again.items():
        np.testing.assert_array_equal(array, FOUND[name])
        assert array.dtype == FOUND[name].dtype
    kept.remove()
    assert not folder.exists()


def test_what_others_keep_there_stays(tmp_path):
    (tmp_path / "model").write_text("of a person")
    kept = Kept(tmp_path / "0")
    kept.arrays("strongest", lambda: FOUND)
    kept.remove()
    assert [path.name for path in tmp_path.iterdir()] == ["model"]


def test_a_report_keeps_in_any_folder_and_removes_its_own(analysis, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "model").write_text("of a person")
    write_report("report.html", analysis, keep_in="")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["model", "report.html"]


def test_what_was_kept_of_other_arguments_is_not_taken(
    analysis, small_crosscoder, orbits, tmp_path, monkeypatch
):
    def stopped(*args, **kwargs):
        raise KeyboardInterrupt

    folder, about = tmp_path / "kept", (analysis, small_crosscoder, None)
    with monkeypatch.context() as patch:
        patch.setattr(_report, "assemble", stopped)
        with pytest.raises(KeyboardInterrupt):
            write_report(tmp_path / "report.html", *about, orbits, keep_in=folder)
    write_report(tmp_path / "kept.html", *about, orbits[::-1], keep_in=folder)
    write_report(tmp_path / "fresh.html", *about, orbits[::-1])
    pages = [(tmp_path / name).read_bytes() for name in ("kept.html", "fresh.html")]
    assert pages[0] == pages[1]


@pytest.mark.parametrize("content", [b"", b"{", b"\xff", b"PK\3\4"])
def test_what_is_damaged_is_made_again(tmp_path, content):
    (tmp_path / f"feature-7{SUFFIX}").write_bytes(content)
    made = Kept(tmp_path).arrays("feature-7", lambda: FOUND)
    np.testing.assert_array_equal(made["codes"], FOUND["codes"])
    Kept(tmp_path).arrays("feature-7", never)


def test_a_bit_that_has_changed_is_made_again(tmp_path):
    Kept(tmp_path).arrays("feature-7", lambda: FOUND)
    file = tmp_path / f"feature-7{SUFFIX}"
    whole = file.read_bytes()
    for bit in range(0, 8 * len(whole), 7):
        content = bytearray(whole)
        content[bit // 8] ^= 1 << bit % 8
        file.write_bytes(content)
        made = Kept(tmp_path).arrays("feature-7", lambda: FOUND)
        np.testing.assert_array_equal(made["rows"], FOUND["rows"])
        assert file.read_bytes() == whole


def test_nothing_is_kept_without_a_folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    kept = Kept(None)
    assert kept.arrays("strongest", lambda: FOUND) is FOUND
    kept.remove()
    assert list(tmp_path.iterdir()) == []


def test_a_report_that_is_stopped_goes_on(
    analysis, small_crosscoder, small_dataset, orbits, tmp_path, monkeypatch
):
    def write(name, **settings):
        subject = analysis, small_crosscoder, small_dataset, orbits
        write_report(tmp_path / name, *subject, **settings)
        return (tmp_path / name).read_bytes()

    whole = write("whole.html")
    monkeypatch.setattr(_placing, "_PICTURES", 16)
    of, done = Patches.of, []

    def until_the_third(self, samples, elements):
        if len(done) == 2:
            raise KeyboardInterrupt
        done.append(samples)
        return of(self, samples, elements)

    monkeypatch.setattr(Patches, "of", until_the_third)
    folder = tmp_path / "kept"
    with pytest.raises(KeyboardInterrupt):
        write("report.html", keep_in=folder)
    assert not (tmp_path / "report.html").exists()
    names = {path.name for path in folder.glob(f"*/*{SUFFIX}")}
    parts = {f"pictures-0-{start}{SUFFIX}" for start in (0, 16)}
    assert names == {f"strongest{SUFFIX}", f"excitations{SUFFIX}", *parts}
    before = list(done)

    def the_rest(self, samples, elements):
        assert samples not in before
        done.append(samples)
        return of(self, samples, elements)

    monkeypatch.setattr(Patches, "of", the_rest)
    monkeypatch.setattr(_report, "strongest_blocks", never)
    monkeypatch.setattr(_report, "collect_excitations", never)
    assert write("report.html", keep_in=folder) == whole
    assert len(done) > 2
    assert not folder.exists()
