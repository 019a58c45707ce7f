(** * The performance difference lemma and policy improvement

    The difference of the values of two policies is the advantage over the one,
    averaged over the actions of the other and over the states it visits (Kakade
    and Langford 2002).  No derivative is involved.  If the advantage is nowhere
    negative the other policy is at least as good in every state. *)

From mathcomp Require Import all_ssreflect ssralg ssrnum matrix.
From mathcomp Require Import boolp classical_sets functions.
From mathcomp Require Import reals topology normedtype sequences ring.
From PGFormal Require Import Definitions Resolvent Limits.
From PGFormal Require Import FiniteStates.

Set Implicit Arguments.
Unset Strict Implicit.
Unset Printing Implicit Defensive.

Import Order.TTheory GRing.Theory Num.Theory.
Import numFieldNormedType.Exports.

Local Open Scope classical_set_scope.
Local Open Scope ring_scope.

(** The advantage of [a] in [s]: what is gained by taking it once instead of
    following [pi] at once. *)
Definition advantage (R : realType) (S A : finType)
    (P : S -> A -> S -> R) (r : S -> A -> R) (g : R)
    (pi : S -> A -> R) (s : S) (a : A) : R :=
  qvalue P r g pi s a - value P r g pi s.

Section PerformanceDifference.

Variables (R : realType) (n : nat) (A : finType).
Variables (P : 'I_n -> A -> 'I_n -> R) (r : 'I_n -> A -> R) (g : R).
Variables pi pi' : 'I_n -> A -> R.

Hypothesis g01 : 0 <= g < 1.
Hypothesis P_ge0 : forall s a s', 0 <= P s a s'.
Hypothesis P_sum1 : forall s a, \sum_s' P s a s' = 1.
Hypothesis pi'_policy : policy pi'.

(** The difference of the values solves a Bellman equation of [pi'], whose
    reward is the average advantage. *)
Let difference_bellman s :
  value P r g pi' s - value P r g pi s =
  \sum_a pi' s a * advantage P r g pi s a +
  g * \sum_s' pm P pi' s s' * (value P r g pi' s' - value P r g pi s').
Proof.
rewrite [X in X - _](value_bellman r g01 P_ge0 P_sum1 pi'_policy).
under [X in _ = X + _]eq_bigr do rewrite mulrBr.
under [X in _ = _ + g * X]eq_bigr do rewrite mulrBr.
rewrite !sumrB -mulr_suml pi'_policy.2 mul1r average_step mulrBr.
by ring.
Qed.

(** So the resolvent gives it. *)
Lemma performance_difference_at s0 :
  value P r g pi' s0 - value P r g pi s0 =
  \sum_s occupancy P g pi' s0 s *
    \sum_a pi' s a * advantage P r g pi s a.
Proof.
have K_unit := pm_unit g01 P_ge0 P_sum1 pi'_policy.
rewrite (bellman_solution K_unit difference_bellman).
by apply: eq_bigr => s _; rewrite (occupancy_resolvent g01 P_ge0 P_sum1).
Qed.

End PerformanceDifference.

Section AnyStates.

Variables (R : realType) (S A : finType).
Variables (P : S -> A -> S -> R) (r : S -> A -> R) (g : R).
Variables pi pi' : S -> A -> R.

Hypothesis g01 : 0 <= g < 1.
Hypothesis P_ge0 : forall s a s', 0 <= P s a s'.
Hypothesis P_sum1 : forall s a, \sum_s' P s a s' = 1.
Hypothesis pi_policy : policy pi.
Hypothesis pi'_policy : policy pi'.

(** Under [pi] itself the advantage averages to zero. *)
Lemma advantage_average s :
  \sum_a pi s a * advantage P r g pi s a = 0.
Proof.
under eq_bigr do rewrite mulrBr.
rewrite sumrB -mulr_suml pi_policy.2 mul1r.
by rewrite (finite_value_qvalue r g01 P_ge0 P_sum1 pi_policy) subrr.
Qed.

(** The difference of the values, for states of any finite type: they are
    numbered. *)
Lemma performance_difference_any s0 :
  value P r g pi' s0 - value P r g pi s0 =
  \sum_s occupancy P g pi' s0 s *
    \sum_a pi' s a * advantage P r g pi s a.
Proof.
pose P1 (i : 'I_#|S|) a (j : 'I_#|S|) := P (enum_val i) a (enum_val j).
pose r1 (i : 'I_#|S|) a := r (enum_val i) a.
have P1_ge0 i a j : 0 <= P1 i a j by exact: P_ge0.
have P1_sum1 i a : \sum_j P1 i a j = 1.
  by rewrite (sum_enum_val (P (enum_val i) a)) P_sum1.
pose pi1 (i : 'I_#|S|) a := pi (enum_val i) a.
have := performance_difference_at r1 pi1 g01 P1_ge0 P1_sum1
  (numbered_policy pi'_policy) (enum_rank s0).
rewrite !numbered_value enum_rankK => ->.
rewrite -[RHS]sum_enum_val; apply: eq_bigr => i _.
rewrite numbered_occupancy enum_rankK; congr (_ * _).
by apply: eq_bigr => a _; rewrite /advantage numbered_qvalue numbered_value.
Qed.

End AnyStates.

(** ** The performance difference lemma *)

Theorem performance_difference
    (R : realType) (S A : finType)
    (P : S -> A -> S -> R) (r : S -> A -> R) (g : R)
    (pi pi' : S -> A -> R) :
  0 <= g < 1 ->
  (forall s a s', 0 <= P s a s') ->
  (forall s a, \sum_s' P s a s' = 1) ->
  policy pi -> policy pi' ->
  let V := value P r g pi in
  let Q := qvalue P r g pi in
  let V' := value P r g pi' in
  let d' := occupancy P g pi' in
  [/\ forall s, (fun N => J P r g pi N s) --> V s,
      forall s a, (fun N => JQ P r g pi N s a) --> Q s a,
      forall s, (fun N => J P r g pi' N s) --> V' s,
      forall s0 s, series (fun t => g ^+ t * prob_at P pi' t s0 s) --> d' s0 s
    & forall s0,
        V' s0 - V s0 = \sum_s d' s0 s * \sum_a pi' s a * (Q s a - V s)].
Proof.
move=> g01 P_ge0 P_sum1 pi_policy pi'_policy V Q V' d'; split.
- by move=> s; exact: finite_cvg_J.
- by move=> s a; exact: finite_cvg_JQ.
- by move=> s; exact: finite_cvg_J.
- by move=> s0 s; exact: finite_cvg_occupancy.
- exact: performance_difference_any.
Qed.

(** ** Policy improvement *)

(** If in each state one action of [pi'], followed by [pi], is worth at least as
    much as [pi], then so is [pi'] throughout. *)
Theorem policy_improvement
    (R : realType) (S A : finType)
    (P : S -> A -> S -> R) (r : S -> A -> R) (g : R)
    (pi pi' : S -> A -> R) :
  0 <= g < 1 ->
  (forall s a s', 0 <= P s a s') ->
  (forall s a, \sum_s' P s a s' = 1) ->
  policy pi -> policy pi' ->
  (forall s, value P r g pi s <= \sum_a pi' s a * qvalue P r g pi s a) ->
  forall s, value P r g pi s <= value P r g pi' s.
Proof.
move=> g01 P_ge0 P_sum1 pi_policy pi'_policy better s0.
rewrite -subr_ge0 performance_difference_any//.
apply: sumr_ge0 => s _; apply: mulr_ge0; first exact: finite_occupancy_ge0.
under eq_bigr do rewrite mulrBr.
by rewrite sumrB -mulr_suml pi'_policy.2 mul1r subr_ge0.
Qed.
