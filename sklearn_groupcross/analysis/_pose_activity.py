"""How active a network is in each pose of a family, photograph by photograph."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from .._plain import as_tensor
from .._progress import tqdm
from .._stacks._rows import Rows, check_finite
from ..crosscoder import GroupCrosscoder, dictionary_of
from ..groups import FiniteGroup
from ._family_distance import balanced_signs

FloatArray = NDArray[np.floating]


class Pattern(NamedTuple):
    """A family's medoid in all of its poses.

    Attributes
    ----------
    atom : ndarray of shape (order, d)
        The medoid's, of norm 1.
    members : ndarray of shape (n,), int64
    poses : ndarray of shape (n_poses,), int64
    """

    atom: FloatArray
    members: NDArray[np.int64]
    poses: NDArray[np.int64]


class Activity(NamedTuple):
    """Sums over the samples of each image.

    Attributes
    ----------
    family, strangers : ndarray of shape (n_images, n_poses)
        Of a family's medoid, and of an atom as smooth with nothing in common with it.
    """

    family: FloatArray
    strangers: FloatArray


def pose_activities(
    crosscoder: GroupCrosscoder,
    rows: Rows,
    image: NDArray[np.intp],
    patterns: Sequence[Pattern],
    device: torch.device,
    rng: np.random.Generator,
    *,
    batch_size: int = 256,
    progress: bool = False,
) -> list[Activity]:
    """Sum for every pose what the network does where an input shows a family in that pose.

    From an orbit O is taken what the crosscoder says of features outside the family. What is left
    is held against the medoid in every pose, ``c(h) = ⟨O, R_h W⟩``. The sample counts for the pose
    in which c is largest, with ``c(h) ⟨O[e], W[h]⟩``: as much as the orbit shows the pattern, and
    as much of it as the network answers with to the input itself.

    Parameters
    ----------
    crosscoder : GroupCrosscoder
    rows : Rows
    image : ndarray of shape (n_samples,), of int
        From 0 on.
    patterns : sequence of Pattern
    device : torch.device
    rng : numpy.random.Generator
        Of the strangers.
    batch_size : int
    progress : bool

    Returns
    -------
    activities : list of Activity
        One a pattern.
    """
    dictionary = dictionary_of(crosscoder, np.dtype(np.float32), device)
    group, decoder = crosscoder.group_, dictionary.parameters.decoder
    n_read, n_images = crosscoder.encoder_.shape[1], int(image.max()) + 1
    shape = (group.order, crosscoder.n_channels_)
    signs = [
        as_tensor(balanced_signs(pattern.atom[None], rng)[0], decoder.dtype).to(device)
        for pattern in patterns
    ]
    sums = [
        [torch.zeros(n_images, len(p.poses), dtype=torch.float64, device=device) for _ in range(2)]
        for p in patterns
    ]
    starts = range(0, len(image), batch_size)
    for start in tqdm(starts, desc="reading poses", disable=not progress):
        index = np.arange(start, min(start + batch_size, len(image)))
        block = rows.read(index, dtype=decoder.dtype)
        check_finite(block, index, "Input orbits")
        block = block.to(device)
        codes = dictionary.encode(block[:, :n_read])
        residual = block - dictionary.decode(codes)
        images = torch.from_numpy(image[index]).to(device)
        for pattern, sign, (family, strangers) in zip(patterns, signs, sums, strict=True):
            members = torch.from_numpy(pattern.members).to(device)
            left = (residual + codes[:, members] @ decoder[members]).reshape(-1, *shape)
            turned = _turned(pattern, group, decoder)
            _add(left, turned, images, family)
            _add(left, turned * sign, images, strangers)
    return [Activity(*(total.cpu().numpy() for total in pair)) for pair in sums]


def _turned(pattern: Pattern, group: FiniteGroup, like: Tensor) -> Tensor:
    """The pattern in its poses, (n_poses, order, d)."""
    blocks: Any = [pattern.atom[group.right_translation(int(h))] for h in pattern.poses]
    return as_tensor(np.stack(blocks), like.dtype).to(like.device)


def _add(left: Tensor, turned: Tensor, images: Tensor, total: Tensor) -> None:
    shown = left.flatten(1) @ turned.flatten(1).T
    answered = left[:, 0] @ turned[:, 0].T
    best, pose = shown.max(dim=1)
    counted = answered.gather(1, pose[:, None])[:, 0].clamp(min=0) * best.clamp(min=0)
    total.index_put_((images, pose), counted.to(total.dtype), accumulate=True)
