(** * The resolvent of a stochastic matrix

    For a matrix [K] of transition probabilities and [0 <= g < 1] the matrix
    [I - g K] is invertible; its inverse gives the only solution of the Bellman
    equation, and its rows sum to [1 / (1 - g)]; and iterating the Bellman
    equation [N] times from zero comes within [g ^ N] times a constant of the
    solution.  All of it holds over any ordered field, the rational numbers
    included, and is closed under the global context. *)

From mathcomp Require Import all_ssreflect ssralg ssrnum matrix mxalgebra.

Set Implicit Arguments.
Unset Strict Implicit.
Unset Printing Implicit Defensive.

Import GRing.Theory Num.Theory Order.POrderTheory.

Local Open Scope ring_scope.

(** Over any commutative ring: where [I - g K] is invertible, a solution of the
    Bellman equation with reward [b] is the resolvent applied to [b]. *)
Lemma bellman_solution (R : comUnitRingType) (n : nat) (K : 'M[R]_n) (g : R)
    (b u : 'I_n -> R) :
  1%:M - g *: K \in unitmx ->
  (forall i, u i = b i + g * \sum_j K i j * u j) ->
  forall i, u i = \sum_j invmx (1%:M - g *: K) i j * b j.
Proof.
move=> K_unit uE i; set M := 1%:M - g *: K.
have bE : \col_j b j = M *m \col_j u j.
  apply/colP => j; rewrite mulmxBl mul1mx -scalemxAl !mxE {1}uE.
  by under [X in _ - g * X]eq_bigr do rewrite mxE; rewrite addrK.
have := congr1 (fun v : 'cV_n => v i ord0) (mulKmx K_unit (\col_j u j)).
rewrite -bE !mxE => <-.
by apply: eq_bigr => j _; rewrite mxE.
Qed.

(** [K] is a matrix of transition probabilities: no negative entry, and each
    row sums to one. *)
Definition stochastic (R : realFieldType) (n : nat) (K : 'M[R]_n) : Prop :=
  (forall i j, 0 <= K i j) /\ (forall i, \sum_j K i j = 1).

Section Resolvent.

Variables (R : realFieldType) (n : nat) (K : 'M[R]_n) (g : R).

Hypothesis K_stochastic : stochastic K.
Hypothesis g01 : 0 <= g < 1.

(** What the hypotheses say, one by one. *)
Let g_ge0 : 0 <= g. Proof. by case/andP: g01. Qed.

Let K_ge0 i j : 0 <= K i j. Proof. by case: K_stochastic. Qed.

Let K_sum1 i : \sum_j K i j = 1. Proof. by case: K_stochastic. Qed.

(** A row vector does not grow, in the sum of its absolute values, when it is
    multiplied by a stochastic matrix. *)
Lemma norm1_mul_stochastic (v : 'rV[R]_n) :
  \sum_j `|(v *m K) ord0 j| <= \sum_j `|v ord0 j|.
Proof.
have step j : `|(v *m K) ord0 j| <= \sum_i `|v ord0 i| * K i j.
  rewrite mxE (le_trans (ler_norm_sum _ _ _))// ler_sum// => i _.
  by rewrite normrM (ger0_norm (K_ge0 _ _)).
rewrite (le_trans (ler_sum _ (fun j _ => step j)))// exchange_big/=.
by apply/ler_sum => i _; rewrite -mulr_sumr K_sum1 mulr1.
Qed.

(** [I - g K] is invertible: a row vector [v] with [v = g v K] has
    [|v| <= g |v|], so it is zero. *)
Theorem unit_resolvent : 1%:M - g *: K \in unitmx.
Proof.
rewrite unitmxE unitfE; apply/negP => /det0P[v /eqP v_neq0].
rewrite mulmxBr mulmx1 -scalemxAr => /eqP; rewrite subr_eq0 => /eqP vE.
apply: v_neq0.
have sum_ge0 : 0 <= \sum_j `|v ord0 j| by apply: sumr_ge0.
have sum_le : \sum_j `|v ord0 j| <= g * \sum_j `|v ord0 j|.
  rewrite {1}vE (eq_bigr (fun j => g * `|(v *m K) ord0 j|)) => [|j _].
    by rewrite -mulr_sumr ler_wpmul2l// norm1_mul_stochastic.
  by rewrite mxE normrM ger0_norm.
have sum0 : \sum_j `|v ord0 j| = 0.
  apply/eqP; rewrite eq_le sum_ge0 andbT.
  rewrite -subr_ge0 -opprB oppr_ge0 -{1}[\sum_j _]mul1r -mulrBl in sum_le.
  by rewrite pmulr_rle0 ?subr_gt0 in sum_le; case/andP: g01.
apply/rowP => j; rewrite mxE; apply: normr0_eq0.
by move: j isT; apply: psumr_eq0P.
Qed.

(** The resolvent applied to [w] solves the Bellman equation with reward [w]. *)
Lemma resolvent_bellman (w : 'cV[R]_n) i :
  (invmx (1%:M - g *: K) *m w) i ord0 =
  w i ord0 + g * \sum_j K i j * (invmx (1%:M - g *: K) *m w) j ord0.
Proof.
set v := invmx _ *m w.
have vE : v = w + g *: (K *m v).
  have : (1%:M - g *: K) *m v = w by rewrite mulKVmx ?unit_resolvent.
  by rewrite mulmxBl mul1mx -scalemxAl => <-; rewrite subrK.
by rewrite {1}vE mxE [X in _ + X]mxE [X in _ + _ * X]mxE.
Qed.

(** Each row of the resolvent sums to [1 / (1 - g)]. *)
Lemma resolvent_sum i : \sum_j invmx (1%:M - g *: K) i j = (1 - g)^-1.
Proof.
have g_neq1 : 1 - g != 0 by rewrite subr_eq0 eq_sym lt_eqF//; case/andP: g01.
have := @bellman_solution _ _ K g (fun=> 1) (fun=> (1 - g)^-1) unit_resolvent.
move=> /(_ _ i)->; first by under [RHS]eq_bigr do rewrite mulr1.
move=> j; rewrite -mulr_suml K_sum1 mul1r; apply: (mulIf g_neq1).
by rewrite mulrDl -mulrA mulVf// mul1r mulr1 subrK.
Qed.

(** Iterating the Bellman equation [N] times from zero leaves a remainder of at
    most [g ^ N] times a constant. *)
Lemma iterate_bound (w : 'cV[R]_n) (f : nat -> 'I_n -> R) :
  (forall i, f 0%N i = 0) ->
  (forall N i, f N.+1 i = w i ord0 + g * \sum_j K i j * f N j) ->
  let v := invmx (1%:M - g *: K) *m w in
  forall N i, `|v i ord0 - f N i| <= g ^+ N * \sum_j `|v j ord0|.
Proof.
move=> f0 fS v; elim=> [|N ihN] i.
  rewrite f0 subr0 expr0 mul1r (bigD1 i)//= ler_addl.
  exact: sumr_ge0.
rewrite fS /v resolvent_bellman -/v opprD addrACA subrr add0r -mulrBr -sumrB.
rewrite normrM (ger0_norm g_ge0) exprS -mulrA ler_wpmul2l//.
rewrite -[X in _ <= X]mul1r -(K_sum1 i) mulr_suml.
rewrite (le_trans (ler_norm_sum _ _ _))// ler_sum// => j _.
by rewrite -mulrBr normrM (ger0_norm (K_ge0 _ _)) ler_wpmul2l.
Qed.

End Resolvent.
