"""Options of the stages, from images to names, in the groups in which help pages list them."""

from __future__ import annotations

import argparse
from typing import Any

from .._group_names import MAX_ORDER, read_group_name
from ._options import Group, add_seeds
from ._types import count, number, share_or_none


def add_sampling(images: Group) -> None:
    """Add the arguments that say at which positions images are read."""
    images.add_argument(
        "--sampling",
        default="disk",
        choices=("disk", "energy", "center", "grid"),
        help="which positions are read (default: %(default)s)",
    )
    images.add_argument(
        "--positions",
        type=count(),
        metavar="N",
        help="samples an image (default: 100; grid: all units; center: 1)",
    )
    images.add_argument(
        "--max-samples",
        type=count(),
        metavar="N",
        help="samples of all images together (default: no limit)",
    )
    images.add_argument(
        "--radius",
        type=number(least=0),
        metavar="PIXELS",
        help="of the disk in which positions lie (default: the largest valid)",
    )


def add_reading(network: Group) -> None:
    """Add the arguments that say how images are moved and read."""
    network.add_argument(
        "--hues",
        type=count(most=MAX_ORDER),
        metavar="N",
        help="also turn the colours by N steps of a full turn (default: do not)",
    )
    network.add_argument(
        "--mask", action="store_true", help="hide what lies outside the inscribed circle"
    )
    network.add_argument(
        "--interpolation",
        default="bilinear",
        choices=("bilinear", "exact"),
        help="how activations are read between units (default: %(default)s)",
    )
    network.add_argument(
        "--precision",
        default="float32",
        choices=("float32", "tf32", "bfloat16", "auto"),
        help="in which the network computes; auto: bfloat16 where the device is made for it "
        "(default: %(default)s)",
    )


def add_storage(store: Group) -> None:
    """Add the arguments that say how orbits are written."""
    add_dtype(store)
    store.add_argument(
        "--jobs",
        type=count(),
        default=1,
        metavar="N",
        help="processes that read images (default: %(default)s)",
    )


def add_dictionary(parser: argparse.ArgumentParser) -> Group:
    """Add the arguments that say how dictionaries are fitted, and return their group."""
    dictionary = parser.add_argument_group("dictionary")
    dictionary.add_argument(
        "--held-out",
        type=count(),
        metavar="N",
        help="images kept from training, to measure on (default: a sixth)",
    )
    add_features(dictionary)
    sparsity = dictionary.add_mutually_exclusive_group()
    add_k(sparsity)
    sparsity.add_argument(
        "--l1",
        type=number(least=0),
        metavar="X",
        help="L1 penalty, as in the paper (default: --k instead)",
    )
    dictionary.add_argument(
        "--compression",
        type=share_or_none,
        default="auto",
        metavar="SHARE",
        help="train in coordinates that hold this share of the variance, such as 0.8, in as many "
        "as the orbits can teach (auto), or in all columns (none) (default: %(default)s)",
    )
    add_passes(dictionary)
    dictionary.add_argument(
        "--no-augment",
        action="store_true",
        help="do not train on turned and mirrored copies of the orbits",
    )
    add_seeds(dictionary)
    return dictionary


def add_dtype(group: Group) -> None:
    """Add ``--dtype``."""
    group.add_argument(
        "--dtype",
        default="float16",
        choices=("float16", "float32"),
        help="in which orbits are stored (default: %(default)s)",
    )


def add_features(group: Group) -> None:
    """Add ``--features``."""
    group.add_argument(
        "--features",
        type=count(),
        metavar="N",
        help="atoms (default: 1.6 for every channel)",
    )


def add_k(group: Any) -> None:
    """Add ``--k``."""
    group.add_argument(
        "--k",
        type=count(),
        metavar="N",
        help="active features an orbit (default: one for ten channels)",
    )


def add_passes(group: Group) -> None:
    """Add ``--epochs`` and ``--batch-size``."""
    group.add_argument(
        "--epochs",
        type=count(),
        default=60,
        metavar="N",
        help="passes over the orbits (default: %(default)s)",
    )
    group.add_argument(
        "--batch-size",
        type=count(),
        default=1024,
        metavar="N",
        help="orbits a step (default: %(default)s)",
    )


def add_symmetries(parser: argparse.ArgumentParser) -> Group:
    """Add the arguments that say what has a name, and return their group."""
    symmetries = parser.add_argument_group("symmetries and families")
    symmetries.add_argument(
        "--threshold",
        type=number(above=0, below=1),
        default=0.8,
        metavar="X",
        help="what a symmetry must reach to be named, between 0 and 1 (default: %(default)s)",
    )
    symmetries.add_argument(
        "--family-distance",
        type=number(least=0, most=2, words=("auto",)),
        default="auto",
        metavar="X",
        help="average distance within families, or auto: chosen from the atoms (default: auto)",
    )
    symmetries.add_argument(
        "--bags",
        default="images",
        choices=("images", "quarters"),
        help="what counts as an image where names are held against responses: of few images, "
        "quarters of them (default: %(default)s)",
    )
    symmetries.add_argument(
        "--no-refit",
        action="store_true",
        help="name the symmetries of atoms as they stand: faster, without confidence or error rate",
    )
    return symmetries


def add_visualize(group: Group) -> None:
    """Add ``--visualize``."""
    group.add_argument(
        "--visualize",
        type=count(),
        metavar="N",
        help="also show images that N features want, the frequent ones of each kind in turn, made "
        "by optimization: some seconds each, and needs the extra lucent (default: do not)",
    )


def check_held_out(options: argparse.Namespace) -> None:
    """Refuse a share of images that leaves none for training.

    Raises
    ------
    ValueError
    """
    n_images, held_out = options.n_images, options.held_out
    if n_images is not None and n_images < 2:
        raise ValueError(
            f"--n-images {n_images} is too few: one image is held out, and one or more trained on"
        )
    if n_images is not None and held_out is not None and held_out >= n_images:
        raise ValueError(f"--held-out {held_out} leaves none of --n-images {n_images} for training")


def check_k(options: argparse.Namespace) -> None:
    """Refuse more active codes than there are atoms.

    Raises
    ------
    ValueError
    """
    if None not in (options.k, options.features) and options.k > options.features:
        raise ValueError(
            f"--k {options.k} codes cannot be active among --features {options.features}"
        )


def check_order(options: argparse.Namespace) -> None:
    """Refuse a group that is too large to be built.

    Raises
    ------
    ValueError
    """
    order = read_group_name(options.group).order * (options.hues or 1)
    if order > MAX_ORDER:
        raise ValueError(
            f"--group {options.group} with --hues {options.hues} has {order} elements; at most "
            f"{MAX_ORDER} are supported"
        )


def check_center(options: argparse.Namespace) -> None:
    """Refuse several positions at one place.

    Raises
    ------
    ValueError
    """
    if options.sampling == "center" and (options.positions or 1) > 1:
        raise ValueError(
            f"--sampling center reads one position an image; got --positions {options.positions}"
        )
