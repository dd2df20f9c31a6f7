from __future__ import annotations

import numpy as np
import pytest
import torch
import torch.nn.functional as F

from tests.networks.modules import conv, field_of, geometry


def _row_by_row(x, stem):
    x = stem(x)
    x[:, :, 3] = x[:, :, 5]
    return x


def _scattered(x, stem):
    x = stem(x)
    columns = (torch.arange(x.shape[3]) + 1).clamp(max=x.shape[3] - 1)
    return torch.zeros_like(x).scatter(3, columns.expand_as(x), x)


@pytest.mark.parametrize(
    ("function", "parts", "expected"),
    [
        (lambda x: F.unfold(x, 4, stride=4).unflatten(2, (8, 8)), (), ((4, 4), (1.5, 1.5), (4, 4))),
        (
            lambda x, stem: stem(F.interpolate(x, scale_factor=0.5, mode="area")),
            (conv(1),),
            ((2, 2), (0.5, 0.5), (6, 6)),
        ),
        (
            lambda x, stem: stem(x).repeat_interleave(2, 2).repeat_interleave(2, 3),
            (conv(),),
            ((1, 1), (-0.5, -0.5), (4, 4)),
        ),
        # numpy has no gradients: pixels are changed one column after another
        (
            lambda x, stem: torch.from_numpy(np.tanh(stem(x).detach().numpy())),
            (conv(),),
            ((2, 2), (0, 0), (3, 3)),
        ),
    ],
)
def test_fields_are_measured_where_operations_are_not_known(function, parts, expected):
    field = field_of(function, *parts)
    assert geometry(field) == expected
    # areas are known as pools; all others are not
    assert field.derivation == ("derived" if expected[2] == (6, 6) else "measured")
    assert f"derivation='{field.derivation}'" in repr(field)


@pytest.mark.parametrize(
    ("function", "operation"),
    [
        (_scattered, "scatter"),
        (_row_by_row, "select"),
        (lambda x, stem: torch.from_numpy(np.roll(stem(x).detach().numpy(), 1, 3)), "not see"),
        (lambda x, stem: torch.cat([stem(half) for half in x.chunk(2, 2)], 2), "split"),
        (lambda x, stem: torch.fft.irfft2(torch.fft.rfft2(stem(x))), "fft"),
    ],
)
def test_what_lies_on_no_grid_is_refused(function, operation):
    with pytest.raises(ValueError, match=f"{operation}.* mixes all positions. Measured by"):
        field_of(function, conv())


def test_columns_are_not_taken_for_rows():
    with pytest.raises(ValueError, match="its channels not before its rows and columns"):
        field_of(lambda x, stem: torch.einsum("nchw->ncwh", stem(x)), conv())

    def turned(x, stem):
        return torch.from_numpy(stem(x).detach().numpy().transpose(0, 1, 3, 2).copy())

    with pytest.raises(ValueError, match="do not lie"):
        field_of(turned, conv())
