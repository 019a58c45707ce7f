r"""The one-step recursion: V is differentiable, so the Bellman equation may be differentiated, product by product."""

from __future__ import annotations

import math
from fractions import Fraction
from numbers import Rational

from ..claims.recursion import CLAIM
from .common import claimed, gradient
from .line import Line

CRAMER = "V is a rational function of pi (Cramer)"
MOST_STATES = 40           # S + 1 determinants of S^3 / 3 operations on integers that grow
MOST_SYMBOLIC_STATES = 6   # rational functions grow with every step of an elimination


def determinant(M):
    r"""The determinant by fraction-free elimination: every division comes out even, and no system is solved.

    Source: Bareiss, *Mathematics of Computation* 22 (1968), 565-578: with :math:`M^{(0)} = M` and :math:`p_0 = 1`,
    :math:`M^{(k)}_{ij} = (p_k M^{(k-1)}_{ij} - M^{(k-1)}_{ik} M^{(k-1)}_{kj}) / p_{k-1}`, where p_k is the pivot; rows of
    Fractions are cleared of denominators first.

    >>> import numpy as np
    >>> from fractions import Fraction
    >>> determinant(np.array([[0, 2], [3, 4]])), determinant(np.array([[Fraction(1, 2), Fraction(1)], [Fraction(3), Fraction(4)]]))
    (-6, Fraction(-1, 1))
    """
    rows, scale = _cleared(M)
    n, sign, before = len(rows), 1, 1
    for k in range(n):
        pivot = next((i for i in range(k, n) if rows[i][k] != 0), None)
        if pivot is None:
            return 0 * M[0, 0]
        if pivot != k:
            rows[k], rows[pivot], sign = rows[pivot], rows[k], -sign
        for i in range(k + 1, n):
            rows[i] = [_evenly(rows[k][k] * rows[i][j] - rows[i][k] * rows[k][j], before) if j > k else 0 for j in range(n)]
        before = rows[k][k]
    return before * sign if scale == 1 else Fraction(before * sign, scale)


def _cleared(M):
    """(rows, scale): lists of integers for rows of Fractions, and what they were multiplied with in all."""
    if M.dtype == object and not all(isinstance(x, Rational) for x in M.flat):
        return M.tolist(), 1
    scales = [math.lcm(*(int(Fraction(x).denominator) for x in row)) for row in M.tolist()]
    rows = [[int(Fraction(x) * c) for x in row] for row, c in zip(M.tolist(), scales, strict=True)]
    return rows, math.prod(scales) if M.dtype == object else 1


def _evenly(x, divisor):
    """x over a divisor of it."""
    return x // divisor if isinstance(x, int) else x / divisor


def _minus_chain(setting):
    M = setting.step_matrix * -1
    for s in range(setting.S):
        M[s, s] = M[s, s] + 1
    return M


def _cramer_left(setting):
    return setting.solution.V * determinant(_minus_chain(setting))


def _cramer_right(setting):
    """(S,) the determinants with column s replaced by r_pi."""
    out = setting.arithmetic.zeros(setting.S)
    for s in range(setting.S):
        M = _minus_chain(setting)
        M[:, s] = setting.r_pi
        out[s] = determinant(M)
    return out


def _product_rule(setting):
    return ((setting.jacobian * setting.Q_of_pairs.value[:, :, None]).sum(axis=1)
            + (setting.grad("Q").value * setting.pi[:, :, None]).sum(axis=1))


def _grad_Q_from_V(setting):
    """(S, A, n) gamma sum_s' P(s'|s, a) grad V(s')."""
    return (setting.P @ setting.grad("V").value) * setting.gamma


def _pairs(setting):
    return gradient(setting) * setting.A


def lines(setting) -> list[Line]:
    """Differentiability, the differentiated Bellman equation, product rule, grad Q, the recursion, its solution."""
    cramer = Line(
        CRAMER,
        r"V^\pi(s) \det(I - \gamma P_\pi) "
        r"= \det \left( (I - \gamma P_\pi) \text{ with column } s \text{ replaced by } r_\pi \right)",
        "the determinant is not 0, since I - gamma P_pi is invertible; so V is a quotient of polynomials in the entries of "
        "P_pi and r_pi, and differentiable where pi is",
        _cramer_left, _cramer_right, ("s",), gradient)
    return [cramer] * _has_determinants(setting) + [
        Line("Differentiate the Bellman equation",
             r"\nabla V^\pi(s) = \nabla \left( \sum_a \pi(a|s) Q^\pi(s,a) \right)",
             "V = sum_a pi Q holds for every theta near this one, so both sides have one derivative; Q comes from the chain "
             "of pairs, V from the chain of states",
             lambda it: it.grad("V"), lambda it: it.grad("sum_a pi Q"), ("s", "theta"), _pairs),
        Line("Product rule",
             r"\nabla \left( \sum_a \pi(a|s) Q^\pi(s,a) \right) = \sum_a \nabla\pi(a|s) Q^\pi(s,a) "
             r"+ \sum_a \pi(a|s) \nabla Q^\pi(s,a)",
             "a finite sum of products of differentiable functions; grad pi by the policy's formula",
             lambda it: it.grad("sum_a pi Q"), _product_rule, ("s", "theta"), _pairs),
        Line("Differentiate Q",
             r"\nabla Q^\pi(s,a) = \gamma \sum_{s'} P(s'|s,a) \nabla V^\pi(s')",
             "Q(s,a) = sum_s' P (R + gamma V), where P and R do not depend on theta",
             lambda it: it.grad("Q"), _grad_Q_from_V, ("s", "a", "theta"), _pairs),
        Line("The recursion", CLAIM.statement, "put the last line into the product rule; the right side is the claim's code",
             lambda it: it.grad("V"), claimed(CLAIM, "one step"), ("s", "theta"), gradient),
        Line("The recursion, solved",
             r"\nabla V^\pi = (I - \gamma P_\pi)^{-1} \phi, \qquad \phi(s) := \sum_a \nabla\pi(a|s) Q^\pi(s,a)",
             "the recursion is a linear system in grad V with the invertible matrix of the Bellman equations",
             lambda it: it.grad("V"), lambda it: it.solution.resolvent(it.source),
             ("s", "theta"), gradient),
    ]


def skipped(setting) -> list[tuple[str, str]]:
    """Why Cramer's rule is not compared."""
    if _has_determinants(setting):
        return []
    return [(CRAMER, f"determinants are compared in exact arithmetic, up to {MOST_STATES} states, {MOST_SYMBOLIC_STATES} of symbols")]


def _has_determinants(setting) -> bool:
    return setting.exact and setting.S <= (MOST_SYMBOLIC_STATES if setting.arithmetic.symbolic else MOST_STATES)
