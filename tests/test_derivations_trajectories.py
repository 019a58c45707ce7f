"""The executed proofs about trajectories: every step holds where it should, and fails when its formula is altered."""

from __future__ import annotations

from dataclasses import replace
from fractions import Fraction as F  # noqa: N817
from xml.etree import ElementTree

import numpy as np
import pytest
import scipy.sparse
from episodic import as_floats

import pgtheory as pg
from pgtheory.derivations import ON_TRAJECTORIES, prove
from pgtheory.derivations.episode_lines import OFF_THE_SIMPLEX
from pgtheory.derivations.episode_setting import EpisodeSetting
from pgtheory.derivations.instance import episode_instance, running_example
from pgtheory.derivations.line import check

SLUGS = list(ON_TRAJECTORIES)
WITHOUT_SIMPLEX = {"trajectory-score", "surrogate-loss", "reward-to-go"}
every_slug = pytest.mark.parametrize("slug", SLUGS)


def generic(seed=0, S=4, A=3, gamma=0.9):
    rng = np.random.default_rng(seed)
    return pg.MDP(rng.dirichlet(np.ones(S), (S, A)), rng.normal(size=(S, A, S)), gamma, rng.dirichlet(np.ones(S)))


def episodic():
    """gamma = 1: two live states and an end, in fractions; episodes end before the horizon and at it."""
    P = [[[F(1, 4), F(1, 2), F(1, 4)], [0, F(2, 3), F(1, 3)]], [[F(1, 2), 0, F(1, 2)], [F(1, 5), F(3, 5), F(1, 5)]],
         [[0, 0, 1], [0, 0, 1]]]
    return pg.MDP(P, [[1, 2], [3, F(-1, 2)], [0, 0]], 1, [F(1, 3), F(2, 3), 0])


# ---------------------------------------------------------------------------------- what holds


@every_slug
@pytest.mark.parametrize("k", [1, 2, 3])
def test_every_step_is_an_exact_equality_on_the_running_example(slug, k):
    proof = prove(slug, k=k)
    assert proof.passed and proof.exact and proof.k == k, str(proof)
    left_out = (("Past rewards drop out", "one step has no past"),) if (slug, k) == ("reward-to-go", 1) else ()
    assert proof.skipped == left_out
    assert all(step.bound == 0 and step.error == 0 and step.lhs.dtype == object for step in proof.steps)


@every_slug
@pytest.mark.parametrize("make", [episodic, lambda: pg.models.load("short-corridor", exact=True),
                                  lambda: pg.models.load("start-matters", exact=True)],
                         ids=["episodic", "short-corridor", "start-matters"])
def test_every_step_is_exact_on_other_models_with_and_without_discount(slug, make):
    proof = prove(slug, make())
    assert proof.passed and proof.exact, str(proof)


def test_some_episodes_of_these_models_end_early():
    batch = episode_instance(episodic()).batch
    assert not batch.valid.all() and batch.valid.all(axis=1).any()


@every_slug
def test_floats_pass_within_bounds_that_are_far_below_the_numbers(slug):
    """12 outcomes a step: 20 steps are asked for, 3 have at most 20000 trajectories."""
    proof = prove(slug, generic(), k=20)
    assert proof.passed and not proof.exact and proof.k == 3, str(proof)
    assert all(0 < step.bound < 1e-8 for step in proof.steps)


@every_slug
def test_sparse_models_prove_what_their_dense_twins_prove(slug):
    dense = generic(S=3, A=2)
    P, R = (scipy.sparse.csr_array(x.reshape(-1, 3)) for x in (dense.P, dense.R))
    one, other = prove(slug, dense), prove(slug, pg.MDP(P, R, dense.gamma, dense.rho))
    assert other.passed and [s.title for s in one.steps] == [s.title for s in other.steps]


class Kinked(pg.Policy):
    """A user's policy whose code is not analytic."""

    shape = (2,)

    def probabilities(self, theta):
        z = np.abs(theta[0]) + 0.5 + theta[1] ** 2
        return np.tile(np.array([z / (1 + z), 1 / (1 + z)]), (2, 1))


