"""``groupcross analyze`` and ``groupcross report`` as they are typed."""

from __future__ import annotations

import argparse
from typing import Any

from ._options import add_device, add_json, add_no_verify, add_results, add_seed, network_help
from ._stage_options import add_symmetries, add_visualize
from ._types import count, existing_file, existing_path, model_file, network_name, store_folder


def add_analyze(commands: Any) -> None:
    """Add the command to a parser's subparsers."""
    parser = commands.add_parser(
        "analyze",
        help="symmetries and families of a saved crosscoder",
        description="Name the symmetry of every feature of a saved crosscoder and the families of\n"
        "features that are one another's transforms; write tables and figures.",
        epilog="example:\n  groupcross analyze groupcross-run/crosscoder.safetensors --orbits "
        "others.orbits\n",
    )
    parser.set_defaults(command=_analyze)
    _add_model(parser)
    symmetries = add_symmetries(parser)
    add_device(symmetries)
    add_seed(symmetries, "bags of images and the map")
    results = add_results(
        parser,
        out=None,
        default="the model's, if a command here made it; otherwise groupcross-analysis",
    )
    results.add_argument(
        "--families",
        type=count(0),
        default=6,
        metavar="N",
        help="draw and print the N largest families (default: %(default)s)",
    )
    results.add_argument(
        "--format", default="png", choices=("png", "svg"), help="of figures (default: %(default)s)"
    )
    results.add_argument(
        "--no-map", action="store_true", help="leave out the map, which takes longest"
    )
    add_json(results)


def add_report(commands: Any) -> None:
    """Add the command to a parser's subparsers."""
    parser = commands.add_parser(
        "report",
        help="the explorer of a saved crosscoder",
        description="Write one page that shows the features of a saved crosscoder, with patches\n"
        "of the images where these are at hand.",
        epilog="example:\n  groupcross report groupcross-run/crosscoder.safetensors\n",
    )
    parser.set_defaults(command=_report)
    _add_model(parser)
    patches = parser.add_argument_group("patches")
    patches.add_argument(
        "--images",
        nargs="+",
        type=existing_path,
        metavar="IMAGES",
        help="where the images of the orbits are (default: where they were when they were read)",
    )
    patches.add_argument(
        "--network",
        type=network_name,
        metavar="NAME",
        help=f"that read them: {network_help()} (default: as it is recorded, unless that is code)",
    )
    patches.add_argument(
        "--weights",
        type=existing_file,
        metavar="FILE",
        help="a .safetensors or .pth file (default: as it is recorded)",
    )
    add_device(patches)
    add_visualize(add_results(parser, out=None, default="that of the model"))


def _add_model(parser: argparse.ArgumentParser) -> None:
    dictionary = parser.add_argument_group("dictionary")
    dictionary.add_argument(
        "model", type=model_file, metavar="MODEL", help="file of GroupCrosscoder.save"
    )
    dictionary.add_argument(
        "--orbits",
        type=store_folder,
        metavar="STORE",
        help="a store of orbits: images that were held out of training, or all, are resampled for "
        "confidence, and findings told (default: the one that the model was fitted on)",
    )
    add_no_verify(dictionary)
    dictionary.add_argument(
        "--others",
        type=model_file,
        nargs="+",
        metavar="MODEL",
        help="models of other seeds, which tell what is found again (default: those of the same "
        "fit)",
    )


def _analyze(options: argparse.Namespace) -> None:
    from ._analyze import analyze

    analyze(options)


def _report(options: argparse.Namespace) -> None:
    from ._report import report

    report(options)
