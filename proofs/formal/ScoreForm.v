(** * The policy gradient as one expectation

    The form estimators sample from:

      [D_v V(s0) = 1/(1-g) sum_s D(s) sum_a pi(s,a) D_v(ln pi(s,a)) Q(s,a)],

    where [D = (1 - g) d] is a probability distribution over the states.  The
    sums over actions run over those the policy takes at [th], where
    [ln pi] is differentiable; so no policy is left out, and for a policy that
    takes all actions they are sums over all actions. *)

From mathcomp Require Import all_ssreflect ssralg ssrnum matrix.
From mathcomp Require Import boolp classical_sets functions.
From mathcomp Require Import reals topology normedtype sequences derive exp.
From PGFormal Require Import Definitions Differentiation Logarithm FiniteStates.

Set Implicit Arguments.
Unset Strict Implicit.
Unset Printing Implicit Defensive.

Import Order.TTheory GRing.Theory Num.Theory.
Import numFieldNormedType.Exports.

Local Open Scope classical_set_scope.
Local Open Scope ring_scope.

(** The state distribution: the occupancy, normalised. *)
Definition state_distribution (R : realType) (S A : finType)
    (P : S -> A -> S -> R) (g : R) (pi : S -> A -> R)
    (s0 s : S) : R :=
  (1 - g) * occupancy P g pi s0 s.

Section Score.

Variables (R : realType) (T : normedModType R) (S A : finType).
Variables (pi : T -> S -> A -> R) (th : T).

Hypothesis pi_policy : \forall t \near th, policy (pi t).
Hypothesis dpi : forall s a, differentiable (fun t => pi t s a : R) th.

(** Near [th] no probability is negative. *)
Lemma policy_near_ge0 s a : \forall t \near th, 0 <= pi t s a.
Proof. by apply: filterS pi_policy => t pi_t; exact: pi_t.1. Qed.

(** Probability times derivative of the logarithm, action by action. *)
Lemma mul_slope_ln_policy s a v :
  pi th s a * slope (fun t => ln (pi t s a)) th v =
  slope (fun t => pi t s a) th v.
Proof. exact: mul_slope_ln_ge0 (policy_near_ge0 s a). Qed.

(** A weighted sum of the derivatives of the probabilities is an expectation
    over the actions taken. *)
Lemma sum_slope_policy s v (q : A -> R) :
  \sum_a slope (fun t => pi t s a) th v * q a =
  \sum_(a | 0 < pi th s a)
    pi th s a * slope (fun t => ln (pi t s a)) th v * q a.
Proof.
rewrite [RHS]big_mkcond/=; apply: eq_bigr => a _.
rewrite -mul_slope_ln_policy; case: ltP => // pi_le0.
have -> : pi th s a = 0; last by rewrite !mul0r.
by apply/eqP; rewrite eq_le pi_le0 (nbhs_singleton (policy_near_ge0 s a)).
Qed.

End Score.

(** ** The theorem *)

Theorem score_form
    (R : realType) (T : normedModType R) (S A : finType)
    (P : S -> A -> S -> R) (r : S -> A -> R) (g : R)
    (pi : T -> S -> A -> R) (th : T) :
  0 <= g < 1 ->
  (forall s a s', 0 <= P s a s') ->
  (forall s a, \sum_s' P s a s' = 1) ->
  (\forall t \near th, policy (pi t)) ->
  (forall s a, differentiable (fun t => pi t s a : R) th) ->
  let V t := value P r g (pi t) in
  let Q := qvalue P r g (pi th) in
  let D := state_distribution P g (pi th) in
  [/\ forall s0 s, (fun N => (1 - g) *
        series (fun t => g ^+ t * prob_at P (pi th) t s0 s) N) --> D s0 s,
      forall s0, (forall s, 0 <= D s0 s) /\ \sum_s D s0 s = 1,
      forall s a, 0 < pi th s a ->
        differentiable (fun t => ln (pi t s a) : R) th,
      forall s0, differentiable (fun t => V t s0 : R) th
    & forall s0 v, 'D_v (fun t => V t s0 : R) th =
        (1 - g)^-1 * \sum_s D s0 s * \sum_(a | 0 < pi th s a)
          pi th s a * 'D_v (fun t => ln (pi t s a) : R) th * Q s a].
Proof.
move=> g01 P_ge0 P_sum1 pi_policy dpi V Q D.
have pi_th := nbhs_singleton pi_policy.
have [g_ge0 g_lt1] := andP g01.
have g_gt0 : 0 < 1 - g by rewrite subr_gt0.
have g_neq1 : 1 - g != 0 by rewrite gt_eqF.
have [_ _ _ dV gradV] :=
  policy_gradient_theorem_finite r g01 P_ge0 P_sum1 pi_policy dpi.
split.
- by move=> s0 s; apply: cvgMr; exact: finite_cvg_occupancy.
- move=> s0; split=> [s|].
    by apply: mulr_ge0; [exact: ltW|exact: finite_occupancy_ge0].
  by rewrite -mulr_sumr finite_occupancy_sum// mulfV.
- by move=> s a pi_gt0; exact: differentiable_ln.
- exact: dV.
move=> s0 v; apply: (etrans (gradV s0 v)).
rewrite mulr_sumr; apply: eq_bigr => s _.
rewrite /D/state_distribution -mulrA mulKf//; congr (_ * _).
exact: sum_slope_policy.
Qed.

(** The same for a policy that takes all actions. *)
Theorem score_form_positive
    (R : realType) (T : normedModType R) (S A : finType)
    (P : S -> A -> S -> R) (r : S -> A -> R) (g : R)
    (pi : T -> S -> A -> R) (th : T) :
  0 <= g < 1 ->
  (forall s a s', 0 <= P s a s') ->
  (forall s a, \sum_s' P s a s' = 1) ->
  (\forall t \near th, policy (pi t)) ->
  (forall s a, differentiable (fun t => pi t s a : R) th) ->
  (forall s a, 0 < pi th s a) ->
  forall s0 v, 'D_v (fun t => value P r g (pi t) s0 : R) th =
    (1 - g)^-1 * \sum_s state_distribution P g (pi th) s0 s * \sum_a
      pi th s a * 'D_v (fun t => ln (pi t s a) : R) th *
        qvalue P r g (pi th) s a.
Proof.
move=> g01 P_ge0 P_sum1 pi_policy dpi pi_gt0 s0 v.
have [_ _ _ _ ->] := score_form r g01 P_ge0 P_sum1 pi_policy dpi.
congr (_ * _); apply: eq_bigr => s _; congr (_ * _).
by apply: eq_bigl => a; rewrite pi_gt0.
Qed.
