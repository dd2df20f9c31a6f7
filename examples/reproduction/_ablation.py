"""A layer's features kept or taken out, and what the rest of the network makes of it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from scipy import sparse
from torch import Tensor, fx, nn

from sklearn_groupcross import GroupCrosscoder
from sklearn_groupcross.actions import center_crop
from sklearn_groupcross.crosscoder import codes_of_activations
from sklearn_groupcross.networks import Network, receptive_field
from sklearn_groupcross.orbits import ImageSource

FloatArray = NDArray[np.float32]
Indices = NDArray[np.int64]

_BATCH = 12  # photographs


def rest_of(network: Network, layer: str) -> Callable[[Tensor], Tensor]:
    """The network after a layer, from the layer's map to class scores.

    It costs a quarter of the whole, which counts where one map is replaced a hundred times.

    Raises
    ------
    ValueError
        If what comes after does not depend on the layer alone.
    """

    class Tracer(fx.Tracer):
        def is_leaf_module(self, module: nn.Module, name: str) -> bool:
            return name == layer or super().is_leaf_module(module, name)

    rest = fx.GraphModule(network.module, Tracer().trace(network.module))
    node = next(n for n in rest.graph.nodes if n.op == "call_module" and n.target == layer)
    with rest.graph.inserting_before(node):
        maps = rest.graph.placeholder("maps")
    node.replace_all_uses_with(maps)
    rest.graph.erase_node(node)
    rest.graph.eliminate_dead_code()
    for other in [n for n in rest.graph.nodes if n.op == "placeholder" and n is not maps]:
        if other.users:
            raise ValueError(f"what follows {layer!r} reads the image past it")
        rest.graph.erase_node(other)
    rest.recompile()
    return rest.eval()


def read_maps(network: Network, layer: str, source: ImageSource) -> FloatArray:
    """Maps of photographs' centres, (n, height, width, channels), scaled as for a test."""
    size = network.input_size
    maps = []
    for start in range(0, len(source), _BATCH):
        numbers = range(start, min(start + _BATCH, len(source)))
        images = torch.stack([source.load(i, round(size * 8 / 7)) for i in numbers])
        maps.append(network.activations(center_crop(images, size), layer).permute(0, 2, 3, 1))
    return torch.cat(maps).contiguous().numpy()


def whole_units(network: Network, layer: str) -> NDArray[np.bool_]:
    """Which units of a map see nothing but the image, (height, width).

    Positions of orbits are drawn among these: of the others, which see padding, a dictionary has
    learned nothing, and its reconstruction there can be worse than none.
    """
    field = receptive_field(network, layer)
    inside = []
    for axis in (1, 0):
        centers = field.offset[axis] + field.stride[axis] * np.arange(field.map_size[axis])
        reach = (field.size[axis] - 1) / 2
        inside.append((centers >= reach) & (centers <= field.input_size - 1 - reach))
    return inside[0][:, None] & inside[1]


class Ablations:
    """Maps with features of one dictionary kept, or taken out.

    Parameters
    ----------
    crosscoder : GroupCrosscoder
    maps : ndarray of shape (n, height, width, channels)
    rest : callable
        What makes class scores of maps.
    whole : ndarray of shape (height, width), bool
        Units where anything is changed; see `whole_units`.

    Attributes
    ----------
    atoms : ndarray of shape (m, channels)
        Of the identity's block: what a code adds to the map of an image as it is.
    shared : ndarray of shape (m, m)
        Mean over these units of the product of two features' parts of the map: over a set of them
        its sum is the energy of what the set adds.
    """

    def __init__(
        self,
        crosscoder: GroupCrosscoder,
        maps: FloatArray,
        rest: Callable[[Tensor], Tensor],
        whole: NDArray[np.bool_],
    ) -> None:
        self.maps, self.rest, self.whole = maps, rest, whole[..., None]
        channels = maps.shape[-1]
        self.atoms = np.asarray(crosscoder.components_[:, :channels], dtype=np.float32)
        self.bias = np.asarray(crosscoder.intercept_[:channels], dtype=np.float32)
        self._codes = []
        for part in self._parts():
            codes = codes_of_activations(crosscoder, part.reshape(-1, channels), sparse=True)
            changed = sparse.diags_array(np.tile(whole.ravel().astype(np.float32), len(part)))
            self._codes.append(sparse.csc_array(changed @ codes))
        products = sum(np.asarray((codes.T @ codes).todense()) for codes in self._codes)
        n_positions = len(maps) * int(whole.sum())
        gram = np.asarray(self.atoms, dtype=float) @ self.atoms.T
        self.shared: NDArray[np.float64] = np.asarray(products / n_positions * gram)

    def energy(self, features: Indices) -> float:
        """Mean squared norm of what the features add, over positions."""
        return float(self.shared[np.ix_(features, features)].sum())

    def explained(self, features: Indices) -> float:
        """Share of the variance of these units that the features alone, with the bias, explain."""
        left = sum(np.square(part - self._kept(codes, features, part)).sum(dtype=float)
                   for part, codes in zip(self._parts(), self._codes, strict=True))  # fmt: skip
        return float(1 - left / np.square(self.maps - self.means()).sum(dtype=float))

    def means(self) -> FloatArray:
        """The maps with the mean of these units in all of them."""
        mean = self.maps.mean(axis=(0, 1, 2), dtype=np.float64, where=self.whole)
        return np.where(self.whole, mean.astype(np.float32), self.maps)

    def keep(self, features: Indices) -> FloatArray:
        """Class scores of the map put together of these features alone."""
        return self._scores(lambda part, codes: self._kept(codes, features, part))

    def take_out(self, features: Indices, turn: FloatArray | None = None) -> FloatArray:
        """Class scores of the map without what these features add.

        What the dictionary does not explain stays in place: putting the reconstruction there would
        change the network's answer more than most families do, and that change is not theirs.

        Parameters
        ----------
        features : ndarray of int
        turn : ndarray of shape (channels, channels), optional
            An orthogonal matrix: as much is taken out at every position, of another direction.
        """
        atoms = self.atoms[features] if turn is None else self.atoms[features] @ turn
        return self._scores(
            lambda part, codes: part - (codes[:, features] @ atoms).reshape(part.shape)
        )

    def _kept(self, codes: Any, features: Indices, part: FloatArray) -> FloatArray:
        kept = (codes[:, features] @ self.atoms[features] + self.bias).reshape(part.shape)
        return np.where(self.whole, kept, part)

    def _parts(self) -> list[FloatArray]:
        return [self.maps[i : i + _BATCH] for i in range(0, len(self.maps), _BATCH)]

    def _scores(self, replace: Callable[[FloatArray, Any], FloatArray]) -> FloatArray:
        pairs = zip(self._parts(), self._codes, strict=True)
        return np.concatenate([scores_of(replace(part, codes), self.rest) for part, codes in pairs])


