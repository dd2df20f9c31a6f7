from __future__ import annotations

from pathlib import Path

import pytest

from tools import import_graph
from tools.import_graph import Import, circles, imports_of, private_imports, read_modules

FILES = {
    "__init__": "",
    "_ground": "",
    "left/__init__": "from ._first import first",
    "left/_first": "def first():\n    from ._second import second\n    return second",
    "left/_second": """
from typing import TYPE_CHECKING
from .._ground import everybody
if TYPE_CHECKING:
    from . import _first
""",
    "right/__init__": "",
    "right/_third": """
import sklearn_groupcross.left._second
from sklearn_groupcross.left import first
from ..left._first import first as again
from ..left import _hidden
class GroupCrosscoder:
    def __init__(self, group, *, k=None):
        self.x = group._hidden_of_left
        if self.activation == "topk" and k is not None:
            pass
""",
}


@pytest.fixture
def tree(tmp_path):
    for name, text in FILES.items():
        path = tmp_path / import_graph.PACKAGE / f"{name}.py"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    return tmp_path


@pytest.fixture
def imports(tree):
    modules = read_modules(tree)
    return [each for name in modules for each in imports_of(name, modules)]


def test_imports_of_every_kind_are_found(imports):
    assert imports == [
        Import("left", "left._first", ("first",), ""),
        Import("left._first", "left._second", ("second",), "in a function"),
        Import("left._second", "_ground", ("everybody",), ""),
        Import("left._second", "left._first", ("_first",), "for types"),
        Import("right._third", "left._second", ("",), ""),
        Import("right._third", "left", ("first",), ""),
        Import("right._third", "left._first", ("first",), ""),
        Import("right._third", "left", ("_hidden",), ""),
    ]


def test_circles_and_private_imports(imports):
    assert circles(imports) == [["left._first", "left._second"]]
    private = [line.split(":")[0] for line in private_imports(imports)]
    assert private == [
        "right._third <- left._second",
        "right._third <- left._first",
        "right._third <- left",
    ]


def test_the_rest_is_counted(tree, capsys):
    import_graph.main(tree)
    printed = capsys.readouterr().out
    assert "7 files" in printed
    assert "2 tests of which activation it is, in 1 modules" in printed
    assert "GroupCrosscoder takes 2 parameters: group, k" in printed


def test_the_package_has_the_one_circle_that_its_documentation_names():
    modules = read_modules(Path(import_graph.__file__).parents[1])
    imports = [each for name in modules for each in imports_of(name, modules)]
    (circle,) = circles(imports)
    assert {module.split(".")[0] for module in circle} == {"groups"}
    assert private_imports(imports) == []
