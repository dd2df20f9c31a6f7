from __future__ import annotations

import subprocess
import sys

import torch

from sklearn_groupcross.crosscoder._adam import Adam

FIT = """
import sys
from sklearn_groupcross import Dihedral, GroupCrosscoder, make_orbits
orbits = make_orbits(100, group=Dihedral(3), n_channels=8, random_state=0).orbits
GroupCrosscoder(group=Dihedral(3), n_features=12, max_epochs=100, random_state=0).fit(orbits)
sys.exit("torch._dynamo" in sys.modules)
"""


def test_bits_are_those_of_the_optimizer_of_torch():
    generator = torch.Generator().manual_seed(0)
    shapes, gains = [(30, 37), (30,), (1, 5)], [1.0, 7.5, 0.3]
    ours = [torch.randn(shape, generator=generator).requires_grad_() for shape in shapes]
    theirs = [tensor.detach().clone().requires_grad_() for tensor in ours]
    adam = Adam(ours, gains)
    optimizer = torch.optim.Adam([{"params": [tensor]} for tensor in theirs], fused=True)
    for step in range(8):
        rate = 1e-3 * (step + 1)
        for group, gain in zip(optimizer.param_groups, gains, strict=True):
            group["lr"] = gain * rate
        for one, other in zip(ours, theirs, strict=True):
            one.grad = torch.randn(one.shape, generator=generator)
            other.grad = one.grad.clone()
        ours[1].grad = theirs[1].grad = None if step == 0 else ours[1].grad
        adam.set_learning_rate(rate)
        adam.step()
        optimizer.step()
    for one, other in zip(ours, theirs, strict=True):
        assert torch.equal(one, other)
        assert adam.state[one].keys() == optimizer.state[other].keys()
        for name, moment in adam.state[one].items():
            assert torch.equal(moment, optimizer.state[other][name])


def test_a_fit_does_not_import_the_compiler_of_torch():
    assert subprocess.run([sys.executable, "-c", FIT], check=False).returncode == 0
