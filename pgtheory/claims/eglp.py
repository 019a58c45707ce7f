r"""The lemma of the expected gradient of a log-probability (EGLP): it is 0, also behind any history."""

from __future__ import annotations

import numpy as np

from ..trajectories.likelihood import trajectory_score
from ..trajectories.scores import score_sums
from .episodes import episodes_of, reason_against
from .equation import Claim, Equation

NUMBERS = 11   # values that the function of the history takes


def equations(problem) -> list[Equation]:
    """E[grad log pi(a_t|s_t) c(h_t)] = 0 for each t; and E[grad log P(tau)], against the gradient of the sum of all P(tau)."""
    episodes = episodes_of(problem)
    batch, T = episodes.batch, episodes.horizon
    weighted = expectations(episodes, history(batch))
    score = batch.mean(trajectory_score(batch, problem.policy, problem.theta))
    return [
        Equation(f"E[grad log pi(a_t|s_t) c(h_t)] = 0, t = 0..{T - 1}", "given", weighted * 0,
                 episodes.gradient_size(NUMBERS) / T, unit=episodes.unit, lhs=weighted,
                 size=episodes.gradient_size(NUMBERS) / T),
        Equation(f"E[grad log P(tau)] = grad sum P(tau) = 0, T = {T}",
                 episodes.slope("grad sum P(tau)", lambda theta: episodes.probability_at(theta).sum(axis=-1)),
                 problem.along(np.asarray(score)), episodes.gradient_size(1.0), unit=episodes.unit,
                 size=episodes.gradient_size(1.0)),
    ]


def history(batch):
    """(N, T) integers c(h_t): a number without meaning for every history s_0, a_0, ..., s_t."""
    N, T = batch.actions.shape
    c = np.empty((N, T), dtype=int)
    c[:, 0] = batch.states[:, 0] + 1
    for t in range(1, T):
        c[:, t] = (3 * c[:, t - 1] + 5 * batch.actions[:, t - 1] + 7 * batch.states[:, t] + 1) % NUMBERS
    return c


def expectations(episodes, c):
    """(T,) + theta's shape: E[grad log pi(a_t|s_t) c_t] for each t, for c (N, T)."""
    problem, batch = episodes.problem, episodes.batch
    rows = []
    for t in range(episodes.horizon):
        weights = np.zeros_like(c)
        weights[:, t] = c[:, t]
        rows.append(batch.mean(score_sums(batch, problem.policy, problem.theta, batch.arithmetic.convert(weights))))
    return np.stack(rows)


CLAIM = Claim(
    slug="eglp",
    title="Expected gradient of a log-probability",
    statement=r"\mathbb{E}_{x \sim p_\theta}\left[ \nabla \log p_\theta(x) \right] = 0, \qquad "
              r"\mathbb{E}_{\tau}\left[ \nabla \log \pi_\theta(a_t|s_t)\, c(h_t) \right] = 0, \quad "
              r"h_t = (s_0, a_0, \ldots, s_t)",
    hypotheses=("c depends on the history up to and including s_t, not on a_t or on what follows",
                "the policy is differentiable in theta, and pi(a|s) > 0",
                "the probabilities sum to 1 for all theta nearby; otherwise along directions that keep their sum"),
    source="Achiam 2018, Spinning Up in Deep RL, part 3 of the introduction; Williams 1992",
    equations=equations,
    applies=lambda problem: reason_against(problem, simplex=True, rewards=False),
)
