"""`probe_kinds`: whether a feature stands for a curve, an edge, a line or a corner."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd
import torch
from numpy.typing import ArrayLike, NDArray
from sklearn.utils import check_array

from .._ambient import own_state
from .._integers import check_integer
from .._plain import as_numpy
from ..crosscoder import GroupCrosscoder, check_reads_activations, codes_of_activations
from ..networks import Network
from ._probe_readings import PROBE_CLASSES, Probe, ProbeReadings, read_probes, untrained
from ._probe_scores import Scores, score_responses, standardized

FloatArray = NDArray[np.float64]


@dataclass(frozen=True)
class ProbeKinds:
    """What probes say of features.

    Columns of scores are `PROBE_CLASSES`: curve, edge, line, corner.

    Attributes
    ----------
    kinds : ndarray of shape (m,), of str
        The class that a feature prefers by more than random directions do; ``"other"`` where
        none is preferred by as much.
    nearest : ndarray of shape (m,), of str
        The class that excites it most, by however little.
    selectivities : ndarray of shape (m, 4)
        By how much the best probes of a class excite a feature more than those of any other
        class, in standard deviations of its responses to all probes.
    limits : ndarray of shape (4,)
        What the selectivity has to exceed for a class to be stated.
    error_rates : DataFrame
        Share of controls that would be given a class, each class a column, ``"any"`` all together.
        ``"random direction"``: random directions other than those that the limits are of.
        ``"untrained network"``: the same encoder behind an untrained network. Where that is given
        a class as often as the trained one, the class is no work of training.
        ``"control"``: the features of the dictionary given as `control`, behind the untrained
        network.
    control_shares : DataFrame
        The same for each feature, a row each: the share of the controls that prefer the feature's
        nearest class by as much as it does. A name says little where many do: straight edges are
        what layers of random weights show as well.
    orientations : ndarray of shape (m,)
        Degrees, counter-clockwise, by which the probes of the nearest class are turned when they
        excite most. Unturned, curves have their centre straight above, corners open upwards, edges
        have the shape above.
    radii : ndarray of shape (m,)
        Of the curve that excites a feature most, in pixels; NaN where no curve is nearest.
    fires : ndarray of shape (m,), bool
        Whether any probe of the nearest class makes the code exceed zero. Of directions
        given without a crosscoder: true.
    responses : ndarray of shape (m, n_probes, n_turns)
        To every probe in every orientation, averaged over positions: the encoder's product with
        the activation, less its mean over probes, in standard deviations. Codes are no more than
        that cut off at zero, and mostly zeros.
    probes : tuple of Probe
    """

    kinds: NDArray[np.object_]
    nearest: NDArray[np.object_]
    selectivities: FloatArray
    limits: FloatArray
    error_rates: pd.DataFrame
    control_shares: pd.DataFrame
    orientations: FloatArray
    radii: FloatArray
    fires: NDArray[np.bool_]
    responses: FloatArray
    probes: tuple[Probe, ...]

    @property
    def table(self) -> pd.DataFrame:
        """One row a feature, beside `SymmetryAnalyzer.features_table_`.

        Columns ``random_share``, ``untrained_share`` and, with a control, ``control_share`` are
        those of `control_shares`.
        """
        rows = np.arange(len(self.kinds))
        column = [PROBE_CLASSES.index(name) for name in self.nearest]
        shares = self.control_shares.rename(columns=lambda name: f"{name.split()[0]}_share")
        return pd.DataFrame(
            {
                "probe_kind": self.kinds,
                "nearest": self.nearest,
                "selectivity": self.selectivities[rows, column],
                "limit": self.limits[column],
                **shares.to_dict("series"),
                "orientation": self.orientations,
                "radius": self.radii,
                "fires": self.fires,
            },
            index=pd.RangeIndex(len(rows), name="feature"),
        )


@own_state()
def probe_kinds(
    crosscoder: GroupCrosscoder | ArrayLike,
    network: Network,
    layer: str | None = None,
    *,
    readings: ProbeReadings | None = None,
    untrained_readings: ProbeReadings | None = None,
    control: GroupCrosscoder | ArrayLike | None = None,
    error_rate: float = 0.05,
    n_controls: int = 4000,
    device: str | torch.device = "auto",
    random_state: int = 0,
) -> ProbeKinds:
    """Name features by which drawn shapes excite them: curves, edges, lines or corners.

    A self-profile says that a feature needs the full turn (kind ``"directed"``), not what it is
    that turns. This shows the network shapes of which that is known, in all orientations, radii,
    widths and shades, and asks which of them a feature prefers [1]_: a curve detector responds to a
    curve of its radius and angle, less to others and less to straight edges.

    Any direction prefers something, and reliably so. A class is therefore stated only where a
    feature's preference exceeds what all but few random directions of the same layer show. That a
    feature is an ``"edge"`` says that drawn edges excite it more than drawn curves, lines and
    corners do. It does not say that training made it so: of a network of random weights, whose
    layers filter images too, the features of a dictionary may prefer edges as well. How many do is
    what `control` asks, and `ProbeKinds.control_shares` says for each feature.

    Parameters
    ----------
    crosscoder : GroupCrosscoder or array-like of shape (m, n_channels)
        Fitted on that layer with ``encoder_input="identity"``; or directions in its activations.
    network : Network
    layer : str, optional
        Default: the network's default layer.
    readings : ProbeReadings, optional
        Default: `read_probes`, which takes minutes for a large network. Give them to
        name several dictionaries, or to choose the probes.
    untrained_readings : ProbeReadings, optional
        The same probes read from `untrained`. Default: they are read.
    control : GroupCrosscoder or array-like of shape (m, n_channels), optional
        A dictionary of the untrained network: fitted as `crosscoder` was, on orbits that
        ``untrained(network, random_state)`` gave of the same images.
    error_rate : float, default=0.05
        Share of random directions that may be given a class, of all classes together.
    n_controls : int, default=4000
        Random directions. Half of them set the limits, the other half are judged by them.
    device : str or torch.device, default="auto"
    random_state : int, default=0

    Returns
    -------
    kinds : ProbeKinds

    Raises
    ------
    ValueError
        If the crosscoder or the control reads whole orbits or another number of channels than the
        layer has, readings are of different probes, or the error rate is not within (0, 1).

    References
    ----------
    .. [1] Cammarata et al. (2020), "Curve Detectors", Distill.

    Examples
    --------
    >>> import numpy as np
    >>> from sklearn_groupcross import load_network
    >>> from sklearn_groupcross.faithfulness import probe_kinds, read_probes, shape_probes
    >>> probes = shape_probes(radii=[8, 14], widths=[3], degrees=[60, 90], grays=[(1.0, 0.5)])
    >>> network = load_network("bundled")
    >>> readings = read_probes(network, probes=probes, n_turns=8, n_positions=1)
    >>> found = probe_kinds(np.eye(96), network, readings=readings)  # of the neurons themselves
    >>> found.kinds.shape, found.responses.shape
    ((96,), (96, 8, 8))
    """
    if not 0 < error_rate < 1:
        raise ValueError(f"error_rate lies between 0 and 1; got {error_rate!r}.")
    check_integer("n_controls", n_controls, 2)
    encoder = _encoder(crosscoder)
    if readings is None:
        readings = read_probes(network, layer, device=device)
    if untrained_readings is None:
        n_positions, n_turns = readings.activations.shape[1:3]
        untrained_readings = read_probes(
            untrained(network, random_state),
            layer,
            probes=readings.probes,
            n_turns=n_turns,
            n_positions=n_positions,
            device=device,
        )
    _check_readings(readings, untrained_readings, encoder)
    responses = _respond(encoder, readings)
    scores = score_responses(responses, readings.probes)
    directions = np.random.default_rng(random_state).standard_normal((n_controls, encoder.shape[1]))
    controls = score_responses(_respond(directions, readings), readings.probes).selectivities
    limits = _limits(controls[::2], error_rate)
    behind_untrained = {"untrained network": encoder}
    if control is not None:
        behind_untrained["control"] = _encoder(control)
        _check_readings(readings, untrained_readings, behind_untrained["control"])
    of_controls = {"random direction": controls[1::2]} | {
        name: score_responses(_respond(rows, untrained_readings), readings.probes).selectivities
        for name, rows in behind_untrained.items()
    }
    nearest = scores.selectivities.argmax(axis=1)
    # at most one class has a positive selectivity
    stated = (scores.selectivities > limits).any(axis=1)
    names = np.array(PROBE_CLASSES, dtype=object)
    return ProbeKinds(
        kinds=np.where(stated, names[nearest], "other").astype(object),
        nearest=names[nearest],
        selectivities=scores.selectivities,
        limits=limits,
        error_rates=pd.DataFrame(
            {name: _shares_stated(values, limits) for name, values in of_controls.items()}
        ).T,
        control_shares=pd.DataFrame(
            {
                name: _shares_as_large(scores.selectivities, nearest, values)
                for name, values in of_controls.items()
            },
            index=pd.RangeIndex(len(encoder), name="feature"),
        ),
        orientations=_orientations(scores, nearest, responses.shape[2]),
        radii=_radii(responses, nearest, readings.probes),
        fires=_fires(crosscoder, readings, nearest),
        responses=responses,
        probes=readings.probes,
    )


def _encoder(crosscoder: GroupCrosscoder | ArrayLike) -> FloatArray:
    if hasattr(crosscoder, "fit"):  # other estimators are told what to pass
        check_reads_activations(crosscoder)
    if isinstance(crosscoder, GroupCrosscoder):
        return np.asarray(crosscoder.encoder_, dtype=np.float64)
    directions = as_numpy(crosscoder, "crosscoder")
    return np.asarray(check_array(directions, dtype=np.float64, input_name="crosscoder"))


def _check_readings(
    readings: ProbeReadings, untrained_readings: ProbeReadings, encoder: FloatArray
) -> None:
    n_channels = readings.activations.shape[-1]
    if encoder.shape[1] != n_channels:
        raise ValueError(
            f"The encoder reads {encoder.shape[1]} channels; the layer on probes has {n_channels}."
        )
    if readings.probes != untrained_readings.probes:
        raise ValueError(
            "readings and untrained_readings are of different probes: give "
            "read_probes(untrained(network), probes=readings.probes)."
        )


def _respond(directions: FloatArray, readings: ProbeReadings) -> FloatArray:
    """Standardized responses (m, n_probes, n_turns), averaged over positions."""
    mean = readings.activations.mean(axis=1, dtype=np.float64)
    return standardized(np.moveaxis(mean @ directions.T, 2, 0))


def _limits(controls: FloatArray, error_rate: float) -> FloatArray:
    """What few controls exceed in each class, all classes together at the error rate."""
    share = 1 - error_rate / len(PROBE_CLASSES)
    return np.maximum(np.quantile(controls, share, axis=0, method="higher"), 0.0)


def _shares_stated(selectivities: FloatArray, limits: FloatArray) -> dict[str, float]:
    shares = (selectivities > limits).mean(axis=0)
    return {**dict(zip(PROBE_CLASSES, shares.tolist(), strict=True)), "any": float(shares.sum())}


def _shares_as_large(
    selectivities: FloatArray, nearest: NDArray[np.int64], controls: FloatArray
) -> FloatArray:
    """Share of controls that prefer a feature's nearest class by as much as the feature: (m,)."""
    shares = np.empty(len(nearest))
    for i in range(len(PROBE_CLASSES)):
        of_class = nearest == i
        below = np.searchsorted(np.sort(controls[:, i]), selectivities[of_class, i], side="left")
        shares[of_class] = 1 - below / len(controls)
    return shares


