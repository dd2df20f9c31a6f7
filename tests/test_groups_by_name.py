"""Whatever takes a group takes the name that the command line has for it."""

import inspect
from importlib import import_module
from unittest.mock import patch

import numpy as np
import pytest
import torch

from sklearn_groupcross import (
    Dihedral,
    GroupCrosscoder,
    InceptionOrbitDataset,
    OrbitDataset,
    OrbitScaler,
    OrbitStore,
    SymmetryAnalyzer,
    actions,
    analysis,
    load_network,
    make_orbits,
    orbits,
    plotting,
)
from sklearn_groupcross.crosscoder import flatten_orbits
from sklearn_groupcross.groups import Cyclic
from sklearn_groupcross.orbits import StoredImage, _inception

ROOMS = [
    "actions",
    "analysis",
    "crosscoder",
    "faithfulness",
    "model_selection",
    "networks",
    "orbits",
    "plotting",
    "report",
]
GROUP, NAME = Dihedral(3), "dihedral:3"
PLANTED = make_orbits(60, group=GROUP, n_channels=4, stabilizers="trivial", random_state=0)
STACKS, ATOMS = PLANTED.orbits, PLANTED.components
IMAGES = [np.zeros((40, 40, 3), np.uint8)]
PROFILES = np.eye(6)[:1]
SETTINGS = {"n_features": 6, "max_epochs": 1, "random_state": 0, "device": "cpu"}


def autoencoder():
    return GroupCrosscoder(**SETTINGS).fit(STACKS[:, :1])


def store(group, folder):
    images = [StoredImage("one", "1", 2)]
    return OrbitStore.create(folder, group=group, n_channels=4, images=images)


def inception_action(group):
    with patch.object(_inception, "load_network", lambda *_: load_network("bundled")):
        return InceptionOrbitDataset(IMAGES, group=group).action.matrices


