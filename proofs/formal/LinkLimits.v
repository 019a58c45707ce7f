(** * The link to the code, in the limit

    The value and the occupancy are limits, which no finite sum reaches.  But tables of rational numbers that solve the equations
    of a model with rational entries are those limits; and whether they solve the equations, Coq can compute. *)

From Coq Require Import ZArith QArith Qreduction.
From mathcomp Require Import all_ssreflect ssralg ssrnum ssrint matrix.
From mathcomp Require Import reals ssrZ.
From PGFormal Require Import Definitions Resolvent Limits Differentiation Link.

Set Implicit Arguments.
Unset Strict Implicit.
Unset Printing Implicit Defensive.

Import Order.TTheory GRing.Theory Num.Theory.

Local Open Scope ring_scope.

(** ** Order *)

Definition ge0_Q q := Z.leb 0 (Qnum q).
Definition gt0_Q q := Z.ltb 0 (Qnum q).

Section Order.

Variable R : realType.

Lemma real_of_Z_ge0 z : Z.leb 0 z -> 0 <= real_of_Z R z.
Proof. by case: z => // p _; rewrite /real_of_Z ler0z. Qed.

Lemma real_of_pos_gt0 p : 0 < real_of_Z R (Z.pos p).
Proof. by rewrite lt_neqAle eq_sym real_of_pos_neq0 real_of_Z_ge0. Qed.

Lemma real_of_Q_ge0 q : ge0_Q q -> 0 <= real_of_Q R q.
Proof. by move=> q_ge0; rewrite divr_ge0 ?real_of_Z_ge0. Qed.

Lemma real_of_Q_gt0 q : gt0_Q q -> 0 < real_of_Q R q.
Proof. by case: q => [[|p|p] d] // _; rewrite divr_gt0 ?real_of_pos_gt0. Qed.

Lemma sum_iota n (F : nat -> R) : \sum_(i <- iota 0 n) F i = \sum_(i < n) F i.
Proof. by rewrite -[n in iota 0 n]subn0 -/(index_iota 0 n) big_mkord. Qed.

Lemma real_of_sum_iota n (F : nat -> Q) : real_of_Q R (sum_Q [seq F i | i <- iota 0 n]) = \sum_(i < n) real_of_Q R (F i).
Proof. by rewrite real_of_sum sum_iota. Qed.

End Order.

(** ** Tables that are probabilities *)

Definition law_Q n (p : nat -> Q) := all (fun i => ge0_Q (p i)) (iota 0 n) && Qeq_bool (sum_Q [seq p i | i <- iota 0 n]) 1.

