from __future__ import annotations

import numpy as np
import pytest

from sklearn_groupcross.faithfulness import (
    PROBE_CLASSES,
    ProbeReadings,
    probe_kinds,
    read_probes,
    shape_probes,
    untrained,
)

from .handmade import Handmade, exact

PROBES = tuple(shape_probes([8, 12, 18], [2, 4], [45, 90, 120], [(1.0, 0.5), (0.0, 0.5)]))
KINDS = np.array([probe.kind for probe in PROBES])
N_CHANNELS = 80


def made_up(planted: bool, seed=0) -> ProbeReadings:
    """Channels 0 to 15 detect a class at an angle each, if planted; the rest is noise."""
    rng = np.random.default_rng(seed)
    activations = rng.standard_normal((len(PROBES), 2, 16, N_CHANNELS)).astype(np.float32)
    for channel in range(16 * planted):
        kind, turn = PROBE_CLASSES[channel % 4], channel
        off = (np.arange(16) - turn + 8) % 16 - 8
        shown = np.outer(kind == KINDS, np.exp(-0.5 * off**2))
        activations[..., channel] = 0.1 * activations[..., channel] + 3 * shown[:, None]
    return ProbeReadings(activations, PROBES)


READINGS, UNTRAINED = made_up(True), made_up(False, seed=1)


def name(encoder, **options):
    return probe_kinds(encoder, None, readings=READINGS, untrained_readings=UNTRAINED, **options)


def test_detectors_are_named_and_noise_is_not():
    found = name(np.eye(N_CHANNELS))
    assert found.kinds[:16].tolist() == list(PROBE_CLASSES) * 4
    assert (found.kinds[16:] != "other").mean() <= 0.1
    np.testing.assert_array_equal(found.orientations[:16], np.arange(16) * 22.5)
    assert np.isin(found.radii[0:16:4], [8, 12, 18]).all()
    assert np.isnan(found.radii[1:16:4]).all()
    assert found.fires.all()
    assert found.responses.shape == (N_CHANNELS, len(PROBES), 16)


def test_controls_are_given_a_class_as_rarely_as_promised():
    found = name(np.eye(N_CHANNELS)[:16], error_rate=0.1, n_controls=4000)
    # of 2000 directions that the limits are not of: three standard errors of both halves
    assert abs(found.error_rates.loc["random direction", "any"] - 0.1) < 3 * np.sqrt(
        0.1 * 0.9 / 1000
    )
    strict = name(np.eye(N_CHANNELS)[:16], error_rate=0.01, n_controls=4000)
    assert strict.error_rates.loc["random direction", "any"] < 0.03
    assert (strict.limits > found.limits).all()
    rates = found.error_rates[list(PROBE_CLASSES)]
    np.testing.assert_allclose(rates.sum(axis=1), found.error_rates["any"])
    assert (rates.loc["random direction"] < 0.06).all()  # a quarter of 0.1 each


def test_a_name_states_how_many_controls_earn_it():
    detectors = np.eye(N_CHANNELS)
    found = name(detectors, control=detectors[:16])
    assert found.control_shares.columns.tolist() == [
        "random direction",
        "untrained network",
        "control",
    ]
    # planted detectors are beyond all controls; noise is as good as one in eight on average: of a
    # quarter that prefers the same class, half
    assert (found.control_shares[:16] < 0.02).all(axis=None)
    assert found.control_shares["random direction"][16:].mean() > 0.1
    stated, limit = found.kinds != "other", 0.05 + 3 * np.sqrt(0.05 * 0.95 / 1000)
    assert (found.control_shares["random direction"][stated] < limit).all()
    names = ["random_share", "untrained_share", "control_share"]
    np.testing.assert_array_equal(found.table[names], found.control_shares)
    assert "control_share" not in name(detectors).table


def test_a_control_that_is_named_as_often_is_seen():
    """The same detectors behind the control's network: nothing is the work of training."""
    detectors = np.eye(N_CHANNELS)[:16]
    found = probe_kinds(
        detectors, None, readings=READINGS, untrained_readings=READINGS, control=detectors
    )
    assert found.error_rates.loc["control", "any"] == 1
    assert (found.control_shares["control"] >= 1 / 16).all()
    shares = [
        np.mean(found.selectivities[:, column] >= found.selectivities[i, column])
        for i, column in enumerate(found.selectivities.argmax(axis=1))
    ]
    np.testing.assert_allclose(found.control_shares["control"], shares)
    with pytest.raises(ValueError, match="reads 3 channels"):
        name(detectors, control=np.eye(3))


def test_an_untrained_network_is_judged_by_the_same_limits():
    encoder = np.eye(N_CHANNELS)[:16]
    found = probe_kinds(encoder, None, readings=READINGS, untrained_readings=READINGS)
    assert found.error_rates.loc["untrained network", "any"] == (found.kinds != "other").mean() == 1
    assert name(encoder).error_rates.loc["untrained network", "any"] < 0.3