@torch.inference_mode()
def scores_of(maps: FloatArray, rest: Callable[[Tensor], Tensor]) -> FloatArray:
    """Class scores that the rest of a network makes of maps, (n, height, width, channels)."""
    parts = (maps[i : i + _BATCH] for i in range(0, len(maps), _BATCH))
    tensors = (torch.from_numpy(np.ascontiguousarray(part)) for part in parts)
    return torch.cat([rest(part.permute(0, 3, 1, 2)) for part in tensors]).numpy()


def draw_alike(
    shared: NDArray[np.float64],
    features: Indices,
    candidates: Indices,
    rng: np.random.Generator,
    tolerance: float,
) -> tuple[Indices, float]:
    """Draw as many of the candidates, of the same energy as the given features together.

    Features drawn at random are exchanged for others, drawn at random, wherever that brings the
    energy nearer; until it is near enough.

    Parameters
    ----------
    shared : ndarray of shape (m, m)
        See `Ablations`.
    features, candidates : ndarray of int
    rng : numpy.random.Generator
    tolerance : float
        Share of the energy by which it may differ.

    Returns
    -------
    drawn : ndarray of int
    deviation : float
        Share of the energy by which it does: larger than the tolerance where there are too few
        candidates. NaN without energy.
    """
    aim = shared[np.ix_(features, features)].sum()
    order = rng.permutation(candidates)
    drawn, others = order[: len(features)], order[len(features) :]
    sums, energy = shared[:, drawn].sum(axis=1), shared[np.ix_(drawn, drawn)].sum()
    for _ in range(200 * len(candidates)):
        if not len(others) or abs(energy - aim) <= tolerance * aim:
            break
        i, j = rng.integers(len(drawn)), rng.integers(len(others))
        out, into = drawn[i], others[j]
        changed = energy - 2 * sums[out] + shared[out, out]
        changed += 2 * (sums[into] - shared[into, out]) + shared[into, into]
        if abs(changed - aim) < abs(energy - aim):
            drawn[i], others[j], energy = into, out, changed
            sums += shared[:, into] - shared[:, out]
    return np.sort(drawn), float(abs(energy - aim) / aim) if aim > 0 else float("nan")


def log_probabilities(scores: FloatArray) -> NDArray[np.float64]:
    """Of logits, or of probabilities, which some networks put out."""
    values = np.asarray(scores, dtype=float)
    if (values >= 0).all() and np.allclose(values.sum(axis=1), 1, atol=1e-3):
        return np.asarray(np.log(np.maximum(values, np.finfo(np.float32).tiny)))
    return np.asarray(torch.from_numpy(values).log_softmax(dim=1).numpy())


def random_turn(n: int, rng: np.random.Generator) -> FloatArray:
    """Draw an orthogonal matrix."""
    q, r = np.linalg.qr(rng.standard_normal((n, n)))
    return np.asarray(q * np.sign(np.diag(r)), dtype=np.float32)


def union(sets: Sequence[Indices]) -> Indices:
    """All of them, each once."""
    return np.unique(np.concatenate([np.empty(0, dtype=np.int64), *sets]))