def _orientations(scores: Scores, nearest: NDArray[np.int64], n_turns: int) -> FloatArray:
    steps = scores.orientations[np.arange(len(nearest)), nearest]
    return np.asarray(360.0 * steps / n_turns)


def _radii(
    responses: FloatArray, nearest: NDArray[np.int64], probes: tuple[Probe, ...]
) -> FloatArray:
    curves = [i for i, probe in enumerate(probes) if probe.kind == "curve"]
    radii = np.full(len(nearest), np.nan)
    is_curve = nearest == PROBE_CLASSES.index("curve")
    if curves:
        known = np.array([getattr(probes[i].shape, "radius", np.nan) for i in curves])
        radii[is_curve] = known[responses[is_curve][:, curves].max(axis=2).argmax(axis=1)]
    return radii


def _fires(
    crosscoder: GroupCrosscoder | ArrayLike, readings: ProbeReadings, nearest: NDArray[np.int64]
) -> NDArray[np.bool_]:
    """Whether a code is above zero on a probe of the nearest class."""
    if not isinstance(crosscoder, GroupCrosscoder):
        return np.ones(len(nearest), dtype=bool)
    fires = np.zeros((len(PROBE_CLASSES), len(nearest)), dtype=bool)
    for probe, activations in zip(readings.probes, readings.activations, strict=True):
        codes = codes_of_activations(crosscoder, activations.reshape(-1, activations.shape[-1]))
        fires[PROBE_CLASSES.index(probe.kind)] |= (codes > 0).any(axis=0)
    return np.asarray(fires[nearest, np.arange(len(nearest))])
