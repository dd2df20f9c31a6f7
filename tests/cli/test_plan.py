"""``groupcross plan``, from what is typed to its table and its JSON."""

from __future__ import annotations

import argparse
import json
from concurrent.futures import Future
from dataclasses import replace

import pytest

from sklearn_groupcross.cli import _plan, _rates, main
from sklearn_groupcross.cli._plan import in_bytes, in_time, plan_of, run_of
from tests.cli.test_costs import RATES

SMALL = ["--network", "bundled", "--layer", "relu1", "--group", "dihedral:2", "--positions", "4"]
SMALL += ["--features", "8", "--k", "2", "--seeds", "1", "--batch-size", "64", "--images", "1000"]
#: Of a cost.
PARTS = {"seconds", "machine_seconds", "memory_bytes", "disk_bytes", "files"}


class Here:
    """In place of a pool of processes."""

    def __init__(self, *_, **__):
        pass

    def __enter__(self):
        return self

    def __exit__(self, *_):
        pass

    def submit(self, function, *arguments):
        future = Future()
        future.set_result(function(*arguments))
        return future


def test_measured_and_reckoned(capsys, folder, monkeypatch):
    """Everything at once, over images that are named; what it measures is less than usual."""
    monkeypatch.setattr(_rates, "ProcessPoolExecutor", Here)
    monkeypatch.setattr(_rates, "_FEW", 12)
    monkeypatch.setattr(_rates, "_MANY", 24)
    monkeypatch.setattr(_rates, "_SECONDS", 0.1)
    monkeypatch.setattr(_rates, "_STEPS", 4)
    monkeypatch.setattr(_rates, "_FILLING", 1)
    assert main(["plan", *SMALL, "--sample", str(folder), "--json", "--quiet"]) == 0
    found = json.loads(capsys.readouterr().out)
    rates = found["rates"]["dihedral:2"]
    assert (rates["order"], rates["n_channels"]) == (4, 16)
    assert min(rates["start"], rates["step"]) > 0
    assert rates["image"] >= 0  # a difference of short times
    assert min(line["constant"] for line in rates["memory"].values()) > 10**8
    assert rates["model"] == pytest.approx(4 * (8 * 16 + 8 * 64 + 8 + 64), rel=1)
    assert rates["page"] > 10**5
    assert rates["n_atoms"] == 8
    assert 1 <= rates["n_coordinates"] < 64  # of 4 blocks of 16 channels
    (plan,) = found["plans"]
    assert (plan["images"], plan["orbits"], plan["named"]) == (1000, 4000, True)
    assert list(plan["stages"]) == ["extract", "fit", "analyze", "report"]
    for cost in (*plan["stages"].values(), plan["total"]):
        assert set(cost) == PARTS
    seconds = [cost["seconds"] for cost in plan["stages"].values()]
    assert plan["total"]["seconds"] == pytest.approx(sum(seconds))
    assert plan["stages"]["extract"]["seconds"] == pytest.approx(
        rates["start"] + 1000 * rates["image"]
    )


