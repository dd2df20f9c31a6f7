"""Weights files: what is read, what is refused, and that nothing in them runs."""

from __future__ import annotations

import collections
import hashlib
import io
import os
import pickle
import random
import tracemalloc
import urllib.error
import warnings
import zipfile
from pathlib import Path

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from safetensors.torch import save, save_file
from torch import nn

from sklearn_groupcross import load_network
from sklearn_groupcross.networks import _weights, _weights_file
from sklearn_groupcross.networks._state_dicts import fitting_state
from sklearn_groupcross.networks._weights_file import WeightsFile, decode


def test_weights_of_another_network_are_refused(tmp_path):
    save_file({"conv9.weight": torch.zeros(2)}, tmp_path / "other.safetensors")
    with pytest.raises(ValueError, match=r"missing \(conv1.*unknown \(conv9.weight"):
        load_network("bundled", tmp_path / "other.safetensors")


def test_weights_of_another_shape_are_refused(tmp_path):
    state = {k: v.clone() for k, v in load_network("bundled").module.state_dict().items()}
    state["conv1.weight"] = state["conv1.weight"][:1]
    save_file(state, tmp_path / "other.safetensors")
    with pytest.raises(ValueError, match=r"conv1.weight has shape \(1,"):
        load_network("bundled", tmp_path / "other.safetensors")


@pytest.mark.parametrize("suffix", [".safetensors", ".pth"])
def test_damaged_weights_are_refused(tmp_path, suffix):
    path = tmp_path / f"weights{suffix}"
    path.write_bytes(b"no weights at all")
    with pytest.raises(ValueError, match="weights file"):
        load_network("bundled", path)
    with pytest.raises(FileNotFoundError, match="No weights file"):
        load_network("bundled", tmp_path / f"absent{suffix}")


def test_a_pickle_with_code_is_not_run(tmp_path):
    class Evil:
        def __reduce__(self):
            return (open, (str(tmp_path / "written"), "w"))

    torch.save({"conv1.weight": Evil()}, tmp_path / "evil.pth")
    with pytest.raises(ValueError, match="read safely"):
        load_network("bundled", tmp_path / "evil.pth")
    assert not (tmp_path / "written").exists()


class TestFetch:
    content = b"weights" * 1000

    @pytest.fixture(autouse=True)
    def cache(self, tmp_path, monkeypatch):
        monkeypatch.setattr(_weights, "cache_folder", lambda: tmp_path / "cache")
        self.source = tmp_path / "source.pth"
        self.source.write_bytes(self.content)
        self.target = tmp_path / "cache" / "file.pth"

    def fetch(self, blob=None):
        blob = _weights.git_blob_id(self.content) if blob is None else blob
        return _weights.fetch(self.source.as_uri(), "file.pth", blob_id=blob)

    def test_downloads_once(self):
        assert self.fetch() == (self.target, self.content)
        self.source.unlink()
        assert self.fetch() == (self.target, self.content)
        assert self.target.read_bytes() == self.content

    def test_wrong_content_is_not_kept(self):
        with pytest.raises(ValueError, match="not the file it should be"):
            self.fetch("0" * 40)
        assert list(self.target.parent.iterdir()) == []

    def test_a_damaged_cache_is_noticed(self):
        self.fetch()
        self.target.write_bytes(b"damaged")
        with pytest.raises(ValueError, match="Delete it to download it again"):
            self.fetch()

    def test_how_a_sha_256_begins_will_do(self):
        sha256 = hashlib.sha256(self.content).hexdigest()
        for wanted in (sha256[:8], sha256):
            file = _weights.fetch(self.source.as_uri(), "file.pth", sha256=wanted)
            assert file.content == self.content
        with pytest.raises(ValueError, match=r"The cached file .*file\.pth is not .*SHA-256"):
            _weights.fetch(self.source.as_uri(), "file.pth", sha256="00000000")

    @pytest.mark.parametrize("kind", ["blob_id", "sha256"])
    def test_only_the_digest_that_is_known_is_taken(self, kind, monkeypatch):
        wanted = {"blob_id": _weights.git_blob_id(self.content)}
        wanted["sha256"] = hashlib.sha256(self.content).hexdigest()

        def refuse(*args, **kwargs):
            raise AssertionError("not asked for")

        monkeypatch.setattr(hashlib, "sha256" if kind == "blob_id" else "sha1", refuse)
        for _ in range(2):
            file = _weights.fetch(self.source.as_uri(), "file.pth", **{kind: wanted[kind]})
            assert file.content == self.content

    def test_a_folder_in_the_place_of_the_file_is_named(self):
        self.target.mkdir(parents=True)
        with pytest.raises(OSError, match=r"No weights file at .*file\.pth: this is a folder"):
            self.fetch()

    def test_a_download_that_breaks_off_or_does_not_end_is_not_kept(self, monkeypatch):
        monkeypatch.setattr(_weights, "LARGEST", 100)
        with pytest.raises(OSError, match=r"Could not download .*\(it does not end\)"):
            self.fetch()
        assert list(self.target.parent.iterdir()) == []

    def test_offline_names_the_file_to_put_where(self, monkeypatch):
        def refuse(*args, **kwargs):
            raise urllib.error.URLError("no network")

        monkeypatch.setattr(_weights.urllib.request, "urlopen", refuse)
        with pytest.raises(OSError, match=r"put that file at .*file\.pth"):
            self.fetch()
        assert list(self.target.parent.iterdir()) == []


