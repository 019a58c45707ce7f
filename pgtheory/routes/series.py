r"""V, Q and d as time series, by powers of the transition matrix: no linear solve takes part.

The sum of n terms misses a tail. With :math:`B = (\gamma P_\pi)^n` and beta its largest row sum,
:math:`V = S_n + B V`, hence :math:`\|V - S_n\|_\infty \le \frac{\beta}{1-\beta} \|S_n\|_\infty`; for d the same holds in
the 1-norm. Nothing but beta < 1 is assumed, so that gamma = 1 is covered on the states that are not terminal.
"""

from __future__ import annotations

import numpy as np
import scipy.sparse

from ..arithmetic import EPS
from ..arithmetic.precise import Ball, product
from .left import Left

NAME = "series"
QUANTITIES = ("V", "Q", "d")
DENSE_STATES = 1000      # up to here sums are doubled by squaring matrices; beyond, term by term
EXACT_TERMS = 64
MAX_TERMS = 200_000


def fits(problem) -> bool:
    """Numbers only: a truncated series of symbols proves nothing."""
    return not problem.arithmetic.symbolic


def reason_against(problem, quantity: str) -> str | None:
    """Why this route cannot be taken although it fits, or None."""
    if not problem.exact and problem.mdp.n_states > DENSE_STATES:
        decay = -np.log(float(problem.gamma)) if problem.gamma > 0 else np.inf
        if decay * MAX_TERMS < 40:
            return f"the series needs more than {MAX_TERMS} terms"
    return None


def compute(problem, quantity: str) -> Left:
    """The sum of the series, with the bound on its tail."""
    P_pi, r = chain(problem)
    alive = np.flatnonzero(~problem.terminal) if problem.gamma == 1 else np.arange(len(r))
    inner = P_pi[alive][:, alive]
    if quantity == "d":
        total, beta, n = _summed(problem, inner, problem.rho[alive], transpose=True)
        size, out = abs(total).sum(), problem.arithmetic.zeros(len(r))
    else:
        total, beta, n = _summed(problem, inner, r[alive], transpose=False)
        size, out = max(abs(total), default=0), problem.arithmetic.zeros(len(r))
    out[alive] = total
    tail = size * beta / (1 - beta)
    if problem.arithmetic.enclosing:
        return Left(out if quantity != "Q" else _action_values(problem, out), _at_least(tail), f"{n} terms")
    scale = float(problem.conditioning) if quantity == "d" else problem.value_scale
    if quantity == "Q":
        out, scale = _action_values(problem, out), problem.action_value_scale
    return Left(out, tail if problem.exact else float(tail) + problem.unit * scale, f"{n} terms, tail <= {float(tail):.1e}")


def chain(problem):
    """(P_pi, r_pi) summed straight from the arrays of the model."""
    if problem.kind != "finite":
        return problem.chain()
    mdp, pi = problem.solution.mdp, problem.pi
    A = mdp.n_actions
    if scipy.sparse.issparse(mdp.P):
        P_pi = sum(scipy.sparse.diags_array(pi[:, a]) @ mdp.P[a::A] for a in range(A))
        return scipy.sparse.csr_array(P_pi), (pi * _rewards(mdp)).sum(axis=1)
    P_pi = sum(pi[:, a, None] * mdp.P[:, a, :] for a in range(A))
    return P_pi, (pi * _rewards(mdp)).sum(axis=1)


def _rewards(mdp):
    """(S, A) expected rewards, from R and P directly."""
    if scipy.sparse.issparse(mdp.R):
        return np.asarray((mdp.P * mdp.R).sum(axis=1)).reshape(mdp.n_states, mdp.n_actions)
    if mdp.R.ndim == 1:
        return mdp.R[:, None] + mdp.arithmetic.zeros((1, mdp.n_actions)) if mdp.arithmetic.exact else np.repeat(
            mdp.R[:, None], mdp.n_actions, axis=1)
    return mdp.R if mdp.R.ndim == 2 else (mdp.P * mdp.R).sum(axis=2)


def _action_values(problem, V):
    """r + gamma P V, action by action."""
    mdp = problem.solution.mdp
    A = mdp.n_actions
    if scipy.sparse.issparse(mdp.P):
        return _rewards(mdp) + np.stack([mdp.P[a::A] @ V for a in range(A)], axis=1) * mdp.gamma
    return _rewards(mdp) + np.stack([mdp.P[:, a, :] @ V for a in range(A)], axis=1) * mdp.gamma


def _summed(problem, P, b, *, transpose):
    """(sum of the first n terms, beta, n)."""
    step = (P.T if transpose else P) * problem.gamma
    if problem.arithmetic.enclosing:
        return _doubled_in_balls(step, b, problem.arithmetic, transpose)
    if problem.exact or scipy.sparse.issparse(P) or P.shape[0] > DENSE_STATES:
        return _term_by_term(problem, P * problem.gamma, step, b)
    return _doubled(step, b, transpose)


def _term_by_term(problem, B, step, b):
    """Terms until their tail no longer shows, or EXACT_TERMS of them in exact arithmetic."""
    total, term = b, b
    ones = problem.arithmetic.zeros(len(b)) + problem.arithmetic.number(1)
    n = 1
    while True:
        ones, n = B @ ones, n + 1
        beta = max(ones, default=0)
        if beta < EPS**2 or n > (EXACT_TERMS if problem.exact else MAX_TERMS):
            return total, beta, n - 1
        term = step @ term
        total = total + term


def _doubled(step, b, transpose):
    """S_2n = S_n + B^n S_n, squaring B^n until its row sums vanish."""
    power, total, n = step, b.astype(float), 1
    while True:
        beta = float(np.abs(power).sum(axis=0 if transpose else 1).max(initial=0.0))
        if beta < EPS**2 or n >= 2**62:
            return total, beta, n
        total = total + power @ total
        power = power @ power
        n *= 2


def _doubled_in_balls(step, b, arithmetic, transpose):
    """The same in balls: until the row sums are below their last bit, or no longer shrink because they are not known."""
    power, total, n = step, b, 1
    while True:
        sums = abs(power).sum(axis=0 if transpose else 1)
        beta = arithmetic.number(max((x.upper for x in sums), default=0.0))
        if beta < 2.0**-arithmetic.field or not beta < 2.0**62 or n >= 2**62:
            return total, beta, n
        total = total + product(power, total)
        power = product(power, power)
        n *= 2


def _at_least(x) -> float:
    """A float of at least x >= 0; infinity where x is not known to be >= 0."""
    return x.upper if isinstance(x, Ball) and x >= 0 else float("inf") if isinstance(x, Ball) else float(x)
