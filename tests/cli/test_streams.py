"""What a command says: nothing raw, nothing where nobody reads, clear words on a full disk."""

from __future__ import annotations

import errno
import io
import json
import os
import re
import shlex
import subprocess
import sys
import warnings
from contextlib import redirect_stderr, redirect_stdout, suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.exceptions import ConvergenceWarning
from tqdm import tqdm

from sklearn_groupcross import _progress
from sklearn_groupcross.cli import main
from sklearn_groupcross.cli._arguments import as_json
from sklearn_groupcross.cli._streams import (
    ReaderGone,
    complain,
    own_streams,
    quiet,
    say,
    warnings_in_one_line,
)

TEXT = st.text(st.characters(codec=None, exclude_categories=()))


class Failing(io.StringIO):
    """A stream to which nothing can be written, or only when its buffer is written out."""

    def __init__(self, number, when="write"):
        super().__init__()
        self.number, self.when = number, when

    def write(self, text):
        if self.when == "write":
            raise OSError(self.number, os.strerror(self.number))
        return super().write(text)

    def flush(self):
        if self.when == "flush" and self.getvalue():
            raise OSError(self.number, os.strerror(self.number))


def spoken(encoding, action):
    """What an action writes to standard output and error of an encoding, as bytes."""
    streams = [io.TextIOWrapper(io.BytesIO(), encoding, newline="\n") for _ in range(2)]
    with redirect_stdout(streams[0]), redirect_stderr(streams[1]), own_streams():
        action()
    for stream in streams:
        stream.flush()
    return [stream.buffer.getvalue() for stream in streams]


@given(TEXT, st.sampled_from(["ascii", "latin-1", "utf-8", "cp1252"]))
def test_no_code_reaches_a_terminal(text, encoding):
    def speak():
        print(text)
        say(text)
        sys.stdout.writelines([text, "\n"])

    for content in spoken(encoding, speak):
        shown = content.decode(encoding)
        assert shown.replace("\n", "").replace("\t", "").isprintable()


@given(TEXT, st.sampled_from(["ascii", "utf-8"]))
def test_json_stays_json(text, encoding):
    (content, _) = spoken(encoding, lambda: print(as_json({"name": text})))
    found = json.loads(content.decode(encoding))["name"]
    assert found.encode("utf-16", "surrogatepass") == text.encode("utf-16", "surrogatepass")


def test_progress_bars_and_warnings_pass():
    def work():
        for _ in tqdm(range(2), desc="a\x1b[31mb", file=sys.stderr):
            pass
        # as Python shows warnings: the test runner collects them
        sys.stderr.write(warnings.formatwarning("red: \x1b[31m", UserWarning, "a.py", 1))
        sys.stderr.writelines(["and ", "\x1b[31m"])

    (_, content) = spoken("utf-8", work)
    assert b"\r" in content
    assert rb"a\u001b[31mb: 100%" in content
    assert rb"red: \u001b[31m" in content
    assert rb"and \u001b[31m" in content
    assert b"\x1b[31m" not in content


@pytest.mark.parametrize("when", ["write", "flush"])
@pytest.mark.parametrize("arguments", [["--help"], ["--version"], ["store", "info", "--help"]])
def test_a_full_disk_is_named(arguments, when, capsys):
    with redirect_stdout(Failing(errno.ENOSPC, when)):
        assert main(arguments) == 2
    message = capsys.readouterr().err
    assert message.startswith("groupcross: error: No space left on device: 'standard output'")


@pytest.mark.parametrize("when", ["write", "flush"])
def test_nothing_is_said_where_nobody_reads(when, capsys):
    with redirect_stdout(Failing(errno.EPIPE, when)):
        assert main(["--version"]) == 141
    assert capsys.readouterr().err == ""


def test_work_goes_on_without_standard_error():
    with redirect_stderr(Failing(errno.ENOSPC)), own_streams():
        say("lost")
        list(tqdm(range(3), file=sys.stderr))
    with pytest.raises(ReaderGone), redirect_stderr(Failing(errno.EPIPE)), own_streams():
        say("nobody reads")


def test_quiet_is_for_what_is_not_wrong(monkeypatch):
    monkeypatch.setattr(_progress, "INTERVAL", 0)

    def work():
        say("Note.")
        list(_progress.tqdm(range(3), desc="working", mininterval=0))
        complain("Damaged.")

    def quietly():
        with quiet(True):
            work()

    def loudly():
        with quiet(False):
            work()
        with suppress(KeyError), quiet(True):
            raise KeyError
        say("And on.")

    assert spoken("utf-8", quietly) == [b"", b"Damaged.\n"]
    (output, error) = spoken("utf-8", loudly)
    assert output == b""
    assert error.startswith(b"Note.\nworking: 1 of 3")
    assert error.endswith(b"\nDamaged.\nAnd on.\n")


def test_warnings_are_one_line(monkeypatch):
    def work():
        with warnings_in_one_line(str.upper):
            warnings.showwarning("a\x1b b", UserWarning, "code.py", 1)
            warnings.showwarning("short", ConvergenceWarning, "code.py", 1)
            warnings.showwarning("old", DeprecationWarning, "code.py", 1, line="code()")
        warnings.showwarning("after", UserWarning, "code.py", 1, line="code()")

    before = []
    monkeypatch.setattr(warnings, "showwarning", lambda *about, **more: before.append(about[0]))
    assert spoken("utf-8", work) == [
        b"",
        b"groupcross: warning: A\\u001b B\ngroupcross: warning: SHORT\n",
    ]
    assert before == ["old", "after"]


