"""Pictures of the inputs that excite a feature: patches, inputs of one's own, or none."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from functools import partial
from typing import Any, Protocol

import numpy as np
import torch
from numpy.typing import ArrayLike, NDArray

from .._plain import as_numpy
from ..actions import Action, ImageAction, ImageProductAction
from ..groups import FiniteGroup, PlanarGroup
from ..orbits import activations_around, patches_around
from ..plotting import as_rgb
from ._drawing import Draw, Picture, draw_image, draw_points, draw_signal, resized

#: Side of pictures in pixels: of patches, and of what is drawn.
PATCH_PIXELS, DRAWN_PIXELS = 64, 96
# Inputs that are transformed by all elements at a time.
_AT_ONCE = 8
#: Cells of a map of where a feature fires in a patch, on each side.
N_CELLS = 13

#: What inputs may be, by name.
_DRAWN = {"signals": draw_signal, "points": draw_points, "images": draw_image}
_NOUNS = {"signals": "signal", "points": "cloud", "images": "image"}


class Pictures(Protocol):
    """What a report asks for.

    Attributes
    ----------
    noun : str
        What a picture shows, for headings.
    tile : int
        Side of a picture in pixels.
    is_round : bool
        Whether a disk is shown of it, so that it can be turned.
    shows_transformed : bool
        Whether it can show more of a sample than it is under the identity.
    """

    noun: str
    tile: int
    is_round: bool
    shows_transformed: bool

    def of(self, samples: Sequence[int], elements: Sequence[int]) -> Sequence[Picture]:
        """Pictures of samples, each transformed by an element; empty where there are none.

        It is fast if samples of one image stand together.
        """
        ...

    def by_css(self, element: int) -> tuple[int, str]:
        """Split an element into one to draw, and a transformation of that picture in CSS."""
        ...

    def around(self, samples: Sequence[int], elements: Sequence[int]) -> NDArray[np.float32] | None:
        """Activations around what the pictures show; None where these are unknown."""
        ...

    def name_of(self, sample: int) -> str:
        """Where a sample is from."""
        ...


class NoPictures:
    """Of orbits alone, nothing can be shown."""

    noun = "input"
    tile = PATCH_PIXELS
    is_round = False
    shows_transformed = True

    def of(self, samples: Sequence[int], elements: Sequence[int]) -> Sequence[Picture]:
        """See `Pictures`."""
        return []

    def by_css(self, element: int) -> tuple[int, str]:
        """See `Pictures`."""
        return element, ""

    def around(self, samples: Sequence[int], elements: Sequence[int]) -> NDArray[np.float32] | None:
        """See `Pictures`."""
        return None

    def name_of(self, sample: int) -> str:
        """See `Pictures`."""
        return ""


class HasPatches(Protocol):
    """Where patches come from: what of an `OrbitDataset` is asked for.

    With `locate`, as `OrbitDataset` has it, there are maps of where features fire, and names of
    images: of the dataset's, or of those of the attribute `dataset` that patches are cut from.
    """

    @property
    def image_ids(self) -> NDArray[np.int64]:
        """Number of the image of every sample."""
        ...

    def patches(
        self, samples: Sequence[int], *, elements: Sequence[int] | None = None
    ) -> NDArray[np.float32]:
        """See `OrbitDataset.patches`."""
        ...


class Patches(NoPictures):
    """What samples of images look at.

    Parameters
    ----------
    patches : OrbitDataset or other HasPatches
    """

    noun = "patch"

    def __init__(self, patches: HasPatches) -> None:
        self._patches = patches
        self._image_ids = np.asarray(patches.image_ids)
        # of those that are cut from a store's images, the dataset over these
        self._dataset: Any = getattr(patches, "dataset", patches)
        is_known = hasattr(self._dataset, "fields")
        self._locate: Any = getattr(patches, "locate", None) if is_known else None
        self._action = getattr(self._dataset, "action", None)
        warp = self._warp()
        self.is_round = warp is not None and not warp.mask

    def _warp(self) -> ImageAction | None:
        """The part of the action that turns pictures, if any."""
        if isinstance(self._action, ImageProductAction):
            parts: Sequence[Any] = (self._action.first, self._action.second)
        else:
            parts = (self._action,)
        return next((part for part in parts if isinstance(part, ImageAction)), None)

    def of(self, samples: Sequence[int], elements: Sequence[int]) -> Sequence[Picture]:
        """See `Pictures`."""
        cut: Iterable[NDArray[np.float32]]
        if self._locate is None:
            pairs = zip(samples, elements, strict=True)
            cut = (self._patches.patches([s], elements=[g])[0, 0] for s, g in pairs)
        else:
            images, positions = self._locate(samples)
            cut = patches_around(self._dataset, images, positions, elements)
        return [resized(as_rgb(patch), self.tile) for patch in cut]

    def by_css(self, element: int) -> tuple[int, str]:
        """See `Pictures`."""
        action = self._action
        if isinstance(action, ImageAction):
            return 0, turned_by_css(action.group, element)
        if isinstance(action, ImageProductAction):
            i, j = divmod(element, action.second.group.order)
            if isinstance(action.first, ImageAction):
                return j, turned_by_css(action.first.group, i)
            if isinstance(action.second, ImageAction):
                return i * action.second.group.order, turned_by_css(action.second.group, j)
        return element, ""

    def around(self, samples: Sequence[int], elements: Sequence[int]) -> NDArray[np.float32] | None:
        """See `Pictures`."""
        dataset = self._dataset
        if self._locate is None:
            return None
        images, positions = self._locate(samples)
        size = min(*dataset.field.size, dataset.field.input_size)
        return activations_around(dataset, images, positions, elements, size=size, n_cells=N_CELLS)

    def name_of(self, sample: int) -> str:
        """See `Pictures`."""
        images = getattr(self._dataset, "images", None)
        return "" if images is None else str(images.name(int(self._image_ids[sample])))


class Inputs(NoPictures):
    """Inputs of one's own: signals, clouds of points, small images, or what a function draws.

    Parameters
    ----------
    inputs : array-like of shape (n_samples, ...)
    action : Action, optional
        Without it transformed inputs are not shown.
    n_samples : int
        How many there should be.
    draw : {"signals", "points", "images"} or callable
        What they are, or a function of one that returns a picture (height, width, 3) in [0, 1].

    Raises
    ------
    ValueError
        If these are no such inputs, or not one for each sample.
    """

    tile = DRAWN_PIXELS

    def __init__(
        self, inputs: ArrayLike, action: Action | None, n_samples: int, draw: str | Draw = "signals"
    ) -> None:
        self._inputs = np.asarray(as_numpy(inputs, "inputs"))
        _check_inputs(self._inputs, n_samples, draw)
        if draw == "images" and self._inputs.ndim == 3:  # as actions take them
            self._inputs = self._inputs[:, None]
        self.noun = _NOUNS.get(draw, "input") if isinstance(draw, str) else "input"
        self._draw = _drawing(draw, self.tile)
        self._action = action
        self.shows_transformed = action is not None

    def of(self, samples: Sequence[int], elements: Sequence[int]) -> Sequence[Picture]:
        """See `Pictures`."""
        if self._action is None:
            # what cannot be transformed is shown as it is
            return [self._draw(self._inputs[s]) for s in samples] if not any(elements) else []
        drawn: list[Picture] = []
        for start in range(0, len(samples), _AT_ONCE):
            part = slice(start, start + _AT_ONCE)
            inputs = torch.from_numpy(self._inputs[list(samples[part])].copy())
            views = zip(self._action.transform(inputs), elements[part], strict=True)
            drawn += [self._draw(view[element].numpy()) for view, element in views]
        return drawn


def turned_by_css(group: FiniteGroup, element: int) -> str:
    """What an element of a planar group does to a picture, as CSS has it.

    Turns of the package are counter-clockwise as one sees them, those of CSS clockwise; the mirror
    comes first, which CSS writes last.
    """
    assert isinstance(group, PlanarGroup)
    degrees = group.degrees(element)
    parts = [f"rotate({-degrees:g}deg)"] if degrees else []
    parts += ["scaleX(-1)"] if group.mirrored[element] else []
    return " ".join(parts)


def _drawing(draw: str | Draw, tile: int) -> Any:
    if isinstance(draw, str):
        return partial(_DRAWN[draw], side=tile)

    def drawn(one: NDArray[np.floating]) -> Picture:
        picture = np.asarray(draw(one.copy()))
        is_rgb = picture.ndim == 3 and picture.shape[2] == 3 and picture.size > 0
        if not (is_rgb and picture.dtype.kind == "f" and 0 <= picture.min() <= picture.max() <= 1):
            raise ValueError(
                "draw returns a picture of shape (height, width, 3), RGB as floats in [0, 1]; got "
                f"shape {picture.shape} of {picture.dtype}, or values that are not in it."
            )
        return resized(picture, tile)

    return drawn


def _check_inputs(inputs: NDArray[Any], n_samples: int, draw: str | Draw) -> None:
    expected = {
        "signals": "(n, length) or (n, n_channels, length)",
        "points": "(n, n_points, 2) or (n, n_points, 3)",
        "images": "(n, height, width) or (n, n_channels, height, width)",
    }
    if isinstance(draw, str) and draw not in expected:
        raise ValueError(
            f"draw is one of {', '.join(map(repr, expected))}, or a function; got {draw!r}."
        )
    if not isinstance(draw, str) and not callable(draw):
        raise TypeError(f"draw is one of {', '.join(map(repr, expected))}, or a function.")
    fits = {
        "signals": inputs.ndim in (2, 3),
        "points": inputs.ndim == 3 and inputs.shape[-1] in (2, 3),
        "images": inputs.ndim in (3, 4),
    }
    good = fits[draw] and inputs.size > 0 if isinstance(draw, str) else True
    if not good or len(inputs) != n_samples:
        what = f"{draw} of shape {expected[draw]}" if isinstance(draw, str) else "an array"
        raise ValueError(
            f"inputs are {what} with n = {n_samples}, one for each orbit; got shape "
            f"{inputs.shape}. draw says what they are; leave them out to report without pictures."
        )
    if isinstance(draw, str) and not (inputs.dtype.kind in "fiub" and np.isfinite(inputs).all()):
        raise ValueError(
            f"{draw} are drawn if they are real and finite numbers; got {inputs.dtype}, NaN or "
            "infinity. A function that is given as draw can do otherwise."
        )
