(** * Differentiation

    What the proofs need of differential calculus and mathcomp-analysis 0.6.0
    does not provide.  All of it is about real functions on a normed space [T].

    - Two functions equal near a point have the same differential there.
    - [slope f x v] is the derivative of [f] at [x] along [v].  It is ['D_v f x]
      with its type written as [R]; the type Coq infers for ['D_v f x] mentions
      [f], so that rewriting under it is slow or fails.
    - The rules for constants, sums and products over any finite index.
    - The entries of the inverse of a matrix are differentiable: by Cramer's rule
      they are quotients of finite sums of products.
    - The solution [V] of [V = r + g P V] is differentiable, and its derivative
      solves the same equation with another right hand side.  Both policy gradient
      theorems are instances. *)

From mathcomp Require Import all_ssreflect ssralg ssrnum matrix.
From mathcomp Require Import boolp classical_sets functions.
From mathcomp Require Import reals topology normedtype landau derive.

Set Implicit Arguments.
Unset Strict Implicit.
Unset Printing Implicit Defensive.

Import Order.TTheory GRing.Theory Num.Theory.
Import numFieldNormedType.Exports.

Local Open Scope classical_set_scope.
Local Open Scope ring_scope.

(** ** Functions equal near a point *)

Section NearEquality.

Variables (R : numFieldType) (T W : normedModType R).
Implicit Types (f h : T -> W) (x : T).

(** The first order expansion of [f] at [x] is one of [h]. *)
Lemma near_eq_expansion f h x :
  (\forall t \near x, f t = h t) -> differentiable f x ->
  h \o shift x = cst (h x) + 'd f x +o_ (0 : T) id.
Proof.
move=> fh df; apply/eqaddoP => e e0.
have /diff_locally/eqaddoP/(_ e e0) := df.
have {}fh : \forall t \near (0 : T), f (t + x) = h (t + x).
  by move: fh; rewrite (near_shift 0 x) subr0.
have fhx : f x = h x by have /nbhs_singleton := fh; rewrite add0r.
apply: filterS2 fh => t; rewrite /= !fctE /= => <-.
by rewrite fhx.
Qed.

(** They have the same differential. *)
Lemma near_eq_diff f h x :
  (\forall t \near x, f t = h t) -> differentiable f x ->
  'd h x = 'd f x :> (T -> W).
Proof.
move=> fh df; apply: diff_unique; last exact: near_eq_expansion.
exact: diff_continuous.
Qed.

(** If one is differentiable, so is the other. *)
Lemma near_eq_differentiable f h x :
  (\forall t \near x, f t = h t) -> differentiable f x -> differentiable h x.
Proof.
move=> fh df; apply/diff_locallyP; rewrite (near_eq_diff fh df).
by split; [exact: diff_continuous | exact: near_eq_expansion].
Qed.

End NearEquality.

(** ** Rules for real functions *)

Section Rules.

Variables (R : numFieldType) (T : normedModType R).
Implicit Types (f h : T -> R) (x v : T).

(** The derivative of [f] at [x] along [v]. *)
Definition slope f x v : R := 'D_v f x.

(** Where [f] is differentiable, it is the differential applied to [v]. *)
Lemma slope_diff f x v : differentiable f x -> slope f x v = 'd f x v.
Proof. exact: deriveE. Qed.

(** Functions equal near [x] have the same derivatives there. *)
Lemma near_eq_slope f h x v :
  (\forall t \near x, f t = h t) -> differentiable f x ->
  slope h x v = slope f x v.
Proof.
move=> fh df; have dh := near_eq_differentiable fh df.
rewrite (slope_diff v df) (slope_diff v dh).
by rewrite (near_eq_diff fh df).
Qed.

(** Functions equal everywhere. *)
Lemma eq_differentiable f h x :
  f =1 h -> differentiable f x -> differentiable h x.
Proof. by move=> /funext ->. Qed.

Lemma eq_slope f h x v : f =1 h -> slope f x v = slope h x v.
Proof. by move=> /funext ->. Qed.

(** Constants. *)
Lemma differentiable_const (c : R) x : differentiable (fun=> c : R) x.
Proof. exact: differentiable_cst. Qed.

Lemma slope_const (c : R) x v : slope (fun=> c) x v = 0.
Proof. exact: derive_val. Qed.

(** Sums of two. *)
Lemma differentiable_add f h x :
  differentiable f x -> differentiable h x ->
  differentiable (fun t => f t + h t : R) x.
Proof. exact: differentiableD. Qed.

Lemma slope_add f h x v : differentiable f x -> differentiable h x ->
  slope (fun t => f t + h t) x v = slope f x v + slope h x v.
Proof. by move=> df dh; apply: deriveD; exact: diff_derivable. Qed.

(** Products of two. *)
Lemma differentiable_mul f h x :
  differentiable f x -> differentiable h x ->
  differentiable (fun t => f t * h t : R) x.
Proof. exact: differentiableM. Qed.

Lemma slope_mul f h x v : differentiable f x -> differentiable h x ->
  slope (fun t => f t * h t) x v = slope f x v * h x + f x * slope h x v.
Proof.
move=> df dh; apply: etrans (deriveM _ _) _; [exact: diff_derivable..|].
by rewrite [LHS]addrC; congr (_ + _); exact: mulrC.
Qed.

(** Products with a constant, on the right and on the left. *)
Lemma differentiable_mulr (c : R) f x :
  differentiable f x -> differentiable (fun t => f t * c : R) x.
Proof. by move=> df; exact: differentiable_mul df (differentiable_const c x). Qed.

Lemma slope_mulr (c : R) f x v : differentiable f x ->
  slope (fun t => f t * c) x v = slope f x v * c.
Proof.
move=> df; rewrite (slope_mul v df (differentiable_const c x)).
by rewrite slope_const mulr0 addr0.
Qed.

Lemma differentiable_mull (c : R) f x :
  differentiable f x -> differentiable (fun t => c * f t : R) x.
Proof. by move=> df; exact: differentiable_mul (differentiable_const c x) df. Qed.

Lemma slope_mull (c : R) f x v : differentiable f x ->
  slope (fun t => c * f t) x v = c * slope f x v.
Proof.
move=> df; rewrite (slope_mul v (differentiable_const c x) df).
by rewrite slope_const mul0r add0r.
Qed.

(** Finite sums. *)
Lemma differentiable_sum (I : Type) (s : seq I) (f : I -> T -> R) x :
  (forall i, differentiable (f i) x) ->
  differentiable (fun t => \sum_(i <- s) f i t : R) x.
Proof.
move=> df; elim: s => [|i s IHs].
  apply: eq_differentiable (differentiable_const 0 x) => t.
  by rewrite big_nil.
apply: eq_differentiable (differentiable_add (df i) IHs) => t.
by rewrite big_cons.
Qed.

Lemma slope_sum (I : Type) (s : seq I) (f : I -> T -> R) x v :
  (forall i, differentiable (f i) x) ->
  slope (fun t => \sum_(i <- s) f i t) x v = \sum_(i <- s) slope (f i) x v.
Proof.
move=> df; elim: s => [|i s IHs].
  rewrite big_nil -[RHS](slope_const 0 x v).
  by apply: eq_slope => t; rewrite big_nil.
rewrite big_cons -IHs -slope_add //; last exact: differentiable_sum.
by apply: eq_slope => t; rewrite big_cons.
Qed.

(** Finite products. *)
Lemma differentiable_prod (I : Type) (s : seq I) (f : I -> T -> R) x :
  (forall i, differentiable (f i) x) ->
  differentiable (fun t => \prod_(i <- s) f i t : R) x.
Proof.
move=> df; elim: s => [|i s IHs].
  apply: eq_differentiable (differentiable_const 1 x) => t.
  by rewrite big_nil.
apply: eq_differentiable (differentiable_mul (df i) IHs) => t.
by rewrite big_cons.
Qed.

End Rules.

(** ** The chain rule *)

Section ChainRule.

Variables (R : numFieldType) (T U : normedModType R).

(** The derivative of [h (f t)] along [v] is that of [h] along the derivative
    of [f]. *)
Lemma slope_comp (f : T -> U) (h : U -> R) x v :
  differentiable f x -> differentiable h (f x) ->
  slope (fun t => h (f t)) x v = slope h (f x) ('D_v f x).
Proof.
move=> df dh; rewrite (deriveE v df) (slope_diff _ dh).
rewrite (slope_diff v (differentiable_comp df dh)).
by rewrite (diff_comp df dh).
Qed.

(** For a function of a real number: the direction times the derivative. *)
Lemma slope_real (h : R -> R) (x w : R) : differentiable h x ->
  slope h x w = w * derive1 h x.
Proof. by move=> dh; rewrite (slope_diff w dh) (diff1E dh). Qed.

End ChainRule.

(** ** The entries of an inverse matrix *)

Section MatrixEntries.

Variables (R : numFieldType) (T : normedModType R) (n : nat) (x : T).
Variable M : T -> 'M[R]_n.

(** The determinant of differentiable entries. *)
Lemma differentiable_det m (N : T -> 'M[R]_m) :
  (forall i j, differentiable (fun t => N t i j : R) x) ->
  differentiable (fun t => \det (N t) : R) x.
Proof.
move=> dN; apply: differentiable_sum => s.
by apply: differentiable_mull; apply: differentiable_prod => i.
Qed.

Hypothesis dM : forall i j, differentiable (fun t => M t i j : R) x.

(** The cofactors. *)
Lemma differentiable_adj i j :
  differentiable (fun t => (\adj (M t)) i j : R) x.
Proof.
pose c t := (-1) ^+ (j + i) * \det (row' j (col' i (M t))) : R.
apply: (@eq_differentiable _ _ c) => [t|]; first by rewrite mxE.
apply: differentiable_mull; apply: differentiable_det => k l.
by apply: eq_differentiable (dM _ _) => t; rewrite !mxE.
Qed.

Hypothesis unitM : M x \in unitmx.

(** Near [x] the matrix stays invertible. *)
Lemma near_unitmx : \forall t \near x, M t \in unitmx.
Proof.
have cdet := differentiable_continuous (differentiable_det dM).
have det0 : \det (M x) != 0 by rewrite -unitfE -unitmxE.
have near0 : \forall t \near x, \det (M t) != 0 by exact: cvgr_neq0 cdet det0.
by apply: filterS near0 => t; rewrite unitmxE unitfE.
Qed.

(** The entries of the inverse. *)
Lemma differentiable_invmx i j :
  differentiable (fun t => invmx (M t) i j : R) x.
Proof.
pose c t := (\det (M t))^-1 * (\adj (M t)) i j.
apply: (@near_eq_differentiable _ _ _ c).
  by apply: filterS near_unitmx => t unitMt; rewrite /invmx unitMt mxE.
apply: differentiable_mul; last exact: differentiable_adj.
apply: differentiableV; first exact: differentiable_det.
by rewrite -unitfE -unitmxE.
Qed.

End MatrixEntries.

(** ** The solution of [V = r + g P V] *)

Section LinearSystem.

Variables (R : numFieldType) (n : nat) (g : R).

(** If [1 - g M] is invertible, [u = b + g M u] has one solution. *)
Lemma solve_linear_system (M : 'M[R]_n) (b u : 'I_n -> R) :
  1%:M - g *: M \in unitmx ->
  (forall i, u i = b i + g * \sum_j M i j * u j) ->
  forall i, u i = \sum_j invmx (1%:M - g *: M) i j * b j.
Proof.
move=> unitM fix_u i.
have eq_b : \col_j b j = (1%:M - g *: M) *m \col_j u j.
  apply/colP => k; rewrite mulmxBl mul1mx -scalemxAl !mxE.
  rewrite (eq_bigr (fun j => M k j * u j)) => [|j _]; last by rewrite mxE.
  by rewrite {1}fix_u addrK.
have /colP/(_ i) := congr1 (mulmx (invmx (1%:M - g *: M))) eq_b.
rewrite mulKmx // !mxE => <-.
by apply: eq_bigr => j _; rewrite mxE.
Qed.

Variables (T : normedModType R) (x : T).
Variables (M : T -> 'M[R]_n) (r V : T -> 'I_n -> R).

Hypothesis dM : forall i j, differentiable (fun t => M t i j : R) x.
Hypothesis dr : forall i, differentiable (fun t => r t i : R) x.
Hypothesis unitM : 1%:M - g *: M x \in unitmx.
Hypothesis fix_V : \forall t \near x,
  forall i, V t i = r t i + g * \sum_j M t i j * V t j.

(** The entries of [1 - g M]. *)
Lemma differentiable_resolvent i j :
  differentiable (fun t => (1%:M - g *: M t) i j : R) x.
Proof.
pose e t := (i == j)%:R + - g * M t i j.
apply: (@eq_differentiable _ _ e) => [t|]; first by rewrite /e !mxE mulNr.
exact: differentiable_add (differentiable_const _ x)
                          (differentiable_mull (- g) (dM i j)).
Qed.

(** The solution is differentiable. *)
Lemma differentiable_solution i : differentiable (fun t => V t i : R) x.
Proof.
pose u t := \sum_j invmx (1%:M - g *: M t) i j * r t j.
apply: (@near_eq_differentiable _ _ _ u).
  have := near_unitmx differentiable_resolvent unitM.
  move: fix_V; apply: filterS2 => t fix_Vt unitMt.
  by rewrite /u -(solve_linear_system unitMt fix_Vt).
apply: differentiable_sum => j; apply: differentiable_mul => //.
exact: (differentiable_invmx differentiable_resolvent).
Qed.

(** Its derivative solves [DV = (Dr + g DM V) + g M DV]. *)
Lemma slope_solution_fix v i :
  slope (V^~ i) x v =
  slope (r^~ i) x v + g * (\sum_j slope (fun t => M t i j) x v * V x j)
  + g * \sum_j M x i j * slope (V^~ j) x v.
Proof.
have dV j : differentiable (fun t => V t j : R) x by exact: differentiable_solution.
have dMV j : differentiable (fun t => M t i j * V t j : R) x.
  exact: differentiable_mul.
have dsum := differentiable_sum (index_enum _) dMV.
have drhs := differentiable_add (dr i) (differentiable_mull g dsum).
have Vrhs : \forall t \near x, r t i + g * (\sum_j M t i j * V t j) = V t i.
  by apply: filterS fix_V => t ->.
rewrite (near_eq_slope v Vrhs drhs) slope_add ?slope_mull ?slope_sum //.
  rewrite -addrA -mulrDr -big_split /=; congr (_ + g * _).
  by apply: eq_bigr => j _; rewrite slope_mul.
exact: differentiable_mull.
Qed.

(** So it is the resolvent of that right hand side. *)
Theorem slope_solution v i :
  slope (V^~ i) x v = \sum_j invmx (1%:M - g *: M x) i j *
    (slope (r^~ j) x v + g * \sum_k slope (fun t => M t j k) x v * V x k).
Proof.
exact: (solve_linear_system unitM (slope_solution_fix v)).
Qed.

End LinearSystem.
