r"""The surrogate loss, whose gradient is minus an estimator, and whose value means nothing."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from ..estimators import Reinforce, surrogate_loss
from ..slope import Slope
from .episodes import Episodes, horizons_of, reason_against
from .equation import Claim, Equation
from .finite_horizon import in_simplex


def equations(problem) -> list[Equation]:
    """The gradient of the loss of some of the trajectories, against minus their estimates; of all of them, against minus
    grad J_T by the backward and the forward pass.

    A logarithm of Fractions is none: there the loss holds pi/pi_0 in place of log pi, pi_0 the policy that drew the
    trajectories. At pi = pi_0 both have one gradient.
    """
    return [equation for episodes in horizons_of(problem) for equation in (
        _enumerated(episodes) if isinstance(episodes, Episodes) else [_sampled(episodes)])]


def _enumerated(episodes):
    problem, T = episodes.problem, episodes.horizon
    found = [_on(episodes, _every_other(episodes.batch), "every other trajectory: minus its estimates", episodes.gradient_size())]
    if problem.policy.normalised or problem.tangent is not None:
        gradient = problem.along_simplex(problem.policy.pullback(problem.theta, episodes.solution.gradient_weights))
        found.append(Equation(f"all trajectories: minus grad J, T = {T}{episodes.where}",
                              in_simplex(_slope(episodes, episodes.batch, "all"), problem), -gradient,
                              episodes.gradient_size(), unit=episodes.unit, size=episodes.spread))
    return found


def _sampled(episodes):
    """Trajectories are too many: a few that are drawn, whose loss has its own equation, and no statistics in it."""
    size = episodes.gradient_size() / episodes.least_taken
    return _on(episodes, episodes.sampled, f"{len(episodes.sampled)} sampled trajectories: minus their estimates", size)


def _on(episodes, batch, part, size):
    """The loss of these trajectories, against minus their own estimates."""
    problem = episodes.problem
    estimate = batch.mean(Reinforce()(batch, problem.policy, problem.theta, problem.gamma))
    return Equation(f"{part}, T = {episodes.horizon}", _slope(episodes, batch, part, size), -problem.along(np.asarray(estimate)), size,
                    unit=episodes.unit, size=episodes.spread)


def _every_other(batch):
    """Half of the trajectories, with the probabilities they have."""
    rows = np.arange(0, len(batch), 2)
    return replace(batch.take(rows), probability=batch.probability[rows])


def _slope(episodes, batch, which, steepness=None):
    problem = episodes.problem
    if problem.exact:
        return episodes.slope(f"grad of the surrogate, {which}", lambda theta: ratio_loss(problem, batch, theta))
    size = episodes.horizon * episodes.return_size * float(np.abs(np.log(problem.pi)).max())
    return Slope(f"grad of the surrogate, {which}", lambda theta: _at_each(problem, batch, theta), size,
                 episodes.gradient_size() if steepness is None else steepness, episodes.unit, batch.actions.size)


def _at_each(problem, batch, theta):
    """The loss at a stack of parameters, one call or one at a time."""
    if problem.policy.vectorized or theta.ndim == problem.theta.ndim:
        return surrogate_loss(batch, problem.policy, theta, problem.gamma)
    return np.array([surrogate_loss(batch, problem.policy, one, problem.gamma) for one in theta])


def ratio_loss(problem, batch, theta):
    r"""The scalar :math:`-E[\sum_t R(\tau)\, \pi_\theta(a_t|s_t) / \pi_0(a_t|s_t)]`."""
    weights = Reinforce().weights(batch, problem.pi, problem.gamma)
    s, a = batch.states[:, :-1], batch.actions
    ratios = np.where(batch.valid, problem.pi_at(theta)[s, a] / problem.pi[s, a], 0)
    return -((weights * ratios).sum(axis=1) * batch.probability).sum()


def applies(problem) -> str | None:
    """Not in symbols: the loss holds its weights fixed, and a symbol in them is the parameter itself."""
    if problem.arithmetic.symbolic:
        return "the loss holds its weights fixed, and in symbols they cannot be told from the parameters"
    return reason_against(problem, simplex=False)


CLAIM = Claim(
    slug="surrogate-loss",
    title="Surrogate loss",
    statement=r"L(\theta) = -\frac{1}{N} \sum_{n=1}^{N} \sum_{t=0}^{T-1} \log \pi_\theta(a_t^n|s_t^n)\, R(\tau^n), \qquad "
              r"\nabla L(\theta) = -\frac{1}{N} \sum_{n=1}^{N} \sum_{t=0}^{T-1} "
              r"\nabla \log \pi_\theta(a_t^n|s_t^n)\, R(\tau^n)",
    hypotheses=("finite horizon T", "the weights R(tau) are held fixed while theta moves",
                "the policy is differentiable in theta, and pi(a|s) > 0",
                "its mean is minus grad J where the probabilities sum to 1 for all theta nearby"),
    source="Schulman, Heess, Weber & Abbeel 2015",
    equations=equations,
    applies=applies,
    needs_value=False,
)
