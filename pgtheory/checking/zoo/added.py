"""What is added to a gradient that is right by itself: bonuses and penalties, each with any coefficient.

Every term is a function Steps -> weights of the scores, or Steps -> theta's shape. A function whose bias is a multiple of one of
them, on all problems the same, has it added.
"""

from __future__ import annotations

import numpy as np

from .mutant import Mutant, to_go


def _surprise(s):
    """-log pi of the action taken, 0 after the end."""
    return np.where(s.valid, -np.log(s.p), 0.0)


def _slopes(s):
    """(S,) + theta's shape: the slope of the entropy in every state."""
    return -np.einsum("sa,sa,sa...->s...", s.pi, np.log(s.pi), s.policy.score(s.theta))


def _entropies(s, weights):
    return np.einsum("nt,nt...->n...", np.where(s.valid, weights, 0.0), _slopes(s)[s.states[:, :-1]])


def _term(bug, words, weights=None, estimates=None, look="declare it in the target, or leave it out of what is checked"):
    return Mutant(bug, words, weights, estimates, look=look, seam="added")


ONES = np.ones_like
ADDED: tuple[Mutant, ...] = (
    _term("entropy-bonus", "a gradient of entropies is mixed in", estimates=lambda s: _entropies(s, s.d),
          look="declare target='entropy(beta)' if the bonus is meant"),
    _term("entropy-bonus-undiscounted", "a gradient of entropies is mixed in, every step alike (without gamma^t)",
          estimates=lambda s: _entropies(s, ONES(s.r)), look="is the entropy bonus of the loss part of what is claimed?"),
    _term("entropy-bonus-mean", "a gradient of the mean entropy over the steps of the episode is mixed in",
          estimates=lambda s: _entropies(s, ONES(s.r) / s.length), look="is the entropy bonus of the loss part of what is claimed?"),
    _term("entropy-bonus-of-the-record", "a gradient of entropies is mixed in, over the padding too",
          estimates=lambda s: _slopes(s)[s.states[:, :-1]].sum(axis=1), look="the entropy of padded steps: multiply with valid"),
    _term("surprise-in-reward", "a multiple of -log pi(a|s) is in the reward (an entropy bonus, a KL penalty)",
          lambda s: s.d * to_go(_surprise(s), s.gamma), look="is the reward regularised before the return is made of it?"),
    _term("surprise-in-reward-undiscounted", "a multiple of -log pi(a|s) is in the return, not discounted",
          lambda s: to_go(_surprise(s), 1.0), look="is the reward regularised before the return is made of it?"),
    _term("length-in-reward", "a constant is added to the reward of every step: a bonus for long episodes, or for short ones",
          lambda s: s.d * to_go(s.valid * 1.0, s.gamma), look="reward shaping, or a reward that is shifted (r - r.mean())"),
    _term("length-in-return", "a multiple of the number of steps is in the return, not discounted",
          lambda s: to_go(s.valid * 1.0, 1.0), look="a length bonus or penalty"),
    _term("squared-reward", "a multiple of the squared reward is in the reward (a penalty of variance)",
          lambda s: s.d * to_go(s.r**2, s.gamma), look="is the reward changed before the return is made of it?"),
    _term("probability-in-return", "a multiple of log pi(a|s) itself is differentiated",
          lambda s: s.d * _surprise(s), look="is -log pi squared, or differentiated through the weight?"),
    _term("weight-decay", "a multiple of theta itself is in the gradient: weight decay",
          estimates=lambda s: np.broadcast_to(s.theta, (len(s.r),) + np.shape(s.theta)), look="an L2 penalty on the parameters"),
)
