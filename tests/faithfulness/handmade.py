"""Crosscoders set by hand, and what they are measured on."""

from __future__ import annotations

import numpy as np
import pandas as pd
import torch

from sklearn_groupcross import Dihedral, GroupCrosscoder
from sklearn_groupcross.actions import center_crop
from sklearn_groupcross.orbits import ImageSource

GROUP = Dihedral(2)


class Handmade(GroupCrosscoder):
    """Codes are the activations themselves; what they mean is set by hand.

    The blocks behind the identity's hold noise, which must not be looked at.
    """

    @classmethod
    def of(cls, atoms: np.ndarray, bias: np.ndarray) -> Handmade:
        noise = np.random.default_rng(0)
        crosscoder = cls(group=GROUP, n_features=len(atoms))
        crosscoder.group_ = GROUP
        crosscoder.n_channels_ = atoms.shape[1]
        crosscoder.encoder_ = np.eye(*atoms.shape, dtype=np.float32)
        crosscoder.encoder_intercept_ = np.zeros(len(atoms), dtype=np.float32)
        crosscoder.activation_, crosscoder.threshold_, crosscoder.k_ = "relu", 0.0, None
        others = noise.standard_normal((len(atoms), (GROUP.order - 1) * atoms.shape[1]))
        crosscoder.components_ = np.hstack([atoms, others]).astype(np.float32)
        others = noise.standard_normal((GROUP.order - 1) * atoms.shape[1])
        crosscoder.intercept_ = np.concatenate([bias, others]).astype(np.float32)
        return crosscoder


def exact(n_channels: int = 96) -> Handmade:
    return Handmade.of(np.eye(n_channels), np.zeros(n_channels))


def shrunken(factor: float) -> Handmade:
    return Handmade.of(factor * np.eye(96), np.zeros(96))


def read(images: np.ndarray) -> torch.Tensor:
    source = ImageSource(images)
    return torch.stack([center_crop(source.load(i, 110), 96) for i in range(len(source))])


def row(effects: pd.DataFrame, condition: str) -> pd.Series:
    return effects.set_index("condition").loc[condition]
