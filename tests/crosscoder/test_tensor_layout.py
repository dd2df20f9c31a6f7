from __future__ import annotations

import json

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from safetensors.numpy import save

from sklearn_groupcross.crosscoder._tensor_layout import read_layout

DTYPES = [np.bool_, np.float16, np.float32, np.float64, np.int32, np.int64]
shapes = st.lists(st.integers(0, 3), max_size=3).map(tuple)
arrays = st.dictionaries(
    st.text("abc_/é", min_size=1, max_size=4), st.tuples(st.sampled_from(DTYPES), shapes)
)


def layout_of(content, tmp_path_factory):
    path = tmp_path_factory.mktemp("layouts") / "a.safetensors"
    path.write_bytes(content)
    with open(path, "rb") as file:
        return read_layout(file, "a.safetensors")


def pack(header, data=b""):
    text = json.dumps(header).encode()
    return len(text).to_bytes(8, "little") + text + data


@given(arrays=arrays)
def test_the_layout_is_that_of_the_file(arrays, tmp_path_factory):
    stacks = {name: np.zeros(shape, dtype) for name, (dtype, shape) in arrays.items()}
    content = save(stacks, {"of": "ours"})
    layout = layout_of(content, tmp_path_factory)
    assert layout.metadata == {"of": "ours"}
    assert {e.name: (e.dtype.type, e.shape) for e in layout.entries} == arrays
    assert content.startswith(layout.head)
    assert len(layout.head) + sum(entry.n_bytes for entry in layout.entries) == len(content)


def entry(begin, end, shape=(2,), dtype="F32"):
    return {"dtype": dtype, "shape": list(shape), "data_offsets": [begin, end]}


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "has no header of the length that it states"),
        (b"\xff" * 20, "has no header of the length that it states"),
        (pack({"a": entry(0, 8)}), r"it has \d+ bytes in place of \d+"),
        (pack({"a": entry(0, 8)}, bytes(9)), r"it has \d+ bytes in place of \d+"),
        (pack({"a": entry(4, 12)}, bytes(12)), "the array 'a' has no place of its size"),
        (pack({"a": entry(0, 4)}, bytes(4)), "the array 'a' has no place of its size"),
        (pack({"a": entry(0, 8), "b": entry(4, 12)}, bytes(12)), "the array 'b' has no place"),
        (pack({"a": entry(0, 0, (0, 2**60))}), "the array 'a' has no place"),
        (pack({"a": entry(0, 8, dtype="U64")}, bytes(8)), "a.safetensors"),
        (pack({"a": {**entry(0, 8), "more": 1}}, bytes(8)), "a.safetensors"),
        (pack({"a": entry(0, 8, (-2,))}, bytes(8)), "a.safetensors"),
    ],
)
def test_files_of_another_layout_are_refused(content, message, tmp_path_factory):
    with pytest.raises(ValueError, match=message) as refusal:
        layout_of(content, tmp_path_factory)
    assert "a.safetensors" in str(refusal.value)
