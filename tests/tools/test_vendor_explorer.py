import base64
import hashlib
import io
import re
import tarfile

import pytest

from tools import vendor_explorer
from tools.vendor_explorer import FOLDER, RELEASES, SHA256, Release, different, main, read


def _archive(path, files):
    with tarfile.open(path, "w:gz") as archive:
        for name, content in files.items():
            member = tarfile.TarInfo(f"package/{name}")
            member.size = len(content)
            archive.addfile(member, io.BytesIO(content))
    return path


def _release(archive):
    digest = hashlib.sha512(archive.read_bytes()).digest()
    integrity = "sha512-" + base64.b64encode(digest).decode()
    return Release("made-up", "1.0.0", integrity, {"dist/a.js": "a.js", "LICENSE": "LICENSE-a.txt"})


@pytest.fixture
def packed(tmp_path, monkeypatch):
    """A release that npm would bring, without a network."""
    archive = _archive(tmp_path / "made-up-1.0.0.tgz", {"dist/a.js": b"a()", "LICENSE": b"free"})
    monkeypatch.setattr(vendor_explorer, "RELEASES", (_release(archive),))
    monkeypatch.setattr(vendor_explorer, "pack", lambda release, folder: archive)
    return archive


def test_what_the_package_holds_is_what_was_written():
    found = {path.name: hashlib.sha256(path.read_bytes()).hexdigest() for path in FOLDER.iterdir()}
    assert found == SHA256
    assert {name for release in RELEASES for name in release.files.values()} == set(SHA256)


def test_every_release_is_pinned_with_its_licence():
    for release in RELEASES:
        assert re.fullmatch(r"\d+\.\d+\.\d+", release.version)
        assert re.fullmatch(r"sha512-[\w+/]{86}==", release.integrity)
        assert "LICENSE" in release.files


def test_files_are_written_and_checked(packed, tmp_path, capsys):
    folder = tmp_path / "vendor"
    assert main(["--check"], folder) == 1
    assert not folder.exists()
    assert main([], folder) == 0
    assert (folder / "a.js").read_bytes() == b"a()"
    assert main(["--check"], folder) == 0
    (folder / "a.js").write_bytes(b"a() ")
    capsys.readouterr()
    assert main(["--check"], folder) == 1
    assert capsys.readouterr().out == "differs: a.js\n"


def test_an_archive_that_is_another_is_refused(packed):
    release = _release(packed)
    _archive(packed, {"dist/a.js": b"b()", "LICENSE": b"free"})
    with pytest.raises(ValueError, match=r"is not made-up 1\.0\.0: expected sha512-"):
        read(release, packed)


def test_a_file_too_many_is_a_difference(tmp_path):
    (tmp_path / "old.js").write_text("")
    assert different({}, tmp_path) == ["old.js"]
