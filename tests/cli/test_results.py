"""Results of a command replace those before in one step, whenever it is killed."""

from __future__ import annotations

import itertools
import os
import shutil
import signal
import subprocess
import sys
from functools import partial
from pathlib import Path

import pytest

from sklearn_groupcross._files import written_whole
from sklearn_groupcross.cli._lock import hold_folder
from sklearn_groupcross.cli._results import NEXT, RECORD, Results

FILES = ("report.html", "features.csv", "figures/map.png")
STORED = "orbits/chunk.npy"
posix = pytest.mark.skipif(os.name == "nt", reason="processes are forked and killed by signals")


def write(folder, content, *, extra=(), on_the_way=lambda: None):
    """Write results beside their places, and publish them."""
    folder.mkdir(parents=True, exist_ok=True)
    with hold_folder(folder):
        results = Results(folder)
        try:
            for name in (*FILES, *extra):
                with written_whole(results.place(name)) as temporary:
                    temporary.write_text(content, encoding="utf-8")
            on_the_way()
            results.publish(replaced=(*FILES, "old.npy"))
        except BaseException:
            results.abandon()
            raise


def write_next(folder, content):
    """Write results and a folder to a folder of their own, which takes the place of all."""
    folder.mkdir(parents=True, exist_ok=True)
    with hold_folder(folder):
        results = Results(folder)
        for name in (*FILES, STORED):
            path = folder / NEXT / name
            path.parent.mkdir(parents=True, exist_ok=True)
            with written_whole(path) as temporary:
                temporary.write_text(content, encoding="utf-8")
        results.publish(replaced=["old.npy"], taken=[*FILES, "orbits"])


def in_folder(folder):
    files = (path for path in folder.rglob("*") if path.is_file())
    return {path.relative_to(folder).as_posix(): path.read_text(encoding="utf-8") for path in files}


def whole(content):
    return dict.fromkeys(FILES, content)


def in_child(action, kill_at=None, within=None):
    """Run in a process that is killed before its n-th act on files in a folder; its status."""
    child = os.fork()
    if child == 0:
        if kill_at is not None:
            acts = itertools.count()

            def kill(event, arguments):
                if event.split(".")[0] not in ("open", "os", "shutil"):
                    return
                paths = [str(argument) for argument in arguments]
                if any(str(within) in path for path in paths) and next(acts) == kill_at:
                    os.kill(os.getpid(), signal.SIGKILL)

            sys.addaudithook(kill)
        try:
            action()
        except BaseException:
            os._exit(1)
        os._exit(0)
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])


def in_a_small_process(function, *arguments):
    """Call a function of this module in a process without torch, which forks in no time."""
    name = function.__name__
    program = f"import sys; from {__name__} import {name}; {name}(*sys.argv[1:])"
    subprocess.run(
        [sys.executable, "-c", program, *map(str, arguments)],
        check=True,
        cwd=Path(__file__).parents[2],
    )


@posix
@pytest.mark.parametrize("way", ["write", "write_next"])
@pytest.mark.parametrize("before", ["nothing", "results"])
def test_old_or_new_results_are_whole_whenever_the_command_is_killed(tmp_path, before, way):
    in_a_small_process(kill_before_every_act, tmp_path, before, way)


@posix
@pytest.mark.parametrize("way", ["write", "write_next"])
def test_a_command_that_is_killed_while_it_finishes_anothers_moves(tmp_path, way):
    in_a_small_process(kill_before_every_act_of_the_next, tmp_path, way)


def results_in(folder):
    """What counts in a folder: neither the lock nor what is on its way."""
    own = (".groupcross.lock", ".groupcross.owner", NEXT)
    return {n: c for n, c in in_folder(folder).items() if not n.startswith(own)}


def kill_before_every_act(place, before, way):
    os.fsync = lambda descriptor: None
    tmp_path = Path(place)
    folder = tmp_path / "out"
    names = FILES if way == "write" else (*FILES, STORED)
    make, new = globals()[way], dict.fromkeys(names, "new")
    old = {} if before == "nothing" else dict.fromkeys(names, "old") | {"old.npy": "old"}
    original = tmp_path / "original"
    original.mkdir()
    for name, content in old.items():
        (original / name).parent.mkdir(parents=True, exist_ok=True)
        (original / name).write_text(content, encoding="utf-8")
    seen = set()
    for n in itertools.count():
        shutil.rmtree(folder, ignore_errors=True)
        shutil.copytree(original, folder)
        status = in_child(lambda: make(folder, "new"), kill_at=n, within=folder)
        if status == 0:
            break
        assert status == -signal.SIGKILL
        again = tmp_path / "again"
        shutil.copytree(folder, again)
        # whatever command comes next: old or new, whole, and nothing beside it
        Results(folder)
        left = results_in(folder)
        assert left in (old, new)
        seen.add(left == old)
        make(again, "new")
        assert results_in(again) == new
        assert not (again / NEXT).exists()
        shutil.rmtree(again)
    assert n > 20
    assert seen == {True, False}
    assert in_folder(folder) == new