def test_what_random_directions_prefer_sets_the_limits():
    """A layer that always prefers curves: to prefer them as much says nothing."""
    activations = UNTRAINED.activations + 4 * (KINDS == "curve")[:, None, None, None]
    liked = ProbeReadings(activations.astype(np.float32), PROBES)
    found, plain = (
        probe_kinds(np.eye(N_CHANNELS), None, readings=shown, untrained_readings=UNTRAINED)
        for shown in (liked, UNTRAINED)
    )
    assert (found.nearest == "curve").mean() > 0.9  # all channels like curves, and none stands out
    assert (found.kinds == "curve").mean() < 0.1
    assert found.limits[0] > 1.5 * plain.limits[0]


def test_scale_and_bias_of_an_encoder_do_not_matter():
    directions = np.random.default_rng(2).standard_normal((20, N_CHANNELS))
    found, scaled = name(directions), name(7.0 * directions)
    np.testing.assert_allclose(found.selectivities, scaled.selectivities, atol=1e-9)
    np.testing.assert_array_equal(found.kinds, scaled.kinds)


def test_a_crosscoder_is_its_encoder_and_says_what_fires():
    crosscoder = exact(N_CHANNELS)
    quiet = crosscoder.encoder_intercept_
    quiet[3] = -1e3
    found = name(crosscoder)
    np.testing.assert_allclose(found.selectivities, name(np.eye(N_CHANNELS)).selectivities)
    assert not found.fires[3]
    assert found.fires[:3].all()


def test_dead_directions_are_other():
    encoder = np.eye(N_CHANNELS)[:3]
    encoder[1] = 0
    found = name(encoder)
    assert found.kinds[1] == "other"
    assert found.kinds[0] == "curve"


def test_the_table_has_a_row_a_feature():
    table = name(np.eye(N_CHANNELS)).table
    assert table.index.name == "feature"
    assert table["probe_kind"].tolist()[:4] == list(PROBE_CLASSES)
    stated = table["probe_kind"] != "other"
    assert (table["selectivity"] > table["limit"])[stated].all()
    assert (table["selectivity"] <= table["limit"])[~stated].all()


@pytest.fixture(scope="module")
def read(network):
    """Two sets of probes that share no radius, width, angle and shade."""
    sets = (
        shape_probes([8, 14], [3], [60, 100], [(1.0, 0.5), (0.0, 0.5)]),
        shape_probes([11, 18], [4], [80, 120], [(0.8, 0.3), (0.2, 0.7)]),
    )
    return [
        [
            read_probes(net, probes=probes, n_turns=8, n_positions=1, random_state=i)
            for i, probes in enumerate(sets)
        ]
        for net in (network, untrained(network))
    ]


def test_readouts_made_on_some_probes_are_named_on_others(network, read):
    (first, second), (_, untrained_second) = read
    kinds = np.array([probe.kind for probe in first.probes])
    X = first.activations.reshape(-1, 96).astype(np.float64)
    X /= X.std()
    planted = []
    for kind in PROBE_CLASSES:
        for turn in range(8):
            target = np.zeros(first.activations.shape[:3])
            target[kinds == kind, :, turn] = 1
            centered = X - X.mean(axis=0)
            gram = centered.T @ centered + np.eye(96)
            planted.append(np.linalg.solve(gram, centered.T @ target.ravel()))
    found = probe_kinds(planted, network, readings=second, untrained_readings=untrained_second)
    truth = np.repeat(PROBE_CLASSES, 8)
    assert (found.nearest == truth).mean() > 0.7  # one in four by chance
    named = found.kinds != "other"
    assert named.mean() > 0.3
    assert (found.kinds == truth)[named].mean() > 0.8


def test_bad_input(network, read):
    (first, second), (untrained_first, _) = read
    directions = np.eye(96)
    with pytest.raises(ValueError, match="error_rate lies between 0 and 1; got 1"):
        probe_kinds(directions, network, readings=first, error_rate=1.0)
    with pytest.raises(ValueError, match="reads 5 channels; the layer on probes has 96"):
        probe_kinds(np.eye(5), network, readings=first, untrained_readings=untrained_first)
    with pytest.raises(ValueError, match="of different probes"):
        probe_kinds(directions, network, readings=second, untrained_readings=untrained_first)
    crosscoder = Handmade.of(np.eye(96), np.zeros(96))
    crosscoder.encoder_ = np.ones((96, 4 * 96), dtype=np.float32)
    with pytest.raises(ValueError, match="encoder_input='orbit'"):
        probe_kinds(crosscoder, network, readings=first, untrained_readings=untrained_first)
    with pytest.raises(ValueError, match="n_controls"):
        probe_kinds(directions, network, readings=first, n_controls=1)
