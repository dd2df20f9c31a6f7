"""Which part of a map an operation reads for a part of its output."""

import pytest
import torch
import torch.nn.functional as F

from sklearn_groupcross.networks._partial_rules import (
    DepartedError,
    InPlace,
    Pointwise,
    Whole,
    Windowed,
    kind_of,
)

MAPS = torch.rand(2, 4, 20, 30, generator=torch.Generator().manual_seed(0))
WEIGHT = torch.rand(4, 4, 3, 5, generator=torch.Generator().manual_seed(1))


PART = ((2, 5), (3, 6))


def kind(function, *args, **kwargs):
    return kind_of(function, args, kwargs, torch.is_tensor, function(*args, **kwargs))


@pytest.mark.parametrize(
    ("function", "args", "kwargs"),
    [
        (F.conv2d, (MAPS, WEIGHT), {"padding": (1, 2)}),
        (F.conv2d, (MAPS, WEIGHT, None, 2, (1, 2), (2, 1)), {}),
        (F.conv2d, (MAPS, WEIGHT), {"padding": "valid"}),
        (F.max_pool2d, (MAPS, 3), {"stride": 2, "ceil_mode": True}),
        (F.max_pool2d, (MAPS, (2, 3)), {"padding": 1}),
        (F.avg_pool2d, (MAPS, 3, 1, 1), {}),
    ],
)
def test_windows_come_to_the_same_from_the_part_that_they_read(function, args, kwargs):
    whole = function(*args, **kwargs)
    found = kind(function, *args, **kwargs)
    if kwargs.get("padding") == "valid":
        assert type(found) is Whole
        return
    n_rows, n_columns = whole.shape[-2:]
    parts = [((2, 5), (3, 6)), ((0, 4), (3, 6)), ((2, 5), (3, n_columns))]
    # those of all pixels, but of no padding
    parts += [((1, n_rows - 1), (2, n_columns - 2)), ((0, n_rows), (0, n_columns))]
    for part in parts:
        (top, bottom), (left, right) = found.grown(part)
        assert top <= part[0][0]
        assert bottom >= part[0][1]
        rows, columns = found.read(part)
        cut = MAPS[..., slice(*rows), slice(*columns)]
        result = found.do(
            function, args, kwargs, lambda x, cut=cut: cut, ((top, bottom), (left, right))
        )
        torch.testing.assert_close(result, whole[..., top:bottom, left:right])
    inner = found.read(((2, 5), (3, 6)))
    assert all(stop - start < n for (start, stop), n in zip(inner, (20, 30), strict=True))


def test_other_numbers_are_another_operation():
    found = kind(F.conv2d, MAPS, WEIGHT, padding=1)
    assert isinstance(found, Windowed)
    with pytest.raises(DepartedError):
        found.do(F.conv2d, (MAPS, WEIGHT), {"padding": 1, "dilation": 2}, lambda x: x, PART)


@pytest.mark.parametrize(
    ("expected", "function", "args", "kwargs"),
    [
        (Pointwise, F.relu, (MAPS,), {}),
        (InPlace, F.relu, (MAPS.clone(),), {"inplace": True}),
        (InPlace, torch.Tensor.add_, (MAPS.clone(), MAPS), {}),
        (Pointwise, torch.Tensor.mul, (MAPS, torch.rand(2, 4, 1, 1)), {}),
        (Pointwise, torch.Tensor.mul, (torch.rand(2, 4, 1, 1), MAPS), {}),
        (Whole, torch.Tensor.mul, (MAPS, torch.rand(30)), {}),
        (Whole, torch.Tensor.mul, (MAPS, torch.rand(1, 30)), {}),
        (Pointwise, F.batch_norm, (MAPS, torch.zeros(4), torch.ones(4)), {"training": False}),
        (Whole, F.batch_norm, (MAPS, torch.zeros(4), torch.ones(4)), {"training": True}),
        (Pointwise, torch.cat, ([MAPS, MAPS],), {"dim": 1}),
        (Whole, torch.cat, ([MAPS, MAPS], 2), {}),
        (Whole, torch.cat, ([MAPS, MAPS],), {}),
        (Whole, torch.Tensor.flip, (MAPS, -1), {}),
        (Whole, torch.Tensor.mean, (MAPS,), {}),
        (Whole, F.conv2d, (MAPS, torch.rand(4, 4, 3, 3)), {"padding": "same"}),
    ],
)
def test_kinds(expected, function, args, kwargs):
    assert type(kind(function, *args, **kwargs)) is expected
