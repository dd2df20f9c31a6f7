"""Calls of the command line that are wrong, made of the parser's own arguments."""

from __future__ import annotations

import argparse
from functools import cache
from itertools import chain

from hypothesis import strategies as st

from sklearn_groupcross.cli._parser import make_parser

#: What somebody may type for any value; what an argument takes of it is no mistake.
TEXTS = (
    *("", " ", "x", "none", "auto", "0", "-1", "1.5", "-0.5", "3", "nan", "inf", "1e999"),
    *(
        "99999999999999999999",
        "4294967296",
        "dihedral:0",
        "dihedral:513",
        "klein:4",
        "D8",
        "cyclic:",
    ),
    *("cudo", "cuda:x", "cpu:", "auto:1", "float8", "disc", "resnet", "absent.py:build", "a-b:c"),
    *(
        "absent",
        "photographs/absent",
        "\x1b[31m",
        "é\u202e",
        "\0",
        "a b",
        "file",
        "file/below",
        "１２",
    ),
)


def commands(parser=None, name=()):
    """Words and parser of every command, of those in commands too."""
    parser = make_parser() if parser is None else parser
    inner = [a for a in parser._actions if isinstance(a, argparse._SubParsersAction)]
    if not inner:
        yield name, parser
    for action in inner:
        for word, command in action.choices.items():
            yield from commands(command, (*name, word))


def prepare(folder):
    """Make what correct calls name."""
    for name in ("photographs", "orbits"):
        (folder / name).mkdir()
    (folder / "orbits" / "manifest.json").write_text("{}")
    (folder / "file").write_text("no model")


def correct(parser):
    """Arguments that a command needs, as lists of words."""
    values = {
        "images": "photographs",
        "store": "orbits",
        "model": "file",
        "shell": "bash",
        "network": "bundled",
    }
    words = [[values[a.dest]] for a in parser._actions if not a.option_strings]
    required = [a for a in parser._actions if a.option_strings and a.required]
    return words, [[a.option_strings[0], "new"] for a in required]


def takes(action, text):
    if action.choices is not None:
        return text in action.choices
    try:
        action.type(text)
    except (argparse.ArgumentTypeError, ValueError):
        return False
    return True


def wrong_values(parser):
    """Options with values that they do not take."""
    for action in parser._actions:
        if action.option_strings and action.nargs is None:
            for text in TEXTS:
                if not takes(action, text):
                    yield action, text


def wrong_words(parser):
    """What must not be added to a correct call, as lists of words, each with a reason."""
    known = {option for action in parser._actions for option in action.option_strings}
    for action, text in wrong_values(parser):
        yield [f"{action.option_strings[0]}={text}"]
    for option in sorted(known - {"-h", "--help"}):
        for changed in (option[:-1], option + "s", option.replace("-", "_"), option.upper()):
            if changed not in known and changed != "--":
                yield [changed]
    for action in parser._actions:
        if action.option_strings and action.nargs == 0 and action.dest != "help":
            yield [f"{action.option_strings[0]}=yes"]
    for group in parser._mutually_exclusive_groups:
        first, second, *_ = group._group_actions
        yield [first.option_strings[0], "3", second.option_strings[0], "3"]
    if all(a.nargs is None for a in parser._actions if not a.option_strings):
        yield ["photographs"]
    yield ["-q"]
    yield ["--fly"]


def wrong_calls():
    """Wrong calls of all commands, each a tuple of its program and its arguments."""
    for name, parser in commands():
        program = " ".join(("groupcross", *name))
        words, required = correct(parser)
        needed = [*words, *required]
        for i in range(len(needed)):
            yield program, [*name, *chain(*needed[:i], *needed[i + 1 :])]
        for words in wrong_words(parser):
            yield program, [*name, *chain(*needed), *words]
        for action in parser._actions:  # without its value
            if action.option_strings and action.nargs is None:
                yield program, [*name, *chain(*needed), action.option_strings[0]]


@cache
def _mistakes():
    """Of every command: its name, what it needs, correct options, and what is wrong."""
    found = []
    for name, parser in commands():
        groups = parser._mutually_exclusive_groups
        exclusive = {action.dest for group in groups for action in group._group_actions}
        options = [
            [f"{action.option_strings[0]}={text}"]
            for action in parser._actions
            if action.option_strings and action.nargs is None and action.dest not in exclusive
            for text in TEXTS
            if takes(action, text)
        ]
        found.append((name, *correct(parser), options, list(wrong_words(parser))))
    return found


@st.composite
def drawn_calls(draw):
    """A wrong call with correct options around the mistake, in any order."""
    name, words, required, options, mistakes = draw(st.sampled_from(_mistakes()))
    others = draw(st.lists(st.sampled_from(options), max_size=3)) if options else []
    mixed = draw(st.permutations([*others, *required, draw(st.sampled_from(mistakes))]))
    return " ".join(("groupcross", *name)), [*name, *chain(*words), *chain(*mixed)]
