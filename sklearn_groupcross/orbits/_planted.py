"""Orbits made from a dictionary that is known, to see whether it is found again."""

from __future__ import annotations

import math
from collections.abc import Sequence
from numbers import Integral, Real
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray
from sklearn.utils import Bunch, check_random_state

from .._ambient import own_state
from .._sklearn import Interval, StrOptions, validate_parameter_constraints
from ..groups import FiniteGroup, Subgroup, as_group
from ._dictionary import (
    MEAN_SQUARE_CODE,
    choose_stabilizers,
    draw_codes,
    one_a_family,
    plant_atoms,
    row_chunks,
)

_POSITIVE = [Interval(Integral, 1, None, closed="left")]
_CONSTRAINTS: dict[str, list[Any]] = {
    "n_samples": _POSITIVE,
    "group": [FiniteGroup, str],
    "n_channels": _POSITIVE,
    "n_families": _POSITIVE,
    "n_active": _POSITIVE,
    "closed": ["boolean"],
    "smoothness": [Interval(Real, 0, 100, closed="both"), list, tuple],
    "energies": [Interval(Real, 0, 1, closed="right"), list, tuple],
    "noise": [Interval(Real, 0, None, closed="left")],
    "stabilizers": [StrOptions({"random", "trivial"}), Subgroup, list, tuple],
    # beyond ten, the tenth family would be drawn once in 10 billion times
    "frequencies": [StrOptions({"uniform"}), Interval(Real, 0, 10, closed="both")],
    "observation": [StrOptions({"linear", "network"})],
    "n_latent": [*_POSITIVE, None],
    "random_state": ["random_state"],
}


class _Network(NamedTuple):
    """A layer that every block passes alike: ``max(mixing @ latent + bias, 0)``."""

    mixing: NDArray[np.float32]
    bias: NDArray[np.float32]


