(** * States of any finite type

    The definitions speak of states of any finite type [S]; the theorems of
    Stochastic.v and Deterministic.v are about the states ['I_n], the numbers
    below [n].  Here they are carried over to any [S].

    [enum_val] numbers the states: it is a bijection from ['I_#|S|] to [S], with
    inverse [enum_rank].  It maps the trajectories of the numbered process to
    those of the process, step by step, so that all quantities agree. *)

From mathcomp Require Import all_ssreflect ssralg ssrnum matrix.
From mathcomp Require Import boolp classical_sets functions.
From mathcomp Require Import reals topology normedtype sequences derive.
From PGFormal Require Import Definitions Limits Stochastic Deterministic.

Set Implicit Arguments.
Unset Strict Implicit.
Unset Printing Implicit Defensive.

Import Order.TTheory GRing.Theory Num.Theory.
Import numFieldNormedType.Exports.

Local Open Scope classical_set_scope.
Local Open Scope ring_scope.

(** ** Sums and trajectories, renumbered *)

(** If [h] renumbers the terms of all sums, it renumbers those of all sums over
    tuples. *)
Lemma sum_tuple_map (R : realType) (T T' : finType) (h : T -> T') :
  (forall F : T' -> R, \sum_x F (h x) = \sum_y F y) ->
  forall N (F : seq T' -> R),
    \sum_(tr : N.-tuple T) F (map h tr) = \sum_(tr : N.-tuple T') F tr.
Proof.
move=> sum_h; elim=> [|N ihN] F.
  by rewrite (sum_tuple0 (fun tr => F (map h tr))) sum_tuple0.
rewrite (sum_tupleS _ (fun tr => F (map h tr))) sum_tupleS.
under eq_bigr => x _ do rewrite (ihN (fun tr => F (h x :: tr))).
exact: (sum_h (fun y => \sum_(tr : N.-tuple T') F (y :: tr))).
Qed.

Section Numbered.

Variables (R : realType) (S : finType).

(** A sum over the numbers is a sum over the states. *)
Lemma sum_enum_val (F : S -> R) :
  \sum_(i < #|S|) F (enum_val i) = \sum_s F s.
Proof. by rewrite -big_enum_val. Qed.

End Numbered.

Section StochasticNumbered.

Variables (R : realType) (S A : finType).
Variables (P : S -> A -> S -> R) (r : S -> A -> R) (g : R).
Variable pi : S -> A -> R.

(** The process on the numbers of the states. *)
Let P' (i : 'I_#|S|) a (j : 'I_#|S|) : R := P (enum_val i) a (enum_val j).
Let r' (i : 'I_#|S|) a : R := r (enum_val i) a.
Let pi' (i : 'I_#|S|) a : R := pi (enum_val i) a.

Let step (x : A * 'I_#|S|) : A * S := (x.1, enum_val x.2).

(** Steps, renumbered. *)
Let sum_step (F : A * S -> R) : \sum_x F (step x) = \sum_y F y.
Proof.
transitivity (\sum_a \sum_s F (a, s)); last first.
  by rewrite pair_bigA; apply: eq_bigr => -[].
rewrite -(pair_bigA _ (fun a j => F (a, enum_val j)))/=.
by apply: eq_bigr => a _; rewrite (sum_enum_val (fun s => F (a, s))).
Qed.

(** Along a trajectory all is the same. *)
Let probE i tr :
  traj_prob P' pi' i tr = traj_prob P pi (enum_val i) (map step tr).
Proof. by elim: tr i => [|[a j] tr ihtr] i //=; rewrite ihtr. Qed.

Let returnE i tr :
  traj_return r' g i tr = traj_return r g (enum_val i) (map step tr).
Proof. by elim: tr i => [|[a j] tr ihtr] i //=; rewrite ihtr. Qed.

Let lastE i tr :
  enum_val (traj_last i tr) = traj_last (enum_val i) (map step tr).
Proof. by elim: tr i => [|[a j] tr ihtr] i //=; rewrite ihtr. Qed.

(** So are the sums over trajectories and their limits. *)
Lemma numbered_J N i : J P' r' g pi' N i = J P r g pi N (enum_val i).
Proof.
rewrite /J; under eq_bigr do rewrite probE returnE.
pose F tr := traj_prob P pi (enum_val i) tr * traj_return r g (enum_val i) tr.
exact: (sum_tuple_map sum_step N F).
Qed.

Lemma numbered_prob_at t i j :
  prob_at P' pi' t i j = prob_at P pi t (enum_val i) (enum_val j).
Proof.
rewrite /prob_at big_mkcond [RHS]big_mkcond/=.
under eq_bigr do rewrite -(inj_eq enum_val_inj) lastE probE.
pose F tr := if traj_last (enum_val i) tr == enum_val j
  then traj_prob P pi (enum_val i) tr else 0.
exact: (sum_tuple_map sum_step t F).
Qed.

Lemma numbered_JQ N i a : JQ P' r' g pi' N i a = JQ P r g pi N (enum_val i) a.
Proof.
rewrite /JQ -[RHS]sum_enum_val; apply: eq_bigr => j _.
under eq_bigr do rewrite probE returnE.
pose F tr := P (enum_val i) a (enum_val j) * traj_prob P pi (enum_val j) tr *
  (r (enum_val i) a + g * traj_return r g (enum_val j) tr).
exact: (sum_tuple_map sum_step N F).
Qed.

Lemma numbered_value i : value P' r' g pi' i = value P r g pi (enum_val i).
Proof.
rewrite /value; congr (lim (_ @ \oo)).
by apply/funext => N; exact: numbered_J.
Qed.

Lemma numbered_occupancy i j :
  occupancy P' g pi' i j = occupancy P g pi (enum_val i) (enum_val j).
Proof.
rewrite /occupancy; congr (lim (series _ @ \oo)).
by apply/funext => t; rewrite numbered_prob_at.
Qed.

Lemma numbered_qvalue i a :
  qvalue P' r' g pi' i a = qvalue P r g pi (enum_val i) a.
Proof.
rewrite /qvalue; congr (_ + _ * _); rewrite -[RHS]sum_enum_val.
by apply: eq_bigr => j _; rewrite numbered_value.
Qed.

(** A policy stays a policy. *)
Lemma numbered_policy : policy pi -> policy pi'.
Proof. by case=> pi_ge0 pi_sum1; split=> *; [exact: pi_ge0|exact: pi_sum1]. Qed.

End StochasticNumbered.

(** The matrix of the steps from state to state, on the numbers of the
    states. *)
Definition numbered_pm (R : realType) (S A : finType)
    (P : S -> A -> S -> R) (pi : S -> A -> R) : 'M[R]_#|S| :=
  \matrix_(i, j) \sum_a pi (enum_val i) a * P (enum_val i) a (enum_val j).

(** ** Limits *)

Section AnyStates.

Variables (R : realType) (S A : finType).
Variables (P : S -> A -> S -> R) (r : S -> A -> R) (g : R).
Variable pi : S -> A -> R.

Hypothesis g01 : 0 <= g < 1.
Hypothesis P_ge0 : forall s a s', 0 <= P s a s'.
Hypothesis P_sum1 : forall s a, \sum_s' P s a s' = 1.
Hypothesis pi_policy : policy pi.

Let P' (i : 'I_#|S|) a (j : 'I_#|S|) : R := P (enum_val i) a (enum_val j).
Let r' (i : 'I_#|S|) a : R := r (enum_val i) a.
Let pi' (i : 'I_#|S|) a : R := pi (enum_val i) a.

(** The hypotheses hold of the numbered process. *)
Let P'_ge0 i a j : 0 <= P' i a j. Proof. exact: P_ge0. Qed.

Let P'_sum1 i a : \sum_j P' i a j = 1.
Proof. by rewrite (sum_enum_val (P (enum_val i) a)) P_sum1. Qed.

Let pi'_policy : policy pi'. Proof. exact: numbered_policy. Qed.

(** The expected returns converge to the value and the action value. *)
Lemma finite_cvg_J s : (fun N => J P r g pi N s) --> value P r g pi s.
Proof.
have := @cvg_J _ _ _ P' r' g pi' g01 P'_ge0 P'_sum1 pi'_policy (enum_rank s).
have -> : (fun N => J P' r' g pi' N (enum_rank s)) = (fun N => J P r g pi N s).
  by apply/funext => N; rewrite numbered_J enum_rankK.
by rewrite numbered_value enum_rankK.
Qed.

Lemma finite_cvg_JQ s a : (fun N => JQ P r g pi N s a) --> qvalue P r g pi s a.
Proof.
have := @cvg_JQ _ _ _ P' r' g pi' g01 P'_ge0 P'_sum1 pi'_policy
  (enum_rank s) a.
have -> : (fun N => JQ P' r' g pi' N (enum_rank s) a) =
    (fun N => JQ P r g pi N s a).
  by apply/funext => N; rewrite numbered_JQ enum_rankK.
by rewrite numbered_qvalue enum_rankK.
Qed.

(** The value is the average of the action value. *)
Lemma finite_value_qvalue s :
  value P r g pi s = \sum_a pi s a * qvalue P r g pi s a.
Proof.
have := value_qvalue r' g01 P'_ge0 P'_sum1 pi'_policy (enum_rank s).
rewrite numbered_value enum_rankK => ->.
by apply: eq_bigr => a _; rewrite numbered_qvalue /pi' enum_rankK.
Qed.

(** The discounted probabilities of being in a state add up to its occupancy. *)
Lemma finite_cvg_occupancy s0 s :
  series (fun t => g ^+ t * prob_at P pi t s0 s) --> occupancy P g pi s0 s.
Proof.
have := @cvg_occupancy _ _ _ P' g pi' g01 P'_ge0 P'_sum1 pi'_policy
  (enum_rank s0) (enum_rank s).
have -> : (fun t => g ^+ t * prob_at P' pi' t (enum_rank s0) (enum_rank s)) =
    (fun t => g ^+ t * prob_at P pi t s0 s).
  by apply/funext => t; rewrite numbered_prob_at !enum_rankK.
by rewrite numbered_occupancy !enum_rankK.
Qed.

(** The occupancy is an entry of the resolvent, on the numbers of the states. *)
Lemma finite_occupancy_resolvent s0 s :
  occupancy P g pi s0 s =
  invmx (1%:M - g *: numbered_pm P pi) (enum_rank s0) (enum_rank s).
Proof.
rewrite -(occupancy_resolvent g01 P'_ge0 P'_sum1 pi'_policy).
by rewrite numbered_occupancy !enum_rankK.
Qed.

(** It is not negative, and sums to [1 / (1 - g)]. *)
Lemma finite_occupancy_ge0 s0 s : 0 <= occupancy P g pi s0 s.
Proof.
have := occupancy_ge0 g01 P'_ge0 P'_sum1 pi'_policy
  (enum_rank s0) (enum_rank s).
by rewrite numbered_occupancy !enum_rankK.
Qed.

Lemma finite_occupancy_sum s0 : \sum_s occupancy P g pi s0 s = (1 - g)^-1.
Proof.
rewrite -(occupancy_sum g01 P'_ge0 P'_sum1 pi'_policy (enum_rank s0)).
rewrite -sum_enum_val; apply: eq_bigr => i _.
by rewrite numbered_occupancy enum_rankK.
Qed.

End AnyStates.

Section DeterministicNumbered.

Variables (R : realType) (S : finType) (U : Type).
Variables (P : S -> U -> S -> R) (r : S -> U -> R) (g : R).
Variable m : S -> U.

(** The process on the numbers of the states. *)
Let P' (i : 'I_#|S|) u (j : 'I_#|S|) : R := P (enum_val i) u (enum_val j).
Let r' (i : 'I_#|S|) u : R := r (enum_val i) u.
Let m' (i : 'I_#|S|) : U := m (enum_val i).

Let state (i : 'I_#|S|) : S := enum_val i.

(** Along a trajectory all is the same. *)
Let probE i tr :
  dtraj_prob P' m' i tr = dtraj_prob P m (enum_val i) (map state tr).
Proof. by elim: tr i => [|j tr ihtr] i //=; rewrite ihtr. Qed.

Let returnE i tr :
  dtraj_return r' g m' i tr = dtraj_return r g m (enum_val i) (map state tr).
Proof. by elim: tr i => [|j tr ihtr] i //=; rewrite ihtr. Qed.

Let lastE i tr :
  enum_val (last i tr) = last (enum_val i) (map state tr).
Proof. exact/esym/last_map. Qed.

(** So are the sums over trajectories and their limits. *)
Lemma numbered_dJ N i : dJ P' r' g m' N i = dJ P r g m N (enum_val i).
Proof.
rewrite /dJ; under eq_bigr do rewrite probE returnE.
pose F tr :=
  dtraj_prob P m (enum_val i) tr * dtraj_return r g m (enum_val i) tr.
exact: (sum_tuple_map (@sum_enum_val R S) N F).
Qed.

Lemma numbered_dprob_at t i j :
  dprob_at P' m' t i j = dprob_at P m t (enum_val i) (enum_val j).
Proof.
rewrite /dprob_at big_mkcond [RHS]big_mkcond/=.
under eq_bigr do rewrite -(inj_eq enum_val_inj) lastE probE.
pose F tr := if last (enum_val i) tr == enum_val j
  then dtraj_prob P m (enum_val i) tr else 0.
exact: (sum_tuple_map (@sum_enum_val R S) t F).
Qed.

Lemma numbered_dvalue i : dvalue P' r' g m' i = dvalue P r g m (enum_val i).
Proof.
rewrite /dvalue; congr (lim (_ @ \oo)).
by apply/funext => N; exact: numbered_dJ.
Qed.

Lemma numbered_doccupancy i j :
  doccupancy P' g m' i j = doccupancy P g m (enum_val i) (enum_val j).
Proof.
rewrite /doccupancy; congr (lim (series _ @ \oo)).
by apply/funext => t; rewrite numbered_dprob_at.
Qed.

Lemma numbered_dq i u : dq P' r' g m' i u = dq P r g m (enum_val i) u.
Proof.
rewrite /dq; congr (_ + _ * _); rewrite -[RHS]sum_enum_val.
by apply: eq_bigr => j _; rewrite numbered_dvalue.
Qed.

(** A kernel stays a kernel. *)
Lemma numbered_kernel_at : kernel_at P m -> kernel_at P' m'.
Proof.
case=> P_ge0 P_sum1; split=> [i j|i]; first exact: P_ge0.
by rewrite (sum_enum_val (P (enum_val i) (m (enum_val i)))) P_sum1.
Qed.

End DeterministicNumbered.

(** ** The policy gradient theorem *)

Theorem policy_gradient_theorem_finite
    (R : realType) (T : normedModType R) (S A : finType)
    (P : S -> A -> S -> R) (r : S -> A -> R) (g : R)
    (pi : T -> S -> A -> R) (th : T) :
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
        series (fun t => g ^+ t * prob_at P (pi th) t s0 s) --> d s0 s) /\
      (forall s0 s, d s0 s = invmx (1%:M - g *: numbered_pm P (pi th))
        (enum_rank s0) (enum_rank s)),
      forall s0, differentiable (fun t => V t s0 : R) th
    & forall s0 v, 'D_v (fun t => V t s0 : R) th =
        \sum_s d s0 s * \sum_a 'D_v (fun t => pi t s a : R) th * Q s a].
Proof.
move=> g01 P_ge0 P_sum1 pi_policy dpi V Q d.
pose P' (i : 'I_#|S|) a (j : 'I_#|S|) := P (enum_val i) a (enum_val j).
pose r' (i : 'I_#|S|) a := r (enum_val i) a.
pose pi' t (i : 'I_#|S|) a := pi t (enum_val i) a.
have P'_ge0 i a j : 0 <= P' i a j by exact: P_ge0.
have P'_sum1 i a : \sum_j P' i a j = 1.
  by rewrite (sum_enum_val (P (enum_val i) a)) P_sum1.
have pi'_policy : \forall t \near th, policy (pi' t).
  by apply: filterS pi_policy => t; exact: numbered_policy.
have dpi' i a : differentiable (fun t => pi' t i a : R) th by exact: dpi.
have [_ _ _ dV gradV] :=
  policy_gradient_theorem r' g01 P'_ge0 P'_sum1 pi'_policy dpi'.
have VE s : (fun t => V t s) = (fun t => value P' r' g (pi' t) (enum_rank s)).
  by apply/funext => t; rewrite numbered_value enum_rankK.
have pi_th := nbhs_singleton pi_policy.
split.
- by apply: filterS pi_policy => t pi_t s; exact: finite_cvg_J.
- by move=> s a; exact: finite_cvg_JQ.
- split=> s0 s; first exact: finite_cvg_occupancy.
  exact: finite_occupancy_resolvent.
- by move=> s0; rewrite VE; exact: dV.
- move=> s0 v; rewrite VE; apply: (etrans (gradV (enum_rank s0) v)).
  rewrite -[RHS]sum_enum_val; apply: eq_bigr => i _.
  rewrite numbered_occupancy enum_rankK; congr (_ * _).
  by apply: eq_bigr => a _; rewrite numbered_qvalue.
Qed.

(** ** The deterministic policy gradient theorem *)

(** The matrix of the steps from state to state, on the numbers of the
    states. *)
Definition numbered_dpm (R : realType) (S : finType) (U : Type)
    (P : S -> U -> S -> R) (m : S -> U) : 'M[R]_#|S| :=
  \matrix_(i, j) P (enum_val i) (m (enum_val i)) (enum_val j).

Theorem deterministic_policy_gradient_finite
    (R : realType) (U T : normedModType R) (S : finType)
    (P : S -> U -> S -> R) (r : S -> U -> R) (g : R)
    (mu : T -> S -> U) (th : T) :
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
        series (fun t => g ^+ t * dprob_at P (mu th) t s0 s) --> d s0 s) /\
      (forall s0 s, d s0 s = invmx (1%:M - g *: numbered_dpm P (mu th))
        (enum_rank s0) (enum_rank s)),
      forall s0, differentiable (fun t => V t s0 : R) th,
      forall s, differentiable (fun u => Q s u : R) (mu th s)
    & forall s0 v, 'D_v (fun t => V t s0 : R) th =
        \sum_s d s0 s *
          'D_('D_v (fun t => mu t s) th) (fun u => Q s u : R) (mu th s)].
Proof.
move=> g01 mu_kernel dmu dP dr V Q d.
pose P' (i : 'I_#|S|) u (j : 'I_#|S|) := P (enum_val i) u (enum_val j).
pose r' (i : 'I_#|S|) u := r (enum_val i) u.
pose mu' t (i : 'I_#|S|) := mu t (enum_val i).
have mu'_kernel : \forall t \near th, kernel_at P' (mu' t).
  by apply: filterS mu_kernel => t; exact: numbered_kernel_at.
have dmu' i : differentiable (fun t => mu' t i) th by exact: dmu.
have dP' i j : differentiable (fun u => P' i u j : R) (mu' th i) by exact: dP.
have dr' i : differentiable (fun u => r' i u : R) (mu' th i) by exact: dr.
have [cvgV [cvgd dE] dV dQ gradV] :=
  deterministic_policy_gradient_theorem g01 mu'_kernel dmu' dP' dr'.
have VE t s : V t s = dvalue P' r' g (mu' t) (enum_rank s).
  by rewrite numbered_dvalue enum_rankK.
have dE' s0 s :
    d s0 s = doccupancy P' g (mu' th) (enum_rank s0) (enum_rank s).
  by rewrite numbered_doccupancy !enum_rankK.
have VEfun s :
    (fun t => V t s) = (fun t => dvalue P' r' g (mu' t) (enum_rank s)).
  by apply/funext => t.
have QEfun i : (fun u => dq P' r' g (mu' th) i u) = (fun u => Q (enum_val i) u).
  by apply/funext => u; rewrite numbered_dq.
split.
- apply: filterS cvgV => t cvgVt s.
  have -> : (fun N => dJ P r g (mu t) N s) =
      (fun N => dJ P' r' g (mu' t) N (enum_rank s)).
    by apply/funext => N; rewrite numbered_dJ enum_rankK.
  by rewrite VE; exact: cvgVt.
- split=> s0 s; last by rewrite dE' dE.
  have -> : (fun t => g ^+ t * dprob_at P (mu th) t s0 s) =
      (fun t => g ^+ t * dprob_at P' (mu' th) t (enum_rank s0) (enum_rank s)).
    by apply/funext => t; rewrite numbered_dprob_at !enum_rankK.
  by rewrite dE'; exact: cvgd.
- by move=> s0; rewrite VEfun; exact: dV.
- move=> s; have := dQ (enum_rank s).
  by rewrite QEfun /mu' enum_rankK.
- move=> s0 v; rewrite VEfun; apply: (etrans (gradV (enum_rank s0) v)).
  rewrite -[RHS]sum_enum_val; apply: eq_bigr => i _.
  by rewrite dE' enum_valK QEfun.
Qed.
