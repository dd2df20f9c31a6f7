"""Datasets of orbit stacks over images."""

from __future__ import annotations

import itertools
import os
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.utils.data import Dataset

from .._ambient import own_state
from .._device import resolve_device
from .._files import written_whole
from .._html import card
from .._integers import check_integer
from .._read_ahead import read_ahead
from .._stacks._rows import check_finite
from .._version import __version__
from ..actions import PositionedAction
from ..groups import FiniteGroup
from ..networks import Network, ReceptiveField, receptive_field, resolve_network
from ._extract import difference, extract, fill_array, write_array
from ._image_reading import BegunReading, ImageReading, one_ahead
from ._images import as_source
from ._reader import INTERPOLATIONS, OrbitReader, check_patches
from ._sampling import (
    allot_positions,
    choose_by_energy,
    choose_units,
    draw_from_disk,
    generator_of_image,
    grid_positions,
    n_candidates,
    resolve_radius,
    row_starts,
    warn_of_padding,
)
from ._settings import (
    default_source_size,
    network_digest,
    resolve_action,
    resolve_batch_size,
    resolve_layers,
)
from ._store import OrbitStore
from ._store_difference import DAMAGED

_FLOAT32: dict[str, Any] = {"dtype": torch.float32, "device": "cpu"}

# Decoded images that wait: so many at most, and, but for one, of so many bytes together.
_LOADED_AT_ONCE, _LOADED_BYTES = 64, 2**21


