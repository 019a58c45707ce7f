r"""Problems on models of continuous actions, for claims and routes alike; and :func:`problem_of`, which picks the kind."""

from __future__ import annotations

from functools import cached_property
from typing import Any

import numpy as np

from ..arithmetic import EXPRESSION, INTEGER, as_array, factored, rational_field
from ..continuous.deterministic_policies import DeterministicPolicy
from ..continuous.gaussian_solution import ENTRIES, at_nodes
from ..continuous.gradients import require_finite_actions, solve_policy
from ..continuous.model import OWN_ROUNDINGS, ContinuousActionMDP
from ..continuous.quadrature import FIRST, parts
from ..continuous.slopes import contract, slopes
from ..continuous.solution import solve_actions, walk_model
from ..errors import PGTheoryError
from ..mdp import MDP
from .finite import AnyProblem, Problem


def problem_of(model, policy, theta, rng=0, *, complete=None) -> AnyProblem:
    """The problem that a model, a policy and theta are.

    Raises :class:`PGTheoryError` where ``model`` is none, :class:`InvalidPolicyError` where model and policy do not fit each
    other, and what solving them raises.

    >>> import numpy as np, pgtheory as pg
    >>> from pgtheory.problems.continuous import problem_of
    >>> room = pg.models.load("thermostat", n_states=3)
    >>> problem_of(room, pg.DeterministicPolicy(features=np.eye(3)), np.zeros((3, 1))).kind
    'deterministic'
    >>> problem_of(room, pg.GaussianPolicy(features=np.eye(3), sigma=0.5), np.zeros((3, 1))).kind
    'density'
    """
    if not isinstance(model, ContinuousActionMDP):
        if not isinstance(model, MDP):
            raise PGTheoryError(f"model is {type(model).__name__}: it must be an MDP or a ContinuousActionMDP")
        require_finite_actions(policy)
        return Problem(model, policy, theta, rng, complete=complete)
    kind = DeterministicProblem if isinstance(policy, DeterministicPolicy) else DensityProblem
    return kind(model, policy, theta, rng, complete=complete)


class ContinuousProblem(AnyProblem):
    """A policy on a model of continuous actions: what the two kinds share.

    Attributes
    ----------
    pi : (S, ...) the policy's own table: actions (S, k), or densities (S, N) at some actions
    and those of :class:`pgtheory.problems.finite.AnyProblem`
    """

    code = "the code of the policy or of the model"

    def __init__(self, model, policy, theta, rng=0, *, complete=None):
        self.mdp = model
        if isinstance(policy, DeterministicPolicy):
            theta = _in_a_field(model, policy.check_theta(theta))
        solution = solve_policy(model, policy, theta)
        super().__init__(policy, policy.check_theta(theta), solution, rng, complete)

    @property
    def terminal(self):
        """(S,) bool."""
        return self.solution.terminal

    @property
    def actions_in_words(self) -> dict:
        """What a report says of the actions."""
        return {"action_dim": self.mdp.action_dim}

    def V_at(self, theta):
        """(..., S): the value at a stack of parameters."""
        return self._stacked(lambda one: self._solved(one).V, theta)

    def probe(self, theta):
        """(S, 2) what must follow a complex step for V to follow it: the chain's law, against weights, and its reward."""
        solution = self._solved(theta)
        weights = 1 + np.modf(np.arange(1, self.mdp.n_states + 1) * 0.6180339887498949)[0]
        return np.stack([solution.P_pi @ weights, solution.r_pi], axis=-1)

    def _stacked(self, f, theta):
        if theta.ndim == self.theta.ndim:
            return f(theta)
        return np.stack([f(one) for one in theta])

    @property
    def _width(self) -> int:
        """Of sums over states and action coordinates, the user's own formula counted with them."""
        return self.mdp.n_states + self.mdp.action_dim + OWN_ROUNDINGS

    @cached_property
    def _source_scale(self) -> float:
        """Largest entry of what one state adds to the gradient, with the absolute values of all terms."""
        theta, sizes = self.theta, self._size_of_weights
        total: Any = 0.0
        for j in range(sizes.shape[1]):
            column = np.where(np.arange(sizes.shape[1]) == j, sizes, sizes * 0)
            total = total + abs(self.along(self.policy.state_pullback(theta, column)))
        return max(float(np.max(total, initial=0)), float(np.max(sizes)))

    @property
    def _size_of_weights(self):
        """(S, p) the weights, with the absolute values of all terms."""
        raise NotImplementedError

    def _solved(self, theta) -> Any:
        raise NotImplementedError


