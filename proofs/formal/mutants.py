"""Statements that are false, each a small edit of Statements.v: Coq must refuse every one of them at its closing line.

A mutant names the part of Statements.v that it edits, the edits (what is replaced, by what; each must occur there exactly once),
the theorem whose closing line must fail, and why the statement is false or hollow. An edit of a definition may leave a variable
unused, which would change the definition's arguments and break the file for that reason; ``let _ := g in`` keeps it.
"""

from typing import NamedTuple


class Mutant(NamedTuple):
    what: str
    part: str                       # the Definition, Fixpoint or Theorem that is edited
    edits: tuple[tuple[str, str], ...]
    fails: str                      # the theorem whose closing line must fail
    why: str


def _mutant(what, part, fails, why, *edits):
    return Mutant(what, part, edits, fails, why)


STOCHASTIC, DETERMINISTIC = "S1_policy_gradient", "S2_deterministic_policy_gradient"
REAL, EGLP, BASELINE = "S2_deterministic_policy_gradient_real", "S3_eglp", "S4_baseline"
RESOLVENT, ALGEBRAIC = "S5_unit_resolvent", "S7_algebraic_policy_gradient"
UNIT, CONVERGENCE, INVERSE, BELLMAN = "S6_unit", "S6_convergence", "S6_inverse", "S6_bellman"
SCORE, SOFTMAX, BANDIT, MIXTURE = "S8_log_derivative", "S8_softmax_policy_gradient", "S8_bandit", "S8_mixture_policy_gradient"
FINITE, FINITE_DETERMINISTIC = "S9_policy_gradient_finite", "S9_deterministic_policy_gradient_finite"
START, MEAN = "S10_start_policy_gradient", "S11_score_form"
HORIZON, DIFFERENCE = "S12_finite_horizon", "S13_performance_difference"

DISCOUNT = ("0 <= g < 1 ->", "0 <= g <= 1 ->")
NO_DISCOUNT = "at gamma = 1 values and occupancies diverge, 1 - gamma P is singular"
NORMALISED = ("occupancy P g (pi th) in", "(fun s0 s => (1 - g) * occupancy P g (pi th) s0 s) in")
DERIVATIVE = "'D_v (fun t => pi t s a : R) th * Q s a"

