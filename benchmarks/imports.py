"""``import pgtheory``, against ``import numpy, scipy.linalg`` in a fresh interpreter."""

from __future__ import annotations

import subprocess
import sys
from statistics import median

import clock

EXTRA, ROUNDS = 0.1, 9
LIMIT, OURS = "numpy, scipy.linalg", "pgtheory"


def cpu_seconds(modules) -> float:
    code = f"from time import process_time as t; start = t(); import {modules}; print(t() - start)"
    done = subprocess.run([sys.executable, "-c", code], cwd=clock.ROOT, check=True, capture_output=True, text=True)
    return float(done.stdout)


def table() -> list[clock.Row]:
    times: dict[str, list[float]] = {LIMIT: [], OURS: []}
    for modules in times:
        cpu_seconds(modules)      # writes the bytecode
    for _ in range(ROUNDS):
        for modules in times:
            times[modules].append(cpu_seconds(modules))
    limit = median(times[LIMIT])
    return [clock.Row("import", median(times[OURS]), limit, limit + EXTRA, f"+ {EXTRA * 1e3:.0f} ms")]


if __name__ == "__main__":
    raise SystemExit(clock.show(table()))
