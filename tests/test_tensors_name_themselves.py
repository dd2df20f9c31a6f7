"""Every tensor that the package makes names its dtype and its device.

Those of a host program are its own: `torch.set_default_dtype(torch.float64)` would change results,
`torch.set_default_device("meta")` would take the values away.
"""

import ast
from pathlib import Path

import pytest

import sklearn_groupcross

ROOT = Path(sklearn_groupcross.__file__).parent
DRAWN_AS_INTEGERS = {"randint", "randperm"}
MAKE_TENSORS = DRAWN_AS_INTEGERS | {
    "arange", "as_tensor", "asarray", "empty", "eye", "full", "linspace", "logspace", "normal",
    "ones", "rand", "randn", "scalar_tensor", "tensor", "zeros",
}  # fmt: skip
# Modules of networks are made by others as well, who may want them elsewhere: what loads them says
# where (`made_plain`).
MODULES = {"networks/_bvlc_googlenet.py", "networks/_inceptionv1.py", "networks/bundled.py"}


def unnamed(path):
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if not (isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute)):
            continue
        is_torch = isinstance(node.func.value, ast.Name) and node.func.value.id == "torch"
        if not is_torch or node.func.attr not in MAKE_TENSORS:
            continue
        named = {keyword.arg for keyword in node.keywords}
        wanted = {"device"} if node.func.attr in DRAWN_AS_INTEGERS else {"device", "dtype"}
        if None not in named and not wanted <= named:  # None: named together, as **options
            yield f"{path.name}:{node.lineno}: {ast.unparse(node)}"


def files():
    paths = sorted(ROOT.rglob("*.py"))
    return [path for path in paths if path.relative_to(ROOT).as_posix() not in MODULES]


@pytest.mark.parametrize("path", files(), ids=lambda path: path.stem)
def test_dtype_and_device_are_named(path):
    assert list(unnamed(path)) == []
