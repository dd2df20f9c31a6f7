"""Images from a folder, from paths or from arrays, as square tensors of RGB or other channels."""

from __future__ import annotations

import os
from collections.abc import Collection, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

from .._ambient import own_state
from .._integers import check_integer
from .._plain import as_numpy
from .._progress import tqdm
from ._array_images import check_array, check_shape
from ._channel_files import n_images_in
from ._image_folders import list_folder
from ._image_items import ImageArray, ImageFile, ImageItem, ImageRow
from ._pictures import Picture, fit_square, size_of

# So many images of one reason share a line, and so many are named in it beside the first.
_MANY, _NAMED = 3, 20
# Less than this on a side is a flat patch of colour once it is scaled to a network's input.
_SMALLEST_SIDE = 8
# Images in a row that may wait for a thread to decode them.
_CHECKED_AT_ONCE = 1024


class DamagedImage(NamedTuple):
    """An image that cannot be used.

    Attributes
    ----------
    name : str
        As `ImageSource.name` has it.
    reason : str
        A sentence with its path and what is wrong.
    """

    name: str
    reason: str


class ImageSource:
    """A collection of images, decoded one at a time when they are asked for.

    Parameters
    ----------
    images : path, sequence of paths, array, tensor or sequence of arrays
        A folder (searched with its subfolders, in the order of the names), paths of image files
        and folders, arrays (height, width, n_channels) of uint8, uint16 or bool, or of floats in
        [0, 1], or one array of all of them, (n, height, width, n_channels).
    n_channels : int, default=3
        Channels of an image: 3 of RGB, 1 of grey, or any other number. Pictures are RGB or made
        grey; other channels come as arrays, in ``.npy`` files or in TIFF files.

    Attributes
    ----------
    damaged : tuple of DamagedImage
        Images that `without_damaged` has set apart.

    Raises
    ------
    FileNotFoundError, ValueError
        If there is no such folder or file, or nothing that is an image of so many channels.
    TypeError
        If `images` is none of these.

    Warns
    -----
    UserWarning
        If a folder holds images with other suffixes.

    Notes
    -----
    In folders, files are found whose names end as Pillow has it for the formats that are read, and
    ``.npy``. Hidden files and folders, whose names begin with a dot, are passed over, as are those
    named __MACOSX, @eaDir, Thumbs.db and desktop.ini. A file that is named is read whatever its
    ending. What a file is, its content says: AVIF where this Pillow reads it, BMP, GIF, JPEG, JPEG
    2000, PNG, PPM, TIFF or WebP, an array of numpy, and nothing else.

    Pictures become RGB: turned upright by their EXIF orientation; transparent pixels on white; grey
    repeated; grey of 16 bits by its whole range, to the last of them; colours of 16 bits in 8, as
    Pillow decodes them (as arrays they keep all of them). Files of 32-bit integers and floats are
    refused, since nothing says what white is. Of an animation it is the first frame.

    ``.npy`` files hold one image, or an array (n, height, width, n_channels) of several; those of
    Python objects are refused. Where images have more than one channel, as many grey pages of a
    TIFF are its channels; where they have neither one nor three, so are as many samples a pixel,
    for which ``pip install 'sklearn-groupcross[microscopy]'`` brings tifffile.

    Integers are divided by the largest of their type: 12 bits in 16 are dark unless a network's
    preprocess makes them brighter. Images of less than 8 pixels on a side are refused. The shorter
    side is scaled, and the middle square cut out, by `load`: images of 8 bits in 8 bits, others in
    float32.
    """

    def __init__(self, images: Any, *, n_channels: int = 3) -> None:
        self.n_channels = check_integer("n_channels", n_channels, 1)
        self._items = _list_images(images, self.n_channels)
        is_known = isinstance(images, ImageSource) and images.n_channels == self.n_channels
        # those that were decoded once; selections share it
        self._sound: set[ImageItem] = images._sound if is_known else set()
        self.damaged: tuple[DamagedImage, ...] = getattr(images, "damaged", ())

    def __getstate__(self) -> dict[str, Any]:
        return {**self.__dict__, "_sound": set()}

    def __len__(self) -> int:
        return len(self._items)

    def __getitem__(self, index: slice | Sequence[int] | NDArray[np.integer]) -> ImageSource:
        """Select some of the images, as a source of its own."""
        chosen = self._items[index] if isinstance(index, slice) else [self._items[i] for i in index]
        selection = ImageSource(chosen, n_channels=self.n_channels)
        selection._sound, selection.damaged = self._sound, self.damaged
        return selection

    def __repr__(self) -> str:
        names = ", ".join(self.name(i) for i in range(min(3, len(self))))
        return f"<ImageSource: {len(self)} images, {names}{', ...' if len(self) > 3 else ''}>"

    def name(self, index: int) -> str:
        """Return the file name of an image, or its number where it came as an array.

        Parameters
        ----------
        index : int

        Returns
        -------
        name : str
        """
        return self._items[index].name

    @own_state()
    def load(self, index: int, size: int) -> Tensor:
        """Decode an image, scale its shorter side to `size` and cut out the central square.

        Of an animation it is the first frame.

        Parameters
        ----------
        index : int
        size : int
            Side of the result in pixels.

        Returns
        -------
        image : Tensor of shape (n_channels, size, size), float32
            RGB in [0, 1], or what else the channels are.

        Raises
        ------
        ValueError
            If the file is not an image, is damaged or too small; the message names it.
        """
        return fit_square(self._decode(index), size, self.n_channels)

    def digest(self, index: int) -> str:
        """SHA-256 of a file's bytes, or of an array: the same for copies under other names.

        Parameters
        ----------
        index : int

        Returns
        -------
        digest : str
            In hexadecimal.
        """
        return self._items[index].digest()

    def check(self, index: int) -> None:
        """Decode an image and throw it away: raises the errors of `load`.

        Parameters
        ----------
        index : int
        """
        self._decode(index)
        self._sound.add(self._items[index])

    def check_all(self, indices: Iterable[int] | None = None, *, progress: bool = False) -> None:
        """Decode images once, such that all that are damaged are found before hours of work.

        Those that were decoded well before, also by the source that this one was selected from, are
        not decoded again.

        Parameters
        ----------
        indices : iterable of int, optional
            Default: all.
        progress : bool, default=False
            Show a progress bar.

        Raises
        ------
        ValueError
            Naming every image that cannot be used, a line each.
        """
        todo = range(len(self)) if indices is None else list(indices)
        damaged = self.find_damaged(todo, progress=progress)
        if damaged:
            raise ValueError(_listed(damaged.values(), len(todo)))

    def find_damaged(
        self, indices: Iterable[int] | None = None, *, progress: bool = False
    ) -> dict[int, DamagedImage]:
        """Decode images once, and find those that cannot be used.

        Parameters
        ----------
        indices : iterable of int, optional
            See `check_all`.
        progress : bool, default=False

        Returns
        -------
        damaged : dict of int to DamagedImage
            By their indices.
        """
        todo = range(len(self)) if indices is None else indices
        unknown = [i for i in dict.fromkeys(todo) if self._items[i] not in self._sound]
        found: dict[int, DamagedImage] = {}
        with (
            ThreadPoolExecutor(min(8, os.cpu_count() or 1)) as pool,
            tqdm(
                total=len(unknown), desc="checking images", disable=not progress, leave=False
            ) as bar,
        ):
            for start in range(0, len(unknown), _CHECKED_AT_ONCE):
                checked = unknown[start : start + _CHECKED_AT_ONCE]
                for index, damaged in zip(checked, pool.map(self._damage_of, checked), strict=True):
                    if damaged is not None:
                        found[index] = damaged
                    bar.update()
        return found

    def without_damaged(self, max_share: float = 0.05, *, progress: bool = False) -> ImageSource:
        """Set images apart that cannot be used.

        Parameters
        ----------
        max_share : float, default=0.05
            Of all images, so large a share at most may be damaged, in [0, 1): where it is more,
            something else is wrong, such as the folder.
        progress : bool, default=False
            Show a progress bar.

        Returns
        -------
        sound : ImageSource
            The others, in their order; ``sound.damaged`` are those set apart, and
            `OrbitDataset.extract` lists their names in the store's metadata.

        Raises
        ------
        ValueError
            If more are damaged, or all; naming every one, a line each.

        Examples
        --------
        >>> import numpy as np
        >>> from sklearn_groupcross.orbits import ImageSource
        >>> images = [np.zeros((32, 32, 3)), np.zeros((32, 4, 3)), np.zeros((32, 32, 3))]
        >>> sound = ImageSource(images).without_damaged(max_share=0.5)
        >>> len(sound), [image.name for image in sound.damaged]
        (2, ['image 1'])
        """
        if not 0 <= max_share < 1:
            raise ValueError(f"max_share is a share in [0, 1); got {max_share!r}.")
        damaged = self.find_damaged(progress=progress)
        if len(damaged) > max_share * len(self):
            raise ValueError(
                f"{_listed(damaged.values(), len(self))}\nThat is more than the share of "
                f"{max_share:.3g} that may be set apart."
            )
        sound = self[[i for i in range(len(self)) if i not in damaged]]
        sound.damaged = (*self.damaged, *damaged.values())
        return sound

    def _damage_of(self, index: int) -> DamagedImage | None:
        try:
            self.check(index)
        except ValueError as error:
            return DamagedImage(self.name(index), str(error))
        return None

    def _decode(self, index: int) -> Picture:
        item = self._items[index]
        picture = item.read(self.n_channels)
        width, height = size_of(picture)
        if min(width, height) < _SMALLEST_SIDE:
            raise ValueError(
                f"{item} has {width} x {height} pixels, and at least "
                f"{_SMALLEST_SIDE} x {_SMALLEST_SIDE} are needed: leave it out."
            )
        return picture