class TestEveryCommand:
    """What becomes of a command that nobody listens to."""

    @pytest.fixture
    def small(self, folder, tmp_path, monkeypatch):
        """Arguments of a small extraction, whose progress is written line by line."""
        monkeypatch.setattr(_progress, "INTERVAL", 0)
        arguments = ["extract", str(folder), "--network", "bundled", "--group", "cyclic:4"]
        return [*arguments, "--positions", "2", "--out", str(tmp_path / "store")]

    def test_quiet(self, small, capsys):
        assert main([*small, "--quiet"]) == 0
        output, error = capsys.readouterr()
        assert error == ""
        assert "Cyclic(4)" in output

    def test_progress_is_written_to_nobody(self, small, monkeypatch):
        said = []

        class Listening(Failing):
            """Gone once it was said that orbits are read."""

            def write(self, text):
                said.append(text)
                if "reading orbits" in text:
                    raise BrokenPipeError(self.number, "Broken pipe")
                return len(text)

        with redirect_stderr(Listening(errno.EPIPE)):
            assert main(small) == 141
        assert re.search("reading orbits: 1 of 6 images", said[-1])
        # nothing is lost, and nothing more is said
        with redirect_stderr(io.StringIO()) as error:
            assert main(small) == 0
        assert "Traceback" not in error.getvalue()

    def test_results_are_written_to_nobody(self, small):
        with redirect_stdout(Failing(errno.EPIPE)), redirect_stderr(io.StringIO()) as error:
            assert main([*small, "--quiet"]) == 141
        assert error.getvalue() == ""

    @pytest.mark.skipif(os.name == "nt", reason="pipes of POSIX")
    def test_in_a_shell(self, small):
        command = shlex.join([sys.executable, "-m", "sklearn_groupcross", *small])
        done = subprocess.run(
            ["bash", "-c", f"{command} | head -1; exit ${{PIPESTATUS[0]}}"],
            capture_output=True,
            text=True,
        )
        assert done.returncode in (0, 141)
        assert "Traceback" not in done.stderr
        # one line says what is read: there is no terminal for a bar
        assert "\r" not in done.stderr
        assert len(done.stderr.splitlines()) <= 2
        assert len(done.stdout.splitlines()) == 1


def test_streams_that_are_closed(monkeypatch):
    closed = io.StringIO()
    closed.close()
    for stream in (None, closed):
        with monkeypatch.context() as patch:
            patch.setattr(sys, "stdout", stream)
            patch.setattr(sys, "stderr", stream)
            with own_streams():
                print("nowhere")
                say("nowhere")
            assert sys.stdout is stream


@pytest.mark.parametrize(
    "arguments",
    [
        ["analyze", "a\x1b[31m\x9b\udcff\u202e.st"],
        ["fly\x1b[A"],
        ["store", "info", "\x1b]0;me\x07"],
    ],
    ids=["missing model", "unknown command", "missing store"],
)
def test_names_in_messages_are_escaped(arguments, capsys):
    assert main(arguments) == 2
    message = capsys.readouterr().err
    assert "\\u001b" in message or "\\x1b" in message
    assert message.replace("\n", "").isprintable()


@pytest.mark.skipif(os.name == "nt", reason="pipes and descriptors of POSIX")
@pytest.mark.parametrize(
    ("redirections", "status"),
    [
        ("| true; exit ${PIPESTATUS[0]}", (0, 141)),  # as true ends before or after the writing
        ("2>&1 | head -c 1 >/dev/null; exit ${PIPESTATUS[0]}", (0, 141)),
        (">&-", (0,)),
        (">&- 2>&- <&-", (0,)),
    ],
)
def test_in_a_shell(redirections, status):
    command = f"{sys.executable} -m sklearn_groupcross --help {redirections}"
    # 0 and 141 are both right where the reader's end is a race; 1, 120 and words are not
    done = subprocess.run(["bash", "-c", command], capture_output=True, text=True)
    assert done.returncode in status
    assert done.stderr == ""


@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="there is no /dev/full on this system")
def test_a_full_device():
    command = [sys.executable, "-m", "sklearn_groupcross", "--version"]
    with open("/dev/full", "w", encoding="utf-8") as full:
        done = subprocess.run(command, stdout=full, stderr=subprocess.PIPE, text=True)
    assert done.returncode == 2
    assert done.stderr == "groupcross: error: No space left on device: 'standard output'\n"


@pytest.mark.skipif(os.name == "nt", reason="folders in use cannot be removed there")
def test_a_working_folder_that_is_gone(tmp_path, monkeypatch, capsys):
    gone = tmp_path / "gone"
    gone.mkdir()
    monkeypatch.chdir(gone)
    gone.rmdir()
    assert main(["analyze", "/model"]) == 2
    assert "does not exist any more" in capsys.readouterr().err


@pytest.mark.parametrize("columns", ["0", "1", "-3", "many"])
def test_narrow_terminals(columns, monkeypatch, capsys):
    monkeypatch.setenv("COLUMNS", columns)
    with pytest.raises(SystemExit) as stop:
        main(["run", "--help"])
    assert stop.value.code == 0
    assert "usage" in capsys.readouterr().out
