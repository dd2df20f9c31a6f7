from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from sklearn_groupcross.faithfulness import _inputs
from sklearn_groupcross.faithfulness._inputs import CenterBatches, encoding_passes


@given(st.integers(0, 300), st.integers(1, 40), st.integers(1, 100))
def test_passes_cover_all_rows_once_and_fit_in_memory(n_rows, n_atoms, room):
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(_inputs, "_CODES_A_PASS", room)
        passes = [range(n_rows)[part] for part in encoding_passes(n_rows, n_atoms)]
    assert [row for part in passes for row in part] == list(range(n_rows))
    assert all(len(part) == 1 or len(part) * n_atoms <= room for part in passes)


@pytest.mark.parametrize("batch_size", [1, 4, 6, 100])
def test_batches_are_the_centers_of_all_images(smooth_images, batch_size):
    batches = CenterBatches(smooth_images, 30, 50, batch_size)
    assert batches.n_images == 6
    parts = list(batches)
    assert [len(part) for part in parts[:-1]] == [min(batch_size, 6)] * (len(parts) - 1)
    whole = torch.cat(parts)
    expected = torch.stack([batches.source.load(i, 50)[:, 10:40, 10:40] for i in range(6)])
    assert torch.equal(whole, expected)
    assert torch.equal(torch.cat(list(batches)), whole)  # may be read again


def test_one_channel(smooth_images):
    gray = np.ascontiguousarray(smooth_images[..., :1])
    assert next(iter(CenterBatches(gray, 30, 50, 2, n_channels=1))).shape == (2, 1, 30, 30)


@pytest.mark.parametrize(
    ("sizes", "message"),
    [((30, 50, 0), "batch_size is at least 1; got 0"), ((30, 29, 1), "input size, 30 px; got 29")],
)
def test_sizes_out_of_range_are_refused(smooth_images, sizes, message):
    with pytest.raises(ValueError, match=message):
        CenterBatches(smooth_images, *sizes)


def test_all_damaged_images_are_named_before_the_first(smooth_images, tmp_path):
    Image.fromarray(smooth_images[0]).save(tmp_path / "a.png")
    for name in ("b.png", "c.png"):
        (tmp_path / name).write_text("no image")
    with pytest.raises(ValueError, match=r"2 of 3 images cannot be used:\n.*b\.png.*\n.*c\.png"):
        next(iter(CenterBatches(tmp_path, 30, 50, 1)))
