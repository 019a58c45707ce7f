"""Settings that all tests share: one BLAS thread, and how hard Hypothesis looks.

HYPOTHESIS_PROFILE=long looks at forty times as many examples as the default, "ci", whose examples are the same in every run.
"""

import os
import sys

os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")      # read when numpy is loaded: small systems are slower on many threads

import pytest  # noqa: E402
from hypothesis import HealthCheck, settings  # noqa: E402

settings.register_profile("ci", derandomize=True, deadline=None, max_examples=50,
                          suppress_health_check=[HealthCheck.too_slow])
settings.register_profile("long", parent=settings.get_profile("ci"), derandomize=False, max_examples=2000)
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "ci"))


@pytest.fixture(autouse=True)
def _no_claim_outlives_its_test():
    """The catalogue is one for the whole process; what a test adds to it goes again."""
    catalogue = sys.modules.get("pgtheory.checks.catalogue")
    before = dict(catalogue.theorems._known) if catalogue else None
    yield
    catalogue = sys.modules.get("pgtheory.checks.catalogue")
    if catalogue:
        known = catalogue.theorems._known
        for slug in set(known) - set(before if before is not None else catalogue.theorems.builtin):
            del known[slug]
