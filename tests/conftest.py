"""Settings that all tests share: one BLAS thread, and how hard Hypothesis looks.

HYPOTHESIS_PROFILE=long looks at forty times as many examples as the default, "ci", whose examples are the same in every run.
"""

import os

os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")      # read when numpy is loaded: small systems are slower on many threads

from hypothesis import HealthCheck, settings  # noqa: E402

settings.register_profile("ci", derandomize=True, deadline=None, max_examples=50,
                          suppress_health_check=[HealthCheck.too_slow])
settings.register_profile("long", parent=settings.get_profile("ci"), derandomize=False, max_examples=2000)
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "ci"))
