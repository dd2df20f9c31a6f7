"""Signatures of failure in a dictionary, each a pure function of its unit atoms."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from sklearn.utils import check_random_state

from ..groups import FiniteGroup
from ._correlation import Spectra
from ._finding import Finding
from ._similarity import nearest_cosines

FloatArray = NDArray[np.floating]

#: What one shuffled dictionary in twenty reaches is no evidence.
CHANCE = 0.05
#: Five times chance. Of 512 atoms of GoogLeNet under D8 70 % have partners beyond chance and all
#: have such profiles; 11 % of either with their blocks in a wrong order, for orders share products.
BEYOND_CHANCE = 0.25
#: Cosine at the identity translation above which two atoms are one atom twice.
DUPLICATE = 0.95
#: A quarter of the atoms: a dictionary smaller by a quarter would do as well.
MOST_WASTED = 0.25
#: Fewer elements have fewer than twenty arrangements, and none is rarer than chance.
MIN_ORDER_FOR_ARRANGEMENTS = 6

_FIXED = 0.8  # share of an atom's energy that the whole group fixes
_QUERIES = 256
_TILE = 2**24  # numbers in one batch of cosines
_ARRANGEMENTS = 99


class Partners(NamedTuple):
    """Cosine of some features with their nearest other one: as they are, and shuffled."""

    observed: FloatArray
    by_chance: FloatArray

    @property
    def share(self) -> float:
        """Share of the features whose partner is nearer than 95 % of those among shuffled atoms."""
        # rounding: shuffling leaves an atom of equal blocks as it is
        limit = np.quantile(self.by_chance, 1 - CHANCE) + 1e-5
        return float((self.observed > limit).mean())


def find_partners(
    atoms: FloatArray, group: FiniteGroup, random_state: int | np.random.RandomState | None = 0
) -> Partners | None:
    """Nearest other feature of up to 256 features, and the same among shuffled atoms.

    Nearest under all right translations. The blocks of every atom are shuffled, each atom's in
    another way, which leaves every block as it is and takes away what the group relates. Atoms of
    much symmetry are more alike by chance than shuffled ones are; those that the whole group fixes
    stay what they are when shuffled, and are left out.

    Parameters
    ----------
    atoms : ndarray of shape (m, order, d)
        Unit atoms, none of them zero.
    group : FiniteGroup
    random_state : int, RandomState instance or None, default=0

    Returns
    -------
    partners : Partners or None
        None for fewer than three such features, or two elements.
    """
    changes = group.order * np.square(atoms.mean(axis=1)).sum(axis=1) < _FIXED
    atoms = atoms[changes]
    if len(atoms) < 3 or group.order < 3:
        return None
    rng = check_random_state(random_state)
    queries = np.sort(rng.permutation(len(atoms))[:_QUERIES])
    arrangement = np.argsort(rng.random_sample(atoms.shape[:2]), axis=1)
    shuffled = np.take_along_axis(atoms, arrangement[..., None], 1)
    return Partners(_nearest(atoms, queries, group), _nearest(shuffled, queries, group))


def find_no_clusters(partners: Partners) -> Finding | None:
    """Features have no partners that atoms with shuffled blocks would not have as well.

    Parameters
    ----------
    partners : Partners

    Returns
    -------
    finding : Finding or None
    """
    value = partners.share
    if value > BEYOND_CHANCE:
        return None
    return Finding(
        "no clusters",
        f"{value:.0%} of the features have another one as near as only {CHANCE:.0%} do when the "
        f"blocks of every atom are shuffled (limit {BEYOND_CHANCE:.0%}, five times chance): what "
        "families there are, the group does not make them.",
        value,
        BEYOND_CHANCE,
        "More data or epochs; more atoms, or fewer; augment=True where the data is closed under "
        "the group. If blocks are also unaligned, see there first.",
        {"nearest": partners.observed, "nearest_shuffled": partners.by_chance},
    )


def find_flat_profiles(
    profiles: FloatArray, threshold: float = 0.8, orbits: FloatArray | None = None
) -> Finding | None:
    """Most features look the same under every transformation.

    The mean of a self-profile over the group is exactly the share of the atom's energy that the
    whole group fixes. The figure is its median over features, the limit what a symmetry must reach
    to be named: above it, half of the features would be named fixed by everything.

    Parameters
    ----------
    profiles : ndarray of shape (m, order)
        Of atoms that are not zero.
    threshold : float, default=0.8
    orbits : ndarray of shape (n_samples, order, n_channels), optional
        They tell a layer that hardly depends on the transformations from a dictionary that has
        not learned what they do.

    Returns
    -------
    finding : Finding or None
    """
    if len(profiles) == 0 or profiles.shape[1] == 1:
        return None
    fixed = profiles.mean(axis=1)
    value = float(np.median(fixed))
    if value <= threshold:
        return None
    words = (
        f"In the median feature the whole group fixes {value:.0%} of the energy (limit "
        f"{threshold:.0%}): the dictionary hardly tells one transformation from another."
    )
    advice = (
        "See whether the orbits differ from block to block at all: the action may not reach the "
        "network's input, or every block may be read at a place where the images are blank. Train "
        "longer if atoms have not yet grown from their mean."
    )
    evidence = {"fixed_energy": fixed, "mean_profile": profiles.mean(axis=0)}
    share = None if orbits is None else _shared_by_blocks(orbits)
    if share is not None:
        evidence["shared_by_blocks"] = np.array([share])
        words += f" Of the orbits' variance {share:.1%} is the same in all blocks."
        if share > threshold:
            advice = (
                "It is so in the network: this layer hardly depends on the transformations, and "
                "no setting of the fit changes that. Read another layer, an earlier one or one "
                "before pooling, or see whether the action reaches the network's input at all."
            )
    return Finding("flat profiles", words, value, threshold, advice, evidence)


def _shared_by_blocks(orbits: FloatArray) -> float | None:
    """Share of the variance of orbits that all blocks have in common; None if there is none."""
    centred = orbits - orbits.mean(axis=(0, 1), dtype=np.float64)
    total = float((centred**2).mean(axis=(0, 1)).sum())
    return float((centred.mean(axis=1) ** 2).mean(axis=0).sum()) / total if total else None


def find_unaligned_blocks(
    atoms: FloatArray, group: FiniteGroup, random_state: int | np.random.RandomState | None = 0
) -> Finding | None:
    """Self-profiles look as they would with the blocks in any other order.

    An atom's profile varies over h ≠ e where it has any symmetry or smoothness under the group. It
    is compared with 99 other orders of the same blocks; the figure is the share of atoms whose
    profile varies more than in 95 % of them. Atoms of blocks that have nothing to do with each
    other give no sign either way: `diagnose` asks only where most features lack partners too.

    Parameters
    ----------
    atoms : ndarray of shape (m, order, d)
        Unit atoms, none of them zero.
    group : FiniteGroup
    random_state : int, RandomState instance or None, default=0

    Returns
    -------
    finding : Finding or None
        None for groups of fewer than six elements, whose orders can hardly be told apart.
    """
    if len(atoms) == 0 or group.order < MIN_ORDER_FOR_ARRANGEMENTS:
        return None
    rng = check_random_state(random_state)
    chosen = np.sort(rng.permutation(len(atoms))[:_QUERIES])
    gram = atoms[chosen] @ atoms[chosen].transpose(0, 2, 1)
    # atoms of equal blocks vary by rounding errors alone, in any order
    observed = np.where(np.ptp(gram, axis=(1, 2)) > 1e-5, _profile_variance(gram, group), 0.0)
    by_chance = np.stack(
        [_profile_variance(gram, group, rng.permutation(group.order)) for _ in range(_ARRANGEMENTS)]
    )
    exceeded = (1 + (by_chance >= observed).sum(axis=0)) / (1 + _ARRANGEMENTS)
    value = float((exceeded <= CHANCE).mean())
    if value > BEYOND_CHANCE:
        return None
    return Finding(
        "unaligned blocks",
        f"The self-profiles of {value:.0%} of the features vary more than with their blocks in "
        f"another order (limit {BEYOND_CHANCE:.0%}, chance {CHANCE:.0%}): away from the identity "
        "they say nothing.",
        value,
        BEYOND_CHANCE,
        "Check that block g holds the activations of g·x, in the order of the Cayley table "
        "(sklearn_groupcross.actions has the laws as a check), and that positions follow the "
        "action.",
        {"variance": observed, "variance_shuffled": by_chance.mean(axis=0)},
    )


def find_wasted_atoms(atoms: FloatArray, dead: NDArray[np.bool_]) -> list[Finding]:
    """Many atoms are dead, or the same as another one.

    Translates of an atom are other features. The same atom twice is a waste: a cosine above 0.95
    with an earlier atom, nothing translated.

    Parameters
    ----------
    atoms : ndarray of shape (m, order, d)
        Unit atoms; zeros where dead.
    dead : ndarray of shape (m,), bool
        Zero, or never active.

    Returns
    -------
    findings : list of Finding
        Up to two.
    """
    findings = []
    share = float(dead.mean()) if len(dead) else 0.0
    if share > MOST_WASTED:
        findings.append(
            Finding(
                "dead atoms",
                f"{share:.0%} of the atoms are dead (limit {MOST_WASTED:.0%}: a dictionary smaller "
                "by a quarter would do as well).",
                share,
                MOST_WASTED,
                "Lower l1 or learning_rate, keep warm-ups, leave dead_features at 'auto', or ask "
                "for fewer atoms.",
                {"dead": dead.astype(float)},
            )
        )
    flat = atoms.reshape(len(atoms), atoms.shape[1] * atoms.shape[2])[~dead]
    largest = np.zeros(len(flat))
    step = max(1, _TILE // max(1, len(flat)))
    for start in range(0, len(flat), step):
        cosines = np.tril(flat[start : start + step] @ flat.T, start - 1)
        largest[start : start + step] = cosines.max(axis=1)
    share = float((largest > DUPLICATE).mean()) if len(flat) else 0.0
    if share > MOST_WASTED:
        findings.append(
            Finding(
                "duplicate atoms",
                f"{share:.0%} of the living atoms are within a cosine of {DUPLICATE} of an earlier "
                f"one, as they stand (limit {MOST_WASTED:.0%}).",
                share,
                MOST_WASTED,
                "Ask for fewer atoms, or give more varied data; a larger l1 makes copies pay.",
                {"largest_cosine": largest},
            )
        )
    return findings


def _nearest(atoms: FloatArray, queries: NDArray[np.int64], group: FiniteGroup) -> FloatArray:
    """Largest cosine of some atoms with any other, over all right translations."""
    none = np.zeros(len(atoms), dtype=bool)
    spectra = Spectra(atoms, group, torch.device("cpu"))
    return nearest_cosines(atoms[queries], spectra, queries, none)


def _profile_variance(
    gram: FloatArray, group: FiniteGroup, order: NDArray[np.int64] | None = None
) -> FloatArray:
    """Variance over h ≠ e of ``Σ_g A[g, g h]``, with the blocks in some order."""
    order = np.arange(group.order) if order is None else order
    products = order[group.cayley_table[:, 1:]]
    return gram[:, order[:, None], products].sum(axis=1).var(axis=1)
