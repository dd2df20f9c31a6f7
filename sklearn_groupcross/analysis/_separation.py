"""`compare_separation`: how clearly families stand apart, by the same measure for all."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import reduce
from typing import Any

import numpy as np
import pandas as pd
import torch
from numpy.typing import ArrayLike, NDArray
from sklearn.utils import check_random_state

from .._ambient import own_state
from .._device import resolve_device
from .._stacks._belonging import image_of_each
from ..crosscoder import GroupCrosscoder
from ..groups import FiniteGroup, as_group
from ._code_moments import CodeMoments, code_moments, joined
from ._embedding import MIN_FEATURES_FOR_A_MAP, embed
from ._family_separation import separation
from ._leaving_out import by_group, leaving_out, split_images
from ._lift import check_lift, explained, solve_atoms
from ._similarity import best_alignment, unit_atoms

FloatArray = NDArray[np.floating]
Labels = NDArray[np.int64]

# From least squares to little more than the mean orbit of the samples that a feature fires on.
RIDGES = (1e-3, 1e-2, 1e-1, 3e-1, 1.0, 3.0)


@own_state()
def compare_separation(
    dictionaries: Mapping[str, GroupCrosscoder],
    orbits: Any,
    image_ids: ArrayLike | None = None,
    *,
    group: FiniteGroup | str | None = None,
    labels: Mapping[str, ArrayLike] | None = None,
    family_distance: float | Sequence[float] = 0.4,
    n_features: int | None = None,
    min_firings: int = 10,
    leave_out: ArrayLike | None = None,
    ridge: float | Sequence[float] = RIDGES,
    embedding: bool = True,
    n_resamples: int = 2000,
    device: str | torch.device = "auto",
    random_state: int | np.random.RandomState | None = 0,
) -> pd.DataFrame:
    """Compare how clearly the features of dictionaries fall into families of transforms.

    The paper compares pictures of a group crosscoder with those of a sparse autoencoder [1]_, whose
    atoms have one block. Here all are measured alike: every dictionary, the crosscoders included,
    is lifted to the orbit (`lift_dictionary`) twice, on two halves of the images. Families are
    formed from the distances of one half, and how well they stand apart is measured on the
    distances of the other; then the halves change places, and the two are averaged. Families that
    are accidents of the data they were formed on do not survive this, and a silhouette near 0 or
    below is what such families get.

    Parameters
    ----------
    dictionaries : mapping of names to GroupCrosscoder
        Fitted on activations of the same layer, with any group; the trivial group makes a sparse
        autoencoder.
    orbits : array-like of shape (n_samples, order, d) or (n_samples, order * d), or store
        Best of images that no dictionary was fitted on. Read batch by batch.
    image_ids : array-like of shape (n_samples,), optional
        Image of every sample. Default: the ``image_ids`` of a store.
    group : FiniteGroup or str, optional
        Group of the orbits. Default: that of the store, or of the first dictionary that has one.
    labels : mapping of names to array-like of shape (m,), int, optional
        Known family of every feature of some of the dictionaries; -1 where it is unknown.
    family_distance : float or sequence of float, default=0.4
        Features belong to one family while their average distance is below it. Several make
        several rows: a claim should not hang on one of them.
    n_features : int, optional
        Number of features of each dictionary that are compared: those that fire most often on
        `orbits`. Default: as many as each of them has that fire `min_firings` times in both halves.
    min_firings : int, default=10
        Features that fire more rarely in a half have an atom made of noise, and are left out.
    leave_out : array-like of shape (n_samples,), int, optional
        Group of every sample, best of whole images. Each group is left out in turn, and what
        remains of the halves measured again, with the features and the ridge that all samples
        chose: a jackknife over images, which distances are drawn anew for.
    ridge : float or sequence of float, default=(0.001, 0.01, 0.1, 0.3, 1, 3)
        See `lift_dictionary`. Of several, each dictionary gets the one with which the decoder of
        one half explains most of the other.
    embedding : bool, default=True
        Also measure in the plane of a UMAP of the measured half.
    n_resamples : int, default=2000
        Of the bootstrap.
    device : str or torch.device, default="auto"
        Where distances are computed; dictionaries encode on their own.
    random_state : int, RandomState instance or None, default=0
        Of the halves, the UMAP and the bootstrap. Halves are the same for all dictionaries.

    Returns
    -------
    comparison : DataFrame
        One row a dictionary and family distance. Unless said otherwise, means of the two ways to
        use the halves:

        - ``dictionary``; ``family_distance``; ``n_available``, features that fire often enough;
          ``n_features``, those compared; ``l0``, codes active on a sample;
        - ``explained_variance`` of all blocks by the decoder lifted on the other half, and the
          ``ridge`` it has;
        - ``n_families`` of two features or more; ``share_in_families`` of the compared features;
        - ``reproducibility``: adjusted Rand index of the families of the two halves;
        - ``silhouette`` of features in families, features alone left out;
        - ``silhouette_all`` of all features, where a feature alone has silhouette 0, as
          [2]_ has it, and is a neighbour like any other: it does not reward a dictionary for
          keeping only its clearest families;
        - ``silhouette_map``: as ``silhouette``, with Euclidean distances in the UMAP plane;
        - ``ari``, ``ami``: agreement of the families with `labels`, adjusted Rand index and
          adjusted mutual information, each feature alone a family of its own;
        - ``undefined``: why figures are NaN; empty if none is;
        - ``left_out``, only with `leave_out`: NaN in rows of all samples, otherwise the group that
          families and silhouettes are without; what stands before them is of all samples.

        The silhouettes have 95 % intervals in ``..._low`` and ``..._high``.

    Raises
    ------
    ValueError
        If dictionaries, orbits, images or labels do not fit each other, there are fewer than
        two images, or a dictionary has fewer features to compare than asked for.
    TypeError
        If a dictionary is not a GroupCrosscoder.

    Notes
    -----
    Intervals are percentile bootstraps over families, not features: members of a family are near
    one another, and so near or far from the others together. Families of the two halves that share
    a feature are drawn together. Distances are not drawn anew: how much other images would change
    them, rows of `leave_out` say. Neither are dictionaries: how much another seed would differ,
    only more seeds can say.

    Comparing as many features of each dictionary, those that fire most often, keeps a dictionary
    from standing out by having fewer; it says nothing of the rare ones. A decoder lifted on few
    samples is noisy, for all dictionaries alike: a tenfold of a
    dictionary's features is a sensible minimum; see ``explained_variance``.

    References
    ----------
    .. [1] Gorton (2024), "Group crosscoders for mechanistic analysis of symmetry",
       arXiv:2410.24184.
    .. [2] Rousseeuw (1987), "Silhouettes: a graphical aid to the interpretation and validation of
       cluster analysis", Journal of Computational and Applied Mathematics 20.

    Examples
    --------
    >>> import numpy as np
    >>> from sklearn_groupcross import Dihedral, GroupCrosscoder, make_orbits
    >>> from sklearn_groupcross.analysis import compare_separation
    >>> group = Dihedral(3)
    >>> orbits = make_orbits(2000, group=group, random_state=0).orbits
    >>> settings = dict(n_features=48, activation="topk", k=4, max_epochs=10, random_state=0)
    >>> dictionaries = {
    ...     "crosscoder": GroupCrosscoder(group, **settings).fit(orbits[:1000]),
    ...     "autoencoder": GroupCrosscoder(**settings).fit(orbits[:1000, :1]),
    ... }
    >>> image_ids = np.arange(1000) // 10
    >>> comparison = compare_separation(
    ...     dictionaries, orbits[1000:], image_ids, group=group, embedding=False
    ... )
    >>> comparison["dictionary"].tolist()
    ['crosscoder', 'autoencoder']
    """
    named = dict(dictionaries) if isinstance(dictionaries, Mapping) else {}
    if not named:
        raise ValueError("dictionaries is a mapping of names to fitted GroupCrosscoders; got none.")
    group = _find_group(named, orbits, group)
    for name, crosscoder in named.items():
        group = check_lift(crosscoder, orbits, group, name)
    cuts = [float(cut) for cut in np.atleast_1d(family_distance)]
    if not cuts or not all(0 <= cut <= 2 for cut in cuts):
        raise ValueError(f"family_distance lies in [0, 2]; got {family_distance}.")
    if min_firings < 1:
        raise ValueError(f"min_firings is at least 1; got {min_firings}.")
    known = _check_labels(labels, named)
    assert group is not None  # there is a dictionary, and `check_lift` found its group
    seed = int(check_random_state(random_state).randint(2**31 - 1))
    images = image_of_each(image_ids, orbits, len(orbits))
    halves = split_images(images, np.random.default_rng(seed))

    parts = {
        name: [
            {g: code_moments(crosscoder, orbits, part) for g, part in half.items()}
            for half in by_group(halves, leave_out, len(orbits))
        ]
        for name, crosscoder in named.items()
    }
    moments = {name: [reduce(joined, h.values()) for h in two] for name, two in parts.items()}
    chosen = _choose_features(moments, n_features, min_firings)
    rows = []
    for name, (first, second) in moments.items():
        features = chosen[name]
        best, score = _best_ridge(first, second, np.atleast_1d(ridge).tolist())
        truth = known[name][features] if name in known else None
        n_firings = first.firings.sum() + second.firings.sum()
        row = {
            "dictionary": name,
            "n_available": int(_available([first, second], min_firings).sum()),
            "n_features": len(features),
            "l0": float(n_firings / (first.n_samples + second.n_samples)),
            "explained_variance": score,
            "ridge": best,
        }
        for left_out, remaining in leaving_out(moments[name], parts[name], leave_out):
            distances = [
                _distances(half, group, best, features, resolve_device(device))
                for half in remaining
            ]
            maps = None
            if embedding and len(features) >= MIN_FEATURES_FOR_A_MAP:
                maps = [embed(half, seed) for half in distances]
            for cut in cuts:
                rng = np.random.default_rng(seed)
                measured = separation(distances, maps, truth, cut, n_resamples, rng)
                rows.append(row | {"family_distance": cut} | measured | left_out)
    return pd.DataFrame(rows)


def _distances(
    moments: CodeMoments,
    group: FiniteGroup,
    ridge: float,
    features: Labels,
    device: torch.device,
) -> FloatArray:
    atoms = solve_atoms(moments, group, ridge, features)
    return np.asarray(1.0 - best_alignment(_unit(atoms), None, group, device)[0])


def _unit(atoms: NDArray[np.float32]) -> FloatArray:
    return unit_atoms(atoms.reshape(len(atoms), -1), atoms.shape[1])


def _best_ridge(
    first: CodeMoments, second: CodeMoments, ridges: Sequence[float]
) -> tuple[float, float]:
    """The ridge with which the decoder of a half explains most of the other, and how much.

    Raises
    ------
    ValueError
        If no ridge is given.
    """
    if not ridges:
        raise ValueError("ridge is a positive number or several; got none.")
    shares = np.add(explained(first, second, ridges), explained(second, first, ridges)) / 2
    best = int(np.argmax(shares))
    return ridges[best], float(shares[best])


def _available(halves: list[CodeMoments], min_firings: int) -> NDArray[np.bool_]:
    """Features that fire often enough in both halves, with a code that varies."""
    enough = [(h.firings >= min_firings) & (h.codes_codes.diagonal() > 0) for h in halves]
    return np.asarray(enough[0] & enough[1])


def _choose_features(
    moments: dict[str, list[CodeMoments]], n_features: int | None, min_firings: int
) -> dict[str, NDArray[np.int64]]:
    """As many features of every dictionary, those that fire most often, in increasing order."""
    available = {name: _available(halves, min_firings) for name, halves in moments.items()}
    numbers = {name: int(is_available.sum()) for name, is_available in available.items()}
    n = min(numbers.values()) if n_features is None else n_features
    if n < 1 or n > min(numbers.values()):
        raise ValueError(
            f"{n} features of each dictionary cannot be compared: those that fire {min_firings} "
            f"times in both halves of the images number {numbers}. Give more orbits, or a "
            "smaller n_features or min_firings."
        )
    chosen = {}
    for name, halves in moments.items():
        firings = np.where(available[name], halves[0].firings + halves[1].firings, -1)
        chosen[name] = np.sort(np.argsort(-firings, kind="stable")[:n])
    return chosen


def _find_group(
    named: dict[str, Any], orbits: Any, group: FiniteGroup | str | None
) -> FiniteGroup | None:
    """The group of the orbits, as given or of the store or the first dictionary that has one."""
    group = None if group is None else as_group(group)
    groups = [group, getattr(orbits, "group", None)]
    groups += [getattr(crosscoder, "group_", None) for crosscoder in named.values()]
    return next((g for g in groups if g is not None and g.order > 1), group)


def _check_labels(
    labels: Mapping[str, ArrayLike] | None, named: dict[str, GroupCrosscoder]
) -> dict[str, Labels]:
    known = {name: np.asarray(values) for name, values in (labels or {}).items()}
    for name, values in known.items():
        if name not in named:
            raise ValueError(f"labels are given for {name!r}; dictionaries are {list(named)}.")
        m = len(named[name].components_)
        if values.shape != (m,) or not np.issubdtype(values.dtype, np.integer):
            raise ValueError(
                f"labels of {name!r} are integers, one for each of {m} features; got "
                f"{values.dtype} of shape {values.shape}."
            )
    return {name: values.astype(np.int64) for name, values in known.items()}