def kill_before_every_act_of_the_next(place, way):
    os.fsync = lambda descriptor: None
    tmp_path = Path(place)
    folder, state = tmp_path / "out", tmp_path / "state"
    make = globals()[way]
    make(folder, "old")
    (folder / "old.npy").write_text("old", encoding="utf-8")
    for n in itertools.count():  # the first act after the record is there
        shutil.copytree(folder, state)
        in_child(lambda: make(state, "new"), kill_at=n, within=state)
        if (state / RECORD).exists():
            break
        shutil.rmtree(state)
    assert in_folder(state)["report.html"] == "old"
    new = dict.fromkeys(FILES if way == "write" else (*FILES, STORED), "new")
    for n in itertools.count():
        again = tmp_path / "again"
        shutil.copytree(state, again)
        status = in_child(partial(Results, again), kill_at=n, within=again)
        Results(again)
        assert results_in(again) == new
        if status == 0:
            break
        shutil.rmtree(again)
    assert n > 5


def test_an_error_leaves_the_old_results_and_nothing_else(tmp_path):
    folder = tmp_path / "out"
    write(folder, "old")

    def fails():
        raise OSError(28, "No space left on device")

    with pytest.raises(OSError, match="No space left"):
        write(folder, "new", on_the_way=fails)
    assert in_folder(folder) == whole("old")


def test_errors_name_the_place_of_a_result(tmp_path):
    results = Results(tmp_path)
    error = OSError(28, "No space left on device", str(results.place("features.csv")))
    results.name_place(error)
    assert error.filename == str(tmp_path / "features.csv")


@posix
def test_a_folder_that_is_a_link_is_replaced_and_what_it_names_stays(tmp_path):
    there = tmp_path / "there"
    there.mkdir()
    (there / "chunk.npy").write_text("old", encoding="utf-8")
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "orbits").symlink_to(there)
    write_next(tmp_path / "out", "new")
    assert in_folder(tmp_path / "out")[STORED] == "new"
    assert in_folder(there) == {"chunk.npy": "old"}


@posix
def test_links_stay_links(tmp_path):
    folder, there = tmp_path / "out", tmp_path / "there.html"
    folder.mkdir()
    there.write_text("old", encoding="utf-8")
    (folder / "report.html").symlink_to(there)
    write(folder, "new")
    assert (folder / "report.html").is_symlink()
    assert there.read_text(encoding="utf-8") == "new"
    assert in_folder(folder) == whole("new")


@posix
def test_nothing_of_ours_is_written_through_a_link(tmp_path):
    folder, victim = tmp_path / "out", tmp_path / "victim"
    folder.mkdir()
    victim.write_text("mine", encoding="utf-8")
    (folder / ".groupcross.owner").symlink_to(victim)
    write(folder, "new", on_the_way=lambda: (folder / RECORD).symlink_to(victim))
    assert victim.read_text(encoding="utf-8") == "mine"
    assert in_folder(folder) == whole("new")


def test_a_folder_of_the_name_of_our_files_is_left_alone(tmp_path):
    (tmp_path / ".groupcross.staged-x").mkdir()
    (tmp_path / ".groupcross.staged-y").write_text("of a killed command", encoding="utf-8")
    write(tmp_path, "new")
    assert in_folder(tmp_path) == whole("new")
    assert (tmp_path / ".groupcross.staged-x").is_dir()


@pytest.mark.parametrize(
    "record",
    [
        "",
        "{}",
        "[" * 100_000,
        '{"format":"groupcross results/2","moves":[[".groupcross.staged-0-a","../../a"]],'
        '"outdated":[]}',
        '{"format":"groupcross results/2","moves":[],"outdated":["/etc/passwd"]}',
        '{"format":"groupcross results/2","moves":[["../x","a"]],"outdated":[]}',
        '{"format":"groupcross results/2","moves":[[".groupcross.next/../x","a"]],"outdated":[]}',
    ],
    ids=["empty", "no names", "deep", "out of the folder", "absolute", "source", "next"],
)
def test_a_damaged_record_is_refused_and_named(tmp_path, record):
    (tmp_path / RECORD).write_text(record, encoding="utf-8")
    with pytest.raises(ValueError, match=r"groupcross\.results is damaged"):
        write(tmp_path, "new")
    assert os.listdir(tmp_path) == [RECORD]


def killed_at_work(place):
    def die():
        os.kill(os.getpid(), signal.SIGKILL)

    assert in_child(lambda: write(Path(place), "dead", on_the_way=die)) == -signal.SIGKILL


class TestLock:
    def test_a_second_command_is_refused_and_the_first_is_named(self, tmp_path):
        def second():
            with pytest.raises(BlockingIOError) as caught:
                write(tmp_path, "second")
            for words in (str(os.getpid()), str(tmp_path), "since 20", "choose another --out"):
                assert words in str(caught.value)

        write(tmp_path, "first", on_the_way=second)
        assert in_folder(tmp_path) == whole("first")

    @posix
    def test_the_dead_hold_nobody_up(self, tmp_path):
        in_a_small_process(killed_at_work, tmp_path)
        assert (tmp_path / ".groupcross.owner").exists()
        write(tmp_path, "alive")
        assert in_folder(tmp_path) == whole("alive")
