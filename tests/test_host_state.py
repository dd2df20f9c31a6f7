"""Results are those of a fresh process whatever state the host program has put torch and numpy in.

And the host's state is what it was afterwards, also after an error.
"""

from contextlib import contextmanager
from functools import cache
from pathlib import Path

import numpy as np
import pytest
import torch
from sklearn.datasets import load_sample_images

from sklearn_groupcross import (
    Cyclic,
    Dihedral,
    GroupCrosscoder,
    OrbitDataset,
    OrbitScaler,
    SymmetryAnalyzer,
    crosscoder_ensemble,
    crosscoder_path,
    load_network,
    make_orbits,
    receptive_field,
    stack_orbits,
)
from sklearn_groupcross.actions import (
    HueAction,
    ImageAction,
    LinearAction,
    SetAction,
    TimeShiftAction,
    check_action,
    circular_mask,
    product_action,
)
from sklearn_groupcross.analysis import (
    code_profiles,
    compare_separation,
    consensus_dictionary,
    diagnose,
    equivariance_index,
    found_again,
    irrep_power,
    lift_dictionary,
    match_dictionaries,
    name_kinds,
    stability,
)
from sklearn_groupcross.faithfulness import (
    downstream_effect,
    feature_maps,
    probe_kinds,
    read_probes,
    shape_probes,
    untrained,
)
from sklearn_groupcross.groups import GroupFourier, Symmetric
from sklearn_groupcross.model_selection import score_crosscoder
from sklearn_groupcross.networks import confirm_receptive_field
from sklearn_groupcross.orbits import Arc, probe_orbits
from sklearn_groupcross.visualization import visualize_features

GROUP = Dihedral(4)


@contextmanager
def default_dtype():
    torch.set_default_dtype(torch.float64)
    try:
        yield
    finally:
        torch.set_default_dtype(torch.float32)


@contextmanager
def default_device():
    torch.set_default_device("meta")  # a tensor that is made without a device has no values
    try:
        yield
    finally:
        torch.set_default_device(None)


@contextmanager
def low_precision():
    torch.set_float32_matmul_precision("medium")
    try:
        yield
    finally:
        torch.set_float32_matmul_precision("highest")


STATES = {
    "autocast": lambda: torch.autocast("cpu", dtype=torch.bfloat16),
    "no_grad": torch.no_grad,
    "inference_mode": torch.inference_mode,
    "default dtype": default_dtype,
    "default device": default_device,
    "low precision": low_precision,
    "errstate": lambda: np.errstate(all="raise"),
}


def seen():
    return (
        torch.is_grad_enabled(),
        torch.is_inference_mode_enabled(),
        torch.is_autocast_enabled("cpu"),
        torch.get_autocast_dtype("cpu"),
        torch.get_float32_matmul_precision(),
        torch.get_default_dtype(),
        torch.empty(0).device,  # torch 2.7 forgets what get_default_device needs
        np.geterr(),
    )


@cache
def orbits():
    return make_orbits(120, group=GROUP, n_channels=8, random_state=0).orbits.astype(np.float32)


@cache
def sample_images():
    return [picture[::4, ::4].copy() for picture in load_sample_images().images]


@cache
def images():
    return torch.rand(2, 3, 96, 96, generator=torch.Generator().manual_seed(0))


def crosscoder(**options):
    defaults = {"n_features": 12, "max_epochs": 2, "batch_size": 32, "random_state": 0}
    return GroupCrosscoder(GROUP, **{**defaults, **options})


@cache
def fitted(**options):
    return crosscoder(**options).fit(orbits())


@cache
def fitted_on_network():
    dataset = OrbitDataset(sample_images(), network="bundled", group=Cyclic(4), n_positions=20)
    estimator = GroupCrosscoder(Cyclic(4), 12, max_epochs=2, batch_size=16, random_state=0)
    return estimator.fit(dataset.as_array())


