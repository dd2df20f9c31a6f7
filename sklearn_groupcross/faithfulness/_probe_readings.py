"""What a network's layer makes of drawn curves, edges, lines and corners."""

from __future__ import annotations

import copy
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import groupby

import numpy as np
import torch
from numpy.typing import NDArray

from .._ambient import own_state
from .._device import resolve_device
from .._integers import check_integer
from ..groups import Cyclic
from ..networks import Network, receptive_field
from ..orbits import Arc, Corner, Disk, Edge, Shape, probe_orbits

#: What probes show, in the order of all scores.
PROBE_CLASSES = ("curve", "edge", "line", "corner")

# Greys of the shape and of the rest: both polarities, on grey and on the other shade.
GRAYS = ((1.0, 0.5), (0.0, 0.5), (0.75, 0.35), (0.3, 0.7))
# As shares of a field's side: within GoogLeNet's 91 px at 3b circles of 10 to 36 px. A wider one
# can hardly be told from a straight line within the middle of the field, which counts most.
_RADII = (0.11, 0.16, 0.22, 0.30, 0.40)
_WIDTHS = (0.022, 0.033, 0.044, 0.066)
_DEGREES = (30.0, 45.0, 60.0, 75.0, 90.0, 105.0, 120.0, 135.0)
_STRAIGHT = 1e4  # pixels: an arc of this radius is a straight stroke in any field


@dataclass(frozen=True)
class Probe:
    """A shape in two shades, and what it is.

    Parameters
    ----------
    kind : {"curve", "edge", "line", "corner"}
    shape : Shape
        With a mirror, as all of `orbits`' shapes: mirrored ones are turned ones.
    foreground, background : float
        Grey of the shape and of the rest, in [0, 1].
    """

    kind: str
    shape: Shape
    foreground: float
    background: float

    def __post_init__(self) -> None:
        if self.kind not in PROBE_CLASSES:
            raise ValueError(f"A probe shows one of {', '.join(PROBE_CLASSES)}; got {self.kind!r}.")

    @property
    def setting(self) -> tuple[str, str, float, float]:
        """What probes share that differ in radius, width or angle alone."""
        return self.kind, type(self.shape).__name__, self.foreground, self.background


@dataclass(frozen=True)
class ProbeReadings:
    """A layer's activations on probes.

    Attributes
    ----------
    activations : ndarray of shape (n_probes, n_positions, n_turns, n_channels), float32
        ``activations[i, j, t]`` of probe i, drawn at position j between units and turned by
        ``360 t / n_turns`` degrees.
    probes : tuple of Probe
    """

    activations: NDArray[np.float32]
    probes: tuple[Probe, ...]


def shape_probes(
    radii: Sequence[float],
    widths: Sequence[float],
    degrees: Sequence[float],
    grays: Iterable[tuple[float, float]] = GRAYS,
) -> list[Probe]:
    """Curves, edges, lines and corners of given sizes, in given shades.

    Curves are circular strokes and borders of disks, lines straight strokes, and edges and corners
    borders: every curve has the straight shape that it becomes with a growing radius.

    Parameters
    ----------
    radii : sequence of float
        Of circles, in pixels.
    widths : sequence of float
        Of strokes, in pixels.
    degrees : sequence of float
        Of corners.
    grays : iterable of (float, float), optional
        Of the shape and of the rest.

    Returns
    -------
    probes : list of Probe

    Examples
    --------
    >>> from sklearn_groupcross.faithfulness import shape_probes
    >>> probes = shape_probes(radii=[10, 20], widths=[3], degrees=[60, 90], grays=[(1.0, 0.5)])
    >>> [probe.kind for probe in probes]
    ['edge', 'line', 'curve', 'curve', 'curve', 'curve', 'corner', 'corner']
    """
    shapes: list[tuple[str, Shape]] = [("edge", Edge())]
    shapes += [("line", Arc(_STRAIGHT, width)) for width in widths]
    for radius in radii:
        shapes.append(("curve", Disk(radius)))
        shapes += [("curve", Arc(radius, width)) for width in widths if width < radius]
    shapes += [("corner", Corner(angle)) for angle in degrees]
    return [Probe(kind, shape, *gray) for gray in grays for kind, shape in shapes]


@own_state()
def read_probes(
    network: Network,
    layer: str | None = None,
    *,
    probes: Sequence[Probe] | None = None,
    n_turns: int = 16,
    n_positions: int = 3,
    device: str | torch.device = "auto",
    random_state: int = 0,
) -> ProbeReadings:
    """Read a layer on probes in every orientation.

    Parameters
    ----------
    network : Network
    layer : str, optional
        Default: the network's default layer.
    probes : sequence of Probe, optional
        Default: `shape_probes` of five radii, four widths and eight angles in four pairs of shades,
        152 probes, their sizes in proportion to the layer's receptive field.
    n_turns : int, default=16
        Orientations, evenly spaced. Not necessarily those of a crosscoder's group.
    n_positions : int, default=3
        Between units, for each probe the same; see `probe_orbits`.
    device : str or torch.device, default="auto"
    random_state : int, default=0
        Of the positions.

    Returns
    -------
    readings : ProbeReadings

    Raises
    ------
    ValueError
        If there is no such layer, no probe, or no position.
    """
    layer = network.check_layer(layer)
    group = Cyclic(check_integer("n_turns", n_turns, 1))
    if probes is None:
        network.to(resolve_device(device))
        side = max(receptive_field(network, layer).size)
        probes = shape_probes(
            [share * side for share in _RADII], [share * side for share in _WIDTHS], _DEGREES
        )
    if len(probes) == 0:
        raise ValueError("No probes to read; shape_probes makes some.")
    parts = []
    by_shade = groupby(probes, key=lambda probe: (probe.foreground, probe.background))
    for (foreground, background), part in by_shade:
        parts.append(
            probe_orbits(
                [probe.shape for probe in part],
                network,
                group,
                layer=layer,
                n_positions=n_positions,
                foreground=foreground,
                background=background,
                device=device,
                random_state=random_state,
            )
        )
    return ProbeReadings(np.concatenate(parts), tuple(probes))


@own_state()
def untrained(network: Network, random_state: int = 0) -> Network:
    """Return the same architecture with the numbers of every parameter in a random order.

    What it computes from images no training has made; the sizes of its weights are those of the
    trained network, tensor by tensor. The network given is left as it is.

    Parameters
    ----------
    network : Network
    random_state : int, default=0

    Returns
    -------
    network : Network
    """
    module = copy.deepcopy(network.module)
    generator = torch.Generator("cpu").manual_seed(random_state)
    for parameter in module.parameters():
        order = torch.randperm(parameter.numel(), generator=generator, device="cpu")
        numbers = parameter.detach().flatten()[order.to(parameter.device)]
        parameter.data = numbers.reshape(parameter.shape)
    return network.with_module(module)
