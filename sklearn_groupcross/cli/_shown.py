"""What a report shows of saved crosscoders: with patches, beside another seed, visualized."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..orbits import OrbitDataset, StoredOrbits
from ..report import picture_features
from ._analyze import described, measured_as
from ._arguments import check_installed
from ._folder import RUN
from ._measuring import MIN_FREQUENCY, Measured, summarize
from ._record import processor, versions
from ._streams import say
from ._subject import Subject


@dataclass(frozen=True)
class StoredPatches:
    """Patches of the images that some orbits were read from.

    Attributes
    ----------
    dataset : OrbitDataset
        Over images of the orbits' store, in its order.
    orbits : StoredOrbits
    """

    dataset: OrbitDataset
    orbits: StoredOrbits

    @property
    def image_ids(self) -> NDArray[np.int64]:
        """Number of the image of every orbit."""
        return self.orbits.image_ids

    def patches(
        self, samples: Sequence[int], *, elements: Sequence[int] | None = None
    ) -> NDArray[np.float32]:
        """Cut out what orbits look at, as `OrbitDataset.patches`."""
        images, positions = self.locate(samples)
        return self.dataset.patches_at(images, positions, elements=elements)

    def locate(self, samples: Sequence[int]) -> tuple[list[int], NDArray[np.float32]]:
        """Say where orbits were read, as `OrbitDataset.locate`."""
        rows = self.orbits[list(samples), ...]
        return rows.image_ids.tolist(), rows.positions


def shown_of(found: Measured, subject: Subject, dataset: OrbitDataset | None) -> dict[str, Any]:
    """What is shown of a dictionary: the attributes of a `ReportSubject`.

    Parameters
    ----------
    found : Measured
        Of the first model of `subject`.
    subject : Subject
    dataset : OrbitDataset or None
    """
    assert found.orbits is not None
    shown = found.orbits.measured if found.orbits.training is None else found.orbits.training
    about = summarize(found, *described(subject))
    seed = found.crosscoder.random_state
    return {
        "analysis": found.analysis,
        "crosscoder": found.crosscoder,
        "dataset": None if dataset is None else StoredPatches(dataset, shown),
        "orbits": shown,
        "frequencies": found.frequencies,
        "min_frequency": MIN_FREQUENCY,
        "summary": {**about, "Versions": {**versions(), "processor": processor()}},
        "findings": found.findings,
        "commands": [f"groupcross run --config {RUN}"],
        "name": subject.models[0].stem if seed is None else f"seed {seed}",
    }


def other_of(
    found: Measured, subject: Subject, options: argparse.Namespace, dataset: OrbitDataset | None
) -> dict[str, Any] | None:
    """The same of the first other model, to be shown beside it; None if there is none."""
    if len(subject.models) < 2:
        return None
    first, second, *rest = subject.models
    turned = replace(subject, models=(second, first, *rest))
    say(f"report: comparing with {second.name}")
    crosscoders = [found.others[0], found.crosscoder, *found.others[1:]]
    return shown_of(measured_as(turned, options, crosscoders), turned, dataset)


def check_visualizing(options: argparse.Namespace, dataset: OrbitDataset | None) -> None:
    """See that what ``--visualize`` needs is at hand, before hours of work.

    Raises
    ------
    ValueError
        If there is no network to optimize images through, or its orbits are of several layers.
    ImportError
        If lucent is missing.
    """
    if options.visualize is None:
        return
    if dataset is None:
        raise ValueError(
            "--visualize optimizes images through the network that read the orbits, which is not "
            "at hand, as little as its images are: --images and --network of groupcross report "
            "name them. Or leave --visualize out."
        )
    if len(dataset.layers) > 1:
        raise ValueError(
            f"--visualize reads one layer, and the orbits are of {len(dataset.layers)}: "
            f"{', '.join(dataset.layers)}. Leave it out."
        )
    check_installed("lucent", extra="lucent")


def visualizations_of(
    found: Measured, dataset: OrbitDataset, options: argparse.Namespace, keep_in: Path
) -> dict[str, Any]:
    """Pictures of what features want, as a page shows them."""
    assert found.frequencies is not None
    return picture_features(
        found.crosscoder,
        found.analysis,
        dataset.network,
        dataset.layers[0],
        n_features=options.visualize,
        frequencies=found.frequencies,
        min_frequency=MIN_FREQUENCY,
        keep_in=keep_in,
        device=options.device,
        random_state=options.seed,
        progress=True,
    )
