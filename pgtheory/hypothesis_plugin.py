"""Hypothesis's entry point: teaches ``st.from_type`` the types of pgtheory, and imports the strategies only when one is drawn.

It must not import them itself: Hypothesis loads its entry points while it is being imported, perhaps by them.
"""

from __future__ import annotations


def register() -> None:
    """Let ``st.from_type`` draw pgtheory's types; Hypothesis calls it where pgtheory is installed.

    >>> from pgtheory.hypothesis_plugin import register
    >>> register()
    """
    from hypothesis import strategies as st

    from .mdp import MDP
    from .policies import DirectPolicy, EscortPolicy, Policy, SoftmaxPolicy

    for cls in (MDP, Policy, SoftmaxPolicy, DirectPolicy, EscortPolicy):
        st.register_type_strategy(cls, _of_type)


def _of_type(cls):
    from .strategies import OF_TYPE

    return OF_TYPE[cls]()
