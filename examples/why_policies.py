# ---
# jupyter:
#   jupytext:
#     text_representation:
#       extension: .py
#       format_name: percent
# ---

# %% [markdown]
# # Why learn the policy itself
#
# A greedy policy is deterministic, turns round under a small error of Q, and needs a table of actions to maximise over.
# Three small problems where that hurts, and the policy that does better in each.

# %%
import numpy as np

import pgtheory as pg

pg.demo("why-policies")

# %% [markdown]
# The short corridor (Sutton & Barto 2018, example 13.1): three states that the policy cannot tell apart, so that it is one
# number, the probability p of going right. Both deterministic policies run for ever. At p = 2 - sqrt 2 the value is
# -6 - 4 sqrt 2.

# %%
corridor = pg.models.load("short-corridor")
best = 2 - np.sqrt(2)
J = pg.solve(corridor, [[1 - best, best]] * 4).J
print(J)
assert abs(J - (-6 - 4 * np.sqrt(2))) < 1e-12

# %% [markdown]
# What does not exist is refused, and never a plausible number.

# %%
try:
    pg.solve(corridor, [[0.0, 1.0]] * 4)
except pg.UndefinedError as error:
    print(error)
else:
    raise AssertionError("always right never arrives")
