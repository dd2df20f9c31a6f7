"""What is no image, from inputs to the report: signals, digits; and in which words it is told."""

from __future__ import annotations

import re

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from matplotlib import pyplot as plt
from matplotlib.text import Text
from sklearn.base import clone
from sklearn.datasets import load_digits
from sklearn.neural_network import MLPClassifier

from sklearn_groupcross import (
    Cyclic,
    Dihedral,
    GroupCrosscoder,
    OrbitStore,
    SymmetryAnalyzer,
    crosscoder_ensemble,
    crosscoder_path,
    extract_orbits,
)
from sklearn_groupcross.actions import HueAction, ImageAction, SetAction, TimeShiftAction
from sklearn_groupcross.analysis import match_dictionaries
from sklearn_groupcross.crosscoder import keeping_checkpoint
from sklearn_groupcross.groups import Symmetric
from sklearn_groupcross.plotting import (
    DistanceMatrixDisplay,
    FamilyWheelDisplay,
    SelfProfileDisplay,
    SpectrumDisplay,
    TransformBlockDisplay,
)
from sklearn_groupcross.report import write_report
from tests.report.page import read_page, strings_in

LENGTH, N_SHIFTS = 32, 16
#: Words for what happens to pictures.
OF_PICTURES = re.compile(r"turn|mirror|\blines?\b|\bgrids?\b|curve|edge|\bround\b|°", re.IGNORECASE)


def words_of(analysis):
    """All that an analysis says in words."""
    group = analysis.group_
    yield from (group.describe_element(g) for g in range(group.order))
    yield from (subgroup.name for subgroup in group.subgroups())
    yield from (irrep.name for irrep in group.irreps)
    for table in (analysis.features_table_, analysis.families_table_):
        for column in table.select_dtypes(exclude="number"):
            yield from map(str, table[column])
    for family in analysis.families_:
        yield str(family)


def assert_no_pictures(texts):
    said = [text for text in texts if OF_PICTURES.search(text)]
    assert said == []


@pytest.fixture(scope="module")
def signals():
    """Windows of forty recordings: pulses at any time, and waves of an eighth of the window."""
    rng = np.random.default_rng(0)
    time = np.arange(LENGTH)
    pulses = np.exp(-0.5 * (np.minimum(time, LENGTH - time) / 1.5) ** 2)
    waves = np.cos(2 * np.pi * time * 8 / LENGTH)
    n = 400
    which = rng.integers(2, size=n)
    made = np.where(which[:, None] == 1, pulses, waves)
    shifted = np.stack([np.roll(x, 2 * rng.integers(N_SHIFTS)) for x in made])
    return (shifted + 0.05 * rng.standard_normal((n, LENGTH))).astype(np.float32), which


@pytest.fixture(scope="module")
def store(signals, tmp_path_factory):
    generator = torch.Generator().manual_seed(0)
    network = torch.nn.Sequential(
        torch.nn.Unflatten(1, (1, LENGTH)),
        torch.nn.Conv1d(1, 4, 5, padding=2, padding_mode="circular"),
        torch.nn.ReLU(),
        torch.nn.Flatten(),
        torch.nn.Linear(4 * LENGTH, 12),
    )
    for parameter in network.parameters():
        torch.nn.init.normal_(parameter, std=0.5, generator=generator)
    return extract_orbits(
        signals[0],
        TimeShiftAction(Cyclic(N_SHIFTS), length=LENGTH),
        network,
        tmp_path_factory.mktemp("signals") / "signals.orbits",
        groups=np.arange(400) // 10,
    )


@pytest.fixture(scope="module")
def crosscoder(store):
    return GroupCrosscoder(
        group=Cyclic(N_SHIFTS),
        n_features=18,
        augment=True,
        compression=0.95,
        batch_size=32,
        max_epochs=30,
        random_state=0,
    ).fit(store[:320, ...])


@pytest.fixture(scope="module")
def analysis(crosscoder, store):
    held_out = store[320:, ...]
    return SymmetryAnalyzer().fit(crosscoder, orbits=held_out, image_ids=held_out.image_ids)


def test_waves_and_pulses_are_named_by_their_shifts(signals, crosscoder, analysis, store):
    codes = crosscoder.transform(store)
    _, which = signals
    of_waves = int(codes[which == 0].sum(0).argmax())
    of_pulses = int(codes[which == 1].sum(0).argmax())
    # a wave of an eighth of the window is back after two of sixteen shifts
    assert analysis.atom_stabilizers_[of_waves].name == "C8: shift by 2 of 16 (4 samples)"
    assert analysis.kinds_[of_waves] == "symmetric"
    assert analysis.atom_stabilizers_[of_pulses].name == "C1: none"
    assert analysis.kinds_[of_pulses] == "free"


def test_nothing_that_is_said_of_time_shifts_is_of_pictures(analysis, crosscoder, store):
    assert_no_pictures(words_of(analysis))
    assert_no_pictures(
        f"{finding.message} {finding.advice}" for finding in analysis.diagnose(crosscoder, store)
    )
    assert_no_pictures(match_dictionaries(crosscoder, crosscoder).to_frame()["moves"])


