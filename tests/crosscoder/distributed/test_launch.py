"""Whole fits by several processes, against fits by one."""

from __future__ import annotations

import os
import pickle
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
import torch
import torch.distributed as dist

from sklearn_groupcross import GroupCrosscoder, crosscoder_path
from sklearn_groupcross.crosscoder._distributed import _launch
from tests.crosscoder.distributed.worlds import (
    LONG,
    World,
    arrays,
    build,
    fit_all,
    found,
    orbits,
)

# Atoms that are dead for a while, whatever brings them back.
_TOPK = {"activation": "topk", "k": 4}
CASES = {
    "topk": {**_TOPK, **LONG},
    "topk-compressed": {**_TOPK, **LONG, "compression": 0.8, "augment": True},
    "relu": {"l1": 0.05, **LONG},
    "relu-compressed": {"l1": 0.05, **LONG, "compression": 0.8},
    "auxk": {**_TOPK, "n_features": 600, "k": 1},
    "resample": {"l1": 1.0, "n_features": 200, "max_epochs": 10},
    "jumprelu": {"activation": "jumprelu", "l1": 0.1},
    "stopped-early": {**_TOPK, "early_stopping": True, "max_epochs": 8},
    "whole-orbit": {**_TOPK, "encoder_input": "orbit"},
    "sparse-step": {**_TOPK, "n_features": 1501, "max_epochs": 2},
    "unequal": {**_TOPK, "batch_size": 77},
}
# A ReLU's gradient jumps where a code begins: there a change of the last bit of a few of the data
# moves atoms by up to 1e-3 in one process, too. That is seen in products of numbers, not in angles.
JUMPS = ("relu", "relu-compressed", "resample", "jumprelu")


def largest_difference(one, other):
    return float(np.abs(one - other).max() / np.abs(one).max())


def smallest_cosine(one, other):
    norms = np.linalg.norm(one, axis=1) * np.linalg.norm(other, axis=1)
    return float(((one * other).sum(axis=1)[norms > 0] / norms[norms > 0]).min())


@pytest.mark.parametrize(
    ("size", "parallel", "names"),
    [
        (2, "data", ["topk-compressed", "relu", "auxk", "unequal"]),
        (2, "atoms", ["topk", "resample", "whole-orbit", "unequal"]),
        pytest.param(2, "data", list(CASES), marks=pytest.mark.slow),
        pytest.param(2, "atoms", list(CASES), marks=pytest.mark.slow),
        pytest.param(4, "data", ["topk", "unequal"], marks=pytest.mark.slow),
        pytest.param(3, "atoms", ["resample", "unequal"], marks=pytest.mark.slow),
    ],
)
def test_the_atoms_are_those_of_one_process(size, parallel, names, tmp_path):
    cases = {name: CASES[name] for name in names}
    together = {name: {**case, "parallel": parallel} for name, case in cases.items()}
    fit_all(together, size, tmp_path)
    for name, case in cases.items():
        alone, learned = arrays(build(**case).fit(orbits())), found(tmp_path, name)
        pair = [each["components_"].astype(float) for each in (alone, learned)]
        assert smallest_cosine(*pair) > 1 - 1e-5, name
        if name not in JUMPS:
            for attribute in ("components_", "encoder_", "intercept_"):
                difference = largest_difference(alone[attribute], learned[attribute])
                assert difference < 1e-5, (name, attribute)
        for number in ("loss", "fvu", "l0"):
            np.testing.assert_allclose(learned[number], alone[number], rtol=1e-3, err_msg=name)
        np.testing.assert_array_equal(learned["dead"], alone["dead"], err_msg=name)
        for rank in range(1, size):
            other = found(tmp_path, name, rank)
            assert all(np.array_equal(learned[each], other[each]) for each in learned), name


def test_the_cases_reach_what_they_are_for():
    for case in ("auxk", "resample"):
        assert max(build(**CASES[case]).fit(orbits()).history_["dead"]) > 0


@pytest.mark.parametrize("parallel", ["data", pytest.param("atoms", marks=pytest.mark.slow)])
def test_a_killed_process_is_named_and_the_run_goes_on_to_the_same_bits(tmp_path, parallel):
    whole, broken = tmp_path / "whole", tmp_path / "broken"
    whole.mkdir()
    broken.mkdir()
    cases = {"topk": {**_TOPK, "parallel": parallel}}
    fit_all(cases, 2, whole)
    cases["topk"]["checkpoint_dir"] = str(broken / "states")
    world = World(2, cases, broken, seconds_between=0.0, killed=(1, 17))
    (first, said), (second, _) = world.end(timeout=60)
    assert (first, second) == (1, -9)
    assert "LostProcessError: Process 1 of 2 (counted from 0) was lost" in said
    assert len(list((broken / "states").glob("*.safetensors"))) == 1
    fit_all(cases, 2, broken)
    for rank in range(2):
        before, after = found(whole, "topk", rank), found(broken, "topk", rank)
        del before["sent"], after["sent"]  # of each run
        assert all(np.array_equal(before[name], after[name]) for name in before)
    assert list((broken / "states").iterdir()) == []


