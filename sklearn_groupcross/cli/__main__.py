"""``python -m sklearn_groupcross.cli``: the command where it is not on the path."""

import sys

from . import main

sys.exit(main())
