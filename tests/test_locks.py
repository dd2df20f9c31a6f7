"""Locks: of one home, with one answer where the file system knows none."""

from __future__ import annotations

import argparse
import errno
import os
import signal
import socket
import subprocess
import sys
import threading
from contextlib import contextmanager
from pathlib import Path

import pytest
from filelock import FileLock, Timeout

from sklearn_groupcross import _locks
from sklearn_groupcross._locks import hold, owner_of
from sklearn_groupcross.cli._lock import hold_folder
from sklearn_groupcross.crosscoder._checkpoint_slot import Slot
from sklearn_groupcross.orbits._plain_files import hold_lock

try:
    import fcntl
except ImportError:  # Windows
    fcntl = None

posix = pytest.mark.skipif(os.name == "nt", reason="locks and links of POSIX")


@contextmanager
def command(folder):
    with hold_folder(folder):
        yield


@contextmanager
def run(folder):
    slot = Slot(folder, "0")
    try:
        yield
    finally:
        slot.release()


@contextmanager
def store(folder):
    with hold_lock(folder / ".chunk.lock", "It is being written."):
        yield


USERS = (command, run, store)
each_user = pytest.mark.parametrize("user", USERS, ids=lambda user: user.__name__)


def lock_files(folder):
    return [path.name for path in folder.iterdir() if path.name.endswith(".lock")]


@each_user
@pytest.mark.parametrize(
    ("arguments", "command"),
    [
        (["/usr/bin/groupcross", "fit", "a b"], "groupcross fit 'a b'"),
        (["/lib/pytest/__main__.py", "-q"], "pytest -q"),
        ([""], "python"),
    ],
)
def test_who_holds_a_lock_is_said_and_nothing_of_it_stays(
    tmp_path, monkeypatch, user, arguments, command
):
    monkeypatch.setattr(sys, "argv", arguments)
    with user(tmp_path):
        (name,) = lock_files(tmp_path)
        owner = owner_of(tmp_path / name)
        assert owner.startswith(f"process {os.getpid()} on {socket.gethostname()} since 20")
        assert owner.endswith(f": {command}")
    assert [path for path in os.listdir(tmp_path) if path.endswith(".owner")] == []


@pytest.mark.parametrize("user", [command, store])
def test_who_is_refused_is_told_whom_by(tmp_path, user):
    with user(tmp_path):
        (name,) = lock_files(tmp_path)
        with pytest.raises(BlockingIOError) as caught, user(tmp_path):
            pass
        assert owner_of(tmp_path / name) in str(caught.value)


@posix
@each_user
def test_a_killed_holder_holds_nobody_up_and_its_name_goes(tmp_path, user):
    """In a program of its own: it leaves its name, as of a process that is no more."""
    code = (
        "import os, signal; from pathlib import Path; from tests import test_locks\n"
        f"with test_locks.{user.__name__}(Path({str(tmp_path)!r})):\n"
        "    os.kill(os.getpid(), signal.SIGKILL)"
    )
    killed = subprocess.run([sys.executable, "-c", code], cwd=Path(__file__).parents[1])
    assert killed.returncode == -signal.SIGKILL
    assert [path for path in os.listdir(tmp_path) if path.endswith(".owner")] != []
    with user(tmp_path):
        (name,) = lock_files(tmp_path)
        assert f"process {os.getpid()} on" in owner_of(tmp_path / name)
    assert [path for path in os.listdir(tmp_path) if path.endswith(".owner")] == []


def test_a_lock_that_cannot_be_signed_is_one(tmp_path):
    """The disk is full, say; a folder stands in its place here."""
    (tmp_path / "lock.owner").mkdir()
    (tmp_path / "lock.owner" / "file").touch()
    lock = hold(tmp_path / "lock")
    with pytest.raises(Timeout):
        hold(tmp_path / "lock")
    assert owner_of(tmp_path / "lock") == "a process that has not said its name"
    lock.release()
    hold(tmp_path / "lock").release()


@posix
@each_user
@pytest.mark.parametrize("number", sorted(_locks._NO_LOCKS), ids=errno.errorcode.get)
def test_without_locks_one_is_told_and_the_work_goes_on(
    tmp_path, monkeypatch, capsys, user, number
):
    def has_none(descriptor, operation):
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr(fcntl, "flock", has_none)
    told_of_without_locks(tmp_path, capsys, user)


@each_user
def test_so_it_is_where_filelock_says_it_otherwise(tmp_path, monkeypatch, capsys, user):
    def has_none(*args, **kwargs):
        raise NotImplementedError

    monkeypatch.setattr(FileLock, "acquire", has_none)
    told_of_without_locks(tmp_path, capsys, user)


