"""What turns RGB images in [0, 1] into what a network reads, and where models say so."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import nullcontext
from dataclasses import dataclass
from typing import Any

from torch import Tensor, nn

from ._module_state import reading


@dataclass(frozen=True)
class Normalize:
    """Subtract a mean from RGB in [0, 1] and divide by a deviation, channel by channel."""

    mean: tuple[float, ...]
    std: tuple[float, ...]

    def __call__(self, images: Tensor) -> Tensor:
        """Map images (n, 3, height, width) to what the module reads."""
        mean, std = (images.new_tensor(values)[:, None, None] for values in (self.mean, self.std))
        return (images - mean) / std


def prepared(
    images: Tensor, preprocess: Callable[[Tensor], Tensor] | None, n_channels: int, name: str
) -> Tensor:
    """Check images and preprocess a copy of them, which preprocess and module may write to.

    Parameters
    ----------
    images : Tensor
    preprocess : callable or None
    n_channels : int
        Channels that images are said to have.
    name : str
        Of the network, for messages.

    Raises
    ------
    TypeError
        If the images are no tensor of floats, or become none.
    ValueError
        If they have another number of axes, or preprocess fails on another number of channels or
        makes another number of images.
    """
    shape = f"(n, {n_channels}, height, width)"
    if not isinstance(images, Tensor) or not images.is_floating_point():
        kind = str(images.dtype) if isinstance(images, Tensor) else type(images).__name__
        rgb = "RGB in [0, 1]" if n_channels == 3 else "values in [0, 1]"
        raise TypeError(f"Images are a floating-point torch Tensor {shape}, {rgb}; got {kind}.")
    if images.ndim != 4:
        raise ValueError(
            f"Images have shape {shape}, one image being (1, {n_channels}, height, width); got "
            f"{tuple(images.shape)}."
        )
    images = images.clone()
    if preprocess is None:
        return images
    n_given = images.shape[1]
    state = reading(preprocess) if isinstance(preprocess, nn.Module) else nullcontext()
    try:
        with state:
            inputs = preprocess(images)
    except (RuntimeError, IndexError, ValueError) as error:
        if n_given == n_channels:
            raise
        raise ValueError(
            f"The preprocess of network {name!r} failed on images with {n_given} channels "
            f"({error}). It is said to take n_channels={n_channels}: give such images, or "
            f"Network(..., n_channels={n_given})."
        ) from error
    if not isinstance(inputs, Tensor):
        raise TypeError(
            f"The preprocess of network {name!r} returned a {type(inputs).__name__}; the module is "
            "given a torch Tensor."
        )
    if len(inputs) != len(images):
        raise ValueError(
            f"The preprocess of network {name!r} made {len(inputs)} images of {len(images)}; it "
            "makes one of each."
        )
    return inputs


IMAGENET = Normalize((0.485, 0.456, 0.406), (0.229, 0.224, 0.225))


def settings_of_timm(module: nn.Module) -> tuple[Normalize, int]:
    """Normalisation and input size that a model of timm carries in ``pretrained_cfg``.

    Raises
    ------
    ValueError
        If it carries none, or its images are not square.
    """
    config = getattr(module, "pretrained_cfg", None) or getattr(module, "default_cfg", None)
    config = config if isinstance(config, dict) or config is None else vars(config)
    missing = [key for key in ("mean", "std", "input_size") if not (config or {}).get(key)]
    if config is None or missing:
        raise ValueError(
            f"{type(module).__name__} does not say how its images are preprocessed: a model of "
            f"timm has a dict pretrained_cfg with {', '.join(missing)}. "
            "Use Network(module, preprocess, input_size=...)."
        )
    # a model built for another size than its weights were trained at asks for that size
    built_for = getattr(getattr(module, "patch_embed", None), "img_size", None)
    size = _side(built_for or config["input_size"][-2:], type(module).__name__)
    return Normalize(tuple(config["mean"]), tuple(config["std"])), size


def settings_of_torchvision(weights: Any) -> tuple[Normalize, int]:
    """Normalisation and input size of weights of torchvision, or of their ``transforms()``.

    Raises
    ------
    ValueError
        If they do not have them.
    """
    if isinstance(weights, type):
        raise ValueError(
            f"{weights.__name__} is a class: name the weights themselves, such as "
            f"{weights.__name__}.DEFAULT."
        )
    transforms = weights.transforms() if hasattr(weights, "transforms") else weights
    missing = [key for key in ("mean", "std", "crop_size") if not hasattr(transforms, key)]
    if missing:
        raise ValueError(
            f"{weights!r} does not say how images are preprocessed: it has no "
            f"{', '.join(missing)}. Give weights of a classifier, for example "
            "ResNet18_Weights.DEFAULT, or use Network(module, preprocess, input_size=...)."
        )
    size = _side(transforms.crop_size, repr(weights))
    return Normalize(tuple(transforms.mean), tuple(transforms.std)), size


def _side(size: int | Sequence[int], owner: str) -> int:
    sides = {size} if isinstance(size, int) else set(size)
    if len(sides) != 1:
        raise ValueError(f"{owner} reads images of {tuple(sides)} px; orbits need square ones.")
    return int(sides.pop())
