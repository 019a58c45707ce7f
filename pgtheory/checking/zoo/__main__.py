"""``python -m pgtheory.checking.zoo``: the score."""

import sys

from .seams import run_all

sys.exit(run_all())
