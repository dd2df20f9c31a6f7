"""Private parts of scikit-learn are taken in one place."""

from __future__ import annotations

import ast
from numbers import Integral
from pathlib import Path

import pytest
from sklearn.base import BaseEstimator

import sklearn_groupcross
from sklearn_groupcross import _sklearn

ROOT = Path(sklearn_groupcross.__file__).parent


def private_names(program):
    """Imports of scikit-learn's of which a part begins with an underscore."""
    for node in ast.walk(ast.parse(program)):
        if isinstance(node, ast.ImportFrom) and node.module and not node.level:
            names = [f"{node.module}.{alias.name}" for alias in node.names]
        elif isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        else:
            continue
        for name in names:
            first, *rest = name.split(".")
            if first == "sklearn" and any(part.startswith("_") for part in rest):
                yield name


def test_no_other_module_imports_them():
    found = {
        path.relative_to(ROOT).as_posix(): list(private_names(path.read_text(encoding="utf-8")))
        for path in ROOT.rglob("*.py")
    }
    assert [name for name, names in found.items() if names] == ["_sklearn.py"]
    assert len(found["_sklearn.py"]) == len(_sklearn.__all__)


@pytest.mark.parametrize(
    ("program", "found"),
    [
        ("from sklearn.base import _fit_context", ["sklearn.base._fit_context"]),
        ("import sklearn.utils._tags as tags", ["sklearn.utils._tags"]),
        (
            "from sklearn.utils._mask import a, b",
            ["sklearn.utils._mask.a", "sklearn.utils._mask.b"],
        ),
        ("from sklearn.base import clone\nfrom ._sklearn import Interval", []),
    ],
)
def test_it_would_be_seen(program, found):
    assert list(private_names(program)) == found


def test_an_invalid_parameter_is_both_errors():
    class Estimator(BaseEstimator):
        _parameter_constraints = {"k": [_sklearn.Interval(Integral, 1, None, closed="left")]}

        def __init__(self, k=1):
            self.k = k

        @_sklearn.fit_context(prefer_skip_nested_validation=True)
        def fit(self, X):
            return self

    assert issubclass(_sklearn.InvalidParameterError, ValueError)
    assert issubclass(_sklearn.InvalidParameterError, TypeError)
    with pytest.raises(_sklearn.InvalidParameterError, match="'k' parameter of Estimator"):
        Estimator(k=0).fit(None)
    assert Estimator(k=2).fit(None).k == 2
