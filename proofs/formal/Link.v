(** * The link to the code

    The definitions of Definitions.v do not compute: their sums run over finite types and their numbers are real.  This file gives
    each finite one a twin that does compute, over the rational numbers of Coq's own library and over lists, and proves the twin equal
    to the definition, for tables of rational entries.  The twin lists all trajectories and adds them up, as the definition does: no
    recursion over values, no matrix.

    link.py writes the tables and the expected fractions of small models of pgtheory below this file and has Coq compare. *)

From Coq Require Import ZArith QArith Qreduction.
From mathcomp Require Import all_ssreflect ssralg ssrnum ssrint.
From mathcomp Require Import reals ssrZ.
From PGFormal Require Import Definitions.

Set Implicit Arguments.
Unset Strict Implicit.
Unset Printing Implicit Defensive.

Import GRing.Theory Num.Theory.

Local Open Scope ring_scope.

(** ** Rational numbers as reals *)

Section RealOfQ.

Variable R : realType.

Definition real_of_Z (z : Z) : R := (int_of_Z z)%:~R.

Definition real_of_Q (q : Q) : R := real_of_Z (Qnum q) / real_of_Z (Z.pos (Qden q)).

Lemma real_of_ZD x y : real_of_Z (Z.add x y) = real_of_Z x + real_of_Z y.
Proof. by rewrite /real_of_Z (rmorphD [rmorphism of int_of_Z]) rmorphD. Qed.

Lemma real_of_ZM x y : real_of_Z (Z.mul x y) = real_of_Z x * real_of_Z y.
Proof. by rewrite /real_of_Z (rmorphM [rmorphism of int_of_Z]) rmorphM. Qed.

Lemma real_of_pos_neq0 p : real_of_Z (Z.pos p) != 0.
Proof.
rewrite /real_of_Z intr_eq0 /=; have := Pos2Nat.is_pos p.
by case: (Pos.to_nat p) => // /PeanoNat.Nat.lt_irrefl.
Qed.

Lemma real_of_QE p q : Qeq p q -> real_of_Q p = real_of_Q q.
Proof.
rewrite /Qeq /real_of_Q => /(congr1 real_of_Z); rewrite !real_of_ZM => e.
by apply/eqP; rewrite eqr_div ?real_of_pos_neq0 // e.
Qed.

Lemma real_of_QD p q : real_of_Q (Qplus p q) = real_of_Q p + real_of_Q q.
Proof.
rewrite /real_of_Q /= real_of_ZD !real_of_ZM -[Z.pos (_ * _)]/(Z.mul (Z.pos _) (Z.pos _)) real_of_ZM.
by rewrite addf_div ?real_of_pos_neq0.
Qed.

Lemma real_of_QM p q : real_of_Q (Qmult p q) = real_of_Q p * real_of_Q q.
Proof.
by rewrite /real_of_Q /= real_of_ZM -[Z.pos (_ * _)]/(Z.mul (Z.pos _) (Z.pos _)) real_of_ZM mulf_div.
Qed.

Lemma real_of_Q0 : real_of_Q 0 = 0.
Proof. by rewrite /real_of_Q mul0r. Qed.

Lemma real_of_Q1 : real_of_Q 1 = 1.
Proof. by rewrite /real_of_Q divr1. Qed.

End RealOfQ.

Definition sum_Q := foldr (fun p q => Qred (Qplus p q)) 0%Q.

Lemma real_of_sum (R : realType) (X : Type) (F : X -> Q) l : real_of_Q R (sum_Q (map F l)) = \sum_(x <- l) real_of_Q R (F x).
Proof.
elim: l => [|x l IH] /=; first by rewrite big_nil real_of_Q0.
by rewrite big_cons -IH -real_of_QD; apply/real_of_QE/Qred_correct.
Qed.

(** ** Listing all sequences of a length *)

Fixpoint sequences (X : Type) (l : seq X) (N : nat) : seq (seq X) :=
  if N is N'.+1 then [seq x :: tr | x <- l, tr <- sequences l N'] else [:: [::]].

Lemma size_sequences X (l : seq X) N : size (sequences l N) = (size l ^ N)%N.
Proof. by elim: N => // N IH; rewrite /= size_allpairs IH expnS. Qed.

Section Listing.

