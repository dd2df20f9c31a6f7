"""From rows of orbit stacks to the samples of a step: centred, scaled, translated, compressed."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import torch
from torch import Tensor

from .._read_ahead import read_ahead
from .._stacks._rows import Rows
from ..groups import FiniteGroup
from ._basis import FittedBasis, OrbitBasis, fit_basis
from ._batches import Batch, Samples, generator_for
from ._options import DEFAULT_K, TrainingOptions
from ._parallelism import ALONE, Parallelism
from ._parameters import Units

# Rows from which a basis is made: more of them move its axes little.
_ROWS_FOR_BASIS = 8_192
_BYTES_A_PART = 1 << 26
# With compression="auto": shares of the variance between which is kept what firings can teach, and
# how many coordinates of an atom each of its firings in one pass is taken to teach. On photographs,
# 0.9 in place of 0.8 explained no more, and less was found again; with 0.6 far less was explained:
# see "What holds" in docs/benchmarks.
_MOST_KEPT, _LEAST_KEPT = 0.9, 0.8
_COORDINATES_A_FIRING = 0.3
# Coordinates are computed once and kept if they take no more than this, otherwise for each batch.
_BYTES_KEPT = 1 << 30


class Feed:
    """What training reads.

    Parameters
    ----------
    rows : Rows
    units : Units
        How samples are centred and scaled.
    group : FiniteGroup
    device : torch.device
    reads_orbit : bool
        Whether the encoder reads all of a target, or the identity block alone.
    basis : OrbitBasis, optional
        Coordinates of the targets. Default: all columns.
    parallel : Parallelism, optional
        Who computes some of the coordinates that are kept.
    """

    def __init__(
        self,
        rows: Rows,
        units: Units,
        group: FiniteGroup,
        device: torch.device,
        *,
        reads_orbit: bool,
        basis: OrbitBasis | None = None,
        parallel: Parallelism = ALONE,
    ) -> None:
        self._rows, self._units, self._group, self._device = rows, units, group, device
        self._reads_orbit, self._basis = reads_orbit, basis
        self._coordinates: Tensor | None = None
        self._memory: list[Tensor] = []
        if basis is not None and 4 * len(rows) * basis.n_coordinates <= _BYTES_KEPT:
            shape = (len(rows), basis.n_coordinates)
            self._coordinates = torch.empty(shape, dtype=torch.float32, device="cpu")
            parts = list(rows.slices())
            for number, part in enumerate(parts):
                if parallel.computes(number):
                    centered = units.apply_(rows.read(part, dtype=units.center.dtype).to(device))
                    self._coordinates[part] = basis.compress(centered).cpu()
            parallel.complete([self._coordinates[part] for part in parts])

    def samples(self, batches: Sequence[Batch]) -> Iterator[Samples]:
        """Samples of batches, in order; the next are read while the last are worked on.

        Memory is used again: samples are there until those after them, or others, are asked for.
        """
        for batch, parts in zip(batches, read_ahead(self._read, batches), strict=True):
            # what others copy later, from memory that is not pinned, might be written over
            on_cuda = self._device.type == "cuda"
            moved = [part.to(self._device, non_blocking=on_cuda) for part in parts]
            yield self._prepare(moved, batch)

    def _read(self, batch: Batch) -> list[Tensor]:
        """Columns of the data, and kept coordinates if there are any, as they are stored."""
        dtype = self._units.center.dtype
        if self._coordinates is None:
            parts = [self._rows.read(batch.rows, dtype=dtype, memory=self._room(len(batch.rows)))]
        else:
            parts = [self._coordinates[torch.from_numpy(batch.rows)]]
            if not self._reads_orbit:
                # the block that is the identity's after translation
                d, h = self._rows.shape[1] // self._group.order, batch.translation
                block = slice(h * d, (h + 1) * d)
                parts.append(self._rows.read(batch.rows, columns=block, dtype=dtype))
        return [part.pin_memory() for part in parts] if self._device.type == "cuda" else parts

    def _room(self, n: int) -> Tensor:
        """Memory for n rows, which was not handed out the last time."""
        if not self._memory or len(self._memory[0]) < n:
            shape, dtype = (n, self._rows.shape[1]), self._units.center.dtype
            self._memory = [torch.empty(shape, dtype=dtype, device="cpu") for _ in range(2)]
        self._memory.reverse()
        return self._memory[0][:n]

    def _prepare(self, parts: list[Tensor], batch: Batch) -> Samples:
        units, d, h = self._units, self._rows.shape[1] // self._group.order, batch.translation
        if self._basis is not None and self._coordinates is not None:
            targets = self._basis.translate(parts[0], h)
            inputs = targets if self._reads_orbit else units.apply_(parts[1], h * d)
            return Samples(inputs, targets, batch.share)
        # where batches are translated, all blocks have one centre: the order is the same
        stacks = translate(units.apply_(parts[0]), self._group, h)
        targets = stacks if self._basis is None else self._basis.compress(stacks)
        inputs = targets if self._reads_orbit else stacks[:, :d].contiguous()
        return Samples(inputs, targets, batch.share)


def translate(batch: Tensor, group: FiniteGroup, h: int) -> Tensor:
    """Right translation ``(R_h O)[g] = O[g h]``: the orbits of the h-transformed samples."""
    if h == group.identity:
        return batch
    blocks = batch.reshape(len(batch), group.order, -1)
    permutation = torch.from_numpy(group.right_translation(h).copy()).to(batch.device)
    return blocks.index_select(1, permutation).reshape(batch.shape)


@torch.no_grad()
def basis_of(
    rows: Rows, units: Units, options: TrainingOptions, atoms: Tensor | None = None
) -> FittedBasis:
    """Basis of orbit stacks with the share of variance that is asked for.

    Of many rows some, drawn from the seed, stand for all. Atoms (m, |G| d) that are there already
    count as much as the rows, so that a few new rows do not undo them.
    """
    assert options.compression is not None
    chosen = torch.arange(len(rows), dtype=torch.int64, device="cpu")
    if len(rows) > _ROWS_FOR_BASIS:
        generator = generator_for(options.seed, 3)
        shuffled = torch.randperm(len(rows), generator=generator, device="cpu")
        chosen = shuffled[:_ROWS_FOR_BASIS].sort().values
    n_rows = max(1, _BYTES_A_PART // (4 * options.width))
    stacks = (
        units.apply_(rows.read(part.numpy(), dtype=units.center.dtype)).to(options.device)
        for part in chosen.split(n_rows)
    )
    if options.compression != "auto":
        return fit_basis(stacks, options.group, options.compression, atoms)
    return fit_basis(
        stacks,
        options.group,
        _MOST_KEPT,
        atoms,
        least_share=_LEAST_KEPT,
        most=_COORDINATES_A_FIRING * expected_firings(len(rows), options),
    )


def expected_firings(n_rows: int, options: TrainingOptions) -> float:
    """How often an atom fires in one pass over the rows, on average.

    Where `l1` decides how many codes are active, as many are expected as `k` is by default.
    """
    return n_rows * min(options.k or DEFAULT_K, options.n_atoms) / options.n_atoms
