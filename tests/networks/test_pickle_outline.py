from __future__ import annotations

import io
import pickle
import zipfile
from collections import OrderedDict

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from sklearn_groupcross.networks._pickle_outline import UnsafeError, check_pickle
from tests.networks.test_weights_file import Runs

DTYPES = [torch.float16, torch.bfloat16, torch.float32, torch.float64, torch.int64, torch.bool]
tensors = st.builds(
    lambda dtype, shape: torch.zeros(shape, dtype=dtype),
    st.sampled_from(DTYPES), st.lists(st.integers(0, 4), max_size=3),
)  # fmt: skip
contents = st.dictionaries(st.text(max_size=5), tensors, max_size=4)


def pickle_of(content):
    """The pickle within what `torch.save` writes."""
    saved = io.BytesIO()
    torch.save(content, saved)
    with zipfile.ZipFile(saved) as archive:
        (name,) = [name for name in archive.namelist() if name.endswith("/data.pkl")]
        return io.BytesIO(archive.read(name))


@given(contents)
def test_storages_are_those_of_the_tensors(content):
    found = check_pickle(pickle_of(content))
    expected = [tensor.untyped_storage().nbytes() for tensor in content.values()]
    assert [storage.n_bytes for storage in found] == expected
    assert len({storage.key for storage in found}) == len(expected)


def test_what_checkpoints_hold_beside_tensors_is_let_pass():
    parameter = torch.nn.Parameter(torch.ones(3))
    content = {"state": OrderedDict(a=parameter), "epoch": 3, "lr": [0.1, None, True], "n": "é"}
    assert [storage.n_bytes for storage in check_pickle(pickle_of(content))] == [12]


def test_nothing_is_run_or_imported(tmp_path):
    mark = tmp_path / "mark"
    for harmful in (Runs(mark), {"a": [Runs(mark)]}):
        with pytest.raises(UnsafeError, match="it asks for .*, which is no tensor"):
            check_pickle(io.BytesIO(pickle.dumps(harmful, protocol=2)))
    assert not mark.exists()


@pytest.mark.parametrize(
    "content",
    [
        b"\x80\x04\x8e" + (2**62).to_bytes(8, "little"),  # bytes of a length that is a number
        pickle.dumps({1, 2}, protocol=4),
        b"(S'text'\n.",
    ],
)
def test_operations_that_torch_does_not_write_are_not_carried_out(content):
    with pytest.raises(KeyError):
        check_pickle(io.BytesIO(content))


@pytest.mark.parametrize("length", [-1, "many", 2.5, None])
def test_storages_of_no_length_are_refused(length):
    class Storing(pickle._Pickler):
        def persistent_id(self, obj):
            return ("storage", torch.FloatStorage, "0", "cpu", length) if obj == "here" else None

    written = io.BytesIO()
    Storing(written, protocol=2).dump(["here"])
    with pytest.raises(UnsafeError, match=f"a storage of it has {length!r} elements"):
        check_pickle(io.BytesIO(written.getvalue()))