def test_the_loss_of_the_first_is_named_by_all_others(tmp_path):
    case = {"topk": {**_TOPK, "parallel": "data"}}
    ends = World(3, case, tmp_path, killed=(0, 7)).end(timeout=60)
    assert [status for status, _ in ends] == [-9, 1, 1]
    for _, said in ends[1:]:
        assert "LostProcessError: Process 0 of 3 (counted from 0) was lost" in said


@pytest.mark.skipif(os.name == "nt", reason="signals of POSIX")
@pytest.mark.parametrize("parallel", ["data", "atoms"])
def test_a_signal_to_one_ends_all_after_the_same_step(tmp_path, parallel):
    states = tmp_path / "states"
    case = {**_TOPK, "parallel": parallel, "max_epochs": 400, "checkpoint_dir": str(states)}
    world = World(2, {"topk": case}, tmp_path, seconds_between=0.5)
    while not list(states.glob("*.checkpoint.safetensors")):
        time.sleep(0.1)
    world.signal(1, signal.SIGTERM)
    (first, said), (second, _) = world.end(timeout=60)
    assert (first, second) == (1, -signal.SIGTERM)
    assert "Training stopped after" in said
    assert "fit with the same parameters and data goes on from there" in said


def test_a_process_alone_is_told_how_to_start_others():
    with pytest.raises(ValueError, match=r"parallel='data'.*torchrun --nproc-per-node 2"):
        build(parallel="data").fit(orbits())


def test_processes_that_are_given_something_else_are_told_what(tmp_path):
    case = {"activation": "topk", "k": 4, "parallel": "data", "of_rank": {1: {"k": 5}}}
    (first, said), (second, said_there) = World(2, {"topk": case}, tmp_path).end()
    assert (first, second) == (1, 1)
    same = "All processes must be given the same data and parameters. Different from process 0: [1]"
    assert f"{same}, see their messages" in said
    assert f"{same}: here k=5 (there 4)" in said_there


def test_steps_that_cannot_be_divided_are_refused(tmp_path):
    case = {"activation": "topk", "k": 4, "batch_size": 1}
    cases = {"data": {**case, "parallel": "data"}}
    for status, said in World(2, cases, tmp_path).end():
        assert status == 1
        assert "Steps of 1 samples cannot be divided among 2 processes: raise batch_size" in said


@pytest.fixture
def world_of_one(monkeypatch):
    """As a launcher leaves the environment of its only process."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    told = {"RANK": "0", "WORLD_SIZE": "1", "MASTER_ADDR": "127.0.0.1", "MASTER_PORT": str(port)}
    for name, value in told.items():
        monkeypatch.setenv(name, value)
    _launch._meeting.cache_clear()
    yield
    _launch._meeting.cache_clear()


def test_nothing_of_the_host_program_changes(world_of_one):
    before = sys.excepthook
    expected = build(activation="topk", k=4).fit(orbits())
    for parallel in ("data", "atoms"):
        found = build(activation="topk", k=4, parallel=parallel).fit(orbits())
        np.testing.assert_array_equal(found.components_, expected.components_)
    assert sys.excepthook is before
    assert not dist.is_initialized()


def test_groups_of_the_host_program_are_used_and_stay(world_of_one):
    dist.init_process_group("gloo")
    try:
        found = build(activation="topk", k=4, parallel="data").fit(orbits())
        assert dist.is_initialized()
        number = torch.ones(1)
        dist.all_reduce(number)
    finally:
        dist.destroy_process_group()
    expected = build(activation="topk", k=4).fit(orbits())
    np.testing.assert_array_equal(found.components_, expected.components_)


def test_a_pickled_model_leaves_its_processes_behind(world_of_one):
    fitted = build(parallel="data", max_epochs=1).fit(orbits())
    again = pickle.loads(pickle.dumps(fitted))
    np.testing.assert_array_equal(again.components_, fitted.components_)


def test_one_process_trains_in_portions_and_paths():
    with pytest.raises(ValueError, match="partial_fit trains in one process"):
        build(parallel="data").partial_fit(orbits())
    with pytest.raises(ValueError, match="crosscoder_path does not do parallel"):
        crosscoder_path(build(parallel="data"), orbits(), l1s=[0.1, 0.2])


def test_torchrun_starts_them(tmp_path):
    script = tmp_path / "train.py"
    # A script finds what lies beside it; the tests are not installed.
    root = Path(__file__).parents[3]
    script.write_text(
        f"import sys; sys.path.insert(0, {str(root)!r})\n"
        "from tests.crosscoder.distributed.worlds import build, orbits\n"
        "crosscoder = build(parallel='data', activation='topk', k=4).fit(orbits())\n"
        f"crosscoder.save({str(tmp_path / 'model.safetensors')!r})\n"
    )
    command = ["-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "2", str(script)]
    done = subprocess.run(
        [sys.executable, *command], capture_output=True, text=True, timeout=120, check=False
    )
    assert done.returncode == 0, done.stderr[-3000:]
    loaded = GroupCrosscoder.load(tmp_path / "model.safetensors")
    assert loaded.parallel is None
    expected = build(activation="topk", k=4).fit(orbits())
    np.testing.assert_allclose(loaded.components_, expected.components_, atol=1e-5)
