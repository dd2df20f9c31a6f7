"""`Study`: photographs, orbits and dictionaries of a study, each made once and kept."""

from __future__ import annotations

import hashlib
import json
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
from joblib import Parallel, delayed
from numpy.typing import NDArray

from sklearn_groupcross import (
    Dihedral,
    GroupCrosscoder,
    OrbitDataset,
    OrbitStore,
    load_network,
)
from sklearn_groupcross.faithfulness import ProbeReadings, read_probes, shape_probes, untrained
from sklearn_groupcross.groups import FiniteGroup
from sklearn_groupcross.networks import Network, receptive_field
from sklearn_groupcross.orbits import ImageSource

#: Radii and widths in pixels of a field of 91, angles, shades, and the seed of the positions.
_PROBES: dict[str, tuple[Any, Any, Any, int]] = {
    "naming": (((10, 16, 27), (2, 4)), (30, 60, 90, 120), ((1.0, 0.5), (0.0, 0.5)), 0),
    "judging": (((12.5, 18, 31), (2.5, 5)), (40, 70, 110, 130), ((0.85, 0.25), (0.15, 0.6)), 1),
}

_OF_ORBITS = (
    *("network", "layer", "n_turns", "n_positions", "split_seed"),
    *("n_train", "n_held_out", "n_pilot"),
)