@own_state()
def make_orbits(
    n_samples: int = 1000,
    *,
    group: FiniteGroup | str,
    n_channels: int = 32,
    n_families: int = 4,
    n_active: int = 4,
    closed: bool = True,
    noise: float = 0.05,
    stabilizers: str | Subgroup | Sequence[Subgroup] = "random",
    smoothness: float | Sequence[float] = 0.0,
    energies: float | Sequence[float] = 1.0,
    frequencies: str | float = "uniform",
    observation: str = "linear",
    n_latent: int | None = None,
    random_state: int | np.random.RandomState | None = None,
) -> Bunch:
    """Draw orbit stacks as sparse sums of planted atoms with known symmetry.

    Each family starts from a random atom, averaged over a subgroup, its stabilizer, which then
    fixes it. Its other members are the atom's distinct right translates, one for each coset of the
    stabilizer.

    Parameters
    ----------
    n_samples : int, default=1000
    group : FiniteGroup or str
    n_channels : int, default=32
    n_families : int, default=4
    n_active : int, default=4
        Atoms that make up one sample; each has a code of 1 plus an exponential.
    closed : bool, default=True
        Plant every translate of an atom; otherwise one atom a family.
    noise : float, default=0.05
        Standard deviation of the noise on a coordinate, relative to that of the signal. With
        ``observation="network"``, of what enters the ReLU, so that no activation is negative.
    stabilizers : {"random", "trivial"}, Subgroup or list of Subgroup, default="random"
        The subgroup that fixes the first atom of each family; its h-translate has the stabilizer
        conjugated by h. ``"random"`` draws from all subgroups; ``"trivial"`` makes free families,
        of |G| members when `closed`; one `Subgroup` serves all families, a list has one a family.
    smoothness : float or list of float, default=0
        How far a block is alike its neighbours, in steps of the group (of turns by 30° for
        ``Dihedral(12)``): blocks are mixed by a random walk of that root mean square length, whose
        steps are the conjugates of element 1 and its inverse. 0: neighbours know nothing of each
        other. In a product only the right factor is smoothed. A list has one number a family.
        Smooth atoms can be nearly fixed by more than their stabilizer.
    energies : float or list of float, default=1
        Share, in (0, 1], of each atom's energy that its subgroup of `stabilizers` fixes, exactly.
        Below 1 the atom is a *near miss*: almost symmetric, and fixed by nothing. A list has one
        number a family.
    frequencies : "uniform" or float, default="uniform"
        How often atoms are active. A number is the exponent of a power law: the atoms of family r
        = 0, 1, ... have odds ``(r + 1) ** -frequencies`` of being drawn next, 0 being uniform.
        Members of a family share their odds. The active atoms of a sample differ, so that with
        many of them the most frequent families saturate.
    observation : {"linear", "network"}, default="linear"
        ``"linear"``: orbits are the sums themselves. ``"network"``: the sums live in `n_latent`
        channels, and every block of them passes the same random layer, ``max(mixing @ latent +
        bias, 0)``. It commutes with right translation, and its activations are non-negative, about
        half of them zero.
    n_latent : int, optional
        Channels of the planted atoms with ``observation="network"``. Default: `n_channels`.
    random_state : int, RandomState instance or None, default=None
        The same seed gives the same bits. The planted atoms depend on neither the number of
        samples nor on how they are observed, and the codes not on `noise`.

    Returns
    -------
    data : `~sklearn.utils.Bunch`
        With the attributes

        orbits : ndarray of shape (n_samples, order, n_channels), float32
            The data: block index = element index.
        components : ndarray of shape (n_atoms, order, n_channels), float32
            Unit atoms, family after family: what a dictionary should find. See Notes for
            ``observation="network"``.
        codes : ndarray of shape (n_samples, n_atoms), float32
            Non-negative, `n_active` of them positive in each row.
        families : ndarray of shape (n_atoms,), int64
            Number of each atom's family.
        stabilizers : list of Subgroup
            What fixes each atom: for near misses, the trivial subgroup.
        subgroups : list of Subgroup
            The subgroup of which `energies` speaks: the stabilizer, or what a near miss misses.
        energies : ndarray of shape (n_atoms,), float64
            Share of each atom's energy that its subgroup fixes.
        group : FiniteGroup
            That of the orbits.

        and with ``observation="network"`` also

        latent_components : ndarray of shape (n_atoms, order, n_latent), float32
            The planted unit atoms, before the layer.
        mixing : ndarray of shape (n_channels, n_latent), float32
            Rows of unit norm.
        bias : ndarray of shape (n_channels,), float32
            In the units of the latent channels.

    Raises
    ------
    ValueError
        If a parameter is out of range, a stabilizer is not a subgroup of `group`, a near miss has
        no subgroup to miss, or more atoms would be active than there are.

    Notes
    -----
    With ``observation="linear"`` and no noise, ``orbits`` is ``codes`` times ``components``
    exactly, up to rounding.

    With ``observation="network"`` no linear dictionary is exactly right: what an atom adds to an
    activation depends on which other atoms are active. ``components`` then is the linear part of
    it: ``latent_components @ mixing.T``, each channel times the share of `orbits` in which it is
    active (the mean slope of its ReLU), scaled to unit norm. Families and stabilizers carry over
    exactly. Even a linear regression of the orbits on the true codes comes only near to these
    atoms and leaves variance unexplained; a crosscoder that does as well has done all it can.

    Examples
    --------
    >>> from sklearn_groupcross import Dihedral, make_orbits
    >>> data = make_orbits(20, group=Dihedral(3), n_channels=8, stabilizers="trivial")
    >>> data.orbits.shape, data.components.shape  # four families of six atoms each
    ((20, 6, 8), (24, 6, 8))
    """
    validate_parameter_constraints(_CONSTRAINTS, dict(locals()), caller_name="make_orbits")
    group = as_group(group)
    if n_latent is not None and observation == "linear":
        raise ValueError(
            f"n_latent={n_latent} has a meaning with observation='network' only; with 'linear' "
            "atoms are planted in n_channels. Leave n_latent out."
        )
    rng = check_random_state(random_state)
    chosen = choose_stabilizers(stabilizers, group, n_families)
    width = n_channels if n_latent is None else n_latent
    dictionary = plant_atoms(
        group,
        width,
        chosen,
        one_a_family(smoothness, "smoothness", n_families),
        _check_energies(one_a_family(energies, "energies", n_families)),
        closed,
        rng,
    )
    n_atoms = len(dictionary.atoms)
    if n_active > n_atoms:
        raise ValueError(
            f"n_active={n_active} atoms cannot be active in a dictionary of {n_atoms}: "
            f"{n_families} families, each of the distinct translates of one atom if closed. Lower "
            "n_active, raise n_families, or choose smaller stabilizers."
        )
    exponent = 0.0 if isinstance(frequencies, str) else float(frequencies)
    codes = draw_codes(n_samples, n_active, (dictionary.families + 1.0) ** -exponent, rng)
    network = None
    if observation == "network":
        # the root mean square of a latent coordinate, so that biases matter and do not drown it
        scale = math.sqrt(n_active * MEAN_SQUARE_CODE / (group.order * width))
        network = _draw_network(n_channels, width, scale, rng)
    data = Bunch(
        orbits=_observe(codes, dictionary.atoms, network, noise, rng),
        components=dictionary.atoms,
        codes=codes,
        families=dictionary.families,
        stabilizers=dictionary.stabilizers,
        subgroups=dictionary.subgroups,
        energies=dictionary.energies,
        group=group,
    )
    if network is not None:
        data.components = _linear_part(dictionary.atoms, network, data.orbits)
        data.latent_components = dictionary.atoms
        data.mixing, data.bias = network
    return data