def _listed(damaged: Collection[DamagedImage], n_images: int) -> str:
    """Every image that cannot be used: a line for each, or one for many of the same reason."""
    count = f"{len(damaged)} of {n_images} images cannot be used:\n" if len(damaged) > 1 else ""
    by_reason: dict[str, list[DamagedImage]] = {}
    for image in damaged:
        by_reason.setdefault(image.reason.rpartition(image.name)[2], []).append(image)
    lines: list[str] = []
    for first, *others in by_reason.values():
        if len(others) < _MANY:
            lines.extend(image.reason for image in (first, *others))
            continue
        names = ", ".join(image.name for image in others[:_NAMED])
        more = f" and {len(others) - _NAMED} others" if len(others) > _NAMED else ""
        lines.append(f"{first.reason} The same: {names}{more}.")
    return count + "\n".join(lines)


def as_source(images: Any, n_channels: int) -> ImageSource:
    """Take images as they come, or a source of as many channels.

    Raises
    ------
    ValueError
        If a source has another number of channels.
    """
    if not isinstance(images, ImageSource):
        return ImageSource(images, n_channels=n_channels)
    if images.n_channels != n_channels:
        raise ValueError(
            f"The network reads images of {n_channels} channels, and the images have "
            f"{images.n_channels}: ImageSource(..., n_channels={n_channels})."
        )
    return images


