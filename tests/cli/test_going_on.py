"""Signals in every stage: what is kept is said, and the command that goes on."""

from __future__ import annotations

import argparse
import errno
import os
import shlex
import signal

import pytest

from sklearn_groupcross import OrbitDataset, SymmetryAnalyzer, cli
from sklearn_groupcross.cli import _report, main
from sklearn_groupcross.cli._going_on import command_line, saying_how_to_go_on, with_the_way_on
from sklearn_groupcross.cli._signals import Stopped
from sklearn_groupcross.crosscoder._trainer import Trainer
from tests.cli.runs import EXTRACTION, bits, run, run_arguments

#: Where a signal comes, before which call, and what is said to be kept.
STAGES = [
    (OrbitDataset, "read_orbits", 3, ["orbits of 2 of 6 images in"]),
    (Trainer, "train_on", 3, ["orbits of 6 of 6", "the state of training in"]),
    (Trainer, "train_on", 4, ["crosscoder.safetensors", "the state of training in"]),
    (SymmetryAnalyzer, "fit", 1, ["crosscoder-seed1.safetensors"]),
    (_report, "write_report", 1, ["features.csv"]),
]


@pytest.fixture
def signals_end():
    """Signals end a process, as they do unless it was started under nohup."""
    numbers = [getattr(signal, name) for name in ("SIGTERM", "SIGHUP") if hasattr(signal, name)]
    before = {number: signal.signal(number, signal.SIG_DFL) for number in numbers}
    yield
    for number, handler in before.items():
        signal.signal(number, handler)


def sent_at(number, owner, name, call, patch):
    before, calls = getattr(owner, name), [0]

    def stopped(*args, **kwargs):
        calls[0] += 1
        if calls[0] == call:
            signal.raise_signal(number)
        return before(*args, **kwargs)

    patch.setattr(owner, name, stopped)


@pytest.mark.skipif(not hasattr(signal, "SIGHUP"), reason="Windows ends processes without asking")
@pytest.mark.usefixtures("signals_end")
def test_a_signal_in_every_stage(folder, whole, tmp_path, capsys, monkeypatch):
    """One after the other, each time the command that is said: the results are those of one run."""
    out = tmp_path / "out"
    command = run_arguments(folder, out)
    signals = ["SIGTERM", "SIGINT", "SIGHUP", "SIGTERM", "SIGTERM"]
    for name, (owner, function, call, kept) in zip(signals, STAGES, strict=True):
        number = getattr(signal, name)
        with monkeypatch.context() as patch:
            sent_at(number, owner, function, call, patch)
            assert main(command) == 128 + number
        last = capsys.readouterr().err.splitlines()[-1]
        assert ("interrupted" if name == "SIGINT" else name) in last
        for words in kept:
            assert words in last
        program, *command = shlex.split(last.partition("To go on: ")[2])
        assert program == "groupcross"
        assert last in (out / "run.log").read_text(encoding="utf-8").replace(
            "ERROR ", "ERROR groupcross: "
        )
    assert main(command) == 0
    assert bits(out) == bits(whole)


@pytest.mark.usefixtures("signals_end")
def test_a_signal_in_extract(folder, tmp_path, capsys, monkeypatch):
    command = ["extract", str(folder), *EXTRACTION, "--out", str(tmp_path / "a b")]
    with monkeypatch.context() as patch:
        sent_at(signal.SIGTERM, OrbitDataset, "read_orbits", 2, patch)
        assert main(command) == 143
    last = capsys.readouterr().err.splitlines()[-1]
    assert f"orbits of 1 of 6 images in {tmp_path / 'a b'}" in last
    assert shlex.split(last.partition("To go on: ")[2])[1:] == command


