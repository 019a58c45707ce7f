# ---
# jupyter:
#   jupytext:
#     text_representation:
#       extension: .py
#       format_name: percent
# ---

# %% [markdown]
# # Which estimator has how much variance
#
# Mean and covariance of a trajectory estimator follow from linear recursions, like V itself: no simulation, no noise.

# %%
import pgtheory as pg

pg.demo("variance")

# %%
corridor = pg.models.load("short-corridor")
policy = pg.SoftmaxPolicy(features=[[[0.0], [1.0]]] * 4)          # one logit for all states
exact = {}
for estimator in (pg.estimators.Reinforce(), pg.estimators.RewardToGo()):
    found = pg.moments(estimator, corridor, policy, [0.0])
    exact[type(estimator).__name__] = float(found.variance[0])
print(exact)
assert [round(v, 9) for v in exact.values()] == [1959, 733]

# %% [markdown]
# A simulation agrees, slowly: its own estimate of a variance is noisy where the tails are heavy.

# %%
batch = pg.sample(corridor, policy.probabilities([0.0]), n=20_000, rng=0)
estimates = pg.estimators.RewardToGo()(batch, policy, [0.0], corridor.gamma)
print(estimates.mean(), estimates.var())
