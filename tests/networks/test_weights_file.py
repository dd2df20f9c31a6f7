from __future__ import annotations

import collections
import io
import os
import pickle
import random
import tracemalloc
import warnings
import zipfile
from pathlib import Path

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from safetensors.torch import save
from torch import nn

from sklearn_groupcross import load_network
from sklearn_groupcross.networks import _weights, _weights_file
from sklearn_groupcross.networks._weights_file import WeightsFile, decode_weights


def test_a_pickle_with_code_is_not_run(tmp_path):
    class Evil:
        def __reduce__(self):
            return (open, (str(tmp_path / "written"), "w"))

    torch.save({"conv1.weight": Evil()}, tmp_path / "evil.pth")
    with pytest.raises(ValueError, match="read safely"):
        load_network("bundled", tmp_path / "evil.pth")
    assert not (tmp_path / "written").exists()


STATE = load_network("bundled").module.state_dict()


def test_settings_of_the_host_for_reading_do_not_reach_here(tmp_path, monkeypatch):
    path, mark = tmp_path / "weights.pth", tmp_path / "ran"
    torch.save({"conv1.weight": Runs(mark)}, path)
    monkeypatch.setenv("TORCH_FORCE_NO_WEIGHTS_ONLY_LOAD", "1")
    torch.serialization.add_safe_globals([os.mkdir])
    try:
        with pytest.raises(ValueError, match="asks for"):
            load_network("bundled", path)
    finally:
        torch.serialization.clear_safe_globals()
    torch.save(STATE, path)
    with torch.device("meta"), torch.inference_mode():
        module = load_network("bundled", path).module
    assert torch.equal(module.conv1.weight, STATE["conv1.weight"])
    assert not mark.exists()


class Runs:
    def __init__(self, mark):
        self.mark = str(mark)

    def __reduce__(self):
        return os.mkdir, (self.mark,)


def archive_of(pickled, **records):
    opened = io.BytesIO()
    with zipfile.ZipFile(opened, "w") as archive:
        archive.writestr("weights/data.pkl", pickled)
        archive.writestr("weights/version", b"3\n")
        for name, content in records.items():
            archive.writestr(f"weights/data/{name}", content)
    return opened.getvalue()


def storage_pickle(length):
    """What `torch.save` writes of a tensor of one row, whose storage says it has some length."""

    class Pickler(pickle.Pickler):
        def persistent_id(self, value):
            if isinstance(value, Stored):
                return ("storage", torch.FloatStorage, "0", "cpu", length)
            return None

    class Stored:
        pass

    class Tensor:
        def __reduce__(self):
            return torch._utils._rebuild_tensor_v2, (
                Stored(), 0, (2,), (1,), False, collections.OrderedDict(),
            )  # fmt: skip

    opened = io.BytesIO()
    Pickler(opened, protocol=2).dump({"a": Tensor()})
    return opened.getvalue()


def files_of_other_kinds(mark):
    saved = io.BytesIO()
    torch.save(STATE, saved)
    whole = io.BytesIO()
    torch.save(nn.ReLU(), whole)
    coded = io.BytesIO()
    torch.save({"conv1.weight": Runs(mark)}, coded)
    old = io.BytesIO()
    torch.save(Runs(mark), old, _use_new_zipfile_serialization=False)
    script = io.BytesIO()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of torch: scripts are deprecated
        torch.jit.save(torch.jit.script(nn.ReLU()), script)
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("weights/data.pkl", b"0" * 10_000)
    return {
        "empty": (b"", "it is empty"),
        "text": (b"no weights at all", "neither a safetensors file nor one of torch.save"),
        "html": (b"<!DOCTYPE html><html>Not found</html>", "neither a safetensors file"),
        "pickle": (pickle.dumps(Runs(mark)), "a pickle, which may run code"),
        "module": (whole.getvalue(), "asks for torch.nn.modules.activation.ReLU"),
        "code": (coded.getvalue(), "asks for posix.mkdir|asks for nt.mkdir"),
        "old code": (old.getvalue(), "asks for posix.mkdir|asks for nt.mkdir"),
        "script": (script.getvalue(), "a TorchScript archive, a program"),
        "other archive": (zip_of("a.txt"), "not one of torch.save"),
        "packed": (packed.getvalue(), "it is compressed"),
        "cut off": (saved.getvalue()[:50_000], "damaged or cut off"),
        "safetensors": (save(dict(STATE)), "content is of safetensors.*'weights.safetensors'"),
        "bytes": (
            archive_of(b"\x80\x02c__builtin__\nbytearray\nJ\xff\xff\xff\x7f\x85R."),
            "bytearra",
        ),
        "long storage": (archive_of(storage_pickle(2**40), **{"0": b"\0" * 8}), "not of the size"),
        "no storage": (archive_of(storage_pickle(2)), "not of the size"),
        "negative": (archive_of(storage_pickle(-2)), "has -2 elements"),
        "memo": (archive_of(b"\x80\x02}r\xff\xff\xff\xff."), "damaged|does not hold"),
    }


