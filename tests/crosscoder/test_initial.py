from __future__ import annotations

from dataclasses import replace

import torch
from hypothesis import given
from hypothesis import strategies as st

from sklearn_groupcross.crosscoder._initial import initialize

from .steps import steps


@given(step=steps(), given_atoms=st.booleans())
def test_atoms_have_one_norm_and_the_encoder_reads_them(step, given_atoms):
    options, *_ = step
    dictionary = torch.randn(
        options.n_atoms, options.width, generator=torch.Generator().manual_seed(options.seed)
    )
    parameters = initialize(options, dictionary if given_atoms else None)
    norm = torch.full((options.n_atoms,), options.rule.atom_norm)
    torch.testing.assert_close(parameters.decoder.norm(dim=1), norm)
    torch.testing.assert_close(parameters.encoder.norm(dim=1), norm)
    directions = torch.nn.functional.normalize(parameters.decoder[:, : options.n_read], dim=1)
    torch.testing.assert_close(parameters.encoder, options.rule.atom_norm * directions)
    if given_atoms:
        cosines = torch.nn.functional.cosine_similarity(parameters.decoder, dictionary)
        torch.testing.assert_close(cosines, torch.ones(options.n_atoms))
    assert not parameters.encoder_bias.any()
    assert not parameters.decoder_bias.any()
    n_biases = 1 if options.augment else options.group.order
    assert parameters.decoder_bias.shape == (n_biases, options.n_channels)


@given(step=steps())
def test_the_seed_alone_decides(step):
    options, *_ = step
    first, again = initialize(options), initialize(options)
    assert all(map(torch.equal, first.tensors(), again.tensors()))
    other = initialize(replace(options, seed=options.seed + 1))
    assert not torch.equal(other.decoder, first.decoder) or options.width == 1
