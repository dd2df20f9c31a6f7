from __future__ import annotations

import pytest
import torch

from sklearn_groupcross._device import resolve_device


@pytest.mark.parametrize("is_there", [False, True])
def test_auto_is_cuda_where_there_is_one(monkeypatch, is_there):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: is_there)
    assert resolve_device("auto") == torch.device("cuda" if is_there else "cpu")


@pytest.mark.parametrize("device", ["cpu", torch.device("cpu")])
def test_the_cpu_is_always_there(device):
    assert resolve_device(device) == torch.device("cpu")


@pytest.mark.parametrize(
    ("device", "n_gpus", "message"),
    [
        ("cuda", 0, "torch finds no CUDA here"),
        ("cuda:1", 1, "torch finds 1 of CUDA here, counted from 0"),
        ("abacus", 1, "Unknown device 'abacus': expected 'auto', 'cpu' or 'cuda'"),
        ("meta", 1, "holds no numbers"),
        ("mps", 1, "Apple's GPU, has no float64, .*: take device='cpu'"),
        ("vulkan", 1, "torch cannot use it here; 'auto' takes what there is"),
    ],
)
def test_devices_that_compute_nothing_are_refused(monkeypatch, device, n_gpus, message):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: n_gpus > 0)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: n_gpus)
    with pytest.raises(ValueError, match=message):
        resolve_device(device)


def test_the_last_of_several_is_there(monkeypatch):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 2)
    assert resolve_device("cuda:1").index == 1
