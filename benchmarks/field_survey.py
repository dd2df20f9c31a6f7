"""Receptive fields of many networks, against gradients that know nothing of how they were found.

Run ``python benchmarks/field_survey.py``; torchvision and timm are needed, nothing is downloaded
(random weights). Names on the command line choose some of the networks. It prints one row for each
layer: whether its field was derived, measured or refused, at how many units brute force agrees
with it, and how long it took to find. The last line counts fields that are wrong and say nothing.

Brute force puts random positive weights into a float64 copy of the module, and unites what has a
gradient at a unit over up to 24 random images. Gates, attention and normalisations over positions
are cut out of the copy, as fields leave out what comes through the whole image.
"""

from __future__ import annotations

import copy
import math
import sys
import time
import warnings
from collections.abc import Callable

import numpy as np
import timm
import torch
import torchvision.models
from torch import Tensor, nn

from sklearn_groupcross.networks import Network, ReceptiveField, receptive_field

TORCHVISION = {
    "resnet18": ("layer2", "layer3.0.conv1"),
    "resnet50": ("layer2",),
    "resnext50_32x4d": ("layer2",),
    "googlenet": ("inception3b",),
    "inception_v3": ("Mixed_5d",),
    "densenet121": ("features.denseblock1", "features.transition1"),
    "vgg11_bn": ("features.15",),
    "alexnet": ("features.7",),
    "squeezenet1_1": ("features.7",),
    "shufflenet_v2_x1_0": ("stage2",),
    "mobilenet_v2": ("features.6",),
    "mobilenet_v3_small": ("features.3",),
    "mnasnet1_0": ("layers.9",),
    "efficientnet_b0": ("features.3",),
    "regnet_y_400mf": ("trunk_output.block2",),
    "convnext_tiny": ("features.1", "features.3"),
    "swin_t": ("features.1",),
    "vit_b_16": ("conv_proj", "encoder.layers.encoder_layer_1"),
}
TIMM = {
    "resnet26d": ("layer2",),
    "resnetv2_50": ("stages.1",),
    "seresnet18": ("layer2",),
    "res2net50_26w_4s": ("layer1",),
    "hrnet_w18_small": ("layer1", "stage2.0.fuse_layers.0.1"),
    "fasternet_t0": ("stages.0", "stages.1"),
    "convnextv2_atto": ("stages.0",),
    "poolformer_s12": ("stages.0",),
    "edgenext_xx_small": ("stages.0",),
    "mixer_s16_224": ("blocks.0",),
    "deit_tiny_patch16_224": ("blocks.1",),
    "pvt_v2_b0": ("stages.0", "stages.1"),
    "mobilevit_xxs": ("stages.1",),
    "repvgg_a0": ("stages.1",),
    "ghostnet_100": ("blocks.2",),
    "dla34": ("level3",),
    "cspresnet50": ("stages.1",),
    "xcit_nano_12_p16_224": ("blocks.1",),
    "coatnet_nano_rw_224": ("stages.0",),
}
CUT = (
    "SqueezeExcitation", "SqueezeExcite", "SEModule", "Attention", "AttentionRpb", "Attention2d",
    "AttentionConvPool", "XCA", "GlobalResponseNorm", "GlobalContext", "EcaModule", "GroupNorm",
    "GroupNorm1", "MultiheadAttention",
)  # fmt: skip


