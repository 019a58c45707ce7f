(** * The deterministic policy gradient theorem

    The policy [mu t] names one action in each state; actions lie in any normed
    space [U], parameters in any normed space [T].  The transition probabilities
    need be probabilities only at the actions of [mu t] for [t] near [th], and
    they and the rewards differentiable in the action only at [mu th].  Then the
    value is a limit of expected returns of finite trajectories, near [th]; the
    occupancy is a limit of partial sums and a row of the resolvent; the value is
    differentiable at [th]; and its derivative along [v] is

      [sum_s d(s0, s) D_w Q(s, u)]  at  [u = mu_th(s)],  [w = D_v mu(s)].

    The second theorem is the case of real actions, in which [D_w Q(s, u)] is the
    product of [w] and the derivative of [Q(s, .)] at [u].  The third applies it
    to a kernel that mixes two others, which shows that its hypotheses can be
    met. *)

From mathcomp Require Import all_ssreflect ssralg ssrnum matrix interval.
From mathcomp Require Import boolp classical_sets functions.
From mathcomp Require Import reals topology normedtype sequences derive.
From mathcomp Require Import ring.
From PGFormal Require Import Definitions Resolvent Limits Differentiation.

Set Implicit Arguments.
Unset Strict Implicit.
Unset Printing Implicit Defensive.

Import Order.TTheory GRing.Theory Num.Theory.
Import numFieldNormedType.Exports.

Local Open Scope classical_set_scope.
Local Open Scope ring_scope.

Section DeterministicGradient.

