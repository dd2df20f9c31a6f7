"""How much a direction prefers curves, edges, lines or corners to all the others."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from ._probe_readings import PROBE_CLASSES, Probe

FloatArray = NDArray[np.float64]

# A detector prefers a radius, a width and an angle: of the probes of one setting the third that
# excites it most counts.
_BEST = 1 / 3


class Scores(NamedTuple):
    """Scores of directions, one row each, a column for each of `PROBE_CLASSES`.

    `peaks` say how strongly the best probes of a class excite a direction, in standard deviations
    of its responses; `selectivities`, by how much that exceeds the best other class. `orientations`
    are the turns, in steps, at which the best probes of a class excite it most.
    """

    peaks: FloatArray
    selectivities: FloatArray
    orientations: NDArray[np.int64]


def standardized(responses: NDArray[np.floating]) -> FloatArray:
    """Responses (m, n_probes, n_turns) less their mean over probes, in standard deviations.

    Zero where they do not vary.
    """
    values = np.asarray(responses, dtype=np.float64)
    centered = values - values.mean(axis=(1, 2), keepdims=True)
    deviation = np.sqrt((centered**2).mean(axis=(1, 2), keepdims=True))
    size = np.abs(values).max(axis=(1, 2), keepdims=True)
    varies = deviation > 1e-6 * size
    return np.where(varies, centered / np.where(varies, deviation, 1.0), 0.0)


def score_responses(responses: FloatArray, probes: Sequence[Probe]) -> Scores:
    """Score every class of probes by its best setting.

    A setting is a shape in two shades: circular strokes, bright on grey, say. Of its probes, which
    differ in radius and width, the third with the largest responses *in one orientation* counts:
    a detector prefers an angle, whatever the radius.

    Parameters
    ----------
    responses : ndarray of shape (m, n_probes, n_turns)
        Standardized.
    probes : sequence of Probe

    Returns
    -------
    scores : Scores
        A class that no probe shows has a peak of minus infinity.
    """
    m = len(responses)
    peaks = np.full((m, len(PROBE_CLASSES)), -np.inf)
    orientations = np.zeros((m, len(PROBE_CLASSES)), dtype=np.int64)
    settings = [probe.setting for probe in probes]
    for setting in dict.fromkeys(settings):
        shown = responses[:, [i for i, other in enumerate(settings) if other == setting]]
        count = max(1, round(_BEST * shown.shape[1]))
        tuning = np.sort(shown, axis=1)[:, -count:].mean(axis=1)
        column = PROBE_CLASSES.index(setting[0])
        better = tuning.max(axis=1) > peaks[:, column]
        peaks[better, column] = tuning[better].max(axis=1)
        orientations[better, column] = tuning[better].argmax(axis=1)
    others = np.stack([np.delete(peaks, i, axis=1).max(axis=1) for i in range(len(PROBE_CLASSES))])
    return Scores(peaks, peaks - others.T, orientations)
