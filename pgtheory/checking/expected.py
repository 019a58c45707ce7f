"""The expectation of an estimator on a fixture beside the target's: how far apart they are, and where."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ..errors import EstimatorError, PGTheoryError
from ..policies import SoftmaxPolicy
from .calling import Answers, ask_all
from .fixtures import Fixture, fixture_of
from .result import percent
from .targets import Target

NEAR = 0.5                  # share of the bias above which a bug is not near
SINGLE_TOLERANCE = 1e-5     # relative bias that single precision may leave


@dataclass(frozen=True, eq=False)
class Comparison:
    """A fixture's expectation beside the target's: found, expected, scale (1 unless the target leaves it free)."""

    fixture: Fixture
    answers: Answers
    found: np.ndarray
    expected: np.ndarray
    scale: float

    @property
    def bias(self):
        return self.found - self.expected

    @property
    def relative(self) -> float:
        """|bias| / |expected|; of E |estimate| where the target is 0."""
        size = float(np.linalg.norm(self.expected)) or self.answers.size
        return float(np.linalg.norm(self.bias)) / size if size > 0 else 0.0

    def within(self, tolerance, rounding) -> bool:
        """The bias is no larger than what is let pass, or than what rounding leaves of such terms."""
        allowed = max(tolerance * float(np.linalg.norm(self.expected)), rounding * self.answers.size)
        return float(np.linalg.norm(self.bias)) <= allowed


def compare(fn, fixture, target: Target, k: int) -> Comparison:
    """The exact expectation of ``fn`` on a fixture, and the target."""
    answers = ask_all(fn, fixture, k)
    found, expected = answers.mean, np.asarray(target.value(fixture), dtype=float)
    if expected.shape != found.shape:
        raise PGTheoryError(f"the target has shape {expected.shape}: theta's is {found.shape}")
    scale = _scale(found, expected) if target.up_to_scale else 1.0
    return Comparison(fixture, answers, found, expected * scale, scale)


def _scale(found, expected) -> float:
    """The multiple of the target nearest to what was found; 1 where it would not be positive."""
    size = float((expected**2).sum())
    scale = float((found * expected).sum()) / size if size > 0 else 1.0
    return scale if scale > 0 else 1.0


def look(worst, next_best) -> str:
    if worst.relative < 1e-4:
        return (f"a deviation of {worst.relative:.0e} is what single precision makes: pass "
                f"tolerance={SINGLE_TOLERANCE:g} if it computes in float32")
    if not worst.found.any():
        return "it is 0 in the mean: are the weights constant, or detached from the score?"
    if not np.isfinite(next_best):
        return ""
    near = f"; the nearest leaves {percent(next_best)} of the bias" if next_best <= NEAR else ""
    return f"no known bug does this{near}"


def at_the_end(c) -> bool:
    """Nothing is wrong but the rows of terminal states."""
    policy = c.fixture.policy
    if not (isinstance(policy, SoftmaxPolicy) and policy.tabular):
        return False
    live = c.bias[~c.fixture.mdp.terminal]
    return bool(np.abs(live).max(initial=0.0) <= 1e-6 * np.abs(c.bias).max())


def where(fn, compared, target, k, allowed) -> str:
    """On which problem, from which length of the episodes on, in which state."""
    worst = max(compared, key=lambda c: c.relative)
    words = [worst.fixture.name]
    wrong = _first_wrong_length(fn, compared, target, k, allowed)
    if wrong is not None:
        words.append("from the first step on" if wrong == 1 else
                     f"right for episodes of {wrong - 1} step{'s' * (wrong > 2)}, wrong from {wrong} on")
    if isinstance(worst.fixture.policy, SoftmaxPolicy) and worst.fixture.policy.tabular:
        share = (worst.bias**2).sum(axis=1) / (worst.bias**2).sum()
        words.append(f"{100 * share.max():.0f} % of the squared bias in state {int(np.argmax(share))}")
    return "; ".join(words)


def _first_wrong_length(fn, compared, target, k, allowed):
    """The least horizon at which a fixture shows the bias; None where the function takes no other horizon."""
    longest = max(c.fixture.steps for c in compared)
    try:
        for horizon in range(1, longest):
            short = [compare(fn, _shortened(c.fixture, horizon), target, k) for c in compared]
            if not all(c.within(*allowed) for c in short):
                return horizon
    except (EstimatorError, PGTheoryError):
        return None
    return longest


def _shortened(fixture, horizon) -> Fixture:
    """The same problem with an end after ``horizon`` steps; a critic by time keeps its last rows, the steps left."""
    critic = fixture.critic if fixture.critic.ndim == 1 else fixture.critic[fixture.horizon - horizon:]
    behaviour = None if fixture.on_policy else fixture.behaviour
    short = fixture_of(fixture.mdp, fixture.policy, fixture.theta, horizon, behaviour, critic)
    cut = fixture.time_limit is not None and horizon > 1
    return short.with_time_limit(min(fixture.time_limit, horizon - 1)) if cut else short
