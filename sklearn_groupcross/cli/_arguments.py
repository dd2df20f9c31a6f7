"""What several commands ask for, and how they speak."""

from __future__ import annotations

import argparse
import sys

from ..groups import FiniteGroup, PlanarGroup


def add_source(parser: argparse.ArgumentParser) -> None:
    """Arguments that say which images are read, by which network, under which group."""
    parser.add_argument("images", nargs="+", help="a folder of images, or image files")
    parser.add_argument("--n-images", type=int, metavar="N", help="draw N of the images at random")
    parser.add_argument(
        "--network", default="inceptionv1", help="see load_network (default: %(default)s)"
    )
    parser.add_argument("--weights", metavar="FILE", help="weights file of the network")
    parser.add_argument(
        "--group",
        default="dihedral:16",
        help="dihedral:N, cyclic:N or trivial (default: %(default)s)",
    )
    parser.add_argument("--device", default="auto", help="auto, cpu or cuda (default: %(default)s)")


def choose_count(wanted: int | None, available: int, option: str, least: int = 1) -> int:
    """How many of the images that there are; all, if no number is given."""
    if wanted is None:
        return available
    if not least <= wanted <= available:
        raise ValueError(
            f"{option} lies between {least} and {available}, the images there are; got {wanted}."
        )
    return wanted


def in_words(group: FiniteGroup) -> str:
    """Say what a group does to images."""
    if not isinstance(group, PlanarGroup):
        return f"{group!r}, {group.order} elements"
    return f"{group.n_turns} turns{' with mirrors' if group.has_mirrors else ''}"


def say(text: str) -> None:
    """Tell a person something that is no result."""
    print(text, file=sys.stderr, flush=True)
