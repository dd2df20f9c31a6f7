"""An image is read in what memory there is, and what was learned of it is kept."""

from dataclasses import dataclass, field

import pytest
import torch
from torch import nn

from sklearn_groupcross.orbits._image_reading import BegunReading, ImageReading, one_ahead

CPU = torch.device("cpu")
IMAGE, POSITIONS = torch.zeros(3, 8, 8), torch.zeros(2, 2)


@dataclass
class Crowded:
    """A reader that finds memory for so many images at once."""

    n_fit: int
    batch_size: int = 8
    interpolation: str = "bilinear"
    network: nn.Module = field(default_factory=nn.Identity)
    tried: list = field(default_factory=list)

    def read(self, image, positions):
        self.tried.append((self.batch_size, self.interpolation))
        if self.batch_size > self.n_fit:
            raise torch.OutOfMemoryError("CUDA out of memory.")
        return positions + 1


def test_batches_are_halved_until_they_fit_and_stay_so():
    reading = ImageReading(reader := Crowded(n_fit=2), CPU)
    assert torch.equal(reading.read(IMAGE, POSITIONS, None), POSITIONS + 1)
    assert [size for size, _ in reader.tried] == [8, 4, 2]
    reading.read(IMAGE, POSITIONS, None)
    assert [size for size, _ in reader.tried] == [8, 4, 2, 2]


def test_an_interpolation_holds_for_one_reading():
    reading = ImageReading(reader := Crowded(n_fit=4), CPU)
    reading.read(IMAGE, POSITIONS, "exact")
    reading.read(IMAGE, POSITIONS, None)
    assert reader.tried == [(8, "exact"), (4, "exact"), (4, "bilinear")]


def test_where_not_even_one_fits_the_error_is_told():
    reading = ImageReading(reader := Crowded(n_fit=0), CPU)
    with pytest.raises(torch.OutOfMemoryError):
        reading.read(IMAGE, POSITIONS, None)
    assert [size for size, _ in reader.tried] == [8, 4, 2, 1]


class Network(nn.Module):
    """What `ImageReading` asks of a network before the first reading."""

    name = "custom"

    def __init__(self, cause):
        super().__init__()
        self.cause, self.n_asked = cause, 0

    def unsteadiness(self, square, layers):
        assert square.shape == (1, 3, 4, 4)
        self.n_asked += 1
        return self.cause


@dataclass
class Tried:
    network: Network
    layers: tuple = ("first", "last")
    fields: tuple = (None, type("Field", (), {"input_size": 4}))


def test_a_network_that_depends_on_chance_is_told_once():
    reading = ImageReading(Tried(network := Network("chance")), CPU)
    with pytest.warns(UserWarning, match=r"network 'custom' .* at first\+last depends on chance"):
        reading.try_network(IMAGE)
    reading.try_network(IMAGE)
    assert network.n_asked == 1


def test_a_steady_network_is_tried_once_too():
    reading = ImageReading(Tried(network := Network(None)), CPU)
    reading.try_network(IMAGE)
    reading.try_network(IMAGE)
    assert network.n_asked == 1


def test_the_next_is_begun_before_one_is_given():
    begun = []

    def begin():
        for number in range(3):
            begun.append(number)
            yield number

    for number in one_ahead(begin()):
        assert begun == list(range(min(number + 2, 3)))
    assert begun == [0, 1, 2]
    assert list(one_ahead([])) == []


def test_an_error_comes_in_the_place_of_its_item():
    def begin():
        yield 0
        yield 1
        raise OSError("damaged")

    given = one_ahead(begin())
    assert [next(given), next(given)] == [0, 1]
    with pytest.raises(OSError, match="damaged"):
        next(given)


def test_orbits_that_are_not_finite_are_refused_at_the_end():
    orbits = torch.zeros(3, 2, 4)
    begun = BegunReading(orbits, POSITIONS, "The stack of image 7")
    assert begun.end() == (orbits, POSITIONS)
    orbits[1, 1, 2] = torch.nan
    with pytest.raises(ValueError, match="stack of image 7 .*NaN"):
        begun.end()
