# ---
# jupyter:
#   jupytext:
#     text_representation:
#       extension: .py
#       format_name: percent
# ---

# %% [markdown]
# # From the stochastic to the deterministic policy gradient
#
# A Gaussian policy whose sigma goes to 0 has the deterministic gradient as its limit (Silver et al. 2014, theorem 2). The
# estimate of it from sampled actions does not: its variance grows like sigma^-2.

# %%
import numpy as np

import pgtheory as pg

pg.demo("sigma-limit")

# %%
room = pg.models.load("thermostat")
mu, theta = pg.DeterministicPolicy(features=np.ones((9, 1))), [[0.2]]
limit = pg.sigma_limit(room, mu, theta, [0.04, 0.02, 0.01])
print(limit.orders)                                                # |difference| ~ sigma^2
assert np.abs(limit.orders - 2).max() < 0.02
print(pg.policy_gradient(room, mu, theta), limit.gradients[-1])
