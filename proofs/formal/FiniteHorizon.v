(** * The policy gradient over trajectories of finite length

    The derivative of the expected return of [N] steps is the expectation, over
    the trajectories of [N] steps, of the sum of the derivatives of [ln pi]
    along the trajectory times its return; of the same with each return replaced
    by the return from that step on (reward-to-go); and of the same less a
    baseline that depends on the time and the state.

    Expectations are finite sums over the trajectories of positive probability;
    on these all logarithms are differentiable.  Nothing is asked of the
    discount factor, so undiscounted returns are included. *)

From mathcomp Require Import all_ssreflect ssralg ssrnum matrix.
From mathcomp Require Import boolp classical_sets functions.
From mathcomp Require Import reals topology normedtype sequences derive exp.
From mathcomp Require Import ring.
From PGFormal Require Import Definitions Limits Differentiation Logarithm.
From PGFormal Require Import Stochastic ScoreForm Baseline.

Set Implicit Arguments.
Unset Strict Implicit.
Unset Printing Implicit Defensive.

Import Order.TTheory GRing.Theory Num.Theory.
Import numFieldNormedType.Exports.

Local Open Scope classical_set_scope.
Local Open Scope ring_scope.

(** ** Definitions *)

(** The sum of [score] over the steps of a trajectory. *)
Fixpoint traj_score (R : realType) (S A : finType)
    (score : S -> A -> R) (s : S) (tr : seq (A * S)) : R :=
  if tr is (a, s') :: tr' then score s a + traj_score score s' tr' else 0.

(** The sum over the steps [k] of [g ^ k] times the score of the step times what
    the return from that step on exceeds the baseline [b] by; [b] may depend on
    the number of the step and the state it starts from.  The count starts at
    [k]. *)
Fixpoint traj_reward_to_go (R : realType) (S A : finType)
    (r : S -> A -> R) (g : R) (score : S -> A -> R)
    (b : nat -> S -> R) (k : nat) (s : S) (tr : seq (A * S)) : R :=
  if tr is (a, s') :: tr' then
    score s a * (traj_return r g s tr - b k s) +
    g * traj_reward_to_go r g score b k.+1 s' tr'
  else 0.

(** ** Expectations over trajectories *)

Section Expectation.

Variables (R : realType) (S A : finType).
Variables (P : S -> A -> S -> R) (r : S -> A -> R) (g : R).
Variable pi : S -> A -> R.

Hypothesis P_ge0 : forall s a s', 0 <= P s a s'.
Hypothesis P_sum1 : forall s a, \sum_s' P s a s' = 1.
Hypothesis pi_policy : policy pi.

(** The expectation of [F] over the trajectories of [N] steps from [s]. *)
Definition expect (N : nat) (s : S) (F : seq (A * S) -> R) : R :=
  \sum_(tr : N.-tuple (A * S)) traj_prob P pi s tr * F tr.

(** Trajectories of probability zero do not count. *)
Lemma expectE N s F :
  expect N s F =
  \sum_(tr : N.-tuple (A * S) | 0 < traj_prob P pi s tr)
    traj_prob P pi s tr * F tr.
Proof.
rewrite [RHS]big_mkcond/=; apply: eq_bigr => tr _; case: ltP => // p_le0.
have -> : traj_prob P pi s tr = 0; last by rewrite mul0r.
by apply/eqP; rewrite eq_le p_le0 traj_prob_ge0.
Qed.

(** No steps; and one step at a time. *)
Lemma expect_nil s F : expect 0 s F = F [::].
Proof.
rewrite /expect (sum_tuple0 (fun tr => traj_prob P pi s tr * F tr)).
by rewrite mul1r.
Qed.

Lemma expect_cons N s F :
  expect N.+1 s F =
  \sum_a pi s a * \sum_s' P s a s' * expect N s' (fun tr => F ((a, s') :: tr)).
