r"""The score of a trajectory: the gradient of its log-probability knows the policy only."""

from __future__ import annotations

from ..slope import Slope
from ..trajectories.likelihood import trajectory_score
from .episodes import Episodes, horizons_of, reason_against
from .equation import Claim, Equation


def equations(problem) -> list[Equation]:
    """grad P(tau) = P(tau) sum_t grad log pi, trajectory by trajectory: what grad log P(tau) is, without dividing by P(tau).

    The probability that is differentiated is the whole product, start and dynamics included; in the second equation, what
    is left of it once the policy's factors are taken out at every theta.
    """
    return [equation for episodes in horizons_of(problem, rewards=False) for equation in (
        _enumerated(episodes) if isinstance(episodes, Episodes) else [_sampled(episodes)])]


def _enumerated(episodes):
    problem, batch, T, size = episodes.problem, episodes.batch, episodes.horizon, episodes.gradient_size(1.0)
    score = problem.along(trajectory_score(batch, problem.policy, problem.theta))

    def remainder(theta):
        environment, policy = episodes.factors_at(theta)
        return episodes.probability_at(theta) - policy * environment

    return [
        Equation(f"grad P = P sum_t grad log pi, each of {len(batch)} trajectories, T = {T}",
                 episodes.slope("grad P(tau)", episodes.probability_at), batch.probability[:, None] * score, size,
                 unit=episodes.unit),
        Equation(f"start and dynamics are constant factors, T = {T}",
                 episodes.slope("grad of start and dynamics", remainder), score * 0, size, unit=episodes.unit,
                 size=size),
    ]


def _sampled(episodes):
    """Trajectories are too many: a few that are drawn, each with its own equation, and no statistics in it."""
    problem, batch, T = episodes.problem, episodes.sampled, episodes.horizon
    size = episodes.gradient_size(1.0) / episodes.least_taken
    ratio = Slope(f"grad P(tau) / P(tau), T = {T}", episodes.relative_probability_at, 1.0, size, episodes.step_unit,
                  batch.actions.size)
    return Equation(f"grad P / P = sum_t grad log pi, each of {len(batch)} sampled trajectories, T = {T}", ratio,
                    problem.along(trajectory_score(batch, problem.policy, problem.theta)), size, unit=episodes.step_unit)


CLAIM = Claim(
    slug="trajectory-score",
    title="Score of a trajectory",
    statement=r"P(\tau|\theta) = \rho(s_0) \prod_{t=0}^{T-1} \pi_\theta(a_t|s_t)\, P(s_{t+1}|s_t,a_t), \qquad "
              r"\nabla \log P(\tau|\theta) = \sum_{t=0}^{T-1} \nabla \log \pi_\theta(a_t|s_t)",
    hypotheses=("finite horizon T", "start and dynamics do not depend on theta",
                "the policy is differentiable in theta, and pi(a|s) > 0"),
    source="Williams 1992",
    equations=equations,
    applies=lambda problem: reason_against(problem, simplex=False, rewards=False),
    needs_value=False,
)