Variables (R : realType) (U T : normedModType R) (n : nat).
Variables (P : 'I_n -> U -> 'I_n -> R) (r : 'I_n -> U -> R) (g : R).
Variables (mu : T -> 'I_n -> U) (th : T).

Hypothesis g01 : 0 <= g < 1.
Hypothesis mu_kernel : \forall t \near th, kernel_at P (mu t).
Hypothesis dmu : forall s, differentiable (fun t => mu t s) th.
Hypothesis dP : forall s s', differentiable (fun u => P s u s' : R) (mu th s).
Hypothesis dr : forall s, differentiable (fun u => r s u : R) (mu th s).

(** At [th] itself. *)
Lemma kernel_th : kernel_at P (mu th).
Proof. exact: nbhs_singleton mu_kernel. Qed.

Let unit_dpm : 1%:M - g *: dpm P (mu th) \in unitmx.
Proof. exact: (dpm_unit g01 kernel_th). Qed.

(** The rewards and the steps as functions of the parameter. *)
Lemma differentiable_dreward s :
  differentiable (fun t => r s (mu t s) : R) th.
Proof. exact: differentiable_comp (dmu s) (dr s). Qed.

Lemma differentiable_dpm s s' :
  differentiable (fun t => dpm P (mu t) s s' : R) th.
Proof.
apply: (eq_differentiable (f := fun t => P s (mu t s) s')) => [t|].
  by rewrite mxE.
exact: differentiable_comp (dmu s) (dP s s').
Qed.

(** The steps change along [v] as the kernel does along the derivative of the
    action. *)
Lemma slope_dpm s s' v :
  slope (fun t => dpm P (mu t) s s') th v =
  slope (fun u => P s u s') (mu th s) ('D_v (fun t => mu t s) th).
Proof.
rewrite -(slope_comp v (dmu s) (dP s s')).
by apply: eq_slope => t; rewrite mxE.
Qed.

(** The Bellman equation holds near [th]. *)
Lemma near_dbellman : \forall t \near th, forall s,
  dvalue P r g (mu t) s =
  r s (mu t s) + g * \sum_s' dpm P (mu t) s s' * dvalue P r g (mu t) s'.
Proof.
apply: filterS mu_kernel => t kernel_t s.
exact: dvalue_bellman.
Qed.

(** The value is differentiable. *)
Lemma differentiable_dvalue s :
  differentiable (fun t => dvalue P r g (mu t) s : R) th.
Proof.
exact: (differentiable_solution differentiable_dpm differentiable_dreward
          unit_dpm near_dbellman).
Qed.

(** The action value is linear in the rewards and the steps. *)
Lemma slope_dq s w :
  slope (dq P r g (mu th) s) (mu th s) w =
  slope (r s) (mu th s) w +
    g * \sum_s' slope (fun u => P s u s') (mu th s) w * dvalue P r g (mu th) s'.
Proof.
have dPV s' : differentiable
    (fun u => P s u s' * dvalue P r g (mu th) s' : R) (mu th s).
  exact: differentiable_mulr.
have dsum := differentiable_sum (index_enum _) dPV.
rewrite slope_add //; last exact: differentiable_mull.
rewrite slope_mull // slope_sum //; congr (_ + g * _).
by apply: eq_bigr => s' _; rewrite slope_mulr.
Qed.

(** So it is differentiable in the action. *)
Lemma differentiable_dq s :
  differentiable (dq P r g (mu th) s : U -> R) (mu th s).
Proof.
apply: differentiable_add => //; apply: differentiable_mull.
by apply: differentiable_sum => s'; exact: differentiable_mulr.
Qed.

(** The derivative of the value. *)
Lemma slope_dvalue s0 v :
  slope (fun t => dvalue P r g (mu t) s0) th v =
  \sum_s doccupancy P g (mu th) s0 s *
    slope (dq P r g (mu th) s) (mu th s) ('D_v (fun t => mu t s) th).
Proof.
rewrite (slope_solution differentiable_dpm differentiable_dreward
           unit_dpm near_dbellman).
apply: eq_bigr => s _; rewrite (doccupancy_resolvent g01 kernel_th) slope_dq.
rewrite (slope_comp v (dmu s) (dr s)); congr (_ * (_ + g * _)).
by apply: eq_bigr => s' _; rewrite slope_dpm.
Qed.

End DeterministicGradient.

(** ** The theorem *)

Theorem deterministic_policy_gradient_theorem
    (R : realType) (U T : normedModType R) (n : nat)
    (P : 'I_n -> U -> 'I_n -> R) (r : 'I_n -> U -> R) (g : R)
    (mu : T -> 'I_n -> U) (th : T) :
  0 <= g < 1 ->
  (\forall t \near th, kernel_at P (mu t)) ->
  (forall s, differentiable (fun t => mu t s) th) ->
  (forall s s', differentiable (fun u => P s u s' : R) (mu th s)) ->
  (forall s, differentiable (fun u => r s u : R) (mu th s)) ->
  let V t := dvalue P r g (mu t) in
  let Q := dq P r g (mu th) in
  let d := doccupancy P g (mu th) in
  [/\ \forall t \near th, forall s, (fun N => dJ P r g (mu t) N s) --> V t s,
      (forall s0 s,
         series (fun t => g ^+ t * dprob_at P (mu th) t s0 s) --> d s0 s)
      /\ (forall s0 s, d s0 s = invmx (1%:M - g *: dpm P (mu th)) s0 s),
      forall s0, differentiable (fun t => V t s0 : R) th,
      forall s, differentiable (fun u => Q s u : R) (mu th s)
    & forall s0 v, 'D_v (fun t => V t s0 : R) th =
        \sum_s d s0 s *
          'D_('D_v (fun t => mu t s) th) (fun u => Q s u : R) (mu th s)].
Proof.
move=> g01 mu_kernel dmu dP dr V Q d.
have kernel_mu := kernel_th mu_kernel.
split.
- by apply: filterS mu_kernel => t kernel_t s; exact: cvg_dJ.
- split=> s0 s; first exact: cvg_doccupancy.
  exact: doccupancy_resolvent.
- exact: differentiable_dvalue.
- exact: differentiable_dq.
- by move=> s0 v; exact: slope_dvalue.
Qed.

(** ** Real actions *)

Theorem deterministic_policy_gradient_real
    (R : realType) (T : normedModType R) (n : nat)
    (P : 'I_n -> R -> 'I_n -> R) (r : 'I_n -> R -> R) (g : R)
    (mu : T -> 'I_n -> R) (th : T) :
  0 <= g < 1 ->
  (\forall t \near th, kernel_at P (mu t)) ->
  (forall s, differentiable (fun t => mu t s : R) th) ->
  (forall s s', derivable (fun u => P s u s' : R) (mu th s) 1) ->
  (forall s, derivable (fun u => r s u : R) (mu th s) 1) ->
  let V t := dvalue P r g (mu t) in
  let Q := dq P r g (mu th) in
  let d := doccupancy P g (mu th) in
  [/\ \forall t \near th, forall s, (fun N => dJ P r g (mu t) N s) --> V t s,
      (forall s0 s,
         series (fun t => g ^+ t * dprob_at P (mu th) t s0 s) --> d s0 s)
      /\ (forall s0 s, d s0 s = invmx (1%:M - g *: dpm P (mu th)) s0 s),
      forall s0, differentiable (fun t => V t s0 : R) th,
      forall s, derivable (fun u => Q s u : R) (mu th s) 1
    & forall s0 v, 'D_v (fun t => V t s0 : R) th =
        \sum_s d s0 s *
          ('D_v (fun t => mu t s : R) th * derive1 (Q s) (mu th s))].
Proof.
move=> g01 mu_kernel dmu dP1 dr1.
have dP s s' : differentiable (fun u => P s u s' : R) (mu th s).
  exact/derivable1_diffP.
have dr s : differentiable (fun u => r s u : R) (mu th s).
  exact/derivable1_diffP.
have [cvgV cvgd dV dQ DV] := deterministic_policy_gradient_theorem
  g01 mu_kernel dmu dP dr.
split; [exact: cvgV | exact: cvgd | exact: dV | |].
  by move=> s; apply/derivable1_diffP; exact: dQ.
move=> s0 v; apply: (etrans (DV s0 v)); apply: eq_bigr => s _.
by congr (_ * _); exact: slope_real (dQ s).
Qed.

(** ** An instance

    The action, a number [u], mixes two kernels; the reward is linear in it; the
    parameter is the action itself, the same in each state.  The mixture is a
    kernel for [0 <= u <= 1] and in general for no other [u], which is why the
    theorem asks for a kernel only near [th].  Nothing is left to assume about
    the policy. *)

Section Mixture.

Variables (R : realType) (n : nat) (K0 K1 : 'I_n -> 'I_n -> R) (c : 'I_n -> R).

(** The transition probabilities, the reward, and the policy. *)
Definition mixture (s : 'I_n) (u : R) (s' : 'I_n) : R :=
  K0 s s' + u * (K1 s s' - K0 s s').

Definition linear_reward (s : 'I_n) (u : R) : R := u * c s.

Definition same_action (t : R) (s : 'I_n) : R := t.

(** A kernel for [0 <= u <= 1], *)
Lemma mixture_kernel t :
  (forall s s', 0 <= K0 s s') -> (forall s, \sum_s' K0 s s' = 1) ->
  (forall s s', 0 <= K1 s s') -> (forall s, \sum_s' K1 s s' = 1) ->
  0 <= t <= 1 -> kernel_at mixture (same_action t).
Proof.
move=> K0_ge0 K0_sum1 K1_ge0 K1_sum1 /andP[t_ge0 t_le1]; split=> [s s'|s].
  have -> : mixture s t s' = (1 - t) * K0 s s' + t * K1 s s'.
    by rewrite /mixture; ring.
  by rewrite addr_ge0 ?mulr_ge0 ?subr_ge0.
by rewrite big_split -mulr_sumr sumrB /= K0_sum1 K1_sum1 subrr mulr0 addr0.
Qed.

(** and for no larger [u] if some step is possible under [K0] alone. *)
Lemma mixture_outside s s' u :
  0 < K0 s s' -> K1 s s' = 0 -> 1 < u -> mixture s u s' < 0.
Proof.
move=> K0_gt0 K1_0 u_gt1; have -> : mixture s u s' = (1 - u) * K0 s s'.
  by rewrite /mixture K1_0; ring.
by rewrite pmulr_llt0 // subr_lt0.
Qed.

(** Affine functions of a number, and their derivative. *)
Lemma differentiable_linear (b u : R) : differentiable (fun x : R => x * b : R) u.
Proof. exact: (@differentiable_mulr _ _ b id). Qed.

Lemma differentiable_affine (a b u : R) :
  differentiable (fun x : R => a + x * b : R) u.
Proof.
exact: differentiable_add (differentiable_const a u) (differentiable_linear b u).
Qed.

Lemma derive1_affine (a b u : R) : derive1 (fun x : R => a + x * b) u = b.
Proof.
rewrite derive1E -/(slope _ _ _).
rewrite (slope_add _ (differentiable_const a u) (differentiable_linear b u)).
rewrite slope_const slope_mulr // add0r.
by rewrite [slope _ _ _](@derive_val _ _ _ _ _ id) mul1r.
Qed.

End Mixture.

(** The theorem for it: [V] is a function of one number, and its derivative
    weighs what the action adds to the reward and to the value of the next
    state. *)
Theorem mixture_policy_gradient
    (R : realType) (n : nat) (K0 K1 : 'I_n -> 'I_n -> R) (c : 'I_n -> R)
    (g th : R) :
  0 <= g < 1 ->
  (forall s s', 0 <= K0 s s') -> (forall s, \sum_s' K0 s s' = 1) ->
  (forall s s', 0 <= K1 s s') -> (forall s, \sum_s' K1 s s' = 1) ->
  0 < th < 1 ->
  let P := mixture K0 K1 in
  let r := linear_reward c in
  let mu := @same_action R n in
  let V t := dvalue P r g (mu t) in
  let d := doccupancy P g (mu th) in
  [/\ \forall t \near th, forall s, (fun N => dJ P r g (mu t) N s) --> V t s,
      (forall s0 s,
         series (fun t => g ^+ t * dprob_at P (mu th) t s0 s) --> d s0 s)
      /\ (forall s0 s, d s0 s = invmx (1%:M - g *: dpm P (mu th)) s0 s),
      forall s0, derivable (fun t => V t s0 : R) th 1
    & forall s0, derive1 (fun t => V t s0 : R) th =
        \sum_s d s0 s * (c s + g * \sum_s' (K1 s s' - K0 s s') * V th s')].
Proof.
move=> g01 K0_ge0 K0_sum1 K1_ge0 K1_sum1 /andP[th_gt0 th_lt1] P r mu V d.
have mu_kernel : \forall t \near th, kernel_at P (mu t).
  have th_in : th \in `]0, 1[%R by rewrite in_itv /= th_gt0.
  apply: filterS (near_in_itv th_in) => t /andP[t_gt0 t_lt1].
  by apply: mixture_kernel; rewrite ?(ltW t_gt0) ?(ltW t_lt1).
have dmu s : differentiable (fun t => mu t s : R) th by exact: ex_diff.
have dP s s' : derivable (fun u => P s u s' : R) (mu th s) 1.
  exact/derivable1_diffP/differentiable_affine.
have dr s : derivable (fun u => r s u : R) (mu th s) 1.
  exact/derivable1_diffP/differentiable_linear.
have [cvgV cvgd dV _ DV] :=
  deterministic_policy_gradient_real g01 mu_kernel dmu dP dr.
split; [exact: cvgV | exact: cvgd | |].
  by move=> s0; apply/derivable1_diffP; exact: dV.
move=> s0; rewrite derive1E; apply: (etrans (DV s0 1)).
apply: eq_bigr => s _; congr (_ * _).
rewrite [X in X * _](@derive_val _ _ _ _ _ id) mul1r.
pose k0 := g * \sum_s' K0 s s' * V th s'.
pose k1 := c s + g * \sum_s' (K1 s s' - K0 s s') * V th s'.
have -> : dq P r g (mu th) s = fun u => k0 + u * k1.
  apply/funext => u.
  pose p s' := K0 s s' + u * (K1 s s' - K0 s s').
  rewrite -[LHS]/(u * c s + g * \sum_s' p s' * V th s').
  under eq_bigr do rewrite /p mulrDl -mulrA.
  by rewrite big_split -mulr_sumr /k0 /k1 /=; ring.
exact: derive1_affine.
Qed.