Variables (T : finType) (X : eqType) (name : T -> X) (l : seq X).
Hypotheses (injective_name : injective name) (size_l : size l = #|T|) (name_l : forall x, name x \in l).

Lemma mem_sequences (tr : seq T) : map name tr \in sequences l (size tr).
Proof. by elim: tr => // x tr IH; apply: allpairs_f. Qed.

Lemma perm_sequences N : perm_eq [seq map name tr | tr : N.-tuple T <- index_enum [finType of N.-tuple T]] (sequences l N).
Proof.
set s := [seq _ | _ <- _].
have uniq_s : uniq s.
  by rewrite map_inj_uniq ?index_enum_uniq // => x y /(inj_map injective_name) /val_inj.
have sub : {subset s <= sequences l N}.
  by move=> _ /mapP[tr _ ->]; rewrite -[X in sequences _ X](size_tuple tr) mem_sequences.
have size_s : size s = size (sequences l N).
  by rewrite size_sequences size_map -[index_enum _]enumT -cardE card_tuple size_l.
have [_ same] := uniq_min_size uniq_s sub (eq_leq (esym size_s)).
by apply: uniq_perm => //; apply: (leq_size_uniq uniq_s sub); rewrite size_s.
Qed.

Lemma sum_sequences (R : ringType) (F : seq X -> R) N : \sum_(tr : N.-tuple T) F (map name tr) = \sum_(tr <- sequences l N) F tr.
Proof. by rewrite -(perm_big _ (perm_sequences N)) big_map. Qed.

End Listing.

(** ** Twins *)

Definition look1 (t : seq Q) i := nth 0%Q t i.
Definition look2 (t : seq (seq Q)) i j := look1 (nth [::] t i) j.
Definition look3 (t : seq (seq (seq Q))) i j k := look2 (nth [::] t i) j k.

Definition agree1 n (f : nat -> Q) l := all (fun i => Qeq_bool (f i) (look1 l i)) (iota 0 n).
Definition agree2 n m (f : nat -> nat -> Q) l := all (fun i => all (fun j => Qeq_bool (f i j) (look2 l i j)) (iota 0 m)) (iota 0 n).

Lemma ord_in_iota n (i : 'I_n) : val i \in iota 0 n.
Proof. by rewrite mem_iota /= add0n. Qed.

Lemma agree1P n f l : agree1 n f l -> forall i : 'I_n, Qeq (f i) (look1 l i).
Proof. by move=> /allP same i; apply/Qeq_bool_iff/same/ord_in_iota. Qed.

Lemma agree2P n m f l : agree2 n m f l -> forall (i : 'I_n) (j : 'I_m), Qeq (f i j) (look2 l i j).
Proof. by move=> /allP same i j; apply/Qeq_bool_iff; have /allP := same _ (ord_in_iota i); apply; apply: ord_in_iota. Qed.

Section Twins.

Variables (n m : nat) (P : seq (seq (seq Q))) (r : seq (seq Q)) (g : Q) (pi : seq (seq Q)).

Fixpoint prob_Q s (tr : seq (nat * nat)) : Q := if tr is (a, s') :: tr' then Qmult (Qmult (look2 pi s a) (look3 P s a s')) (prob_Q s' tr') else 1%Q.

Fixpoint return_Q s (tr : seq (nat * nat)) : Q := if tr is (a, s') :: tr' then Qplus (look2 r s a) (Qmult g (return_Q s' tr')) else 0%Q.

Fixpoint last_Q (s : nat) (tr : seq (nat * nat)) : nat := if tr is (_, s') :: tr' then last_Q s' tr' else s.

Definition trajectories N := sequences [seq (a, s) | a <- iota 0 m, s <- iota 0 n] N.

Definition J_Q N s := sum_Q [seq Qmult (prob_Q s tr) (return_Q s tr) | tr <- trajectories N].

Definition prob_at_Q t s0 s := sum_Q [seq (if last_Q s0 tr == s then prob_Q s0 tr else 0%Q) | tr <- trajectories t].

Definition JQ_Q N s a :=
  sum_Q [seq sum_Q [seq Qmult (Qmult (look3 P s a s') (prob_Q s' tr)) (Qplus (look2 r s a) (Qmult g (return_Q s' tr)))
                   | tr <- trajectories N] | s' <- iota 0 n].

(** The model over the reals whose entries are those of the tables. *)

Variable R : realType.

Definition P_R (s : 'I_n) (a : 'I_m) (s' : 'I_n) : R := real_of_Q R (look3 P s a s').
Definition r_R (s : 'I_n) (a : 'I_m) : R := real_of_Q R (look2 r s a).
Definition g_R : R := real_of_Q R g.
Definition pi_R (s : 'I_n) (a : 'I_m) : R := real_of_Q R (look2 pi s a).

Let name (x : 'I_m * 'I_n) : nat * nat := (val x.1, val x.2).
Let names := map name.

Lemma prob_twin (s : 'I_n) tr : traj_prob P_R pi_R s tr = real_of_Q R (prob_Q s (names tr)).
Proof. by elim: tr s => [|[a s'] tr IH] s /=; rewrite ?real_of_Q1 // !real_of_QM IH. Qed.

Lemma return_twin (s : 'I_n) tr : traj_return r_R g_R s tr = real_of_Q R (return_Q s (names tr)).
Proof. by elim: tr s => [|[a s'] tr IH] s /=; rewrite ?real_of_Q0 // real_of_QD real_of_QM IH. Qed.

Lemma last_twin (s : 'I_n) (tr : seq ('I_m * 'I_n)) : val (traj_last s tr) = last_Q s (names tr).
Proof. by elim: tr s => [|[a s'] tr IH] s; [|apply: IH]. Qed.

Lemma sum_trajectories (F : seq (nat * nat) -> R) N :
  \sum_(tr : N.-tuple ('I_m * 'I_n)) F (names tr) = \sum_(tr <- trajectories N) F tr.
Proof.
apply: sum_sequences => [[a s] [b t] e | | [a s]].
- by case: e => /val_inj -> /val_inj ->.
- by rewrite size_allpairs !size_iota card_prod !card_ord.
by apply: allpairs_f; rewrite mem_iota /= add0n.
Qed.

Theorem J_twin N (s : 'I_n) : J P_R r_R g_R pi_R N s = real_of_Q R (J_Q N s).
Proof.
rewrite /J_Q real_of_sum -(sum_trajectories (fun tr => real_of_Q R (Qmult (prob_Q s tr) (return_Q s tr)))).
by apply: eq_bigr => tr _; rewrite real_of_QM prob_twin return_twin.
Qed.

Theorem prob_at_twin t (s0 s : 'I_n) : prob_at P_R pi_R t s0 s = real_of_Q R (prob_at_Q t s0 s).
Proof.
rewrite /prob_at_Q real_of_sum -(sum_trajectories (fun tr => real_of_Q R (if last_Q s0 tr == s then prob_Q s0 tr else 0%Q))).
rewrite [LHS]big_mkcond; apply: eq_bigr => tr _.
rewrite -last_twin -[_ == _ :> nat]/(traj_last s0 tr == s).
by case: (_ == s); rewrite ?real_of_Q0 // prob_twin.
Qed.

Theorem JQ_twin N (s : 'I_n) (a : 'I_m) : JQ P_R r_R g_R pi_R N s a = real_of_Q R (JQ_Q N s a).
Proof.
rewrite /JQ_Q real_of_sum -[n in iota 0 n]subn0 -/(index_iota 0 n) big_mkord; apply: eq_bigr => s' _.
rewrite real_of_sum -(sum_trajectories (fun tr => real_of_Q R _)).
by apply: eq_bigr => tr _; rewrite !real_of_QM real_of_QD real_of_QM prob_twin return_twin.
Qed.

(** What the files that link.py writes appeal to: the tables [l] agree with the
    twins, which Coq computes, so the real numbers are those of the tables. *)

Theorem J_agrees N l : agree1 n (J_Q N) l -> forall s : 'I_n, J P_R r_R g_R pi_R N s = real_of_Q R (look1 l s).
Proof. by move=> /agree1P same s; rewrite J_twin; apply/real_of_QE/same. Qed.

Theorem prob_at_agrees t l :
  agree2 n n (prob_at_Q t) l -> forall s0 s : 'I_n, prob_at P_R pi_R t s0 s = real_of_Q R (look2 l s0 s).
Proof. by move=> /agree2P same s0 s; rewrite prob_at_twin; apply/real_of_QE/same. Qed.

Theorem JQ_agrees N l :
  agree2 n m (JQ_Q N) l -> forall (s : 'I_n) (a : 'I_m), JQ P_R r_R g_R pi_R N s a = real_of_Q R (look2 l s a).
Proof. by move=> /agree2P same s a; rewrite JQ_twin; apply/real_of_QE/same. Qed.

End Twins.

(** ** Deterministic policies

    Actions are natural numbers, [act s] is the action in [s]. *)

Section DeterministicTwins.

Variables (n : nat) (P : seq (seq (seq Q))) (r : seq (seq Q)) (g : Q) (act : seq nat).

Let m s := nth 0%N act s.

Fixpoint dprob_Q (s : nat) (tr : seq nat) : Q := if tr is s' :: tr' then Qmult (look3 P s (m s) s') (dprob_Q s' tr') else 1%Q.

Fixpoint dreturn_Q (s : nat) (tr : seq nat) : Q := if tr is s' :: tr' then Qplus (look2 r s (m s)) (Qmult g (dreturn_Q s' tr')) else 0%Q.

Definition dJ_Q N s := sum_Q [seq Qmult (dprob_Q s tr) (dreturn_Q s tr) | tr <- sequences (iota 0 n) N].

Definition dprob_at_Q t s0 s := sum_Q [seq (if last s0 tr == s then dprob_Q s0 tr else 0%Q) | tr <- sequences (iota 0 n) t].

Variable R : realType.

Definition dP_R (s : 'I_n) (a : nat) (s' : 'I_n) : R := real_of_Q R (look3 P s a s').
Definition dr_R (s : 'I_n) (a : nat) : R := real_of_Q R (look2 r s a).
Definition act_R (s : 'I_n) : nat := nth 0%N act s.

Let names := map (val : 'I_n -> nat).

Lemma dprob_twin (s : 'I_n) tr : dtraj_prob dP_R act_R s tr = real_of_Q R (dprob_Q s (names tr)).
Proof. by elim: tr s => [|s' tr IH] s /=; rewrite ?real_of_Q1 // real_of_QM IH. Qed.

Lemma dreturn_twin (s : 'I_n) tr : dtraj_return dr_R (g_R g R) act_R s tr = real_of_Q R (dreturn_Q s (names tr)).
Proof. by elim: tr s => [|s' tr IH] s /=; rewrite ?real_of_Q0 // real_of_QD real_of_QM IH. Qed.

Lemma sum_states (F : seq nat -> R) N : \sum_(tr : N.-tuple 'I_n) F (names tr) = \sum_(tr <- sequences (iota 0 n) N) F tr.
Proof.
apply: sum_sequences => [|| s]; [exact: val_inj | by rewrite size_iota card_ord | exact: ord_in_iota].
Qed.

Theorem dJ_twin N (s : 'I_n) : dJ dP_R dr_R (g_R g R) act_R N s = real_of_Q R (dJ_Q N s).
Proof.
rewrite /dJ_Q real_of_sum -(sum_states (fun tr => real_of_Q R (Qmult (dprob_Q s tr) (dreturn_Q s tr)))).
by apply: eq_bigr => tr _; rewrite real_of_QM dprob_twin dreturn_twin.
Qed.

Theorem dprob_at_twin t (s0 s : 'I_n) : dprob_at dP_R act_R t s0 s = real_of_Q R (dprob_at_Q t s0 s).
Proof.
rewrite /dprob_at_Q real_of_sum -(sum_states (fun tr => real_of_Q R (if last (val s0) tr == s then dprob_Q s0 tr else 0%Q))).
rewrite [LHS]big_mkcond; apply: eq_bigr => tr _.
rewrite last_map -[_ == _ :> nat]/(last s0 tr == s).
by case: (_ == s); rewrite ?real_of_Q0 // dprob_twin.
Qed.

Theorem dJ_agrees N l : agree1 n (dJ_Q N) l -> forall s : 'I_n, dJ dP_R dr_R (g_R g R) act_R N s = real_of_Q R (look1 l s).
Proof. by move=> /agree1P same s; rewrite dJ_twin; apply/real_of_QE/same. Qed.

Theorem dprob_at_agrees t l :
  agree2 n n (dprob_at_Q t) l -> forall s0 s : 'I_n, dprob_at dP_R act_R t s0 s = real_of_Q R (look2 l s0 s).
Proof. by move=> /agree2P same s0 s; rewrite dprob_at_twin; apply/real_of_QE/same. Qed.

End DeterministicTwins.

Arguments P_R n m P R s a s' : clear implicits.
Arguments r_R n m r R s a : clear implicits.
Arguments pi_R n m pi R s a : clear implicits.
Arguments J_agrees {n m P r g pi R}.
Arguments prob_at_agrees {n m P pi R}.
Arguments JQ_agrees {n m P r g pi R}.
Arguments dP_R n P R s a s' : clear implicits.
Arguments dr_R n r R s a : clear implicits.
Arguments act_R n act s : clear implicits.
Arguments dJ_agrees {n P r g act R}.
Arguments dprob_at_agrees {n P act R}.
