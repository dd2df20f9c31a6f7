from __future__ import annotations

import time
from contextlib import suppress

import numpy as np
import pytest

from sklearn_groupcross.orbits import _store_runs
from sklearn_groupcross.orbits._store_runs import RunBuffer
from tests.orbits.stores import create, expected, images, rows_of


@pytest.fixture
def writer(tmp_path):
    store = create(tmp_path / "store", images=images(9, rows=3), chunk_bytes=2**20)
    with store.writer(0) as writer:
        yield writer


@pytest.fixture
def runs(writer, monkeypatch):
    runs: list[list[int]] = []
    write_run = type(writer).write_run

    def watched(self, numbers, orbits, positions):
        runs.append(list(numbers))
        write_run(self, numbers, orbits, positions)

    monkeypatch.setattr(type(writer), "write_run", watched)
    return runs


def test_neighbours_are_written_at_once(writer, runs):
    with RunBuffer(writer) as buffer:
        for image in (0, 1, 2, 5, 6):
            buffer.add(image, *rows_of(image, 3))
        assert runs == [[0, 1, 2]]
    assert runs == [[0, 1, 2], [5, 6]]


def test_as_many_bytes_as_are_worth_a_write(writer, runs, monkeypatch):
    monkeypatch.setattr(_store_runs, "BYTES_AT_ONCE", 2 * 3 * 120)
    with RunBuffer(writer) as buffer:
        for image in range(5):
            buffer.add(image, *rows_of(image, 3))
    assert runs == [[0, 1], [2, 3], [4]]


def test_images_that_take_a_second_are_written_one_by_one(writer, runs, monkeypatch):
    seconds = iter(range(100))
    monkeypatch.setattr(_store_runs.time, "monotonic", lambda: float(next(seconds)))
    with RunBuffer(writer) as buffer:
        for image in range(3):
            buffer.add(image, *rows_of(image, 3))
    assert runs == [[0], [1], [2]]


class TestWhileTheNextTakesLong:
    @pytest.fixture(autouse=True)
    def impatient(self, monkeypatch):
        monkeypatch.setattr(_store_runs, "_SECONDS", 0.05)

    def wait_for(self, is_so):
        deadline = time.monotonic() + 30
        while not is_so():
            assert time.monotonic() < deadline
            time.sleep(0.005)

    def test_what_waits_is_written(self, writer, runs):
        with RunBuffer(writer) as buffer:
            buffer.add(0, *rows_of(0, 3))
            self.wait_for(lambda: 0 not in writer.pending_images)
        assert runs == [[0]]

    def test_its_errors_are_raised_when_the_next_comes(self, writer):
        buffer = RunBuffer(writer)
        orbits, positions = rows_of(0, 3)
        buffer.add(0, orbits * np.float16(np.nan), positions)
        self.wait_for(lambda: buffer._error is not None)
        with pytest.raises(ValueError, match="image 0 .* contains NaN"):
            buffer.add(1, *rows_of(1, 3))
        buffer.flush()
        assert writer.pending_images == [0, *range(2, 9)]


def test_what_came_before_an_error_is_written(writer, runs):
    with suppress(KeyboardInterrupt), RunBuffer(writer) as buffer:
        buffer.add(0, *rows_of(0, 3))
        raise KeyboardInterrupt
    assert runs == [[0]]


def test_of_a_run_with_a_wrong_image_those_before_it_are_written(writer):
    orbits, positions = rows_of(2, 3)
    buffer = RunBuffer(writer)
    for image in (0, 1):
        buffer.add(image, *rows_of(image, 3))
    buffer.add(2, orbits * np.float16(np.nan), positions)
    buffer.add(3, *rows_of(3, 3))
    with pytest.raises(ValueError, match=r"image 2 \('photo 2.jpg'\) contains NaN"):
        buffer.flush()
    assert writer.pending_images == [2, 3, 4, 5, 6, 7, 8]


def test_the_bytes_are_those_of_images_one_by_one(tmp_path):
    store = create(tmp_path / "store", images=images(9, rows=3), chunk_bytes=2**20)
    with store.writer(0) as writer, RunBuffer(writer) as buffer:
        for image in range(9):
            buffer.add(image, *rows_of(image, 3))
    assert store.verify().ok
    np.testing.assert_array_equal(store, expected(store)[0])
