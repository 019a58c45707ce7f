(** * The derivative of a logarithm

    For a positive differentiable [f], [f (D_v ln f) = D_v f]: what turns a
    derivative of probabilities into an expectation.  Where [f] is zero and
    nowhere near negative, as a probability is, [D_v f] is zero, so that the
    points with [f = 0] add nothing to such an expectation. *)

From mathcomp Require Import all_ssreflect ssralg ssrnum.
From mathcomp Require Import boolp classical_sets functions.
From mathcomp Require Import reals topology normedtype derive exp.
From PGFormal Require Import Differentiation.

Set Implicit Arguments.
Unset Strict Implicit.
Unset Printing Implicit Defensive.

Import Order.TTheory GRing.Theory Num.Theory.
Import numFieldNormedType.Exports.

Local Open Scope classical_set_scope.
Local Open Scope ring_scope.

Section Logarithm.

Variables (R : realType) (T : normedModType R).
Implicit Types (f : T -> R) (x v : T).

(** The logarithm of a positive differentiable function is differentiable. *)
Lemma differentiable_ln f x : 0 < f x -> differentiable f x ->
  differentiable (fun t => ln (f t) : R) x.
Proof.
move=> f_gt0 df; apply: (differentiable_comp (g := @ln R)) => //.
by apply/derivable1_diffP; have := is_derive1_ln f_gt0.
Qed.

(** Its derivative is that of the function, divided by the function. *)
Lemma slope_ln f x v : 0 < f x -> differentiable f x ->
  slope (fun t => ln (f t)) x v = slope f x v / f x.
Proof.
move=> f_gt0 df; have dln := is_derive1_ln f_gt0.
have ln_diff : differentiable (@ln R) (f x) by apply/derivable1_diffP.
rewrite (slope_diff v (differentiable_ln f_gt0 df)) (slope_diff v df).
apply: etrans (congr1 (fun d : T -> R => d v) (diff_comp df ln_diff)) _.
have := congr1 (fun d : R -> R => d ('d f x v)) (diff1E ln_diff).
by rewrite derive1E derive_val.
Qed.

(** The log-derivative trick. *)
Lemma mul_slope_ln f x v : 0 < f x -> differentiable f x ->
  f x * slope (fun t => ln (f t)) x v = slope f x v.
Proof.
by move=> f_gt0 df; rewrite slope_ln// mulrC divfK// gt_eqF.
Qed.

(** At a local minimum no derivative is negative, so all of them are zero. *)
Lemma slope_at_min_ge0 f x v : differentiable f x ->
  (\forall t \near x, f x <= f t) -> 0 <= slope f x v.
Proof.
move=> df fmin.
have dfv : derivable f x v by exact: diff_derivable.
pose q (h : R) : R := h^-1 *: ((f \o shift x) (h *: v) - f x).
have q_cvg : cvg (q @ 0^') by exact: dfv.
rewrite /slope /derive (cvg_at_rightE q 0 q_cvg).
have right_punctured : at_right (0 : R) `=>` 0^'.
  move=> B [e e_gt0 Be]; exists e => // h he h_gt0.
  by apply: Be => //; exact: lt0r_neq0.
apply: limr_ge.
  by apply: (cvgP (lim (q @ 0^'))); apply: cvg_trans q_cvg; exact: cvg_app.
have line : h *: v + x @[h --> 0^'+] --> x.
  have : h *: v + x @[h --> (0 : R)] --> 0 *: v + x.
    by apply: cvgD; [exact: cvgZl cvg_id|exact: cvg_cst].
  by rewrite scale0r add0r => /cvg_within_filter; apply.
have := line _ fmin; rewrite near_simpl => {}fmin.
near=> h; apply: mulr_ge0.
  by rewrite invr_ge0; apply: ltW; near: h; exists 1 => /=.
by rewrite subr_ge0; near: h.
Unshelve. all: by end_near. Qed.

Lemma slope_at_min f x v : differentiable f x ->
  (\forall t \near x, f x <= f t) -> slope f x v = 0.
Proof.
move=> df fmin; apply/eqP; rewrite eq_le slope_at_min_ge0// andbT.
rewrite -oppr_ge0; have := slope_at_min_ge0 (- v) df fmin.
by rewrite !slope_diff// linearN.
Qed.

(** The log-derivative trick where [f] may be zero at [x].  The logarithm is not
    differentiable there; what stands for its derivative is multiplied by zero,
    and the derivative of [f] is zero as well. *)
Lemma mul_slope_ln_ge0 f x v : differentiable f x ->
  (\forall t \near x, 0 <= f t) ->
  f x * slope (fun t => ln (f t)) x v = slope f x v.
Proof.
move=> df f_ge0; have := nbhs_singleton f_ge0.
rewrite le_eqVlt => /orP[/eqP fx0|f_gt0]; last exact: mul_slope_ln.
by rewrite -fx0 mul0r slope_at_min// -fx0.
Qed.

End Logarithm.