# What each of them does with a group, as something to compare.
USES = {
    "GroupCrosscoder": lambda group, _: GroupCrosscoder(group, **SETTINGS).fit(STACKS).components_,
    "OrbitScaler": lambda group, _: OrbitScaler(group).fit(STACKS).mean_,
    "flatten_orbits": lambda group, _: flatten_orbits(STACKS, group),
    "SymmetryAnalyzer": lambda group, _: SymmetryAnalyzer(group).fit(ATOMS).distances_,
    "angle_tuning": lambda group, _: analysis.angle_tuning(PROFILES, group).periods,
    "compare_separation": lambda group, _: analysis.compare_separation(
        {"autoencoder": autoencoder()},
        STACKS,
        np.arange(60) // 10,
        group=group,
        min_firings=1,
        embedding=False,
        n_resamples=10,
    )["l0"],
    "consensus_dictionary": lambda group, _: (
        analysis.consensus_dictionary([ATOMS, ATOMS], group=group).atoms
    ),
    "equivariance_index": lambda group, _: analysis.equivariance_index(ATOMS, group).index,
    "found_again": lambda group, _: analysis.found_again(ATOMS, [ATOMS], group=group),
    "irrep_power": lambda group, _: analysis.irrep_power(ATOMS, group),
    "lift_dictionary": lambda group, _: analysis.lift_dictionary(
        autoencoder(), STACKS, group=group
    ),
    "match_dictionaries": lambda group, _: (
        analysis.match_dictionaries(ATOMS, ATOMS, group=group).alignment
    ),
    "measurable_kinds": lambda group, _: analysis.measurable_kinds(group),
    "name_kinds": lambda group, _: analysis.name_kinds(PROFILES, group),
    "stability": lambda group, _: analysis.stability(
        [ATOMS, ATOMS], group=group, n_resamples=10
    ).features["similarity"],
    "OrbitDataset": lambda group, _: (
        OrbitDataset(IMAGES, network="bundled", group=group).action.matrices
    ),
    "InceptionOrbitDataset": lambda group, _: inception_action(group),
    "OrbitStore.create": lambda group, folder: store(group, folder).group.cayley_table,
    "make_orbits": lambda group, _: make_orbits(3, group=group, random_state=0).orbits,
    "draw_probe": lambda group, _: orbits.draw_probe(orbits.Edge(), group, 8),
    "probe_orbits": lambda group, _: orbits.probe_orbits(
        [orbits.Edge()], load_network("bundled"), group, n_positions=1, device="cpu"
    ),
    "ImageAction": lambda group, _: actions.ImageAction(group).matrices,
    "LinearAction": lambda group, _: actions.LinearAction(
        group, GROUP.regular_representation()
    ).transform(torch.eye(6)),
    "PermutationAction": lambda group, _: actions.PermutationAction(
        group, GROUP.cayley_table
    ).transform(torch.eye(6)),
    "SelfProfileDisplay.from_arrays": lambda group, _: (
        plotting.SelfProfileDisplay.from_arrays(PROFILES, group).group.cayley_table
    ),
    "SpectrumDisplay.from_arrays": lambda group, _: (
        plotting.SpectrumDisplay.from_arrays(
            np.ones(len(GROUP.irreps)) / 3, group
        ).group.cayley_table
    ),
    "TransformBlockDisplay.from_arrays": lambda group, _: (
        plotting.TransformBlockDisplay.from_arrays(np.eye(6), group).group.cayley_table
    ),
    "FamilyWheelDisplay.from_arrays": lambda group, _: (
        plotting.FamilyWheelDisplay.from_arrays([0, 1], group).group.cayley_table
    ),
    "SelfProfileDisplay": lambda group, _: (
        plotting.SelfProfileDisplay(PROFILES, group, ["one"]).group.cayley_table
    ),
    "SpectrumDisplay": lambda group, _: (
        plotting.SpectrumDisplay(np.ones((1, 3)) / 3, group, ["one"]).group.cayley_table
    ),
    "TransformBlockDisplay": lambda group, _: (
        plotting.TransformBlockDisplay(np.eye(6), group).group.cayley_table
    ),
    "lay_out_family": lambda group, _: np.array(
        [
            (slot.x, slot.y)
            for slot in plotting.lay_out_family(group, [0, 3], GROUP.subgroups()[0]).slots.values()
        ]
    ),
    "FamilyWheelDisplay": lambda group, _: (
        plotting.FamilyWheelDisplay(
            np.arange(2), np.arange(2), group, 0, GROUP.subgroups()[0], np.arange(0)
        ).group.cayley_table
    ),
}
# Cyclic groups alone: these are tried with one.
CYCLIC_USES = {
    "TimeShiftAction": lambda group: actions.TimeShiftAction(group).transform(
        torch.arange(8)[None]
    ),
    "HueAction": lambda group: actions.HueAction(group).matrices,
}
# Results, which are made of a group that is there; and actions of groups that have no such name.
OTHERS = {"Consensus", "Family", "Matching", "ProfileEvidence", "PointCloudAction", "SetAction"}


def takers_of_a_group():
    """Names of public functions, classes and class methods that have a parameter `group`."""
    names = set()
    for room in ROOMS:
        module = import_module(f"sklearn_groupcross.{room}")
        for name in module.__all__:
            value = getattr(module, name)
            members = vars(value) if inspect.isclass(value) else {}
            callables = {name: value} | {
                f"{name}.{member}": getattr(value, member)
                for member in members
                if not member.startswith("_")
            }
            for qualified, one in callables.items():
                if callable(one) and "group" in inspect.signature(one).parameters:
                    names.add(qualified)
    return names


def test_every_one_of_them_is_tried():
    assert takers_of_a_group() == {*USES, *CYCLIC_USES, *OTHERS}


@pytest.mark.parametrize("use", USES)
def test_a_group_and_its_name_are_the_same(use, tmp_path):
    np.testing.assert_array_equal(
        USES[use](NAME, tmp_path / "name"), USES[use](GROUP, tmp_path / "group")
    )


@pytest.mark.parametrize("use", CYCLIC_USES)
def test_a_cyclic_group_and_its_name_are_the_same(use):
    np.testing.assert_array_equal(CYCLIC_USES[use]("cyclic:4"), CYCLIC_USES[use](Cyclic(4)))


@pytest.mark.parametrize("use", USES)
def test_a_name_of_no_group_is_refused(use, tmp_path):
    with pytest.raises(ValueError, match=r"Unknown group 'klein:4'"):
        USES[use]("klein:4", tmp_path / "store")
