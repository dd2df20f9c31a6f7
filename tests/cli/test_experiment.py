from __future__ import annotations

import signal
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest

from sklearn_groupcross import Cyclic, Dihedral, GroupCrosscoder
from sklearn_groupcross.cli import main
from sklearn_groupcross.cli._experiment import RESULTS, _quarters, turns_of_interest
from sklearn_groupcross.crosscoder._trainer import Trainer
from sklearn_groupcross.groups import Quaternion
from tests.cli.runs import run


def test_the_same_seed_gives_the_same_table(folder, tmp_path):
    tables = []
    for name in "ab":
        assert run(folder, tmp_path / name) == 0
        tables.append((tmp_path / name / "features.csv").read_text(encoding="utf-8"))
    assert tables[0] == tables[1]


def contents(folder):
    return {path.name: path.read_bytes() for path in folder.iterdir()}


STAGES = (
    "sklearn_groupcross.GroupCrosscoder.save",
    "sklearn_groupcross.SymmetryAnalyzer.fit",
    "sklearn_groupcross.cli._experiment.write_report",
    "sklearn_groupcross.cli._results._write_record",
    "sklearn_groupcross.cli._results._move",
)


def interrupted(*args, **kwargs):
    raise KeyboardInterrupt


def test_a_run_that_ends_early_keeps_the_old_results_and_goes_on(folder, tmp_path, monkeypatch):
    """Stopped at any stage after training: nothing is lost, and it ends with the same bits."""
    whole, out = tmp_path / "whole", tmp_path / "out"
    small = ["--features", "4", "--k", "2"]  # too few for a map, which takes longest
    assert run(folder, whole, *small) == 0
    out.mkdir()
    old = dict.fromkeys(RESULTS, b"old")
    for name in RESULTS:
        (out / name).write_text("old", encoding="utf-8")
    assert run(folder, out, *small) == 2
    for stage in STAGES:
        with monkeypatch.context() as patch:
            patch.setattr(stage, interrupted)
            assert run(folder, out, "--overwrite", *small) == 130
        # training is done, and not again
        monkeypatch.setattr(Trainer, "train_on", lambda *args: pytest.fail("it trains again"))
        left = contents(out)
        (checkpoint,) = set(left) - {*RESULTS, *hidden(left)}
        assert checkpoint.endswith(".checkpoint.safetensors")
        assert {name: left[name] for name in RESULTS} == old
        assert stage.endswith("_move") or not hidden(left)
    # the last one's results were complete: it may replace them, and does so without being told
    assert run(folder, out, *small) == 0
    assert contents(out) == contents(whole)


def hidden(names):
    return {name for name in names if name.startswith(".")}


def test_ctrl_c_in_training_can_be_taken_up_again(folder, tmp_path, capsys, monkeypatch):
    train_on = Trainer.train_on

    def interrupted(self, batch):
        assert signal.getsignal(signal.SIGINT) is not signal.default_int_handler
        signal.raise_signal(signal.SIGINT)  # to this thread, before it goes on
        train_on(self, batch)

    out = tmp_path / "out"
    with monkeypatch.context() as patch:
        patch.setattr(Trainer, "train_on", interrupted)
        assert run(folder, out) == 130
    (saved,) = out.iterdir()
    assert str(saved) in capsys.readouterr().err
    assert GroupCrosscoder.load(saved).n_steps_ == 1
    assert run(folder, out) == 0  # the same command goes on from there
    assert not saved.exists()
    whole = tmp_path / "whole"
    assert run(folder, whole) == 0
    resumed, at_once = (GroupCrosscoder.load(o / "crosscoder.safetensors") for o in (out, whole))
    np.testing.assert_array_equal(resumed.components_, at_once.components_)


def test_ctrl_c_at_the_second_seed_keeps_the_first(folder, tmp_path, monkeypatch):
    fit = GroupCrosscoder.fit

    def interrupted(self, *args):
        if self.random_state == 1:
            raise KeyboardInterrupt
        return fit(self, *args)

    out = tmp_path / "out"
    seeds = ["--seeds", "2"]
    with monkeypatch.context() as patch:
        patch.setattr(GroupCrosscoder, "fit", interrupted)
        assert run(folder, out, *seeds) == 130
    (first,) = out.iterdir()
    assert GroupCrosscoder.load(first).random_state == 0
    assert run(folder, out, *seeds) == 0
    assert set(contents(out)) == set(RESULTS)
    table = pd.read_csv(out / "features.csv", index_col="feature")
    dead = GroupCrosscoder.load(out / "crosscoder.safetensors").components_.any(axis=1) == 0
    assert table["found_again"][~dead].isin([0.0, 1.0]).all()


def test_quarters_of_images_count_as_images():
    dataset = SimpleNamespace(
        positions=np.array([[1, 1], [-1, 1], [-1, -1], [1, -1]], dtype=np.float32),
        image_ids=np.array([0, 0, 1, 1]),
    )
    assert _quarters(dataset).tolist() == [3, 1, 4, 6]


def test_run_on_real_weights_and_photographs(shared_data, tmp_path, capsys):
    images = [str(p) for p in sorted((shared_data / "images").glob("*.jpg"))[::40]]
    weights = str(shared_data / "bvlc_googlenet.safetensors")
    network = ["--network", "bvlc_googlenet", "--weights", weights, "--held-out", "3"]
    size = ["--group", "dihedral:4", "--positions", "60", "--features", "128", "--k", "16"]
    out = tmp_path / "out"
    assert main(["run", *images, *network, *size, "--epochs", "80", "--out", str(out)]) == 0
    lines = capsys.readouterr().out.splitlines()
    (held_out,) = [line.split()[-1] for line in lines if "unexplained, held out" in line]
    # 1,020 orbits teach little, but far more than the mean
    assert float(held_out) < 0.9
    table = pd.read_csv(out / "features.csv", index_col="feature")
    assert (table["frequency"] > 0).sum() > 64


@pytest.mark.parametrize(
    ("group", "turns"),
    [
        (Dihedral(16), {"p(22.5°)": 1, "p(45°)": 2, "p(90°)": 4, "p(180°)": 8}),
        (Cyclic(8), {"p(45°)": 1, "p(90°)": 2, "p(180°)": 4}),
        (Cyclic(3), {"p(120°)": 1}),
        (Dihedral(1), {}),
        (Quaternion(), {}),
    ],
)
def test_turns_of_a_table_are_the_smallest_and_some_that_people_know(group, turns):
    assert turns_of_interest(group) == turns
    assert [group.degrees(turn) for turn in turns.values()] == [float(name[2:-2]) for name in turns]