def _check_energies(energies: list[float]) -> list[float]:
    if not all(0 < energy <= 1 for energy in energies):
        raise ValueError(f"energies are shares in (0, 1]; got {energies}.")
    return energies


def _draw_network(
    n_channels: int, n_latent: int, scale: float, rng: np.random.RandomState
) -> _Network:
    """Draw a mixing matrix with rows of unit norm, and biases of standard deviation `scale`."""
    mixing = rng.standard_normal((n_channels, n_latent))
    mixing /= np.linalg.norm(mixing, axis=1, keepdims=True)
    bias = scale * rng.standard_normal(n_channels)
    return _Network(mixing.astype(np.float32), bias.astype(np.float32))


def _observe(
    codes: NDArray[np.float32],
    atoms: NDArray[np.float32],
    network: _Network | None,
    noise: float,
    rng: np.random.RandomState,
) -> NDArray[np.float32]:
    """Sum atoms, mix them, add noise and rectify, in memory of the orbits and one chunk."""
    _, order, width = atoms.shape
    n_channels = width if network is None else len(network.mixing)
    orbits = np.empty((len(codes), order, n_channels), dtype=np.float32)
    chunks = list(row_chunks(len(codes), order * max(width, n_channels)))
    total = total_square = 0.0
    for rows in chunks:
        signal = (codes[rows] @ atoms.reshape(len(atoms), -1)).reshape(-1, order, width)
        orbits[rows] = signal if network is None else signal @ network.mixing.T + network.bias
        total += float(orbits[rows].sum(dtype=np.float64))
        total_square += float(np.square(orbits[rows], dtype=np.float64).sum())
    mean = total / orbits.size
    deviation = math.sqrt(max(total_square / orbits.size - mean**2, 0.0))
    for rows in chunks:
        if noise > 0:
            orbits[rows] += noise * deviation * rng.standard_normal(orbits[rows].shape)
        if network is not None:
            np.maximum(orbits[rows], 0, out=orbits[rows])
    return orbits


def _linear_part(
    atoms: NDArray[np.float32], network: _Network, orbits: NDArray[np.float32]
) -> NDArray[np.float32]:
    """Unit atoms in the observed channels: mixed, times the mean slope of each channel's ReLU."""
    # one slope for all blocks: another for each would break the symmetry of the atoms
    slopes = np.count_nonzero(orbits, axis=(0, 1)) / (orbits.shape[0] * orbits.shape[1])
    components = (atoms @ network.mixing.T) * slopes
    norms = np.linalg.norm(components, axis=(1, 2), keepdims=True)
    components /= np.where(norms > 0, norms, 1)  # no channel may be active in a tiny sample
    return components.astype(np.float32)
