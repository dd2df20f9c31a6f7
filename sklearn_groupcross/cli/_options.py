"""Options that several commands have, in the groups in which help pages list them."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from typing import Any, TypeAlias

from .._group_names import check_nameable_order, read_group_name
from .._network_names import HOW_TO_NAME, NAMED_NETWORKS
from ._types import (
    LARGEST_SEED,
    count,
    device_name,
    existing_file,
    existing_path,
    folder_to_write,
    group_name,
    layer_name,
    network_name,
    seed,
    share_of_damaged,
)

# argparse has no public name for it
Group: TypeAlias = Any


def add_images(
    parser: argparse.ArgumentParser,
    nargs: str = "+",
    help: str = "a folder, searched with its subfolders, or image files",
) -> Group:
    """Add the arguments that say which images are read, and return their group."""
    images = parser.add_argument_group("images")
    images.add_argument(
        "images",
        nargs=nargs,
        type=existing_path,
        metavar="IMAGES",
        help=help,
    )
    images.add_argument(
        "--n-images", type=count(), metavar="N", help="draw N of them at random (default: all)"
    )
    images.add_argument(
        "--skip-damaged",
        type=share_of_damaged,
        nargs="?",
        const=0.05,
        metavar="SHARE",
        help="set damaged images apart and list them at the end, if they are no more than this "
        "share of all (default: any is an error; without a share: 0.05)",
    )
    return images


def add_network(
    parser: argparse.ArgumentParser, *, groups: Sequence[str] = (), **layer: Any
) -> Group:
    """Add the arguments that say what reads images, and return their group.

    Parameters
    ----------
    parser : ArgumentParser
    groups : sequence of str
        Default of ``--group`` where several may be named.
    **layer
        Settings of ``--layer``.
    """
    network = parser.add_argument_group("network")
    network.add_argument(
        "--network",
        type=network_name,
        default="inceptionv1",
        metavar="NAME",
        help=f"{network_help()} (default: %(default)s)",
    )
    network.add_argument(
        "--weights",
        type=existing_file,
        metavar="FILE",
        help="a .safetensors or .pth file (default: the network's own weights)",
    )
    network.add_argument("--layer", type=layer_name, metavar="NAME", **layer)
    network.add_argument(
        "--group",
        type=group_name,
        nargs="+" if groups else None,
        default=list(groups) or "dihedral:16",
        metavar="GROUP",
        help="turns and mirrors of the images: dihedral:N, cyclic:N or trivial (default: "
        f"{' '.join(groups) or 'dihedral:16'})",
    )
    add_device(network)
    return network


def network_help() -> str:
    """Say which networks there are."""
    named = ", ".join(f"{name} ({network.what})" for name, network in NAMED_NETWORKS.items())
    return (
        f"{named}; or one of your own: {HOW_TO_NAME} as a torch module or a Network, with its "
        "code run"
    )


def add_device(group: Group) -> None:
    """Add ``--device``."""
    group.add_argument(
        "--device",
        type=device_name,
        default="auto",
        help="auto (CUDA where there is one), cpu, cuda or cuda:N (default: %(default)s)",
    )


def add_seed(group: Group, of: str) -> None:
    """Add ``--seed``, of what it is said to be."""
    group.add_argument(
        "--seed", type=seed, default=0, metavar="N", help=f"of {of} (default: %(default)s)"
    )


def add_seeds(group: Group) -> None:
    """Add ``--seeds``."""
    group.add_argument(
        "--seeds",
        type=count(),
        default=3,
        metavar="N",
        help="dictionaries of so many seeds are fitted, which tell what of the first is found "
        "again (default: %(default)s)",
    )


def add_results(
    parser: argparse.ArgumentParser, out: str | None, default: str = "%(default)s"
) -> Group:
    """Add the arguments that say where results go, and return their group.

    Parameters
    ----------
    parser : ArgumentParser
    out : str or None
        The folder where nothing is typed; None if it depends.
    default : str
        What is said of it.
    """
    results = parser.add_argument_group("results")
    results.add_argument(
        "--out",
        type=folder_to_write,
        default=out,
        metavar="FOLDER",
        help=f"folder for the results (default: {default})",
    )
    results.add_argument(
        "--overwrite",
        action="store_true",
        help="replace results that lie in that folder, once the new ones are whole",
    )
    add_quiet(results)
    return results


def add_json(group: Group) -> None:
    """Add ``--json``."""
    group.add_argument("--json", action="store_true", help="print the results as JSON")


def add_no_verify(group: Group) -> None:
    """Add ``--no-verify``."""
    group.add_argument(
        "--no-verify",
        action="store_true",
        help="do not compare orbits with their checksums as they are first read",
    )


def add_quiet(group: Group) -> None:
    """Add ``--quiet``."""
    group.add_argument(
        "--quiet", action="store_true", help="show no progress: results, warnings and errors only"
    )


def check_weights(options: argparse.Namespace) -> None:
    """Refuse a network without weights.

    Raises
    ------
    ValueError
    """
    named = NAMED_NETWORKS.get(options.network)
    if named is not None and named.needs_weights and options.weights is None:
        raise ValueError(f"--network {options.network} needs --weights FILE")


def check_symmetries(options: argparse.Namespace) -> None:
    """Refuse a group whose symmetries have no names.

    Raises
    ------
    ValueError
    """
    try:
        check_nameable_order(read_group_name(options.group).order)
    except ValueError as error:
        raise ValueError(f"--group {options.group}: {error}") from None


def check_seeds(options: argparse.Namespace) -> None:
    """Refuse seeds of which the last is too large.

    Raises
    ------
    ValueError
    """
    if options.seed + options.seeds - 1 > LARGEST_SEED:
        raise ValueError(
            f"--seed {options.seed} with --seeds {options.seeds} goes beyond {LARGEST_SEED}, "
            "the largest seed"
        )