class Study:
    """What all stages share. Everything that takes long is kept in a folder and found again there.

    Parameters
    ----------
    config : mapping
        Settings; see config.toml.
    folder : Path
        Of orbits, dictionaries and what else is kept between calls.
    images : Path
        Folder of photographs.
    weights : Path, optional
        Of the network, where it is not downloaded.
    """

    def __init__(
        self, config: Mapping[str, Any], folder: Path, images: Path, weights: Path | None = None
    ) -> None:
        self.config, self.folder = dict(config), folder
        self.images, self.weights = images, weights
        folder.mkdir(parents=True, exist_ok=True)

    @property
    def seeds(self) -> list[int]:
        return list(self.config["seeds"])

    @cached_property
    def group(self) -> FiniteGroup:
        return Dihedral(self.config["n_turns"])

    @cached_property
    def network(self) -> Network:
        name = self.config["network"]
        return load_network(name, self.weights if name == "bvlc_googlenet" else None)

    @cached_property
    def parts(self) -> dict[str, ImageSource]:
        """Photographs to train on, to judge on (held out), and to settle power on (pilot)."""
        source = ImageSource(self.images)
        sizes = {part: self.config[f"n_{part}"] for part in ("train", "held_out", "pilot")}
        if sum(sizes.values()) > len(source):
            raise ValueError(
                f"{self.images} holds {len(source)} photographs; the study takes "
                + " + ".join(f"{size} ({part})" for part, size in sizes.items())
                + ". Give more of them, or lower the numbers in the configuration."
            )
        order = np.random.default_rng(self.config["split_seed"]).permutation(len(source))
        # training from the front, the rest from the end: a smaller study judges on the same ones
        train, rest = order[: sizes["train"]], order[::-1][: sizes["held_out"] + sizes["pilot"]]
        chosen = {
            "train": train,
            "held_out": rest[: sizes["held_out"]],
            "pilot": rest[sizes["held_out"] :],
        }
        return {part: source[numbers] for part, numbers in chosen.items()}

    def orbits(
        self, part: str, n_photographs: int | None = None, *, named: str = "", **changes: Any
    ) -> OrbitStore:
        """Orbits of photographs of a part, read once.

        Parameters
        ----------
        part : {"train", "held_out", "pilot"}
        n_photographs : int, optional
            The first so many. Default: all.
        named : str, default=""
            Tells apart what looks alike in writing, as a network with other weights does.
        **changes
            Of `OrbitDataset`, where they differ from the study's own network, layer and group.

        Returns
        -------
        store : OrbitStore
        """
        options = {
            "network": self.network,
            "layer": self.config["layer"],
            "n_positions": self.config["n_positions"],
            "random_state": self.config["split_seed"],
        } | changes
        if "action" not in options:
            options.setdefault("group", self.group)
        described = {key: _describe(value) for key, value in options.items()}
        described |= {"named": named} if named else {}
        files = self.parts[part][:n_photographs]
        name = f"{part}-{len(files)}-{_digest(described)}.orbits"
        path = self.folder / "orbits" / name
        dataset = OrbitDataset(files, **options)
        path.parent.mkdir(exist_ok=True)
        store = dataset.extract(path, n_jobs=self.config["jobs"])
        (path.parent / f"{name}.json").write_text(json.dumps(described, indent=1))
        return store

    def dictionaries(
        self,
        orbits: Callable[[], Any],
        what: str,
        *,
        group: FiniteGroup | None,
        seeds: Sequence[int] | None = None,
        **changes: Any,
    ) -> list[GroupCrosscoder]:
        """Dictionaries of all seeds, fitted once.

        Parameters
        ----------
        orbits : callable
            Gives the orbits to fit, (n, order, channels); not called if all are there.
        what : str
            Names the orbits, with all in which they differ from the study's own: with the
            parameters and the study's settings, what a kept dictionary is found again by.
        group : FiniteGroup or None
            None: a plain sparse autoencoder.
        seeds : sequence of int, optional
            Default: those of the study.
        **changes
            Of `GroupCrosscoder`, where they differ from the study's own settings.

        Returns
        -------
        dictionaries : list of GroupCrosscoder
            One a seed.
        """
        parameters = {**self.config["dictionary"], **changes}
        seeds = self.seeds if seeds is None else list(seeds)
        described = {key: _describe(value) for key, value in parameters.items()}
        described |= {"orbits": what, "group": repr(group), "study": self._of_orbits}
        paths = [
            self.folder / "dictionaries" / f"{what}-{_digest(described)}-seed{seed}.safetensors"
            for seed in seeds
        ]
        paths[0].parent.mkdir(exist_ok=True)
        missing = [i for i, path in enumerate(paths) if not path.exists()]
        if missing:
            X = orbits()
            # each by itself: independent batches, as another who repeats it would have
            unfitted = [GroupCrosscoder(group, random_state=seed, **parameters) for seed in seeds]
            self.each(_fit, [(unfitted[i], X, paths[i], described) for i in missing])
        return [GroupCrosscoder.load(path) for path in paths]

    def each(self, function: Callable[..., Any], tasks: Iterable[tuple[Any, ...]]) -> list[Any]:
        """Results of a function of the arguments of each task, by as many processes as are set."""
        return Parallel(n_jobs=self.config["jobs"])(delayed(function)(*task) for task in tasks)

    @cached_property
    def _of_orbits(self) -> dict[str, Any]:
        """What orbits of the whole study depend on."""
        names = [files.name(i) for files in self.parts.values() for i in range(len(files))]
        return {key: self.config[key] for key in _OF_ORBITS} | {"photographs": digest_of(*names)}

    def crosscoders(self, *, augment: bool = False) -> list[GroupCrosscoder]:
        """The study's group crosscoders, one a seed."""
        return self.dictionaries(
            lambda: self.orbits("train"), "main", group=self.group, augment=augment
        )

    def probe_readings(self, which: str = "naming", *, trained: bool = True) -> ProbeReadings:
        """The study's layer on drawn curves, edges, lines and corners, read once.

        Parameters
        ----------
        which : {"naming", "judging"}, default="naming"
            Two sets that share no radius, width, angle, pair of shades and position.
        trained : bool, default=True
            Or the same architecture with its weights in a random order.
        """
        network = self.network if trained else untrained(self.network)
        layer = self.config["layer"]
        # sizes in proportion to a field; those of 91 px are whole numbers at the paper's layer
        scale = max(receptive_field(network, layer).size) / 91
        sizes, degrees, grays, seed = _PROBES[which]
        radii, widths = (tuple(size * scale for size in each) for each in sizes)
        probes = shape_probes(radii, widths, degrees, grays)
        name = f"probes-{which}-{'trained' if trained else 'untrained'}"
        activations = self.kept(
            name,
            lambda: (
                read_probes(
                    network, layer, probes=probes, n_turns=self.group.order // 2, random_state=seed
                ).activations
            ),
        )
        return ProbeReadings(activations, tuple(probes))

    def kept(self, name: str, make: Callable[[], NDArray[Any]], *settings: Any) -> NDArray[Any]:
        """An array that takes long to make, made once for each value of settings.

        Parameters
        ----------
        name : str
        make : callable
        *settings
            What it depends on besides the settings of the whole study.
        """
        digest = _digest({"study": self._of_orbits, "settings": [_describe(s) for s in settings]})
        file = self.folder / "arrays" / f"{name}-{digest}.npy"
        file.parent.mkdir(exist_ok=True)
        if not file.exists():
            whole = file.with_suffix(".part.npy")
            np.save(whole, make())
            whole.replace(file)
        return np.load(file)

    @cached_property
    def held_out(self) -> NDArray[np.float16]:
        """Orbits held out, (n, order, channels), in memory."""
        return as_array(self.orbits("held_out"))

    @cached_property
    def held_out_ids(self) -> NDArray[np.int64]:
        """The photograph of each."""
        return np.asarray(self.orbits("held_out").image_ids)


def _fit(unfitted: GroupCrosscoder, X: Any, path: Path, described: Mapping[str, Any]) -> None:
    """Fit a dictionary and keep it, with how it was made beside it."""
    start = time.perf_counter()
    fitted = unfitted.fit(X)
    fitted.save(path)
    record = {
        **described,
        "seed": fitted.random_state,
        "seconds": round(time.perf_counter() - start, 1),
        "explained_in_training": 1 - fitted.history_["fvu"][-1],
        "n_samples": len(X),
    }
    path.with_suffix(".json").write_text(json.dumps(record, indent=1))


def as_array(store: OrbitStore) -> NDArray[np.float16]:
    """A store in memory."""
    return store[np.arange(len(store))]


def digest_of(*settings: Any) -> str:
    """Short name of settings, for what is kept and depends on them."""
    return _digest({"settings": [_describe(value) for value in settings]})


def _describe(value: Any) -> Any:
    return value if isinstance(value, int | float | str | bool | None | list) else repr(value)


def _digest(described: Mapping[str, Any]) -> str:
    return hashlib.sha256(json.dumps(described, sort_keys=True).encode()).hexdigest()[:10]
