(** * The policy gradient theorem with a start distribution

    The first state is drawn from [rho].  The performance of a policy is the
    expected return of an endless trajectory, the limit of finite sums over the
    first state and the trajectories from it; it is the average of the value
    over the first state.  The theorem concludes that these limits exist near
    [th], that the occupancy is [rho] times the resolvent, that the performance
    is differentiable at [th], and what its derivatives are.

    The theorem holds for any weights [rho]; they need not sum to one. *)

From mathcomp Require Import all_ssreflect ssralg ssrnum matrix.
From mathcomp Require Import boolp classical_sets functions.
From mathcomp Require Import reals topology normedtype sequences derive.
From PGFormal Require Import Definitions Limits Differentiation FiniteStates.

Set Implicit Arguments.
Unset Strict Implicit.
Unset Printing Implicit Defensive.

Import Order.TTheory GRing.Theory Num.Theory.
Import numFieldNormedType.Exports.

Local Open Scope classical_set_scope.
Local Open Scope ring_scope.

(** ** Definitions *)

Section StartDefinitions.

Variables (R : realType) (S A : finType).
Variables (P : S -> A -> S -> R) (r : S -> A -> R) (g : R).
Variables (pi : S -> A -> R) (rho : S -> R).

(** The expected return of the first [N] steps. *)
Definition start_J (N : nat) : R :=
  \sum_s0 \sum_(tr : N.-tuple (A * S))
    rho s0 * traj_prob P pi s0 tr * traj_return r g s0 tr.

(** The probability of being in [s] after [t] steps. *)
Definition start_prob_at (t : nat) (s : S) : R :=
  \sum_s0 \sum_(tr : t.-tuple (A * S) | traj_last s0 tr == s)
    rho s0 * traj_prob P pi s0 tr.

(** The expected return of an endless trajectory, and the discounted
    occupancy. *)
Definition performance : R := lim (fun N => start_J N).

Definition start_occupancy (s : S) : R :=
  lim (series (fun t => g ^+ t * start_prob_at t s)).

End StartDefinitions.

Arguments start_J {R S A} P r g pi rho N.
Arguments start_prob_at {R S A} P pi rho t s.
Arguments performance {R S A} P r g pi rho.
Arguments start_occupancy {R S A} P g pi rho s.

(** ** Limits *)

Section StartLimits.

Variables (R : realType) (S A : finType).
Variables (P : S -> A -> S -> R) (r : S -> A -> R) (g : R).
Variables (pi : S -> A -> R) (rho : S -> R).

Hypothesis g01 : 0 <= g < 1.
Hypothesis P_ge0 : forall s a s', 0 <= P s a s'.
Hypothesis P_sum1 : forall s a, \sum_s' P s a s' = 1.
Hypothesis pi_policy : policy pi.

(** The finite sums are averages over the first state. *)
Lemma start_JE N :
  start_J P r g pi rho N = \sum_s0 rho s0 * J P r g pi N s0.
Proof.
apply: eq_bigr => s0 _; rewrite mulr_sumr.
by apply: eq_bigr => tr _; rewrite mulrA.
Qed.

Lemma start_seriesE s N :
  series (fun t => g ^+ t * start_prob_at P pi rho t s) N =
  \sum_s0 rho s0 * series (fun t => g ^+ t * prob_at P pi t s0 s) N.
Proof.
rewrite /series/=; under [RHS]eq_bigr do rewrite mulr_sumr.
rewrite exchange_big/=; apply: eq_bigr => t _; rewrite mulr_sumr.
apply: eq_bigr => s0 _; rewrite mulrCA; congr (_ * _).
by rewrite mulr_sumr.
Qed.

(** So are their limits. *)
Let cvg_start_J_value :
  (fun N => start_J P r g pi rho N) --> \sum_s0 rho s0 * value P r g pi s0.
Proof.
under eq_cvg do rewrite start_JE.
apply: (cvg_sum (f := fun s0 N => rho s0 * J P r g pi N s0)) => s0.
by apply: cvgMr; exact: finite_cvg_J.
Qed.

Let cvg_start_occupancy_sum s :
  series (fun t => g ^+ t * start_prob_at P pi rho t s) -->
  \sum_s0 rho s0 * occupancy P g pi s0 s.