@every_slug
def test_a_users_policy_is_proved_by_differences(slug):
    proof = prove(slug, as_floats(running_example()), Kinked(), [0.3, 0.2])
    assert proof.passed, str(proof)


@every_slug
def test_escort_policies_are_proved_too(slug):
    assert prove(slug, running_example(), pg.EscortPolicy(2, 2), [[F(1), F(2)], [F(3), F(-1)]]).passed


@every_slug
@pytest.mark.parametrize("exact", [True, False])
def test_off_the_simplex_what_needs_the_row_sums_is_proved_along_it_or_left_out(slug, exact):
    mdp, theta = running_example(), np.array([[F(1, 3), F(2, 3)], [F(1, 4), F(3, 4)]], dtype=object)
    proof = prove(slug, *((mdp, pg.DirectPolicy(2, 2), theta) if exact else (as_floats(mdp), pg.DirectPolicy(2, 2), theta.astype(float))))
    assert proof.passed and proof.exact is exact, str(proof)
    assert ("differentiated along the simplex" in proof.policy) is (slug not in WITHOUT_SIMPLEX)
    assert [reason for _, reason in proof.skipped] == ([OFF_THE_SIMPLEX] if slug in ("reward-to-go", "surrogate-loss") else [])


def test_the_gradient_along_the_simplex_is_the_gradient_less_the_mean_of_its_row():
    """Of two actions: half the difference, by the exact gradient of the horizon; and the hidden problem is left as it was."""
    mdp, policy, theta = running_example(), pg.DirectPolicy(2, 2), [[F(1, 3), F(2, 3)], [F(1, 4), F(3, 4)]]
    found = {step.title: step for step in prove("log-derivative", mdp, policy, theta).steps}["Start and dynamics drop out"]
    gradient = pg.policy_gradient(mdp, policy, theta, horizon=3)
    assert (found.lhs.reshape(2, 2) == gradient - gradient.mean(axis=1, keepdims=True)).all()
    setting = episode_instance(mdp, policy, theta)
    assert setting.along_simplex.in_the_simplex and not setting.in_the_simplex and setting.problem.complete


@pytest.mark.parametrize("slug", sorted(set(SLUGS) - WITHOUT_SIMPLEX))
def test_in_the_coordinates_themselves_they_fail_and_symbols_are_refused(slug, monkeypatch):
    """Negative control: the same lines with the ambient derivatives; and a field of symbols knows no other directions."""
    arguments = running_example(), pg.DirectPolicy(2, 2)
    monkeypatch.setattr(EpisodeSetting, "along_simplex", property(lambda it: EpisodeSetting(it.problem, it.k, in_the_simplex=True)))
    assert not prove(slug, *arguments, [[F(1, 3), F(2, 3)], [F(1, 4), F(3, 4)]]).passed
    monkeypatch.undo()
    from sympy import QQ
    from sympy.polys.fields import field

    _, p, q = field("p, q", QQ)
    with pytest.raises(pg.UndefinedError, match=f"{slug} does not apply: .* leave the simplex.*symbols"):
        prove(slug, *arguments, np.array([[p, 1 - p], [q, 1 - q]], dtype=object), k=2)


@pytest.mark.parametrize("slug", [slug for slug in SLUGS if slug != "surrogate-loss"])
def test_with_symbolic_weights_the_equalities_hold_for_every_softmax_policy(slug):
    from sympy import QQ
    from sympy.polys.fields import field

    _, *w = field("a, b, c, d", QQ)
    w = np.array(w, dtype=object).reshape(2, 2)
    proof = prove(slug, running_example(), pg.SoftmaxPolicy(2, 2, weights=True), w, k=2)
    assert proof.passed and proof.exact and proof.k == 2, str(proof)


# ---------------------------------------------------------------------------------- altered formulas fail


def previous(weights):
    """Weights that come one step late: of the action after the one that they belong to."""
    return np.concatenate([weights[:, :1] * 0, weights[:, :-1]], axis=1)


def undiscounted(it):
    """(N, T) G_t without gamma^t."""
    return it.to_go / it.discounts(it.k)


def of_the_action(it):
    """(N, T) gamma^t a_t."""
    return it.batch.actions * it.discounts(it.k)