def test_git_blob_id_is_gits():
    # git hash-object of an empty file, known to everyone
    assert _weights.git_blob_id(b"") == "e69de29bb2d1d6434b8b29ae775ad8c2e48c5391"
    assert hashlib.sha1(b"blob 1\0a").hexdigest() == _weights.git_blob_id(b"a")
    # nor is a content copied, which may be as large as memory allows
    content = bytes(2**22)
    tracemalloc.start()
    try:
        _weights.git_blob_id(content)
        assert tracemalloc.get_traced_memory()[1] < len(content) / 4
    finally:
        tracemalloc.stop()


STATE = load_network("bundled").module.state_dict()
OTHER = {key: value + 1 for key, value in STATE.items()}


def behind(prefix):
    return {prefix + key: value for key, value in STATE.items()}


ORDINARY = {
    "arrays": STATE,
    "parameters": {key: nn.Parameter(value) for key, value in STATE.items()},
    "state_dict": {"state_dict": STATE, "epoch": 7, "best": 0.5, "arch": "bundled"},
    "model": {"model": collections.OrderedDict(STATE), "optimizer": {"state": {}, "groups": [{}]}},
    "nested": {"checkpoint": {"ema": None, "network": STATE}},
    "epoch": {**STATE, "epoch": 7},
    "data parallel": behind("module."),
    "compiled": behind("_orig_mod."),
    "lightning": {"state_dict": behind("model."), "hyper_parameters": {"lr": 0.1}},
    "averaged": {**behind("module."), "n_averaged": torch.tensor(3)},
    "optimizer": {
        "model": STATE,
        "optimizer": torch.optim.AdamW([torch.zeros(3, requires_grad=True)]).state_dict(),
    },
    "list": [STATE, {"epoch": 7}],
    "pairs": list(STATE.items()),
    "same twice": {"model": STATE, "model_ema": dict(STATE)},
    "one fits": {"model": STATE, "teacher": {"conv9.weight": torch.zeros(3)}},
    "half": {key: value.half() for key, value in STATE.items()},
}


@pytest.mark.parametrize("kind", ORDINARY)
@pytest.mark.parametrize("legacy", [False, True])
def test_weights_of_ordinary_form_are_understood(kind, legacy, tmp_path):
    path = tmp_path / "weights.pth"
    torch.save(ORDINARY[kind], path, _use_new_zipfile_serialization=not legacy)
    for key, value in load_network("bundled", path).module.state_dict().items():
        wanted = STATE[key].half().float() if kind == "half" else STATE[key]
        assert torch.equal(value, wanted)


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


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (7, "it holds a int, and no arrays with names"),
        ([], "it holds a list of 0"),
        ({}, "it holds a dict with nothing"),
        ({"epoch": 7, "loss": [1.0]}, "it holds a dict with 'epoch', 'loss'"),
        (list(STATE.values()), "it holds a list of 12"),
        ({"state_dict": None}, "a dict with 'state_dict'"),
        ({"model": STATE, "model_ema": OTHER}, r"differ \(in \['model'\]; in \['model_ema'\]\)"),
        ({**behind("model."), **{f"ema.{k}": v for k, v in OTHER.items()}}, "differ .*'model.'"),
        ({"model": {**STATE, "conv1.weight": STATE["conv1.weight"].int()}}, "int32 instead of fl"),
        ({**STATE, "conv1.bias": [0.0] * 16}, r"1 arrays are missing \(conv1.bias"),
        ({**STATE, "conv1.bias": torch.full((16,), float("nan"))}, "conv1.bias holds NaN or infi"),
        ({**STATE, "more": torch.zeros(2)}, r"1 are unknown \(more"),
        ({**STATE, "conv1.bias": torch.zeros(16).to_sparse()}, "read safely|damaged"),
    ],
)
def test_other_contents_are_told_and_the_file_named(content, message, tmp_path):
    path = tmp_path / "weights.pth"
    torch.save(content, path)
    with pytest.raises(ValueError, match=message) as caught:
        load_network("bundled", path)
    assert str(path) in str(caught.value)


def test_googlenets_auxiliary_classifiers_may_be_there(tmp_path):
    from torchvision.models import googlenet

    module = googlenet(weights=None, init_weights=False, aux_logits=True)
    torch.save(module.state_dict(), tmp_path / "weights.pth")
    network = load_network("googlenet", tmp_path / "weights.pth")
    assert torch.equal(network.module.conv1.conv.weight, module.conv1.conv.weight)


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
        decode(WeightsFile(Path("a.pth"), wrong))


def test_large_files_are_not_read(tmp_path, monkeypatch):
    monkeypatch.setattr(_weights_file, "LARGEST", 100)
    path = tmp_path / "weights.pth"
    path.write_bytes(b"0" * 101)
    with pytest.raises(ValueError, match=r"weights.pth is not a weights file of a network known"):
        load_network("bundled", path)


def test_a_cached_googlenet_is_checked_before_it_is_read(tmp_path, monkeypatch):
    monkeypatch.setattr(_weights, "cache_folder", lambda: tmp_path)
    path, mark = tmp_path / "googlenet-1378be20.pth", tmp_path / "ran"
    for content in (Runs(mark), STATE):
        torch.save(content, path)
        with pytest.raises(ValueError, match=r"The cached file .*1378be20.pth is not the file it"):
            load_network("googlenet")
    assert not mark.exists()


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


def test_deep_or_endless_containers_are_left():
    deep = SMALL.state_dict()
    for _ in range(9):
        deep = {"state_dict": deep}
    with pytest.raises(ValueError, match="no arrays with names"):
        fitting_state(deep, SMALL.state_dict())
    endless = {"more": []}
    endless["more"].append(endless)
    with pytest.raises(ValueError, match="no arrays with names"):
        fitting_state(endless, SMALL.state_dict())
