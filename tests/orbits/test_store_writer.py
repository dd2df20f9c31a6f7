from __future__ import annotations

import numpy as np
import pytest

from sklearn_groupcross.orbits._store_writer import _as_finite
from tests.orbits.stores import create, fill, rows_of


class TestWhatIsNotWritten:
    @pytest.fixture
    def writer(self, tmp_path):
        with create(tmp_path / "store").writer(0) as writer:
            yield writer

    @pytest.mark.parametrize(
        ("value", "message"),
        [
            (7e4, r"image 0 \('photo 0.jpg'\) reaches 70000, but float16 ends .*dtype=\"float32\""),
            (np.nan, "image 0 .*contains NaN: in rows 1, first in block 2, channel 3"),
            (-np.inf, "image 0 .*contains infinity"),
        ],
    )
    def test_values_that_do_not_fit(self, writer, value, message):
        orbits, positions = rows_of(0, 3, np.float32)
        orbits[1, 2, 3] = value
        with pytest.raises(ValueError, match=f"The stack of {message}"):
            writer.write(0, orbits, positions)
        assert writer.pending_images == [0, 1, 2]

    def test_shapes(self, writer):
        orbits, positions = rows_of(0, 3)
        with pytest.raises(ValueError, match=r"shape \(2, 6, 10\).* expected .*\(3, 6, 10\)"):
            writer.write(0, orbits[:2], positions)
        with pytest.raises(ValueError, match=r"array of positions of .*\(2, 2\)"):
            writer.write(0, orbits, positions[:2])
        with pytest.raises(ValueError, match="dtype int64"):
            writer.write(0, orbits.astype(np.int64), positions)

    def test_other_images_and_the_same_twice(self, writer):
        with pytest.raises(ValueError, match=r"Image 5 is not in this chunk.*\[0, 1, 2\]"):
            writer.write(5, *rows_of(5, 4))
        writer.write(0, *rows_of(0, 3))
        with pytest.raises(ValueError, match="Image 0 is written already"):
            writer.write(0, *rows_of(0, 3))

    def test_outside_of_a_with(self, tmp_path):
        with pytest.raises(RuntimeError, match="with store.writer"):
            create(tmp_path / "other").writer(0).write(0, *rows_of(0, 3))


def test_neighbours_are_written_at_once_as_they_are_one_by_one(tmp_path):
    one, other = create(tmp_path / "one"), create(tmp_path / "other")
    fill(one)
    for chunk in other.pending():
        with other.writer(chunk) as writer:
            numbers = writer.pending_images
            rows = [rows_of(i, writer.n_rows(i)) for i in numbers]
            orbits, positions = map(np.concatenate, zip(*rows, strict=True))
            writer.write_run(numbers, orbits, positions)
            assert writer.pending_images == []
    for path in sorted(one.path.glob("chunk-*")):
        assert path.read_bytes() == (other.path / path.name).read_bytes()
    assert other.verify().ok


def test_of_neighbours_all_are_checked_before_any_is_written(tmp_path):
    store = create(tmp_path / "store")
    with store.writer(0) as writer:
        rows = [rows_of(i, writer.n_rows(i)) for i in (0, 1)]
        orbits, positions = map(np.concatenate, zip(*rows, strict=True))
        bad = orbits.copy()
        bad[writer.n_rows(0), 0, 0] = np.nan
        with pytest.raises(ValueError, match=r"stack of image 1 \('photo 1.jpg'\) contains NaN"):
            writer.write_run([0, 1], bad, positions)
        with pytest.raises(ValueError, match=r"The stack of image 1 .* has shape \(3, 6, 10\)"):
            writer.write_run([0, 1], orbits[:-1], positions)
        with pytest.raises(ValueError, match=r"The stack of image 1 .* has shape \(5, 6, 10\)"):
            writer.write_run([0, 1], np.concatenate([orbits, orbits[:1]]), positions)
        with pytest.raises(ValueError, match=r"neighbours; got \[0, 2\]"):
            writer.write_run([0, 2], orbits, positions)
        with pytest.raises(ValueError, match="Image 9 is not in this chunk"):
            writer.write_run([0, 9], orbits, positions)
        assert writer.pending_images == [0, 1, 2]
    assert store.pending_images()[0] == 0


def test_float16_is_rounded_as_numpy_rounds():
    rng = np.random.default_rng(0)
    bits = rng.integers(0, 2**32, 100_000, dtype=np.uint32).view(np.float32)
    small = (rng.random(100_000) * 1e-5).astype(np.float32)  # most are no normal numbers there
    values = np.concatenate(
        [bits[np.abs(bits) < 65504], small, rng.random(10_000, np.float32) * 6e4]
    )
    found = _as_finite(values, values.shape, "float16", "values")
    assert np.array_equal(found, values.astype(np.float16))
    values.flags.writeable = False
    assert np.array_equal(_as_finite(values, values.shape, "float16", "values"), found)
