from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import array_shapes
from hypothesis.extra.numpy import arrays as arrays_of
from safetensors import SafetensorError

from sklearn_groupcross.crosscoder import _tensor_file
from sklearn_groupcross.crosscoder._tensor_file import read_tensors, write_tensors

DTYPES = [np.bool_, np.float16, np.float32, np.float64, np.int32, np.int64]
# letters beyond ASCII are not written in one way
names = st.text('ab_."\\', min_size=1, max_size=4)
arrays = st.dictionaries(
    names,
    st.sampled_from(DTYPES).flatmap(
        lambda dtype: arrays_of(dtype, array_shapes(min_dims=0, min_side=0, max_side=3))
    ),
    max_size=3,
)
values = st.none() | st.booleans() | st.integers(-9, 9) | st.text(max_size=4)
headers = st.dictionaries(st.text(max_size=4), values | st.lists(values, max_size=3), max_size=3)


@given(arrays=arrays, header=headers)
def test_what_is_written_is_read_and_equal_content_is_equal_bytes(arrays, header, tmp_path_factory):
    folder = tmp_path_factory.mktemp("files")
    write_tensors(folder / "a", "ours", arrays, header)
    found_format, found, found_header = read_tensors(folder / "a", "others", "ours")
    assert (found_format, found_header) == ("ours", header)
    assert found.keys() == arrays.keys()
    for name, array in arrays.items():
        assert found[name].dtype == array.dtype
        np.testing.assert_array_equal(found[name], array)
    backwards = {name: arrays[name].copy(order="F") for name in reversed(arrays)}
    write_tensors(folder / "b", "ours", backwards, dict(reversed(header.items())))
    assert (folder / "a").read_bytes() == (folder / "b").read_bytes()


@given(data=st.data())
def test_a_changed_bit_is_another_file(data, tmp_path_factory):
    path = tmp_path_factory.mktemp("files") / "a"
    write_tensors(path, "ours", {"x": np.arange(3.0), "y": np.array([True])}, {"n": [1, "two"]})
    content = bytearray(path.read_bytes())
    content[data.draw(st.integers(0, len(content) - 1))] ^= 1 << data.draw(st.integers(0, 7))
    path.write_bytes(content)
    with pytest.raises(ValueError, match=path.name):
        read_tensors(path, "ours")


def test_other_formats_and_no_file_are_said(tmp_path):
    write_tensors(tmp_path / "a", "ours", {}, {})
    with pytest.raises(ValueError, match="its format is 'ours', expected 'one' or 'two'"):
        read_tensors(tmp_path / "a", "one", "two")
    with pytest.raises(FileNotFoundError, match="No saved crosscoder at"):
        read_tensors(tmp_path / "b", "ours")
    with pytest.raises(OSError, match="absent"):
        write_tensors(tmp_path / "absent" / "a", "ours", {}, {})


@pytest.mark.parametrize(
    ("says", "number"), [("I/O error: File too large (os error 27)", 27), ("none of these", None)]
)
def test_what_the_system_says_is_said_of_the_file(tmp_path, monkeypatch, says, number):
    def fails(*args):
        raise SafetensorError(f"Error while serializing: {says}.")

    monkeypatch.setattr(_tensor_file, "save_file", fails)
    with pytest.raises(OSError, match=r"model") as caught:
        write_tensors(tmp_path / "model", "ours", {"a": np.zeros(3)}, {})
    assert caught.value.errno == number
    assert not list(tmp_path.iterdir())