def test_the_words_reach_every_way_of_fitting(store, tmp_path):
    options = {"n_features": 6, "max_epochs": 2, "random_state": 0}
    estimator = GroupCrosscoder(group="cyclic:16", **options)
    fitted = [
        estimator.fit(store),
        clone(estimator).partial_fit(store),
        *crosscoder_path(clone(estimator), store, [0.1, 0.2]),
        *crosscoder_ensemble(clone(estimator), store, n_seeds=2),
        GroupCrosscoder(group=store.group, **options).fit(np.asarray(store)),
        GroupCrosscoder(group=Cyclic(16), **options).fit(store[::2, ...]),
    ]
    kept = GroupCrosscoder(group="cyclic:16", checkpoint_dir=tmp_path, **options)
    with keeping_checkpoint(kept):
        kept.fit(store)
        (path,) = tmp_path.glob("*.safetensors")
        fitted += [kept, GroupCrosscoder.load(path)]
    said = {crosscoder.group_.describe_element(3) for crosscoder in fitted}
    assert said == {"shift by 3 of 16 (6 samples)"}
    plain = clone(estimator).fit(np.asarray(store))
    assert plain.group_.describe_element(3) == "turn 67.5°"  # nothing is known of it


def test_pictures_of_time_shifts_say_nothing_of_pictures(analysis):
    assert analysis.families_
    for display in (
        SelfProfileDisplay.from_estimator(analysis, [0, 1]),
        TransformBlockDisplay.from_estimator(analysis, 0),
        FamilyWheelDisplay.from_estimator(analysis, 0),
        SpectrumDisplay.from_estimator(analysis),
        DistanceMatrixDisplay.from_estimator(analysis),
    ):
        figure = display.plot().figure_
        assert_no_pictures(text.get_text() for text in figure.findobj(Text))
        plt.close(figure)


@pytest.mark.parametrize("with_inputs", [True, False])
def test_the_report_of_signals(analysis, crosscoder, store, signals, tmp_path, with_inputs):
    action = TimeShiftAction(store.group)
    write_report(
        tmp_path / "report.html",
        analysis,
        crosscoder,
        orbits=store,
        **({"inputs": signals[0], "action": action} if with_inputs else {}),
    )
    content = read_page((tmp_path / "report.html").read_text(encoding="utf-8"))
    (run,) = content["runs"]
    # parameters are told as Python shows them
    run["about"] = []
    said = strings_in(content)
    assert_no_pictures(said)
    assert "shift by 2 of 16 (4 samples)" in run["group"]["elements"]
    assert content["noun"] == ("signal" if with_inputs else "input")
    assert (run["pictures"] is not None) == with_inputs


@settings(max_examples=8)
@given(st.integers(2, 16), st.integers(0, 2**32 - 1), st.data())
def test_no_time_shift_of_any_group_is_called_a_turn(n, seed, data):
    rng = np.random.default_rng(seed)
    group = TimeShiftAction(Cyclic(n)).group
    atoms = rng.standard_normal((6, n, 5))
    for i in range(3):  # some with a symmetry, and shifted copies of them
        subgroup = data.draw(st.sampled_from(group.subgroups()))
        moved = [atoms[i][group.right_translation(h)] for h in subgroup.elements]
        atoms[i] = np.mean(moved, axis=0)
        shift = data.draw(st.integers(0, n - 1))
        atoms[3 + i] = atoms[i][group.right_translation(shift)]
    analysis = SymmetryAnalyzer(group=group).fit(atoms)
    assert_no_pictures(words_of(analysis))
    assert set(analysis.kinds_) <= {"invariant", "symmetric", "free"}


@pytest.mark.parametrize(
    ("group", "word"),
    [
        (TimeShiftAction(Cyclic(16)).group, "shift by 3 of 16"),
        (TimeShiftAction(Cyclic(16), length=16).group, "shift by 3 of 16 (3 samples)"),
        (HueAction(12).group, "hue turn 90°"),
        (SetAction(Symmetric(3)).group, "permute (0 1 2)"),
        (ImageAction(Dihedral(8)).group, "turn 135°"),
        (ImageAction(Dihedral(8)).group * HueAction(2).group, "turn 45° and hue turn 180°"),
    ],
)
def test_each_action_names_its_elements(group, word):
    assert group.describe_element(3) == word
    names = [group.describe_element(g) for g in range(group.order)]
    assert names[0] == "identity"
    assert len(set(names)) == group.order


def test_turned_digits_are_turned_in_words_too(tmp_path):
    digits = load_digits()
    classifier = MLPClassifier((32,), max_iter=300, random_state=0, tol=1e-2)
    classifier.fit(digits.data[:400] / 16, digits.target[:400])

    def hidden(images):
        """Activations of the hidden layer."""
        flat = images.reshape(len(images), -1)
        return np.maximum(flat @ classifier.coefs_[0] + classifier.intercepts_[0], 0)

    images = (digits.images[:200, None] / 16).astype(np.float32)
    store = extract_orbits(
        images, ImageAction(Dihedral(4)), hidden, tmp_path / "digits.orbits", arrays=True
    )
    crosscoder = GroupCrosscoder(group="dihedral:4", n_features=16, max_epochs=5, random_state=0)
    crosscoder.fit(store[:150, ...])
    analysis = SymmetryAnalyzer().fit(crosscoder, orbits=OrbitStore(store.path)[150:, ...])
    assert analysis.group_.describe_element(3) == "turn 270°"
    assert set(analysis.kinds_) <= {"line", "directed", "other"}
    about = {"orbits": store, "inputs": images[:, 0], "draw": "images"}
    about["action"] = ImageAction(Dihedral(4))
    write_report(tmp_path / "report.html", analysis, crosscoder, **about)
    content = read_page((tmp_path / "report.html").read_text(encoding="utf-8"))
    (run,) = content["runs"]
    assert content["noun"] == "image"
    assert "turn 90°, mirrored" in run["group"]["elements"]
    assert run["group"]["axes"][0]["name"] == "turn"
    assert run["pictures"]["n"] > 0
