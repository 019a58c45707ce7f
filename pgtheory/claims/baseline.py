r"""Baselines: any function of the state and the time may be subtracted from the return without moving the mean."""

from __future__ import annotations

import numpy as np

from ..estimators import Baseline
from .episodes import horizons_of, reason_against
from .equation import Claim, Equation


def equations(problem) -> list[Equation]:
    """The gradient with the value V_t taken from the whole return and from reward-to-go, and with numbers without meaning."""
    horizons = horizons_of(problem)
    return [equation for episodes in horizons for equation in _on(episodes, episodes is horizons[-1])]


def _on(episodes, last):
    problem, V, b = episodes.problem, episodes.solution.V, arbitrary(episodes)
    size = episodes.return_size if problem.arithmetic.symbolic else max(episodes.return_size, float(max(abs(b).flat)))
    draws = episodes.draws("to-go", V) if last else None

    def equation(what, estimator, draws=None):
        return Equation(f"{what}, T = {episodes.horizon}{episodes.where}", episodes.grad_J_in_simplex,
                        episodes.mean(estimator, simplex=True), 2 * episodes.gradient_size(size), unit=episodes.unit,
                        size=episodes.spread, draws=draws)

    return [equation("R(tau) - gamma^t V_t(s_t)", Baseline(V, full_return=True)),
            equation("G_t - V_t(s_t)", Baseline(V), draws), equation("G_t - b_t(s_t), b arbitrary", Baseline(b))]


def arbitrary(episodes):
    """(T+1, S) numbers from 1 to 7 in no order, times the largest reward: a baseline that knows nothing of the problem."""
    T, problem = episodes.horizon, episodes.problem
    t, s = np.indices((T + 1, problem.mdp.n_states))
    b = problem.arithmetic.convert((3 * s + 5 * t * t + 2 * s * t) % 7 + 1)
    return b if problem.arithmetic.symbolic else b * episodes.largest_reward


CLAIM = Claim(
    slug="baseline",
    title="Baselines keep the mean",
    statement=r"\nabla J(\theta) = \mathbb{E}_{\tau}\left[ \sum_{t=0}^{T-1} \nabla \log \pi_\theta(a_t|s_t) "
              r"\left( R(\tau) - \gamma^t b_t(s_t) \right) \right] = "
              r"\mathbb{E}_{\tau}\left[ \sum_{t=0}^{T-1} \gamma^t\, \nabla \log \pi_\theta(a_t|s_t) "
              r"\left( \sum_{k=t}^{T-1} \gamma^{k-t} r_k - b_t(s_t) \right) \right]",
    hypotheses=("finite horizon T, at which nothing is bootstrapped", "b_t depends on s_t and t, not on the action",
                "the policy is differentiable in theta, and pi(a|s) > 0",
                "the probabilities sum to 1 for all theta nearby; otherwise along directions that keep their sum"),
    source="Williams 1992; Sutton & Barto 2018, section 13.4",
    equations=equations,
    applies=lambda problem: reason_against(problem, simplex=True),
    main=1,
    needs_value=False,
    needs_simplex=True,
)
