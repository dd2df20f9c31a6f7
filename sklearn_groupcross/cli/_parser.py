"""The commands and their options.

A command imports what it needs when it runs: torch alone takes seconds, and ``--version`` and
``--help`` need none of it.
"""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any, NoReturn

from .._printable import printable
from .._version import __version__


class _Parser(argparse.ArgumentParser):
    """A parser whose errors show what was typed as a terminal can."""

    def error(self, message: str) -> NoReturn:
        super().error(printable(message))


def make_parser() -> argparse.ArgumentParser:
    """Parse what ``groupcross`` is given; ``options.command`` runs the command."""
    parser = _Parser(
        prog="groupcross",
        description="Find which features of a vision network move together under a symmetry group.",
    )
    parser.color = False  # type: ignore[attr-defined]  # colours are codes, which are escaped
    parser.add_argument("--version", action="version", version=f"groupcross {__version__}")
    commands = parser.add_subparsers(required=True, metavar="command")
    _add_experiments(commands)
    _add_stores(commands)
    _add_analyze(commands)
    return parser


def _add_experiments(commands: Any) -> None:
    """Add the two commands to a parser's subparsers."""
    demo = commands.add_parser(
        "demo",
        help="a small network and two photographs that ship with the packages: no download",
        description="Run everything on the bundled network and scikit-learn's two photographs.",
    )
    demo.set_defaults(command=_demo)
    _add_common(demo, out="groupcross-demo")

    run = commands.add_parser(
        "run",
        help="your images, a network and a layer",
        description="Read orbits from images, fit a group crosscoder and write a symmetry report.",
    )
    run.set_defaults(command=_run)
    _add_source(run)
    run.add_argument(
        "--held-out",
        type=int,
        metavar="N",
        help="images kept from training, to measure on (default: a sixth)",
    )
    run.add_argument("--layer", help="layer to read (default: the network's own)")
    run.add_argument("--positions", type=int, default=100, help="per image (default: %(default)s)")
    run.add_argument("--features", type=int, help="atoms (default: 1.6 for every channel)")
    sparsity = run.add_mutually_exclusive_group()
    sparsity.add_argument(
        "--k", type=int, help="active features an orbit (default: one for ten channels)"
    )
    sparsity.add_argument("--l1", type=float, help="L1 penalty instead, as in the paper")
    run.add_argument(
        "--compression",
        type=_share,
        default="auto",
        metavar="SHARE",
        help="train in coordinates that hold this share of the variance, such as 0.8, in as many "
        "as the orbits can teach (auto), or in all columns (none) (default: %(default)s)",
    )
    run.add_argument("--epochs", type=int, default=60, help="passes (default: %(default)s)")
    run.add_argument(
        "--no-augment",
        action="store_true",
        help="do not train on turned and mirrored copies of the orbits",
    )
    _add_common(run, out="groupcross-run")


def _share(text: str) -> float | str | None:
    """Type of ``--compression``."""
    if text in ("auto", "none"):
        return None if text == "none" else text
    try:
        share = float(text)
    except ValueError:
        share = float("nan")
    if not 0 < share <= 1:
        raise argparse.ArgumentTypeError(f"a share in (0, 1], auto or none; got {text!r}")
    return share


def _add_common(parser: argparse.ArgumentParser, out: str) -> None:
    parser.add_argument("--seed", type=int, default=0, help="default: %(default)s")
    parser.add_argument(
        "--seeds",
        type=int,
        default=3,
        metavar="N",
        help="dictionaries of so many seeds are fitted, which tell what of the first is found "
        "again (default: %(default)s)",
    )
    parser.add_argument(
        "--out", type=Path, default=Path(out), help="folder for the results (default: %(default)s)"
    )
    parser.add_argument(
        "--overwrite", action="store_true", help="replace results that lie in that folder"
    )


