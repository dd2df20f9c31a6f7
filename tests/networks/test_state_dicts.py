from __future__ import annotations

import collections

import pytest
import torch
from safetensors.torch import save_file
from torch import nn

from sklearn_groupcross import load_network
from sklearn_groupcross.networks._state_dicts import fitting_state


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


SMALL = nn.Sequential(nn.Conv2d(3, 4, 3), nn.BatchNorm2d(4))


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
