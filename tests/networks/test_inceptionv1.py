"""The InceptionV1 of this package against lucent's, whose weights and names it takes."""

from __future__ import annotations

import warnings

import pytest
import torch
from torch import nn

from sklearn_groupcross import Network, receptive_field
from sklearn_groupcross.networks._inceptionv1 import InceptionV1, preprocess_lucid
from tests.tolerances import assert_near


@pytest.fixture(scope="module")
def lucents():
    """Lucent's module, of random weights that let signals of every layer through."""
    with warnings.catch_warnings():
        # its kornia uses torch.jit, and strings have escapes that newer Pythons deprecate
        warnings.simplefilter("ignore")
        pytest.importorskip(
            "lucent", reason="torch-lucent, of the extra `lucent`, is not installed"
        )
        from lucent.modelzoo.inceptionv1.InceptionV1 import InceptionV1 as Lucents
    module = Lucents(pretrained=False, redirected_ReLU=False).eval()
    generator = torch.Generator().manual_seed(0)
    for part in module.modules():
        if isinstance(part, nn.Conv2d | nn.Linear):
            nn.init.kaiming_normal_(part.weight, generator=generator)
            nn.init.normal_(part.bias, generator=generator)
    return module


def drawn(n):
    generator = torch.Generator().manual_seed(1)
    return preprocess_lucid(torch.rand(n, 3, 224, 224, generator=generator))


def outputs(module, images):
    """What every named part puts out."""
    found = {}
    for name, part in module.named_modules():
        part.register_forward_hook(lambda _part, _in, out, name=name: found.update({name: out}))
    with torch.inference_mode():
        module(images)
    for part in module.modules():
        part._forward_hooks.clear()
    return found


def test_it_is_lucents_layer_by_layer(lucents):
    module = InceptionV1().eval()
    module.load_state_dict(lucents.state_dict())
    images = drawn(2)
    expected, found = outputs(lucents, images), outputs(module, images)
    assert len(expected) == 139
    assert set(found) - set(expected) == {"localresponsenorm0", "localresponsenorm1"}
    for name, maps in expected.items():
        # 22 layers follow one another, and no sum is longer than that of 5b's 3x3
        assert_near(found[name], maps, 22 * 9 * 192)
    assert expected["softmax2_pre_activation_matmul"].std() > 0.1
    assert (expected["mixed3b"] > 0).float().mean() > 0.1
    assert (found["mixed3b_1x1_pre_relu_conv"] < 0).any()


def test_another_normalization_would_be_noticed(lucents):
    module = InceptionV1().eval()
    module.load_state_dict(lucents.state_dict())
    images = drawn(1)
    module.localresponsenorm0.size = 5
    expected, found = outputs(lucents, images), outputs(module, images)
    with pytest.raises(AssertionError):
        assert_near(found["mixed3b"], expected["mixed3b"], 22 * 9 * 192)


@pytest.mark.parametrize("size", [(224, 224), (97, 130)])
def test_it_runs_on_images_of_any_size(size):
    module = InceptionV1().eval()
    with torch.inference_mode():
        probabilities = module(preprocess_lucid(torch.rand(2, 3, *size)))
    assert probabilities.shape == (2, 1008)
    assert torch.allclose(probabilities.sum(dim=1), torch.ones(2))


def test_mixed3b_looks_where_the_convolutions_say():
    field = receptive_field(Network(InceptionV1(), preprocess_lucid), "mixed3b")
    assert (field.stride, field.offset, field.size) == ((8, 8), (7, 7), (91, 91))
    assert (field.map_size, field.n_channels, field.derivation) == ((28, 28), 480, "derived")
