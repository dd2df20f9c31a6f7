"""Datasets of orbit stacks over images."""

from __future__ import annotations

import math
import os
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.utils.data import Dataset
from tqdm.auto import tqdm

from .._device import resolve_device
from .._files import reserve_space, written_whole
from ..actions import ImageAction, required_source_size
from ..groups import Dihedral, PlanarGroup
from ..networks import Network, load_network, receptive_field
from ._extraction import draw_positions, read_orbits
from ._images import ImageSource


class OrbitDataset(Dataset[Tensor]):
    """Orbits of a network's activations over images.

    Item i is the stack of all orbits of image i, a tensor of shape (n_positions, order,
    n_channels): block g holds the activation that the position has in the transformed image,
    ``O[p, g] = a(g·x)`` at ``g·p``, in the order of the group's elements. `as_array` gives all
    images' orbits as one array.

    Parameters
    ----------
    images : path, sequence of paths, array or sequence of arrays
        See `ImageSource`.
    network : Network, torch.nn.Module or str
        A `Network`, which says how images are preprocessed; a module that reads RGB in [0, 1] as
        it comes; or a name that `load_network` knows.
    layer : str, optional
        Default: the network's default layer.
    group : PlanarGroup
        For example ``Dihedral(16)``.
    n_positions : int, default=80
        Positions drawn in each image, uniformly and continuously within a disk.
    radius : float, optional
        Radius of that disk in pixels of the network's input. Default: the largest for which no
        reading sees padding (`ReceptiveField.interior_radius`).
    input_size : int, optional
        Side in pixels of the images given to the network. Default: the network's.
    batch_size : int, default=32
        Transformed images that pass through the network at once.
    device : str or torch.device, default="auto"
        ``"auto"`` is CUDA when there is one.
    random_state : int, default=0
        Seed of the positions.

    Attributes
    ----------
    layer : str
        The layer that is read.
    field : ReceptiveField
        Geometry of the layer's units.
    source_size : int
        Side in pixels to which images are scaled before they are turned.
    positions_ : ndarray of shape (n_samples, 2)
        (column, row) of every sample in pixels from the image centre.
    image_ids_ : ndarray of shape (n_samples,)
        Number of the image of every sample: ``groups=`` of `sklearn.model_selection.GroupKFold`,
        which keeps the positions of one image together.

    Raises
    ------
    ValueError
        If the layer does not exist, or an argument is out of range.

    Examples
    --------
    >>> from sklearn.datasets import load_sample_images
    >>> from sklearn_groupcross import Dihedral, OrbitDataset
    >>> photographs = load_sample_images().images
    >>> orbits = OrbitDataset(photographs, network="bundled", group=Dihedral(4), n_positions=5)
    >>> orbits.as_array().shape[:2]
    (10, 8)
    """

    def __init__(
        self,
        images: Any,
        *,
        network: Network | nn.Module | str,
        group: PlanarGroup,
        layer: str | None = None,
        n_positions: int = 80,
        radius: float | None = None,
        input_size: int | None = None,
        batch_size: int = 32,
        device: str | torch.device = "auto",
        random_state: int = 0,
    ) -> None:
        if n_positions < 1 or batch_size < 1:
            raise ValueError(
                "n_positions and batch_size are at least 1; "
                f"got n_positions={n_positions}, batch_size={batch_size}."
            )
        self.images = images if isinstance(images, ImageSource) else ImageSource(images)
        if isinstance(network, str):
            network = load_network(network)
        self.network = Network(network) if isinstance(network, nn.Module) else network
        self.layer = self.network.check_layer(layer)
        self.group = group
        self.action = ImageAction(group)
        self.field = receptive_field(self.network, self.layer, input_size)
        self.source_size = _source_size(self.field.input_size)
        self.n_positions = n_positions
        self.radius = self.field.interior_radius() if radius is None else float(radius)
        if not 0 <= self.radius <= self.field.input_size / 2:
            raise ValueError(
                f"The radius lies between 0 and half the input, {self.field.input_size / 2:g} px; "
                f"got {radius}."
            )
        self.batch_size = batch_size
        self.device = resolve_device(device)
        self.random_state = random_state

    def __len__(self) -> int:
        return len(self.images)

    def __getitem__(self, index: int) -> Tensor:
        index = range(len(self))[index]
        return self._read(self.images.load(index, self.source_size), index).cpu()

    def _read(self, image: Tensor, index: int) -> Tensor:
        self.network.to(self.device)
        return read_orbits(
            image.to(self.device),
            self._positions(index).to(self.device),
            action=self.action,
            network=self.network,
            layer=self.layer,
            field=self.field,
            batch_size=self.batch_size,
        )

    def _positions(self, index: int) -> Tensor:
        return draw_positions(self.n_positions, self.radius, self.random_state, index)

    @property
    def n_samples(self) -> int:
        """Number of orbits in all."""
        return len(self) * self.n_positions

    @property
    def positions_(self) -> NDArray[np.float32]:
        """(column, row) of every sample in pixels from the image centre."""
        return torch.cat([self._positions(i) for i in range(len(self))]).numpy()

    @property
    def image_ids_(self) -> NDArray[np.int64]:
        """Number of the image that every sample comes from."""
        return np.repeat(np.arange(len(self)), self.n_positions)

    def check_images(self, progress: bool = False) -> None:
        """Decode every image once, so that a damaged file is found before hours of work.

        Raises
        ------
        ValueError
            Naming the first file that cannot be read.
        """
        for index in tqdm(
            range(len(self)), desc="checking images", disable=not progress, leave=False
        ):
            self.images.check(index)

    def as_array(
        self, path: str | os.PathLike[str] | None = None, *, progress: bool = False
    ) -> NDArray[np.float32]:
        """Extract the orbits of all images.

        Parameters
        ----------
        path : path, optional
            Write them to this ``.npy`` file and return a read-only memory map of it. The file
            appears when it is complete. Default: an array in memory.
        progress : bool, default=False
            Show a progress bar.

        Returns
        -------
        orbits : ndarray or memmap of shape (n_samples, order, n_channels), float32
            C order; `image_ids_` and `positions_` say where each sample comes from.
        """
        bar = tqdm(range(len(self)), desc="reading orbits", unit="image", disable=not progress)
        if path is None:
            return _fill(self, bar, None)
        with written_whole(path) as temporary:
            _fill(self, bar, temporary)
        return np.load(path, mmap_mode="r")

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
            Rows of `as_array`.
        size : int, optional
            Side of the patches in pixels. Default: the layer's receptive field, at most the input.
        elements : sequence of int, optional
            Default: the identity alone.

        Returns
        -------
        patches : ndarray of shape (n_samples, n_elements, size, size, 3)
            RGB in [0, 1].
        """
        size = min(*self.field.size, self.field.input_size) if size is None else size
        chosen = [0] if elements is None else list(elements)
        cut = np.empty((len(samples), len(chosen), size, size, 3), dtype=np.float32)
        for row, sample in enumerate(samples):
            index, position = divmod(int(sample), self.n_positions)
            image = self.images.load(index, self.source_size)
            at = self._positions(index)[position]
            views = self.action.transform_about(image[None], at[None], size, chosen)[0]
            cut[row] = views.permute(0, 2, 3, 1).clamp(0, 1).numpy()
        return cut


class InceptionOrbitDataset(OrbitDataset):
    """Orbits of InceptionV1 activations: the paper's setting by default.

    Parameters
    ----------
    images : path, sequence of paths, array or sequence of arrays
        See `ImageSource`.
    group : PlanarGroup, default=Dihedral(32)
    layer : str, optional
        Default: ``"mixed3b"``, or the corresponding layer of the other networks.
    network : {"inceptionv1", "googlenet", "bvlc_googlenet"}, default="inceptionv1"
        Which training of the architecture; see `load_network`.
    weights : path, optional
        See `load_network`.
    **options
        The other parameters of `OrbitDataset`.
    """

    def __init__(
        self,
        images: Any,
        *,
        group: PlanarGroup | None = None,
        layer: str | None = None,
        network: str = "inceptionv1",
        weights: str | os.PathLike[str] | None = None,
        **options: Any,
    ) -> None:
        known = ("inceptionv1", "googlenet", "bvlc_googlenet")
        if network not in known:
            raise ValueError(f"InceptionOrbitDataset reads {', '.join(known)}; got {network!r}.")
        super().__init__(
            images,
            network=load_network(network, weights),
            group=Dihedral(32) if group is None else group,
            layer=layer,
            **options,
        )


def _source_size(input_size: int) -> int:
    """Side to scale images to, of the input's parity: a little more than any turn needs.

    It is 320 for 224, a size in which photographs often come, and then they are not resampled.
    """
    size = math.ceil(input_size * 10 / 7)
    return max(size + (size - input_size) % 2, required_source_size(input_size))


def _fill(dataset: OrbitDataset, indices: Iterable[int], file: Path | None) -> NDArray[np.float32]:
    """Write orbits image by image into an array, in memory or in a ``.npy`` file."""
    array: NDArray[np.float32] | None = None
    for index in indices:
        orbits = dataset[index].numpy()
        if array is None:
            shape = (dataset.n_samples, *orbits.shape[1:])
            if file is None:
                array = np.empty(shape, dtype=np.float32)
            else:
                array = np.lib.format.open_memmap(file, mode="w+", dtype=np.float32, shape=shape)
                reserve_space(file)
        array[index * dataset.n_positions : (index + 1) * dataset.n_positions] = orbits
    assert array is not None  # ImageSource holds at least one image
    return array