Lemma law_ge0 (R : realType) n p (i : 'I_n) : law_Q n p -> 0 <= real_of_Q R (p i).
Proof. by case/andP => /allP p_ge0 _; apply/real_of_Q_ge0/p_ge0/ord_in_iota. Qed.

Lemma law_sum1 (R : realType) n p : law_Q n p -> \sum_(i < n) real_of_Q R (p i) = 1.
Proof. by case/andP => _ /Qeq_bool_iff sum1; rewrite -real_of_sum_iota (real_of_QE R sum1) real_of_Q1. Qed.

Section InTheLimit.

Variables (n m : nat) (P : seq (seq (seq Q))) (r : seq (seq Q)) (g : Q) (pi : seq (seq Q)).
Variable R : realType.

Definition discount_Q := ge0_Q g && gt0_Q (1 - g).

Definition model_Q :=
  [&& discount_Q, all (fun s => all (fun a => law_Q n (look3 P s a)) (iota 0 m)) (iota 0 n)
    & all (fun s => law_Q m (look2 pi s)) (iota 0 n)].

Definition action_value_Q v s a := Qplus (look2 r s a) (Qmult g (sum_Q [seq Qmult (look3 P s a s') (look1 v s') | s' <- iota 0 n])).

Definition value_Q v s := sum_Q [seq Qmult (look2 pi s a) (action_value_Q v s a) | a <- iota 0 m].

Definition step_Q s s' := sum_Q [seq Qmult (look2 pi s a) (look3 P s a s') | a <- iota 0 m].

Definition occupancy_Q d s0 s :=
  Qplus (if s0 == s then 1%Q else 0%Q) (Qmult g (sum_Q [seq Qmult (look2 d s0 s') (step_Q s' s) | s' <- iota 0 n])).

Hypothesis ok : model_Q.

Let P' := P_R n m P R.
Let r' := r_R n m r R.
Let g' := g_R g R.
Let pi' := pi_R n m pi R.

Lemma discount01 : 0 <= g' < 1.
Proof.
case/and3P: ok => /andP[g_ge0 g_lt1] _ _; rewrite /g' /g_R real_of_Q_ge0 //= -subr_gt0.
suff -> : 1 - real_of_Q R g = real_of_Q R (1 - g) by apply: real_of_Q_gt0.
apply/eqP; rewrite subr_eq -real_of_QD -(real_of_Q1 R); apply/eqP/real_of_QE.
by rewrite -Qplus_assoc (Qplus_comm _ g) Qplus_opp_r Qplus_0_r; apply: Qeq_refl.
Qed.

Lemma table_P s a : law_Q n (look3 P (s : 'I_n) (a : 'I_m)).
Proof. by case/and3P: ok => _ /allP/(_ _ (ord_in_iota s))/allP/(_ _ (ord_in_iota a)). Qed.

Lemma table_pi s : law_Q m (look2 pi (s : 'I_n)).
Proof. by case/and3P: ok => _ _ /allP/(_ _ (ord_in_iota s)). Qed.

Lemma P_ge0 s a s' : 0 <= P' s a s'.
Proof. exact/law_ge0/table_P. Qed.

Lemma P_sum1 s a : \sum_s' P' s a s' = 1.
Proof. exact/law_sum1/table_P. Qed.

Lemma pi_policy : policy pi'.
Proof. by split=> [s a|s]; [exact/law_ge0/table_pi | exact/law_sum1/table_pi]. Qed.

Lemma action_value_real v s a :
  real_of_Q R (action_value_Q v s a) =
  real_of_Q R (look2 r s a) + g' * \sum_(s' < n) real_of_Q R (look3 P s a s') * real_of_Q R (look1 v s').
Proof.
by rewrite real_of_QD real_of_QM real_of_sum_iota; under eq_bigr do rewrite real_of_QM.
Qed.

(** A table that solves the Bellman equation is the value; and with it the action value. *)

Theorem value_agrees v : agree1 n (value_Q v) v -> forall s : 'I_n, value P' r' g' pi' s = real_of_Q R (look1 v s).
Proof.
move=> /agree1P same s; pose u (s : 'I_n) : R := real_of_Q R (look1 v s).
have solves i : u i = \sum_a pi' i a * r' i a + g' * \sum_j pm P' pi' i j * u j.
  rewrite -average_step /u -(real_of_QE R (same i)) /value_Q real_of_sum_iota.
  by apply: eq_bigr => a _; rewrite real_of_QM action_value_real.
have unit := pm_unit discount01 P_ge0 P_sum1 pi_policy.
rewrite -/(u s) (solve_linear_system unit solves).
exact/(solve_linear_system unit)/(value_bellman r' discount01 P_ge0 P_sum1 pi_policy).
Qed.

Theorem qvalue_agrees v q :
  agree1 n (value_Q v) v -> agree2 n m (action_value_Q v) q ->
  forall (s : 'I_n) (a : 'I_m), qvalue P' r' g' pi' s a = real_of_Q R (look2 q s a).
Proof.
move=> same_v /agree2P same s a; rewrite -(real_of_QE R (same s a)) action_value_real /qvalue.
by congr (_ + _ * _); apply: eq_bigr => s' _; rewrite (value_agrees same_v).
Qed.

(** A table whose rows solve the equation of the visits is the occupancy. *)

Theorem occupancy_agrees d :
  agree2 n n (occupancy_Q d) d -> forall s0 s : 'I_n, occupancy P' g' pi' s0 s = real_of_Q R (look2 d s0 s).
Proof.
move=> /agree2P same s0 s; pose D : 'M[R]_n := \matrix_(i, j) real_of_Q R (look2 d i j).
have unit := pm_unit discount01 P_ge0 P_sum1 pi_policy.
rewrite (occupancy_resolvent discount01 P_ge0 P_sum1 pi_policy).
suff inverse : D *m (1%:M - g' *: pm P' pi') = 1%:M.
  by have := congr1 (mulmx^~ (invmx (1%:M - g' *: pm P' pi'))) inverse; rewrite mulmxK // mul1mx => <-; rewrite mxE.
apply/matrixP => i j; rewrite mulmxBr mulmx1 -scalemxAr !mxE -(real_of_QE R (same i j)) real_of_QD real_of_QM real_of_sum_iota.
rewrite -[val i == val j]/(i == j); have -> : real_of_Q R (if i == j then 1%Q else 0%Q) = (i == j)%:R.
  by case: (i == j); rewrite ?real_of_Q1 ?real_of_Q0.
apply/eqP; rewrite subr_eq; apply/eqP; congr (_ + _ * _).
apply: eq_bigr => k _; rewrite real_of_QM /step_Q real_of_sum_iota !mxE; congr (_ * _).
by apply: eq_bigr => a _; rewrite real_of_QM.
Qed.

End InTheLimit.

Arguments value_agrees {n m P r g pi R}.
Arguments qvalue_agrees {n m P r g pi R}.
Arguments occupancy_agrees {n m P g pi R}.
