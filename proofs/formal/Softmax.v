(** * Softmax policies

    The instance that shows that the hypotheses of the policy gradient theorem
    can be met: a softmax policy whose preferences are linear in the parameters
    satisfies them at every parameter.  Its score, the derivative of the
    logarithm of a probability, is the preference of the direction minus the mean
    preference under the policy. *)

From mathcomp Require Import all_ssreflect ssralg ssrnum matrix.
From mathcomp Require Import boolp classical_sets functions.
From mathcomp Require Import reals topology normedtype sequences derive exp.
From mathcomp Require Import ring.
From PGFormal Require Import Definitions Limits Differentiation Logarithm.
From PGFormal Require Import Stochastic.

Set Implicit Arguments.
Unset Strict Implicit.
Unset Printing Implicit Defensive.

Import Order.TTheory GRing.Theory Num.Theory.
Import numFieldNormedType.Exports.

Local Open Scope classical_set_scope.
Local Open Scope ring_scope.

(** ** The derivative of a logarithm *)

Theorem log_derivative
    (R : realType) (T : normedModType R) (f : T -> R) (th : T) :
  differentiable f th -> 0 < f th ->
  differentiable (fun t => ln (f t) : R) th /\
  forall v, f th * 'D_v (fun t => ln (f t) : R) th = 'D_v f th.
Proof.
move=> df f_gt0; split; first exact: differentiable_ln.
by move=> v; exact: mul_slope_ln.
Qed.

(** ** Softmax policies *)

Section Softmax.

Variables (R : realType) (m n : nat) (A : finType).

(** A feature vector for each state and action; with one feature per pair,
    namely its indicator, this is the tabular softmax. *)
Variable phi : 'I_n -> A -> 'I_m.+1 -> R.
Implicit Types t th v : 'rV[R]_m.+1.

