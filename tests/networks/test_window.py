"""Windows of maps, and positions in them."""

import torch

from sklearn_groupcross.networks import ReceptiveField, Window

FIELD = ReceptiveField((4.0, 2.0), (1.0, -3.0), (9, 5), (20, 44), 7, 80)


def test_positions_are_counted_from_the_first_unit_of_a_window():
    window = Window.within(FIELD, 2.5)
    assert (window.columns, window.rows) == FIELD.units_around(2.5)
    positions = torch.tensor([[0.0, 0.0], [2.0, -1.0]])
    first = torch.tensor([window.columns.start, window.rows.start])
    assert torch.equal(window.to_units(positions), FIELD.to_units(positions) - first)


def test_a_window_is_cut_out_of_whole_maps():
    maps = torch.arange(7 * 44 * 20).reshape(1, 7, 44, 20)
    window = Window(FIELD, range(3, 5), range(7, 10))
    assert torch.equal(window.cut(maps), maps[:, :, 7:10, 3:5])
    everything = Window.within(FIELD, 1e6)
    assert everything.cut(maps) is maps
