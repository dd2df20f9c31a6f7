"""What a command says: nothing raw, nothing where nobody reads, clear words on a full disk."""

from __future__ import annotations

import errno
import io
import json
import os
import subprocess
import sys
import warnings
from contextlib import redirect_stderr, redirect_stdout, suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tqdm import tqdm

from sklearn_groupcross.cli import main
from sklearn_groupcross.cli._arguments import as_json
from sklearn_groupcross.cli._streams import ReaderGone, own_streams, say

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
    with suppress(SystemExit):  # for options, which argparse refuses
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
    command = f"{sys.executable} -m sklearn_groupcross.cli --help {redirections}"
    # 0 and 141 are both right where the reader's end is a race; 1, 120 and words are not
    done = subprocess.run(["bash", "-c", command], capture_output=True, text=True)
    assert done.returncode in status
    assert done.stderr == ""


@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="there is no /dev/full on this system")
def test_a_full_device():
    command = [sys.executable, "-m", "sklearn_groupcross.cli", "--version"]
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
