r"""The one-step recursion: V is differentiable, so the Bellman equation may be differentiated, product by product."""

from __future__ import annotations

from itertools import permutations

from ..claims.recursion import CLAIM
from .common import claimed, gradient
from .line import Line

CRAMER = "V is a rational function of pi (Cramer)"
MOST_STATES = 6   # the expansion of a determinant has S! terms


def determinant(M):
    """The determinant by its expansion over permutations: no elimination, any arithmetic.

    >>> import numpy as np
    >>> determinant(np.array([[1, 2], [3, 4]]))
    -2
    """
    n, total = len(M), 0
    for order in permutations(range(n)):
        term = (-1) ** sum(order[i] > order[j] for i in range(n) for j in range(i + 1, n))
        for i in range(n):
            term = M[i, order[i]] * term
        total = term + total
    return int(total) if M.dtype.kind == "i" else total


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
    return [cramer] * (setting.exact and setting.S <= MOST_STATES) + [
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
    if setting.exact and setting.S <= MOST_STATES:
        return []
    return [(CRAMER, f"determinants are expanded in exact arithmetic, up to {MOST_STATES} states")]