def zip_of(name):
    opened = io.BytesIO()
    with zipfile.ZipFile(opened, "w") as archive:
        archive.writestr(name, b"a")
    return opened.getvalue()


def test_files_of_other_kinds_are_told_and_run_nothing(tmp_path):
    path, mark = tmp_path / "weights.pth", tmp_path / "ran"
    for kind, (content, message) in files_of_other_kinds(mark).items():
        path.write_bytes(content)
        with pytest.raises(ValueError, match=message) as caught:
            load_network("bundled", path)
        assert str(path) in str(caught.value), kind
        assert not mark.exists(), kind
    saved = io.BytesIO()
    torch.save(STATE, saved)
    path = tmp_path / "weights.safetensors"
    path.write_bytes(saved.getvalue())
    with pytest.raises(ValueError, match=r"is of torch.save.*'weights.pth'"):
        load_network("bundled", path)
    path.write_bytes(save(dict(STATE))[:5000])
    with pytest.raises(ValueError, match="damaged or cut off"):
        load_network("bundled", path)
    with pytest.raises(FileNotFoundError, match="this is a folder"):
        load_network("bundled", tmp_path)


def test_storages_of_old_files_are_bounded_before_they_are_made():
    opened = io.BytesIO()
    torch.save({"a": torch.zeros(300)}, opened, _use_new_zipfile_serialization=False)
    content = opened.getvalue()
    wrong = content.replace(b"M,\x01", b"\x8a\x06\0\0\0\0\0\x01")  # 300 becomes 2^40
    assert wrong != content
    with pytest.raises(ValueError, match="its storages are larger than the file"):
        decode_weights(WeightsFile(Path("a.pth"), wrong))


def test_large_files_are_not_read(tmp_path, monkeypatch):
    monkeypatch.setattr(_weights_file, "LARGEST", 100)
    path = tmp_path / "weights.pth"
    path.write_bytes(b"0" * 101)
    with pytest.raises(ValueError, match=r"weights.pth is not a weights file of a network known"):
        load_network("bundled", path)


def test_no_more_room_is_made_than_a_file_is_large(tmp_path):
    path = tmp_path / "weights.pth"
    path.write_bytes(b"0" * 101)
    tracemalloc.start()
    try:
        assert _weights_file.read_file(path).content == b"0" * 101
        assert tracemalloc.get_traced_memory()[1] < 2**20
    finally:
        tracemalloc.stop()


SMALL = nn.Sequential(nn.Conv2d(3, 4, 3), nn.BatchNorm2d(4))


def small_file(kind):
    opened = io.BytesIO()
    if kind == "safetensors":
        return save({key: value.contiguous() for key, value in SMALL.state_dict().items()})
    torch.save(SMALL.state_dict(), opened, _use_new_zipfile_serialization=kind == "zip")
    return opened.getvalue()


@given(
    kind=st.sampled_from(["zip", "legacy", "safetensors"]),
    places=st.lists(st.floats(0, 1, exclude_max=True), min_size=1, max_size=4),
    seed=st.integers(0, 2**32),
    cut=st.booleans(),
)
def test_damaged_files_are_read_or_refused_by_name(kind, places, seed, cut):
    content, rng = bytearray(small_file(kind)), random.Random(seed)
    for place in places:
        content[int(place * len(content))] = rng.randrange(256)
    if cut:
        del content[int(places[0] * len(content)) :]
    path = Path("some.safetensors" if kind == "safetensors" else "some.pth")
    module = nn.Sequential(nn.Conv2d(3, 4, 3), nn.BatchNorm2d(4))
    file = WeightsFile(path, bytes(content))
    if said := refusal(module, file):
        assert path.name in said
    elif kind == "zip":  # which has checksums
        for key, value in module.state_dict().items():
            assert torch.equal(value, SMALL.state_dict()[key])


def refusal(module, file):
    try:
        _weights.load_state(module, file, "small")
    except ValueError as error:
        return str(error)
    return None
