"""What is typed: calls that are right have a command to run, others are refused before any work."""

from __future__ import annotations

import json
import subprocess
import sys
from contextlib import contextmanager, redirect_stderr, redirect_stdout
from io import StringIO
from itertools import chain
from pathlib import Path
from random import Random

import pytest
from hypothesis import given, settings

from sklearn_groupcross.cli import main
from sklearn_groupcross.cli._parser import make_parser

from . import wrong_calls

COMMANDS = {" ".join(name): parser for name, parser in wrong_calls.commands()}
BY_HAND = [
    ("groupcross", [], "required: command"),
    ("groupcross", ["fly"], "one of demo, run"),
    ("groupcross", ["rnu"], "Did you mean run?"),
    ("groupcross", ["RUN"], "Did you mean run?"),
    ("groupcross", ["--verson"], "unknown option --verson. Did you mean --version?"),
    ("groupcross store", ["store"], "required: command"),
    ("groupcross store", ["store", "inf"], "Did you mean info?"),
    ("groupcross run", ["run"], "required: IMAGES"),
    ("groupcross run", ["run", "--epoch", "3"], "--epoch. Did you mean --epochs?"),
    ("groupcross run", ["run", "absent"], "no such file or folder: 'absent'"),
    ("groupcross run", ["run", "photographs", "--epochs", "0"], "an integer of 1 or more; got '0'"),
    ("groupcross run", ["run", "photographs", "--l1", "-1e-3"], "--l1"),
    ("groupcross run", ["run", "photographs", "--k", "3", "--l1", "1"], "not allowed with"),
    ("groupcross run", ["run", "photographs", "--k", "9", "--features", "8"], "--k 9 codes"),
    ("groupcross run", ["run", "photographs", "--network", "bundle"], "Did you mean bundled?"),
    ("groupcross run", ["run", "photographs", "--network", "bvlc_googlenet"], "--weights FILE"),
    ("groupcross run", ["run", "photographs", "--network", "x.py:f"], "no such file: 'x.py'"),
    ("groupcross run", ["run", "photographs", "--network", "absent:f"], "no module 'absent'"),
    ("groupcross run", ["run", "photographs", "--network", "json:"], "FILE.py:FUNCTION"),
    (
        "groupcross run",
        ["run", "photographs", "--weights", "photographs"],
        "is a folder",
    ),
    ("groupcross run", ["run", "photographs", "--group", "dihedrl:3"], "Did you mean dihedral?"),
    ("groupcross run", ["run", "photographs", "--group", "cyclic:129"], "at most 128"),
    ("groupcross run", ["run", "photographs", "--n-images", "1"], "--n-images 1 is too few"),
    (
        "groupcross run",
        ["run", "photographs", "--n-images", "3", "--held-out", "3"],
        "--held-out 3",
    ),
    ("groupcross run", ["run", "photographs", "--seed", "4294967295"], "4294967295, the largest"),
    ("groupcross run", ["run", "photographs", "--device", "cud"], "Did you mean cuda?"),
    (
        "groupcross run",
        ["run", "photographs", "--compression", "1.5"],
        "above 0 and at most 1",
    ),
    ("groupcross run", ["run", "photographs", "--out", "file/below"], "'file' is a file"),
    ("groupcross extract", ["extract", "photographs"], "required: --out"),
    ("groupcross extract", ["extract", "photographs", "--ot", "x"], "Did you mean --out?"),
    (
        "groupcross extract",
        ["extract", "photographs", "--out", "x", "--group", "dihedral:100", "--hues", "9"],
        "--hues 9 has 1800 elements",
    ),
    (
        "groupcross extract",
        ["extract", "photographs", "--out", "x", "--sampling", "center", "--positions", "2"],
        "--sampling center reads one position an image; got --positions 2",
    ),
    ("groupcross analyze", ["analyze", "file", "another"], "unexpected argument 'another'"),
    ("groupcross analyze", ["analyze", "photographs"], "the file of a model is needed"),
    ("groupcross analyze", ["analyze", "file", "--threshold", "1"], "above 0 and below 1"),
    ("groupcross store info", ["store", "info", "file"], "a store of orbits is needed"),
    ("groupcross analyze", ["analyze", "orbits"], "groupcross fit makes models"),
    ("groupcross fit", ["fit", "photographs"], "groupcross extract makes one"),
    ("groupcross fit", ["fit", "orbits", "--k", "9", "--features", "8"], "--k 9 codes"),
    ("groupcross run", ["run", "orbits", "photographs"], "a store of orbits, which is read alone"),
    ("groupcross completion", ["completion", "fsh"], "Did you mean zsh?"),
]