class TestTables:
    @pytest.fixture(autouse=True)
    def rates(self, monkeypatch):
        monkeypatch.setattr(_plan, "measure_rates", lambda *_: RATES)

    def test_a_line_for_each_stage(self, capsys):
        assert main(["plan", "--images", "600", "2000", "--group", "dihedral:4", "--quiet"]) == 0
        lines = capsys.readouterr().out.splitlines()
        assert lines[0].split() == [
            *("images", "group", "stage", "time", "machine", "hours", "memory", "disk", "files"),
        ]
        firsts = [line.split()[0] for line in lines[2:12]]
        stages = ["fit", "analyze", "report", "all"]
        assert firsts == ["600", *stages, "2,000", *stages]
        assert "--price-per-hour" in lines[-1]

    def test_prices(self, capsys):
        call = ["plan", "--images", "600", "--group", "dihedral:4", "--positions", "50", "--quiet"]
        prices = ["--price-per-hour", "3600", "--price-per-gb-month", "1e9"]
        assert main([*call, *prices, "--json"]) == 0
        (plan,) = json.loads(capsys.readouterr().out)["plans"]
        for cost in (*plan["stages"].values(), plan["total"]):
            assert cost["price_of_time"] == pytest.approx(cost["machine_seconds"])
            assert cost["price_of_disk_a_month"] == pytest.approx(cost["disk_bytes"], abs=1)
        assert main([*call, *prices]) == 0
        assert "a month" in capsys.readouterr().out

    def test_what_processes_send_is_said(self, capsys):
        call = ["plan", "--images", "600", "--group", "dihedral:4", "--processes", "2", "--quiet"]
        assert main(call) == 0
        (said,) = [line for line in capsys.readouterr().out.splitlines() if "sends" in line]
        assert said.startswith("In a step each process of a fit sends 12.")
        assert said.endswith(" kB under dihedral:4. That takes no time here: give --bandwidth.")
        plans = []
        for more in ([], ["--bandwidth", "0.001"]):
            assert main([*call, *more, "--json"]) == 0
            plans += json.loads(capsys.readouterr().out)["plans"]
        free, timed = (plan["stages"]["fit"]["seconds"] for plan in plans)
        n_steps = 3 * 60 * -(-500 * 100 // 1024)
        assert timed - free == pytest.approx(n_steps * plans[0]["bytes_sent_in_a_step"] / 125e3)
        assert main([*call, "--bandwidth", "1"]) == 0
        assert "takes no time" not in capsys.readouterr().out

    def test_what_has_no_names_and_what_no_manifest_holds_is_said(self, capsys, monkeypatch):
        bare = replace(RATES, analyze=None, report=None)
        monkeypatch.setattr(_plan, "measure_rates", lambda *_: bare)
        assert main(["plan", "--images", "30000000", "--group", "dihedral:128", "--quiet"]) == 0
        printed = capsys.readouterr().out
        assert "Symmetries of dihedral:128 have no names here" in printed
        assert "30,000,000 images need several stores" in printed


def test_a_plan_without_a_measured_step_has_no_rate_of_reading():
    options = argparse.Namespace(
        images=[600], positions=50, batch_size=8, epochs=1, seeds=1, dtype="float32", workers=1,
        processes=1, bandwidth=None, price_per_hour=None, price_per_gb_month=None,
    )  # fmt: skip
    run = run_of(options, 600)
    assert run.dtype_bytes == 4
    plan = plan_of(replace(RATES, step=0.0), "dihedral:4", run, options)
    assert plan["bytes_a_second_in_training"] is None
    plan = plan_of(RATES, "dihedral:4", run, options)
    assert plan["bytes_a_second_in_training"] == pytest.approx(8 * 8 * 96 * 4 / 0.01)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--images", "1"], "an integer of 2 or more; got '1'"),
        (["--group", "dihedral:4", "klein:4"], "--group"),
        (["--group", "dihedral:200", "--hues", "9"], "has 3600 elements; at most 1024"),
        (["--workers", "0"], "--workers"),
        (["--processes", "8", "--batch-size", "4"], "cannot be divided among --processes 8"),
        (["--bandwidth", "10"], "--bandwidth is of several --processes"),
        (["--price-per-hour", "-1"], "--price-per-hour"),
        (["--k", "9", "--features", "8"], "--k 9 codes"),
        (["--sample", "absent"], "no such file or folder: 'absent'"),
        (["--network", "bvlc_googlenet"], "--weights FILE"),
    ],
)
def test_wrong_calls(options, message, capsys):
    assert main(["plan", *options]) == 2
    error = capsys.readouterr().err
    assert error.startswith("groupcross plan: error: ")
    assert message in error


def test_too_few_images_to_measure_on(folder, capsys):
    """Said by the process that measures."""
    (one, *_) = sorted(folder.iterdir())
    assert main(["plan", *SMALL, "--sample", str(one), "--quiet"]) == 2
    assert "--sample has 1 images; it takes 3 or more" in capsys.readouterr().err


def test_words():
    assert [in_time(s) for s in (3.14, 119, 121, 7300, 400_000)] == [
        "3.1 s", "119.0 s", "2.0 min", "2.0 h", "4.6 d",
    ]  # fmt: skip
    assert [in_bytes(n) for n in (900, 2.5e6, 3e9, 61e12)] == [
        "0.9 kB", "2.5 MB", "3.0 GB", "61.0 TB",
    ]  # fmt: skip
