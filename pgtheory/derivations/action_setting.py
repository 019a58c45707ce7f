"""Where a derivation about a deterministic policy is checked: the chain that its actions leave, and derivatives through them."""

from __future__ import annotations

from functools import cached_property

from ..continuous.slopes import slopes
from ..continuous.solution import solve_actions
from ..problems.continuous import DeterministicProblem
from .setting import Setting


class ActionSetting(Setting):
    """A :class:`Setting` of one action a state, mu(s); P (S, 1, S) and R are taken there.

    >>> from pgtheory.derivations.instance import action_instance
    >>> setting = action_instance()
    >>> setting.P_pi.tolist()
    [[Fraction(1, 2), Fraction(1, 2)], [Fraction(1, 5), Fraction(4, 5)]]
    """

    problem: DeterministicProblem

    def __init__(self, problem: DeterministicProblem, k: int):
        P, R = problem.mdp.law(problem.solution.actions)
        one = problem.arithmetic.zeros((len(P), 1)) + problem.arithmetic.number(1)
        self._hold(problem, k, one, P[:, None], R[:, None])

    def law_at(self, theta):
        """(P, R), each (S, S), at the actions of theta."""
        return self.problem.mdp.law(self.problem.policy.actions(theta))

    def reward_at(self, theta):
        """(S,) r(s, mu(s))."""
        P, R = self.law_at(theta)
        return (P * R).sum(axis=-1)

    def backed_up(self, theta):
        """(S,) r(s, mu(s)) + gamma sum_s' P(s'|s, mu(s)) V(s'), all of it at theta."""
        return self.reward_at(theta) + (self.law_at(theta)[0] * self.problem.V_at(theta)).sum(axis=-1) * self.gamma

    def _differentiated(self, quantity):
        """d/d theta of "mu" (S, k, n), "P" (S, S, n), "r" and "V" and "r + gamma P V" (S, n), "J" (n,)."""
        if quantity == "J":
            return {"J": self._sized(self._visited_reward)}
        if quantity in ("mu", "P"):
            f = self.problem.policy.actions if quantity == "mu" else lambda theta: self.law_at(theta)[0]
            return {quantity: self.derivative(f, slope=self.slope_size)}
        return {quantity: self._sized({"V": self.problem.V_at, "r": self.reward_at, "r + gamma P V": self.backed_up}[quantity])}

    def _sized(self, f):
        """Derivative of a function that has the size of V."""
        return self.derivative(f, lambda: self.problem.value_scale, lambda: self.problem.gradient_scale)

    def _visited_reward(self, theta):
        """() J as sum_x d(x) r(x, mu(x)): V takes no part."""
        return solve_actions(self.problem.mdp, self.problem.policy.actions(theta)).d @ self.reward_at(theta)

    def slope_size(self) -> float:
        """Size of derivatives of the law of a step, and of the actions."""
        return max(1.0, self.problem.slope_scale, float((abs(self.action_slopes[0])[..., None]
                                                         * abs(self.jacobian)[:, None]).sum(axis=2).max()))

    @cached_property
    def jacobian(self):
        """(S, k, n) grad mu by the policy's own formula."""
        return self.problem.along(self.problem.policy.jacobian(self.problem.theta))

    @cached_property
    def jacobian_error(self) -> float:
        """Error of :attr:`jacobian` beyond rounding: 0, but for policies that are differentiated by differences."""
        if self.exact or self.problem.policy.differentiated_by(self.problem.theta) != "finite differences":
            return 0.0
        return float(self.grad("mu").error)

    @cached_property
    def action_slopes(self):
        """(S, S, k) grad_a P(s'|s, a) and (S, k) grad_a r(s, a) at a = mu(s), by the model's own derivatives."""
        (P, R), actions = self.problem.mdp.law(self.solution.actions), self.solution.actions
        dP, dR = (slope.array for slope in slopes(self.problem.mdp, actions))
        return dP, (dP * R[..., None] + dR * P[..., None]).sum(axis=1)

    @cached_property
    def source(self):
        """(S, n) phi(s) = grad mu(s) grad_a Q(s, a) at a = mu(s), with the library's grad_a Q."""
        return (self.jacobian * self.solution.grad_Q[:, :, None]).sum(axis=1)
