r"""Reward-to-go: what was earned before an action may be left out of its weight."""

from __future__ import annotations

import numpy as np

from ..estimators import RewardToGo
from ..horizon import powers
from ..trajectories.scores import score_sums
from .episodes import Episodes, horizons_of, reason_against
from .equation import Claim, Equation


def equations(problem) -> list[Equation]:
    """The gradient with the rewards from t on; and the mean of what is left out, time by time, which is 0."""
    horizons = horizons_of(problem)
    found = [_gradient(episodes, episodes is horizons[-1]) for episodes in horizons]
    enumerated = isinstance(horizons[0], Episodes) and horizons[0].horizon > 1
    if enumerated and (problem.policy.normalised or problem.tangent is not None):
        found.append(_past(horizons[0]))
    return found


def _gradient(episodes, last):
    return Equation(f"grad J = E[sum_t gamma^t grad log pi G_t], T = {episodes.horizon}", episodes.grad_J,
                    episodes.mean(RewardToGo()), episodes.gradient_size(), unit=episodes.unit, size=episodes.spread,
                    draws=episodes.draws("to-go", simplex=False) if last else None)


def _past(episodes):
    past, T = past_rewards(episodes), episodes.horizon
    return Equation(f"E[grad log pi(a_t|s_t) past rewards] = 0, t = 1..{T - 1}{episodes.where}", "given", past * 0,
                    episodes.gradient_size() / T, unit=episodes.unit, lhs=past, size=episodes.gradient_size() / T)


def past_rewards(episodes):
    """(T-1, n): E[grad log pi(a_t|s_t) sum_{k < t} gamma^k r_k] for t = 1..T-1, along the directions of the simplex."""
    problem, batch = episodes.problem, episodes.batch
    earned = np.cumsum(batch.rewards * powers(problem.gamma, episodes.horizon, problem.arithmetic), axis=1)
    rows = []
    for t in range(1, episodes.horizon):
        weights = earned * 0
        weights[:, t] = earned[:, t - 1]
        rows.append(batch.mean(score_sums(batch, problem.policy, problem.theta, weights)))
    return problem.along_simplex(np.stack(rows))


CLAIM = Claim(
    slug="reward-to-go",
    title="Reward-to-go",
    statement=r"\nabla J(\theta) = \mathbb{E}_{\tau}\left[ \sum_{t=0}^{T-1} \gamma^t\, \nabla \log \pi_\theta(a_t|s_t)\, "
              r"\sum_{k=t}^{T-1} \gamma^{k-t} r_k \right], \qquad "
              r"\mathbb{E}_{\tau}\left[ \nabla \log \pi_\theta(a_t|s_t)\, r_k \right] = 0 \quad (k < t)",
    hypotheses=("finite horizon T, at which nothing is bootstrapped", "the policy is differentiable in theta, and pi(a|s) > 0",
                "for the second equation: the probabilities sum to 1 for all theta nearby"),
    source="Baxter & Bartlett 2001 (the same sums in another order); Sutton & Barto 2018, section 13.3",
    equations=equations,
    applies=lambda problem: reason_against(problem, simplex=False),
    needs_value=False,
)