def _list_images(images: Any, n_channels: int) -> list[ImageItem]:
    if isinstance(images, ImageSource):
        images = images._items
    if isinstance(images, str | os.PathLike):
        images = [images]
    images = as_numpy(images, "images")
    if not isinstance(images, Iterable):
        raise TypeError(
            "images are a folder, a sequence of paths, or arrays (height, width, "
            f"{n_channels}); got {images!r}."
        )
    if isinstance(images, np.ndarray) and images.ndim == 3:
        raise ValueError(
            f"One array of shape {images.shape} came where images were expected: give a list of "
            f"images, or one array of shape (n, height, width, {n_channels})."
        )
    items: list[ImageItem] = []
    for item in images:
        if isinstance(item, str | os.PathLike):
            for path in list_folder(Path(item)):
                n_images = n_images_in(path)
                rows = [ImageFile(path)] if n_images is None else _rows(path, n_images)
                items.extend(rows)
        elif isinstance(item, ImageArray):
            items.append(ImageArray(check_shape(item.image, n_channels), item.number))
        elif isinstance(item, ImageFile | ImageRow):
            items.append(item)
        else:
            array = check_array(np.asarray(as_numpy(item, "images")), n_channels)
            items.append(ImageArray(array, len(items)))
    if not items:
        raise ValueError("No images: the list is empty.")
    return items


def _rows(path: Path, n_images: int) -> list[ImageRow]:
    return [ImageRow(path, row) for row in range(n_images)]
