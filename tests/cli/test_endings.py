from __future__ import annotations

import os
import signal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sklearn_groupcross.cli._endings import (
    check_working_folder,
    in_one_line,
    is_of_the_user,
    status_of_signal,
)
from sklearn_groupcross.cli._signals import Stopped
from tests.cli.runs import run


def test_ctrl_c_before_training_leaves_nothing(folder, tmp_path, capsys, monkeypatch):
    def interrupted(*args, **kwargs):
        raise KeyboardInterrupt

    monkeypatch.setattr("sklearn_groupcross.orbits.OrbitDataset.read_orbits", interrupted)
    assert run(folder, tmp_path / "out") == 130
    assert "interrupted" in capsys.readouterr().err
    assert not (tmp_path / "out").exists()


def test_a_fault_of_the_program_is_not_a_users_mistake(folder, tmp_path, monkeypatch):
    def faulty(*args, **kwargs):
        raise RuntimeError("a bug")

    monkeypatch.setattr("sklearn_groupcross.orbits.OrbitDataset.read_orbits", faulty)
    with pytest.raises(RuntimeError, match="a bug"):
        run(folder, tmp_path / "out")


class OutOfMemoryError(RuntimeError):
    """As torch names it for GPUs."""


@pytest.mark.parametrize(
    ("error", "expected"),
    [
        (ValueError("a value"), True),
        (FileNotFoundError(2, "No such file"), True),
        (ImportError("matplotlib"), True),
        (MemoryError(), True),
        (OutOfMemoryError("CUDA"), True),
        (RuntimeError("DefaultCPUAllocator: can't allocate memory"), True),
        (RuntimeError("shapes do not fit"), False),
        (TypeError("a type"), False),
        (KeyError("a key"), False),
        (AssertionError(), False),
    ],
)
def test_whose_fault_an_error_is(error, expected):
    assert is_of_the_user(error) == expected


@given(st.text())
def test_whatever_is_said_is_one_line(text):
    said = in_one_line(ValueError(text))
    assert len(said.splitlines()) <= 1
    assert said.isprintable()
    plain = " ".join(word for word in text.split(" ") if word)
    if plain.isascii() and plain.isprintable():
        assert said == plain


@pytest.mark.parametrize(
    ("error", "said"),
    [
        (KeyboardInterrupt("Saved as a."), "interrupted. Saved as a."),
        (MemoryError("74 GiB"), "Not enough memory. 74 GiB"),
        (OSError(28, "No space left", "a b"), "No space left: 'a b'"),
        (OSError(18, "Other device", "a", None, "b"), "Other device: 'a' -> 'b'"),
        (ValueError("two\n\tlines\x1b[31m"), "two lines\\u001b[31m"),
    ],
)
def test_errors_of_the_system_name_their_files(error, said):
    assert in_one_line(error) == said


def test_statuses_are_those_of_shells():
    assert status_of_signal(KeyboardInterrupt()) == 130
    assert status_of_signal(Stopped(signal.SIGTERM)) == 143


def test_a_folder_that_is_gone_is_said(monkeypatch):
    def gone():
        raise FileNotFoundError

    check_working_folder()
    monkeypatch.setattr(os, "getcwd", gone)
    with pytest.raises(FileNotFoundError, match="does not exist any more: change to another"):
        check_working_folder()