(** The preference for an action, linear in the parameters. *)
Definition preference t (s : 'I_n) (a : A) : R :=
  \sum_k t ord0 k * phi s a k.

(** The softmax policy: probabilities proportional to the exponentials of the
    preferences. *)
Definition softmax t (s : 'I_n) (a : A) : R :=
  expR (preference t s a) / \sum_b expR (preference t s b).

(** The score: the preference of the direction, centred. *)
Definition softmax_score t v (s : 'I_n) (a : A) : R :=
  preference v s a - \sum_b softmax t s b * preference v s b.

Hypothesis A_gt0 : (0 < #|A|)%N.

(** The exponentials add up to a positive number, and so all the probabilities
    are positive. *)
Lemma softmax_sum_gt0 t s : 0 < \sum_b expR (preference t s b).
Proof.
have [a _] : exists a : A, a \in A by apply/card_gt0P.
rewrite (bigD1 a) //= ltr_paddr ?expR_gt0 // sumr_ge0 // => b _.
exact/ltW/expR_gt0.
Qed.

Lemma softmax_gt0 t s a : 0 < softmax t s a.
Proof. by rewrite divr_gt0 ?expR_gt0 ?softmax_sum_gt0. Qed.

(** It is a policy, for all parameters. *)
Lemma softmax_policy t : policy (softmax t).
Proof.
split=> [s a|s]; first exact/ltW/softmax_gt0.
by rewrite -mulr_suml divff // gt_eqF // softmax_sum_gt0.
Qed.

(** The preferences and their derivative, which is the preference of the
    direction. *)
Lemma differentiable_preference th s a :
  differentiable (fun t => preference t s a : R) th.
Proof.
apply: differentiable_sum => k; apply: differentiable_mulr.
exact: differentiable_coord.
Qed.

(** The derivative of a coordinate along [v] is that of [v]. *)
Lemma slope_coord th v k : slope (fun t => t ord0 k) th v = v ord0 k.
Proof.
have @f : {linear 'rV[R]_m.+1 -> R}.
  by exists (fun t => t ord0 k); eexists; move=> ? ?; rewrite !mxE.
rewrite (slope_diff _ (@differentiable_coord _ _ _ _ _ _)).
by rewrite -[LHS]/('d f th v) diff_lin //; exact: coord_continuous.
Qed.

Lemma slope_preference th v s a :
  slope (fun t => preference t s a) th v = preference v s a.
Proof.
have dcoord k : differentiable (fun t => t ord0 k : R) th.
  exact: differentiable_coord.
rewrite slope_sum => [|k]; last exact: differentiable_mulr.
by apply: eq_bigr => k _; rewrite slope_mulr // slope_coord.
Qed.

(** Their exponentials. *)
Lemma differentiable_weight th s a :
  differentiable (fun t => expR (preference t s a) : R) th.
Proof.
apply: (differentiable_comp (differentiable_preference th s a)).
exact/derivable1_diffP/derivable_expR.
Qed.

Lemma slope_weight th v s a :
  slope (fun t => expR (preference t s a)) th v =
  preference v s a * expR (preference th s a).
Proof.
have dexp : differentiable (@expR R) (preference th s a).
  exact/derivable1_diffP/derivable_expR.
rewrite (slope_comp v (differentiable_preference th s a) dexp).
rewrite (slope_real _ dexp) derive1E derive_val.
by rewrite -/(slope _ _ _) slope_preference.
Qed.

(** The softmax. *)
Lemma differentiable_softmax th s a :
  differentiable (fun t => softmax t s a : R) th.
Proof.
apply: differentiable_mul; first exact: differentiable_weight.
apply: differentiableV; last by rewrite gt_eqF ?softmax_sum_gt0.
by apply: differentiable_sum => b; exact: differentiable_weight.
Qed.

(** Its derivative is itself times the score: differentiate
    [softmax * sum of weights = weight]. *)
Lemma slope_softmax th v s a :
  slope (fun t => softmax t s a) th v = softmax th s a * softmax_score th v s a.
Proof.
pose w t b := expR (preference t s b); pose Z t := \sum_b w t b.
have Z_neq0 t : Z t != 0 by rewrite gt_eqF // softmax_sum_gt0.
have dw b : differentiable (fun t => w t b : R) th.
  exact: differentiable_weight.
have dZ := differentiable_sum (index_enum _) dw.
have dp := differentiable_softmax th s a.
have w_softmax t b : w t b = softmax t s b * Z t.
  by rewrite [RHS](divfK (Z_neq0 t)).
have Dw b : slope (w^~ b) th v = preference v s b * w th b.
  exact: slope_weight.
have DZ : slope Z th v = (\sum_b softmax th s b * preference v s b) * Z th.
  rewrite (slope_sum _ _ dw) mulr_suml; apply: eq_bigr => b _.
  by rewrite Dw w_softmax mulrA [_ * preference _ _ _]mulrC.
have := Dw a; rewrite (eq_slope _ _ (w_softmax^~ a)) (slope_mul v dp dZ).
rewrite DZ w_softmax => eq_slope; apply: (mulIf (Z_neq0 th)).
rewrite -[LHS](addrK (softmax th s a * slope Z th v)) DZ eq_slope.
by rewrite /softmax_score; ring.
Qed.

(** The derivative of the logarithm of a probability is the score. *)
Lemma slope_ln_softmax th v s a :
  slope (fun t => ln (softmax t s a)) th v = softmax_score th v s a.
Proof.
rewrite slope_ln ?softmax_gt0 //; last exact: differentiable_softmax.
by rewrite slope_softmax mulrC mulKf // gt_eqF // softmax_gt0.
Qed.

End Softmax.

(** ** The theorem for softmax policies

    Nothing is left to assume about the policy. *)

Theorem softmax_policy_gradient
    (R : realType) (m n : nat) (A : finType) (phi : 'I_n -> A -> 'I_m.+1 -> R)
    (P : 'I_n -> A -> 'I_n -> R) (r : 'I_n -> A -> R) (g : R)
    (th : 'rV[R]_m.+1) :
  (0 < #|A|)%N ->
  0 <= g < 1 ->
  (forall s a s', 0 <= P s a s') ->
  (forall s a, \sum_s' P s a s' = 1) ->
  let pi := softmax phi in
  let V t := value P r g (pi t) in
  let Q := qvalue P r g (pi th) in
  let d := occupancy P g (pi th) in
  [/\ forall t s, (fun N => J P r g (pi t) N s) --> V t s,
      forall s a, (fun N => JQ P r g (pi th) N s a) --> Q s a,
      (forall s0 s,
         series (fun t => g ^+ t * prob_at P (pi th) t s0 s) --> d s0 s)
      /\ (forall s0 s, d s0 s = invmx (1%:M - g *: pm P (pi th)) s0 s),
      forall s0, differentiable (fun t => V t s0 : R) th
    & forall s0 v, 'D_v (fun t => V t s0 : R) th =
        \sum_s d s0 s * \sum_a pi th s a * softmax_score phi th v s a * Q s a].
Proof.
move=> A_gt0 g01 P_ge0 P_sum1 pi V Q d.
have pi_policy t : policy (pi t) by exact: softmax_policy.
have near_policy : \forall t \near th, policy (pi t).
  exact: filterE pi_policy.
have dpi s a : differentiable (fun t => pi t s a : R) th.
  exact: differentiable_softmax.
have [_ cvgQ cvgd dV DV] :=
  policy_gradient_theorem r g01 P_ge0 P_sum1 near_policy dpi.
split; [|exact: cvgQ | exact: cvgd | exact: dV |].
  by move=> t s; exact: cvg_J.
move=> s0 v; apply: (etrans (DV s0 v)); apply: eq_bigr => s _; congr (_ * _).
by apply: eq_bigr => a _; congr (_ * _); exact: slope_softmax.
Qed.

(** The score is the derivative of the logarithm. *)
Theorem softmax_log_derivative
    (R : realType) (m n : nat) (A : finType) (phi : 'I_n -> A -> 'I_m.+1 -> R)
    (th : 'rV[R]_m.+1) :
  (0 < #|A|)%N ->
  forall s a v, 'D_v (fun t => ln (softmax phi t s a) : R) th =
    softmax_score phi th v s a.
Proof. by move=> A_gt0 s a v; exact: slope_ln_softmax. Qed.

(** ** A case in numbers

    One state, two actions of rewards 1 and 0, and one parameter, the preference
    for the first.  With [p] the probability of the first, the derivative is
    [p (1 - p) / (1 - g)]: not zero, and no hypothesis but [0 <= g < 1]. *)

Theorem softmax_bandit (R : realType) (g : R) (th v : 'rV[R]_1) :
  0 <= g < 1 ->
  let P (s : 'I_1) (a : bool) (s' : 'I_1) := 1 : R in
  let r (s : 'I_1) (a : bool) := a%:R : R in
  let phi (s : 'I_1) (a : bool) (k : 'I_1) := a%:R : R in
  let pi := softmax phi in
  'D_v (fun t => value P r g (pi t) ord0 : R) th =
  (1 - g)^-1 * (pi th ord0 true * (1 - pi th ord0 true) * v ord0 ord0).
Proof.
move=> g01 P r phi pi.
have sum1 (F : 'I_1 -> R) : \sum_s F s = F ord0.
  by rewrite big_ord_recl big_ord0 addr0.
have P_ge0 s a s' : 0 <= P s a s' by exact: ler01.
have P_sum1 s a : \sum_s' P s a s' = 1 by rewrite sum1.
have A_gt0 : (0 < #|{: bool}|)%N by rewrite card_bool.
have pi_th : policy (pi th) by exact: softmax_policy.
have [_ _ _ _ DV] := softmax_policy_gradient phi r th A_gt0 g01 P_ge0 P_sum1.
apply: (etrans (DV ord0 v)); rewrite sum1.
have -> : occupancy P g (softmax phi th) ord0 ord0 = (1 - g)^-1.
  by rewrite -(occupancy_sum g01 P_ge0 P_sum1 pi_th ord0) sum1.
congr (_ * _).
have p_false : pi th ord0 false = 1 - pi th ord0 true.
  by rewrite -(pi_th.2 ord0) big_bool addrAC subrr add0r.
rewrite big_bool /softmax_score !big_bool -/pi p_false.
rewrite /preference !sum1 /phi /qvalue !sum1; set w := value _ _ _ _ _.
by rewrite /r /=; ring.
Qed.
