from __future__ import annotations

import zlib

import pytest

from tools.pick_names import pick, read_inventory

LINES = """pathlib.Path py:class 1 library/pathlib.html#$ -
iterable std:term -1 glossary.html#term-$ -
list py:class 1 library/stdtypes.html#$ -
list 2to3fixer 1 library/2to3.html#to3fixer-$ -
bltin-boolean-values std:label -1 library/stdtypes.html#$ Boolean Type - bool
"""


@pytest.fixture
def inventory():
    header = b"# Sphinx inventory version 2\n# Project: Python\n# Version: 3\n# The remainder\n"
    return header + zlib.compress(LINES.encode())


def test_lines_are_those_of_the_names(inventory):
    picked = pick(read_inventory(inventory), ["list", "bltin-boolean-values", "iterable"])
    assert picked == [
        "list py:class library/stdtypes.html#$",
        "bltin-boolean-values std:label library/stdtypes.html#$",
        "iterable std:term glossary.html#term-$",
    ]


def test_a_name_that_is_not_there_is_an_error(inventory):
    with pytest.raises(SystemExit, match="os.PathLike"):
        pick(read_inventory(inventory), ["list", "os.PathLike"])


def test_another_version_is_an_error():
    with pytest.raises(ValueError, match="version 2"):
        [*read_inventory(b"# Sphinx inventory version 1\na\nb\nc\n")]
