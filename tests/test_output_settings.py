"""What users ask for as output is for them: the package's own code takes codes as arrays."""

from functools import cache

import numpy as np
import pandas as pd
import polars as pl
import pytest
from sklearn import config_context
from sklearn.datasets import load_sample_images
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from sklearn_groupcross import Cyclic, GroupCrosscoder, OrbitDataset, OrbitScaler, SymmetryAnalyzer
from sklearn_groupcross.analysis import (
    code_profiles,
    compare_separation,
    diagnose,
    lift_dictionary,
)
from sklearn_groupcross.analysis._embedding import embed
from sklearn_groupcross.cli._measuring import _measure
from sklearn_groupcross.crosscoder import codes_of_orbits
from sklearn_groupcross.faithfulness import downstream_effect, feature_maps
from sklearn_groupcross.model_selection import (
    collect_statistics,
    description_length,
    score_crosscoder,
)
from sklearn_groupcross.plotting import FrontierDisplay
from sklearn_groupcross.report import write_report

GROUP = Cyclic(4)


@cache
def sample_images():
    return [picture[::4, ::4].copy() for picture in load_sample_images().images]


@cache
def dataset():
    return OrbitDataset(sample_images(), network="bundled", group=GROUP, n_positions=30)


@cache
def orbits():
    return dataset().as_array()


def fitted():
    options = {"activation": "topk", "k": 3, "max_epochs": 3, "batch_size": 16, "random_state": 0}
    return GroupCrosscoder(GROUP, 12, **options).fit(orbits())


def scaled():
    return make_pipeline(
        OrbitScaler(GROUP), GroupCrosscoder(GROUP, 8, max_epochs=2, random_state=0)
    )


def flat():
    return orbits().reshape(len(orbits()), -1)


#: Settings: what is around, and what is done with the crosscoder.
SETTINGS = {
    "pandas, for all": ({"transform_output": "pandas"}, lambda one: one),
    "polars, for all": ({"transform_output": "polars"}, lambda one: one),
    "pandas": ({}, lambda one: one.set_output(transform="pandas")),
    "polars": ({}, lambda one: one.set_output(transform="polars")),
    "sparse": ({}, lambda one: one.set_params(sparse_output=True)),
    "assume finite": ({"assume_finite": True}, lambda one: one),
}


def numbers(table):
    return table.select_dtypes("number").to_numpy()


ids = np.arange(60) // 6
ENTRIES = {
    "statistics": lambda one: [collect_statistics(one, orbits()).fired],
    "description length": lambda one: [description_length(one, orbits()).bits],
    "scores": lambda one: [list(score_crosscoder(one, orbits()).values())],
    "profiles": lambda one: [code_profiles(one, orbits()).profiles],
    "lift": lambda one: [lift_dictionary(one, orbits())],
    "maps": lambda one: [feature_maps(one, "bundled", sample_images(), features=[0, 3]).maps],
    "effect": lambda one: [numbers(downstream_effect(one, "bundled", sample_images()))],
    "diagnosis": lambda one: [
        [finding.value for finding in diagnose(SymmetryAnalyzer().fit(one), one, orbits())]
    ],
    "evidence": lambda one: [
        SymmetryAnalyzer().fit(one, orbits=orbits(), image_ids=ids).confidence_
    ],
    "separation": lambda one: [
        numbers(compare_separation({"one": one}, orbits(), ids, embedding=False, n_resamples=9))
    ],
    "measures": lambda one: [
        [figures.explained_variance, figures.l0, figures.dead_share]
        for figures in _measure(one, orbits(), orbits()[:20], progress=False)
    ],
    "frontier": lambda one: [FrontierDisplay.from_estimators([one], orbits()).l0],
    "inverse": lambda one: [one.inverse_transform(codes_of_orbits(one, orbits()))],
}


@cache
def truth(name):
    return ENTRIES[name](fitted())


@pytest.mark.parametrize("setting", SETTINGS)
@pytest.mark.parametrize("name", ENTRIES)
def test_results_are_those_without_settings(name, setting):
    want, one = truth(name), fitted()
    around, change = SETTINGS[setting]
    with config_context(**around):
        got = ENTRIES[name](change(one))
    for a, b in zip(got, want, strict=True):
        np.testing.assert_array_equal(np.asarray(a), np.asarray(b))


@pytest.mark.parametrize("setting", SETTINGS)
def test_reports_are_the_same(tmp_path, setting):
    one, path = fitted(), tmp_path / "report.html"
    analysis = SymmetryAnalyzer().fit(one)
    options = {"n_patches": 1, "min_frequency": 0.2}
    write_report(path, analysis, one, dataset(), orbits(), **options)
    want = path.read_text(encoding="utf-8")
    around, change = SETTINGS[setting]
    with config_context(**around):
        write_report(path, analysis, change(one), dataset(), orbits(), **options)
    assert path.read_text(encoding="utf-8") == want


@pytest.mark.parametrize("output", ["pandas", "polars"])
def test_pipelines_are_scored_through_any_container(output):
    pipeline = scaled().fit(flat())
    want = score_crosscoder(pipeline, flat())
    assert score_crosscoder(pipeline.set_output(transform=output), flat()) == pytest.approx(want)
    with config_context(transform_output=output):
        fresh = scaled().fit(flat())
        assert score_crosscoder(fresh, flat()) == pytest.approx(want, rel=1e-4)
        search = GridSearchCV(
            make_pipeline(StandardScaler(), GroupCrosscoder(GROUP, 8, max_epochs=1)),
            {"groupcrosscoder__l1": [0.1]},
            scoring=score_crosscoder,
            refit=False,
            cv=2,
        )
        assert np.isfinite(search.fit(flat()).cv_results_["mean_test_explained_variance"]).all()


def test_the_map_is_an_array_in_any_case():
    rng = np.random.default_rng(0)
    distances = np.abs(np.subtract.outer(*[rng.normal(size=12)] * 2))
    with config_context(transform_output="pandas"):
        assert isinstance(embed(distances, 0), np.ndarray)


def test_users_get_what_they_asked_for():
    one = fitted()
    assert isinstance(one.transform(orbits()), np.ndarray)
    with config_context(transform_output="polars"):
        assert isinstance(one.transform(orbits()), pl.DataFrame)
    frame = one.set_output(transform="pandas").transform(orbits())
    assert isinstance(frame, pd.DataFrame)
    assert list(frame.columns) == list(one.get_feature_names_out())
