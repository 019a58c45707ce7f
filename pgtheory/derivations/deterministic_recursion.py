r"""The deterministic recursion: the Bellman equation differentiated by the product rule and the chain rule."""

from __future__ import annotations

from ..claims.deterministic_recursion import CLAIM
from . import recursion
from .action_setting import ActionSetting
from .common import claimed, gradient
from .deterministic_bellman import of_mu
from .line import Line

CRAMER = "V is a rational function of the law at mu (Cramer)"


def _product_rule(setting):
    """(S, n) grad r + gamma sum_s' (grad P V + P grad V)."""
    moved = (setting.grad("P").value * setting.solution.V[:, None]).sum(axis=1)
    return setting.grad("r").value + moved * setting.gamma + (setting.P_pi @ setting.grad("V").value) * setting.gamma


def _chained_law(setting):
    """(S, S, n) grad mu grad_a P."""
    return (setting.action_slopes[0][..., None] * setting.jacobian[:, None]).sum(axis=2)


def _chained_reward(setting):
    return (setting.action_slopes[1][..., None] * setting.jacobian).sum(axis=1)


def _collected(setting):
    """(S, n) grad mu grad_a r + gamma sum_s' grad mu grad_a P V."""
    return _chained_reward(setting) + (_chained_law(setting) * setting.solution.V[:, None]).sum(axis=1) * setting.gamma


def lines(setting) -> list[Line]:
    """Differentiability, the differentiated Bellman equation, product rule, chain rule, grad_a Q, the recursion."""
    first, last = recursion.lines(setting)[0], recursion.lines(setting)[-1]
    cramer = [of_mu(first, title=CRAMER)] * (first.title == recursion.CRAMER)
    return cramer + [
        Line("Differentiate the Bellman equation",
             r"\nabla V^\mu(s) = \nabla \left( r(s,\mu_\theta(s)) + \gamma \sum_{s'} P(s'|s,\mu_\theta(s)) V^\mu(s') \right)",
             "V = r + gamma P V holds for every theta near this one, so both sides have one derivative",
             lambda it: it.grad("V"), lambda it: it.grad("r + gamma P V"), ("s", "theta"), gradient),
        Line("Product rule",
             r"\nabla \left( r + \gamma \sum_{s'} P V^\mu \right)(s) = \nabla [r(s,\mu_\theta(s))] "
             r"+ \gamma \sum_{s'} \nabla [P(s'|s,\mu_\theta(s))] V^\mu(s') "
             r"+ \gamma \sum_{s'} P(s'|s,\mu_\theta(s)) \nabla V^\mu(s')",
             "a finite sum of products of differentiable functions of theta",
             lambda it: it.grad("r + gamma P V"), _product_rule, ("s", "theta"), gradient),
        Line("Chain rule for the law",
             r"\nabla [P(s'|s,\mu_\theta(s))] = \nabla\mu_\theta(s) \nabla_a P(s'|s,a) |_{a=\mu_\theta(s)}",
             "theta acts on the law of a step through the action alone; grad_a P by the model's own derivative",
             lambda it: it.grad("P"), _chained_law, ("s", "s'", "theta"), ActionSetting.slope_size),
        Line("Chain rule for the reward",
             r"\nabla [r(s,\mu_\theta(s))] = \nabla\mu_\theta(s) \nabla_a r(s,a) |_{a=\mu_\theta(s)}",
             "the same; grad_a r = sum_s' (grad_a P R + P grad_a R), because R depends on the action too",
             lambda it: it.grad("r"), _chained_reward, ("s", "theta"), gradient),
        Line("Collect the gradient of Q in the action",
             r"\nabla\mu_\theta(s) \left( \nabla_a r(s,a) + \gamma \sum_{s'} \nabla_a P(s'|s,a) V^\mu(s') \right) "
             r"= \nabla\mu_\theta(s) \nabla_a Q^\mu(s,a), \qquad a = \mu_\theta(s)",
             "Q(s,a) = r(s,a) + gamma sum_s' P(s'|s,a) V(s'), in which V does not depend on a",
             _collected, lambda it: it.source, ("s", "theta"), gradient),
        Line("The recursion", CLAIM.statement, "put the last three lines into the product rule; the right side is the claim's "
             "code", lambda it: it.grad("V"), claimed(CLAIM, "one step"), ("s", "theta"), gradient),
        of_mu(last, statement=r"\nabla V^\mu = (I - \gamma P_\mu)^{-1} \phi, \qquad "
                              r"\phi(s) := \nabla\mu_\theta(s) \nabla_a Q^\mu(s,a) |_{a=\mu_\theta(s)}"),
    ]


def skipped(setting) -> list[tuple[str, str]]:
    """Why Cramer's rule is not compared."""
    return [(CRAMER, reason) for _, reason in recursion.skipped(setting)]
