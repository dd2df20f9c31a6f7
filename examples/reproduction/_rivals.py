"""What a group crosscoder is compared with: plain autoencoders, and directions without training."""

from __future__ import annotations

import warnings

import numpy as np
from numpy.typing import NDArray
from sklearn.decomposition import PCA

from sklearn_groupcross import GroupCrosscoder, OrbitStore

from ._study import Study

_ROWS_A_PART = 2048


def autoencoders(study: Study) -> list[GroupCrosscoder]:
    """Plain autoencoders of untransformed activations, one a seed."""
    return study.dictionaries(
        lambda: blocks_of(study.orbits("train"), 1), "identity", group=None, compression=None
    )


def autoencoders_of_all(study: Study, n_blocks: int) -> list[GroupCrosscoder]:
    """Plain autoencoders of transformed activations as well, after as many steps as the others."""
    epochs = max(1, round(study.config["dictionary"]["max_epochs"] / n_blocks))

    def samples() -> NDArray[np.float16]:
        blocks = blocks_of(study.orbits("train"), n_blocks, np.random.default_rng(0))
        return blocks.reshape(-1, 1, blocks.shape[2])

    return study.dictionaries(
        samples, f"blocks{n_blocks}", group=None, compression=None, max_epochs=epochs
    )


def blocks_of(
    store: OrbitStore, n_blocks: int, rng: np.random.Generator | None = None
) -> NDArray[np.float16]:
    """Some blocks of every orbit, drawn at random without repetition, or the first.

    Parameters
    ----------
    store : OrbitStore
    n_blocks : int
    rng : numpy.random.Generator, optional
        None: the first blocks, of which the very first is the identity's.

    Returns
    -------
    blocks : ndarray of shape (n, n_blocks, channels)
    """
    parts = []
    for start in range(0, len(store), _ROWS_A_PART):
        rows = store[np.arange(start, min(start + _ROWS_A_PART, len(store)))]
        order = rows.shape[1]
        chosen = np.tile(np.arange(order), (len(rows), 1))
        if rng is not None:
            chosen = rng.permuted(chosen, axis=1)
        parts.append(np.take_along_axis(rows, chosen[:, :n_blocks, None], axis=1))
    return np.concatenate(parts)


def random_directions(m: int, n_channels: int, rng: np.random.Generator) -> NDArray[np.float32]:
    """Directions of equal length, each as likely as any other."""
    drawn = rng.standard_normal((m, n_channels))
    return (drawn / np.linalg.norm(drawn, axis=1, keepdims=True)).astype(np.float32)


def principal_axes(m: int, activations: NDArray[np.float32]) -> NDArray[np.float32]:
    """The first m / 2 principal axes and their opposites, since codes are positive."""
    n_axes = min(m // 2, *activations.shape)
    axes = PCA(n_axes, random_state=0).fit(activations).components_
    return np.concatenate([axes, -axes]).astype(np.float32)


def untrained(
    directions: NDArray[np.float32], activations: NDArray[np.float32], k: int
) -> GroupCrosscoder:
    """Directions as a dictionary: on each activation fire the k that stand out most.

    Projections are standardised by mean and spread: otherwise the same few would always fire.

    Parameters
    ----------
    directions : ndarray of shape (m, n_channels)
    activations : ndarray of shape (n, n_channels)
        To standardise by.
    k : int
    """
    projections = activations @ directions.T
    mean, spread = projections.mean(axis=0), projections.std(axis=0)
    spread[spread == 0] = np.inf  # a neuron that never fires never stands out
    dictionary = GroupCrosscoder(
        None, len(directions), activation="topk", k=k, max_epochs=1, random_state=0
    )
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # that so few samples teach nothing: weights are replaced
        dictionary.fit(activations[:64])
    dictionary.components_ = directions
    dictionary.encoder_ = (directions / spread[:, None]).astype(np.float32)
    dictionary.encoder_intercept_ = (-mean / spread).astype(np.float32)
    return dictionary
