from __future__ import annotations

import os
import shutil
import threading

import pytest

from sklearn_groupcross import GroupCrosscoder, OrbitStore
from sklearn_groupcross._locks import owner_of
from sklearn_groupcross.cli import main
from sklearn_groupcross.cli._lock import LOCK, hold_folder
from tests.cli.runs import EXTRACTION, RESULTS, bits, run, run_arguments


def test_two_runs_into_one_folder(folder, tmp_path, capsys, monkeypatch):
    out = tmp_path / "out"
    save = GroupCrosscoder.save

    def second_run(self, path):
        for command in (
            [*run_arguments(folder, out), "--seed", "1", "--overwrite"],
            ["demo", "--out", str(out), "--overwrite"],
        ):
            assert main(command) == 2
            error = capsys.readouterr().err.splitlines()[-1]
            assert f"process {os.getpid()} on " in error
            assert str(out) in error
        save(self, path)

    monkeypatch.setattr(GroupCrosscoder, "save", second_run)
    assert run(folder, out) == 0
    assert sorted(os.listdir(out)) == sorted(RESULTS)
    assert GroupCrosscoder.load(out / "crosscoder.safetensors").random_state == 0


def test_every_command_that_writes_to_a_folder_is_refused(whole, folder, tmp_path, capsys):
    out = tmp_path / "out"
    shutil.copytree(whole, out)
    before, model = bits(out), str(out / "crosscoder.safetensors")
    commands = [
        run_arguments(folder, out),
        ["fit", str(out / "orbits"), "--out", str(out)],
        ["analyze", model],
        ["report", model],
    ]
    with hold_folder(out):
        owner = owner_of(out / LOCK)
        for command in commands:
            assert main([*command, "--quiet"]) == 2
            error = capsys.readouterr().err.splitlines()[-1]
            assert f"Another command writes to {out} ({owner})" in error
    assert bits(out) == before


def test_an_extraction_waits_for_who_writes_a_chunk(folder, tmp_path):
    store = tmp_path / "photographs.orbits"
    command = ["extract", str(folder), *EXTRACTION, "--out", str(store)]
    assert main(command) == 0
    OrbitStore(store).discard([0])
    writer = OrbitStore(store).writer(0)
    writer.__enter__()
    leave = threading.Timer(1.0, writer.__exit__, (None, None, None))
    leave.start()
    who = f"It is held by process {os.getpid()} on .* What is left is waited for"
    with pytest.warns(RuntimeWarning, match=who) as told:
        assert main(command) == 0
    assert len(told) == 1
    leave.join()
    assert OrbitStore(store).verify().ok
