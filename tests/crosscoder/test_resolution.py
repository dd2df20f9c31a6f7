"""What parameters come to, and what is said of those that contradict one another."""

from __future__ import annotations

from contextlib import nullcontext

import numpy as np
import pytest

from sklearn_groupcross import Dihedral, GroupCrosscoder
from sklearn_groupcross.crosscoder import _resolution, check_parameters, sparsity_parameter
from sklearn_groupcross.crosscoder._activations import ACTIVATIONS
from sklearn_groupcross.crosscoder._resolution import resolve_options, resolve_passes

from .kinds import NAMES, k_for


def resolved(n_samples=1000, **options):
    crosscoder = GroupCrosscoder(device="cpu", **options)
    crosscoder.group_, crosscoder.n_channels_ = Dihedral(3), 5
    before = dict(vars(crosscoder))
    passes = resolve_passes(crosscoder, np.arange(n_samples), seed=7)
    options = resolve_options(crosscoder, passes)
    assert vars(crosscoder) == before  # nothing is set
    return options


def test_defaults():
    options = resolved()
    assert options.n_atoms == 4 * 5
    assert options.n_steps == 2 * 100
    assert options.dead_samples == 0.05 * 1000 * 100
    assert options.seed == 7
    assert (options.k, options.precision, options.compression) == (None, "float32", None)


@pytest.mark.parametrize(
    ("activation", "k", "dead_features"),
    [("relu", None, "resample"), ("jumprelu", None, "resample"), ("topk", 20, "auxk")],
)
def test_what_an_activation_asks_for(activation, k, dead_features):
    options = resolved(activation=activation)
    assert (options.k, options.dead_features) == (k, dead_features)
    assert resolved(activation=activation, dead_features=None).dead_features is None


def test_k_is_32_where_there_are_as_many_atoms():
    assert resolved(activation="topk", n_features=100).k == 32


def test_as_many_atoms_as_directions():
    assert resolved(dict_init=np.eye(7, 30)).n_atoms == 7


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"n_features": 3, "activation": "topk", "k": 4}, "k=4 codes cannot be active"),
        ({"n_features": 0}, "'n_features' parameter"),
        ({"group": "klein:4"}, "'group' parameter of GroupCrosscoder: Unknown group 'klein:4'"),
        ({"device": "gpu0"}, "Unknown device 'gpu0'"),
    ],
)
def test_parameters_can_be_checked_before_there_are_data(options, message):
    with pytest.raises(ValueError, match=message):
        check_parameters(GroupCrosscoder(**options))


def test_what_only_data_can_tell_is_left_open():
    check_parameters(GroupCrosscoder(activation="topk", k=1000, group="dihedral:16"))


@pytest.mark.parametrize("name", NAMES)
def test_an_activation_says_what_decides_how_sparse_codes_are(name):
    parameter = "l1" if k_for(name, 3) is None else "k"
    crosscoder = GroupCrosscoder(activation=name)
    assert sparsity_parameter(crosscoder) == parameter
    crosscoder.activation_ = name
    for changed in ("relu", "topk"):
        assert sparsity_parameter(crosscoder.set_params(activation=changed)) == parameter


@pytest.mark.parametrize("uses_k", [False, True])
def test_its_name_does_not_matter(uses_k, monkeypatch):
    class Own(ACTIVATIONS["relu"]):
        pass

    Own.uses_k = uses_k
    name = "largest" if uses_k else "topknot"
    monkeypatch.setitem(ACTIVATIONS, name, Own)
    assert sparsity_parameter(GroupCrosscoder(activation=name)) == ("k" if uses_k else "l1")


def test_of_no_activation_nothing_is_said():
    with pytest.raises(ValueError, match="activation='tanh' is none of 'relu', 'topk'"):
        sparsity_parameter(GroupCrosscoder(activation="tanh"))


@pytest.mark.parametrize(("has_bfloat16", "n_features"), [(False, 5000), (False, 20), (True, 5000)])
def test_slow_bfloat16_is_told(has_bfloat16, n_features, monkeypatch):
    monkeypatch.setattr(_resolution, "multiplies_bfloat16", lambda: has_bfloat16)
    monkeypatch.setattr(_resolution, "instruction_sets", lambda: "AVX2, FMA")
    warns = not has_bfloat16 and n_features == 5000  # small products take no time to speak of
    expected = pytest.warns(RuntimeWarning, match=r"bfloat16 products \(AVX2, FMA\)")
    with expected if warns else nullcontext():
        options = resolved(n_features=n_features, precision="bfloat16")
    assert options.precision == "bfloat16"
