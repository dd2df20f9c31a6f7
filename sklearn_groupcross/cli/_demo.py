"""``groupcross demo``: everything on the bundled network and two photographs."""

from __future__ import annotations

import argparse

from ..groups import Dihedral
from ..orbits import ImageSource
from ._arguments import in_words
from ._demo_images import demo_images
from ._run import run_images
from ._streams import say


def demo(options: argparse.Namespace) -> None:
    """Run ``groupcross demo``, whose settings its parser has."""
    say("Bundled network, two photographs, " + in_words(Dihedral(16)))
    run_images(options, lambda network: ImageSource(demo_images(options.device)))
