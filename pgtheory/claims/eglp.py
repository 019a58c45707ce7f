r"""The lemma of the expected gradient of a log-probability (EGLP): it is 0, also behind any history."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from ..trajectories.bounded import NUMBERS, histories
from ..trajectories.likelihood import trajectory_score
from ..trajectories.scores import score_sums
from .episodes import Episodes, horizons_of, reason_against
from .equation import Claim, Equation
from .finite_horizon import in_simplex


def equations(problem) -> list[Equation]:
    """E[grad log pi(a_t|s_t) c(h_t)] = 0 for each t; and E[grad log P(tau)], against the gradient of the sum of all P(tau).

    Where trajectories are too many, E[grad log P(tau)] by recursion; and the sum over t of the former by simulation.
    """
    horizons = horizons_of(problem, rewards=False)
    found = [equation for episodes in horizons for equation in (
        _enumerated(episodes) if isinstance(episodes, Episodes) else [_recursive(episodes)])]
    last = horizons[-1]
    draws = last.draws("history", scale=None if problem.arithmetic.symbolic else last.gradient_size(1.0))
    return [*found[:-1], replace(found[-1], draws=draws)]


def _enumerated(episodes):
    problem, batch, T = episodes.problem, episodes.batch, episodes.horizon
    weighted = expectations(episodes, history(batch))
    if problem.tangent is not None:
        weighted = problem.along_simplex(weighted)
    score = batch.mean(trajectory_score(batch, problem.policy, problem.theta))
    total = episodes.slope("grad sum P(tau)", lambda theta: episodes.probability_at(theta).sum(axis=-1))
    size = episodes.gradient_size(NUMBERS) / T
    return [
        Equation(f"E[grad log pi(a_t|s_t) c(h_t)] = 0, t = 0..{T - 1}{episodes.where}", "given", weighted * 0, size,
                 unit=episodes.unit, lhs=weighted, size=size),
        Equation(f"E[grad log P(tau)] = grad sum P(tau) = 0, T = {T}{episodes.where}", in_simplex(total, problem),
                 problem.along_simplex(np.asarray(score)), episodes.gradient_size(1.0), unit=episodes.unit,
                 size=episodes.gradient_size(1.0)),
    ]


def _recursive(episodes):
    score, size = episodes.mean(None, simplex=True), episodes.gradient_size(1.0)
    return Equation(f"E[grad log P(tau)] = 0, T = {episodes.horizon}{episodes.where}", "given", score * 0, size,
                    unit=episodes.unit, lhs=score, size=size)


def history(batch):
    """(N, T) integers c(h_t): a number without meaning for every history s_0, a_0, ..., s_t."""
    return histories(batch.states[:, :-1].T, batch.actions.T).T


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
    needs_value=False,
    needs_simplex=True,
)
