"""What a run takes, against counts by hand and against stores as they are."""

from __future__ import annotations

import dataclasses
import math

import numpy as np
import pytest

from sklearn_groupcross import OrbitDataset
from sklearn_groupcross.cli._costs import (
    Line,
    Rates,
    Run,
    costs_of,
    sent_in_a_step,
    store_chunks,
    store_size,
    total,
)

RATES = Rates(
    order=8,
    n_channels=96,
    n_atoms=10,
    n_coordinates=200,
    start=5.0,
    image=0.25,
    step=0.01,
    fit=Line(2.0, 0.001),
    analyze=Line(7.0, 0.0001),
    report=Line(20.0, 0.0),
    memory={
        "extract": Line(1e9, 0.0),
        "fit": Line(1e9, 1e5),
        "analyze": Line(1e9, 0.0),
        "report": Line(1e9, 0.0),
    },
    n_rows=10_000,
    manifest=Line(500.0, 90.0),
    model=4000,
    page=10**6,
)
RUN = Run(n_images=600, n_positions=50, batch_size=1000, n_epochs=4, n_seeds=3)


def test_by_hand():
    """600 images of 50 orbits, of which 500 are trained on: 25 steps in each of 4 passes."""
    assert (RUN.n_rows, RUN.n_training_rows, RUN.n_steps) == (30_000, 25_000, 100)
    costs = costs_of(RATES, RUN)
    assert list(costs) == ["extract", "fit", "analyze", "report"]
    seconds = [cost.seconds for cost in costs.values()]
    assert seconds == pytest.approx([5 + 150, 3 * (2 + 25 + 1), 7 + 3, 20])
    assert total(costs).seconds == pytest.approx(sum(seconds))
    assert total(costs).machine_seconds == pytest.approx(sum(seconds))
    assert total(costs).memory == 2 * 10**9 + 48 * 30_000 + 1024 * 600
    assert costs["fit"].disk == 3 * 4000
    assert costs["report"].disk == 10**6


def test_workers_share_chunks_and_seeds():
    two = costs_of(RATES, dataclasses.replace(RUN, n_workers=2))
    assert store_chunks(RATES, RUN) == 17
    assert two["extract"].seconds == pytest.approx(5 + 150 * 9 / 17)
    assert two["extract"].machine_seconds == pytest.approx(10 + 150)
    assert two["fit"].seconds == pytest.approx(5 + 2 * 28)
    assert two["fit"].machine_seconds == pytest.approx(2 * 5 + 3 * 28)
    assert two["report"].seconds == pytest.approx(5 + 20)
    many = costs_of(RATES, dataclasses.replace(RUN, n_workers=1000))
    assert many["extract"].seconds == pytest.approx(5 + 150 / 17)
    assert many["fit"].machine_seconds == pytest.approx(3 * 5 + 3 * 28)


def test_a_group_without_names_is_not_analysed():
    bare = dataclasses.replace(RATES, analyze=None, report=None)
    assert list(costs_of(bare, RUN)) == ["extract", "fit"]


def test_lines():
    assert Line.through((10, 3.0), (30, 7.0)) == Line(1.0, 0.2)
    assert Line.through((10, 3.0), (30, 2.0)) == Line(2.0, 0.0)  # noise: costs do not fall
    assert Line.through((10, 1.0), (30, 9.0)) == Line(0.0, 0.4)  # nor are they below nothing


@pytest.mark.parametrize("dtype", ["float16", "float32"])
@pytest.mark.parametrize(("n_images", "n_positions"), [(3, 7), (23, 1)])
def test_a_store_has_the_size_that_was_told(n_images, n_positions, dtype, tmp_path, smooth_images):
    images = [np.roll(smooth_images[i % 6], i, axis=0)[: 90 - i // 6] for i in range(n_images)]
    dataset = OrbitDataset(
        images, network="bundled", group="dihedral:4", layer="relu1", n_positions=n_positions
    )
    store = dataset.extract(tmp_path / "store", dtype=dtype)
    rates = dataclasses.replace(RATES, n_channels=store.shape[2])
    run = Run(n_images, n_positions, 10, 1, 1, dtype_bytes=store.dtype.itemsize)
    found = [path for path in store.path.iterdir() if path.name.startswith(("chunk", ".chunk"))]
    size, n_files = store_size(rates, run)
    assert math.ceil(len(found) / 4) == store_chunks(rates, run)
    assert sum(path.stat().st_size for path in found) == size
    # the record of the extraction is the command's
    assert len(list(store.path.iterdir())) + 1 == n_files


def test_what_processes_send_one_another():
    """Each sends all gradients but a share, twice: summed up, and handed on; the rest is small."""
    assert sent_in_a_step(RATES, RUN) == 0
    gradients = 4 * (10 * (96 + 200 + 1) + 200)
    sent = sent_in_a_step(RATES, dataclasses.replace(RUN, n_processes=4))
    assert 2 * gradients * 3 / 4 < sent < 2 * gradients * 3 / 4 + 300


def test_processes_divide_steps_and_send():
    """100 steps of 10 ms, by two processes, each of which sends for 2 ms."""
    two = dataclasses.replace(RUN, n_processes=2)
    timed = dataclasses.replace(two, bandwidth=sent_in_a_step(RATES, two) / 0.002)
    # one does all in one command, which starts once
    for run, start, steps in ((RUN, 0, 1.0), (two, 5, 0.5), (timed, 5, 0.7)):
        costs = costs_of(RATES, run)
        assert costs["fit"].seconds == pytest.approx(start + 3 * (2 + 25 + steps))
        assert costs["fit"].machine_seconds == pytest.approx(run.n_processes * costs["fit"].seconds)
        assert costs["extract"] == costs_of(RATES, RUN)["extract"]


@pytest.mark.parametrize("n_images", [10**5, 10**7])
def test_chunks_grow_with_the_store(n_images):
    """Their number grows as the root of the bytes; their size is cut to tenths of 64 MiB."""
    n_bytes = n_images * 50 * 8 * 96 * 2
    n_chunks = store_chunks(RATES, dataclasses.replace(RUN, n_images=n_images))
    assert n_chunks == pytest.approx(16 * math.sqrt(n_bytes / 2**30), rel=0.1)
