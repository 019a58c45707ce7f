"""The score: every known bug through the check it is made for, every negative control too."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from ..gradients import check_estimator
from ..result import WIDTH, percent
from .gradients import GRADIENTS, NEGATIVE_CONTROLS
from .mutant import Mutant


@dataclass(frozen=True)
class Outcome:
    """What the check said of one bug or control.

    caught : the verdict is the one it should be; named : the diagnosis holds the bug; ties : how many it holds
    """

    bug: str
    wrong: bool
    verdict: str
    relative_bias: float
    cosine: float
    caught: bool
    named: bool
    ties: int


def outcomes(mutants: tuple[Mutant, ...] = GRADIENTS + NEGATIVE_CONTROLS) -> Iterator[Outcome]:
    """One outcome a bug, on the built-in problems.

    >>> from pgtheory.checking.zoo.gradients import GRADIENTS
    >>> [(one.bug, one.verdict, one.named) for one in outcomes(GRADIENTS[:1])]
    [('no-gamma-t', 'FAIL', True)]
    """
    for mutant in mutants:
        result = check_estimator(mutant, target=mutant.target, batch_size=mutant.batch_size)
        names = [finding.bug for finding in result.diagnosis]
        yield Outcome(mutant.bug, mutant.wrong, result.verdict, result.relative_bias, result.cosine,
                      result.verdict == ("FAIL" if mutant.wrong else "PASS"), mutant.bug in names, len(names))


def run() -> int:
    """Print the table and the score of gradients; 1 where a bug went through or a control was refused."""
    return table("gradient estimator", outcomes())


def table(title, outcomes) -> int:
    """Print one table and its score; 1 where a verdict is not what it should be."""
    print(f"{f'bug of a {title}':<32}{'verdict':<9}{'bias':>9}{'cosine':>10}  named")
    found = []
    for one in outcomes:
        found.append(one)
        named = ("yes" if one.ties == 1 else f"one of {one.ties}") if one.named else "no" if one.wrong else ""
        mark = "" if one.caught else "   WRONG VERDICT"
        print(f"{one.bug:<32}{one.verdict:<9}{percent(one.relative_bias):>9}{one.cosine:>10.4f}  {named}{mark}", flush=True)
    wrong, right = [one for one in found if one.wrong], [one for one in found if not one.wrong]
    print("-" * WIDTH)
    print(f"{sum(one.caught for one in wrong)} of {len(wrong)} bugs FAIL, {sum(one.named for one in wrong)} are named "
          f"({sum(one.ties == 1 for one in wrong if one.named)} alone); {sum(one.caught for one in right)} of {len(right)} "
          "right ones PASS.")
    return int(not all(one.caught for one in found))
