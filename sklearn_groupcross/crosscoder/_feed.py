"""From rows of orbit stacks to the samples of a step: centred, scaled, translated, compressed."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np
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
from ._translation import translate_coordinates

# Rows from which a basis is made: more of them move its axes little. Of 8,000 orbits of photographs
# these keep 0.796 where 0.8 is asked for, and dictionaries explain as much: "What a fit costs
# besides its steps" in docs/benchmarks.
_ROWS_FOR_BASIS = 4_096
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
        self._memory: dict[str, list[Tensor]] = {}
        # On a GPU: centred and scaled stacks, and translations of coordinates, where they fit.
        self._stacks: Tensor | None = None
        self._translations: dict[int, Tensor] = {}
        if _fits_on(device, len(rows) * rows.shape[1]):
            stacks = torch.empty(rows.shape, dtype=torch.float32, device=device)
            parts = list(rows.slices())
            for part, centered in zip(parts, self._centered(parts), strict=True):
                stacks[part] = centered
            self._stacks = stacks
        if basis is not None and 4 * len(rows) * basis.n_coordinates <= _BYTES_KEPT:
            shape = (len(rows), basis.n_coordinates)
            self._coordinates = torch.empty(shape, dtype=torch.float32, device="cpu")
            parts = list(rows.slices())
            own = [part for number, part in enumerate(parts) if parallel.computes(number)]
            for part, centered in zip(own, self._centered(own), strict=True):
                self._coordinates[part] = basis.compress(centered).cpu()
            parallel.complete([self._coordinates[part] for part in parts])
            if self._stacks is not None:
                self._coordinates = self._coordinates.to(device)

    def samples(self, batches: Sequence[Batch], *, n_in_use: int = 1) -> Iterator[Samples]:
        """Samples of batches, in order; the next are read while the last are worked on.

        Memory is used again: samples are there until so many after them, or others, are asked for.
        """
        if self._stacks is not None:
            yield from self._gathered(self._stacks, batches, n_in_use)
            return
        parts_of_batches = read_ahead(lambda batch: self._read(batch, n_in_use + 1), batches)
        for batch, parts in zip(batches, parts_of_batches, strict=True):
            # what others copy later, from memory that is not pinned, might be written over
            on_cuda = self._device.type == "cuda"
            moved = [part.to(self._device, non_blocking=on_cuda) for part in parts]
            yield self._prepare(moved, batch, n_in_use)

    def _read(self, batch: Batch, n_pieces: int) -> list[Tensor]:
        """Columns of the data, and kept coordinates if there are any, as they are stored."""
        dtype = self._units.center.dtype
        if self._coordinates is None:
            room = self._room("read", len(batch.rows), n_pieces, dtype, torch.device("cpu"))
            parts = [self._rows.read(batch.rows, dtype=dtype, memory=room)]
        else:
            parts = [self._coordinates[torch.from_numpy(batch.rows)]]
            if not self._reads_orbit:
                # the block that is the identity's after translation
                d, h = self._rows.shape[1] // self._group.order, batch.translation
                block = slice(h * d, (h + 1) * d)
                parts.append(self._rows.read(batch.rows, columns=block, dtype=dtype))
        return [part.pin_memory() for part in parts] if self._device.type == "cuda" else parts

    def _centered(self, parts: list[slice]) -> Iterator[Tensor]:
        """Centred and scaled stacks of some rows at a time, on the device."""
        if self._stacks is not None:
            yield from (self._stacks[part] for part in parts)
            return
        for block in self._rows.read_parts(parts, dtype=self._units.center.dtype):
            yield self._units.apply_(block.to(self._device))

    def _gathered(
        self, stacks: Tensor, batches: Sequence[Batch], n_pieces: int
    ) -> Iterator[Samples]:
        """Samples of batches, of stacks on a GPU, without waiting for it."""
        rows = np.concatenate([batch.rows for batch in batches]) if batches else np.empty(0, int)
        places = torch.from_numpy(rows).to(self._device)
        d, basis = self._rows.shape[1] // self._group.order, self._basis
        for batch, chosen in zip(
            batches, places.split([len(batch.rows) for batch in batches]), strict=True
        ):
            h = batch.translation
            if basis is None or self._coordinates is None:
                yield self._of_stacks(stacks[chosen], batch, n_pieces)
                continue
            targets = self._translated(self._coordinates[chosen], h)
            inputs = targets if self._reads_orbit else stacks[:, h * d : (h + 1) * d][chosen]
            yield Samples(inputs, targets, batch.share)

    def _translated(self, coordinates: Tensor, h: int) -> Tensor:
        """Coordinates on a GPU, translated by one product in place of some for each irrep."""
        assert self._basis is not None
        n_coordinates = coordinates.shape[1]
        if h not in self._translations:
            if not _fits_on(self._device, n_coordinates**2):
                return self._basis.translate(coordinates, h)
            unit = torch.eye(n_coordinates, dtype=torch.float32, device=self._device)
            self._translations[h] = self._basis.translate(unit, h)
        return coordinates @ self._translations[h]

    def _room(
        self, name: str, n: int, n_pieces: int, dtype: torch.dtype, device: torch.device
    ) -> Tensor:
        """Memory for n rows, which was not handed out the last times: there are so many pieces.

        A fresh piece of that size costs more than what is written into it.
        """
        pieces = self._memory.get(name, [])
        if len(pieces) < n_pieces or len(pieces[0]) < n:
            shape = n, self._rows.shape[1]
            pieces = [torch.empty(shape, dtype=dtype, device=device) for _ in range(n_pieces)]
            self._memory[name] = pieces
        pieces.append(pieces.pop(0))
        return pieces[-1][:n]

    def _prepare(self, parts: list[Tensor], batch: Batch, n_pieces: int) -> Samples:
        units, d, h = self._units, self._rows.shape[1] // self._group.order, batch.translation
        if self._basis is not None and self._coordinates is not None:
            targets = translate_coordinates(self._basis, parts[0], h)
            inputs = targets if self._reads_orbit else units.apply_(parts[1], h * d)
            return Samples(inputs, targets, batch.share)
        # where batches are translated, all blocks have one centre: the order is the same
        return self._of_stacks(units.apply_(parts[0]), batch, n_pieces)

    def _of_stacks(self, stacks: Tensor, batch: Batch, n_pieces: int) -> Samples:
        """Samples of centred and scaled stacks of a batch."""
        d, h = self._rows.shape[1] // self._group.order, batch.translation
        if h != self._group.identity:
            room = self._room("moved", len(stacks), n_pieces, stacks.dtype, stacks.device)
            stacks = translate(stacks, self._group, h, out=room)
        targets = stacks if self._basis is None else self._basis.compress(stacks)
        inputs = targets if self._reads_orbit else stacks[:, :d].contiguous()
        return Samples(inputs, targets, batch.share)


def _fits_on(device: torch.device, n_numbers: int) -> bool:
    """Whether a GPU has room for so many float32 numbers, and as much again three times."""
    return device.type == "cuda" and 16 * n_numbers <= torch.cuda.mem_get_info(device)[0]


def translate(batch: Tensor, group: FiniteGroup, h: int, *, out: Tensor | None = None) -> Tensor:
    """Right translation ``(R_h O)[g] = O[g h]``: the orbits of the h-transformed samples."""
    blocks = batch.reshape(len(batch), group.order, -1)
    permutation = torch.from_numpy(group.right_translation(h).copy()).to(batch.device)
    moved = None if out is None else out.reshape(blocks.shape)
    return torch.index_select(blocks, 1, permutation, out=moved).reshape(batch.shape)


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
    parts = [part.numpy() for part in chosen.split(n_rows)]
    stacks = (
        units.apply_(block).to(options.device)
        for block in rows.read_parts(parts, dtype=units.center.dtype)
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
