"""Images that features want, as the report shows them: made, kept on the way, and encoded."""

from __future__ import annotations

import base64
import io
import json
import os
from functools import partial
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image
from torch import nn

from .._integers import check_integer
from ..analysis import SymmetryAnalyzer
from ..crosscoder import GroupCrosscoder
from ..networks import Network
from ..plotting import as_rgb
from ..visualization import Visualizations, visualize_features
from ._excitation import in_order
from ._kept import Arrays, Kept
from ._subject import check_frequencies

NOTE = (
    "Made by optimization, and not found in any image: what excites the feature's encoder most, "
    "and what points most along the decoder's blocks. With each stands what it reaches: the "
    "encoder's pre-activation, or the cosine with the block. The control is the same for a random "
    "mixture of all features: what its pictures show as well says nothing about a feature."
)
#: Features that are made at once, and kept together.
_AT_ONCE = 5
_ARRAYS = ("images", "values", "features", "elements", "control_images", "control_values")


def picture_features(
    crosscoder: GroupCrosscoder,
    analysis: SymmetryAnalyzer,
    network: Network | nn.Module | str,
    layer: str | None = None,
    *,
    n_features: int,
    frequencies: NDArray[np.floating],
    min_frequency: float = 0.0,
    keep_in: str | os.PathLike[str] | None = None,
    device: str | torch.device = "auto",
    random_state: int = 0,
    progress: bool = False,
) -> dict[str, Any]:
    """Make pictures of what features want, for a page.

    Parameters
    ----------
    crosscoder : GroupCrosscoder
    analysis : SymmetryAnalyzer
        Fitted on it.
    network : Network, torch.nn.Module or str
        As `visualize_features` takes it.
    layer : str, optional
        Default: the network's default layer.
    n_features : int
        The frequent ones of each kind in turn.
    frequencies : ndarray of shape (n_atoms,)
        Share of orbits on which each feature fires.
    min_frequency : float, default=0.0
        Features that fire less often, or never, are left out.
    keep_in : path, optional
        A folder for what is done, so that a call that is stopped goes on when it is repeated with
        the same arguments. It is made.
    device : str or torch.device, default="auto"
    random_state : int, default=0
    progress : bool, default=False

    Returns
    -------
    pictures : dict
        ``note``, what they are; ``features``, a list of pictures for each feature by its number;
        and ``control``, such a list. A picture is a dict of ``words`` and ``src``, of an ``img``.

    Raises
    ------
    ImportError, TypeError, ValueError
        As from `visualize_features`.
    """
    check_integer("n_features", n_features, 1)
    frequencies = check_frequencies(frequencies, analysis)
    firing = np.where(frequencies >= min_frequency, frequencies, 0.0)
    chosen = in_order(analysis, firing)[:n_features]

    def make(start: int) -> Arrays:
        made = visualize_features(
            crosscoder,
            network,
            layer,
            features=chosen[start : start + _AT_ONCE],
            n_controls=int(start == 0),
            device=device,
            random_state=random_state,
            progress=progress,
        )
        arrays = {name: np.ascontiguousarray(getattr(made, name)) for name in _ARRAYS}
        return {**arrays, "words": np.frombuffer(json.dumps(made.words).encode(), np.uint8)}

    kept = Kept(keep_in)
    parts = [
        _from_arrays(kept.arrays(f"visualizations-{start}", partial(make, start)))
        for start in range(0, len(chosen), _AT_ONCE)
    ]
    pictures: dict[str, Any] = {"note": NOTE, "features": {}, "control": []}
    for part in parts:
        shown = as_pictures(part)
        pictures["features"] |= shown["features"]
        pictures["control"] += shown["control"]
    return pictures


def as_pictures(visualizations: Visualizations) -> dict[str, Any]:
    """Encode pictures for a page; see `picture_features`."""
    of, words = visualizations, visualizations.words
    rows = {
        str(feature): _encode(images, values, words)
        for feature, images, values in zip(of.features, of.images, of.values, strict=True)
    }
    controls = zip(of.control_images, of.control_values, strict=True)
    control = [picture for row in controls for picture in _encode(*row, words)]
    return {"note": NOTE, "features": rows, "control": control}


def _encode(
    images: NDArray[np.float32], values: NDArray[np.float32], words: tuple[str, ...]
) -> list[dict[str, str]]:
    return [
        {"words": f"{name}: {value:.2f}", "src": _webp(image)}
        for image, value, name in zip(images, values, words, strict=True)
    ]


def _webp(image: NDArray[np.float32]) -> str:
    buffer = io.BytesIO()
    picture = Image.fromarray(np.round(as_rgb(image) * 255).astype(np.uint8))
    picture.save(buffer, format="WEBP", quality=90)
    return f"data:image/webp;base64,{base64.b64encode(buffer.getvalue()).decode('ascii')}"


def _from_arrays(arrays: Arrays) -> Visualizations:
    words = json.loads(arrays["words"].tobytes())
    return Visualizations(**{name: arrays[name] for name in _ARRAYS}, words=tuple(words))
