(** * The policy gradient theorem

    For a finite Markov decision process, a discount factor [0 <= g < 1], and a
    policy [pi t] that depends on a parameter [t] in any normed space, is a policy
    for all [t] near [th] and is differentiable at [th]:

    the value is a limit of expected returns of finite trajectories, near [th];
    so is the action value, at [th]; the occupancy is a limit of partial sums and
    is a row of the resolvent; the value is differentiable at [th]; and its
    derivative along every [v] is

      [sum_s d(s0, s) sum_a D_v pi(s, a) Q(s, a)].

    Nothing divides by [pi], so policies that never take some action are
    included. *)

From mathcomp Require Import all_ssreflect ssralg ssrnum matrix.
From mathcomp Require Import boolp classical_sets functions.
From mathcomp Require Import reals topology normedtype sequences derive.
From PGFormal Require Import Definitions Resolvent Limits Differentiation.

Set Implicit Arguments.
Unset Strict Implicit.
Unset Printing Implicit Defensive.

Import Order.TTheory GRing.Theory Num.Theory.
Import numFieldNormedType.Exports.

Local Open Scope classical_set_scope.
Local Open Scope ring_scope.

Section PolicyGradient.

Variables (R : realType) (T : normedModType R) (n : nat) (A : finType).
Variables (P : 'I_n -> A -> 'I_n -> R) (r : 'I_n -> A -> R) (g : R).
Variables (pi : T -> 'I_n -> A -> R) (th : T).

Hypothesis g01 : 0 <= g < 1.
Hypothesis P_ge0 : forall s a s', 0 <= P s a s'.
Hypothesis P_sum1 : forall s a, \sum_s' P s a s' = 1.
Hypothesis pi_policy : \forall t \near th, policy (pi t).
Hypothesis dpi : forall s a, differentiable (fun t => pi t s a : R) th.

(** The expected reward of a step as a function of the parameter. *)
Definition step_reward (t : T) (s : 'I_n) : R := \sum_a pi t s a * r s a.

(** The expected reward, differentiated. *)
Lemma differentiable_step_reward s :
  differentiable (fun t => step_reward t s : R) th.
Proof. by apply: differentiable_sum => a; exact: differentiable_mulr. Qed.

Lemma slope_step_reward s v :
  slope (step_reward^~ s) th v = \sum_a slope (fun t => pi t s a) th v * r s a.
Proof.
rewrite slope_sum => [|a]; last exact: differentiable_mulr.
by apply: eq_bigr => a _; rewrite slope_mulr.
Qed.

(** The entries of the matrix of the steps, differentiated. *)
Lemma differentiable_pm s s' :
  differentiable (fun t => pm P (pi t) s s' : R) th.
Proof.
pose p t := \sum_a pi t s a * P s a s'.
apply: (@eq_differentiable _ _ p) => [t|]; first by rewrite mxE.
by apply: differentiable_sum => a; exact: differentiable_mulr.
Qed.

Lemma slope_pm s s' v :
  slope (fun t => pm P (pi t) s s') th v =
  \sum_a slope (fun t => pi t s a) th v * P s a s'.
Proof.
pose p t := \sum_a pi t s a * P s a s'.
rewrite (@eq_slope _ _ _ p) => [|t]; last by rewrite mxE.
rewrite slope_sum => [|a]; last exact: differentiable_mulr.
by apply: eq_bigr => a _; rewrite slope_mulr.
Qed.

(** At [th] itself the policy is one. *)
Lemma policy_at : policy (pi th).
Proof. exact: nbhs_singleton pi_policy. Qed.

(** The Bellman equation holds near [th]. *)
Lemma near_bellman : \forall t \near th, forall s,
  value P r g (pi t) s =
  step_reward t s + g * \sum_s' pm P (pi t) s s' * value P r g (pi t) s'.
Proof.
apply: filterS pi_policy => t policy_t s.
exact: value_bellman.
Qed.

Let unit_pm : 1%:M - g *: pm P (pi th) \in unitmx.
Proof. exact: (pm_unit g01 P_ge0 P_sum1 policy_at). Qed.

(** The value is differentiable. *)
Lemma differentiable_value s :
  differentiable (fun t => value P r g (pi t) s : R) th.
Proof.
exact: (differentiable_solution differentiable_pm differentiable_step_reward
          unit_pm near_bellman).
Qed.

(** What the derivatives of the reward and of the steps add up to is the
    derivative of the policy, weighted with the action value. *)
Lemma slope_action s v :
  slope (step_reward^~ s) th v +
    g * (\sum_s' slope (fun t => pm P (pi t) s s') th v * value P r g (pi th) s') =
  \sum_a slope (fun t => pi t s a) th v * qvalue P r g (pi th) s a.
Proof.
rewrite slope_step_reward.
under [X in _ + g * X]eq_bigr do rewrite slope_pm mulr_suml.
rewrite exchange_big mulr_sumr -big_split /=; apply: eq_bigr => a _.
rewrite /qvalue mulrDr; congr (_ + _).
rewrite [RHS]mulrCA; congr (g * _); rewrite mulr_sumr.
by apply: eq_bigr => s' _; rewrite mulrA.
Qed.

(** The derivative of the value. *)
Lemma slope_value s0 v :
  slope (fun t => value P r g (pi t) s0) th v =
  \sum_s occupancy P g (pi th) s0 s *
    \sum_a slope (fun t => pi t s a) th v * qvalue P r g (pi th) s a.
Proof.
rewrite (slope_solution differentiable_pm differentiable_step_reward
           unit_pm near_bellman).
apply: eq_bigr => s _; rewrite slope_action.
by rewrite (occupancy_resolvent g01 P_ge0 P_sum1 policy_at).
Qed.

End PolicyGradient.

(** ** The theorem *)

Theorem policy_gradient_theorem
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
  [/\ \forall t \near th, forall s, (fun N => J P r g (pi t) N s) --> V t s,
      forall s a, (fun N => JQ P r g (pi th) N s a) --> Q s a,
      (forall s0 s,
         series (fun t => g ^+ t * prob_at P (pi th) t s0 s) --> d s0 s)
      /\ (forall s0 s, d s0 s = invmx (1%:M - g *: pm P (pi th)) s0 s),
      forall s0, differentiable (fun t => V t s0 : R) th
    & forall s0 v, 'D_v (fun t => V t s0 : R) th =
        \sum_s d s0 s * \sum_a 'D_v (fun t => pi t s a : R) th * Q s a].
Proof.
move=> g01 P_ge0 P_sum1 pi_policy dpi V Q d.
have pi_th := policy_at pi_policy.
split.
- by apply: filterS pi_policy => t pi_t s; exact: cvg_J.
- by move=> s a; exact: cvg_JQ.
- split=> s0 s; first exact: cvg_occupancy.
  exact: occupancy_resolvent.
- exact: differentiable_value.
- by move=> s0 v; exact: slope_value.
Qed.
