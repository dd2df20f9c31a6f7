"""What `straightforward.py` asks of its dictionaries, and what it draws: as one writes it first.

The extent is that of ``groupcross run``: distances of all pairs, strangers for the cut, families by
scikit-learn, features found again by two other seeds, profiles with a jackknife over twenty bags of
held-out images, names of symmetries, responses under every element, variance explained; then a map
by UMAP, and by matplotlib a wheel of patches for every family and a page for every feature.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import matplotlib.pyplot as plt
import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from PIL import Image
from scipy.optimize import linear_sum_assignment
from sklearn.cluster import AgglomerativeClustering
from torch import Tensor
from umap import UMAP

N_BAGS, N_STRANGERS, THRESHOLD, MIN_FREQUENCY = 20, 1000, 0.8, 1e-3
PATCH, N_CELLS = 91, 13


@dataclass
class Analysis:
    table: NDArray[np.int64]
    atoms: Tensor
    distances: NDArray[np.float32]
    alignment: NDArray[np.int64]
    families: NDArray[np.int64]
    found_again: NDArray[np.float64]
    names: list[str]
    confidence: NDArray[np.float64]
    responses: NDArray[np.float64]
    frequency: NDArray[np.float64]
    strongest: tuple[Tensor, Tensor]
    explained: tuple[float, float]


def closest(left: Tensor, right: Tensor, table: Any) -> tuple[Tensor, Tensor]:
    """Largest cosine over all translations of the right atoms (n, order, d), and which it is."""
    best = torch.full((len(left), len(right)), -2.0)
    which = torch.zeros(best.shape, dtype=torch.int64)
    for h in range(len(table)):
        cosine = left.flatten(1) @ right[:, table[:, h]].flatten(1).T
        which[cosine > best] = h
        best = torch.maximum(best, cosine)
    return best, which


def profiles_of(atoms: Tensor, other: Tensor, table: Any) -> Tensor:
    """``Σ_g ⟨A[g], B[gh]⟩`` for every h, of pairs of atoms."""
    blocks = atoms @ other.transpose(1, 2)
    g = torch.arange(len(table))[:, None]
    return blocks[:, g, torch.from_numpy(table)].sum(dim=1)


def codes_of_blocks(loop: Any, orbits: NDArray[np.float32]) -> Tensor:
    """Codes (n, order, m) of every block, which is what the layer gives for the turned input."""
    return loop.encode(normal(loop, orbits).flatten(0, 1)).view(*orbits.shape[:2], -1)


def subgroups(n: int) -> dict[str, list[int]]:
    """Of Dihedral(n), by name: turns, and turns with mirrors."""
    found = {}
    for k in (k for k in range(1, n + 1) if n % k == 0):
        turns = list(range(0, n, n // k))
        found[f"C{k}"] = turns
        for axis in range(n // k):
            found[f"D{k} about {axis}"] = turns + [n + (axis + t) % n for t in turns]
    return found


def named(profiles: NDArray[np.floating], groups: dict[str, list[int]]) -> NDArray[np.int64]:
    """The largest symmetry of which mean and minimum reach the threshold, of each profile."""
    scores = np.stack(
        [np.minimum(profiles[:, h].mean(1), profiles[:, h].min(1)) for h in groups.values()], axis=1
    )
    sizes = np.array([len(elements) for elements in groups.values()])
    return np.where(scores > THRESHOLD, sizes + scores / 10, 0).argmax(axis=1)


def strangers(atoms: Tensor, table: Any) -> float:
    """The distance that two in a hundred atoms with random signs of channels come below."""
    rng = np.random.default_rng(0)
    chosen = rng.permutation(len(atoms))[:N_STRANGERS]
    signs = torch.from_numpy(rng.choice([-1.0, 1.0], (len(chosen), 1, atoms.shape[2]))).float()
    best, _ = closest(atoms[chosen] * signs, atoms, table)
    best[torch.arange(len(chosen)), chosen] = -1
    return float(np.clip(np.quantile(1 - best.max(dim=1).values.numpy(), 0.02), 0.1, 0.6))


def normal(loop: Any, orbits: NDArray[np.float32]) -> Tensor:
    """Orbits, or blocks of them, in the units of training."""
    return (torch.from_numpy(orbits) - loop.mean[: orbits.shape[-1]]) * loop.scale


def explained(loop: Any, orbits: NDArray[np.float32]) -> float:
    """Share of variance, in batches."""
    left = total = 0.0
    for rows in np.array_split(orbits.reshape(len(orbits), -1), -(-len(orbits) // 1024)):
        batch = normal(loop, rows)
        left += float((batch - loop.decode(loop.encode(batch[:, : loop.d]))).square().sum())
        total += float(batch.square().sum())
    return 1 - left / total


def correlations(
    loop: Any, orbits: NDArray[np.float32], image: NDArray[np.int64], table: Any
) -> NDArray[np.float64]:
    """How alike codes are on y and on h·y, with each image left out: (images, m, order)."""
    sums, squares, products = [], [], []
    for i in np.unique(image):
        codes = codes_of_blocks(loop, orbits[image == i]).permute(2, 0, 1).contiguous()
        sums.append(codes.sum(dim=(1, 2)))
        squares.append(codes.square().sum(dim=(1, 2)))
        gram = codes.transpose(1, 2) @ codes
        g = torch.arange(len(table))[:, None]
        products.append(gram[:, torch.from_numpy(table), g].sum(dim=1))
    s, q, p = (torch.stack(part).double() for part in (sums, squares, products))
    s, q, p = s.sum(0) - s, q.sum(0) - q, p.sum(0) - p
    n = (len(orbits) - len(orbits) / len(s)) * len(table)
    variance = (q / n - (s / n) ** 2).clamp(min=1e-12)
    return ((p / n - ((s / n) ** 2)[..., None]) / variance[..., None]).numpy()


@torch.no_grad()
def refitted(
    loop: Any, orbits: NDArray[np.float32], image: NDArray[np.int64], table: Any
) -> list[NDArray[np.float32]]:
    """Profiles of atoms that least squares makes of held-out images, each bag left out in turn."""
    bag = np.random.default_rng(0).permutation(np.arange(image.max() + 1) % N_BAGS)[image]
    sums = []
    for b in range(min(N_BAGS, bag.max() + 1)):
        rows = np.flatnonzero(bag == b)
        batch = normal(loop, orbits[rows].reshape(len(rows), -1))
        codes = loop.encode(batch[:, : loop.d])
        residual = batch - loop.decode(codes)
        sums.append(codes.T @ residual + codes.square().sum(0)[:, None] * loop.decoder)
    total = sum(sums)
    found = []
    for of_bag in sums:
        rest = F.normalize(total - of_bag, dim=1).view(len(total), len(table), -1)
        found.append(profiles_of(rest, rest, table).numpy())
    return found


@torch.no_grad()
def analyse(
    loops: list[Any],
    training: NDArray[np.float32],
    held_out: NDArray[np.float32],
    image: NDArray[np.int64],
    table: NDArray[np.int64],
) -> Analysis:
    first, *rest = loops
    dictionaries = [
        F.normalize(loop.decoder, dim=1).view(loop.n_atoms, len(table), -1) for loop in loops
    ]
    atoms = dictionaries[0]
    similarity, alignment = closest(atoms, atoms, table)
    distances = (1 - (similarity + similarity.T) / 2).clamp(min=0).numpy()
    np.fill_diagonal(distances, 0)
    families = AgglomerativeClustering(
        n_clusters=None,
        metric="precomputed",
        linkage="average",
        distance_threshold=strangers(atoms, table),
    ).fit_predict(distances)
    found_again = np.zeros(len(atoms))
    for other in dictionaries[1:]:
        best, _ = closest(atoms, other, table)
        rows, columns = linear_sum_assignment(-best.numpy())
        found_again[rows] += best.numpy()[rows, columns] >= 0.7
    groups = subgroups(len(table) // 2)
    names = named(profiles_of(atoms, atoms, table).numpy(), groups)
    again = [named(profiles, groups) for profiles in refitted(first, held_out, image, table)]
    return Analysis(
        table,
        atoms,
        distances,
        alignment.numpy(),
        families,
        found_again / max(1, len(rest)),
        [list(groups)[name] for name in names],
        np.mean([one == names for one in again], axis=0),
        correlations(first, held_out, image, table),
        (first.encode(normal(first, held_out[:, 0])) > 0).double().mean(0).numpy(),
        strongest(first, held_out, image),
        (explained(first, training), explained(first, held_out)),
    )


def strongest(
    loop: Any, orbits: NDArray[np.float32], image: NDArray[np.int64]
) -> tuple[Tensor, Tensor]:
    """The largest code of each feature on any block of every orbit, and that block."""
    found = [codes_of_blocks(loop, orbits[image == i]).max(dim=1) for i in np.unique(image)]
    return torch.cat([one.values for one in found]), torch.cat([one.indices for one in found])


@torch.no_grad()
def draw(
    analysis: Analysis,
    loops: list[Any],
    turned: Any,
    images: list[Image.Image],
    positions: NDArray[np.floating],
    out: Path,
) -> None:
    """A map, a wheel for each family, and a page for each feature that fires."""
    codes, blocks = analysis.strongest
    mapper = UMAP(metric="precomputed", random_state=0)
    places = mapper.fit_transform(analysis.distances)
    figure, axes = plt.subplots()
    axes.scatter(*places.T, c=analysis.families, s=4)
    save(figure, out / "map.png")
    shown = np.flatnonzero(analysis.frequency >= MIN_FREQUENCY)
    best: dict[int, NDArray[np.uint8]] = {}
    for feature in shown:
        samples = choose(codes[:, feature].numpy(), len(images))
        elements = blocks[samples, feature].numpy()
        best[feature] = page(
            feature, analysis, loops[0], turned, images, positions, samples, elements, out
        )
    for family in np.unique(analysis.families):
        members = [m for m in np.flatnonzero(analysis.families == family) if m in best]
        if len(members) > 1:
            wheel(family, members, analysis, best, out)


def choose(codes: NDArray[np.float32], n_images: int) -> list[int]:
    """The five strongest of different images, and three weaker ones."""
    order = np.argsort(-codes)
    image = order // (len(codes) // n_images)
    first = np.sort(np.unique(image, return_index=True)[1])[:5]
    n_firing = max(1, int((codes > 0).sum()))
    return [*order[first], *order[[int(share * (n_firing - 1)) for share in (0.05, 0.25, 0.5)]]]


def page(
    feature: int,
    analysis: Analysis,
    loop: Any,
    turned: Any,
    images: list[Image.Image],
    positions: NDArray[np.floating],
    samples: list[int],
    elements: NDArray[np.int64],
    out: Path,
) -> NDArray[np.uint8]:
    """Patches with where in them the feature fires, its profile, responses and transform block."""
    n_positions = positions.shape[1]
    views, moved = [], []
    for sample, g in zip(samples, elements, strict=True):
        image, place = divmod(int(sample), n_positions)
        views.append(turned.view(images[image], int(g)))
        moved.append(turned.positions(positions[image, place], int(g)))
    offsets = (np.arange(N_CELLS) - (N_CELLS - 1) / 2) * PATCH / N_CELLS
    square = np.stack(np.meshgrid(offsets, offsets), axis=-1).reshape(-1, 2)
    around = turned.read(turned.maps(views), np.stack(moved)[:, None] + square)
    activations = around.permute(0, 2, 1).flatten(0, 1).numpy()
    where = loop.encode(normal(loop, activations))[:, feature].view(-1, N_CELLS, N_CELLS)
    figure, axes = plt.subplots(2, 6, figsize=(12, 4))
    patches = [patch(view, position) for view, position in zip(views, moved, strict=True)]
    for ax, cut, fires in zip(axes.flat, patches, where, strict=False):
        ax.imshow(cut)
        ax.imshow(fires, extent=(0, PATCH, PATCH, 0), alpha=0.3)
        ax.axis("off")
    atom = analysis.atoms[feature : feature + 1]
    axes[1, 2].plot(profiles_of(atom, atom, analysis.table)[0])
    axes[1, 3].plot(analysis.responses[:, feature].mean(axis=0))
    unit = F.normalize(atom[0], dim=1)
    axes[1, 4].imshow(unit @ unit.T, vmin=-1, vmax=1, cmap="RdBu")
    axes[1, 5].hist(analysis.strongest[0][:, feature], bins=24)
    figure.suptitle(
        f"{feature}: {analysis.names[feature]}, {analysis.confidence[feature]:.2f}; found again "
        f"{analysis.found_again[feature]:.2f}; fires on {analysis.frequency[feature]:.3f}"
    )
    save(figure, out / f"feature-{feature}.png")
    return patches[0]


def patch(view: Image.Image, position: NDArray[np.floating]) -> NDArray[np.uint8]:
    left, top = np.round((view.width - 1) / 2 + position - PATCH / 2).astype(int)
    return np.asarray(view.crop((left, top, left + PATCH, top + PATCH)))


def wheel(
    family: int,
    members: list[int],
    analysis: Analysis,
    best: dict[int, NDArray[np.uint8]],
    out: Path,
) -> None:
    """Patches of a family's members where turning the one in the middle leads."""
    among = analysis.distances[np.ix_(members, members)]
    medoid = members[int(among.sum(axis=1).argmin())]
    n_turns = len(analysis.table) // 2
    figure = plt.figure(figsize=(6, 6))
    for member in members:
        angle = 2 * np.pi * (analysis.alignment[member, medoid] % n_turns) / n_turns
        radius = 0.0 if member == medoid else 0.4
        x, y = 0.45 + radius * np.cos(angle), 0.45 + radius * np.sin(angle)
        ax = figure.add_axes((x, y, 0.1, 0.1))
        ax.imshow(best[member])
        ax.axis("off")
    save(figure, out / f"family-{family}.png")


def save(figure: Any, path: Path) -> None:
    figure.savefig(path, dpi=80)
    plt.close(figure)
