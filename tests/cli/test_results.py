"""Results of a command replace those before in one step, whenever it is killed."""

from __future__ import annotations

import argparse
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
from sklearn_groupcross.cli._output import output_folder
from sklearn_groupcross.cli._results import RECORD, Results

FILES = ("report.html", "features.csv", "figures/map.png")
posix = pytest.mark.skipif(os.name == "nt", reason="processes are forked and killed by signals")


def a_command(options):
    """Stands for the commands: its results say which of its runs made them."""


def write(folder, content, *, overwrite=True, extra=(), command="a", on_the_way=lambda: None):
    options = argparse.Namespace(command=a_command, out=folder, overwrite=overwrite, name=command)
    with output_folder(options, FILES[:2], ("figures",)) as results:
        for name in (*FILES, *extra):
            with written_whole(results.place(name)) as temporary:
                temporary.write_text(content, encoding="utf-8")
        on_the_way()
        results.publish(replaced=(*FILES, "old.npy"))


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
@pytest.mark.parametrize("before", ["nothing", "results"])
def test_old_or_new_results_are_whole_whenever_the_command_is_killed(tmp_path, before):
    in_a_small_process(kill_before_every_act, tmp_path, before)


@posix
def test_a_command_that_is_killed_while_it_finishes_anothers_moves(tmp_path):
    in_a_small_process(kill_before_every_act_of_the_next, tmp_path)


def kill_before_every_act(place, before):
    os.fsync = lambda descriptor: None
    tmp_path = Path(place)
    folder = tmp_path / "out"
    old = {}
    if before != "nothing":
        old = whole("old") | {"old.npy": "old"}
        for name, content in old.items():
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            (folder / name).write_text(content, encoding="utf-8")
    original = tmp_path / "original"
    if old:
        shutil.copytree(folder, original)
    seen = set()
    for n in itertools.count():
        shutil.rmtree(folder, ignore_errors=True)
        if old:
            shutil.copytree(original, folder)
        status = in_child(lambda: write(folder, "new"), kill_at=n, within=folder)
        if status == 0:
            break
        assert status == -signal.SIGKILL
        folder.mkdir(exist_ok=True)
        again = tmp_path / "again"
        shutil.copytree(folder, again)
        # whatever command comes next: old or new, whole, and nothing beside it
        Results(folder, "another command")
        left = in_folder(folder)
        left.pop(".groupcross.lock", None), left.pop(".groupcross.owner", None)
        assert left in (old, whole("new"))
        seen.add(left == old)
        # the same command goes on, without being told to overwrite what it has made itself
        overwrite = not (again / RECORD).exists() and left != {}
        write(again, "new", overwrite=overwrite)
        assert in_folder(again) == whole("new")
        shutil.rmtree(again)
    assert n > 20
    assert seen == {True, False}
    assert in_folder(folder) == whole("new")


def kill_before_every_act_of_the_next(place):
    os.fsync = lambda descriptor: None
    tmp_path = Path(place)
    folder, state = tmp_path / "out", tmp_path / "state"
    write(folder, "old", extra=["old.npy"])
    for n in itertools.count():  # the first act after the record is there
        shutil.copytree(folder, state)
        in_child(lambda: write(state, "new"), kill_at=n, within=state)
        if (state / RECORD).exists():
            break
        shutil.rmtree(state)
    assert in_folder(state)["report.html"] == "old"
    for n in itertools.count():
        again = tmp_path / "again"
        shutil.copytree(state, again)
        status = in_child(partial(Results, again, "another"), kill_at=n, within=again)
        Results(again, "another")
        left = in_folder(again)
        left.pop(".groupcross.lock", None), left.pop(".groupcross.owner", None)
        assert left == whole("new")
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
    options = argparse.Namespace(command=a_command, out=tmp_path / "out", overwrite=False)
    with (
        pytest.raises(OSError, match="No space") as caught,
        output_folder(options, FILES) as results,
    ):
        raise OSError(28, "No space left on device", str(results.place("features.csv")))
    assert caught.value.filename == str(tmp_path / "out" / "features.csv")
    assert not (tmp_path / "out").exists()


def test_only_the_same_command_goes_on(tmp_path, monkeypatch):
    class Killed(BaseException):
        pass

    close = Results.close

    def killed(self):
        if (self.folder / RECORD).exists():
            raise Killed
        close(self)

    first, copy = tmp_path / "first", tmp_path / "copy"
    with monkeypatch.context() as patch:
        patch.setattr(Results, "close", killed)
        with pytest.raises(Killed):
            write(first, "new", overwrite=False)
    shutil.copytree(first, copy)
    with pytest.raises(ValueError, match=r"already holds report.html"):
        write(first, "other", overwrite=False, command="b")
    assert in_folder(first) == whole("new")
    write(copy, "newer", overwrite=False)
    assert in_folder(copy) == whole("newer")


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
        '{"format":"groupcross results/1","command":"","token":"0","files":["../../a"],'
        '"outdated":[],"moved":false}',
        '{"format":"groupcross results/1","command":"","token":"0","files":[],'
        '"outdated":["/etc/passwd"],"moved":false}',
        '{"format":"groupcross results/1","command":"","token":"/../x","files":[],'
        '"outdated":[],"moved":false}',
    ],
    ids=["empty", "no names", "deep", "out of the folder", "absolute", "token"],
)
def test_a_damaged_record_is_refused_and_named(tmp_path, record):
    (tmp_path / RECORD).write_text(record, encoding="utf-8")
    with pytest.raises(ValueError, match=r"groupcross\.results is damaged"):
        write(tmp_path, "new")
    assert os.listdir(tmp_path) == [RECORD]


@pytest.mark.parametrize("name", ["report.html", "figures"])
def test_what_is_in_the_way_is_said_before_the_work(tmp_path, name):
    if name == "figures":
        (tmp_path / name).write_text("", encoding="utf-8")
    else:
        (tmp_path / name).mkdir()
    with pytest.raises(ValueError, match="is a f"):
        write(tmp_path, "new", on_the_way=lambda: pytest.fail("too late"))
    assert os.listdir(tmp_path) == [name]


def test_folders_that_were_made_go_if_nothing_is_written(tmp_path):
    def fails():
        raise ValueError("a mistake")

    with pytest.raises(ValueError, match="a mistake"):
        write(tmp_path / "new" / "out", "new", on_the_way=fails)
    assert os.listdir(tmp_path) == []


def killed_at_work(place):
    def die():
        os.kill(os.getpid(), signal.SIGKILL)

    assert in_child(lambda: write(Path(place), "dead", on_the_way=die)) == -signal.SIGKILL


class TestLock:
    def test_a_second_command_is_refused_and_the_first_is_named(self, tmp_path):
        def second():
            with pytest.raises(BlockingIOError) as caught:
                write(tmp_path, "second", command="b")
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
