"""The metadata name what the package imports, and the checks install what README says."""

from __future__ import annotations

import ast
import configparser
import re
import sys
from pathlib import Path

import pytest

import sklearn_groupcross

PACKAGE = Path(sklearn_groupcross.__file__).parent
ROOT = Path(__file__).parents[1]
# Imported under another name than they are installed by.
NAMES = {
    "PIL": "pillow",
    "lucent": "torch-lucent",
    "sklearn": "scikit-learn",
    "tomli_w": "tomli-w",
    "umap": "umap-learn",
}
# Brought by numba and by torch, which say of what versions.
BROUGHT = {"llvmlite": "numba", "triton": "torch"}


@pytest.fixture(scope="module")
def metadata():
    parser = configparser.ConfigParser()
    parser.read(ROOT / "setup.cfg", encoding="utf-8")
    return parser


def distributions(text):
    lines = [line.strip() for line in text.splitlines()]
    return {re.split(r"[><=\[; ]", line)[0] for line in lines if line and line[0] not in "#%"}


def imported(folder):
    """Top names of what modules import, and the rooms that do."""
    for path in folder.rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Import):
                names = [alias.name for alias in node.names]
            elif isinstance(node, ast.ImportFrom) and not node.level:
                names = [str(node.module)]
            else:
                continue
            for name in names:
                yield name.split(".")[0], path.relative_to(folder).parts[0]


def test_what_is_imported_is_required(metadata):
    required = distributions(metadata["options"]["install_requires"])
    extras = metadata["options.extras_require"]
    rooms = {
        "orbits": required | distributions(extras["microscopy"]) | distributions(extras["remote"]),
        "plotting": required | distributions(extras["plot"]),
        "report": required | distributions(extras["report"]),
        "visualization": required | distributions(extras["lucent"]),
        "testing.py": required | distributions(extras["test"]),
        "_workers.py": required | distributions(extras["clusters"]),
    }
    for name, room in set(imported(PACKAGE)):
        if name in sys.stdlib_module_names or name == PACKAGE.name:
            continue
        wanted = BROUGHT.get(name, NAMES.get(name, name))
        assert wanted in rooms.get(room, required), (name, room)


def test_what_is_required_is_imported(metadata):
    names = {NAMES.get(name, name) for name, _ in imported(PACKAGE)}
    assert distributions(metadata["options"]["install_requires"]) <= names


def test_the_checks_install_what_readme_says():
    readme, script, sessions = (
        (ROOT / name).read_text(encoding="utf-8") for name in ("README.md", ".ci/run", "noxfile.py")
    )
    (requirement,) = re.findall(r'pip install "(.*?)" && python -m pytest', readme)
    assert f'pip install --quiet "{requirement}"' in script
    assert f'TESTED = "{requirement}"' in sessions


def test_pythons_are_told_alike(metadata):
    classifiers = metadata["metadata"]["classifiers"]
    first, *_, last = re.findall(r"Python :: (3\.\d+)", classifiers)
    assert metadata["options"]["python_requires"] == f">={first}"
    told = f"Python {first} to {last}"
    for name in ("README.md", "docs/install.rst", "CHANGES.md"):
        assert told in (ROOT / name).read_text(encoding="utf-8"), name
    workflow = (ROOT / ".github" / "workflows" / "tests.yml").read_text(encoding="utf-8")
    assert f'python: ["{first}", "{last}"]' in workflow


def test_what_development_takes_is_locked_with_hashes_and_names_no_index(metadata):
    """Written by ``nox -s lock``."""
    text = (ROOT / "requirements" / "dev.txt").read_text(encoding="utf-8")
    assert "://" not in text
    assert "--index" not in text
    entries = re.split(r"\n(?=[a-z0-9])", text.strip())
    assert all("--hash=sha256:" in entry for entry in entries)
    locked = {re.split(r"[=\[; ]", entry)[0] for entry in entries}
    extras = metadata["options.extras_require"]
    wanted = [metadata["options"]["install_requires"], *map(extras.get, ("test", "lint", "docs"))]
    names = set().union(*map(distributions, wanted)) - {"tomli"}  # of older Pythons
    assert {name.partition("[")[0] for name in names} <= locked
