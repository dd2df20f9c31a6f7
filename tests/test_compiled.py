"""What is left of numba's cache on disk never makes a fit fail."""

import os
import re
import subprocess
import sys
import warnings

import numba
import numpy as np
import pytest

from sklearn_groupcross import _compiled
from sklearn_groupcross._compiled import compiled, keeping

SOURCE = """
def add(values, out):
    for i in range(len(values)):
        out[i] = values[i] + {number}
"""


@pytest.fixture
def make(tmp_path, monkeypatch):
    """Make a compiled loop of a source file, as a process that has just begun would."""
    monkeypatch.setenv("NUMBA_CACHE_DIR", str(tmp_path / "cache"))
    monkeypatch.setattr("numba.core.config.CACHE_DIR", str(tmp_path / "cache"))
    path = tmp_path / "loops.py"

    def make_loop(number=1):
        text = SOURCE.format(number=number)
        if not path.exists() or path.read_text(encoding="utf-8") != text:
            path.write_text(text, encoding="utf-8")
        names = {"__name__": "loops"}  # which a pickle of the loop names
        exec(compile(text, str(path), "exec"), names)
        _compiled._warned.clear()
        return compiled(names["add"])

    return make_loop


def call(loop):
    out = np.zeros(3)
    loop(np.arange(3.0), out)
    return out.tolist()


def warnings_of(loop):
    """Those of ours; numba itself meets others, of which it says nothing."""
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        assert call(loop) == [1, 2, 3]
    return [each for each in caught if issubclass(each.category, RuntimeWarning)]


def files(tmp_path, ending):
    return sorted((tmp_path / "cache").rglob(f"*.{ending}"))


def hits(loop):
    return sum(loop.stats.cache_hits.values())


def test_code_is_kept_and_found(make, tmp_path):
    first = make()
    assert call(first) == [1, 2, 3]
    assert hits(first) == 0
    assert len(files(tmp_path, "nbi")) == len(files(tmp_path, "nbc")) == 1
    again = make()
    assert call(again) == [1, 2, 3]
    assert hits(again) == 1


def test_code_of_another_source_is_not_taken(make):
    assert call(make()) == [1, 2, 3]
    other = make(number=10)
    assert call(other) == [10, 11, 12]
    assert hits(other) == 0


DAMAGES = [
    lambda content: b"",
    lambda content: content[: len(content) // 2],
    lambda content: content[:-9] + bytes([content[-9] ^ 128]) + content[-8:],
    lambda content: b"not a pickle at all, however long it may be",
]


@pytest.mark.parametrize("ending", ["nbi", "nbc"])
def test_damaged_files_are_compiled_anew_with_a_warning_and_mended(make, tmp_path, ending):
    call(make())
    (file,) = files(tmp_path, ending)
    for damage in DAMAGES:
        file.write_bytes(damage(file.read_bytes()))
        loop = make()
        (said,) = warnings_of(loop)
        assert re.search(rf"{re.escape(file.name)}, is damaged .*compiled anew", str(said.message))
        assert said.filename == __file__
        mended = make()
        assert warnings_of(mended) == []
        assert hits(mended) == 1


@pytest.mark.parametrize("ending", ["nbi", "nbc"])
def test_files_that_are_gone_are_written_again(make, tmp_path, ending):
    call(make())
    files(tmp_path, ending)[0].unlink()
    assert call(make()) == [1, 2, 3]
    again = make()
    call(again)
    assert hits(again) == 1


@pytest.mark.parametrize("error", [OSError(28, "No space left on device"), PermissionError("no")])
def test_what_cannot_be_written_is_not_kept(make, tmp_path, monkeypatch, error):
    def fail(*_):
        raise error

    monkeypatch.setattr(_compiled._CheckedFiles, "_write", fail)
    (said,) = warnings_of(make())
    assert "cannot be written" in str(said.message)
    assert files(tmp_path, "nbc") == []


def test_nowhere_to_keep_code(make, monkeypatch):
    def refuse(*_):
        raise RuntimeError("cannot cache function: no locator available")

    monkeypatch.setattr(_compiled, "_Kept", refuse)
    (said,) = warnings_of(make())
    assert "can be written to no folder; NUMBA_CACHE_DIR" in str(said.message)


def test_warnings_that_are_errors_do_not_make_a_fit_fail(make, tmp_path):
    call(make())
    files(tmp_path, "nbi")[0].write_bytes(b"")
    loop = make()
    with warnings.catch_warnings():
        warnings.simplefilter("error", RuntimeWarning)
        assert call(loop) == [1, 2, 3]


def test_a_loop_of_the_package_whose_files_are_cut_off(tmp_path):
    code = (
        "import numpy as np\n"
        "from sklearn_groupcross.crosscoder._active import _kernels\n"
        "columns, starts = np.zeros(3, np.int64), np.array([0, 3])\n"
        "out = np.zeros(3, np.int64), np.zeros(3, np.int64), np.zeros(3, np.int64)\n"
        "_kernels.sort_by_column(starts, columns, *out)\n"
        "print(*out)\n"
    )
    environment = {**os.environ, "NUMBA_CACHE_DIR": str(tmp_path)}

    def run():
        command = [sys.executable, "-c", code]
        done = subprocess.run(command, env=environment, capture_output=True, text=True, check=True)
        return done.stdout, done.stderr

    first = run()
    kept = [*tmp_path.rglob("*.nbi"), *tmp_path.rglob("*.nbc")]
    assert len(kept) == 2
    for file in kept:
        file.write_bytes(file.read_bytes()[:100])
    again = run()
    assert again[0] == first[0]
    assert again[1].count("RuntimeWarning: The cache of compiled loops") == 1


def test_loops_of_others_are_kept_while_that_is_asked_for(make, tmp_path):
    for n_hits in (0, 1):
        loop = numba.njit(make().py_func)
        before = loop._cache
        with keeping([loop, make(), make().py_func, None]):
            assert call(loop) == [1, 2, 3]
        assert loop._cache is before
        assert hits(loop) == n_hits
        assert len(files(tmp_path, "nbc")) == 1
    loop = numba.njit(make().py_func)
    assert call(loop) == [1, 2, 3]
    assert hits(loop) == 0
