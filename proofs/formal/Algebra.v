(** * The policy gradient theorem as algebra

    The identity of the policy gradient theorem needs neither limits nor real
    numbers.  Let [D] be a derivation of a commutative ring: additive, and
    [D (x y) = (D x) y + x (D y)].  If [V] solves the Bellman equation of a
    policy [pi], the matrix [I - g P_pi] is invertible, and [D] sends all
    entries of [P], [r] and [g] to zero, then

      D (V s0) = sum_s (I - g P_pi)^-1 (s0, s) sum_a D (pi s a) Q s a.

    This covers polynomials, rational functions, formal power series and dual
    numbers.  Nothing is assumed of [pi], [P] and [g] beyond this: they need not
    be probabilities.  All of it is closed under the global context. *)

From mathcomp Require Import all_ssreflect ssralg matrix.
From PGFormal Require Import Resolvent.

Set Implicit Arguments.
Unset Strict Implicit.
Unset Printing Implicit Defensive.

Import GRing.Theory.

Local Open Scope ring_scope.

(** A derivation of a ring. *)
Definition derivation (R : ringType) (D : R -> R) : Prop :=
  (forall x y, D (x + y) = D x + D y) /\
  (forall x y, D (x * y) = D x * y + x * D y).

Section Derivation.

Variables (R : ringType) (D : R -> R).

Hypothesis D_derivation : derivation D.

(** What the definition says, one by one. *)
Lemma derivationD x y : D (x + y) = D x + D y.
Proof. by case: D_derivation. Qed.

Lemma derivationM x y : D (x * y) = D x * y + x * D y.
Proof. by case: D_derivation. Qed.

(** A derivation sends zero and one to zero, *)
Lemma derivation0 : D 0 = 0.
Proof. by apply: (addrI (D 0)); rewrite -derivationD !addr0. Qed.

Lemma derivation1 : D 1 = 0.
Proof.
apply: (addrI (D 1)); rewrite addr0.
by have := derivationM 1 1; rewrite !mulr1 mul1r.
Qed.

(** goes into sums, *)
Lemma derivation_sum (I : Type) (l : seq I) (f : I -> R) :
  D (\sum_(i <- l) f i) = \sum_(i <- l) D (f i).
Proof. exact: (big_morph D derivationD derivation0). Qed.

(** and past a factor it sends to zero. *)
Lemma derivationMl c x : D c = 0 -> D (c * x) = c * D x.
Proof. by move=> Dc; rewrite derivationM Dc mul0r add0r. Qed.

End Derivation.

Section PolicyGradient.

Variables (R : comUnitRingType) (n : nat) (A : finType) (D : R -> R).
Variables (P : 'I_n -> A -> 'I_n -> R) (r : 'I_n -> A -> R) (g : R).
Variables (pi : 'I_n -> A -> R) (V : 'I_n -> R).

(** The matrix of the steps from state to state, and the action value. *)
Let K : 'M[R]_n := \matrix_(s, s') \sum_a pi s a * P s a s'.
Let Q s a := r s a + g * \sum_s' P s a s' * V s'.

Hypothesis D_derivation : derivation D.
Hypothesis D_P : forall s a s', D (P s a s') = 0.
Hypothesis D_r : forall s a, D (r s a) = 0.
Hypothesis D_g : D g = 0.
Hypothesis K_unit : 1%:M - g *: K \in unitmx.
Hypothesis V_bellman : forall s, V s = \sum_a pi s a * Q s a.

(** The derivative of [Q] comes from the next states alone. *)
Let D_Q s a : D (Q s a) = g * \sum_s' P s a s' * D (V s').
Proof.
rewrite (derivationD D_derivation) D_r add0r (derivationMl D_derivation)//.
rewrite (derivation_sum D_derivation); congr (_ * _).
by apply: eq_bigr => s' _; rewrite (derivationMl D_derivation).
Qed.

(** The Bellman equation, differentiated, is a Bellman equation for [D V]. *)
Let D_bellman s :
  D (V s) = \sum_a D (pi s a) * Q s a + g * \sum_s' K s s' * D (V s').
Proof.
rewrite {1}V_bellman (derivation_sum D_derivation).
under eq_bigr do rewrite (derivationM D_derivation) D_Q mulrCA.
rewrite big_split/= -mulr_sumr; congr (_ + _ * _).
under eq_bigr do rewrite mulr_sumr.
rewrite exchange_big/=; apply: eq_bigr => s' _.
by rewrite mxE mulr_suml; apply: eq_bigr => a _; rewrite mulrA.
Qed.

(** So it is the resolvent that gives [D V]. *)
Theorem algebraic_policy_gradient s0 :
  D (V s0) =
  \sum_s invmx (1%:M - g *: K) s0 s * \sum_a D (pi s a) * Q s a.
Proof. exact: bellman_solution K_unit D_bellman s0. Qed.

(** Where the probabilities of the actions sum to one their derivatives sum to
    zero, so a baseline that depends on the state alone drops out. *)
Hypothesis pi_sum1 : forall s, \sum_a pi s a = 1.

Lemma algebraic_eglp s : \sum_a D (pi s a) = 0.
Proof.
by rewrite -(derivation_sum D_derivation) pi_sum1 (derivation1 D_derivation).
Qed.

Theorem algebraic_baseline (b : 'I_n -> R) s0 :
  D (V s0) =
  \sum_s invmx (1%:M - g *: K) s0 s * \sum_a D (pi s a) * (Q s a - b s).
Proof.
rewrite algebraic_policy_gradient; apply: eq_bigr => s _; congr (_ * _).
under [RHS]eq_bigr do rewrite mulrBr.
by rewrite sumrB -mulr_suml algebraic_eglp mul0r subr0.
Qed.

End PolicyGradient.
