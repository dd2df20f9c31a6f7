"""The paper's setting: orbits of InceptionV1."""

from __future__ import annotations

import os
from collections.abc import Sequence
from typing import Any

from ..actions import PositionedAction
from ..groups import Dihedral, FiniteGroup
from ..networks import load_network
from ._dataset import OrbitDataset


class InceptionOrbitDataset(OrbitDataset):
    """Orbits of InceptionV1 activations: the paper's setting by default.

    Parameters
    ----------
    images : path, sequence of paths, array or sequence of arrays
        See `ImageSource`.
    group : PlanarGroup or str, default=Dihedral(32)
        Unless an action is given.
    action : PositionedAction, optional
        See `OrbitDataset`.
    layer : str or sequence of str, optional
        Default: ``"mixed3b"``, or the corresponding layer of the other networks.
    network : {"inceptionv1", "googlenet", "bvlc_googlenet"}, default="inceptionv1"
        Which training of the architecture; see `load_network`.
    weights : path, optional
        See `load_network`.
    **options
        The other parameters of `OrbitDataset`.
    """

    def __init__(
        self,
        images: Any,
        *,
        group: FiniteGroup | str | None = None,
        action: PositionedAction | None = None,
        layer: str | Sequence[str] | None = None,
        network: str = "inceptionv1",
        weights: str | os.PathLike[str] | None = None,
        **options: Any,
    ) -> None:
        known = ("inceptionv1", "googlenet", "bvlc_googlenet")
        if network not in known:
            raise ValueError(f"InceptionOrbitDataset reads {', '.join(known)}; got {network!r}.")
        super().__init__(
            images,
            network=load_network(network, weights),
            group=Dihedral(32) if group is None and action is None else group,
            action=action,
            layer=layer,
            **options,
        )
