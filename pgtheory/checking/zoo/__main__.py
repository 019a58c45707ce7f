"""``python -m pgtheory.checking.zoo``: the score."""

import sys

from .score import run

sys.exit(run())
