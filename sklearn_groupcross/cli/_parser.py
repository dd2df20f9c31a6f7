"""The commands.

A command imports what it needs when it runs: torch alone takes seconds, and help pages, the version
and complaints of what was typed need none of it.
"""

from __future__ import annotations

from .._version import __version__
from ._analyze_parser import add_analyze, add_report
from ._completion import add_completion
from ._fit_parser import add_fit
from ._layers_parser import add_layers
from ._parsing import Parser
from ._plan_parser import add_plan
from ._run_parser import add_demo, add_run
from ._store_parser import add_extract, add_store

_EPILOG = """\
examples:
  groupcross demo
  groupcross run photographs --network googlenet --out results
  groupcross run --help

exit codes:
  0    done
  1    a fault of the program, with a traceback: please report it
  2    a mistake in the options or the input, a damaged file, a full disk or too
       little memory, said in one line
  129  stopped by SIGHUP, when its terminal closes
  130  interrupted with Ctrl-C
  141  nobody reads its output any more
  143  stopped by SIGTERM, as schedulers do
"""


def make_parser() -> Parser:
    """Parse what ``groupcross`` is given; ``options.command`` runs the command."""
    parser = Parser(
        prog="groupcross",
        description="Find which features of a vision network move together under a symmetry group.",
        epilog=_EPILOG,
    )
    parser.add_argument("--version", action="version", version=f"groupcross {__version__}")
    commands = parser.add_subparsers(required=True, title="commands", metavar="command")
    for add in (
        add_demo,
        add_run,
        add_extract,
        add_fit,
        add_analyze,
        add_report,
        add_store,
        add_layers,
        add_plan,
    ):
        add(commands)
    add_completion(commands, make_parser)
    return parser
