"""The networks that `load_network` knows by name, and those that code of one's own builds."""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import TypeVar

import torch
from torch import nn

from .._ambient import made_plain, own_state
from .._network_names import check_network_name, names_code
from ._bvlc_googlenet import BVLCGoogLeNet, preprocess_caffe
from ._inceptionv1 import InceptionV1, preprocess_lucid
from ._network import Network
from ._own_code import build_network
from ._preprocess import IMAGENET
from ._weights import fetch, load_state
from .bundled import BundledNet, load_bundled, preprocess_bundled

Weights = str | os.PathLike[str] | None
_Module = TypeVar("_Module", bound=nn.Module)

# lucid's InceptionV1, converted for torch, as lucent takes it; the id is the one git gives the file
# in its repository
_INCEPTIONV1_URL = (
    "https://github.com/ProGamerGov/pytorch-old-tensorflow-models/raw/master/inception5h.pth"
)
_INCEPTIONV1_BLOB = "119f77db85c8352960933e025312b507d9a96ed7"
# torchvision's GoogLeNet_Weights.IMAGENET1K_V1; it publishes how the file's SHA-256 begins
_GOOGLENET_URL = "https://download.pytorch.org/models/googlenet-1378be20.pth"
_GOOGLENET_SHA256 = "1378be20"


@own_state()
def load_network(name: str, weights: Weights = None) -> Network:
    """Load a vision network by name.

    Parameters
    ----------
    name : {"bundled", "inceptionv1", "googlenet", "bvlc_googlenet"}, or where a function is
        - ``"bundled"``: a small network that ships with the package; no download.
        - ``"inceptionv1"``: the InceptionV1 of lucid and lucent, the paper's, with their names of
          layers; default layer ``mixed3b``. Its weights are downloaded once, checked and cached.
        - ``"googlenet"``: torchvision's; default layer ``inception3b``. Downloaded once.
        - ``"bvlc_googlenet"``: the Caffe model; default layer ``inception_3b_output``. It needs
          `weights`.
        - ``"FILE.py:FUNCTION"`` or ``"PACKAGE.MODULE:FUNCTION"``: a function without arguments that
          returns a `torch.nn.Module`, which reads RGB in [0, 1] as it comes, or a `Network`. **This
          runs the code of that file.** The file's folder, or for a module the current one, is then
          on ``sys.path``, as after ``python FILE.py`` and ``python -m``; a file is run once for as
          long as it stays as it is. What it draws from torch's generator is the same every time.
    weights : path, optional
        A ``.safetensors`` or ``.pth`` file to read instead of the default weights: the arrays, or a
        checkpoint in which one set of them fits, as under ``"state_dict"``. It is read as data;
        code that a file may hold is never run. All of the network's arrays must be there.

    Returns
    -------
    network : Network
        Of float32, on the CPU; one of your own as the function made it.

    Raises
    ------
    ValueError
        If the name is unknown, the weights are those of another network, or a file is damaged, of
        another kind, or not the one that was published. If a function of your own is not there,
        raises or returns something else.
    OSError
        If weights are neither cached nor to be downloaded; it names the file to put where. If there
        is no such file.
    ImportError
        If there is no such module.

    Examples
    --------
    >>> from sklearn_groupcross import load_network
    >>> load_network("bundled")
    <Network 'bundled', 96 px>
    """
    if names_code(name):
        network = build_network(name)
        if weights is not None:
            load_state(network.module, weights, network.name)
        return network
    check_network_name(name)
    network = _LOADERS[name](weights)
    network.module.eval().requires_grad_(False)  # it is only to be read
    return network


def resolve_network(network: Network | nn.Module | str) -> Network:
    """Turn a module into a `Network` and a name into the network that `load_network` loads.

    Parameters
    ----------
    network : Network, torch.nn.Module or str
        A module reads RGB in [0, 1] as it comes. Names are those that `load_network` takes.

    Returns
    -------
    network : Network

    Raises
    ------
    TypeError
        If it is none of these.
    ValueError
        If the name is unknown.

    Examples
    --------
    >>> import torch
    >>> from sklearn_groupcross.networks import resolve_network
    >>> resolve_network(torch.nn.Conv2d(3, 8, 5))
    <Network 'custom', 224 px>
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


def _load_bundled(weights: Weights) -> Network:
    module: nn.Module = load_bundled() if weights is None else made_plain(BundledNet)
    if weights is not None:
        load_state(module, weights, "bundled")
    return Network(
        module,
        preprocess_bundled,
        input_size=96,
        default_layer=BundledNet.default_layer,
        name="bundled",
    )


def _load_inceptionv1(weights: Weights) -> Network:
    module = _unfilled(InceptionV1)
    if weights is None:
        file = fetch(_INCEPTIONV1_URL, "inception5h.pth", blob_id=_INCEPTIONV1_BLOB)
    load_state(module, file if weights is None else weights, "inceptionv1")
    return Network(
        module, preprocess_lucid, default_layer="mixed3b", name="inceptionv1", channels_last=True
    )


def _load_googlenet(weights: Weights) -> Network:
    from torchvision.models import googlenet

    options = {"init_weights": False, "transform_input": True, "aux_logits": False}
    module = made_plain(lambda: googlenet(weights=None, **options))
    if weights is None:
        file = fetch(_GOOGLENET_URL, _GOOGLENET_URL.rsplit("/", 1)[1], sha256=_GOOGLENET_SHA256)
    # trained with two auxiliary classifiers that are not part of the network we read
    source = file if weights is None else weights
    load_state(module, source, "googlenet", optional=("aux1.", "aux2."))
    return Network(
        module, IMAGENET, default_layer="inception3b", name="googlenet", channels_last=True
    )


def _load_bvlc_googlenet(weights: Weights) -> Network:
    if weights is None:
        raise ValueError(
            "The network 'bvlc_googlenet' needs a weights file: "
            "weights='bvlc_googlenet.safetensors' (on the command line --weights). "
            "Its arrays are named after Caffe's layers, for example conv1_7x7_s2.weight."
        )
    module = _unfilled(BVLCGoogLeNet)
    load_state(module, weights, "bvlc_googlenet")
    return Network(
        module,
        preprocess_caffe,
        default_layer="inception_3b_output",
        name="bvlc_googlenet",
        channels_last=True,
    )


def _unfilled(make: Callable[[], _Module]) -> _Module:
    """Make a module without taking time for random weights that are overwritten at once."""
    with torch.device("meta"):
        module = make()
    return module.to(torch.float32).to_empty(device="cpu")


_LOADERS: dict[str, Callable[[Weights], Network]] = {
    "bundled": _load_bundled,
    "inceptionv1": _load_inceptionv1,
    "googlenet": _load_googlenet,
    "bvlc_googlenet": _load_bvlc_googlenet,
}