class DeterministicProblem(ContinuousProblem):
    """A :class:`ContinuousActionMDP`, a :class:`DeterministicPolicy` and theta.

    >>> import numpy as np, pgtheory as pg
    >>> from pgtheory.problems.continuous import DeterministicProblem
    >>> room = pg.models.load("thermostat", n_states=3)
    >>> problem = DeterministicProblem(room, pg.DeterministicPolicy(features=np.eye(3)), np.zeros((3, 1)))
    >>> problem.conditioning.round(9), problem.weights.shape
    (np.float64(10.0), (3, 1))
    """

    kind = "deterministic"

    @property
    def pi(self):
        """(S, k): mu(s)."""
        return self.solution.actions

    @property
    def weights(self):
        """(S, k): grad_a Q(s, a) at a = mu(s)."""
        return self.solution.grad_Q

    @property
    def slope_scale(self) -> float:
        """Largest derivative of an action along any direction of comparison."""
        return float(np.max(abs(self.along(self.policy.jacobian(self.theta))), initial=0))

    @cached_property
    def walk(self):
        """(mdp, pi): the chain at mu as an MDP of one action."""
        return walk_model(self.mdp, self.solution.actions), np.ones((self.mdp.n_states, 1))

    def pi_at(self, theta):
        """(..., S, k): actions at a stack of parameters."""
        return self.policy.actions(theta) if self.policy.vectorized else self._stacked(self.policy.actions, theta)

    def V_at(self, theta):
        """(..., S): the value at a stack of parameters, solved as one batch."""
        return solve_actions(self.mdp, self.pi_at(theta)).V

    def chain(self):
        """(P_pi, r_pi) straight from the model's functions."""
        P, R = self.mdp.law(self.solution.actions)
        return P, (P * R).sum(axis=-1)

    def _solved(self, theta):
        return solve_actions(self.mdp, self.policy.actions(theta))

    @cached_property
    def _size_of_rewards(self):
        P, R = self.mdp.law(self.solution.actions)
        return contract(P, abs(R))

    @cached_property
    def _size_of_weights(self):
        """(S, k): sum over s' of |grad_a P| (|R| + gamma |V|) + P |grad_a R|."""
        actions = self.solution.actions
        (P, R), (dP, dR) = self.mdp.law(actions), slopes(self.mdp, actions)
        size = abs(R) + abs(self.solution.V) * self.gamma
        return (abs(dP.array) * size[..., None]).sum(axis=1) + (abs(dR.array) * P[..., None]).sum(axis=1)


