"""Types, channels and devices of modules and images: they go together, or words say why not."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import nn

from sklearn_groupcross import Cyclic, Network, OrbitDataset, receptive_field
from sklearn_groupcross.networks import confirm_receptive_field

TYPES = [torch.float16, torch.bfloat16, torch.float32, torch.float64]


def module_of(n_channels: int, dtype: torch.dtype = torch.float32) -> nn.Module:
    generator = torch.Generator().manual_seed(0)
    module = nn.Sequential(
        nn.Conv2d(n_channels, 4, 3, stride=2), nn.BatchNorm2d(4), nn.ReLU(), nn.Conv2d(4, 5, 3)
    )
    for parameter in module.parameters():
        parameter.data = torch.rand(parameter.shape, generator=generator) - 0.3
    return module.to(dtype).eval()


def to_channels(n_in: int, n_out: int):
    """Make a preprocess: every channel of what the module reads is one of the image's."""
    numbers = [i % n_in for i in range(n_out)]
    return lambda images: torch.cat([images[:, i : i + 1] for i in numbers], dim=1)


@given(
    module_type=st.sampled_from(TYPES),
    converted=st.sampled_from([None, *TYPES]),
    given_type=st.sampled_from(TYPES),
    n_images=st.integers(1, 5),
    n_read=st.integers(1, 5),
    channels_last=st.booleans(),
)
def test_any_type_and_number_of_channels(
    module_type, converted, given_type, n_images, n_read, channels_last
):
    module = module_of(n_read, module_type)
    remap = to_channels(n_images, n_read)
    network = Network(
        module,
        remap if converted is None else lambda images: remap(images).to(converted),
        n_channels=n_images,
        input_size=20,
        channels_last=channels_last,
    )
    images = torch.rand(2, n_images, 20, 20, generator=torch.Generator().manual_seed(1))
    images = images.to(given_type)
    with torch.no_grad():
        inputs = network.preprocess(images).to(module_type)
        expected = module[:3](inputs), module(inputs)
    maps = network.activations(images, "2")
    double = given_type == module_type == torch.float64
    assert maps.dtype == (torch.float64 if double else torch.float32)
    torch.testing.assert_close(maps, expected[0].to(maps.dtype), rtol=1e-2, atol=1e-2)
    torch.testing.assert_close(
        network.run(images), expected[1].to(maps.dtype), rtol=1e-2, atol=1e-2
    )
    seen = []
    same = network.run_with_replacement(images, "0", lambda m: seen.append(m.dtype) or m)
    assert seen == [maps.dtype]
    torch.testing.assert_close(same, network.run(images))
    if converted not in (torch.float16, torch.bfloat16):
        # gradients of one pixel are lost in half precision
        field = receptive_field(network, "3", confirm=True)
        assert (field.size, field.stride) == ((7, 7), (2, 2))


def test_float32_is_left_as_it_was():
    module, images = module_of(3), torch.rand(2, 3, 20, 20)
    with torch.inference_mode():
        expected = module(images)
    assert torch.equal(Network(module).run(images), expected)


@pytest.mark.parametrize("n_channels", [1, 2, 5])
def test_orbits_of_images_with_other_channels(n_channels):
    network = Network(module_of(n_channels), input_size=20, n_channels=n_channels)
    images = np.random.default_rng(0).random((2, 24, 24, n_channels))
    for given_images in (images, (images * 255).astype(np.uint8)):
        dataset = OrbitDataset(
            given_images, network=network, layer="2", group=Cyclic(4), n_positions=3
        )
        assert dataset.as_array().shape == (6, 4, 4)
        assert dataset.patches([0]).shape[-1] == n_channels
    with pytest.raises(ValueError, match=rf"\(height, width, {n_channels}\).*n_channels"):
        OrbitDataset(images[..., :1].repeat(9, -1), network=network, layer="2", group=Cyclic(4))
    field = receptive_field(network, "2")
    assert len(confirm_receptive_field(network, "2", field)) == 3


def test_gray_of_the_module_or_of_the_image():
    module = module_of(1)
    images = torch.rand(1, 1, 20, 20)
    gray = Network(module, n_channels=1, input_size=20)
    color = Network(module, lambda x: x.mean(1, keepdim=True), input_size=20)
    torch.testing.assert_close(
        gray.activations(images, "2"), color.activations(images.expand(-1, 3, -1, -1), "2")
    )
    assert receptive_field(gray, "2") == receptive_field(color, "2")


@pytest.mark.parametrize("kind", ["activations", "field", "orbits", "node"])
def test_a_module_of_other_channels_is_explained(kind):
    network = Network(module_of(5), input_size=20, name="mine")
    uses = {
        "activations": lambda: network.activations(torch.rand(1, 3, 20, 20), "2"),
        "node": lambda: network.activations(torch.rand(1, 3, 20, 20), "1.add"),
        "field": lambda: receptive_field(network, "2"),
        "orbits": lambda: OrbitDataset(
            [np.zeros((20, 20, 3), np.uint8)], network=network, layer="2", group=Cyclic(2)
        ),
    }
    if kind == "node":
        network.module[1] = Added()
    message = r"'mine' .* '0' reads 5 channels, and preprocessed images have 3.* n_channels=5\)"
    with pytest.raises(ValueError, match=message):
        uses[kind]()


class Added(nn.Module):
    def forward(self, x):
        return x + 1


