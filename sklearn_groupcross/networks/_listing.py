"""What layers a network has: their shapes, where their units look, and which cannot be read."""

from __future__ import annotations

from dataclasses import dataclass

from torch import nn

from .._ambient import own_state
from .._integers import check_integer
from ._derivation import NotFollowedError, derive_each, receptive_field
from ._field import ReceptiveField
from ._module_state import reading
from ._network import Network
from ._zoo import resolve_network


@dataclass(frozen=True)
class LayerSummary:
    """A layer, and whether orbits can be read from it.

    Attributes
    ----------
    name : str
    kind : str
        Class of the submodule; ``"operation"`` of a node of the graph.
    shape : tuple of int or None
        (channels, height, width) of its map; None if it puts out none.
    field : ReceptiveField or None
        Where its units look; None if orbits cannot be read from it.
    is_default : bool
        Whether it is the network's default layer.
    problem : str
        Why orbits cannot be read from it; empty if they can.
    """

    name: str
    kind: str
    shape: tuple[int, int, int] | None
    field: ReceptiveField | None
    is_default: bool
    problem: str


@own_state()
def list_layers(
    network: Network | nn.Module | str,
    input_size: int | None = None,
    *,
    nodes: bool = False,
    confirm: bool = False,
) -> list[LayerSummary]:
    """List the layers of a network.

    One image passes through the network while every operation is followed.

    Parameters
    ----------
    network : Network, torch.nn.Module or str
        What `resolve_network` takes. A module is left as it was, as `Network` does.
    input_size : int, optional
        Side of the image in pixels. Default: the network's.
    nodes : bool, default=False
        List the operations of the forward pass too (`Network.node_names`), behind the submodules.
    confirm : bool, default=False
        Have `receptive_field` hold each layer against gradients, and measure what cannot be
        followed: seconds a layer.

    Returns
    -------
    layers : list of LayerSummary
        In the order of `Network.layer_names`.

    Raises
    ------
    ValueError
        If no layer can be reached, or the preprocess moves positions.

    Examples
    --------
    >>> from sklearn_groupcross.networks import list_layers
    >>> for layer in list_layers("bundled")[:3]:
    ...     print(layer.name, layer.kind, layer.shape, layer.field.stride, layer.field.size)
    conv1 Conv2d (16, 96, 96) (1.0, 1.0) (5, 5)
    relu1 ReLU (16, 96, 96) (1.0, 1.0) (5, 5)
    pool1 BlurPool (16, 48, 48) (2.0, 2.0) (7, 7)
    """
    network = resolve_network(network)
    size = network.input_size if input_size is None else check_integer("input_size", input_size, 1)
    names = network.layer_names
    if nodes:
        names = list(dict.fromkeys([*names, *network.node_names]))
    if not names:
        return []
    with reading(network.module):
        found = derive_each(network, names, size)
    kinds = {name: type(part).__name__ for name, part in network.module.named_modules()}
    layers = []
    for name, (maps, field) in found.items():
        if confirm and (isinstance(field, ReceptiveField | NotFollowedError)):
            try:
                field = receptive_field(network, name, size)
            except ValueError as error:
                field = error
        is_known = isinstance(field, ReceptiveField)
        layers.append(
            LayerSummary(
                name,
                kinds.get(name, "operation"),
                None if maps is None else (maps.shape[1], maps.shape[2], maps.shape[3]),
                field if isinstance(field, ReceptiveField) else None,
                name == network.default_layer,
                "" if is_known else str(field),
            )
        )
    return layers