class Partial(nn.Module):
    """A convolution of some channels, written back in place."""

    def __init__(self, dim: int = 8) -> None:
        super().__init__()
        self.conv = nn.Conv2d(dim // 4, dim // 4, 5, padding=2)

    def forward(self, x: Tensor) -> Tensor:
        x, k = x.clone(), self.conv.in_channels
        x[:, :k] = self.conv(x[:, :k])
        return x


class Shift(nn.Module):
    """Some channels one column to the right, some to the left."""

    def forward(self, x: Tensor) -> Tensor:
        moved = torch.zeros_like(x)
        moved[:, :2, :, 1:] = x[:, :2, :, :-1]
        moved[:, 2:4, :, :-1] = x[:, 2:4, :, 1:]
        moved[:, 4:] = x[:, 4:]
        return moved


class Tokens(nn.Module):
    """Patches behind a class token, and a layer on each of them."""

    def __init__(self) -> None:
        super().__init__()
        self.patch, self.block = nn.Conv2d(3, 8, 4, stride=4), nn.Linear(8, 8)
        self.token = nn.Parameter(torch.zeros(1, 1, 8))

    def forward(self, x: Tensor) -> Tensor:
        x = self.patch(x).flatten(2).transpose(1, 2)
        return self.block(torch.cat([self.token.expand(len(x), -1, -1), x], dim=1))


class Roll(nn.Module):
    """Half of the channels moved by one row, around the border."""

    def forward(self, x: Tensor) -> Tensor:
        return torch.cat([x[:, :4], torch.roll(x[:, 4:], 1, 2)], dim=1)


def _stem(*rest: nn.Module, stride: int = 2) -> nn.Sequential:
    return nn.Sequential(nn.Conv2d(3, 8, 3, stride=stride, padding=1), nn.ReLU(), *rest)


def _spectral() -> nn.Module:
    norm = nn.utils.parametrizations.spectral_norm
    return nn.Sequential(
        norm(nn.Conv2d(3, 8, 3, padding=1)), nn.ReLU(), norm(nn.Conv2d(8, 8, 3, padding=1))
    )


def _resized(images: Tensor) -> Tensor:
    larger = nn.functional.interpolate(images, scale_factor=8 / 7, mode="bilinear", antialias=True)
    edge = (larger.shape[-1] - images.shape[-1]) // 2
    return larger[..., edge : edge + images.shape[-1], edge : edge + images.shape[-1]]


Preprocess = Callable[[Tensor], Tensor] | None
OWN: dict[str, tuple[Callable[[], nn.Module], str, Preprocess]] = {
    "slices": (lambda: _stem(Partial(), nn.Conv2d(8, 8, 1)), "3", None),
    "shifts": (lambda: _stem(Shift(), nn.Conv2d(8, 8, 3)), "3", None),
    "roll": (lambda: _stem(Roll(), nn.Conv2d(8, 8, 1)), "3", None),
    "dilations": (lambda: _stem(nn.Conv2d(8, 8, (3, 2), dilation=(2, 3), padding=2)), "2", None),
    "ceil mode": (
        lambda: _stem(nn.MaxPool2d(3, 2, ceil_mode=True), nn.AvgPool2d(2, 2, ceil_mode=True)),
        "3",
        None,
    ),
    "upsampling nearest": (
        lambda: _stem(nn.Upsample(scale_factor=2), nn.Conv2d(8, 8, 3, padding=1)),
        "3",
        None,
    ),
    "upsampling bilinear": (
        lambda: _stem(nn.Upsample(scale_factor=2, mode="bilinear")),
        "2",
        None,
    ),
    "upsampled, then halved": (
        lambda: _stem(nn.Upsample(scale_factor=2), nn.Conv2d(8, 8, 3, 2, 1)),
        "3",
        None,
    ),
    "transposed conv": (lambda: _stem(nn.ConvTranspose2d(8, 8, 4, 2, 1)), "2", None),
    "circular padding": (
        lambda: _stem(nn.Conv2d(8, 8, 5, padding=2, padding_mode="circular")),
        "2",
        None,
    ),
    "spectral norm": (_spectral, "2", None),
    "tokens": (Tokens, "block", None),
    "preprocess resizes": (lambda: _stem(nn.Conv2d(8, 8, 3, padding=1)), "2", _resized),
    "preprocess flips": (lambda: _stem(), "1", lambda x: x.flip(-1)),
    "preprocess pads": (lambda: _stem(), "1", lambda x: nn.functional.pad(x, (2, 2, 2, 2))),
    "preprocess blurs": (
        lambda: _stem(),
        "1",
        lambda x: nn.functional.avg_pool2d(x, 3, 1, 1, count_include_pad=False),
    ),
    "preprocess grey": (
        lambda: nn.Sequential(nn.Conv2d(1, 4, 5, stride=2)),
        "0",
        lambda x: x.mean(1, keepdim=True),
    ),
}


def brute_force(
    network: Network, layer: str, field: ReceptiveField, n_images: int = 24
) -> tuple[int, int]:
    """Units that agree, and units looked at: every fifth of the map, on a line through all."""
    module = copy.deepcopy(network.module).double().eval().requires_grad_(False)
    generator = torch.Generator().manual_seed(5)
    for name, parameter in module.named_parameters():
        draws = 0.2 + torch.rand(parameter.shape, generator=generator, dtype=torch.float64)
        fan_in = max(parameter[0].numel(), 1) if parameter.ndim > 1 else 1
        parameter.copy_(torch.zeros(()) if name.endswith("bias") else draws / fan_in)
    for name, buffer in module.named_buffers():
        if name.endswith(("_u", "_v")):  # of spectral norms: a negative norm would turn weights
            buffer.abs_()
    for part in module.modules():
        if isinstance(part, nn.modules.batchnorm._BatchNorm):
            part.reset_running_stats()
        if type(part).__name__ in CUT:
            part.register_forward_hook(
                lambda part, inputs, output: (
                    (inputs[0], None) if isinstance(output, tuple) else inputs[0]
                )
            )
    copied = network.with_module(module)
    columns, rows = field.map_size
    units = [(k, (3 * k + 1) % rows) for k in range(0, columns, 5)]
    touched = {unit: [np.zeros(field.input_size, dtype=bool) for _ in range(2)] for unit in units}
    agreeing = 0
    for _ in range(n_images):
        shape = (1, 3, field.input_size, field.input_size)
        image = torch.rand(shape, generator=generator, dtype=torch.float64).requires_grad_()
        inputs = image if network.preprocess is None else network.preprocess(image)
        # copies, since modules may write to what autograd keeps for the way back
        with torch.autograd.graph.saved_tensors_hooks(torch.clone, lambda saved: saved):
            maps = copied.read_layer(inputs, layer)
        for column, row in units:
            reading = maps[0, :, row, column]
            weights = torch.rand(reading.shape, generator=generator, dtype=torch.float64)
            (gradient,) = torch.autograd.grad((reading * weights).sum(), image, retain_graph=True)
            seen = (gradient[0] != 0).any(0).numpy()
            touched[column, row][0] |= seen.any(0)
            touched[column, row][1] |= seen.any(1)
        agreeing = sum(_agrees(field, unit, axes) for unit, axes in touched.items())
        if agreeing == len(units):
            break
    return agreeing, len(units)


def _agrees(field: ReceptiveField, unit: tuple[int, int], touched: list[np.ndarray]) -> bool:
    if not touched[0].any():  # padding alone
        ends = [
            (at + k * stride, (size - 1) / 2)
            for at, k, stride, size in zip(
                field.offset, unit, field.stride, field.size, strict=True
            )
        ]
        return any(c + reach < 0 or c - reach > field.input_size - 1 for c, reach in ends)
    for axis in (0, 1):
        center = field.offset[axis] + unit[axis] * field.stride[axis]
        first = math.ceil(center - (field.size[axis] - 1) / 2 - 1e-6)
        last = math.floor(center + (field.size[axis] - 1) / 2 + 1e-6)
        allowed = np.arange(first, last + 1)
        if field.wraps[axis]:
            allowed = allowed % field.input_size
        pixels = np.flatnonzero(touched[axis])
        if not set(pixels) <= set(allowed):
            return False
        if field.wraps[axis] and (first < 0 or last >= field.input_size):
            continue
        # behind upsampling, a field is that of several units, each of which may see less of it
        slack = math.ceil(field.size[axis] / 2) if field.repeats[axis] > 1 else 0
        if 0 <= first < field.input_size and (not len(pixels) or pixels[0] > first + slack):
            return False
        if 0 <= last < field.input_size and (not len(pixels) or pixels[-1] < last - slack):
            return False
    return True


def survey(name: str, network: Network, layer: str) -> bool:
    """Print one row; whether the field is wrong without a word."""
    start = time.perf_counter()
    how, agreement, wrong, note = "refused", "", False, ""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            field = receptive_field(network, layer)
        except ValueError as error:
            note = str(error).split(": ", 1)[-1][:90]
        else:
            how = field.derivation + (", context" if field.global_context else "")
        seconds = time.perf_counter() - start
        if how != "refused":
            agreeing, n_units = brute_force(network, layer, field)
            agreement, wrong = f"{agreeing}/{n_units}", agreeing < n_units
            note = f"stride {field.stride[0]:g}, offset {field.offset[0]:g}, size {field.size[0]}"
    mark = " WRONG" if wrong else ""
    print(f"{name:24s} {layer:32s} {how:18s} {agreement:>6s} {seconds:6.2f} s  {note}{mark}")
    sys.stdout.flush()
    return wrong


def _networks(chosen: list[str]) -> list[tuple[str, Callable[[], Network], tuple[str, ...]]]:
    def of_torchvision(name: str) -> Network:
        options = {"image_size": 96} if name.startswith("vit") else {}
        if name in ("googlenet", "inception_v3"):
            options = {"init_weights": False}
        module = getattr(torchvision.models, name)(weights=None, **options)
        return Network(module, input_size=96, name=name)

    def of_timm(name: str) -> Network:
        sized = any(word in name for word in ("deit", "mixer"))
        options = {"img_size": 96} if sized else {}
        grid = (6, 6) if name.startswith("xcit") else None
        module = timm.create_model(name, **options)
        return Network(module, input_size=96, name=name, token_grid=grid)

    def own(name: str) -> Network:
        make, _, preprocess = OWN[name]
        return Network(make(), preprocess, input_size=56, name=name)

    rows = [
        (name, lambda n=name: of_torchvision(n), layers) for name, layers in TORCHVISION.items()
    ]
    rows += [(name, lambda n=name: of_timm(n), layers) for name, layers in TIMM.items()]
    rows += [(name, lambda n=name: own(n), (OWN[name][1],)) for name in OWN]
    return [row for row in rows if not chosen or row[0] in chosen]


if __name__ == "__main__":
    torch.manual_seed(0)
    n_wrong = n_layers = 0
    for name, make, layers in _networks(sys.argv[1:]):
        network = make()
        for layer in layers:
            n_wrong += survey(name, network, layer)
            n_layers += 1
    print(f"{n_layers} layers, {n_wrong} fields that are wrong and say nothing")
