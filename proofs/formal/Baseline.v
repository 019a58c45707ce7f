(** * Expected gradient of the log-probability, and baselines

    Under the hypotheses of the policy gradient theorem: the derivatives of the
    action probabilities of a state add up to zero, since the probabilities add
    up to one for every parameter near [th]; so a function of the state, a
    baseline, can be subtracted from the action value in the theorem without
    changing the sum. *)

From mathcomp Require Import all_ssreflect ssralg ssrnum matrix.
From mathcomp Require Import boolp classical_sets functions.
From mathcomp Require Import reals topology normedtype sequences derive.
From PGFormal Require Import Definitions Differentiation Stochastic.

Set Implicit Arguments.
Unset Strict Implicit.
Unset Printing Implicit Defensive.

Import Order.TTheory GRing.Theory Num.Theory.
Import numFieldNormedType.Exports.

Local Open Scope classical_set_scope.
Local Open Scope ring_scope.

Section Baseline.

Variables (R : realType) (T : normedModType R) (n : nat) (A : finType).
Variables (pi : T -> 'I_n -> A -> R) (th : T).

Hypothesis pi_policy : \forall t \near th, policy (pi t).
Hypothesis dpi : forall s a, differentiable (fun t => pi t s a : R) th.

(** The derivatives of the action probabilities add up to zero. *)
Lemma slope_policy_sum s v : \sum_a slope (fun t => pi t s a) th v = 0.
Proof.
have sum1 : \forall t \near th, 1 = \sum_a pi t s a :> R.
  by apply: filterS pi_policy => t [_ ->].
rewrite -(slope_sum _ v (dpi s)) (near_eq_slope v sum1 (differentiable_const 1 th)).
exact: slope_const.
Qed.

(** Subtracting [b], which does not depend on the action, changes no weighted
    sum of them. *)
Lemma slope_baseline (q : A -> R) (b : R) s v :
  \sum_a slope (fun t => pi t s a) th v * (q a - b) =
  \sum_a slope (fun t => pi t s a) th v * q a.
Proof.
under eq_bigr do rewrite mulrBr.
by rewrite sumrB -mulr_suml slope_policy_sum mul0r subr0.
Qed.

End Baseline.

(** ** The expected gradient of the log-probability is zero *)

Theorem eglp
    (R : realType) (T : normedModType R) (n : nat) (A : finType)
    (pi : T -> 'I_n -> A -> R) (th : T) :
  (\forall t \near th, policy (pi t)) ->
  (forall s a, differentiable (fun t => pi t s a : R) th) ->
  forall s v, \sum_a 'D_v (fun t => pi t s a : R) th = 0.
Proof. exact: slope_policy_sum. Qed.

(** ** The policy gradient with a baseline *)

Theorem baseline
    (R : realType) (T : normedModType R) (n : nat) (A : finType)
    (P : 'I_n -> A -> 'I_n -> R) (r : 'I_n -> A -> R) (g : R)
    (pi : T -> 'I_n -> A -> R) (th : T) :
  0 <= g < 1 ->
  (forall s a s', 0 <= P s a s') ->
  (forall s a, \sum_s' P s a s' = 1) ->
  (\forall t \near th, policy (pi t)) ->
  (forall s a, differentiable (fun t => pi t s a : R) th) ->
  let V t := value P r g (pi t) in
  let Q := qvalue P r g (pi th) in
  let d := occupancy P g (pi th) in
  forall (b : 'I_n -> R) s0 v, 'D_v (fun t => V t s0 : R) th =
    \sum_s d s0 s * \sum_a 'D_v (fun t => pi t s a : R) th * (Q s a - b s).
Proof.
move=> g01 P_ge0 P_sum1 pi_policy dpi V Q d b s0 v.
apply: etrans (slope_value r g01 P_ge0 P_sum1 pi_policy dpi s0 v) _.
by apply: eq_bigr => s _; rewrite -(slope_baseline pi_policy dpi _ (b s)).
Qed.
