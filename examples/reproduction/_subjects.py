"""Networks with trained weights and with random ones, and what is measured of a dictionary."""

from __future__ import annotations

import copy
import itertools
from collections import OrderedDict
from collections.abc import Callable
from functools import partial
from importlib import import_module
from importlib.util import find_spec
from typing import Any, NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from scipy import stats
from torch import nn

from sklearn_groupcross import GroupCrosscoder, SymmetryAnalyzer, load_network
from sklearn_groupcross.analysis import equivariance_index
from sklearn_groupcross.faithfulness import (
    ProbeKinds,
    ProbeReadings,
    read_probes,
    shape_probes,
    untrained,
)
from sklearn_groupcross.networks import Network, receptive_field

from ._large_families import in_families
from ._study import Study

TRAINED, ORDER, DRAWN = "trained", "random order", "drawn anew"
CHOOSING, JUDGING, RANDOM = "choosing", "judging", "random only"
#: Networks that find faces, in facenet-pytorch's wheel: class, last layer before dense ones.
FACES = {"PNet": "prelu3", "RNet": "prelu3", "ONet": "prelu4"}
#: torchvision's architectures, whose trained weights no package brings: layer, side of the input.
UNTRAINED = {"resnet18": ("layer2", 160), "squeezenet1_1": ("features.7", 160)}

#: Candidates by which trained networks might be told, each the larger the more of it there is.
MEASURES = {
    "index": "equivariance index, median over features",
    "found_again": "share of features that other seeds find, less that of chance",
    "unexplained": "variance unexplained on photographs held out",
    "turning": "share of the atoms' energy that the group does not leave as it is",
    "lines": "share of features that are lines",
    "directed": "share of features that need the full turn",
    "in_families": "share of features in families of at least three",
    "probe_class": "share of features that drawn shapes name, random directions: 0.05",
    "off_lattice": "share of preferred orientations between those of the group",
    "turn_variance": "share of the variance of responses to shapes that is of their orientation",
    "code_kurtosis": "median excess kurtosis of features' responses to photographs",
    "dimension": "effective dimension of activations, in channels",
}
#: By what trained networks are told. Settled on small trials of the networks to choose on: its
#: smallest gap between a trained network and random weights was the largest of all candidates.
CHOSEN = "code_kurtosis"
#: What kinds by self-profiles are called there, and how they are named by the analysis.
KINDS = {"lines": "line", "directed": "directed", "round": "round"}


class Subject(NamedTuple):
    """A network with one kind of weights, and whether a measure is chosen or judged on it.

    Weights at random are drawn for every seed, so that what is said of seeds is said of draws.
    """

    architecture: str
    weights: str
    role: str
    draw: Callable[[int], Network]
    layer: str

    @property
    def what(self) -> str:
        return f"{self.architecture}, {self.weights}"

    def named(self, seed: int) -> str:
        """Name of a seed's network, without what a file's may not have."""
        drawn = "" if self.weights == TRAINED else f"-{seed}"
        return self.what.replace(", ", "-").replace(" ", "-") + drawn


def subjects(study: Study) -> tuple[list[Subject], dict[str, str]]:
    """All networks that are at hand, and of others the reason why they are not."""
    made: list[Subject] = []
    missing: dict[str, str] = {}
    chosen = {study.config["network"]: (study.network, study.config["layer"])}
    chosen.setdefault("bundled", (load_network("bundled"), "relu3"))
    for name, (network, layer) in chosen.items():
        made += _with_twins(name, CHOOSING, network, layer)
    for name, layer in FACES.items():
        if find_spec("facenet_pytorch") is None:
            missing[name] = "facenet-pytorch is not installed"
        else:
            made += _with_twins(name, JUDGING, _face_network(name, layer), layer)
    for name in study.config["networks"]["random_only"]:
        made.append(
            Subject(name, DRAWN, RANDOM, partial(_made_at_random, name), UNTRAINED[name][0])
        )
    return made, missing


def _with_twins(name: str, role: str, network: Network, layer: str) -> list[Subject]:
    draws: dict[str, Callable[[int], Network]] = {
        TRAINED: lambda seed: network,
        ORDER: partial(untrained, network),
        DRAWN: lambda seed: network.with_module(_drawn_anew(network.module, seed)),
    }
    return [Subject(name, weights, role, draw, layer) for weights, draw in draws.items()]


def _drawn_anew(module: nn.Module, seed: int) -> nn.Module:
    """He's normal weights, no biases, and what else is learned as it is before training."""
    module = copy.deepcopy(module)
    generator = torch.Generator().manual_seed(seed)
    for part in module.modules():
        if isinstance(part, nn.Conv2d | nn.Linear):
            nn.init.kaiming_normal_(part.weight, nonlinearity="relu", generator=generator)
            if part.bias is not None:
                nn.init.zeros_(part.bias)
        elif isinstance(part, nn.PReLU):
            nn.init.constant_(part.weight, 0.25)
    return module


def _face_network(name: str, layer: str) -> Network:
    whole: nn.Module = getattr(import_module("facenet_pytorch.models.mtcnn"), name)()
    # its dense layers read one size only; what is before them reads any
    before = itertools.takewhile(lambda part: part[0] != layer, whole.named_children())
    module = nn.Sequential(OrderedDict(before))
    module.add_module(layer, whole.get_submodule(layer))
    return Network(module, lambda images: 2 * images - 1, input_size=96, name=name)