@pytest.fixture
def place(tmp_path, monkeypatch):
    wrong_calls.prepare(tmp_path)
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.fixture(scope="module")
def shared_place(tmp_path_factory):
    """One for all examples: nothing is written to it, which each of them sees."""
    place = tmp_path_factory.mktemp("place")
    wrong_calls.prepare(place)
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(place)
        yield place


def refusal(program, arguments):
    """One line that refuses a call, of which nothing else is seen."""
    before = sorted(Path.cwd().rglob("*"))
    with streams() as (output, error):
        assert main(arguments) == 2
    assert output.getvalue() == ""
    assert sorted(Path.cwd().rglob("*")) == before
    line, end = error.getvalue()[:-1], error.getvalue()[-1:]
    assert end == "\n"
    assert line.isprintable()
    # `groupcross: error`, of no command, is said of what went wrong in one
    assert line.startswith(f"{program}: error: ")
    assert line.endswith(f" See {program} --help")
    return line


@contextmanager
def streams():
    with redirect_stdout(StringIO()) as output, redirect_stderr(StringIO()) as error:
        yield output, error


@pytest.mark.parametrize(("program", "arguments", "said"), BY_HAND)
def test_mistakes_by_hand(place, program, arguments, said):
    assert said in refusal(program, arguments)


@settings(max_examples=200)
@given(wrong_calls.drawn_calls())
def test_drawn_mistakes(shared_place, call):
    refusal(*call)


_REFUSED = """
import io, json, sys
from contextlib import redirect_stderr
from sklearn_groupcross.cli import main

for program, arguments in json.load(sys.stdin):
    with redirect_stderr(io.StringIO()) as error:
        assert main(arguments) == 2, arguments
    assert error.getvalue().startswith(f"{program}: error: "), (arguments, error.getvalue())
heavy = {"torch", "numpy", "scipy", "sklearn", "numba", "pandas", "PIL", "matplotlib", "tqdm"}
print(*heavy.intersection(sys.modules))
"""


def test_mistakes_are_found_before_anything_large_is_imported(place):
    calls = [(program, arguments) for program, arguments, _ in BY_HAND]
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(place)
        calls += Random(0).sample(list(wrong_calls.wrong_calls()), 300)
    done = subprocess.run(
        [sys.executable, "-c", _REFUSED],
        input=json.dumps(calls),
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode, done.stdout.strip(), done.stderr) == (0, "", "")
    assert sorted(path.name for path in place.iterdir()) == ["file", "orbits", "photographs"]


def test_every_option_with_a_value_has_values_that_it_refuses(place):
    for name, parser in COMMANDS.items():
        checked = {action.dest for action, _ in wrong_calls.wrong_values(parser)}
        valued = {a.dest for a in parser._actions if a.option_strings and a.nargs is None}
        assert checked == valued, name


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_has_something_to_run_and_a_page_of_its_own(command, place, capsys):
    with pytest.raises(SystemExit) as stop:
        main([*command.split(), "--help"])
    assert stop.value.code == 0
    page = capsys.readouterr().out
    assert page.startswith(f"usage: groupcross {command} ")
    assert f"\n  groupcross {command} " in page  # an example
    words, required = wrong_calls.correct(COMMANDS[command])
    options = make_parser().parse_args([*command.split(), *chain(*words, *required)])
    assert callable(options.command)


@pytest.mark.parametrize("command", COMMANDS)
def test_pages_state_every_default(command):
    for action in COMMANDS[command]._actions:
        assert action.help
        if action.option_strings and action.nargs is None and not action.required:
            assert "default: " in action.help, action.option_strings


def test_the_main_page_lists_exit_codes_and_networks_are_listed(capsys):
    for arguments, shown in [
        (["--help"], ["exit codes:", "130", "143"]),
        (["run", "--help"], ["bundled", "bvlc_googlenet", "FILE.py:FUNCTION"]),
    ]:
        with pytest.raises(SystemExit):
            main(arguments)
        page = capsys.readouterr().out
        assert all(text in page for text in shown)
        assert all(len(line) <= 80 or "groupcross" in line for line in page.splitlines())


def test_what_says_something_can_be_quiet():
    with_progress = {"demo", "run", "extract", "analyze", "store verify"}
    quiet = {c for c, p in COMMANDS.items() if "--quiet" in p._option_string_actions}
    assert with_progress <= quiet
