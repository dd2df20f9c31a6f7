from __future__ import annotations

import sys

from . import __doc__ as usage
from . import main

if len(sys.argv) < 2:
    sys.exit(usage)
main(*sys.argv[1:])
