# ---
# jupyter:
#   jupytext:
#     text_representation:
#       extension: .py
#       format_name: percent
# ---

# %% [markdown]
# # Where the discounted state distribution comes from
#
# Unrolling the recursion of the gradient k times leaves the weights gamma^t Pr(s_t = x). Times 1 - gamma they fill the bars of
# a probability distribution, D.

# %%
from fractions import Fraction

import numpy as np

import pgtheory as pg

pg.demo("occupancy")

# %% [markdown]
# The same in fractions: after k steps the bars hold exactly 1 - gamma^k, and what is missing shrinks to nothing.

# %%
gamma, half = Fraction(4, 5), Fraction(1, 2)
chain = pg.models.load("chain", exact=True, gamma=gamma)
solution = pg.solve(chain, [[half, half]] * 5)
law, filled = np.array(chain.rho), np.array([Fraction(0)] * 5)
for k in range(8):
    assert filled.sum() == 1 - gamma**k
    filled = filled + (1 - gamma) * gamma**k * law
    law = law @ solution.P_pi
print([str(x) for x in solution.D], solution.D.sum())
assert solution.D.sum() == 1 and (filled <= solution.D).all()

# %% [markdown]
# The proof, step by step on this chain:

# %%
print(pg.prove("occupancy", chain))
