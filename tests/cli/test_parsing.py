from __future__ import annotations

import argparse

import pytest

from sklearn_groupcross.cli._parsing import Parser, WrongCall


@pytest.fixture
def parser():
    parser = Parser(prog="tool")
    commands = parser.add_subparsers(required=True, metavar="command")
    fly = commands.add_parser("fly")
    fly.add_argument("place", nargs="*")
    fly.add_argument("--height", type=int, default=1)
    fly.add_argument("--below", type=float)
    fly.add_argument("--mode", choices=("bird", "plane"), default="bird")

    def lower(options):
        if options.below is not None and options.below <= options.height:
            raise ValueError("--below is above --height")

    fly.require(lower)
    return parser


def refusal(parser, *arguments):
    with pytest.raises(WrongCall) as raised:
        parser.parse_args(arguments)
    return raised.value


def test_nobody_is_abbreviated_and_the_nearest_is_offered(parser):
    error = refusal(parser, "fly", "--heigh", "3")
    assert error.program == "tool fly"
    assert str(error) == "unknown option --heigh. Did you mean --height? See tool fly --help"
    assert "--xyzzy. See" in str(refusal(parser, "fly", "--xyzzy=3"))
    assert refusal(parser, "--fly").program == "tool"


def test_what_is_misspelled_is_said_before_what_is_missing(parser):
    assert "unknown option --hight" in str(refusal(parser, "--hight"))
    assert "required: command" in str(refusal(parser))


def test_values_that_look_like_options_pass(parser):
    options = parser.parse_args(["fly", "--below", "5", "--height", "-3", "--", "--place", "-x"])
    assert (options.height, options.place) == (-3, ["--place", "-x"])
    assert parser.parse_args(["fly", "-a b", "-.5"]).place == ["-a b", "-.5"]


def test_choices_are_listed(parser):
    assert str(refusal(parser, "fly", "--mode", "brid")) == (
        "argument --mode: one of bird, plane; got 'brid'. Did you mean bird? See tool fly --help"
    )
    assert "argument command: one of fly; got 'fl'." in str(refusal(parser, "fl"))


def test_rules_hold_between_options(parser):
    assert parser.parse_args(["fly", "--below", "2"]).below == 2
    error = refusal(parser, "fly", "--below", "2", "--height", "2")
    assert str(error) == "--below is above --height. See tool fly --help"


def test_rules_are_for_options_with_values(parser):
    (commands,) = (a for a in parser._actions if isinstance(a, argparse._SubParsersAction))
    for action in commands.choices["fly"]._actions:
        action.default = argparse.SUPPRESS
    assert vars(parser.parse_args(["fly", "--below", "0"])) == {"below": 0}


def test_pages_have_no_colours(parser):
    assert "\x1b" not in parser.format_help()
    assert not parser.color
