r"""The score: derivative of the logarithm, sum to zero, and the softmax formula from the two."""

from __future__ import annotations

import numpy as np

from ..arithmetic import plus_identity
from ..errors import UndefinedError
from ..policies import SoftmaxPolicy
from ..routes.left import Left
from .line import Line
from .setting import Setting


def _inverse_slope(setting):
    """Derivatives of 1 / pi and of ratios of probabilities: those of pi, over the smallest pi twice."""
    return setting.slope_size() * _inverse_size(setting) * _inverse_size(setting)


def _inverse_size(setting):
    return 1 / float(np.min(setting.pi))


def _score(setting):
    """(S, A, n) grad log pi(a | s) by the policy's formula."""
    return setting.problem.along(setting.problem.policy.score(setting.problem.theta))


def _derivative(setting, f):
    """Derivative of ``f`` of the probabilities, which divides by them once."""
    return setting.derivative(lambda theta: f(setting.problem.policy.probabilities(theta)),
                              lambda: _inverse_size(setting), lambda: _inverse_slope(setting))


def _is_softmax_table(setting) -> bool:
    policy = setting.problem.policy
    return isinstance(policy, SoftmaxPolicy) and policy.tabular


def _minus_score_over_pi(setting):
    error = 0 if setting.exact else setting.jacobian_error * _inverse_size(setting) ** 2
    return Left(_score(setting) * (-1 / setting.pi)[:, :, None], error)


def _has_formula(setting) -> bool:
    return setting.problem.policy.differentiated_by(setting.problem.theta) == "formula"


def _units(setting):
    """(S, A, S A) the derivative of the logit h(s, a) with respect to every logit: 1[s = s'] 1[a = c]."""
    n = setting.S * setting.A
    return plus_identity(setting.arithmetic.zeros((n, n))).reshape(setting.S, setting.A, n)


def lines(setting) -> list[Line]:
    """Formula, logarithm, normalisation, and for softmax tables the formula derived."""
    if np.any(setting.pi == 0):
        raise UndefinedError("score-function does not apply: some pi(a|s) is 0, where log pi has no derivative")
    formula = Line(
        "The derivative of the probabilities", r"\nabla\pi(a|s) = \text{the policy's formula}",
        "differentiation that knows no formula, against the formula that the library uses",
        lambda it: it.grad("pi"), lambda it: it.jacobian, ("s", "a", "theta"), Setting.slope_size)
    found = [formula] * _has_formula(setting) + [
        Line("The derivative of the logarithm", r"\nabla \frac{1}{\pi(a|s)} = -\frac{1}{\pi(a|s)} \nabla\log\pi(a|s)",
             "1/pi = exp(-log pi) and the chain rule; this defines grad log pi without a logarithm, so that it is rational",
             lambda it: _derivative(it, lambda pi: 1 / pi),
             _minus_score_over_pi, ("s", "a", "theta"), _inverse_slope),
        Line("The log-derivative identity", r"\nabla\pi(a|s) = \pi(a|s) \nabla\log\pi(a|s)",
             "multiply by -pi^2: the derivative of 1/pi is -grad pi / pi^2",
             lambda it: it.grad("pi"), lambda it: _score(it) * it.pi[:, :, None],
             ("s", "a", "theta"), Setting.slope_size),
    ]
    if setting.problem.policy.normalised:
        found.append(Line(
            "The score has mean 0", r"\sum_a \pi(a|s) \nabla\log\pi(a|s) = \nabla \sum_a \pi(a|s) = 0",
            "the probabilities sum to 1 for every theta, so the derivative of the sum is 0",
            lambda it: (_score(it) * it.pi[:, :, None]).sum(axis=1),
            lambda it: _derivative(it, lambda pi: pi.sum(axis=1)), ("s", "theta"), _inverse_slope))
    return found + _softmax(setting) * _is_softmax_table(setting)


def _softmax(setting):
    """The formula of the softmax table, from the ratios of its probabilities and from the mean 0."""
    return [
        Line("Ratios of a softmax", r"\nabla_{h(s,c)} \frac{\pi(a|s)}{\pi(b|s)} "
             r"= \frac{\pi(a|s)}{\pi(b|s)} \left( \mathbf{1}[a = c] - \mathbf{1}[b = c] \right), \qquad b = 0",
             "the normalisation cancels in a ratio: it is e^{h(s,a) - h(s,b)}",
             lambda it: _derivative(it, lambda pi: pi / pi[:, :1]),
             lambda it: (_units(it) - _units(it)[:, :1]) * (it.pi / it.pi[:, :1])[:, :, None],
             ("s", "a", "theta"), _inverse_slope),
        Line("The softmax score", r"\nabla_{h(s,c)} \log\pi(a|s) = \mathbf{1}[a = c] - \pi(c|s)",
             "by the ratios, the scores of a and b differ by 1[a = c] - 1[b = c]; multiply by pi(b|s), sum over b and use "
             "that the mean is 0",
             _score_by_differentiation, lambda it: _units(it)
             - (_units(it) * it.pi[:, :, None]).sum(axis=1, keepdims=True), ("s", "a", "theta"), _inverse_slope),
    ]


def _score_by_differentiation(setting):
    """(S, A, n) grad pi / pi, the derivative by a route that knows no formula."""
    found = setting.grad("pi")
    return Left(found.value / setting.pi[:, :, None], 0 if setting.exact else found.error * _inverse_size(setting))


def skipped(setting) -> list[tuple[str, str]]:
    """What holds only for policies that always sum to 1, and only for softmax tables."""
    out = []
    if not _has_formula(setting):
        out.append(("The derivative of the probabilities", "this policy brings no formula of its own"))
    if not setting.problem.policy.normalised:
        out.append(("The score has mean 0", "the rows of this parameterisation do not sum to 1 for every theta"))
    if not _is_softmax_table(setting):
        out.append(("The softmax score", "the policy is no softmax table"))
    return out
