"""Codes and neurons on held-out photographs and on their turned copies: there is no decoder."""

from __future__ import annotations

from dataclasses import replace
from functools import cached_property
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from sklearn_groupcross.analysis import CodeProfiles, code_profiles
from sklearn_groupcross.faithfulness import PROBE_CLASSES

from ._named_features import NamedFeatures, Probes
from ._resampled_features import (
    FloatArray,
    draws,
    profile_rows,
    share_row,
    tell_lines,
    weighted_mean,
)
from ._study import Study
from ._turned_decoders import half_turns

#: Photographs are resampled one by one up to so many, and several together beyond.
_MAX_BAGS = 240
#: Resampled values (n_resamples, n) at the half and the quarter turn, and mean profiles of classes.
_Resampled = tuple[FloatArray, FloatArray, dict[str, FloatArray]]


class Turned:
    """How alike features or neurons answer to an input and to its turned copies.

    Intervals are over held-out photographs and groups of copies (or neurons).
    """

    def __init__(self, study: Study, reading: str) -> None:
        self.study, self.reading = study, reading
        self.half = study.config["n_turns"] // 2
        self.rng = np.random.default_rng(study.config["transform_blocks"]["seed"])
        self._tables: list[pd.DataFrame] = []
        self._profiles: list[FloatArray] = []
        self._parts: list[CodeProfiles] = []

    def add(
        self,
        measured: CodeProfiles,
        chosen: NDArray[np.int64],
        classes: NDArray[np.object_],
        copies: NDArray[np.int64],
    ) -> None:
        """Add features of a seed; sums of photographs are kept of those with a class alone."""
        table = {"class": classes, "copies": copies, "elsewhere": measured.elsewhere[chosen]}
        self._tables.append(pd.DataFrame(table))
        self._profiles.append(measured.profiles[chosen, : self.study.config["n_turns"]])
        self._parts.append(_of_features(measured, chosen[np.isin(classes, PROBE_CLASSES)]))

    @cached_property
    def table(self) -> pd.DataFrame:
        """Columns ``class``, ``copies`` and ``elsewhere``, of all features."""
        return pd.concat(self._tables, ignore_index=True)

    @cached_property
    def turned(self) -> FloatArray:
        """Profiles of all features, (n, n_turns)."""
        return np.concatenate(self._profiles)

    @cached_property
    def classes(self) -> NDArray[np.object_]:
        return self.table["class"].to_numpy()

    def tests(self) -> list[dict[str, Any]]:
        """AUC of the correlation at 180° for telling lines from curves, and as of decoders."""
        (at_half, at_quarter, _), copies = self._resampled, self.table["copies"].to_numpy()
        half, quarter = self.turned[:, self.half], self.turned[:, self.half // 2]
        name = f"{self.reading}, lines from curves"
        drawn = half_turns(at_half, at_quarter, name)
        return [
            {"test": test, "features": "all"}
            | tell_lines(
                self.study, scores, self.classes, copies, self.weights, self.rng, drawn=drawn[test]
            ).row
            for test, scores in half_turns(half, quarter, name).items()
        ]

    def profiles(self) -> pd.DataFrame:
        """Mean profiles of the classes."""
        rows = []
        for name in PROBE_CLASSES:
            chosen = self.classes == name
            mean = weighted_mean(self.turned, chosen[None].astype(float))[0]
            drawn = self._resampled[2][name]
            rows += profile_rows(self.study, self.reading, name, int(chosen.sum()), mean, drawn)
        return pd.DataFrame(rows)

    def levels(self) -> pd.DataFrame:
        """Mean correlations of the classes at 90° and 180°, and with elsewhere in a photograph."""
        rows = []
        for name in (*PROBE_CLASSES, "other"):
            chosen = self.classes == name
            row: dict[str, Any] = {
                "reading": self.reading,
                "class": name,
                "n": int(chosen.sum()),
            }
            for key, values in (
                ("r90", self.turned[:, self.half // 2]),
                ("r180", self.turned[:, self.half]),
                ("elsewhere", self.table["elsewhere"].to_numpy()),
            ):
                w = self.weights[:, chosen]
                row |= share_row(values[chosen], w, self.study.config["confidence"], key)
            rows.append(row)
        return pd.DataFrame(rows)

    @cached_property
    def weights(self) -> FloatArray:
        return draws(self.table["copies"], self.rng, self.study.config["n_resamples"])

    @cached_property
    def _resampled(self) -> _Resampled:
        n_bags, n_turns = len(self._parts[0].n_orbits), self.study.config["n_turns"]
        named = np.isin(self.classes, PROBE_CLASSES)
        at_half, at_quarter = np.full((2, *self.weights.shape), np.nan)
        means: dict[str, list[FloatArray]] = {name: [] for name in PROBE_CLASSES}
        for draw, weight in enumerate(self.weights):
            # the same photographs for all seeds, which have them in common
            bags = np.bincount(self.rng.integers(n_bags, size=n_bags), minlength=n_bags)
            again = np.concatenate([part.reweighted(bags) for part in self._parts])[:, :n_turns]
            at_half[draw, named] = again[:, self.half]
            at_quarter[draw, named] = again[:, self.half // 2]
            for name in PROBE_CLASSES:
                chosen = self.classes[named] == name
                of_class = weight[named][chosen]
                means[name].append(weighted_mean(again[chosen], of_class[None])[0])
        return at_half, at_quarter, {name: np.array(drawn) for name, drawn in means.items()}


def turned_codes(study: Study, features: NamedFeatures) -> Turned:
    """Of features of all seeds that fire on enough held-out photographs."""
    turned, settings = Turned(study, "codes"), study.config["transform_blocks"]
    for seed, crosscoder in enumerate(study.crosscoders()):
        # photographs are dealt into bags alike for every seed
        measured = code_profiles(
            crosscoder,
            study.held_out,
            study.held_out_ids,
            n_bags=_MAX_BAGS,
            max_orbits=settings["n_code_orbits"],
        )
        table = features.table[features.table["seed"] == seed]
        table = table[measured.n_images[table["feature"]] >= settings["min_photographs"]]
        turned.add(measured, *(table[key].to_numpy() for key in ("feature", "class", "copies")))
    return turned


def turned_neurons(study: Study, probes: Probes) -> Turned:
    """Of the layer's neurons; as `code_profiles` of features, at turns alone."""
    n_channels, n_turns = study.held_out.shape[2], study.config["n_turns"]
    classes = probes.name(np.eye(n_channels)).classes
    images, image_of = np.unique(study.held_out_ids, return_inverse=True)
    sums, squares, others = np.zeros((3, len(images), n_channels))
    products = np.zeros((len(images), n_channels, n_turns))
    for image in range(len(images)):
        # float16 in memory: one photograph at a time
        orbits = study.held_out[image_of == image].astype(np.float32)
        # an orbit is two circles of inputs, the turned and the mirrored ones
        circles = orbits.reshape(-1, n_turns, n_channels)
        power = (np.abs(np.fft.rfft(circles, axis=1)) ** 2).sum(axis=0)
        products[image] = np.fft.irfft(power, n_turns, axis=0).T
        of_orbits = orbits.sum(axis=1, dtype=np.float64)
        sums[image], squares[image] = of_orbits.sum(axis=0), products[image, :, 0]
        others[image] = sums[image] ** 2 - (of_orbits**2).sum(axis=0)
    n_orbits, n_circles = np.bincount(image_of), study.group.order // n_turns
    fires = np.full(n_channels, len(images))
    counted = CodeProfiles(
        profiles=np.zeros((n_channels, n_turns)),
        elsewhere=np.zeros(n_channels),
        n_firings=fires,
        n_images=fires,
        sums=sums,
        squares=squares,
        other_products=others,
        products=products,
        n_orbits=n_circles * n_orbits,
        n_other_pairs=n_circles**2 * n_orbits * (n_orbits - 1),
        strongest=np.zeros((n_channels, 0, n_turns)),
    )
    mean = sums.sum(axis=0) / image_of.size / study.group.order
    variance = squares.sum(axis=0) / image_of.size / study.group.order - mean**2
    n_pairs = (n_orbits * (n_orbits - 1)).sum() * study.group.order**2
    elsewhere = (others.sum(axis=0) / max(n_pairs, 1) - mean**2) / np.maximum(variance, 1e-12)
    whole = counted.reweighted(np.ones(len(images)))
    turned = Turned(study, "neurons")
    measured = replace(counted, profiles=whole, elsewhere=elsewhere)
    turned.add(measured, np.arange(n_channels), classes, np.arange(n_channels))
    return turned


def nearest_features(study: Study, features: NamedFeatures, neurons: Turned) -> pd.DataFrame:
    """For each neuron and seed the feature whose code follows it most on held-out photographs.

    Returns
    -------
    nearest : DataFrame
        Columns ``seed``, ``neuron``, ``class`` of the neuron, ``correlation``, and of the feature
        ``feature``, ``copies``, ``feature_class``, ``p90`` and ``p180``.
    """
    activations = study.held_out[:, 0].astype(np.float32)
    tables = []
    for seed, crosscoder in enumerate(study.crosscoders()):
        table = features.table[features.table["seed"] == seed].reset_index(drop=True)
        codes = crosscoder.encode(activations)[:, table["feature"]]
        correlation = _standardized(activations).T @ _standardized(codes) / len(codes)
        best = correlation.argmax(axis=1)
        found = table.loc[best, ["feature", "copies", "class", "p90", "p180"]].reset_index(
            drop=True
        )
        found = found.rename(columns={"class": "feature_class"})
        found.insert(0, "correlation", correlation.max(axis=1))
        found.insert(0, "class", neurons.classes)
        found.insert(0, "neuron", np.arange(len(found)))
        found.insert(0, "seed", seed)
        tables.append(found)
    return pd.concat(tables, ignore_index=True)


def _standardized(values: NDArray[Any]) -> NDArray[np.float32]:
    centred = values - values.mean(axis=0, dtype=np.float64)
    spread = centred.std(axis=0)
    return np.asarray(centred / np.where(spread > 0, spread, 1), dtype=np.float32)


def _of_features(profiles: CodeProfiles, features: NDArray[np.int64]) -> CodeProfiles:
    """Profiles of some features alone."""
    of_rows = ("profiles", "elsewhere", "n_firings", "n_images", "strongest")
    of_columns = ("sums", "squares", "other_products", "products")
    return replace(
        profiles,
        **{name: getattr(profiles, name)[features] for name in of_rows},
        **{name: getattr(profiles, name)[:, features] for name in of_columns},
    )
