from __future__ import annotations

import builtins
import random
import sys

import numpy as np
import pytest
import torch

from sklearn_groupcross.visualization._lucent import SCALE, TURN, Pictures

CPU = torch.device("cpu")


def states():
    return [
        torch.get_rng_state().numpy().tobytes(),
        np.random.get_state()[1].tobytes(),  # noqa: NPY002
        str(np.random.get_state()[2:]),  # noqa: NPY002
        str(random.getstate()),
    ]


@pytest.mark.parametrize("n_channels", [1, 3, 5])
@pytest.mark.parametrize("size", [16, 35])
def test_pictures_of_any_channels_start_gray(n_channels, size):
    pictures = Pictures(2, n_channels, size, CPU, 0)
    images = pictures.images()
    assert images.shape == (2, n_channels, size, size)
    assert images.dtype == torch.float32
    assert torch.equal(images[0], images[1])
    assert 0 < (images - 0.5).abs().max() < 0.2


def test_the_seed_says_how_they_start_and_no_global_generator_is_used():
    before = states()
    one, same, other = (Pictures(1, 3, 20, CPU, seed).images() for seed in (3, 3, 4))
    Pictures(1, 3, 20, CPU, 0).transformed(torch.Generator().manual_seed(0))
    assert states() == before
    assert torch.equal(one, same)
    assert not torch.equal(one, other)


def test_transformed_pictures_are_near_the_picture_and_show_no_black_border():
    pictures = Pictures(1, 3, 35, CPU, 0)
    with torch.no_grad():  # one color, and nothing else
        pictures.spectrum.zero_()
    generator = torch.Generator().manual_seed(0)
    drawn = torch.cat([pictures.transformed(generator) for _ in range(40)])
    assert drawn.shape == (40, 3, 35, 35)
    # the picture and what is around it are both gray
    torch.testing.assert_close(drawn, torch.full_like(drawn, 0.5), rtol=0, atol=1e-6)


def test_pictures_are_moved_turned_and_scaled_within_their_limits():
    size = 64
    pictures = Pictures(1, 1, size, CPU, 0)
    spot = torch.full((1, 1, size, size), -4.0)
    spot[..., 31:33, 31:33] = 4.0
    pictures._images = lambda: torch.sigmoid(spot)
    grid = torch.stack(torch.meshgrid(torch.arange(64.0), torch.arange(64.0), indexing="ij"))
    generator = torch.Generator().manual_seed(0)
    centers = []
    for _ in range(60):
        weights = (pictures.transformed(generator)[0, 0] - 0.5).clamp(min=0)
        centers.append((weights * grid).sum((1, 2)) / weights.sum() - 31.5)
    away = torch.stack(centers)
    assert away.abs().max() < size / 16 + 1
    assert away.std(dim=0).min() > 1
    assert away.mean(dim=0).abs().max() < 1.2


def test_gradients_reach_the_spectrum():
    pictures = Pictures(1, 3, 24, CPU, 0)
    total = pictures.transformed(torch.Generator().manual_seed(0))[..., 10, 10].sum()
    (gradient,) = torch.autograd.grad(total, [pictures.spectrum])
    assert gradient.isfinite().all()
    assert gradient.abs().max() > 0


def test_turns_are_less_than_between_neighbouring_poses():
    assert 2 * TURN < 360 / 32
    assert SCALE < 0.1


def test_without_lucent_it_is_said_how_to_get_it(monkeypatch):
    real = builtins.__import__

    def refuse(name, *arguments, **options):
        if name.startswith("lucent"):
            raise ImportError("No module named 'lucent'")
        return real(name, *arguments, **options)

    for name in [name for name in sys.modules if name.startswith("lucent")]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setattr(builtins, "__import__", refuse)
    with pytest.raises(ImportError, match=r"pip install 'sklearn-groupcross\[lucent\]'"):
        Pictures(1, 3, 16, CPU, 0)
