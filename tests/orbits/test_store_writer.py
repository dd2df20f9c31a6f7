from __future__ import annotations

import numpy as np
import pytest

from tests.orbits.stores import create, rows_of


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