def told_of_without_locks(folder, capsys, user):
    if user is command:
        with user(folder):
            pass
        words = capsys.readouterr().err
    else:
        with pytest.warns(RuntimeWarning) as caught, user(folder):
            pass
        words = str(caught[0].message)
    assert f"{folder} lies on a file system without locks: see to it that no other" in words
    assert user is store or os.listdir(folder) == []


@posix
@each_user
def test_another_error_is_one(tmp_path, monkeypatch, user):
    def fails(descriptor, operation):
        raise OSError(errno.EIO, os.strerror(errno.EIO))

    monkeypatch.setattr(fcntl, "flock", fails)
    with pytest.raises(OSError, match="Input/output error"), user(tmp_path):
        pass


@posix
@each_user
def test_a_lock_that_its_holder_has_removed_is_taken_anew(tmp_path, monkeypatch, user):
    acquire, calls = FileLock.acquire, []

    def too_late(self, *args, **kwargs):
        proxy = acquire(self, *args, **kwargs)
        calls.append(1)
        if len(calls) == 1:
            os.unlink(self.lock_file)
        return proxy

    monkeypatch.setattr(FileLock, "acquire", too_late)
    with user(tmp_path):
        assert len(calls) == 2
        assert len(lock_files(tmp_path)) == 1


@posix
def test_a_lock_whose_file_goes_while_another_waits_is_free(tmp_path, monkeypatch):
    """The other had opened it before: it holds nobody's file, and looks again."""
    path = tmp_path / "lock"
    first, acquire = hold(path, removes=True), FileLock.acquire
    calls = []

    def in_between(self, *args, **kwargs):
        calls.append(1)
        if len(calls) == 1:
            try:
                return acquire(self, *args, **kwargs)
            finally:
                first.release()
        return acquire(self, *args, **kwargs)

    monkeypatch.setattr(FileLock, "acquire", in_between)
    second = hold(path, removes=True)
    assert len(calls) == 2
    with pytest.raises(Timeout):
        hold(path, removes=True)
    second.release()
    assert not path.exists()


@pytest.mark.parametrize("removes", [True, False])
def test_one_holds_it_of_threads_that_hurry(tmp_path, removes):
    holders, most, n_held = [], [], []

    def work():
        for _ in range(50):
            try:
                lock = hold(tmp_path / "lock", removes=removes)
            except Timeout:
                continue
            holders.append(1)
            most.append(len(holders))
            n_held.append(1)
            holders.pop()
            lock.release()

    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert n_held
    assert max(most) == 1
    assert (tmp_path / "lock").exists() != (removes or os.name == "nt")


@posix
def test_the_lock_of_another_folder_of_the_name_stays(tmp_path):
    folder, path = tmp_path / "out", tmp_path / "out" / "lock"
    folder.mkdir()
    first = hold(path, removes=True)
    folder.rename(tmp_path / "moved")
    folder.mkdir()
    second = hold(path, removes=True)
    first.release()
    with pytest.raises(Timeout):
        hold(path, removes=True)
    second.release()


@posix
@pytest.mark.parametrize("name", ["nt", "posix"])
def test_the_file_goes_when_the_system_lets_it(tmp_path, monkeypatch, name):
    """Windows removes no open file; elsewhere it must go while it is held."""
    order = []
    release, unlink = FileLock.release, Path.unlink
    lock = hold(tmp_path / "lock", removes=True)
    system = argparse.Namespace(name=name, path=os.path, stat=os.stat)
    monkeypatch.setattr(_locks, "os", system)
    monkeypatch.setattr(FileLock, "release", lambda self: (order.append("free"), release(self)))

    def unlinked(path, missing_ok=False):
        if path.name == "lock":
            order.append("remove")
        unlink(path, missing_ok)

    monkeypatch.setattr(Path, "unlink", unlinked)
    lock.release()
    assert order == (["free", "remove"] if name == "nt" else ["remove", "free"])
    assert os.listdir(tmp_path) == []


@posix
@each_user
def test_no_lock_is_made_through_a_link(tmp_path, user):
    """Others may have laid it."""
    folder, elsewhere = tmp_path / "out", tmp_path / "elsewhere"
    folder.mkdir()
    with user(folder):
        (name,) = lock_files(folder)
    (folder / name).unlink(missing_ok=True)
    (folder / name).symlink_to(elsewhere)
    with pytest.raises(OSError, match=r"symbolic link.*lock'"), user(folder):
        pass
    assert not elsewhere.exists()
