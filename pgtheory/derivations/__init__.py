"""Proofs that run: each claim derived line by line, both sides of every line computed on an instance.

One module a claim, by its slug, lists the lines; :mod:`.setting` computes what they speak of; :mod:`.line` compares.
"""

from .execution import DERIVATIONS, ON_ACTIONS, ON_TRAJECTORIES, prove
from .line import Line, Step
from .proof import Proof

__all__ = ["DERIVATIONS", "ON_ACTIONS", "ON_TRAJECTORIES", "Line", "Proof", "Step", "prove"]
