"""What turns RGB images in [0, 1] into what a network reads, and where models say so."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from torch import Tensor, nn


@dataclass(frozen=True)
class Normalise:
    """Subtract a mean from RGB in [0, 1] and divide by a deviation, channel by channel."""

    mean: tuple[float, ...]
    std: tuple[float, ...]

    def __call__(self, images: Tensor) -> Tensor:
        """Map images (n, 3, height, width) to what the module reads."""
        mean, std = (images.new_tensor(values)[:, None, None] for values in (self.mean, self.std))
        return (images - mean) / std


IMAGENET = Normalise((0.485, 0.456, 0.406), (0.229, 0.224, 0.225))


def settings_of_timm(module: nn.Module) -> tuple[Normalise, int]:
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
    return Normalise(tuple(config["mean"]), tuple(config["std"])), size


def settings_of_torchvision(weights: Any) -> tuple[Normalise, int]:
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
    return Normalise(tuple(transforms.mean), tuple(transforms.std)), size


def _side(size: int | Sequence[int], owner: str) -> int:
    sides = {size} if isinstance(size, int) else set(size)
    if len(sides) != 1:
        raise ValueError(f"{owner} reads images of {tuple(sides)} px; orbits need square ones.")
    return int(sides.pop())
