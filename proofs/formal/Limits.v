(** * The limits exist, and what they are

    For [0 <= g < 1], a stochastic [P] and a policy [pi] the expected returns
    of the first [N] steps converge to the value, the partial sums of the
    discounted probabilities of being in a state converge to the occupancy, the
    value is the resolvent of [P_pi] applied to the rewards, and the occupancy
    is an entry of that resolvent.  The second half says the same of a
    deterministic policy.

    Both halves rest on two facts.  A sum over trajectories of [N + 1] steps is
    a sum over the first step and the trajectories of the other [N] steps, so
    the returns, and likewise the partial sums of the occupancy, are what
    iterating a Bellman equation [N] times from zero gives; and such iterates
    converge (Resolvent.v, [iterate_bound]). *)

From mathcomp Require Import all_ssreflect ssralg ssrnum matrix.
From mathcomp Require Import boolp classical_sets functions reals topology.
From mathcomp Require Import normedtype sequences.
From PGFormal Require Import Definitions Resolvent.

Import numFieldNormedType.Exports.

Set Implicit Arguments.
Unset Strict Implicit.
Unset Printing Implicit Defensive.

Import GRing.Theory Num.Theory.

Local Open Scope ring_scope.
Local Open Scope classical_set_scope.

(** ** Iterates of a Bellman equation converge *)

