from __future__ import annotations

import os

from sklearn_groupcross import GroupCrosscoder
from sklearn_groupcross.cli import main
from tests.cli.runs import RESULTS, run, run_arguments


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