class OrbitDataset(Dataset[Tensor]):
    """Orbits of a network's activations over images.

    Item i is the stack of all orbits of image i, a tensor of shape (n_positions, order,
    n_channels): block g holds the activation that the position has in the transformed image,
    ``O[p, g] = a(g·x)`` at ``g·p``, in the order of the group's elements. `as_array` gives all
    images' orbits as one array, `extract` writes them to an `OrbitStore`.

    Parameters
    ----------
    images : path, sequence of paths, array or sequence of arrays
        See `ImageSource`.
    network : Network, torch.nn.Module or str
        A `Network`, which says how images are preprocessed; a module that reads RGB in [0, 1] as
        it comes; or a name that `load_network` knows.
    group : PlanarGroup or str, optional
        For example ``Dihedral(16)`` or ``"dihedral:16"``: turns and mirrors, with the defaults of
        `ImageAction`.
    action : PositionedAction, optional
        How the group moves images, instead of `group`: for example
        ``ImageAction(Dihedral(8)) * HueAction(6)``.
    layer : str or sequence of str, optional
        Several layers are read in one pass, and their channels stand side by side
        (`layer_channels`). Default: the network's default layer.
    sampling : {"disk", "energy", "center", "grid"}, default="disk"
        ``"disk"`` draws positions uniformly and continuously within `radius`. ``"energy"`` draws
        four times as many and keeps a quarter, with probability by the mean norm of the orbit's
        blocks: fewer samples of sky and walls. ``"center"`` reads the image centre alone.
        ``"grid"`` reads at the layer's units, as is usual elsewhere; with
        ``interpolation="bilinear"`` this makes the identity block larger than the others.
    n_positions : int, optional
        Positions of an image. Default: 80 for ``"disk"`` and ``"energy"``, 1 for ``"center"``,
        all units within the radius for ``"grid"``, of which a smaller number is drawn at random.
        More of them cost little time, and their room on disk.
    max_samples : int, optional
        Budget of all images together: where they would give more, each gives fewer. A budget
        smaller than the number of images leaves the last ones without any, with a warning.
    radius : float, optional
        Radius in pixels of the disk about the image centre in which positions lie; a smaller one is
        read faster. Default: the largest for which no reading sees padding or, with `interpolation`
        ``"exact"``, what lies beyond the image; less what an action's mask hides. Where fields are
        about as large as the input, every reading sees padding: the default is then a disk within
        the layer's map, with a warning; a radius of your own says that this is meant.
    interpolation : {"bilinear", "exact"}, default="bilinear"
        ``"bilinear"`` passes every transformed image through the network once, and interpolates
        its map at all positions. ``"exact"`` turns the image about each position such that all
        elements are read at one and the same unit: no interpolation of activations, at the price
        of order forward passes for every position, on patches of one receptive field.
    input_size : int, optional
        Side in pixels of the images given to the network. Default: the network's.
    batch_size : int, optional
        Transformed images that pass through the network at once. Default: 8 on a CPU, whose caches
        larger batches outgrow, 64 on CUDA. Where they do not fit in the device's memory it is
        halved until they do.
    device : str or torch.device, default="auto"
        ``"auto"`` is CUDA when there is one.
    random_state : int, default=0
        Seed of the positions.

    Attributes
    ----------
    layers : tuple of str
        The layers that are read.
    layer_channels : dict of str to slice
        Which channels are whose.
    n_channels : int
        Of all layers together.
    field : ReceptiveField
        Geometry of the units of the (last) layer.
    source_size : int
        Side in pixels to which images are scaled before they are turned.
    n_positions_per_image : ndarray of shape (n_images,), int64
        Positions of every image.
    positions : ndarray of shape (n_samples, 2)
        (column, row) of every sample in pixels from the image centre. With ``"energy"`` they
        depend on the activations, so that all images have to be read for it.
    image_ids : ndarray of shape (n_samples,)
        Number of the image of every sample: ``groups=`` of `sklearn.model_selection.GroupKFold`,
        which keeps the positions of one image together.

    Raises
    ------
    TypeError
        If `network`, `action` or a whole number is something else.
    ValueError
        If the layer does not exist or its units have no place in the image (see
        `receptive_field`), an argument is out of range, a mask leaves no room for the layer's
        fields, or exact readings of a patch are not those of the image.

    Warns
    -----
    RuntimeWarning
        If the network's precision is bfloat16, and the CPU has no instructions for its products.
    UserWarning
        If readings within the default radius see the network's padding, if `max_samples` is
        smaller than the number of images, or, at the first reading, if what the network gives for
        an image depends on chance or on the others of its batch.

    Examples
    --------
    >>> from sklearn.datasets import load_sample_images
    >>> from sklearn_groupcross import Dihedral, OrbitDataset
    >>> images = load_sample_images().images
    >>> orbits = OrbitDataset(images, network="bundled", group=Dihedral(4), n_positions=5)
    >>> orbits.as_array().shape[:2]
    (10, 8)
    """

    def __init__(
        self,
        images: Any,
        *,
        network: Network | nn.Module | str,
        group: FiniteGroup | str | None = None,
        action: PositionedAction | None = None,
        layer: str | Sequence[str] | None = None,
        sampling: str = "disk",
        n_positions: int | None = None,
        max_samples: int | None = None,
        radius: float | None = None,
        interpolation: str = "bilinear",
        input_size: int | None = None,
        batch_size: int | None = None,
        device: str | torch.device = "auto",
        random_state: int = 0,
    ) -> None:
        if interpolation not in INTERPOLATIONS:
            raise ValueError(
                f"interpolation is one of {', '.join(INTERPOLATIONS)}; got {interpolation!r}."
            )
        self.device = resolve_device(device)
        n_at_once = resolve_batch_size(batch_size, self.device)
        self.network = resolve_network(network).settled(self.device)
        self.images = as_source(images, self.network.n_channels)
        self.layers = resolve_layers(self.network, layer)
        self.action = resolve_action(group, action)
        self.group = self.action.group
        input_size = None if input_size is None else check_integer("input_size", input_size, 1)
        self.fields = tuple(receptive_field(self.network, name, input_size) for name in self.layers)
        self.source_size = default_source_size(self.field.input_size, self.action)
        if interpolation == "exact":
            check_patches(self.network, self.layers, self.fields)
        self.sampling = sampling
        self.radius = resolve_radius(
            radius, self.fields, self.action, interpolation, self.source_size, sampling
        )
        self._reading = ImageReading(
            OrbitReader(
                self.action,
                self.network,
                self.layers,
                self.fields,
                interpolation,
                n_at_once,
                0.0 if sampling == "center" else self.radius,
            ),
            self.device,
        )
        if radius is None:
            warn_of_padding(self.layers, self.fields, interpolation, self.radius)
        self.n_positions_per_image = allot_positions(
            sampling, n_positions, max_samples, len(self.images), len(self._units())
        )
        self.random_state = check_integer("random_state", random_state, 0)
        self._starts = row_starts(self.n_positions_per_image)
        self._chosen: dict[int, Tensor] = {}  # positions that depend on activations

    @property
    def interpolation(self) -> str:
        """How activations are read at positions between units."""
        return self._reading.reader.interpolation

    @property
    def batch_size(self) -> int:
        """Transformed images that pass through the network at once, as far as memory goes."""
        return self._reading.reader.batch_size

    @property
    def field(self) -> ReceptiveField:
        """Geometry of the units of the last layer."""
        return self.fields[-1]

    @property
    def layer(self) -> str:
        """The layers' names, as one."""
        return "+".join(self.layers)

    @property
    def layer_channels(self) -> dict[str, slice]:
        """Which of the channels belong to which layer."""
        ends = np.cumsum([field.n_channels for field in self.fields]).tolist()
        starts = [0, *ends[:-1]]
        return {
            name: slice(start, end)
            for name, start, end in zip(self.layers, starts, ends, strict=True)
        }

    @property
    def n_channels(self) -> int:
        """Channels of all layers together."""
        return sum(field.n_channels for field in self.fields)

    def __len__(self) -> int:
        return len(self.images)

    @own_state()
    def __getitem__(self, index: int) -> Tensor:
        index, n_images = check_integer("The number of an image", index), len(self)
        if not -n_images <= index < n_images:
            raise IndexError(f"Image {index} is out of range: there are {n_images} images.")
        return self.read_image(index % n_images)[0]

    def _repr_html_(self) -> str:
        """Images, samples, network, layers and group, for notebooks; nothing is read."""
        facts = {
            "images": len(self),
            "orbits": self.n_samples,
            "network": self.network.name,
            "layers": ", ".join(self.layers),
            "channels": self.n_channels,
            "group": f"{self.group!r}, {self.group.order} elements",
            "action": repr(self.action),
            "input": f"{self.field.input_size} pixels a side",
            "precision": self.network.precision,
            "receptive field": f"{self.field.size[0]} × {self.field.size[1]} pixels",
        }
        return card(type(self).__name__, facts)

    def __repr__(self) -> str:
        return (
            f"<{type(self).__name__}: {len(self)} images, {self.n_samples} orbits of "
            f"{self.network.name!r} at {self.layer}, {self.action!r}>"
        )

    @own_state()
    def read_image(self, index: int, seed_id: int | None = None) -> tuple[Tensor, Tensor]:
        """Read the orbits of one image, and where they were read.

        Parameters
        ----------
        index : int
        seed_id : int, optional
            Number by which positions are drawn. Default: `index`.

        Returns
        -------
        orbits : Tensor of shape (n_positions, order, n_channels), float32
        positions : Tensor of shape (n_positions, 2), float32

        Raises
        ------
        ValueError
            If the image is damaged, or the network puts out NaN or infinity for it.
        """
        image = self.images.load(index, self.source_size)
        seed_id = index if seed_id is None else seed_id
        return self._begin(image, index, seed_id, int(self.n_positions_per_image[index])).end()

    @own_state()
    def _begin(self, image: Tensor, index: int, seed_id: int, n_positions: int) -> BegunReading:
        """Read an image, or ask a CUDA device to do it: `BegunReading.end` waits for that."""
        label = f"The stack of image {index} ({self.images.name(index)!r})"
        return BegunReading(*self._read(image, seed_id, n_positions, label), label)

    def _read(
        self, image: Tensor, seed_id: int, n_positions: int, label: str
    ) -> tuple[Tensor, Tensor]:
        if n_positions == 0:  # a budget of fewer samples than images
            return (
                torch.empty(0, self.group.order, self.n_channels, **_FLOAT32),
                torch.empty(0, 2, **_FLOAT32),
            )
        image = image.to(self.device, non_blocking=True)
        self.try_network(image)
        rng = self._generator(seed_id)
        if self.sampling != "energy":
            positions = self._draw(n_positions, rng)
            return self.read_orbits(image, positions), positions
        candidates = draw_from_disk(n_candidates(n_positions), self.radius, rng)
        orbits = self.read_orbits(image, candidates, "bilinear")
        check_finite(orbits, label=label)  # what is not has no energy to choose by
        chosen = choose_by_energy(orbits, n_positions, rng)
        positions = candidates[chosen]
        if self.interpolation == "exact":
            return self.read_orbits(image, positions), positions
        return orbits[chosen.to(orbits.device)], positions

    def try_network(self, image: Tensor) -> None:
        """Warn, the first time, if readings depend on chance or the other images of a batch.

        Parameters
        ----------
        image : Tensor of shape (n_channels, source_size, source_size)
            Any image that is to be read.
        """
        self._reading.try_network(image)

    @own_state()
    def read_orbits(
        self, image: Tensor, positions: Tensor, interpolation: str | None = None
    ) -> Tensor:
        """Read orbits at given positions of any image.

        Parameters
        ----------
        image : Tensor of shape (n_channels, source_size, source_size)
            Of the network's channels: RGB in [0, 1].
        positions : Tensor of shape (n_positions, 2)
            (column, row) in pixels from the image centre.
        interpolation : {"bilinear", "exact"}, optional
            Default: the dataset's.

        Returns
        -------
        orbits : Tensor of shape (n_positions, order, n_channels)
            On the dataset's device.
        """
        return self._reading.read(image, positions, interpolation)

    def _generator(self, image_id: int) -> np.random.Generator:
        return generator_of_image(self.random_state, image_id)

    def _units(self) -> Tensor:
        return grid_positions(self.field, self.radius)

    def _draw(self, n_positions: int, rng: np.random.Generator) -> Tensor:
        if self.sampling == "center":
            return torch.zeros(n_positions, 2, **_FLOAT32)
        if self.sampling == "grid":
            return choose_units(self._units(), n_positions, rng)
        return draw_from_disk(n_positions, self.radius, rng)

    def positions_of(self, index: int) -> Tensor:
        """Say where the orbits of one image are read.

        Parameters
        ----------
        index : int

        Returns
        -------
        positions : Tensor of shape (n_positions, 2), float32
            (column, row) in pixels from the image centre. With ``sampling="energy"`` they depend
            on the activations, and the image is read for them, once.
        """
        if self.sampling != "energy":
            return self._draw(int(self.n_positions_per_image[index]), self._generator(index))
        if index not in self._chosen:
            self._chosen[index] = self.read_image(index)[1]
        return self._chosen[index]

    @property
    def n_samples(self) -> int:
        """Number of orbits in all."""
        return int(self._starts[-1])

    @property
    def positions(self) -> NDArray[np.float32]:
        """(column, row) of every sample in pixels from the image centre."""
        return torch.cat([self.positions_of(i) for i in range(len(self))]).numpy()

    @property
    def image_ids(self) -> NDArray[np.int64]:
        """Number of the image that every sample comes from."""
        return np.repeat(np.arange(len(self)), self.n_positions_per_image)

    def metadata(self) -> dict[str, Any]:
        """All that orbits depend on besides images and group, as JSON can hold it.

        And the names of images that were set apart as damaged, if any.

        Returns
        -------
        metadata : dict of str to object
        """
        damaged = sorted(image.name for image in self.images.damaged)
        return {
            **({DAMAGED: damaged} if damaged else {}),
            "network": self.network.name,
            "network_digest": network_digest(self.network),
            "layers": {n: [s.start, s.stop] for n, s in self.layer_channels.items()},
            "action": repr(self.action),
            "sampling": self.sampling,
            "radius": self.radius,
            "interpolation": self.interpolation,
            "input_size": self.field.input_size,
            "source_size": self.source_size,
            "precision": self.network.precision,
            "random_state": self.random_state,
            "package_version": __version__,
        }

    def check_images(self, progress: bool = False) -> None:
        """Decode every image once, so that a damaged file is found before hours of work.

        Parameters
        ----------
        progress : bool, default=False
            Whether to show a bar.

        Raises
        ------
        ValueError
            Naming every image that cannot be used, a line each.
        """
        self.images.check_all(progress=progress)

    def iterate(
        self,
        indices: Iterable[int],
        seed_ids: Iterable[int] | None = None,
        n_positions: Iterable[int] | None = None,
    ) -> Iterator[tuple[int, Tensor, Tensor]]:
        """Read images one after another, decoding the next while the network works.

        A CUDA device has the next image to work on while the orbits of one are taken.

        Parameters
        ----------
        indices : iterable of int
        seed_ids : iterable of int, optional
            Numbers by which positions are drawn. Default: `indices`.
        n_positions : iterable of int, optional
            How many positions of each image. Default: `n_positions_per_image`.

        Yields
        ------
        index : int
        orbits : Tensor of shape (n_positions, order, n_channels), float32
        positions : Tensor of shape (n_positions, 2), float32
        """
        wanted = list(indices)
        seeds = wanted if seed_ids is None else list(seed_ids)
        if n_positions is None:
            n_positions = self.n_positions_per_image[wanted].tolist()
        images = self._load_ahead(wanted)
        settings = zip(images, wanted, seeds, n_positions, strict=True)
        begun: Iterator[BegunReading] = itertools.starmap(self._begin, settings)
        if self.device.type == "cuda":
            begun = one_ahead(begun)
        for index, reading in zip(wanted, begun, strict=True):
            yield index, *reading.end()

    def _load_ahead(self, indices: list[int]) -> Iterator[Tensor]:
        """Decode in a thread what comes next; of small images some at once."""
        # to change threads takes as long as to decode a tiny image
        image_bytes = 4 * self.network.n_channels * self.source_size**2
        n = max(1, min(_LOADED_AT_ONCE, _LOADED_BYTES // image_bytes))
        parts = (indices[start : start + n] for start in range(0, len(indices), n))
        for loaded in read_ahead(self._load_part, parts):
            for image in loaded:
                if isinstance(image, Exception):
                    raise image
                yield image

    def _load_part(self, indices: Sequence[int]) -> list[Tensor | Exception]:
        """Images up to the first that cannot be used, whose error comes in its place."""
        loaded: list[Tensor | Exception] = []
        for index in indices:
            try:
                loaded.append(self._load_pinned(index))
            except Exception as error:  # raised where the image is asked for
                return [*loaded, error]
        return loaded

    def _load_pinned(self, index: int) -> Tensor:
        image = self.images.load(index, self.source_size)
        return image.pin_memory() if self.device.type == "cuda" else image

    @own_state()
    def as_array(
        self, path: str | os.PathLike[str] | None = None, *, progress: bool = False
    ) -> NDArray[np.float32]:
        """Extract the orbits of all images.

        Parameters
        ----------
        path : path, optional
            Write them to this ``.npy`` file and return a read-only memory map of it. The file
            appears when it is complete and on the disk; what a killed call left goes with the next.
            Default: an array in memory. `extract` writes stores, which are half as large and can be
            resumed.
        progress : bool, default=False
            Show a progress bar.

        Returns
        -------
        orbits : ndarray or memmap of shape (n_samples, order, n_channels), float32
            C order; `image_ids` and `positions` say where each sample comes from.

        Raises
        ------
        ValueError
            If images cannot be used, all of which are named before anything is read, or activations
            are not finite.
        OSError
            If the file cannot be written.
        """
        if path is None:
            return fill_array(self, progress)
        with written_whole(path) as temporary:
            write_array(self, temporary, progress)
        return np.load(path, mmap_mode="r")

    @own_state()
    def extract(
        self,
        path: str | os.PathLike[str],
        *,
        dtype: str = "float16",
        append: bool = False,
        chunk_bytes: int | None = None,
        n_jobs: int | None = None,
        storage_options: Mapping[str, Any] | None = None,
        progress: bool = False,
    ) -> OrbitStore:
        """Write the orbits of all images to a store on disk.

        A call that is killed, or stopped by Ctrl-C, is resumed by the same call: images whose
        orbits are there are not read again, and the store ends as if nothing had happened. Small
        images are written some at a time, so that a kill may cost a second of work besides the
        image in work; with a URL, half a minute.

        Parameters
        ----------
        path : path or str
            Folder of the store, or a URL; see `OrbitStore`.
        dtype : {"float16", "float32"}, default="float16"
            In which orbits are stored.
        append : bool, default=False
            Add images to a store that was written with the same network, layers, action, sampling
            and seed. Images that it has already, by their content, are left out, with the numbers
            of positions that they have; those of them that are pending are written. Where nothing
            is new and nothing pending, nothing happens.
        chunk_bytes : int, optional
            About the size of one of the store's files, which one process writes. Default: a
            sixteenth of the orbits, so that processes have something to share; 64 MiB of a GiB, and
            above that growing as the root of the store, to 4 GiB, with a URL 256 MiB.
        n_jobs : int, optional
            Processes that read images at the same time, as joblib has it: a surrounding
            ``joblib.parallel_config`` chooses the backend, such as Dask or Ray. Each of them starts
            anew and imports torch, which takes seconds: a few images are read faster by one. Those
            that joblib starts on this machine end with the process that started them, however it
            ends.
        storage_options : mapping, optional
            Of a URL; see `OrbitStore`. Processes are told them, secrets included, and write them
            nowhere.
        progress : bool, default=False
            Show a progress bar.

        Returns
        -------
        store : OrbitStore

        Raises
        ------
        ValueError
            If the store was written with other settings or holds other images, images cannot be
            used, all of which are named before anything is read, or activations are not finite or
            too large for `dtype`. A store in which
            nothing is written yet is replaced, so that a first call that failed can be repeated
            with other settings.
        OSError
            If it cannot be written.

        Warns
        -----
        UserWarning
            If some images are copies of others.
        """
        return extract(
            self,
            path,
            dtype=dtype,
            append=append,
            chunk_bytes=chunk_bytes,
            n_jobs=n_jobs,
            storage_options=storage_options,
            progress=progress,
        )

    def difference_from(self, path: str | os.PathLike[str], *, dtype: str = "float16") -> str:
        """Say why `extract` could not go on with a store that lies at a path.

        Parameters
        ----------
        path : path
        dtype : {"float16", "float32"}, default="float16"

        Returns
        -------
        difference : str
            The first difference and what to do; empty if there is none, or no store with orbits.

        Raises
        ------
        ValueError, OSError
            If the store is damaged, or an image cannot be read.
        """
        return difference(self, path, dtype)

    @own_state()
    def patches(
        self,
        samples: Sequence[int],
        size: int | None = None,
        elements: Sequence[int] | None = None,
    ) -> NDArray[np.float32]:
        """Cut out what samples look at, under some of the group's elements.

        Parameters
        ----------
        samples : sequence of int
            Rows of `as_array`; negative ones count from the end.
        size : int, optional
            Side of the patches in pixels. Default: the layer's receptive field, at most the input.
        elements : sequence of int, optional
            Default: the identity alone.

        Returns
        -------
        patches : ndarray of shape (n_samples, n_elements, size, size, n_channels)
            Of the network's channels: RGB in [0, 1].

        Raises
        ------
        IndexError
            If there is no such row.
        """
        images, positions = self.locate(samples)
        return self.patches_at(images, positions, size, elements)

    def locate(self, samples: Sequence[int]) -> tuple[list[int], list[Tensor]]:
        """Say where samples were read.

        Parameters
        ----------
        samples : sequence of int
            Rows of `as_array`; negative ones count from the end.

        Returns
        -------
        images : list of int
            Number of the image of each.
        positions : list of Tensor of shape (2,)
            (column, row) in pixels from the image centre.

        Raises
        ------
        IndexError
            If there is no such row.
        """
        images, positions = [], []
        for sample in samples:
            if not -self.n_samples <= sample < self.n_samples:
                raise IndexError(
                    f"Sample {sample} is out of range: there are {self.n_samples} samples."
                )
            sample = sample % self.n_samples
            index = int(np.searchsorted(self._starts, sample, side="right")) - 1
            images.append(index)
            positions.append(self.positions_of(index)[int(sample - self._starts[index])])
        return images, positions

    @own_state()
    def patches_at(
        self,
        images: Sequence[int],
        positions: Sequence[Any] | NDArray[np.floating],
        size: int | None = None,
        elements: Sequence[int] | None = None,
    ) -> NDArray[np.float32]:
        """Cut out what lies about some positions, under some of the group's elements.

        Parameters
        ----------
        images : sequence of int
            Number of the image of every patch.
        positions : sequence of array-like of shape (2,)
            (column, row) of every patch in pixels from the image centre, as a store has them.
        size : int, optional
            As `patches`.
        elements : sequence of int, optional
            As `patches`.

        Returns
        -------
        patches : ndarray of shape (n_patches, n_elements, size, size, n_channels)
        """
        size = min(*self.field.size, self.field.input_size) if size is None else size
        chosen = [0] if elements is None else list(elements)
        n_channels = self.network.n_channels
        cut = np.empty((len(images), len(chosen), size, size, n_channels), dtype=np.float32)
        for row, (index, position) in enumerate(zip(images, positions, strict=True)):
            image = self.images.load(int(index), self.source_size)
            at = torch.as_tensor(position, **_FLOAT32)
            views = self.action.transform_about(image[None], at[None], size, chosen)[0]
            cut[row] = views.permute(0, 2, 3, 1).clamp(0, 1).numpy()
        return cut
