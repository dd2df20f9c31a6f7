"""Files are written whole, durably, and leave nothing behind."""

import errno
import os
import signal
import subprocess
import sys
import tempfile
import textwrap
from pathlib import Path

import pytest

from sklearn_groupcross._files import is_temporary, remove_remains, written_whole

try:
    import fcntl
except ImportError:  # Windows
    fcntl = None

posix = pytest.mark.skipif(os.name == "nt", reason="signals, links and permissions of POSIX")


def in_folder(folder):
    return sorted(path.name for path in folder.iterdir())


def test_old_stays_until_new_is_whole(tmp_path):
    target = tmp_path / "model.bin"
    target.write_text("old", encoding="utf-8")
    with written_whole(target) as temporary:
        temporary.write_text("new", encoding="utf-8")
        assert target.read_text(encoding="utf-8") == "old"
        assert is_temporary(temporary.parent)
    assert target.read_text(encoding="utf-8") == "new"
    with pytest.raises(FileNotFoundError), written_whole(target) as temporary:
        temporary.with_name("half").write_text("half", encoding="utf-8")
    assert target.read_text(encoding="utf-8") == "new"
    assert in_folder(tmp_path) == ["model.bin"]


@posix
def test_killed_writers_leave_nothing_for_long_and_live_ones_are_left_alone(tmp_path):
    target = tmp_path / "model.bin"
    program = textwrap.dedent(
        """
        import sys
        from sklearn_groupcross._files import written_whole
        with written_whole(sys.argv[1]) as temporary:
            temporary.write_text("half", encoding="utf-8")
            print("there", flush=True)
            sys.stdin.read()
        """
    )
    writers = [
        subprocess.Popen(
            [sys.executable, "-c", program, str(target)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
        )
        for _ in range(2)
    ]
    for writer in writers:
        assert writer.stdout.readline() == b"there\n"
    writers[0].send_signal(signal.SIGKILL)
    writers[0].communicate()
    assert len(in_folder(tmp_path)) == 2
    remove_remains(target)
    assert len(in_folder(tmp_path)) == 1
    with written_whole(target) as temporary:
        temporary.write_text("new", encoding="utf-8")
    assert target.read_text(encoding="utf-8") == "new"
    writers[1].communicate()  # its standard input ends, and so does its block
    assert writers[1].returncode == 0
    assert target.read_text(encoding="utf-8") == "half"
    assert in_folder(tmp_path) == ["model.bin"]


@posix
def test_links_are_followed_or_replaced_as_asked(tmp_path):
    there, link = tmp_path / "there.bin", tmp_path / "link.bin"
    there.write_text("old", encoding="utf-8")
    link.symlink_to(there)
    with written_whole(link) as temporary:
        temporary.write_text("new", encoding="utf-8")
    assert link.is_symlink()
    assert there.read_text(encoding="utf-8") == "new"
    with written_whole(link, follow_links=False) as temporary:
        temporary.write_text("newer", encoding="utf-8")
    assert not link.is_symlink()
    assert (link.read_text(encoding="utf-8"), there.read_text(encoding="utf-8")) == ("newer", "new")


@posix
def test_permissions_are_those_of_a_plain_file(tmp_path):
    before = os.umask(0o027)
    try:
        with written_whole(tmp_path / "model.bin") as temporary:
            temporary.write_text("new", encoding="utf-8")
    finally:
        os.umask(before)
    assert (tmp_path / "model.bin").stat().st_mode & 0o777 == 0o640


@pytest.mark.parametrize("name", ["m" * 244 + ".safetensors", "é" * 100 + ".bin", "." + "x" * 254])
def test_names_as_long_as_the_file_system_allows(tmp_path, name):
    name = os.fsdecode(os.fsencode(name)[:255])
    with written_whole(tmp_path / name) as temporary:
        temporary.write_text("new", encoding="utf-8")
    assert in_folder(tmp_path) == [name]


def test_content_and_name_reach_the_disk(tmp_path, monkeypatch):
    order = []
    fsync, replace = os.fsync, os.replace
    monkeypatch.setattr(os, "fsync", lambda fd: (order.append("sync"), fsync(fd)))
    monkeypatch.setattr(os, "replace", lambda a, b: (order.append("rename"), replace(a, b)))
    with written_whole(tmp_path / "model.bin") as temporary:
        temporary.write_text("new", encoding="utf-8")
    assert order == ["sync", "rename"] if os.name == "nt" else ["sync", "rename", "sync"]


def test_the_target_is_named_in_errors(tmp_path):
    with (
        pytest.raises(FileNotFoundError, match=r"missing.*make it first"),
        written_whole(tmp_path / "missing" / "model.bin"),
    ):
        pass
    with pytest.raises(IsADirectoryError, match="name a file in it"), written_whole(tmp_path):
        pass
    with pytest.raises(OSError, match=r"model\.bin"), written_whole(tmp_path / "model.bin"):
        raise OSError(28, "No space left on device")


@posix
def test_a_folder_that_cannot_be_opened_is_an_error_and_leaves_none(tmp_path, monkeypatch):
    """As where too many files are open."""
    mkdtemp, made = tempfile.mkdtemp, []

    def count(**options):
        made.append(mkdtemp(**options))
        assert len(made) < 4, "it goes on making folders"
        return made[-1]

    def too_many(path, *args, **kwargs):
        raise OSError(errno.EMFILE, os.strerror(errno.EMFILE), str(path))

    with monkeypatch.context() as patch:
        patch.setattr(tempfile, "mkdtemp", count)
        patch.setattr(os, "open", too_many)
        with (
            pytest.raises(OSError, match=r"Too many open files.*model\.bin") as caught,
            written_whole(tmp_path / "model.bin"),
        ):
            pass
    assert caught.value.filename == str(tmp_path / "model.bin")
    assert in_folder(tmp_path) == []


@posix
def test_a_folder_that_others_took_for_remains_is_made_anew(tmp_path, monkeypatch):
    flock, calls = fcntl.flock, []

    def held(descriptor, operation):
        calls.append(descriptor)
        if len(calls) == 1:
            raise BlockingIOError(errno.EWOULDBLOCK, "Held")
        flock(descriptor, operation)

    mkdtemp, made = tempfile.mkdtemp, []

    def gone(**options):
        made.append(mkdtemp(**options))
        if len(made) == 2:
            os.rmdir(made[-1])
        return made[-1]

    monkeypatch.setattr(fcntl, "flock", held)
    monkeypatch.setattr(tempfile, "mkdtemp", gone)
    with written_whole(tmp_path / "model.bin") as temporary:
        temporary.write_text("new", encoding="utf-8")
    assert len(made) == 3
    assert (tmp_path / "model.bin").read_text(encoding="utf-8") == "new"


def in_use(source, target):  # as Windows says of a file that is open
    raise PermissionError(errno.EACCES, "The file is in use", str(source), None, str(target))


def no_space(path, *args, **kwargs):
    raise OSError(errno.ENOSPC, "No space left on device", str(path))


@pytest.mark.parametrize(
    ("owner", "name", "fails"),
    [(os, "replace", in_use), (Path, "touch", no_space)],
    ids=["the rename", "a file beside it"],
)
def test_no_error_names_the_temporary_file(tmp_path, monkeypatch, owner, name, fails):
    target = tmp_path / "model.bin"
    target.write_text("old", encoding="utf-8")
    monkeypatch.setattr(owner, name, fails)
    with (
        pytest.raises(OSError, match=r"model\.bin'$") as caught,
        written_whole(target) as temporary,
    ):
        temporary.write_bytes(b"new")
    assert caught.value.filename == str(target)
    assert caught.value.filename2 is None
    assert ".groupcross-" not in str(caught.value)
    assert target.read_text(encoding="utf-8") == "old"
    assert in_folder(tmp_path) == ["model.bin"]


def test_errors_of_other_files_name_those(tmp_path):
    with pytest.raises(OSError, match="another") as caught, written_whole(tmp_path / "model.bin"):
        raise PermissionError(errno.EACCES, "Not yours", str(tmp_path / "another"))
    assert caught.value.filename == str(tmp_path / "another")


@pytest.mark.skipif(not Path(os.devnull).is_char_device(), reason="there is no such file here")
def test_devices_stay_what_they_are(tmp_path):
    link = tmp_path / "link"
    link.symlink_to(os.devnull)
    for target in (os.devnull, link):
        with pytest.raises(OSError, match="a device, name a file"), written_whole(target):
            raise AssertionError("nothing is written")
    assert Path(os.devnull).is_char_device()
