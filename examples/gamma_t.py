# ---
# jupyter:
#   jupytext:
#     text_representation:
#       extension: .py
#       format_name: percent
# ---

# %% [markdown]
# # The quarrel about gamma^t
#
# The theorem weights the step at time t by gamma^t. Most programs drop that factor. What they then follow is the gradient of
# no function at all: its Jacobian is not symmetric.

# %%
from fractions import Fraction

import pgtheory as pg

pg.demo("gamma-t")

# %%
slopes = pg.demo("gamma-t").numbers["cross derivatives"]
print(slopes)
assert slopes["with gamma^t"] == (Fraction(1, 32), Fraction(1, 32))
assert slopes["without gamma^t"] == (Fraction(1, 32), Fraction(1, 16))

# %% [markdown]
# Every estimator of the library has the switch.

# %%
mdp, policy = pg.models.load("dropped-gamma", exact=True), pg.SoftmaxPolicy(3, 2, weights=True)
w = [[Fraction(1), Fraction(1)]] * 3
for weighting in (True, False):
    mean = pg.moments(pg.estimators.RewardToGo(gamma_weighting=weighting), mdp, policy, w, horizon=2).mean
    print(weighting, [str(x) for x in mean[:2, 0]], (mean == pg.policy_gradient(mdp, policy, w)).all())