MUTANTS = (
    # the definitions behind S1
    _mutant("gamma^t dropped in d", "occupancy", STOCHASTIC, "undiscounted visits diverge, and weight later states too much",
            ("g ^+ t * prob_at t s0 s", "let _ := g in prob_at t s0 s")),
    _mutant("gamma^(t+1) for gamma^t", "occupancy", STOCHASTIC, "the start state itself is weighted gamma, not 1", ("g ^+ t", "g ^+ t.+1")),
    _mutant("gamma dropped in Q", "qvalue", STOCHASTIC, "what follows an action counts for more than it earns",
            ("g * \\sum_s'", "\\sum_s'")),
    _mutant("gamma dropped in returns", "traj_return", STOCHASTIC, "undiscounted returns diverge",
            ("r s a + g * traj_return s' tr'", "let _ := g in r s a + traj_return s' tr'")),
    _mutant("P transposed along trajectories", "traj_prob", STOCHASTIC, "d and V of another model", ("P s a s'", "P s' a s")),
    _mutant("P transposed in the matrix", "pm", STOCHASTIC, "d is not a row of that inverse", ("P s a s'", "P s' a s")),
    _mutant("P transposed in Q", "qvalue", STOCHASTIC, "Q of another model", ("P s a s'", "P s' a s")),
    _mutant("pi left out of trajectories", "traj_prob", STOCHASTIC, "every action would have probability 1",
            ("pi s a * P s a s'", "let _ := pi in P s a s'")),
    _mutant("first reward left out of Q", "JQ", STOCHASTIC, "the limit is Q - r", ("r s a + g *", "let _ := r in g *")),
    _mutant("visits counted whatever the state", "prob_at", STOCHASTIC, "sums to 1 / (1 - gamma) in every state",
            ("| traj_last s0 tr == s)", "| traj_last s0 tr == traj_last s0 tr)"), ("(s0 s : S)", "(s0 _ : S)")),
    # S1
    _mutant("gamma <= 1", STOCHASTIC, STOCHASTIC, NO_DISCOUNT, DISCOUNT),
    _mutant("D = (1 - gamma) d for d", STOCHASTIC, STOCHASTIC, "the gradient shrinks by 1 - gamma",
            ("let d := " + NORMALISED[0], "let d := " + NORMALISED[1])),
    _mutant("D for d in the formula alone", STOCHASTIC, STOCHASTIC, "the gradient shrinks by 1 - gamma",
            ("d s0 s * \\sum_a", "(1 - g) * d s0 s * \\sum_a")),
    _mutant("d of the wrong start", STOCHASTIC, STOCHASTIC, "the inverse is not symmetric", ("d s0 s * \\sum_a", "d s s0 * \\sum_a")),
    _mutant("d a column of the inverse", STOCHASTIC, STOCHASTIC, "the inverse is not symmetric", ("(pi th)) s0 s)", "(pi th)) s s0)")),
    _mutant("r for Q", STOCHASTIC, STOCHASTIC, "only the first reward would count", ("th * Q s a", "th * r s a")),
    _mutant("score not weighted by pi", STOCHASTIC, STOCHASTIC, "a sum over actions in place of a mean",
            (DERIVATIVE, "'D_v (fun t => ln (pi t s a) : R) th * Q s a")),
    _mutant("a policy at th only, not near it", STOCHASTIC, STOCHASTIC, "V is then undefined around th",
            ("\\forall t \\near th, policy (pi t)", "policy (pi th)")),
    _mutant("policy hypothesis removed", STOCHASTIC, STOCHASTIC, "V need not exist", ("(\\forall t \\near th, policy (pi t)) ->", "")),
    _mutant("differentiability of pi removed", STOCHASTIC, STOCHASTIC, "V need not be differentiable",
            ("(forall s a, differentiable (fun t => pi t s a : R) th) ->", "")),
    _mutant("P may be negative", STOCHASTIC, STOCHASTIC, "V need not exist", ("(forall s a s', 0 <= P s a s') ->", "")),
    _mutant("rows of P need not sum to 1", STOCHASTIC, STOCHASTIC, "V need not exist", ("(forall s a, \\sum_s' P s a s' = 1) ->", "")),
    # S2
    _mutant("gamma dropped in the returns", "dtraj_return", DETERMINISTIC, "undiscounted returns diverge",
            ("r s (m s) + g * dtraj_return s' tr'", "let _ := g in r s (m s) + dtraj_return s' tr'")),
    _mutant("gamma^t dropped in d", "doccupancy", DETERMINISTIC, "undiscounted visits diverge",
            ("g ^+ t * dprob_at t s0 s", "let _ := g in dprob_at t s0 s")),
    _mutant("P transposed in the matrix", "dpm", DETERMINISTIC, "d is not a row of that inverse", ("P s (m s) s'", "P s' (m s) s")),
    _mutant("gamma dropped in Q", "dq", DETERMINISTIC, "what follows counts for more than it earns", ("g * \\sum_s'", "\\sum_s'")),
    _mutant("gamma <= 1", DETERMINISTIC, DETERMINISTIC, NO_DISCOUNT, DISCOUNT),
    _mutant("derivative at another action", DETERMINISTIC, DETERMINISTIC, "Q is not affine in the action",
            ("(fun u => Q s u : R) (mu th s)]", "(fun u => Q s u : R) (0 : U)]")),
    _mutant("gamma grad P V dropped", DETERMINISTIC, DETERMINISTIC, "the action moves the next state too",
            ("(fun u => Q s u : R) (mu th s)]", "(fun u => r s u : R) (mu th s)]")),
    _mutant("weights d dropped", DETERMINISTIC, DETERMINISTIC, "states are not visited equally often",
            ("\\sum_s d s0 s *\n          'D_", "\\sum_s\n          'D_")),
    _mutant("D = (1 - gamma) d for d", DETERMINISTIC, DETERMINISTIC, "the gradient shrinks by 1 - gamma",
            ("let d := doccupancy P g (mu th) in", "let d := (fun s0 s => (1 - g) * doccupancy P g (mu th) s0 s) in")),
    _mutant("a kernel at th only, not near it", DETERMINISTIC, DETERMINISTIC, "V is then undefined around th",
            ("\\forall t \\near th, kernel_at P (mu t)", "kernel_at P (mu th)")),
    _mutant("differentiability of mu removed", DETERMINISTIC, DETERMINISTIC, "V need not be differentiable",
            ("(forall s, differentiable (fun t => mu t s) th) ->", "")),
    _mutant("differentiability of P removed", DETERMINISTIC, DETERMINISTIC, "V need not be differentiable",
            ("(forall s s', differentiable (fun u => P s u s' : R) (mu th s)) ->", "")),
    _mutant("differentiability of r removed", DETERMINISTIC, DETERMINISTIC, "V need not be differentiable",
            ("(forall s, differentiable (fun u => r s u : R) (mu th s)) ->", "")),
    _mutant("derivative of mu dropped", REAL, REAL, "the chain rule needs it", ("('D_v (fun t => mu t s : R) th * derive1", "(derive1")),
    _mutant("derivative at another action", REAL, REAL, "Q is not affine in the action", ("derive1 (Q s) (mu th s)", "derive1 (Q s) 0")),
    _mutant("derivability of r removed", REAL, REAL, "V need not be differentiable",
            ("(forall s, derivable (fun u => r s u : R) (mu th s) 1) ->", "")),
    # S3 to S7
    _mutant("the sum is 1", EGLP, EGLP, "probabilities sum to a constant", ("th = 0", "th = 1")),
    _mutant("weighted by a function of the action", EGLP, EGLP, "then it is a gradient of a mean",
            ("(th : T) :", "(th : T) (b : A -> R) :"), ("th = 0", "th * b a = 0")),
    _mutant("policy hypothesis removed", EGLP, EGLP, "the sum over the actions may vary", ("(\\forall t \\near th, policy (pi t)) ->", "")),
    _mutant("baseline that depends on the action", BASELINE, BASELINE, "b = Q makes the sum 0",
            ("(b : 'I_n -> R)", "(b : 'I_n -> A -> R)"), ("Q s a - b s", "Q s a - b s a")),
    _mutant("policy hypothesis removed", BASELINE, BASELINE, "derivatives need not sum to 0",
            ("(\\forall t \\near th, policy (pi t)) ->", "")),
    _mutant("gamma <= 1", RESOLVENT, RESOLVENT, "K = 1, gamma = 1", ("0 <= g < 1 ->", "0 <= g <= 1 ->")),
    _mutant("gamma of any sign", RESOLVENT, RESOLVENT, "K swaps two states, gamma = -1", ("0 <= g < 1 ->", "g < 1 ->")),
    _mutant("K may be negative", "stochastic", RESOLVENT, "K may have any eigenvalue", ("(forall i j, 0 <= K i j) /\\ ", "")),
    _mutant("rows need not sum to 1", "stochastic", RESOLVENT, "K = 1 / gamma", (" /\\ (forall i, \\sum_j K i j = 1)", "")),
    _mutant("gamma <= 1", UNIT, UNIT, NO_DISCOUNT, DISCOUNT),
    _mutant("gamma <= 1", CONVERGENCE, CONVERGENCE, NO_DISCOUNT, DISCOUNT),
    _mutant("policy hypothesis removed", CONVERGENCE, CONVERGENCE, "the series may diverge", ("policy pi ->", "")),
    _mutant("gamma^t dropped in the series", CONVERGENCE, CONVERGENCE, "the series diverges", ("g ^+ t * prob_at", "prob_at")),
    _mutant("d a column of the inverse", INVERSE, INVERSE, "the inverse is not symmetric", ("pm P pi) s0 s.", "pm P pi) s s0.")),
    _mutant("D for d", INVERSE, INVERSE, "a factor of 1 - gamma", ("occupancy P g pi s0 s =", "(1 - g) * occupancy P g pi s0 s =")),
    _mutant("actions not weighted by the policy", BELLMAN, BELLMAN, "a sum in place of a mean", ("\\sum_a pi s a *", "\\sum_a")),
    _mutant("gamma <= 1", "S6_deterministic_bellman", "S6_deterministic_bellman", NO_DISCOUNT, DISCOUNT),
    _mutant("product rule cut short", "derivation", ALGEBRAIC, "D is then linear over the ring", ("D x * y + x * D y", "D x * y")),
    _mutant("gamma dropped in Q", ALGEBRAIC, ALGEBRAIC, "V then solves another equation", ("r s a + g * \\sum_s'", "r s a + \\sum_s'")),
    _mutant("gamma that varies", ALGEBRAIC, ALGEBRAIC, "its derivative is missing", ("D g = 0 ->", "")),
    _mutant("rewards that vary", ALGEBRAIC, ALGEBRAIC, "their derivative is missing", ("(forall s a, D (r s a) = 0) ->", "")),
    _mutant("transitions that vary", ALGEBRAIC, ALGEBRAIC, "their derivative is missing", ("(forall s a s', D (P s a s') = 0) ->", "")),
    _mutant("1 - gamma K need not be invertible", ALGEBRAIC, ALGEBRAIC, "V is not determined by its equation",
            ("1%:M - g *: K \\in unitmx ->", "")),
    _mutant("a column of the inverse", ALGEBRAIC, ALGEBRAIC, "the inverse is not symmetric",
            ("invmx (1%:M - g *: K) s0 s", "invmx (1%:M - g *: K) s s0")),
    # S8
    _mutant("f may be zero", SCORE, SCORE, "f = t^2 at 0: no logarithm", ("0 < f th ->", "0 <= f th ->")),
    _mutant("score not centred", "softmax_score", "S8_softmax_score", "the probabilities sum to 1",
            (" - \\sum_b softmax phi t s b * preference phi v s b", "")),
    _mutant("no action at all", SOFTMAX, SOFTMAX, "then there is no policy", ("(0 < #|A|)%N ->", "")),
    _mutant("not weighted by the policy", SOFTMAX, SOFTMAX, "a sum over actions in place of a mean",
            ("pi th s a * softmax_score", "softmax_score")),
    _mutant("1 / (1 - gamma) dropped", BANDIT, BANDIT, "every step earns", ("(1 - g)^-1 * (", "(")),
    _mutant("an action at the edge", MIXTURE, MIXTURE, "beyond the edge P is no law", ("0 < th < 1", "0 <= th < 1")),
    _mutant("gamma grad P V dropped", MIXTURE, MIXTURE, "the action moves the next state too",
            ("(c s + g * \\sum_s' (K1 s s' - K0 s s') * V th s')", "c s")),
    # the extensions
    _mutant("D = (1 - gamma) d for d", FINITE, FINITE, "the gradient shrinks by 1 - gamma",
            ("d s0 s * \\sum_a", "(1 - g) * d s0 s * \\sum_a")),
    _mutant("two starts confused", FINITE, FINITE, "the inverse is not symmetric",
            ("(enum_rank s0) (enum_rank s)", "(enum_rank s) (enum_rank s0)")),
    _mutant("weights d dropped", FINITE_DETERMINISTIC, FINITE_DETERMINISTIC, "states are not visited equally often",
            ("\\sum_s d s0 s *\n          'D_", "\\sum_s\n          'D_")),
    _mutant("P transposed in the matrix", "numbered_dpm", FINITE_DETERMINISTIC, "d is not a row of that inverse",
            ("P (enum_val i) (m (enum_val i)) (enum_val j)", "P (enum_val j) (m (enum_val j)) (enum_val i)")),
    _mutant("start distribution dropped", "start_prob_at", START, "every state counted as a start",
            ("rho s0 * traj_prob", "let _ := rho in traj_prob")),
    _mutant("gamma^t dropped", "start_occupancy", START, "undiscounted visits diverge", ("g ^+ t *", "let _ := g in")),
    _mutant("D for d", START, START, "the gradient shrinks by 1 - gamma", ("\\sum_s d s *", "\\sum_s (1 - g) * d s *")),
    _mutant("1 / (1 - gamma) dropped", MEAN, MEAN, "D sums to 1, d to 1 / (1 - gamma)", ("(1 - g)^-1 * \\sum_s", "\\sum_s")),
    _mutant("d for D", "state_distribution", MEAN, "then it is no law", ("(1 - g) * occupancy", "occupancy")),
    _mutant("actions not weighted by pi", MEAN, MEAN, "a sum over actions in place of a mean", ("pi th s a * 'D_v", "'D_v")),
    _mutant("actions never taken have a logarithm", MEAN, MEAN, "ln 0", ("0 < pi th s a ->", "0 <= pi th s a ->")),
    _mutant("past rewards only", "traj_reward_to_go", HORIZON, "the future is what an action changes",
            ("g * traj_reward_to_go r g score b k.+1 s' tr'", "0")),
    _mutant("gamma^k dropped", "traj_reward_to_go", HORIZON, "later steps count too much", ("g * traj_reward_to_go", "traj_reward_to_go")),
    _mutant("baseline that depends on the action", "traj_reward_to_go", HORIZON, "b = score has a mean", ("b k s)", "b k s * score s a)")),
    _mutant("not weighted by probability", HORIZON, HORIZON, "a sum in place of a mean", ("p s0 tr * (traj_score", "(traj_score")),
    _mutant("visits under the old policy", DIFFERENCE, DIFFERENCE, "true to first order only",
            ("occupancy P g pi' in", "occupancy P g pi in")),
    _mutant("advantages averaged under the old policy", DIFFERENCE, DIFFERENCE, "they average to 0",
            ("\\sum_a pi' s a *", "\\sum_a pi s a *")),
)
