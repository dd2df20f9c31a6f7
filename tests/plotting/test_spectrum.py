from __future__ import annotations

import numpy as np
import pytest

from sklearn_groupcross import Cyclic, Dihedral, SymmetryAnalyzer, make_orbits
from sklearn_groupcross.groups import GroupFourier, Symmetric
from sklearn_groupcross.plotting import SpectrumDisplay

GROUP = Dihedral(8)


def heights(display):
    return np.array([[bar.get_height() for bar in bars] for bars in display.ax_.containers])


def test_few_features_have_bars_of_their_own():
    power = np.random.default_rng(0).dirichlet(np.ones(len(GROUP.irreps)), 3)
    display = SpectrumDisplay.from_arrays(power, GROUP, ["a", "b", "c"]).plot()
    np.testing.assert_allclose(heights(display), power)
    names = [tick.get_text().replace("\n", " ") for tick in display.ax_.get_xticklabels()]
    assert names == [f"{irrep.name} ({irrep.dimension})" for irrep in GROUP.irreps]
    assert names[0] == "trivial (1)"
    legend = [text.get_text() for text in display.ax_.get_legend().get_texts()]
    assert legend == ["a", "b", "c", "a random atom"]


def test_spectra_side_by_side_share_a_scale_that_shows_both():
    import matplotlib.pyplot as plt

    _, axes = plt.subplots(1, 2, sharey=True)
    low, high = np.full(7, 1 / 7), np.eye(7)[0]
    for ax, power in zip(axes, (low, high), strict=True):
        SpectrumDisplay.from_arrays(power, GROUP).plot(ax)
    assert axes[0].get_ylim() == axes[1].get_ylim()
    assert axes[0].get_ylim()[0] == 0
    assert axes[0].get_ylim()[1] > 1


def test_many_features_are_summed_up():
    power = np.random.default_rng(0).dirichlet(np.ones(len(GROUP.irreps)), 1000)
    display = SpectrumDisplay.from_arrays(power, GROUP).plot()
    np.testing.assert_allclose(heights(display), power.mean(axis=0)[None])
    spans = display.ax_.collections[0].get_segments()
    ends = [(segment[0][1], segment[1][1]) for segment in spans]
    np.testing.assert_allclose(ends, np.quantile(power, [0.1, 0.9], axis=0).T)


@pytest.mark.parametrize("group", [Dihedral(5), Cyclic(6), Symmetric(4)], ids=repr)
def test_the_reference_is_what_random_atoms_have(group):
    atoms = np.random.default_rng(0).standard_normal((200, group.order, 40))
    power = GroupFourier(group).power(atoms, axis=1)
    display = SpectrumDisplay.from_arrays(power, group).plot()
    reference = [segment[0][1] for segment in display.ax_.collections[-1].get_segments()]
    assert sum(reference) == pytest.approx(1)
    np.testing.assert_allclose(reference, power.mean(axis=0), atol=0.01)


def test_from_an_estimator_without_its_dead_features():
    atoms = make_orbits(5, group=GROUP, n_families=3, random_state=5).components
    atoms = np.concatenate([np.zeros((1, 16, atoms.shape[2])), atoms])
    analysis = SymmetryAnalyzer(group=GROUP).fit(atoms.reshape(len(atoms), -1))
    display = SpectrumDisplay.from_estimator(analysis)
    assert len(display.power) == len(atoms) - 1
    np.testing.assert_allclose(display.power.sum(axis=1), 1)
    one = SpectrumDisplay.from_estimator(analysis, 1).plot()
    np.testing.assert_allclose(heights(one)[0], analysis.spectra_[1])
    assert one.labels == [f"feature 1 · {analysis.stabilizers_[1].name}"]


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: SpectrumDisplay.from_arrays(np.ones(3), GROUP), r"\(n_shown, 7\)"),
        (lambda: SpectrumDisplay.from_arrays(np.ones((0, 7)), GROUP), r"got \(0, 7\)"),
        (lambda: SpectrumDisplay.from_arrays(-np.ones(7), GROUP), "at least 0"),
        (lambda: SpectrumDisplay.from_arrays(np.ones(7), GROUP, ["a", "b"]), "one entry a spectr"),
    ],
)
def test_what_does_not_fit_is_refused(call, message):
    with pytest.raises(ValueError, match=message):
        call()
