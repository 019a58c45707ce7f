# ---
# jupyter:
#   jupytext:
#     text_representation:
#       extension: .py
#       format_name: percent
# ---

# %% [markdown]
# # Baselines: the mean stays, the variance moves
#
# "A baseline lowers the bias" is wrong twice: there is no bias to lower, and the variance may rise. What may be subtracted is
# whatever does not depend on the action; that it does not depend on theta is neither needed nor enough.

# %%
from fractions import Fraction

import pgtheory as pg

pg.demo("baseline")

# %%
bandit = pg.models.load("bandit", exact=True)
policy, w = pg.SoftmaxPolicy(2, 2, weights=True), [[Fraction(9), Fraction(1)], [Fraction(1), Fraction(1)]]     # pi(a0) = 9/10
for b in (Fraction(0), Fraction(9, 10), Fraction(1, 10)):
    found = pg.moments(pg.estimators.Baseline(b), bandit, policy, w, horizon=1)
    print(f"b = {b}: mean {found.mean[0, 0]}, variance {found.variance[0, 0]}")
    assert found.mean[0, 0] == Fraction(9, 100)

# %% [markdown]
# The best baseline of the state has a closed form, and the variance comes apart into what the state, the action and the rest
# of the trajectory contribute. A baseline touches the second part only.

# %%
print(pg.optimal_baseline(bandit, policy, w)[0])
parts = pg.variance_parts(bandit, policy, w, baseline=Fraction(9, 10))
print(parts.state[0, 0], parts.action[0, 0], parts.trajectory[0, 0])
assert parts.action[0, 0] == Fraction(576, 10_000)

# %% [markdown]
# On any problem of your own:

# %%
mdp = pg.models.load("start-matters")
print(pg.verify(mdp, pg.SoftmaxPolicy(2, 2), [[0.5, 0.0], [0.0, 1.0]], theorems=["baseline", "eglp", "reward-to-go"]))
