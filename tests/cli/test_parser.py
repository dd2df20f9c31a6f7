from __future__ import annotations

import pytest

from sklearn_groupcross.cli import main
from sklearn_groupcross.cli._parser import make_parser


def test_unknown_commands_print_the_usage(capsys):
    with pytest.raises(SystemExit) as stop:
        main(["fly"])
    assert stop.value.code == 2
    assert "usage: groupcross" in capsys.readouterr().err


def test_every_command_has_something_to_run_and_a_help_of_its_own(capsys):
    commands = ["demo", "run", "extract", "analyze", "store info", "store verify"]
    for command in commands:
        with pytest.raises(SystemExit) as stop:
            make_parser().parse_args([*command.split(), "--help"])
        assert stop.value.code == 0
        assert capsys.readouterr().out.startswith(f"usage: groupcross {command} ")
    options = make_parser().parse_args(["demo", "--seed", "3"])
    assert callable(options.command)
    assert (options.seed, options.overwrite) == (3, False)


def test_k_and_l1_exclude_each_other(capsys):
    with pytest.raises(SystemExit):
        make_parser().parse_args(["run", "images", "--k", "3", "--l1", "0.1"])
    assert "not allowed with argument --k" in capsys.readouterr().err


def test_what_was_typed_is_escaped(capsys):
    with pytest.raises(SystemExit):
        make_parser().parse_args(["demo", "--seed", "\x1b[31m"])
    error = capsys.readouterr().err
    assert "\x1b" not in error
    assert "x1b[31m" in error