def learned(estimator):
    history = estimator.history_
    thresholds = [] if estimator.threshold_ is None else [estimator.threshold_]
    weights = [estimator.components_, estimator.intercept_, estimator.encoder_intercept_]
    return [*weights, history["loss"], history["step_l0"], *thresholds]


FITS = {
    "relu": {},
    "augment": {"augment": True},
    "topk": {"activation": "topk", "k": 3},
    "compression": {"activation": "topk", "k": 3, "compression": 0.8, "augment": True},
    "batch_topk": {"activation": "batch_topk", "k": 3},
    "jumprelu": {"activation": "jumprelu"},
    "early_stopping": {"early_stopping": True, "n_iter_no_change": 1},
    "orbit": {"encoder_input": "orbit", "compression": 0.9},
    "bfloat16": {"precision": "bfloat16"},
    "resample": {"max_epochs": 6, "l1": 1.0},
    "wide": {"activation": "topk", "k": 3, "n_features": 2500, "max_epochs": 1},
    "wide batch_topk": {"activation": "batch_topk", "k": 3, "n_features": 2500, "max_epochs": 1},
}
ENTRIES = {
    f"fit {name}": lambda options=options: learned(crosscoder(**options).fit(orbits()))
    for name, options in FITS.items()
}


def entry(function):
    ENTRIES[function.__name__] = function
    return function


@entry
def partial_fit():
    estimator = crosscoder(activation="batch_topk", k=3)
    return learned(estimator.partial_fit(orbits()[:60]).partial_fit(orbits()[60:]))


@entry
def warm_start():
    estimator = crosscoder(activation="jumprelu", warm_start=True, random_state=1)
    return learned(estimator.fit(orbits()).fit(orbits()))


@entry
def path():
    both = crosscoder_path(crosscoder(activation="jumprelu"), orbits(), [0.1, 0.02])
    return [array for one in both for array in learned(one)]


@entry
def ensemble():
    both = crosscoder_ensemble(crosscoder(activation="topk", k=3, compression=0.9), orbits(), 2)
    dictionaries = [one.components_ for one in both]
    consensus = consensus_dictionary(both)
    found = found_again(both[0], both[1:])
    return [*dictionaries, found, consensus.components, consensus.members]


@entry
def inference():
    results = []
    for options in (FITS["relu"], FITS["topk"], FITS["wide"], FITS["batch_topk"]):
        one = fitted(**options)
        codes = one.transform(orbits())
        results += [codes, one.encode(orbits()[:, 0]), one.inverse_transform(codes)]
        results += [one.score(orbits()), one.transform(orbits().astype(np.float64))]
    return results


@entry
def scaler():
    one = OrbitScaler(GROUP).fit(orbits())
    scaled = one.transform(orbits())
    return [one.mean_, scaled, one.inverse_transform(scaled)]


@entry
def analyzer():
    one = SymmetryAnalyzer().fit(fitted())
    graph = one.kneighbors_graph(3)
    deviation = one.equivariance_
    return [one.distances_, one.profiles_, one.spectra_, graph.data, vars(deviation).values()]


