r"""Stochastic policies: theta -> pi_theta(a | s).

A policy is its parameters' shape and the function :meth:`Policy.probabilities`; everything else has a default. The
derivatives that a policy hands out are with respect to theta, or, for positive weights w = e^logit, the derivation
w d/dw; :meth:`Policy.step` moves theta the way these derivatives mean, so that a route that knows no formula can
differentiate along it.
"""

from .base import Policy, one_theta
from .direct import DirectPolicy
from .escort import EscortPolicy
from .softmax import SoftmaxPolicy

__all__ = ["DirectPolicy", "EscortPolicy", "Policy", "SoftmaxPolicy", "one_theta"]
