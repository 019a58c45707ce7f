r"""Problems of a density over actions: Gaussian policies and their bounded kin, integrals by quadrature."""

from __future__ import annotations

from functools import cached_property

import numpy as np

from ..continuous.gaussian_solution import ENTRIES, at_nodes
from ..continuous.quadrature import FIRST, parts
from ..continuous.stepping import contract
from ..mdp import MDP
from .on_actions import ContinuousProblem


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
    def _entries(self) -> int:
        return self.solution.nodes**self.mdp.action_dim * self.mdp.n_states**2

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
        means = [(rule.weights[..., None] * f(rule.scores)).sum(axis=0) for rule in self.rules() for f in (np.asarray, abs)]
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
        for rule in self.rules():
            P, R = self.mdp.law(self.mdp.check_actions(rule.actions))
            P_pi += (P * rule.weights[..., None]).sum(axis=0)
            r_pi += ((P * R).sum(axis=-1) * rule.weights).sum(axis=0)
        return P_pi, r_pi

    @cached_property
    def mean_Q(self):
        """(S,): the integral of pi Q over the actions, Q asked for node by node."""
        return sum((self.solution.Q_at(rule.actions) * rule.weights).sum(axis=0) for rule in self.rules())

    def rules(self):
        """The quadrature rule in use, in parts of bounded size."""
        nodes = self.solution.nodes
        for part in parts(nodes**self.mdp.action_dim, max(1, ENTRIES // self.mdp.n_states**2)):
            yield self.policy.rule(self.theta, nodes, part)

    def probe(self, theta):
        """As of :class:`ContinuousProblem`; the code is the same with few nodes."""
        return self._probed(at_nodes(self.mdp, self.policy, theta, FIRST if self.policy.analytic_rule else self.solution.nodes))

    def _solved(self, theta):
        return at_nodes(self.mdp, self.policy, theta, self.solution.nodes)

    @cached_property
    def _sizes(self):
        """(S,) E|r| and (S, p) E|score| (|r| + gamma max |V|)."""
        V, rewards, weights = float(np.abs(self.solution.V).max()) * float(self.gamma), 0.0, 0.0
        for rule in self.rules():
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
