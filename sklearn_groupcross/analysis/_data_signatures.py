"""Signatures of failure that show on the orbits themselves."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from sklearn.linear_model import RidgeCV

from ._finding import Finding

FloatArray = NDArray[np.floating]

#: Between what drawn positions leave (1.5 %) and an identity block read on the grid (12 %).
BLOCK_DEVIATION = 0.05


def find_unequal_blocks(orbits: FloatArray) -> Finding | None:
    """One block of the orbits has larger or smaller norms than the others.

    Blocks are views of the same places: their norms agree on average. The figure is the largest
    deviation of a block's mean norm from the mean of all; the limit 5 %, or four standard errors if
    that is more.

    Parameters
    ----------
    orbits : ndarray of shape (n_samples, order, d)

    Returns
    -------
    finding : Finding or None
    """
    norms = np.sqrt(np.square(orbits, dtype=np.float64).sum(axis=2))
    mean = norms.mean()
    if len(norms) < 2 or mean == 0:
        return None
    deviation = norms.mean(axis=0) / mean - 1
    # relative to the sample's own mean: that samples differ in size is no error of a block
    own = norms - norms.mean(axis=1, keepdims=True)
    error = own.std(axis=0, ddof=1) / len(norms) ** 0.5 / mean
    worst = int(np.argmax(np.abs(deviation)))
    value = float(abs(deviation[worst]))
    limit = max(BLOCK_DEVIATION, 4 * float(error[worst]))
    if value <= limit:
        return None
    return Finding(
        "unequal blocks",
        f"Block {worst} has a mean norm {deviation[worst]:+.0%} from that of all blocks (limit "
        f"{limit:.0%}): the orbits themselves are not symmetric.",
        value,
        limit,
        "What is done to inputs before they are read must be done to transformed ones alike. In an "
        "OrbitDataset, if it is block 0, the identity alone may be read on the layer's grid while "
        "the others are interpolated: draw positions continuously (sampling='disk'). Never scale "
        "blocks one by one; see OrbitScaler.",
        {"deviation": deviation, "standard_error": error},
    )


def predict_by_ridge(
    inputs: FloatArray, targets: FloatArray, further: FloatArray, penalties: FloatArray
) -> FloatArray:
    """Predict targets of further inputs (k, d) by ridge regression, from inputs (n, d).

    Targets (n, w) are many more than samples: the regression is that of their n coordinates along
    orthonormal axes, in which errors are the same.
    """
    axes, coordinates = np.linalg.qr(targets.T)
    ridge = RidgeCV(alphas=penalties).fit(inputs, coordinates.T)
    return np.asarray(ridge.predict(further)) @ axes.T


def find_poor_reconstruction(orbits: FloatArray, reconstructions: FloatArray) -> Finding | None:
    """The dictionary explains less than half of what a dense linear map of its input explains.

    Ridge regression of all blocks on the identity block is fitted on the first half of the rows
    (its penalty by generalised cross-validation), and both are measured on the second half. It is
    no upper bound, and a sparse dictionary often beats it; so far below it, the activations say
    more than the codes keep. Where nothing linear predicts anything, the limit is the mean: 0.

    Parameters
    ----------
    orbits : ndarray of shape (n_samples, order, d)
    reconstructions : ndarray of the same shape

    Returns
    -------
    finding : Finding or None
        None also for fewer than 20 samples.
    """
    n, order = orbits.shape[:2]
    if n < 20:
        return None
    half = n // 2
    train, test = orbits[:half].astype(np.float64), orbits[half:].astype(np.float64)
    total = float(np.square(train[:, 0] - train[:, 0].mean(axis=0)).sum())
    variance = np.square(test - test.mean(axis=0)).sum(axis=(0, 2))
    if total == 0 or variance.sum() == 0:
        return None
    penalties = total * np.logspace(-6, 0, 7)
    linear = predict_by_ridge(train[:, 0], train.reshape(half, -1), test[:, 0], penalties)
    linear = linear.reshape(test.shape)
    left_linear = np.square(test - linear).sum(axis=(0, 2))
    left = np.square(test - reconstructions[half:]).sum(axis=(0, 2))
    value = 1.0 - float(left.sum() / variance.sum())
    dense = 1.0 - float(left_linear.sum() / variance.sum())
    limit = max(0.0, dense / 2)
    if value > limit:
        return None
    safe = np.where(variance > 0, variance, np.nan)
    return Finding(
        "poor reconstruction",
        f"The dictionary explains {value:.0%} of the variance of the {order} blocks, a dense "
        f"linear map of the identity block {dense:.0%} (limit: half of that).",
        value,
        limit,
        "Lower l1 or raise k, more atoms, more epochs; see crosscoder_path for the frontier.",
        {"explained": 1 - left / safe, "explained_linear": 1 - left_linear / safe},
    )