def _add_stores(commands: Any) -> None:
    """Add the commands to a parser's subparsers."""
    extract = commands.add_parser(
        "extract",
        help="orbits of your images into a store on disk",
        description="Read orbits of images into a store on disk. The same command goes on where it "
        "was stopped.",
    )
    extract.set_defaults(command=_extract)
    _add_source(extract)
    extract.add_argument("--out", type=Path, required=True, metavar="STORE", help="its folder")
    extract.add_argument(
        "--append", action="store_true", help="add images to a store of the same settings"
    )
    extract.add_argument(
        "--layer",
        action="append",
        help="layer to read (default: the network's own); may be given several times",
    )
    extract.add_argument(
        "--hues", type=int, metavar="N", help="also turn the colours by N steps of a full turn"
    )
    extract.add_argument(
        "--mask", action="store_true", help="hide what lies outside the inscribed circle"
    )
    extract.add_argument(
        "--sampling",
        default="disk",
        choices=("disk", "energy", "center", "grid"),
        help="which positions are read (default: %(default)s)",
    )
    extract.add_argument("--positions", type=int, help="per image (default: 80; grid: all)")
    extract.add_argument("--max-samples", type=int, metavar="N", help="of all images together")
    extract.add_argument(
        "--radius", type=float, help="of the disk in pixels (default: the largest valid)"
    )
    extract.add_argument(
        "--interpolation",
        default="bilinear",
        choices=("bilinear", "exact"),
        help="how activations are read between units (default: %(default)s)",
    )
    extract.add_argument(
        "--precision",
        default="float32",
        choices=("float32", "bfloat16"),
        help="in which the network computes (default: %(default)s)",
    )
    extract.add_argument(
        "--dtype",
        default="float16",
        choices=("float16", "float32"),
        help="in which orbits are stored (default: %(default)s)",
    )
    extract.add_argument(
        "--jobs", type=int, default=1, metavar="N", help="processes (default: %(default)s)"
    )
    extract.add_argument("--seed", type=int, default=0, help="default: %(default)s")

    store = commands.add_parser("store", help="look at orbits on disk, and check them")
    subcommands = store.add_subparsers(required=True, metavar="command")
    info = subcommands.add_parser(
        "info", help="what a store holds", description="Say what a store of orbits holds."
    )
    info.set_defaults(command=_store_info)
    verify = subcommands.add_parser(
        "verify",
        help="compare a store with its checksums",
        description="Read a store of orbits whole and compare every image with its checksum.",
    )
    verify.set_defaults(command=_store_verify)
    verify.add_argument("--quiet", action="store_true", help="print nothing if nothing is damaged")
    for parser_of_store in (info, verify):
        parser_of_store.add_argument("store", metavar="STORE", help="the store's folder")


def _add_analyze(commands: Any) -> None:
    """Add the command to a parser's subparsers."""
    analyze = commands.add_parser(
        "analyze",
        help="symmetries and families of a saved crosscoder",
        description="Name the symmetry of every feature of a saved crosscoder and the families of "
        "features that are one another's transforms; write tables and figures.",
    )
    analyze.set_defaults(command=_analyze)
    analyze.add_argument("model", type=Path, metavar="MODEL", help="file of GroupCrosscoder.save")
    analyze.add_argument(
        "--orbits",
        type=Path,
        metavar="STORE",
        help="a store of orbits: its images are resampled for confidence, and findings told",
    )
    analyze.add_argument(
        "--threshold",
        type=float,
        default=0.8,
        help="what a symmetry must reach to be named, in (0, 1) (default: %(default)s)",
    )
    analyze.add_argument(
        "--family-distance",
        type=_distance,
        default="auto",
        metavar="X",
        help="average distance within families, or auto: chosen from the atoms (default: auto)",
    )
    analyze.add_argument(
        "--families",
        type=int,
        default=6,
        metavar="N",
        help="draw the N largest families (default: %(default)s)",
    )
    analyze.add_argument(
        "--format", default="png", choices=("png", "svg"), help="of figures (default: %(default)s)"
    )
    analyze.add_argument(
        "--no-map", action="store_true", help="leave out the map, which takes longest"
    )
    analyze.add_argument("--json", action="store_true", help="print the summary as JSON")
    analyze.add_argument(
        "--device", default="auto", help="auto, cpu or cuda (default: %(default)s)"
    )
    analyze.add_argument("--seed", type=int, default=0, help="of the map (default: %(default)s)")
    analyze.add_argument(
        "--out",
        type=Path,
        default=Path("groupcross-analysis"),
        help="folder for the results (default: %(default)s)",
    )
    analyze.add_argument(
        "--overwrite", action="store_true", help="replace results that lie in that folder"
    )


def _add_source(parser: argparse.ArgumentParser) -> None:
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


def _demo(options: argparse.Namespace) -> None:
    from ._run import demo

    demo(options)


def _run(options: argparse.Namespace) -> None:
    from ._run import run

    run(options)


def _extract(options: argparse.Namespace) -> None:
    from ._stores import extract

    extract(options)


def _store_info(options: argparse.Namespace) -> None:
    from ._stores import store_info

    store_info(options)


def _store_verify(options: argparse.Namespace) -> None:
    from ._stores import store_verify

    store_verify(options)


def _analyze(options: argparse.Namespace) -> None:
    from ._analyze import analyze

    analyze(options)


def _distance(text: str) -> float | str:
    """A number, or the word that stands for one chosen from the atoms."""
    if text == "auto":
        return text
    try:
        return float(text)
    except ValueError:
        raise argparse.ArgumentTypeError(f"expected a number or auto; got {text!r}") from None
