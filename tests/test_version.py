from __future__ import annotations

import re

import pytest

import sklearn_groupcross
from sklearn_groupcross import _version
from sklearn_groupcross.cli import main


def test_the_command_says_the_version_of_the_package(capsys):
    with pytest.raises(SystemExit):
        main(["--version"])
    assert capsys.readouterr().out == f"groupcross {_version.__version__}\n"
    assert sklearn_groupcross.__version__ == _version.__version__


def test_it_is_a_version_as_installers_spell_it():
    assert re.fullmatch(r"\d+\.\d+\.\d+((a|b|rc)\d+)?(\.dev\d+)?", _version.__version__)