def timeless(it, table):
    """The table of time 0 at every time."""
    return it.from_states(table * 0 + table[0])


def loss_slope(it):
    return (it.scores[::2] * it.whole[::2, :, None]).sum(axis=1).sum(axis=0)


def score(it):
    return it.problem.along(it.problem.policy.score(it.problem.theta))


def first_factor(it):
    return it.slopes[:, 0] * it.episodes.factors_at(it.problem.theta)[1][:, None]


SCORE_MEAN = {"The score has mean 0": [lambda it: score(it).sum(axis=1), lambda it: it.grad("pi").value[:, 0]]}

ALTERED = {
    "trajectory-score": {
        "The probability of a trajectory": [lambda it: it.episodes.factors_at(it.problem.theta)[1],
                                            lambda it: it.episodes.factors_at(it.problem.theta)[0]],
        "The probabilities sum to 1": [lambda it: it.batch.probability[1:].sum(keepdims=True)],
        "Start and dynamics are constant factors": [lambda it: it.grad("prod pi")],
        "Product rule": [first_factor, lambda it: it.slopes.sum(axis=1)],
        "Put the missing factor back": [lambda it: it.scores.sum(axis=1), lambda it: it.slopes.sum(axis=1)],
        "The score of a trajectory": [lambda it: it.each(it.filled(it.whole.shape, 1) * it.discounts(it.k)),
                                      lambda it: it.scores.sum(axis=1)],
    },
    "log-derivative": {
        "J by adding up trajectories": [lambda it: (it.whole[:, 0] / it.number(len(it.batch))).sum(keepdims=True),
                                        lambda it: it.problem.rho[None] @ it.solution.V],
        "Differentiate the sum": [lambda it: (it.grad("P(tau)").value * it.to_go[:, -1:]).sum(axis=0),
                                  lambda it: it.grad("P(tau)").value.sum(axis=0)],
        "The log-derivative trick": [lambda it: -(it.grad("P(tau) log P(tau)").value * it.whole[:, :1]).sum(axis=0)],
        "Start and dynamics drop out": [lambda it: it.mean(it.whole * it.discounts(it.k)), lambda it: -it.mean(it.whole),
                                        lambda it: it.mean(previous(it.whole))],
    },
    "surrogate-loss": {
        "The gradient is minus the estimate": [
            lambda it: loss_slope(it) / it.number(len(it.whole[::2])), lambda it: -loss_slope(it),
            lambda it: -(it.scores[::2] * it.to_go[::2, :, None]).sum(axis=1).sum(axis=0) / it.number(len(it.whole[::2]))],
        "Its mean is minus the gradient": [lambda it: it.grad("J").value,
                                           lambda it: it.problem.along(-pg.policy_gradient(
                                               it.problem.mdp, it.problem.policy, it.problem.theta))],
    },
    "eglp": {
        "The sum of the probabilities": [lambda it: it.grad("P(tau)").value[1:].sum(axis=0)],
        "The lemma": [lambda it: it.grad("P(tau)").value[1:].sum(axis=0)],
        **SCORE_MEAN,
        "Behind any history": [lambda it: it.by_time(it.batch.actions + it.filled(it.whole.shape, 0)),
                               lambda it: it.by_time(it.batch.states[:, 1:] + it.filled(it.whole.shape, 0))],
        "The lemma for trajectories, again": [lambda it: it.mean(it.whole), lambda it: it.scores.sum(axis=(0, 1))],
    },
    "reward-to-go": {
        "Split the return": [lambda it: it.each(it.to_go), lambda it: it.each(undiscounted(it))],
        **SCORE_MEAN,
        "Past rewards drop out": [lambda it: it.by_time(it.earned)],
        "Reward-to-go": [lambda it: it.mean(undiscounted(it)), lambda it: it.mean(it.whole - it.to_go),
                         lambda it: it.mean(previous(it.to_go))],
        "The value of what follows": [lambda it: timeless(it, it.episodes.solution.Q),
                                      lambda it: it.from_states(it.episodes.solution.Q) / it.discounts(it.k)[:, None]],
    },
    "baseline": {
        **SCORE_MEAN,
        "A baseline adds nothing": [lambda it: it.by_time(of_the_action(it))],
        "Subtracted from the return": [lambda it: it.mean(it.whole - of_the_action(it)),
                                       lambda it: it.mean(it.whole - it.batch.states[:, 1:])],
        "Subtracted from reward-to-go": [lambda it: it.mean(it.to_go - of_the_action(it)),
                                         lambda it: it.mean(undiscounted(it))],
        "The value as baseline": [lambda it: timeless(it, it.episodes.solution.A),
                                  lambda it: it.from_states(it.episodes.solution.A) / it.discounts(it.k)[:, None]],
    },
}