Lemma cvg_iterate (R : realType) (n : nat) (K : 'M[R]_n) (g : R)
    (w : 'cV[R]_n) (f : nat -> 'I_n -> R) :
  stochastic K -> 0 <= g < 1 ->
  (forall i, f 0%N i = 0) ->
  (forall N i, f N.+1 i = w i ord0 + g * \sum_j K i j * f N j) ->
  forall i, f N i @[N --> \oo] --> (invmx (1%:M - g *: K) *m w) i ord0.
Proof.
move=> K_stochastic g01 f0 fS i.
have [g_ge0 g_lt1] := andP g01.
set v := invmx _ *m w; set C := \sum_j `|v j ord0|.
have bound_to0 : (fun N => g ^+ N * C) --> (0 : R).
  rewrite -[X in _ --> X](mul0r C); apply: cvgMl.
  by apply: cvg_expr; rewrite ger0_norm.
have gap_to0 : (fun N => v i ord0 - f N i) --> (0 : R).
  apply: norm_cvg0.
  apply: (squeeze_cvgr _ (cvg_cst (0 : R)) bound_to0).
  by apply: nearW => N; rewrite normr_ge0 iterate_bound.
have -> : (fun N => f N i) = (fun N => v i ord0 - (v i ord0 - f N i)).
  by apply/funext => N; rewrite opprB addrC subrK.
rewrite -[X in _ --> X]subr0.
by apply: cvgB => //; exact: cvg_cst.
Qed.

(** A finite sum of convergent sequences converges to the sum of the limits. *)
Lemma cvg_sum (R : realType) (I : Type) (l : seq I)
    (f : I -> nat -> R) (a : I -> R) :
  (forall i, f i --> a i) ->
  (fun N => \sum_(i <- l) f i N) --> \sum_(i <- l) a i.
Proof.
move=> fa; elim: l => [|i l ihl].
  have -> : (fun N => \sum_(i <- [::]) f i N) = (fun=> 0).
    by apply/funext => N; rewrite big_nil.
  by rewrite [X in _ --> X]big_nil; exact: cvg_cst.
have -> : (fun N => \sum_(j <- i :: l) f j N) =
    f i + (fun N => \sum_(j <- l) f j N).
  by apply/funext => N; rewrite big_cons.
by rewrite [X in _ --> X]big_cons; exact: cvgD (fa i) ihl.
Qed.

(** ** Sums over trajectories, one step at a time *)

Section Tuples.

Variables (R : realType) (T : finType).

(** There is one trajectory of no steps. *)
Lemma sum_tuple0 (F : seq T -> R) : \sum_(tr : 0.-tuple T) F tr = F [::].
Proof.
by rewrite (big_pred1 [tuple])// => tr; apply/esym/eqP/tuple0.
Qed.

(** A trajectory of [N + 1] steps is a step and a trajectory of [N] steps. *)
Lemma sum_tupleS N (F : seq T -> R) :
  \sum_(tr : N.+1.-tuple T) F tr = \sum_x \sum_(tr : N.-tuple T) F (x :: tr).
Proof.
rewrite pair_bigA/=.
rewrite (reindex (fun p : T * N.-tuple T => [tuple of p.1 :: p.2]))//=.
exists (fun tr : N.+1.-tuple T => (thead tr, [tuple of behead tr])).
  by move=> [x tr] _; congr pair; apply: val_inj.
by move=> tr _; rewrite [RHS]tuple_eta; apply: val_inj.
Qed.

End Tuples.

(** A walk takes steps [x], with probability [w s x] and reward [c s x] from
    state [s], to the state [next x].  The trajectories of a stochastic policy
    have pairs of an action and a state for steps, those of a deterministic one
    have states. *)
Section Walks.

Variables (R : realType) (S T : finType) (next : T -> S).
Variables (w c : S -> T -> R) (g : R).
Variables (prob return_ : S -> seq T -> R) (end_ : S -> seq T -> S).

Hypothesis w_sum1 : forall s, \sum_x w s x = 1.
Hypothesis prob_nil : forall s, prob s [::] = 1.
Hypothesis prob_cons :
  forall s x tr, prob s (x :: tr) = w s x * prob (next x) tr.
Hypothesis return_cons :
  forall s x tr, return_ s (x :: tr) = c s x + g * return_ (next x) tr.
Hypothesis end_nil : forall s, end_ s [::] = s.
Hypothesis end_cons : forall s x tr, end_ s (x :: tr) = end_ (next x) tr.

(** The probabilities of all walks of [N] steps sum to one. *)
Lemma walk_prob_sum N s : \sum_(tr : N.-tuple T) prob s tr = 1.
Proof.
elim: N s => [|N ihN] s; first by rewrite sum_tuple0 prob_nil.
rewrite sum_tupleS -[RHS](w_sum1 s); apply: eq_bigr => x _.
under eq_bigr do rewrite prob_cons.
by rewrite -mulr_sumr ihN mulr1.
Qed.

(** The expectation of a return goes past sums and products with constants. *)
Lemma walk_return_affine N s (a b : R) :
  \sum_(tr : N.-tuple T) prob s tr * (a + b * return_ s tr) =
  a + b * \sum_(tr : N.-tuple T) prob s tr * return_ s tr.
Proof.
under eq_bigr do rewrite mulrDr mulrCA [prob s _ * a]mulrC.
by rewrite big_split/= -!mulr_sumr walk_prob_sum mulr1.
Qed.

(** The expected return, one step at a time. *)
Lemma walk_returnS N s :
  \sum_(tr : N.+1.-tuple T) prob s tr * return_ s tr =
  \sum_x w s x * (c s x +
    g * \sum_(tr : N.-tuple T) prob (next x) tr * return_ (next x) tr).
Proof.
rewrite (sum_tupleS _ (fun tr => prob s tr * return_ s tr)).
apply: eq_bigr => x _; rewrite -walk_return_affine mulr_sumr.
by apply: eq_bigr => tr _; rewrite prob_cons return_cons mulrA.
Qed.

(** The probability of being in [s] after no step, and one step at a time. *)
Lemma walk_at0 s0 s :
  \sum_(tr : 0.-tuple T | end_ s0 tr == s) prob s0 tr = (s0 == s)%:R.
Proof.
rewrite big_mkcond/=.
rewrite (sum_tuple0 (fun tr => if end_ s0 tr == s then prob s0 tr else 0)).
by rewrite end_nil prob_nil; case: eqP.
Qed.

Lemma walk_atS t s0 s :
  \sum_(tr : t.+1.-tuple T | end_ s0 tr == s) prob s0 tr =
  \sum_x w s0 x *
    \sum_(tr : t.-tuple T | end_ (next x) tr == s) prob (next x) tr.
Proof.
rewrite big_mkcond/=.
rewrite (sum_tupleS _ (fun tr => if end_ s0 tr == s then prob s0 tr else 0)).
apply: eq_bigr => x _; rewrite mulr_sumr [RHS]big_mkcond/=.
by apply: eq_bigr => tr _; rewrite end_cons prob_cons.
Qed.

End Walks.

(** Probabilities that move as the powers of a stochastic matrix add up,
    discounted, to the resolvent. *)
Lemma cvg_occupation (R : realType) (n : nat) (K : 'M[R]_n) (g : R)
    (p : nat -> 'I_n -> 'I_n -> R) :
  stochastic K -> 0 <= g < 1 ->
  (forall s0 s, p 0%N s0 s = (s0 == s)%:R) ->
  (forall t s0 s, p t.+1 s0 s = \sum_s' K s0 s' * p t s' s) ->
  forall s0 s,
    series (fun t => g ^+ t * p t s0 s) --> invmx (1%:M - g *: K) s0 s.
Proof.
move=> K_stochastic g01 p0 pS s0 s.
have := @cvg_iterate _ _ K g (delta_mx s ord0)
  (fun N s0 => series (fun t => g ^+ t * p t s0 s) N) K_stochastic g01.
move=> /(_ _ _ s0); rewrite -colE mxE; apply=> [i|N i].
  by rewrite /series/= big_nil.
rewrite /series/= big_nat_recl//= expr0 mul1r p0 mxE eqxx andbT; congr +%R.
under eq_bigr do rewrite pS exprS -mulrA.
rewrite -mulr_sumr; congr (_ * _).
under eq_bigr do rewrite mulr_sumr.
rewrite exchange_big/=; apply: eq_bigr => j _.
by rewrite mulr_sumr; apply: eq_bigr => t _; rewrite mulrCA.
Qed.

(** ** The steps of a stochastic policy *)

Section Steps.

Variables (R : realType) (S A : finType).
Variables (P : S -> A -> S -> R) (r : S -> A -> R) (g : R).
Variable pi : S -> A -> R.

(** Sums over steps, of an action and a state. *)
Let step_weight s (x : A * S) : R := pi s x.1 * P s x.1 x.2.

Let step_sum s (f : A -> S -> R) :
  \sum_x step_weight s x * f x.1 x.2 =
  \sum_a pi s a * \sum_s' P s a s' * f a s'.
Proof.
under [RHS]eq_bigr do rewrite mulr_sumr.
by rewrite pair_bigA/=; apply: eq_bigr => x _; rewrite /step_weight mulrA.
Qed.

(** The definitions, with the step unpacked. *)
Let prob_cons s (x : A * S) tr :
  traj_prob P pi s (x :: tr) = step_weight s x * traj_prob P pi x.2 tr.
Proof. by case: x. Qed.

Let return_cons s (x : A * S) tr :
  traj_return r g s (x :: tr) = r s x.1 + g * traj_return r g x.2 tr.
Proof. by case: x. Qed.

Let last_cons s (x : A * S) tr :
  traj_last s (x :: tr) = traj_last x.2 tr.
Proof. by case: x. Qed.

(** No steps, no return. *)
Lemma J0 s : J P r g pi 0 s = 0.
Proof.
rewrite /J (sum_tuple0 (fun tr => traj_prob P pi s tr * traj_return r g s tr)).
by rewrite mulr0.
Qed.

(** The probabilities of the states, one step at a time. *)
Lemma prob_at0 s0 s : prob_at P pi 0 s0 s = (s0 == s)%:R.
Proof. exact: walk_at0. Qed.

Lemma prob_at_step t s0 s :
  prob_at P pi t.+1 s0 s =
  \sum_a pi s0 a * \sum_s' P s0 a s' * prob_at P pi t s' s.
Proof.
rewrite /prob_at (walk_atS prob_cons last_cons).
exact: (step_sum s0 (fun _ s' => prob_at P pi t s' s)).
Qed.

Hypothesis P_ge0 : forall s a s', 0 <= P s a s'.
Hypothesis P_sum1 : forall s a, \sum_s' P s a s' = 1.
Hypothesis pi_policy : policy pi.

Let pi_sum1 s : \sum_a pi s a = 1. Proof. by case: pi_policy. Qed.

(** No probability is negative. *)
Lemma traj_prob_ge0 s tr : 0 <= traj_prob P pi s tr.
Proof.
elim: tr s => [|[a s'] tr ihtr] s /=; first exact: ler01.
by rewrite !mulr_ge0//; case: pi_policy.
Qed.

Let step_sum1 s : \sum_x step_weight s x = 1.
Proof.
under eq_bigr do rewrite -[step_weight s _]mulr1.
rewrite (step_sum s (fun _ _ => 1)) -[RHS](pi_sum1 s); apply: eq_bigr => a _.
by under eq_bigr do rewrite mulr1; rewrite P_sum1 mulr1.
Qed.

(** The probabilities of all trajectories of [N] steps sum to one. *)
Lemma traj_prob_sum N s :
  \sum_(tr : N.-tuple (A * S)) traj_prob P pi s tr = 1.
Proof. exact: (@walk_prob_sum _ _ _ snd step_weight). Qed.

(** One step of the action value, and of the expected return. *)
Lemma JQ_step N s a :
  JQ P r g pi N s a = r s a + g * \sum_s' P s a s' * J P r g pi N s'.
Proof.
rewrite /JQ mulr_sumr -[X in X + _]mul1r -(P_sum1 s a) mulr_suml -big_split/=.
apply: eq_bigr => s' _; rewrite mulrCA -mulrDr /J.
rewrite -(@walk_return_affine _ _ _ snd step_weight (traj_prob P pi))//.
by rewrite mulr_sumr; apply: eq_bigr => tr _; rewrite mulrA.
Qed.

(** The return of a first action taken from [pi]. *)
Lemma J_JQ N s : J P r g pi N.+1 s = \sum_a pi s a * JQ P r g pi N s a.
Proof.
rewrite /J (walk_returnS step_sum1 _ prob_cons return_cons)//.
rewrite (step_sum s (fun a s' => r s a + g * J P r g pi N s')).
apply: eq_bigr => a _; congr (_ * _); rewrite JQ_step.
under eq_bigr do rewrite mulrDr mulrCA.
by rewrite big_split/= -mulr_suml P_sum1 mul1r mulr_sumr.
Qed.

End Steps.

(** ** Stochastic policies *)

Section StochasticLimits.

Variables (R : realType) (n : nat) (A : finType).
Variables (P : 'I_n -> A -> 'I_n -> R) (r : 'I_n -> A -> R) (g : R).
Variable pi : 'I_n -> A -> R.

Hypothesis g01 : 0 <= g < 1.
Hypothesis P_ge0 : forall s a s', 0 <= P s a s'.
Hypothesis P_sum1 : forall s a, \sum_s' P s a s' = 1.
Hypothesis pi_policy : policy pi.

(** The matrix of the steps is stochastic, so [I - g P_pi] is invertible. *)
Lemma pm_stochastic : stochastic (pm P pi).
Proof.
split=> [s s'|s].
  by rewrite mxE sumr_ge0// => a _; rewrite mulr_ge0//; case: pi_policy.
under eq_bigr do rewrite mxE.
rewrite exchange_big/= -[RHS](pi_policy.2 s); apply: eq_bigr => a _.
by rewrite -mulr_sumr P_sum1 mulr1.
Qed.

Lemma pm_unit : 1%:M - g *: pm P pi \in unitmx.
Proof. exact: unit_resolvent pm_stochastic g01. Qed.

(** The average of [r s a + g sum_s' P s a s' v s'] over the actions. *)
Lemma average_step (v : 'I_n -> R) s :
  \sum_a pi s a * (r s a + g * \sum_s' P s a s' * v s') =
  \sum_a pi s a * r s a + g * \sum_s' pm P pi s s' * v s'.
Proof.
under eq_bigr do rewrite mulrDr mulrCA.
rewrite big_split/= -mulr_sumr; congr (_ + _ * _).
under eq_bigr do rewrite mulr_sumr.
rewrite exchange_big/=; apply: eq_bigr => s' _.
by rewrite mxE mulr_suml; apply: eq_bigr => a _; rewrite mulrA.
Qed.

(** The expected return, one step at a time, with the matrix. *)
Lemma J_step N s :
  J P r g pi N.+1 s =
  \sum_a pi s a * r s a + g * \sum_s' pm P pi s s' * J P r g pi N s'.
Proof.
by rewrite J_JQ//; under eq_bigr do rewrite JQ_step//; exact: average_step.
Qed.

(** The rewards of the states under [pi]. *)
Let rewards : 'cV[R]_n := \col_s \sum_a pi s a * r s a.

(** These are the iterates of a Bellman equation. *)
Let cvg_J_resolvent s :
  (fun N => J P r g pi N s) --> (invmx (1%:M - g *: pm P pi) *m rewards) s ord0.
Proof.
apply: cvg_iterate => //; [exact: pm_stochastic|exact: J0|move=> N i].
by rewrite J_step mxE.
Qed.

(** The value is the resolvent applied to the rewards. *)
Theorem value_resolvent s :
  value P r g pi s =
  (invmx (1%:M - g *: pm P pi) *m \col_i \sum_a pi i a * r i a) s ord0.
Proof. by apply/cvg_lim => //; exact: cvg_J_resolvent s. Qed.

(** The expected returns of [N] steps converge to the value. *)
Theorem cvg_J s : (fun N => J P r g pi N s) --> value P r g pi s.
Proof. by rewrite value_resolvent; exact: cvg_J_resolvent. Qed.

(** The Bellman equation, with the matrix of [pi] and with the action value. *)
Theorem value_bellman s :
  value P r g pi s =
  \sum_a pi s a * r s a + g * \sum_s' pm P pi s s' * value P r g pi s'.
Proof.
rewrite value_resolvent (resolvent_bellman pm_stochastic g01) mxE.
by congr (_ + _ * _); apply: eq_bigr => s' _; rewrite value_resolvent.
Qed.

Theorem value_qvalue s :
  value P r g pi s = \sum_a pi s a * qvalue P r g pi s a.
Proof. by rewrite value_bellman -average_step. Qed.

(** The expected returns with a given first action converge to the action
    value. *)
Theorem cvg_JQ s a : (fun N => JQ P r g pi N s a) --> qvalue P r g pi s a.
Proof.
have -> : (fun N => JQ P r g pi N s a) =
    (fun N => r s a + g * \sum_s' P s a s' * J P r g pi N s').
  by apply/funext => N; rewrite JQ_step.
apply: cvgD; first exact: cvg_cst.
apply: cvgMr; apply: (cvg_sum (f := fun s' N => P s a s' * J P r g pi N s')).
by move=> s'; apply: cvgMr; exact: cvg_J.
Qed.

(** The probabilities of the states move as the powers of the matrix. *)
Lemma prob_atS t s0 s :
  prob_at P pi t.+1 s0 s = \sum_s' pm P pi s0 s' * prob_at P pi t s' s.
Proof.
rewrite prob_at_step; under eq_bigr do rewrite mulr_sumr.
rewrite exchange_big/=; apply: eq_bigr => s' _.
by rewrite mxE mulr_suml; apply: eq_bigr => a _; rewrite mulrA.
Qed.

(** So their discounted sums converge to the resolvent. *)
Let cvg_occupancy_resolvent s0 s :
  series (fun t => g ^+ t * prob_at P pi t s0 s) -->
  invmx (1%:M - g *: pm P pi) s0 s.
Proof.
apply: cvg_occupation => //.
- exact: pm_stochastic.
- exact: prob_at0.
- exact: prob_atS.
Qed.

(** The occupancy is an entry of the resolvent. *)
Theorem occupancy_resolvent s0 s :
  occupancy P g pi s0 s = invmx (1%:M - g *: pm P pi) s0 s.
Proof. by apply/cvg_lim => //; exact: cvg_occupancy_resolvent s0 s. Qed.

(** The discounted probabilities of being in a state add up to its occupancy. *)
Theorem cvg_occupancy s0 s :
  series (fun t => g ^+ t * prob_at P pi t s0 s) --> occupancy P g pi s0 s.
Proof. by rewrite occupancy_resolvent; exact: cvg_occupancy_resolvent. Qed.

(** It is not negative, and sums to [1 / (1 - g)]. *)
Lemma occupancy_ge0 s0 s : 0 <= occupancy P g pi s0 s.
Proof.
have [g_ge0 _] := andP g01.
apply: limr_ge; first by apply: cvgP; exact: cvg_occupancy.
apply: nearW => N; apply: sumr_ge0 => t _.
apply: mulr_ge0; first exact: exprn_ge0.
by apply: sumr_ge0 => tr _; exact: traj_prob_ge0.
Qed.

Lemma occupancy_sum s0 : \sum_s occupancy P g pi s0 s = (1 - g)^-1.
Proof.
under eq_bigr do rewrite occupancy_resolvent.
exact: resolvent_sum pm_stochastic g01 s0.
Qed.

End StochasticLimits.

(** ** Deterministic policies *)

Section DeterministicLimits.

Variables (R : realType) (n : nat) (U : Type).
Variables (P : 'I_n -> U -> 'I_n -> R) (r : 'I_n -> U -> R) (g : R).
Variable m : 'I_n -> U.

Hypothesis g01 : 0 <= g < 1.
Hypothesis m_kernel : kernel_at P m.

Let step_weight s s' : R := P s (m s) s'.

Let step_sum1 s : \sum_s' step_weight s s' = 1.
Proof. exact: m_kernel.2. Qed.

(** The matrix of the steps is stochastic, so [I - g P_m] is invertible. *)
Lemma dpm_stochastic : stochastic (dpm P m).
Proof.
split=> [s s'|s]; first by rewrite mxE; case: m_kernel.
by under eq_bigr do rewrite mxE; exact: step_sum1.
Qed.

Lemma dpm_unit : 1%:M - g *: dpm P m \in unitmx.
Proof. exact: unit_resolvent dpm_stochastic g01. Qed.

(** The probabilities of all trajectories of [N] steps sum to one. *)
Lemma dtraj_prob_sum N s : \sum_(tr : N.-tuple 'I_n) dtraj_prob P m s tr = 1.
Proof. exact: (@walk_prob_sum _ _ _ id step_weight). Qed.

(** The expected return, one step at a time. *)
Lemma dJ0 s : dJ P r g m 0 s = 0.
Proof.
pose f tr := dtraj_prob P m s tr * dtraj_return r g m s tr.
rewrite /dJ (sum_tuple0 f) /f/=.
by rewrite mulr0.
Qed.

Lemma dJ_step N s :
  dJ P r g m N.+1 s =
  r s (m s) + g * \sum_s' dpm P m s s' * dJ P r g m N s'.
Proof.
rewrite /dJ (@walk_returnS _ _ _ id step_weight (fun s _ => r s (m s)) g)//.
under eq_bigr do rewrite mulrDr mulrCA.
rewrite big_split/= -mulr_suml step_sum1 mul1r mulr_sumr.
by congr (_ + _); apply: eq_bigr => s' _; rewrite mxE.
Qed.

(** These are the iterates of a Bellman equation. *)
Let cvg_dJ_resolvent s :
  (fun N => dJ P r g m N s) -->
  (invmx (1%:M - g *: dpm P m) *m \col_i r i (m i)) s ord0.
Proof.
apply: cvg_iterate => //; [exact: dpm_stochastic|exact: dJ0|move=> N i].
by rewrite dJ_step mxE.
Qed.

(** The value is the resolvent applied to the rewards. *)
Theorem dvalue_resolvent s :
  dvalue P r g m s =
  (invmx (1%:M - g *: dpm P m) *m \col_i r i (m i)) s ord0.
Proof. by apply/cvg_lim => //; exact: cvg_dJ_resolvent s. Qed.

(** The expected returns of [N] steps converge to the value. *)
Theorem cvg_dJ s : (fun N => dJ P r g m N s) --> dvalue P r g m s.
Proof. by rewrite dvalue_resolvent; exact: cvg_dJ_resolvent. Qed.

(** The Bellman equation. *)
Theorem dvalue_bellman s :
  dvalue P r g m s = r s (m s) + g * \sum_s' dpm P m s s' * dvalue P r g m s'.
Proof.
rewrite dvalue_resolvent (resolvent_bellman dpm_stochastic g01) mxE.
by congr (_ + _ * _); apply: eq_bigr => s' _; rewrite dvalue_resolvent.
Qed.

(** The value is the action value of the action taken. *)
Theorem dvalue_dq s : dvalue P r g m s = dq P r g m s (m s).
Proof.
rewrite dvalue_bellman; congr (_ + _ * _).
by apply: eq_bigr => s' _; rewrite mxE.
Qed.

(** The probabilities of the states, one step at a time. *)
Lemma dprob_at0 s0 s : dprob_at P m 0 s0 s = (s0 == s)%:R.
Proof. exact: walk_at0. Qed.

Lemma dprob_atS t s0 s :
  dprob_at P m t.+1 s0 s = \sum_s' dpm P m s0 s' * dprob_at P m t s' s.
Proof.
rewrite /dprob_at (@walk_atS _ _ _ id step_weight)//.
by apply: eq_bigr => s' _; rewrite mxE.
Qed.

(** So their discounted sums converge to the resolvent. *)
Let cvg_doccupancy_resolvent s0 s :
  series (fun t => g ^+ t * dprob_at P m t s0 s) -->
  invmx (1%:M - g *: dpm P m) s0 s.
Proof.
apply: cvg_occupation => //.
- exact: dpm_stochastic.
- exact: dprob_at0.
- exact: dprob_atS.
Qed.

(** The occupancy is an entry of the resolvent. *)
Theorem doccupancy_resolvent s0 s :
  doccupancy P g m s0 s = invmx (1%:M - g *: dpm P m) s0 s.
Proof. by apply/cvg_lim => //; exact: cvg_doccupancy_resolvent s0 s. Qed.

(** The discounted probabilities of being in a state add up to its occupancy. *)
Theorem cvg_doccupancy s0 s :
  series (fun t => g ^+ t * dprob_at P m t s0 s) --> doccupancy P g m s0 s.
Proof. by rewrite doccupancy_resolvent; exact: cvg_doccupancy_resolvent. Qed.

End DeterministicLimits.