@entry
def evidence():
    one = SymmetryAnalyzer().fit(fitted(), orbits=orbits(), image_ids=np.arange(120) // 10)
    return [one.confidence_, one.evidence_.profiles, one.evidence_.lower_bounds()]


@entry
def nearest_without_distances():
    one = SymmetryAnalyzer(max_features_in_full=1).fit(fitted())
    return [one.labels_, one.kneighbors_graph(3).data]


@entry
def analyses():
    one, other = fitted(), fitted(l1=0.05)
    matching = match_dictionaries(one, other)
    lifted = lift_dictionary(fitted(), orbits())
    findings = diagnose(SymmetryAnalyzer().fit(one), one, orbits())
    return [
        matching.similarity,
        matching.alignment,
        vars(equivariance_index(one.components_, GROUP)).values(),
        irrep_power(one.components_.reshape(12, 8, 8), GROUP),
        name_kinds(SymmetryAnalyzer().fit(one).profiles_, GROUP),
        code_profiles(one, orbits()).profiles,
        lifted,
        [finding.value for finding in findings],
        list(score_crosscoder(one, orbits()).values()),
    ]


@entry
def comparisons():
    found = stability([fitted(), fitted(l1=0.05)], n_resamples=20)
    ids, options = np.arange(120) // 10, {"embedding": False, "n_resamples": 20}
    table = compare_separation({"one": fitted()}, orbits(), ids, **options)
    tables = (found.features, found.summary, table)
    return [table.select_dtypes("number").to_numpy() for table in tables]


@entry
def planted():
    made = make_orbits(20, group=GROUP, n_channels=8, noise=0.1, random_state=0)
    return [made.orbits, made.components, made.codes]


@entry
def actions():
    clouds = torch.linspace(0, 1, 90, device="cpu", dtype=torch.float32).reshape(3, 10, 3)
    signals = clouds.reshape(3, 30)[:, :8]
    turning = ImageAction(GROUP, mask=True)
    product = product_action(SetAction(Symmetric(3), axis=-1), TimeShiftAction(Cyclic(2), axis=-2))
    check_action(SetAction(Symmetric(3)), clouds[:, :3])
    return [
        turning.transform(images(), 64),
        turning.transform_positions(clouds[0, :, :2]),
        turning.transform_about(images(), clouds[0, :2, :2], 32),
        HueAction(6).transform(images()),
        LinearAction(GROUP, GROUP.irreps[-1].matrices).transform(clouds[..., :2]),
        TimeShiftAction(Cyclic(4)).transform(signals),
        product.transform(clouds),
        product_action(ImageAction(Cyclic(4)), HueAction(3)).transform(images(), 48),
        circular_mask(9),
    ]


@entry
def fourier():
    transform, blocks = GroupFourier(GROUP), torch.from_numpy(orbits())
    coefficients = transform.transform(blocks, axis=1)
    return [
        coefficients,
        transform.inverse(coefficients, axis=1),
        transform.power(blocks, axis=1),
        transform.correlate(blocks[:3], blocks[:4]),
        transform.convolve(blocks[0, :, 0], blocks[1]),
    ]


@entry
def network():
    one = load_network("bundled")
    return [
        one.activations(images()),
        *one.activations(images(), ["relu1", "relu2"]).values(),
        one.run(images()),
        one.run_with_replacement(images(), "relu3", lambda maps: 2 * maps),
    ]


@entry
def fields():
    one = load_network("bundled")
    field = receptive_field(one)
    confirm_receptive_field(one, None, field)
    return [field.size, field.stride, field.offset, field.to_units([[1, 2]])]


@entry
def dataset():
    results = []
    options = {"network": "bundled", "group": Cyclic(4), "n_positions": 3}
    for more in ({}, {"sampling": "energy"}, {"sampling": "grid"}, {"interpolation": "exact"}):
        one = OrbitDataset(sample_images(), **options, **more)
        results += [one.as_array(), one.positions, one[0], one.patches([0], 24)]
    return results


@entry
def yielded_items():
    one = OrbitDataset(sample_images(), network="bundled", group=Cyclic(4), n_positions=3)
    outside = seen()
    results = []
    for _, read, positions in one.iterate([0, 1]):
        assert seen() == outside
        results += [read, positions]
    return results


@entry
def other_orbits():
    module = torch.nn.Linear(8, 4, dtype=torch.float32, device="cpu")
    with torch.no_grad():
        torch.nn.Module.requires_grad_(module, False)
        module.weight.copy_(torch.linspace(-1, 1, 32, dtype=torch.float32, device="cpu").view(4, 8))
        module.bias.zero_()
    signals = np.linspace(0, 1, 80, dtype=np.float32).reshape(10, 8)
    return [
        stack_orbits(signals, TimeShiftAction(Cyclic(4)), module),
        probe_orbits([Arc(8, 3)], load_network("bundled"), Cyclic(4), n_positions=2),
    ]


@entry
def maps():
    found = feature_maps(fitted_on_network(), "bundled", sample_images(), features=[1, 2])
    effect = downstream_effect(fitted_on_network(), "bundled", sample_images())
    return [found.maps, effect.select_dtypes("number").to_numpy()]


@entry
def visualizations():
    pytest.importorskip("lucent", reason="torch-lucent, of the extra `lucent`, is not installed")
    found = visualize_features(fitted_on_network(), "bundled", features=[1, 2], n_steps=3)
    return [found.images, found.values, found.control_images, found.control_values]


@entry
def probes():
    network = load_network("bundled")
    shapes = shape_probes([9], [3], [80], [(1.0, 0.5)])
    trained, random = (
        read_probes(net, probes=shapes, n_turns=2, n_positions=1)
        for net in (network, untrained(network))
    )
    found = probe_kinds(
        np.eye(96), network, readings=trained, untrained_readings=random, n_controls=100
    )
    return [trained.activations, random.activations, found.selectivities, found.limits]


def as_arrays(results):
    for result in results:
        if isinstance(result, torch.Tensor):
            yield result.detach().numpy()
        elif isinstance(result, np.ndarray | float | int | np.generic | str):
            yield np.asarray(result)
        elif result is not None:
            yield from as_arrays(result)


@cache
def truth(name):
    return list(as_arrays(ENTRIES[name]()))


@pytest.mark.parametrize("state", STATES)
@pytest.mark.parametrize("name", ENTRIES)
def test_results_are_those_of_a_fresh_process(name, state):
    want, fresh = truth(name), seen()
    with STATES[state]():
        outside = seen()
        got = ENTRIES[name]()
        assert seen() == outside
    assert seen() == fresh
    got = list(as_arrays(got))
    assert len(got) == len(want) > 0
    for one, other in zip(got, want, strict=True):
        assert one.dtype == other.dtype
        np.testing.assert_array_equal(one, other)


@pytest.mark.parametrize("state", STATES)
def test_saved_models_are_those_of_a_fresh_process(tmp_path, state, monkeypatch):
    monkeypatch.setattr("sklearn_groupcross.crosscoder._checkpoint.SECONDS_BETWEEN", 0.0)
    one, path = fitted(activation="jumprelu"), tmp_path / "model.safetensors"
    checkpoints = tmp_path / "runs"
    with STATES[state]():
        one.save(path)
        again = GroupCrosscoder.load(path)
        codes = again.transform(orbits())
        crosscoder(checkpoint_dir=checkpoints).fit(orbits())
    np.testing.assert_array_equal(codes, one.transform(orbits()))
    assert list(Path(checkpoints).iterdir()) == []


@pytest.mark.parametrize("state", STATES)
def test_state_comes_back_after_an_error(state):
    one, bad = fitted(), orbits().copy()
    bad[3, 0, 0] = np.nan
    with STATES[state]():
        outside = seen()
        for act in (crosscoder().fit, crosscoder().partial_fit, one.transform, one.score):
            with pytest.raises(ValueError, match="NaN"):
                act(bad)
            assert seen() == outside
        with pytest.raises(ValueError, match="atoms"):
            SymmetryAnalyzer().fit(bad)
        assert seen() == outside


def test_actions_let_gradients_through():
    pictures = images().clone().requires_grad_()
    ImageAction(GROUP, mask=True).transform(pictures, 64).sum().backward()
    assert pictures.grad is not None
    with torch.no_grad():
        assert not ImageAction(GROUP, mask=True).transform(pictures, 64).requires_grad


def test_networks_are_made_without_the_hosts_generator():
    torch.manual_seed(0)
    expected = torch.rand(3)
    torch.manual_seed(0)
    load_network("bundled")
    assert torch.equal(torch.rand(3), expected)