Proof.
rewrite /expect (sum_tupleS _ (fun tr => traj_prob P pi s tr * F tr)).
under [RHS]eq_bigr do rewrite mulr_sumr.
rewrite [RHS]pair_bigA/=; apply: eq_bigr => -[a s'] _ /=.
by rewrite mulrA mulr_sumr; apply: eq_bigr => tr _; rewrite mulrA.
Qed.

(** It is linear, and a constant is its own expectation. *)
Lemma expect_add N s F G :
  expect N s (fun tr => F tr + G tr) = expect N s F + expect N s G.
Proof.
by rewrite /expect; under eq_bigr do rewrite mulrDr; rewrite big_split.
Qed.

Lemma expect_scale N s c F :
  expect N s (fun tr => c * F tr) = c * expect N s F.
Proof.
by rewrite /expect mulr_sumr; apply: eq_bigr => tr _; rewrite mulrCA.
Qed.

Lemma expect_const N s c : expect N s (fun=> c) = c.
Proof. by rewrite /expect -mulr_suml traj_prob_sum// mul1r. Qed.

Lemma eq_expect N s F G : F =1 G -> expect N s F = expect N s G.
Proof. by move=> FG; apply: eq_bigr => tr _; rewrite FG. Qed.

(** ** Reward-to-go and baseline *)

Variable score : S -> A -> R.

Hypothesis score_sum0 : forall s, \sum_a pi s a * score s a = 0.

(** The score of a step, times what does not depend on the action, averages to
    zero. *)
Lemma average_score s (c : R) :
  \sum_a pi s a * (\sum_s' P s a s' * (score s a * c)) = 0.
Proof.
transitivity (\sum_a pi s a * score s a * c).
  by apply: eq_bigr => a _; rewrite -mulr_suml P_sum1 mul1r mulrA.
by rewrite -mulr_suml score_sum0 mul0r.
Qed.

(** So does the score of a whole trajectory. *)
Lemma expect_score N s : expect N s (traj_score score s) = 0.
Proof.
elim: N s => [|N ihN] s; first by rewrite expect_nil.
rewrite expect_cons -[RHS](average_score s 1); apply: eq_bigr => a _.
congr (_ * _); apply: eq_bigr => s' _; congr (_ * _).
by rewrite expect_add expect_const ihN addr0 mulr1.
Qed.

(** The rewards before a step do not matter to its score, nor does the
    baseline. *)
Lemma expect_reward_to_go b N k s :
  expect N s (fun tr => traj_score score s tr * traj_return r g s tr) =
  expect N s (traj_reward_to_go r g score b k s).
Proof.
elim: N k s => [|N ihN] k s; first by rewrite !expect_nil mul0r.
rewrite !expect_cons -[RHS]addr0 -[X in _ + X](average_score s (b k s)).
rewrite -big_split/=; apply: eq_bigr => a _; rewrite -mulrDr; congr (_ * _).
rewrite -big_split/=; apply: eq_bigr => s' _; rewrite -mulrDr; congr (_ * _).
pose G := traj_return r g s'.
pose H := traj_score score s'.
pose B := traj_reward_to_go r g score b k.+1 s'.
have -> : expect N s' (fun tr => (score s a + H tr) * (r s a + g * G tr)) =
    score s a * r s a + score s a * g * expect N s' G +
    (r s a * expect N s' H + g * expect N s' (fun tr => H tr * G tr)).
  rewrite -!expect_scale -[X in X + _ + _](expect_const N s').
  by rewrite -!expect_add; apply: eq_expect => tr; ring.
have -> : expect N s' (fun tr =>
      score s a * (r s a + g * G tr - b k s) + g * B tr) =
    score s a * (r s a - b k s) + score s a * g * expect N s' G +
    g * expect N s' B.
  rewrite -!expect_scale -[X in X + _ + _](expect_const N s').
  by rewrite -!expect_add; apply: eq_expect => tr; ring.
by rewrite (ihN k.+1) expect_score -/B; ring.
Qed.

End Expectation.

(** ** The log-derivative trick over trajectories *)

Section Trajectories.

Variables (R : realType) (T : normedModType R) (S A : finType).
Variables (P : S -> A -> S -> R) (r : S -> A -> R) (g : R).
Variables (pi : T -> S -> A -> R) (th : T).

Hypothesis pi_policy : \forall t \near th, policy (pi t).
Hypothesis dpi : forall s a, differentiable (fun t => pi t s a : R) th.

(** The derivative of [ln pi] along [v]. *)
Let score v s a : R := slope (fun t => ln (pi t s a)) th v.

(** The probability of a trajectory is differentiable. *)
Lemma differentiable_traj_prob s tr :
  differentiable (fun t => traj_prob P (pi t) s tr : R) th.
Proof.
elim: tr s => [|[a s'] tr ihtr] s /=; first exact: differentiable_const.
by apply: differentiable_mul => //; exact: differentiable_mulr.
Qed.

(** A trajectory of positive probability takes actions of positive probability
    only. *)
Lemma traj_prob_gt0 s a s' tr :
  (forall s a s', 0 <= P s a s') -> 0 < traj_prob P (pi th) s ((a, s') :: tr) ->
  0 < pi th s a /\ 0 < traj_prob P (pi th) s' tr.
Proof.
move=> P_ge0 /=; have pi_th := nbhs_singleton pi_policy.
have := traj_prob_ge0 P_ge0 pi_th s' tr; rewrite le_eqVlt => /orP[/eqP<-|].
  by rewrite mulr0 ltxx.
have := pi_th.1 s a; rewrite le_eqVlt => /orP[/eqP<-|//].
by rewrite !mul0r ltxx.
Qed.

(** The derivative of the probability of a trajectory is the probability times
    the sum of the derivatives of the logarithms. *)
Lemma slope_traj_prob s tr v :
  slope (fun t => traj_prob P (pi t) s tr) th v =
  traj_prob P (pi th) s tr * traj_score (score v) s tr.
Proof.
elim: tr s => [|[a s'] tr ihtr] s /=; first by rewrite mulr0 slope_const.
rewrite slope_mul; last exact: differentiable_traj_prob.
  rewrite slope_mulr// ihtr -(mul_slope_ln_policy pi_policy dpi).
  by rewrite -/(score v s a); ring.
exact: differentiable_mulr.
Qed.

Let dterm N s (tr : N.-tuple (A * S)) : differentiable
  (fun t => traj_prob P (pi t) s tr * traj_return r g s tr : R) th.
Proof. by apply: differentiable_mulr; exact: differentiable_traj_prob. Qed.

(** The expected return is differentiable, and its derivative is an
    expectation. *)
Lemma differentiable_J N s :
  differentiable (fun t => J P r g (pi t) N s : R) th.
Proof. by apply: differentiable_sum => tr; exact: dterm. Qed.

Lemma slope_J N s v :
  slope (fun t => J P r g (pi t) N s) th v =
  expect P (pi th) N s
    (fun tr => traj_score (score v) s tr * traj_return r g s tr).
Proof.
rewrite slope_sum => [|tr]; last exact: dterm.
apply: eq_bigr => tr _.
rewrite slope_mulr; last exact: differentiable_traj_prob.
by rewrite slope_traj_prob mulrA.
Qed.

(** The scores of a state average to zero. *)
Lemma score_average s v : \sum_a pi th s a * score v s a = 0.
Proof.
transitivity (\sum_a slope (fun t => pi t s a) th v).
  by apply: eq_bigr => a _; exact: mul_slope_ln_policy.
pose pi1 t (_ : 'I_1) a := pi t s a.
apply: (slope_policy_sum (pi := pi1) _ _ ord0) => [|i a]; last exact: dpi.
apply: filterS pi_policy => t [pi_ge0 pi_sum1].
by split=> [i a|i]; [exact: pi_ge0|exact: pi_sum1].
Qed.

End Trajectories.

(** ** The theorem *)

Theorem finite_horizon_policy_gradient
    (R : realType) (T : normedModType R) (S A : finType)
    (P : S -> A -> S -> R) (r : S -> A -> R) (g : R)
    (pi : T -> S -> A -> R) (th : T) :
  (forall s a s', 0 <= P s a s') ->
  (forall s a, \sum_s' P s a s' = 1) ->
  (\forall t \near th, policy (pi t)) ->
  (forall s a, differentiable (fun t => pi t s a : R) th) ->
  let p := traj_prob P (pi th) in
  let score v s a := 'D_v (fun t => ln (pi t s a) : R) th in
  forall N s0,
  [/\ forall s a, 0 < pi th s a ->
        differentiable (fun t => ln (pi t s a) : R) th,
      differentiable (fun t => J P r g (pi t) N s0 : R) th,
      forall v, 'D_v (fun t => J P r g (pi t) N s0 : R) th =
        \sum_(tr : N.-tuple (A * S) | 0 < p s0 tr)
          p s0 tr * (traj_score (score v) s0 tr * traj_return r g s0 tr)
    & forall v (b : nat -> S -> R),
        'D_v (fun t => J P r g (pi t) N s0 : R) th =
        \sum_(tr : N.-tuple (A * S) | 0 < p s0 tr)
          p s0 tr * traj_reward_to_go r g (score v) b 0 s0 tr].
Proof.
move=> P_ge0 P_sum1 pi_policy dpi p score N s0.
have pi_th := nbhs_singleton pi_policy.
split.
- by move=> s a pi_gt0; exact: differentiable_ln.
- exact: differentiable_J.
- move=> v; apply: (etrans (slope_J P r g pi_policy dpi N s0 v)).
  exact: expectE.
- move=> v b; apply: (etrans (slope_J P r g pi_policy dpi N s0 v)).
  rewrite (expect_reward_to_go r g P_sum1 pi_th _ b N 0) ?expectE// => s.
  exact: score_average.
Qed.
