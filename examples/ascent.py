# ---
# jupyter:
#   jupytext:
#     text_representation:
#       extension: .py
#       format_name: percent
# ---

# %% [markdown]
# # Gradient ascent on the short corridor
#
# With the exact gradient the policy climbs to p = 2 - sqrt 2; with one episode a step it gets there on average, and the better
# the baseline, the less it shakes.

# %%
import numpy as np

import pgtheory as pg

pg.demo("ascent")

# %%
corridor = pg.models.load("short-corridor")
policy = pg.SoftmaxPolicy(features=[[[0.0], [1.0]]] * 4)
history = pg.gradient_ascent(corridor, policy, [-1.0], step=0.02, iterations=1000, tolerance=1e-9)
p = 1 / (1 + np.exp(-history.theta[-1, 0]))
print(history, p)
assert abs(p - (2 - np.sqrt(2))) < 1e-9 and history.reason == "tolerance"

# %% [markdown]
# Too large a step is refused where it breaks down, with the history up to there; here one that leaves the policy unable to
# finish an episode.

# %%
try:
    pg.gradient_ascent(corridor, policy, [-1.0], step=500.0, iterations=100)
except pg.UndefinedError as error:
    print(error)