@pytest.mark.usefixtures("signals_end")
@pytest.mark.parametrize("name", ["SIGTERM", "SIGINT"])
def test_another_signal_while_the_first_is_told_ends_it(folder, tmp_path, monkeypatch, name):
    """As those of an impatient person, or of what starts jobs: no traceback."""
    number = getattr(signal, name)
    with monkeypatch.context() as patch:
        sent_at(number, OrbitDataset, "read_orbits", 2, patch)
        sent_at(number, cli, "complain", 1, patch)
        assert main(run_arguments(folder, tmp_path / "out")) == 128 + number


def test_before_anything_is_kept_nothing_stays(folder, tmp_path, capsys, monkeypatch):
    with monkeypatch.context() as patch:
        sent_at(signal.SIGINT, OrbitDataset, "read_orbits", 1, patch)
        assert run(folder, tmp_path / "out") == 130
    assert "Nothing is kept. To begin again: groupcross run" in capsys.readouterr().err
    assert not (tmp_path / "out").exists()


def test_interrupts_stay_what_they_are():
    options = argparse.Namespace(typed_command=["run", "a b"])
    assert command_line(options) == "groupcross run 'a b'"
    with (
        pytest.raises(KeyboardInterrupt, match="Kept: this. To go on: groupcross run 'a b'"),
        saying_how_to_go_on(options, lambda: ["", "this"]),
    ):
        raise KeyboardInterrupt("of fit")
    with (
        pytest.raises(Stopped, match="SIGTERM. Nothing is kept") as stop,
        saying_how_to_go_on(options, lambda: [""]),
    ):
        raise Stopped(signal.SIGTERM)
    assert stop.value.number == signal.SIGTERM
    with pytest.raises(ValueError, match="^a mistake$"), saying_how_to_go_on(options, os.listdir):
        raise ValueError("a mistake")


@pytest.mark.parametrize(
    ("kept", "says"),
    [
        (["a model"], "Kept: a model. To go on once that is mended: groupcross fit 'a b'"),
        ([], "Nothing is kept. To begin again once that is mended: groupcross fit 'a b'"),
    ],
)
def test_before_an_error_of_the_system_it_is_said_too(capsys, kept, says):
    def full():
        with saying_how_to_go_on(options, lambda: kept):
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), "out/model")

    options = argparse.Namespace(typed_command=["fit", "a b"])
    with pytest.raises(OSError, match="out/model"):
        full()
    assert capsys.readouterr().err == f"{says}\n"


def test_what_is_stopped_before_or_after_the_work_says_the_command():
    options = argparse.Namespace(typed_command=["fit", "a b"])
    said = "stopped by SIGTERM. Nothing is kept. To begin again: groupcross fit 'a b'"
    assert with_the_way_on(said, options) == said
    assert with_the_way_on("interrupted.", options) == "interrupted. To go on: groupcross fit 'a b'"


def test_what_is_stopped_before_it_is_understood_says_the_command(monkeypatch, capsys):
    """Loading what reads the arguments takes a while."""

    def stopped(*_):
        raise Stopped(signal.SIGTERM)

    monkeypatch.setattr(cli, "parse", stopped)
    assert main(["fit", "a b"]) == 143
    assert capsys.readouterr().err == (
        "\ngroupcross: stopped by SIGTERM. To go on: groupcross fit 'a b'\n"
    )


def test_a_signal_that_a_library_takes_for_an_error_is_one(monkeypatch, capsys):
    """As matplotlib's compiled code does, which was then said to be given an invalid box."""

    def work(options):
        with saying_how_to_go_on(options, lambda: ["half of it"]):
            try:
                signal.raise_signal(signal.SIGTERM)
            except Stopped:
                raise ValueError("Invalid bounding box") from None

    options = argparse.Namespace(typed_command=["fit", "a b"], command=work)
    monkeypatch.setattr(cli, "parse", lambda *_: options)
    assert main(["fit", "a b"]) == 143
    assert "stopped by SIGTERM. Kept: half of it. To go on: groupcross fit 'a b'" in (
        capsys.readouterr().err
    )
