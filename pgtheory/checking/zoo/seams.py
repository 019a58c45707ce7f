"""The score of all seams: every known bug of gradients, advantages and weights through its check, every control too."""

from __future__ import annotations

from collections.abc import Iterator

from ..advantages import check_advantages
from ..weights import check_weights
from .advantages import BUGS, CONTROLS
from .elsewhere import lines
from .gradients import NEGATIVE_CONTROLS
from .score import Outcome, run, table
from .weights import WEIGHT_CONTROLS, as_function, weight_bugs

GROUP = 3
DECLARED = ("gradient", "without gamma^t", "gradient up to scale")


def advantage_outcomes() -> Iterator[Outcome]:
    """One outcome a bug, on rollouts where it does not say otherwise.

    >>> outcome = next(advantage_outcomes())
    >>> outcome.bug, outcome.verdict, outcome.named, outcome.ties
    ('B1', 'FAIL', True, 1)
    """
    for wrong, bugs in ((True, BUGS), (False, CONTROLS)):
        for bug in bugs:
            settings = {**bug.settings(), "form": "rollout"}
            yield _outcome(bug.bug, wrong, check_advantages(bug.function(**settings), **settings))


def weight_outcomes() -> Iterator[Outcome]:
    """One outcome a bug: alone where it needs no group, else in groups of three."""
    controls = [c for c in (*NEGATIVE_CONTROLS, *WEIGHT_CONTROLS) if c.weights is not None and c.target in DECLARED]
    bugs = {bug.bug: bug for bug in weight_bugs(GROUP, "gradient")}
    for bug in (*bugs.values(), *controls):
        size = 1 if bug.batch_size == 1 else GROUP
        fn = as_function(bug, size, "without gamma^t" not in bug.target)
        yield _outcome(bug.bug, bug.wrong, check_weights(fn, size, target=bug.target))


def run_all() -> int:
    """Print the tables of all three seams; 1 where a bug went through or a control was refused."""
    failed = [table("function of advantages", advantage_outcomes()), table("function of weights", weight_outcomes()), run()]
    print("", *lines(), sep="\n")
    return max(failed)


def _outcome(bug, wrong, result) -> Outcome:
    names = [finding.bug for finding in result.diagnosis]
    return Outcome(bug, wrong, result.verdict, result.relative_bias, result.cosine,
                   result.verdict == ("FAIL" if wrong else "PASS"), bug in names, len(names))
