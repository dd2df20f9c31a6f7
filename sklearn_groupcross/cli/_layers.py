"""``groupcross layers``: what can be read of a network."""

from __future__ import annotations

import argparse
import re
from typing import Any

from tabulate import tabulate

from ..networks import LayerSummary, list_layers, load_network
from ._arguments import as_json


def layers(options: argparse.Namespace) -> None:
    """Run ``groupcross layers``."""
    network = load_network(options.network, options.weights)
    size = network.input_size if options.input_size is None else options.input_size
    found = list_layers(network, size, nodes=options.nodes, confirm=options.confirm)
    if options.json:
        about = {"network": network.name, "input_size": size, "n_channels": network.n_channels}
        print(as_json({**about, "layers": [_as_dict(layer) for layer in found]}))
        return
    of_channels = "" if network.n_channels == 3 else f" of {network.n_channels} channels"
    print(f"{network.name}, images of {size} × {size} px{of_channels}\n")
    headers = ("layer", "type", "channels × height × width", "stride", "field", "")
    print(tabulate(map(_row, found), headers=headers, disable_numparse=True))
    if not any(layer.is_default for layer in found):
        print("\nNo default: name a layer with --layer.")


def _row(layer: LayerSummary) -> tuple[str, ...]:
    field, note = layer.field, _in_short(layer)
    shape = "" if layer.shape is None else " × ".join(map(str, layer.shape))
    if field is None:
        return layer.name, layer.kind, shape, "", "", note
    notes = [note, "" if not field.global_context else "units see the whole image too"]
    if field.derivation == "measured":
        notes.append("measured")
    return (
        *(layer.name, layer.kind, shape, _pixels(field.stride), _pixels(field.size)),
        ", ".join(filter(None, notes)),
    )


def _in_short(layer: LayerSummary) -> str:
    """Mark the default layer; say what is wrong with one that cannot be read."""
    default = "the default" if layer.is_default else ""
    if not layer.problem:
        return default
    # the row says which layer it is, and what to do is the same for all: take another
    reason = re.sub(r"^Layer '.*?'( of (network )?'.*?')? ", "", layer.problem)
    reason = re.split(r"; |: name a layer|\. (?=[A-Z])", reason)[0].rstrip(".")
    return ", ".join(filter(None, [default, f"not to be read: {reason}"]))


def _pixels(pair: tuple[float, float]) -> str:
    """(column, row), once where they are the same."""
    column, row = pair
    return f"{column:g}" if column == row else f"{column:g} × {row:g}"


def _as_dict(layer: LayerSummary) -> dict[str, Any]:
    field = layer.field
    return {
        "name": layer.name,
        "type": layer.kind,
        "shape": layer.shape,
        "stride": None if field is None else field.stride,
        "offset": None if field is None else field.offset,
        "field": None if field is None else field.size,
        "global_context": None if field is None else field.global_context,
        "default": layer.is_default,
        "problem": layer.problem or None,
    }