def _made_at_random(name: str, seed: int) -> Network:
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)  # torchvision's own initialization draws from there
        module: nn.Module = getattr(import_module("torchvision.models"), name)(weights=None)
    return Network(module, _standardize, input_size=UNTRAINED[name][1], name=name)


def _standardize(images: torch.Tensor) -> torch.Tensor:
    mean, deviation = (
        torch.tensor(values, dtype=images.dtype, device=images.device)[:, None, None]
        for values in ((0.485, 0.456, 0.406), (0.229, 0.224, 0.225))
    )
    return (images - mean) / deviation


def read_shapes(
    study: Study, subject: Subject, network: Network, seed: int, n_turns: int
) -> ProbeReadings:
    """Curves, edges, lines and corners in more orientations than the group has, read once."""
    side = max(receptive_field(network, subject.layer).size)
    shapes = shape_probes(
        (0.15 * side, 0.3 * side), (0.05 * side, 0.1 * side), (40, 70, 110), ((1, 0.5), (0, 0.5))
    )

    def read() -> NDArray[Any]:
        options: dict[str, Any] = {"probes": shapes, "n_turns": n_turns, "n_positions": 2}
        return read_probes(network, subject.layer, **options).activations

    name = f"networks-{subject.named(seed)}"
    activations = study.kept(name, read, subject.layer, n_turns)
    return ProbeReadings(activations, tuple(shapes))


def measure_dictionary(
    dictionary: GroupCrosscoder,
    live: NDArray[np.bool_],
    shapes: ProbeKinds,
    orbits: NDArray[Any],
) -> dict[str, float]:
    """All `MEASURES` but those of two dictionaries, and the chance levels of some.

    Parameters
    ----------
    dictionary : GroupCrosscoder
    live : ndarray of shape (m,), bool
        Which features fire; what else is measured is of these, and unknown if there are none.
    shapes : ProbeKinds
        What drawn shapes say of features; shown in a multiple of the group's turns.
    orbits : ndarray of shape (n, order, channels)
        Of photographs held out.
    """
    X = orbits.reshape(len(orbits), -1).astype(np.float32)
    activations = orbits[:, dictionary.group_.identity].astype(np.float64)
    spectrum = np.linalg.eigvalsh(np.cov(activations, rowvar=False))
    directions = np.random.default_rng(0).standard_normal((200, activations.shape[1]))
    values = {
        "unexplained": float(1 - dictionary.score(X)),
        "random_kurtosis": _median(stats.kurtosis(activations @ directions.T, axis=0)),
        "dimension": float(spectrum.sum() ** 2 / np.square(spectrum).sum()),
        "firing": float(live.sum()),
    }
    if not live.any():
        return values
    analysis = SymmetryAnalyzer().fit(dictionary)
    index = equivariance_index(dictionary.components_[live], dictionary.group_)
    responses = shapes.responses[live]
    # of a step of the probes; those of the group are every so many of them
    step = responses.shape[2] // dictionary.group_.n_turns
    best = np.unravel_index(
        responses.reshape(len(responses), -1).argmax(axis=1), responses.shape[1:]
    )[1]
    of_turns = responses.var(axis=2).mean(axis=1) / responses.var(axis=(1, 2))
    encoder = dictionary.encoder_[live].astype(np.float64)
    kinds = analysis.kinds_[live]
    return values | {
        "index": _median(index.index),
        "index_excess": _median(index.index) - _median(index.shuffled),
        "turning": float(1 - np.mean(analysis.profiles_[live])),
        **{name: float(np.mean(kinds == kind)) for name, kind in KINDS.items()},
        "in_families": float(in_families(analysis, live)[live].mean()),
        "probe_class": float(np.mean(shapes.kinds[live] != "other")),
        "off_lattice": float(np.mean(best % step != 0)),
        "turn_variance": float(np.mean(of_turns)),
        "code_kurtosis": _median(stats.kurtosis(activations @ encoder.T, axis=0)),
    }


def kurtosis_over_photographs(
    dictionary: GroupCrosscoder,
    live: NDArray[np.bool_],
    orbits: NDArray[Any],
    photographs: NDArray[np.int64],
    weights: NDArray[np.int64],
) -> NDArray[np.float64]:
    """Median excess kurtosis of live features' responses with photographs drawn anew.

    Parameters
    ----------
    dictionary : GroupCrosscoder
    live : ndarray of shape (m,), bool
    orbits : ndarray of shape (n, order, channels)
    photographs : ndarray of shape (n,)
        Of every orbit; all in a row.
    weights : ndarray of shape (n_resamples, n_photographs)
        How often each photograph is drawn.
    """
    if not live.any():
        return np.full(len(weights), np.nan)
    activations = orbits[:, dictionary.group_.identity].astype(np.float64)
    encoder = dictionary.encoder_[live].astype(np.float64)
    responses = (activations - activations.mean(axis=0)) @ encoder.T
    responses /= np.maximum(responses.std(axis=0), 1e-12)
    starts = np.flatnonzero(np.diff(photographs, prepend=-1))
    counts = weights @ np.bincount(photographs)[photographs[starts]]
    first, second, third, fourth = (
        weights @ np.add.reduceat(responses**power, starts, axis=0) / counts[:, None]
        for power in (1, 2, 3, 4)
    )
    variance = second - first**2
    central = fourth - 4 * first * third + 6 * first**2 * second - 3 * first**4
    return np.asarray(np.median(central / np.maximum(variance, 1e-12) ** 2 - 3, axis=1))


def _median(values: NDArray[Any]) -> float:
    known = values[np.isfinite(values)]
    return float(np.median(known)) if len(known) else float("nan")
