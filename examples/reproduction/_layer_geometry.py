"""Fields of the layers of `depth`, and what padding does where positions are read."""

from __future__ import annotations

import numpy as np
import pandas as pd
import torch

from sklearn_groupcross.networks import ReceptiveField, receptive_field

from ._study import Study


def layer_geometry(study: Study) -> pd.DataFrame:
    """Measure both.

    A photograph that is larger than the input goes through the network whole, and cut to the input.
    Where a unit sees the same, its activations are the same; ``padding`` is the norm of their
    difference, relative to their own, over units in the disk. Padding does not turn with a
    photograph: it is what may look like a lack of symmetry without being one. Where fields reach
    beyond the whole photograph too, as those of deep layers do, both have padding, and the figure
    is a lower bound: ``padding_is_lower_bound``.
    """
    settings, network = study.config["depth"], study.network
    layers, side = settings["layers"], network.input_size
    fields = {layer: receptive_field(network, layer) for layer in layers}
    stride = int(max(field.stride[0] for field in fields.values()))
    margin = stride * max(1, round(side / 7 / stride))  # a whole number of units of every layer
    squares = {layer: np.zeros(2) for layer in layers}
    source = study.parts["train"]
    for i in range(min(settings["n_padding"], len(source))):
        whole = source.load(i, side + 3 * margin)[None]
        cut = whole[..., margin : margin + side, margin : margin + side]
        maps = [network.activations(images, layers) for images in (whole, cut)]
        for layer, field in fields.items():
            inside = _in_disk(field, settings["radius"])
            skipped = int(margin / field.stride[0])
            rows, columns = (slice(skipped, skipped + n) for n in inside.shape)
            surrounded, padded = maps[0][layer][0, :, rows, columns], maps[1][layer][0]
            difference = (surrounded - padded)[:, inside].square().sum()
            squares[layer] += [float(difference), float(surrounded[:, inside].square().sum())]
    return pd.DataFrame({
        "layer": layers,
        "field": [fields[layer].size[0] for layer in layers],
        "stride": [fields[layer].stride[0] for layer in layers],
        "channels": [fields[layer].n_channels for layer in layers],
        "padding": [np.sqrt(np.divide(*squares[layer])) for layer in layers],
        "padding_is_lower_bound": [
            settings["radius"] + fields[layer].size[0] / 2 > side / 2 + margin for layer in layers
        ],
    })  # fmt: skip


def _in_disk(field: ReceptiveField, radius: float) -> torch.Tensor:
    """Units that readings within the radius are interpolated from, but for the outermost."""
    columns, rows = field.map_size
    units = torch.cartesian_prod(torch.arange(rows), torch.arange(columns)).flip(1)
    distances = field.to_positions(units.float()).norm(dim=1)
    return (distances <= radius + field.stride[0] / 2).reshape(rows, columns)