Proof.
pose f s0 N := rho s0 * series (fun t => g ^+ t * prob_at P pi t s0 s) N.
have -> : series (fun t => g ^+ t * start_prob_at P pi rho t s) =
    (fun N => \sum_s0 f s0 N) by apply/funext => N; exact: start_seriesE.
by apply: cvg_sum => s0; apply: cvgMr; exact: finite_cvg_occupancy.
Qed.

(** The performance is the average of the value, and the limit exists. *)
Lemma performance_value :
  performance P r g pi rho = \sum_s0 rho s0 * value P r g pi s0.
Proof. by apply/cvg_lim => //; exact: cvg_start_J_value. Qed.

Lemma cvg_start_J :
  (fun N => start_J P r g pi rho N) --> performance P r g pi rho.
Proof. by rewrite performance_value; exact: cvg_start_J_value. Qed.

(** The occupancy is the average of the occupancies, and the limit exists. *)
Lemma start_occupancy_sum s :
  start_occupancy P g pi rho s = \sum_s0 rho s0 * occupancy P g pi s0 s.
Proof. by apply/cvg_lim => //; exact: cvg_start_occupancy_sum. Qed.

Lemma cvg_start_occupancy s :
  series (fun t => g ^+ t * start_prob_at P pi rho t s) -->
  start_occupancy P g pi rho s.
Proof. by rewrite start_occupancy_sum; exact: cvg_start_occupancy_sum. Qed.

End StartLimits.

(** ** The theorem *)

Theorem start_policy_gradient
    (R : realType) (T : normedModType R) (S A : finType)
    (P : S -> A -> S -> R) (r : S -> A -> R) (g : R)
    (pi : T -> S -> A -> R) (th : T) (rho : S -> R) :
  0 <= g < 1 ->
  (forall s a s', 0 <= P s a s') ->
  (forall s a, \sum_s' P s a s' = 1) ->
  (\forall t \near th, policy (pi t)) ->
  (forall s a, differentiable (fun t => pi t s a : R) th) ->
  let perf t := performance P r g (pi t) rho in
  let Q := qvalue P r g (pi th) in
  let d := start_occupancy P g (pi th) rho in
  [/\ \forall t \near th, start_J P r g (pi t) rho --> perf t /\
        perf t = \sum_s0 rho s0 * value P r g (pi t) s0,
      forall s a, (fun N => JQ P r g (pi th) N s a) --> Q s a,
      forall s,
        series (fun t => g ^+ t * start_prob_at P (pi th) rho t s) --> d s /\
        d s = \sum_s0 rho s0 * invmx (1%:M - g *: numbered_pm P (pi th))
          (enum_rank s0) (enum_rank s),
      differentiable (fun t => perf t : R) th
    & forall v, 'D_v (fun t => perf t : R) th =
        \sum_s d s * \sum_a 'D_v (fun t => pi t s a : R) th * Q s a].
Proof.
move=> g01 P_ge0 P_sum1 pi_policy dpi perf Q d.
have pi_th := nbhs_singleton pi_policy.
have [_ _ _ dvalue gradV] :=
  policy_gradient_theorem_finite r g01 P_ge0 P_sum1 pi_policy dpi.
pose f t := \sum_s0 rho s0 * value P r g (pi t) s0.
have f_near : \forall t \near th, f t = perf t.
  by apply: filterS pi_policy => t pi_t; rewrite /perf performance_value.
have dV s0 : differentiable (fun t => rho s0 * value P r g (pi t) s0 : R) th.
  by apply: differentiable_mull; exact: dvalue.
have df : differentiable f th by exact: differentiable_sum.
split.
- apply: filterS pi_policy => t pi_t.
  by split; [exact: cvg_start_J|exact: performance_value].
- by move=> s a; exact: finite_cvg_JQ.
- move=> s; split; first exact: cvg_start_occupancy.
  rewrite /d start_occupancy_sum//; apply: eq_bigr => s0 _.
  by rewrite (finite_occupancy_resolvent g01).
- exact: near_eq_differentiable f_near df.
- move=> v; apply: (etrans (near_eq_slope v f_near df)).
  rewrite slope_sum//.
  under eq_bigr => s0 _.
    rewrite slope_mull; last exact: dvalue.
    rewrite [slope _ _ _](gradV s0 v) mulr_sumr; over.
  rewrite exchange_big/=; apply: eq_bigr => s _.
  rewrite /d start_occupancy_sum// mulr_suml.
  by apply: eq_bigr => s0 _; rewrite mulrA.
Qed.
