r"""The score function of the policy: its formula against differentiation of the probabilities."""

from __future__ import annotations

import numpy as np

from .equation import Claim, Equation

MAX_ENTRIES = 4_000_000   # of a Jacobian that is worth forming and comparing
LEAST_PROBABILITY = 1e-290   # of an action in floats: 1 / pi overflows soon below, and pi times it has few digits


def equations(problem) -> list[Equation]:
    """grad pi by the policy's formula; pi times the score; rows of grad pi sum to 0 where pi always sums to 1."""
    if problem.kind == "density":
        return _of_density(problem)
    policy, theta, pi = problem.policy, problem.theta, problem.pi
    jacobian = problem.along(policy.jacobian(theta))
    scale = max(problem.slope_scale, 1.0)
    if not problem.exact:
        scale += policy.jacobian_error(theta) / problem.unit
    found = [Equation("grad pi", "grad pi", jacobian, scale)]
    if has_scores(problem):
        score = problem.along(policy.score(theta))
        found.append(Equation("pi grad log pi", "grad pi", pi[:, :, None] * score, scale))
    if policy.normalised:
        found.append(Equation("sum_a grad pi = 0", "given", jacobian.sum(axis=1) * 0, scale, lhs=jacobian.sum(axis=1),
                              size=0.0 if problem.arithmetic.symbolic else float(np.abs(jacobian).max(initial=0.0))))
    return found


def has_scores(problem) -> bool:
    """Every pi(a|s) > 0, and in floats large enough for its logarithm to be differentiated."""
    return not np.any(problem.pi == 0) and (problem.exact or problem.pi.min() >= LEAST_PROBABILITY)


def without_scores(problem) -> str | None:
    """Why the parts with grad log pi are left out, or None."""
    if problem.kind == "density" or has_scores(problem):
        return None
    s, a = np.unravel_index(int(np.argmin(problem.pi)), problem.pi.shape)
    return (f"the log form is left out: pi[{s}, {a}] is {problem.pi[s, a]}, where log pi has no derivative"
            + ("" if problem.exact else " that floats can hold") + "; a milder theta brings it back")


def _of_density(problem):
    """The same for a density over continuous actions, at a few of them; the score averages 0."""
    score, (mean, size) = problem.along(problem.score), problem.mean_score
    return [Equation("pi grad log pi", "grad pi", problem.pi[:, :, None] * score, max(problem.slope_scale, 1.0)),
            Equation("E grad log pi = 0", "given", mean * 0, float(size.max()), lhs=mean, size=float(size.max()))]


def applies(problem) -> str | None:
    """The Jacobian is formed here; too large a one is a reason to skip."""
    S, A = problem.pi.shape
    if S * A * len(problem.directions) > MAX_ENTRIES or S * A * problem.theta.size > 4 * MAX_ENTRIES:
        return f"the Jacobian of pi has {S} x {A} x {problem.theta.size} entries, too many to compare one by one"
    return None


CLAIM = Claim(
    slug="score-function",
    title="Score function of the policy",
    statement=r"\nabla \pi_\theta(a|s) = \pi_\theta(a|s)\, \nabla \log \pi_\theta(a|s), \qquad "
              r"\nabla_{\theta(s,b)} \log \pi_\theta(a|s) = \mathbf{1}[a = b] - \pi_\theta(b|s) "
              r"\quad \text{(softmax)}",
    hypotheses=("the policy is differentiable in theta", "the logarithm needs pi(a|s) > 0"),
    source="Williams 1992, section 4; Sutton & Barto 2018, section 13.1 and exercise 13.3",
    equations=equations,
    omitted=without_scores,
    applies=applies,
    kinds=("finite", "density"),
    needs_value=False,
)
