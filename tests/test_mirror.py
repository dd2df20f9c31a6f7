"""Every module has its test file, or docs/development.rst says by what it is tested, and why."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
PACKAGE, TESTS = ROOT / "sklearn_groupcross", ROOT / "tests"
PAGE = (ROOT / "docs" / "development.rst").read_text(encoding="utf-8")
SECTION = re.search(r"\nWhere tests are\n-+\n(.*?)(?=\n[^\n]+\n---)", PAGE, re.DOTALL)[1]
#: Of these the section says why they are as they are.
REASONS = re.findall(r"^- .*(?:\n  .*)*", SECTION, re.MULTILINE)


def mirror_of(module: str) -> str:
    """``crosscoder/_active/_kernels.py`` has ``crosscoder/active/test_kernels.py``."""
    *rooms, name = module.split("/")
    return "/".join([*(room.lstrip("_") for room in rooms), f"test_{name.lstrip('_')}"])


def named_modules(text: str) -> set[str]:
    """Modules of the package; one that is mentioned without its room is of those around it."""
    named = set(re.findall(r"``(?!tests/)([\w/]+\.py)``", text))
    return {name for name in named if name in MODULES or "/" in name}


def named_tests(text: str) -> set[str]:
    return set(re.findall(r"``tests/([\w/]+\.py)``", text))


def files(folder: Path, pattern: str) -> set[str]:
    return {path.relative_to(folder).as_posix() for path in folder.rglob(pattern)}


MODULES = {path for path in files(PACKAGE, "*.py") if not path.rpartition("/")[2].startswith("__")}
TEST_FILES = {path for path in files(TESTS, "test_*.py") if not path.startswith("tools/")}
EXCUSED = set().union(*map(named_modules, REASONS))


def test_every_module_has_tests_or_a_reason():
    alone = {module for module in MODULES if mirror_of(module) not in TEST_FILES}
    assert alone - EXCUSED == set(), "without a test file or a sentence in docs/development.rst"
    assert EXCUSED - alone == set(), "in docs/development.rst, but gone or with a test file"


def test_every_test_file_is_of_a_module_or_has_a_reason():
    others = TEST_FILES - set(map(mirror_of, MODULES))
    told = set().union(*map(named_tests, REASONS))
    assert others - told == set(), "of no module, and not in docs/development.rst"
    assert {path for path in named_tests(SECTION) if not (TESTS / path).exists()} == set()


def test_no_two_modules_share_a_test_file():
    mirrors = [mirror_of(module) for module in MODULES]
    assert len(set(mirrors)) == len(mirrors)


@pytest.mark.parametrize("reason", [r for r in REASONS if named_modules(r)], ids=lambda r: r[2:40])
def test_a_reason_names_the_tests_that_stand_in(reason):
    assert named_tests(reason)


def test_a_module_and_a_test_file_too_many_would_be_seen(monkeypatch):
    module = globals()
    monkeypatch.setitem(module, "MODULES", MODULES | {"orbits/_new.py"})
    with pytest.raises(AssertionError, match="without a test file"):
        test_every_module_has_tests_or_a_reason()
    monkeypatch.setitem(module, "TEST_FILES", TEST_FILES | {"orbits/test_new.py"})
    test_every_module_has_tests_or_a_reason()
    monkeypatch.setitem(module, "MODULES", MODULES - {"orbits/_new.py"})
    with pytest.raises(AssertionError, match="of no module"):
        test_every_test_file_is_of_a_module_or_has_a_reason()
