"""Local response normalisation is torch's, in whatever way it is computed."""

import pytest
import torch
import torch.nn.functional as F
from torch import nn

from sklearn_groupcross.networks import _normalization
from sklearn_groupcross.networks._normalization import LocalResponseNorm, local_response_norm
from tests.tolerances import assert_near


def maps_of(n_channels, dtype=torch.float32):
    generator = torch.Generator().manual_seed(0)
    maps = 100 * torch.randn(2, n_channels, 5, 7, generator=generator, dtype=dtype)
    return maps.contiguous(memory_format=torch.channels_last)


@pytest.mark.parametrize("channels_last", [True, False])
@pytest.mark.parametrize("beta", [0.75, 0.5, 0.6])
@pytest.mark.parametrize(("size", "n_channels"), [(5, 64), (9, 30), (4, 17), (9, 3), (1, 8)])
def test_it_is_torchs(size, n_channels, beta, channels_last):
    maps = maps_of(n_channels)
    maps = maps if channels_last else maps.contiguous()
    found = local_response_norm(maps, size, 1e-4, beta, 1.0)
    assert_near(found, F.local_response_norm(maps, size, 1e-4, beta, 1.0), size + 3)
    assert found.is_contiguous(
        memory_format=torch.channels_last if channels_last else torch.contiguous_format
    )


@pytest.mark.parametrize(("beta", "is_fast"), [(0.75, True), (0.5, True), (0.6, False)])
def test_maps_of_float32_are_read_once(beta, is_fast, monkeypatch):
    calls = []
    in_one_pass = _normalization._in_one_pass
    monkeypatch.setattr(
        _normalization, "_in_one_pass", lambda *args: (calls.append(1), in_one_pass(*args))[1]
    )
    local_response_norm(maps_of(8), 5, 1e-4, beta, 1.0)
    assert len(calls) == is_fast
    local_response_norm(maps_of(8, torch.float64), 5, 1e-4, beta, 1.0)
    assert len(calls) == is_fast


def test_gradients_and_other_precisions():
    maps = maps_of(6, torch.float64).requires_grad_()
    assert torch.autograd.gradcheck(lambda x: local_response_norm(x, 5, 1e-4, 0.75, 1.0), maps)
    with torch.enable_grad():
        single = maps_of(6).requires_grad_()
        local_response_norm(single, 5, 1e-4, 0.75, 1.0).sum().backward()
    assert single.grad is not None


def test_threads_share_the_places():
    maps, n_threads = maps_of(64), torch.get_num_threads()
    alone = local_response_norm(maps, 5, 1e-4, 0.75, 1.0)
    try:
        torch.set_num_threads(3)
        assert torch.equal(local_response_norm(maps, 5, 1e-4, 0.75, 1.0), alone)
    finally:
        torch.set_num_threads(n_threads)


def test_the_module_looks_like_torchs():
    # the digest of a network, by which stores know it, has the description
    ours, torchs = (
        kind(9, alpha=1e-4, beta=0.5, k=1.0) for kind in (LocalResponseNorm, nn.LocalResponseNorm)
    )
    assert repr(ours) == repr(torchs)
    assert_near(ours(maps_of(20)), torchs(maps_of(20)), 9 + 3)


def test_the_operation_is_one_that_torch_can_compile():
    torch.library.opcheck(
        _normalization._in_one_pass, (maps_of(8), 5, 1e-4, 0.75, 1.0), test_utils="test_faketensor"
    )
