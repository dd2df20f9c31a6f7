"""What may be given as a crosscoder or a network."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.pipeline import Pipeline
from sklearn.utils import check_array
from sklearn.utils.validation import check_is_fitted
from torch import nn

from ..crosscoder import GroupCrosscoder
from ..crosscoder._validation import count_channels, flatten_orbits
from ..groups import FiniteGroup
from ..networks import Network, load_network


def check_reads_activations(crosscoder: Any, name: str = "crosscoder") -> None:
    """Check for a fitted crosscoder that reads a network's activations as they are.

    Raises
    ------
    TypeError
        If it is something else, a pipeline above all.
    ValueError
        If it reads whole orbits.
    NotFittedError
    """
    if isinstance(crosscoder, Pipeline):
        raise TypeError(
            f"{name!r} is a Pipeline; activations of the network come as they are, without its "
            "other steps. Fit a GroupCrosscoder on orbits that no step has transformed: it scales "
            "them itself. (If no other step changes them, pass pipeline[-1].)"
        )
    if not isinstance(crosscoder, GroupCrosscoder):
        raise TypeError(f"{name!r} must be a GroupCrosscoder; got a {type(crosscoder).__name__}.")
    check_is_fitted(crosscoder)
    if crosscoder.encoder_.shape[1] != crosscoder.n_channels_:
        raise ValueError(
            f"{name!r} has encoder_input='orbit': it reads whole orbits, of which a forward pass "
            "computes one block only. Fit with encoder_input='identity'."
        )


def resolve_network(network: Network | nn.Module | str) -> Network:
    """Take a network, a module that reads RGB in [0, 1], or a name that `load_network` knows.

    Raises
    ------
    TypeError
        If it is none of these.
    """
    if isinstance(network, str):
        return load_network(network)
    if isinstance(network, nn.Module):
        return Network(network)
    if not isinstance(network, Network):
        raise TypeError(
            "network is a Network, a torch.nn.Module or a name that load_network knows; got a "
            f"{type(network).__name__}."
        )
    return network


def resolve_atoms(
    dictionary: Any, group: FiniteGroup | None, name: str
) -> tuple[NDArray[np.floating], FiniteGroup]:
    """Take a fitted crosscoder, or atoms with their group.

    Parameters
    ----------
    dictionary : GroupCrosscoder or array-like of shape (m, order * d) or (m, order, d)
    group : FiniteGroup or None
        Needed for atoms; a crosscoder brings its own.
    name : str
        For messages.

    Returns
    -------
    components : ndarray of shape (m, order * d)
        Finite, float32 or float64.
    group : FiniteGroup

    Raises
    ------
    ValueError
        If atoms come without a group or do not fit it, or the group is not the crosscoder's.
    TypeError
        If it is a pipeline.
    NotFittedError
    """
    if isinstance(dictionary, Pipeline):
        raise TypeError(f"{name} is a Pipeline; the atoms are in its last step: pass pipeline[-1].")
    if isinstance(dictionary, GroupCrosscoder):
        check_is_fitted(dictionary)
        if group is not None and group != dictionary.group_:
            raise ValueError(
                f"{name} has atoms over {dictionary.group_!r}; asked for {group!r}. A dictionary "
                "of another group, such as a sparse autoencoder's, is first lifted: see "
                "lift_dictionary."
            )
        return dictionary.components_, dictionary.group_
    if group is None:
        raise ValueError(f"{name} are atoms, which alone do not name their group: give group=.")
    components = check_array(
        flatten_orbits(dictionary, group), dtype=[np.float32, np.float64], input_name=name
    )
    count_channels(components.shape[1], group)
    return components, group
