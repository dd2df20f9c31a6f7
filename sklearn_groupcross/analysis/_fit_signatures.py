"""Signatures of a dictionary that another fit, or other data, would not give again."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..crosscoder import FEWEST_FIRINGS, firings_per_number
from ._finding import Finding
from ._matching import SHARED

FloatArray = NDArray[np.floating]

#: On photographs 83 % were alone without compression, 66 % with 0.8 of the variance kept.
MOST_ALONE = 0.75
#: On photographs 0.04 with augmentation and 0.8 of the variance kept; 0.25 where atoms overfitted.
LARGEST_GAP = 0.1
#: On photographs 15 % and 40 % in dictionaries that overfitted, 63 % in one that did not.
FEWEST_FOUND_AGAIN = 0.5

_REMEDY = "augment=True where the data is closed under the group, compression=0.8"


def find_features_alone(labels: NDArray[np.integer]) -> Finding | None:
    """Nearly all features belong to no family, though many have partners beyond chance.

    Parameters
    ----------
    labels : ndarray of shape (m,)
        Families of live features; -1 for a feature alone.

    Returns
    -------
    finding : Finding or None
    """
    value = float((labels < 0).mean()) if len(labels) else 0.0
    if value <= MOST_ALONE:
        return None
    return Finding(
        "features alone",
        f"{value:.0%} of the features belong to no family (limit {MOST_ALONE:.0%}: on photographs "
        "83 % where atoms were free in all columns, 66 % where 0.8 of the variance was kept).",
        value,
        MOST_ALONE,
        f"{_REMEDY}, fewer atoms, more images; or, where features are far apart by nature, a "
        "larger family_distance.",
        {"family_sizes": np.sort(np.bincount(labels[labels >= 0]))[::-1].astype(float)}
        if (labels >= 0).any()
        else {"family_sizes": np.zeros(1)},
    )


def find_few_firings(crosscoder: Any) -> Finding | None:
    """Atoms have more numbers to learn than they fired to learn them from.

    The figure is `sklearn_groupcross.crosscoder.firings_per_number`.

    Parameters
    ----------
    crosscoder : GroupCrosscoder
        Fitted, by `fit`.

    Returns
    -------
    finding : Finding or None
        None also where nothing is known of the last pass.
    """
    value = firings_per_number(crosscoder)
    if not value < FEWEST_FIRINGS:
        return None
    n_numbers = crosscoder.n_coordinates_
    firings = value * n_numbers
    return Finding(
        "too few firings",
        f"An atom has {n_numbers} numbers to learn and fires on some {firings:.0f} training "
        f"orbits: {value:.2g} a number (limit {FEWEST_FIRINGS}: with 0.04, on photographs, "
        "852 of 1024 features were alone; with 1.6 and augmentation another seed found 67 % "
        "again).",
        value,
        FEWEST_FIRINGS,
        f"{_REMEDY} (fewer numbers an atom), fewer atoms, or more images.",
        {"firings_and_numbers": np.array([firings, n_numbers], dtype=float)},
    )


def find_gap(crosscoder: Any, explained: float) -> Finding | None:
    """Training orbits are explained far better than the orbits given.

    The figure is the explained variance in the last pass of the training less that of the orbits
    given; both are shares of their own variance.

    Parameters
    ----------
    crosscoder : GroupCrosscoder
        Fitted.
    explained : float
        Explained variance of the orbits given.

    Returns
    -------
    finding : Finding or None
        None also where nothing is known of the last pass.
    """
    fvu = crosscoder.history_.get("fvu", [])
    if not fvu or not np.isfinite(fvu[-1] + explained):
        return None
    training = 1.0 - fvu[-1]
    value = float(training - explained)
    if value <= LARGEST_GAP:
        return None
    return Finding(
        "training and held-out differ",
        f"The dictionary explains {training:.0%} of the variance in training and {explained:.0%} "
        f"here, {value:.0%} less (limit {LARGEST_GAP:.0%}: on photographs 4 % where features were "
        "found again by other seeds, 25 % where they were not).",
        value,
        LARGEST_GAP,
        f"{_REMEDY}, fewer atoms or passes, more images. Or these orbits are of another kind than "
        "those of the training: other images, another layer or preprocessing.",
        {"explained": np.array([training, explained])},
    )


def find_disagreement(shares: FloatArray) -> Finding | None:
    """Dictionaries of other seeds do not have the same features.

    The figure is the share of features that have a one-to-one partner of cosine 0.7 up to the
    group (`match_dictionaries`) in another dictionary, its mean over the others.

    Parameters
    ----------
    shares : ndarray of shape (m,)
        Of `found_again`; NaN for dead features, and for all where nothing else is known.

    Returns
    -------
    finding : Finding or None
    """
    again = shares[~np.isnan(shares)]
    value = float(again.mean()) if len(again) else 1.0
    if value >= FEWEST_FOUND_AGAIN:
        return None
    return Finding(
        "seeds disagree",
        f"{value:.0%} of the features are found again by another dictionary, at a cosine of "
        f"{SHARED} up to the group (limit {FEWEST_FOUND_AGAIN:.0%}: on photographs 15 % to 40 % "
        "where atoms overfitted, 63 % where they did not).",
        value,
        FEWEST_FOUND_AGAIN,
        f"{_REMEDY}, fewer atoms, more images; keep the features that others find again.",
        {"found_again": again},
    )
