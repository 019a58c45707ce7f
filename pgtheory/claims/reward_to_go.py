r"""Reward-to-go: what was earned before an action may be left out of its weight."""

from __future__ import annotations

import numpy as np

from ..estimators import RewardToGo
from ..horizon import powers
from ..trajectories.scores import score_sums
from .episodes import episodes_of, reason_against
from .equation import Claim, Equation


def equations(problem) -> list[Equation]:
    """The gradient with the rewards from t on; and the mean of what is left out, time by time, which is 0."""
    episodes = episodes_of(problem)
    T = episodes.horizon
    found = [Equation(f"grad J = E[sum_t gamma^t grad log pi G_t], T = {T}", episodes.grad_J, episodes.mean(RewardToGo()),
                      episodes.gradient_size(), unit=episodes.unit, size=episodes.spread)]
    if problem.policy.normalised and T > 1:
        past = past_rewards(episodes)
        found.append(Equation(f"E[grad log pi(a_t|s_t) past rewards] = 0, t = 1..{T - 1}", "given", past * 0,
                              episodes.gradient_size() / T, unit=episodes.unit, lhs=past,
                              size=episodes.gradient_size() / T))
    return found


def past_rewards(episodes):
    """(T-1, n): E[grad log pi(a_t|s_t) sum_{k < t} gamma^k r_k] for t = 1..T-1, along the directions of comparison."""
    problem, batch = episodes.problem, episodes.batch
    earned = np.cumsum(batch.rewards * powers(problem.gamma, episodes.horizon, problem.arithmetic), axis=1)
    rows = []
    for t in range(1, episodes.horizon):
        weights = earned * 0
        weights[:, t] = earned[:, t - 1]
        rows.append(batch.mean(score_sums(batch, problem.policy, problem.theta, weights)))
    return problem.along(np.stack(rows))


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
)
