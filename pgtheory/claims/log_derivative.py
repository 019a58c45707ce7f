r"""The log-derivative trick: the gradient of an expectation over trajectories as an expectation."""

from __future__ import annotations

import numpy as np

from ..estimators import Reinforce
from ..estimators.base import returns
from .episodes import Episodes, horizons_of, reason_against
from .equation import Claim, Equation


def equations(problem) -> list[Equation]:
    """J_T, by the backward recursion, as the mean of R(tau); and its gradient as the mean of the score times R(tau)."""
    horizons = horizons_of(problem)
    return [*(_value(episodes) for episodes in horizons if isinstance(episodes, Episodes)),
            *(_gradient(episodes, episodes is horizons[-1]) for episodes in horizons)]


def _value(episodes):
    batch, size = episodes.batch, episodes.return_size
    J = batch.mean(returns(batch, episodes.problem.gamma)[:, :1])
    return Equation(f"J = E[R(tau)], T = {episodes.horizon}", "given", J, size, unit=episodes.unit, size=size,
                    lhs=np.array([episodes.solution.J], dtype=J.dtype))


def _gradient(episodes, last):
    return Equation(f"grad J = E[sum_t grad log pi R(tau)], T = {episodes.horizon}{episodes.where}",
                    episodes.grad_J_in_simplex, episodes.mean(Reinforce(), simplex=True), episodes.gradient_size(),
                    unit=episodes.unit, size=episodes.spread, draws=episodes.draws("return") if last else None)


CLAIM = Claim(
    slug="log-derivative",
    title="Log-derivative trick",
    statement=r"J(\theta) = \mathbb{E}_{\tau}[R(\tau)], \qquad "
              r"\nabla J(\theta) = \mathbb{E}_{\tau}\left[ \nabla \log P(\tau|\theta)\, R(\tau) \right] "
              r"= \mathbb{E}_{\tau}\left[ \sum_{t=0}^{T-1} \nabla \log \pi_\theta(a_t|s_t)\, R(\tau) \right], \qquad "
              r"R(\tau) = \sum_{k=0}^{T-1} \gamma^k r_k",
    hypotheses=("finite horizon T; gamma may be 1", "the policy is differentiable in theta, and pi(a|s) > 0",
                "the probabilities sum to 1 for all theta nearby; otherwise along directions that keep their sum"),
    source="Williams 1992, theorem 1",
    equations=equations,
    applies=lambda problem: reason_against(problem, simplex=True),
    main=1,
    needs_value=False,
    needs_simplex=True,
)