@pytest.mark.parametrize(
    ("first", "message"),
    [
        (nn.BatchNorm2d(5), "'0' reads 5 channels"),
        (nn.GroupNorm(5, 5), "'0' reads 5 channels"),
        (nn.Conv2d(5, 2, 3, groups=1), "'0' reads 5 channels"),
        (nn.Sequential(nn.Flatten(), nn.Linear(5 * 64, 2)), "a linear layer reads another number"),
    ],
)
def test_whatever_reads_the_channels(first, message):
    with pytest.raises(ValueError, match=message):
        Network(nn.Sequential(first)).run(torch.rand(1, 3, 8, 8))


def test_a_preprocess_that_does_not_fit_is_explained():
    images = torch.rand(2, 5, 8, 8)
    module = nn.Sequential(nn.Conv2d(3, 2, 1))
    from sklearn_groupcross.networks._preprocess import IMAGENET

    with pytest.raises(ValueError, match=r"failed on images with 5 channels.*n_channels=3"):
        Network(module, IMAGENET).run(images)
    with pytest.raises(TypeError, match="returned a ndarray"):
        Network(module, lambda x: x.numpy()).run(images)
    with pytest.raises(ValueError, match="made 1 images of 2"):
        Network(module, lambda x: x[:1, :3]).run(images)
    # its own errors are its own affair
    with pytest.raises(IndexError, match="index 7"):
        Network(module, lambda x: x[:, 7]).run(images[:, :3])
    with pytest.raises(ValueError, match="n_channels is at least 1"):
        Network(module, n_channels=0)


@pytest.mark.parametrize("half", TYPES[:2])
def test_modules_of_several_types_run_or_are_explained(half):
    module = module_of(3, half)
    module[1].float()  # as normalisations are often left
    images = torch.rand(1, 3, 20, 20)
    maps = Network(module).activations(images, "2")
    assert maps.dtype == torch.float32
    torch.testing.assert_close(
        maps, Network(module_of(3)).activations(images, "2"), rtol=0.1, atol=0.1
    )
    module[3].double()
    for use in (lambda n: n.run(images), lambda n: receptive_field(n, "3", 20)):
        with pytest.raises(ValueError, match=r"weights are of several types \(.*module.float\(\)"):
            use(Network(module))


def test_modules_without_floating_point_are_explained():
    images = torch.rand(1, 3, 20, 20)
    module = module_of(3)
    for name, parameter in list(module[0].named_parameters()):
        setattr(module[0], name, nn.Parameter(parameter.to(torch.int8), requires_grad=False))
    with pytest.raises(ValueError, match=r"no floating-point numbers \(.*int8: 0.weight"):
        Network(module).activations(images, "2")
    module = module_of(3)
    module[0].weight.data = module[0].weight.data.to(torch.float8_e4m3fn)
    with pytest.raises(ValueError, match=r"weights are float8_e4m3fn.*module.float\(\)"):
        Network(module).activations(images, "2")


class Cast(nn.Module):
    def __init__(self, cast) -> None:
        super().__init__()
        self.cast = cast

    def forward(self, x):
        return self.cast(x)


@pytest.mark.filterwarnings("ignore:torch.quantize_per_tensor")  # of torch: it is deprecated
@pytest.mark.parametrize(
    ("cast", "message"),
    [
        (lambda x: x.argmax(1, keepdim=True), r"integers \(int64\)"),
        (lambda x: x > 0.5, r"integers \(bool\)"),
        (torch.fft.fft2, r"complex numbers \(complex64\)"),
        (lambda x: torch.quantize_per_tensor(x, 0.1, 0, torch.quint8), r"quantized .*\(quint8\)"),
    ],
)
def test_layers_that_are_no_floating_point_are_refused(cast, message):
    network = Network(nn.Sequential(Cast(cast)))
    for read in (network.activations, lambda x, layer: network.run_with_replacement(x, layer, abs)):
        with pytest.raises(ValueError, match=f"Layer '0' puts out {message}"):
            read(torch.rand(1, 3, 4, 4), "0")


def test_quantized_operations_are_explained():
    module = nn.Sequential(nn.Conv2d(3, 2, 1), Cast(lambda x: nn.functional.relu(x)))

    def quantized(x):
        raise NotImplementedError(
            "Could not run 'quantized::conv2d.new' with arguments from the 'CPU' backend."
        )

    module[1].cast = quantized
    with pytest.raises(ValueError, match="it was before it was quantized|the module has quantized"):
        Network(module).run(torch.rand(1, 3, 4, 4))


def test_devices_are_named():
    module = module_of(3)
    with pytest.raises(ValueError, match=r"on meta and the module is on cpu|meta"):
        Network(module).activations(torch.rand(1, 3, 20, 20, device="meta"), "2").sum().item()


def test_errors_of_the_module_are_its_own():
    def fail(x):
        raise RuntimeError("no channel for this type of device")

    with pytest.raises(RuntimeError, match="no channel") as caught:
        Network(nn.Sequential(nn.Conv2d(3, 2, 1), Cast(fail))).run(torch.rand(1, 3, 4, 4))
    assert type(caught.value) is RuntimeError

    def fill(x):
        raise torch.OutOfMemoryError("CUDA out of memory on this device")

    with pytest.raises(torch.OutOfMemoryError):
        Network(nn.Sequential(nn.Conv2d(5, 2, 1), Cast(fill))).run(torch.rand(1, 5, 4, 4))