class DensityProblem(ContinuousProblem):
    """A :class:`ContinuousActionMDP`, a :class:`GaussianPolicy` (or its bounded kin) and theta, integrals by quadrature.

    Routes keep the number of nodes at which doubling them had ceased to matter; what the last doubling still moved is
    counted as an error of the chain, see ``GaussianSolution.history``.

    >>> import numpy as np, pgtheory as pg
    >>> from pgtheory.problems.continuous import DensityProblem
    >>> room = pg.models.load("thermostat", n_states=3)
    >>> problem = DensityProblem(room, pg.GaussianPolicy(features=np.eye(3), sigma=0.5), np.zeros((3, 1)))
    >>> problem.pi.shape, problem.quadrature_error < 1e-11
    ((3, 8), True)
    """

    kind = "density"

    @property
    def weights(self):
        """(S, p): E_a[score Q], the score with respect to mean and log sigma."""
        return self.solution.score_weighted_Q

    @property
    def quadrature_error(self) -> float:
        """How far the last doubling of the nodes still moved the integrals, relative to their scale."""
        return self.solution.history[-1][1]

    @property
    def _model_error(self) -> float:
        return self.quadrature_error

    @cached_property
    def rule(self):
        """Quadrature with few nodes: the actions at which densities are compared."""
        return self.policy.rule(self.theta, FIRST)

    @cached_property
    def pi(self):
        """(S, N) density of the actions of :attr:`rule`."""
        return self.pi_at(self.theta)

    @cached_property
    def score(self):
        """(S, N) + theta's shape: d log pi / d theta there."""
        return np.moveaxis(self.policy.score(self.theta, self.rule.actions), 1, 0)

    @cached_property
    def mean_score(self):
        """(S, p) and its size: E[score] and E|score|, with respect to mean and log sigma."""
        means = [(rule.weights[..., None] * f(rule.scores)).sum(axis=0) for rule in self._rules() for f in (np.asarray, abs)]
        return sum(means[::2]), sum(means[1::2])

    @cached_property
    def slope_scale(self) -> float:
        """Largest density, and largest derivative of one along any direction of comparison."""
        return max(float(self.pi.max()), float(np.max(self.pi[:, :, None] * abs(self.along(self.score)), initial=0)))

    @cached_property
    def walk(self):
        """(mdp, pi): the chain under the density as an MDP of one action."""
        P, r = np.array(self.solution.P_pi), np.array(self.solution.r_pi)
        return MDP(P[:, None], r[:, None], self.mdp.gamma, self.mdp.rho, normalize=True), np.ones((len(r), 1))

    @property
    def actions_in_words(self) -> dict:
        """What a report says of the actions."""
        return {"action_dim": self.mdp.action_dim, "nodes": self.solution.nodes, "quadrature_error": self.quadrature_error}

    def pi_at(self, theta):
        """(..., S, N): densities at a stack of parameters, at the same actions."""
        return self._stacked(lambda one: np.exp(self.policy.log_density(one, self.rule.actions)).T, theta)

    def chain(self):
        """(P_pi, r_pi) straight from the model's functions, node by node."""
        S = self.mdp.n_states
        P_pi, r_pi = np.zeros((S, S)), np.zeros(S)
        for rule in self._rules():
            P, R = self.mdp.law(self.mdp.check_actions(rule.actions))
            P_pi += (P * rule.weights[..., None]).sum(axis=0)
            r_pi += ((P * R).sum(axis=-1) * rule.weights).sum(axis=0)
        return P_pi, r_pi

    @cached_property
    def mean_Q(self):
        """(S,): the integral of pi Q over the actions, Q asked for node by node."""
        return sum((self.solution.Q_at(rule.actions) * rule.weights).sum(axis=0) for rule in self._rules())

    def _rules(self):
        """The quadrature rule in use, in parts of bounded size."""
        nodes = self.solution.nodes
        for part in parts(nodes**self.mdp.action_dim, max(1, ENTRIES // self.mdp.n_states**2)):
            yield self.policy.rule(self.theta, nodes, part)

    def _solved(self, theta):
        return at_nodes(self.mdp, self.policy, theta, self.solution.nodes)

    @cached_property
    def _sizes(self):
        """(S,) E|r| and (S, p) E|score| (|r| + gamma max |V|)."""
        V, rewards, weights = float(np.abs(self.solution.V).max()) * float(self.gamma), 0.0, 0.0
        for rule in self._rules():
            P, R = self.mdp.law(self.mdp.check_actions(rule.actions))
            r = contract(P, abs(R))
            rewards = rewards + (r * rule.weights).sum(axis=0)
            weights = weights + ((r + V)[..., None] * rule.weights[..., None] * abs(rule.scores)).sum(axis=0)
        return rewards, weights

    @property
    def _size_of_rewards(self):
        return self._sizes[0]

    @property
    def _size_of_weights(self):
        return self._sizes[1]


def _in_a_field(model, theta):
    """theta over one field of rational functions in factored form, where it is symbolic and allows it."""
    arithmetic = as_array(theta)[1]
    if not arithmetic.symbolic or not model.arithmetic.exact and model.arithmetic != INTEGER:
        return theta
    if arithmetic == EXPRESSION:
        arithmetic = rational_field(theta, model.gamma, model.rho)
    return theta if arithmetic is None else factored(arithmetic).convert(theta)
