"""Every benchmark in one run: ``python benchmarks/run.py [--large]``; exits 1 where a bar is missed."""

from __future__ import annotations

import sys

import clock
import dense
import deterministic
import exact
import imports
import simulation
import sparse

if __name__ == "__main__":
    raise SystemExit(clock.show(dense.table("--large" in sys.argv), sparse.table(), deterministic.table(), exact.table(),
                                simulation.table(), imports.table()))
