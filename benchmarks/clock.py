"""How the benchmarks measure: one BLAS thread, CPU time, interleaved rounds, medians; import this before numpy."""

from __future__ import annotations

import gc
import os
import platform
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from time import process_time

for _name in ("OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS", "MKL_NUM_THREADS"):
    os.environ[_name] = "1"      # read when BLAS is loaded
ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))    # what is measured is this checkout


@dataclass(frozen=True)
class Row:
    """One line of the table: seconds of CPU time against a limit, and what is allowed."""

    name: str
    ours: float
    limit: float
    allowed: float
    rule: str

    @property
    def met(self) -> bool:
        return self.ours <= self.allowed

    def __str__(self):
        verdict = "met" if self.met else "MISSED"
        return (f"{self.name:<34} {_scaled(self.ours):>10} {_scaled(self.limit):>10} {self.ours / self.limit:>7.2f}x   "
                f"{self.rule:<18} {_scaled(self.allowed):>10}   {verdict}")


HEADER = f"{'':<34} {'pgtheory':>10} {'limit':>10} {'ratio':>8}   {'allowed':<18} {'':>10}"


def _scaled(seconds: float) -> str:
    return f"{seconds * 1e6:.1f} us" if seconds < 1e-3 else f"{seconds * 1e3:.2f} ms"


def interleave(contenders: dict[str, tuple[Callable, Callable]], rounds: int, calls: int = 1) -> dict[str, float]:
    """Median CPU seconds of one call of each contender (prepare, run): ``rounds`` times, ``calls`` of each in turn.

    ``run`` is called with what ``prepare`` returned; only ``run`` is timed.
    """
    times: dict[str, list[float]] = {name: [] for name in contenders}
    for prepare, run in contenders.values():
        run(prepare())
    gc.disable()      # as timeit does
    for _ in range(rounds):
        for name, (prepare, run) in contenders.items():
            for _ in range(calls):
                prepared = prepare()
                start = process_time()
                run(prepared)
                times[name].append(process_time() - start)
        gc.collect()
    gc.enable()
    return {name: median(each) for name, each in times.items()}


def machine() -> str:
    """What the figures depend on."""
    import numpy
    import scipy

    return (f"{_processor()}; Python {platform.python_version()}, numpy {numpy.__version__}, scipy {scipy.__version__}; "
            f"{_blas()}; one thread")


def _processor() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
        return next(line.split(":")[1].strip() for line in lines if line.startswith("model name"))
    except (OSError, StopIteration):
        return platform.processor() or platform.machine()


def _blas() -> str:
    try:
        from threadpoolctl import threadpool_info
    except ImportError:
        return "BLAS core type unknown (threadpoolctl is not installed)"
    found = {f"{one['internal_api']} {one['version']} for {one.get('architecture', '?')}"
             for one in threadpool_info() if one["user_api"] == "blas"}
    return ", ".join(sorted(found))


def show(*tables: list[Row]) -> int:
    """Print the table; 0 if every bar is met, else 1."""
    rows = [row for table in tables for row in table]
    print(machine(), HEADER, *rows, sep="\n")
    missed = sum(not row.met for row in rows)
    print(f"{len(rows) - missed} of {len(rows)} bars met")
    return 1 if missed else 0
