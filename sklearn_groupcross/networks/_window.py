"""Which units of a layer are wanted."""

from __future__ import annotations

from dataclasses import dataclass

from torch import Tensor

from ._field import ReceptiveField

#: First unit and last + 1.
Extent = tuple[int, int]
#: Of (rows, columns).
Part = tuple[Extent, Extent]


@dataclass(frozen=True)
class Window:
    """Units of a layer that are wanted: neighbouring columns and rows of its map.

    Parameters
    ----------
    field : ReceptiveField
        Of the layer.
    columns, rows : range
        Numbers of the units.

    See Also
    --------
    Network.activations_within : Reads them.

    Examples
    --------
    >>> import torch
    >>> from sklearn_groupcross import load_network, receptive_field
    >>> from sklearn_groupcross.networks import Window
    >>> network = load_network("bundled")
    >>> window = Window.within(receptive_field(network, "relu3"), radius=10)
    >>> window.columns, window.rows
    (range(9, 16), range(9, 16))
    >>> network.activations_within(torch.rand(2, 3, 96, 96), {"relu3": window})["relu3"].shape
    torch.Size([2, 96, 7, 7])
    """

    field: ReceptiveField
    columns: range
    rows: range

    @classmethod
    def within(cls, field: ReceptiveField, radius: float) -> Window:
        """Make the window of all units that are read within a disk about the image centre.

        Parameters
        ----------
        field : ReceptiveField
        radius : float
            In pixels.

        Returns
        -------
        window : Window
        """
        return cls(field, *field.units_around(radius))

    def to_units(self, positions: Tensor) -> Tensor:
        """Map pixel positions from the image centre to units, counted from the window's first.

        Parameters
        ----------
        positions : Tensor of shape (..., 2)
            (column, row), rows counted downwards.

        Returns
        -------
        units : Tensor of shape (..., 2)
            Fractional.
        """
        units = self.field.to_units(positions)
        return units - units.new_tensor([self.columns.start, self.rows.start])

    def cut(self, maps: Tensor) -> Tensor:
        """Cut the units out of whole maps.

        Parameters
        ----------
        maps : Tensor of shape (..., map height, map width)

        Returns
        -------
        cut : Tensor of shape (..., n_rows, n_columns)
            A view.
        """
        return cut_out(maps, self.part)

    @property
    def part(self) -> Part:
        """First and last + 1 of the rows, and of the columns."""
        return (self.rows.start, self.rows.stop), (self.columns.start, self.columns.stop)


def cut_out(maps: Tensor, part: Part) -> Tensor:
    """Cut a part out of maps (..., height, width); the maps themselves where it is all of them."""
    (top, bottom), (left, right) = part
    if (top, left, bottom, right) == (0, 0, *maps.shape[-2:]):
        return maps
    return maps[..., top:bottom, left:right]