def lines_of(slug, setting):
    return {line.title: line for line in ON_TRAJECTORIES[slug].lines(setting)}


@every_slug
def test_every_step_has_a_formula_that_is_altered_below(slug):
    assert set(ALTERED[slug]) == set(lines_of(slug, episode_instance(k=3)))


@pytest.mark.parametrize("make", [running_example, lambda: as_floats(running_example())], ids=["fractions", "floats"])
@pytest.mark.parametrize("slug, title", [(slug, title) for slug in SLUGS for title in ALTERED[slug]])
def test_every_step_fails_when_its_formula_is_altered(slug, title, make):
    setting = episode_instance(make(), k=3)
    line = lines_of(slug, setting)[title]
    assert check(line, setting).verdict == "PASS"
    for altered in ALTERED[slug][title]:
        assert check(replace(line, right=altered), setting).verdict == "FAIL"


def failing(slug):
    return {step.title for step in prove(slug).steps if step.verdict == "FAIL"}


def test_a_wrong_score_formula_is_seen(monkeypatch):
    right = pg.SoftmaxPolicy.score
    monkeypatch.setattr(pg.SoftmaxPolicy, "score", lambda self, theta: right(self, theta) * 2)
    assert failing("trajectory-score") == {"Product rule"}                  # where grad pi is made of it
    assert "The gradient is minus the estimate" in failing("surrogate-loss")
    assert "The lemma for trajectories, again" not in failing("eglp")      # both sides are 0, doubled or not


def test_a_bootstrap_in_the_backward_recursion_is_seen(monkeypatch):
    from pgtheory.horizon import evaluate_horizon
    from pgtheory.problems import finite as problem_module

    monkeypatch.setattr(problem_module, "evaluate_horizon", lambda mdp, pi, T: evaluate_horizon(mdp, pi, T + 1))
    assert failing("log-derivative") == {"Differentiate the sum", "Start and dynamics drop out"}
    assert failing("reward-to-go") == {"Reward-to-go"}


# ---------------------------------------------------------------------------------- what is refused, and how it shows


def test_what_the_claims_are_not_about_is_refused():
    with pytest.raises(pg.PGTheoryError, match="needs an MDP, not ContinuousActionMDP"):
        prove("eglp", pg.models.load("thermostat"))
    with pytest.raises(pg.UndefinedError, match=r"some pi\(a\|s\) is 0"):
        prove("trajectory-score", running_example(), pg.DirectPolicy(2, 2), [[F(1), F(0)], [F(1, 2), F(1, 2)]])
    with pytest.raises(pg.UndefinedError, match="reward-to-go does not apply: no reward can be earned in the T = 3 steps"):
        prove("reward-to-go", pg.MDP(running_example().P, [[F(0), F(0)], [F(0), F(0)]], F(1, 2), 0))


@every_slug
@pytest.mark.parametrize("make", [running_example, lambda: generic(S=3, A=2), episodic])
def test_the_text_fits_80_columns_and_every_formula_is_typeset(slug, make):
    proof = prove(slug, make(), k=2)
    text = str(proof)
    assert text.isascii() and max(map(len, text.splitlines())) <= 80
    assert sum(line.endswith(" PASS") for line in text.splitlines()) == len(proof.steps)
    root = ElementTree.fromstring(proof._repr_html_())
    assert "\\" not in "".join(root.itertext()), "a formula fell back to its source"
    assert len(root.findall(".//h3")) == len(proof.steps)
