"""Pictures of the samples that excite a feature: patches of images, curves of signals, or none."""

from __future__ import annotations

import base64
import io
from collections.abc import Sequence
from typing import Protocol

import numpy as np
import torch
from numpy.typing import ArrayLike, NDArray
from PIL import Image

from .._plain import as_numpy
from ..actions import Action
from ..plotting import as_rgb

_PATCH_PIXELS = 64
_COLORS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7")


class Pictures(Protocol):
    """What a report asks for; every picture is the ``src`` of an ``img``.

    Attributes
    ----------
    noun : str
        What a picture shows, for headings.
    shows_transformed : bool
        Whether it can show more of a sample than it is under the identity.
    """

    noun: str
    shows_transformed: bool

    def of(self, samples: Sequence[int], elements: Sequence[int]) -> list[str]:
        """Pictures of samples, each transformed by an element; empty where there are none."""
        ...


class NoPictures:
    """Of orbits alone, nothing can be shown."""

    noun = "input"
    shows_transformed = True

    def of(self, samples: Sequence[int], elements: Sequence[int]) -> list[str]:
        """See `Pictures`."""
        return []


class HasPatches(Protocol):
    """Where patches come from: what of an `OrbitDataset` is asked for."""

    @property
    def image_ids(self) -> NDArray[np.int64]:
        """Number of the image of every sample."""
        ...

    def patches(
        self, samples: Sequence[int], *, elements: Sequence[int] | None = None
    ) -> NDArray[np.float32]:
        """See `OrbitDataset.patches`."""
        ...


class Patches:
    """What samples of images look at.

    Parameters
    ----------
    dataset : OrbitDataset or other HasPatches
    """

    noun = "patch"
    shows_transformed = True

    def __init__(self, dataset: HasPatches) -> None:
        self._dataset = dataset

    def of(self, samples: Sequence[int], elements: Sequence[int]) -> list[str]:
        """See `Pictures`."""
        return [
            _patch(self._dataset.patches([sample], elements=[element])[0, 0])
            for sample, element in zip(samples, elements, strict=True)
        ]


class Signals:
    """Signals as curves over time, a color for each channel.

    Parameters
    ----------
    inputs : array-like of shape (n_samples, length) or (n_samples, n_channels, length)
    action : Action, optional
        Without it transformed signals are not shown.
    n_samples : int
        How many there should be.

    Raises
    ------
    ValueError
        If these are no signals, or not one for each sample.
    """

    noun = "signal"

    def __init__(self, inputs: ArrayLike, action: Action | None, n_samples: int) -> None:
        self._inputs = np.asarray(as_numpy(inputs, "inputs"))
        if self._inputs.ndim not in (2, 3) or len(self._inputs) != n_samples:
            raise ValueError(
                f"inputs are drawn if they are signals, an array ({n_samples}, length) or "
                f"({n_samples}, n_channels, length) with one for each orbit; got shape "
                f"{self._inputs.shape}. Leave them out to report without pictures."
            )
        self._action = action
        self.shows_transformed = action is not None

    def of(self, samples: Sequence[int], elements: Sequence[int]) -> list[str]:
        """See `Pictures`."""
        if self._action is None:
            # what cannot be transformed is shown as it is
            return [_signal(self._inputs[s]) for s in samples] if not any(elements) else []
        views = self._action.transform(torch.from_numpy(self._inputs[list(samples)].copy()))
        of_each = zip(views, elements, strict=True)
        return [_signal(view[element].numpy()) for view, element in of_each]


def data_uri(data: bytes, kind: str) -> str:
    """Bytes of an image as the source of an ``img``."""
    return f"data:image/{kind};base64,{base64.b64encode(data).decode('ascii')}"


def _patch(patch: NDArray[np.float32]) -> str:
    picture = Image.fromarray(np.round(as_rgb(patch) * 255).astype(np.uint8))
    buffer = io.BytesIO()
    size = (_PATCH_PIXELS, _PATCH_PIXELS)
    picture.resize(size, Image.Resampling.BICUBIC).save(buffer, format="JPEG", quality=85)
    return data_uri(buffer.getvalue(), "jpeg")


def _signal(signal: NDArray[np.floating]) -> str:
    """Draw a signal (length,) or (n_channels, length), from its lowest to its highest value."""
    channels = np.atleast_2d(signal).astype(np.float64)
    low, extent = channels.min(), max(float(np.ptp(channels)), 1e-12)
    x = np.linspace(2, 98, channels.shape[1])
    curves = []
    for i, channel in enumerate(channels):
        y = 95 - 90 * (channel - low) / extent
        points = " ".join(f"{a:.1f},{b:.1f}" for a, b in zip(x, y, strict=True))
        color = _COLORS[i % len(_COLORS)]
        curves.append(
            f'<polyline points="{points}" fill="none" stroke="{color}" stroke-width="2.5"/>'
        )
    svg = f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 100 100">{"".join(curves)}</svg>'
    return data_uri(svg.encode(), "svg+xml")
