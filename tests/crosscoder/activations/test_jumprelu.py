from __future__ import annotations

import pytest
import torch

from sklearn_groupcross.crosscoder._activations._jumprelu import BANDWIDTH, jumprelu


class TestJumpReLU:
    def test_what_exceeds_the_threshold_is_not_shrunk(self):
        codes, gates = jumprelu(torch.tensor([[0.4, 0.6, -1.0]]), torch.full((3,), 0.5))
        assert codes.tolist() == [[0.0, pytest.approx(0.6), 0.0]]
        assert gates.tolist() == [[0, 1, 0]]

    def test_thresholds_get_the_gradient_of_the_smoothed_loss(self):
        """The straight-through estimate is right on average over evenly spread samples.

        For z spread evenly, the mean of a·z·[z > t] + b·[z > t] has derivative -(a·t + b)·density
        with respect to t.
        """
        n = 20_000
        z = torch.linspace(0, 4, n).reshape(n, 1)  # density 1/4
        threshold = torch.tensor([1.0], requires_grad=True)
        codes, gates = jumprelu(z, threshold)
        (2.0 * codes.mean() + 3.0 * gates.mean()).backward()
        assert threshold.grad.item() == pytest.approx(-(2.0 * 1.0 + 3.0) / 4, rel=1e-3)

    def test_active_codes_pass_their_gradient_and_others_none(self):
        z = torch.tensor([[0.2, 3.0]], requires_grad=True)
        codes, gates = jumprelu(z, torch.tensor([1.0, 1.0]))
        (codes.sum() + 5 * gates.sum()).backward()
        assert z.grad.tolist() == [[0.0, 1.0]]

    def test_samples_far_from_the_threshold_do_not_move_it(self):
        far = 1.0 + BANDWIDTH
        threshold = torch.tensor([1.0], requires_grad=True)
        codes, _ = jumprelu(torch.tensor([[far]]), threshold)
        codes.sum().backward()
        assert threshold.grad.item() == 0
