from __future__ import annotations

import torch
from hypothesis import given

from sklearn_groupcross.crosscoder._objective import auxk_loss

from .steps import steps


@given(step=steps())
def test_dead_atoms_explain_what_is_left_over(step):
    options, parameters, samples, _, dead = step
    if not len(dead):
        return
    error = samples.targets.clone().requires_grad_()
    values = parameters.preactivations(samples.inputs)[:, dead].requires_grad_()
    decoder = parameters.decoder[dead].clone().requires_grad_()
    loss = auxk_loss(values, error, decoder, options)
    # the strongest dead codes of each sample, with their signs, half as many as channels
    n_used = min(max(1, options.n_channels // 2), len(dead))
    total = 0.0
    for row, left in zip(values.detach(), error.detach(), strict=True):
        chosen = row.argsort(descending=True)[:n_used]
        total += float((left - row[chosen] @ decoder.detach()[chosen]).square().sum())
    expected = total / len(error) / options.width / 32
    torch.testing.assert_close(loss, torch.tensor(expected), rtol=1e-4, atol=1e-6)
    loss.backward()
    assert error.grad is None  # nothing is learned through it
    assert (values.grad != 0).sum(1).max() <= n_used
    assert decoder.grad is not None
