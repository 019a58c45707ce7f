(** * Definitions

    What a reader has to trust: the finite Markov decision process, its
    trajectories, and the quantities of the policy gradient theorems.

    States are a finite type [S], actions a finite type [A], numbers a
    [realType] [R]; where matrices are needed the states are ['I_n], the numbers
    below [n].  [P s a s'] is the probability of [s'] after action [a] in state
    [s], [r s a] the expected reward, [g] the discount factor, [pi s a] the
    probability of action [a] in state [s].  The value, the action value and
    the occupancy are limits of finite sums over trajectories; no Bellman
    equation and no matrix inverse enters a definition.

    The second half repeats this for a deterministic policy [m], which names
    one action, from any type [U], in each state: there a trajectory is a plain
    sequence of states.

    [lim] is defined for divergent sequences too, and [invmx] for singular
    matrices; that the limits exist is proved in Limits.v, that the matrix is
    invertible in Resolvent.v. *)

From mathcomp Require Import all_ssreflect ssralg ssrnum matrix.
From mathcomp Require Import boolp classical_sets reals topology normedtype.
From mathcomp Require Import sequences.

Import numFieldNormedType.Exports.

Set Implicit Arguments.
Unset Strict Implicit.
Unset Printing Implicit Defensive.

Import GRing.Theory Num.Theory.

Local Open Scope ring_scope.
Local Open Scope classical_set_scope.

(** ** Stochastic policies *)

Section Stochastic.

Variables (R : realType) (S A : finType).

Section Trajectories.

Variables (P : S -> A -> S -> R) (r : S -> A -> R) (g : R).
Variable pi : S -> A -> R.

(** A trajectory from [s] is the sequence of the actions taken and the states
    they led to.  Its probability is the product of the probabilities of all
    its actions and all its steps. *)
Fixpoint traj_prob (s : S) (tr : seq (A * S)) : R :=
  if tr is (a, s') :: tr' then pi s a * P s a s' * traj_prob s' tr' else 1.

(** The discounted return [r_0 + g r_1 + g^2 r_2 + ...] along a trajectory. *)
Fixpoint traj_return (s : S) (tr : seq (A * S)) : R :=
  if tr is (a, s') :: tr' then r s a + g * traj_return s' tr' else 0.

(** The state in which a trajectory ends. *)
Fixpoint traj_last (s : S) (tr : seq (A * S)) : S :=
  if tr is (_, s') :: tr' then traj_last s' tr' else s.

(** The expected return of the first [N] steps from [s]. *)
Definition J (N : nat) (s : S) : R :=
  \sum_(tr : N.-tuple (A * S)) traj_prob s tr * traj_return s tr.

(** The probability of being in [s] after [t] steps from [s0]. *)
Definition prob_at (t : nat) (s0 s : S) : R :=
  \sum_(tr : t.-tuple (A * S) | traj_last s0 tr == s) traj_prob s0 tr.

(** The expected return from [s] when the first action is [a] and [N] more
    steps follow [pi]. *)
Definition JQ (N : nat) (s : S) (a : A) : R :=
  \sum_s' \sum_(tr : N.-tuple (A * S))
    P s a s' * traj_prob s' tr * (r s a + g * traj_return s' tr).

(** The value: the expected return of an endless trajectory. *)
Definition value (s : S) : R := lim (fun N => J N s).

(** The discounted occupancy: the expected, discounted number of visits to [s]
    from [s0].  It is not normalised: its sum over [s] is [1 / (1 - g)]. *)
Definition occupancy (s0 s : S) : R :=
  lim (series (fun t => g ^+ t * prob_at t s0 s)).

(** The action value. *)
Definition qvalue (s : S) (a : A) : R :=
  r s a + g * \sum_s' P s a s' * value s'.

End Trajectories.

(** [p] gives a probability distribution over the actions in each state. *)
Definition policy (p : S -> A -> R) : Prop :=
  (forall s a, 0 <= p s a) /\ (forall s, \sum_a p s a = 1).

End Stochastic.

(** The matrix of the steps from state to state under [pi]. *)
Definition pm (R : realType) (n : nat) (A : finType)
    (P : 'I_n -> A -> 'I_n -> R) (pi : 'I_n -> A -> R) : 'M[R]_n :=
  \matrix_(s, s') \sum_a pi s a * P s a s'.

Arguments traj_prob {R S A} P pi s tr.
Arguments traj_return {R S A} r g s tr.
Arguments traj_last {S A} s tr.
Arguments J {R S A} P r g pi N s.
Arguments prob_at {R S A} P pi t s0 s.
Arguments JQ {R S A} P r g pi N s a.
Arguments value {R S A} P r g pi s.
Arguments occupancy {R S A} P g pi s0 s.
Arguments qvalue {R S A} P r g pi s a.
Arguments policy {R S A} p.
Arguments pm {R n A} P pi.

(** ** Deterministic policies *)

Section Deterministic.

Variables (R : realType) (S : finType) (U : Type).
Variables (P : S -> U -> S -> R) (r : S -> U -> R) (g : R).
Variable m : S -> U.

(** A trajectory from [s] is the sequence of the states that follow. *)
Fixpoint dtraj_prob (s : S) (tr : seq S) : R :=
  if tr is s' :: tr' then P s (m s) s' * dtraj_prob s' tr' else 1.

(** The discounted return along it.  The state a trajectory ends in is
    [last s tr]; the reward of a step depends on the state it leaves. *)
Fixpoint dtraj_return (s : S) (tr : seq S) : R :=
  if tr is s' :: tr' then r s (m s) + g * dtraj_return s' tr' else 0.

(** The expected return of the first [N] steps from [s]. *)
Definition dJ (N : nat) (s : S) : R :=
  \sum_(tr : N.-tuple S) dtraj_prob s tr * dtraj_return s tr.

(** The probability of being in [s] after [t] steps from [s0]. *)
Definition dprob_at (t : nat) (s0 s : S) : R :=
  \sum_(tr : t.-tuple S | last s0 tr == s) dtraj_prob s0 tr.

(** The value. *)
Definition dvalue (s : S) : R := lim (fun N => dJ N s).

(** The discounted occupancy; as above it is not normalised. *)
Definition doccupancy (s0 s : S) : R :=
  lim (series (fun t => g ^+ t * dprob_at t s0 s)).

(** The action value, for any action, not those of [m] alone. *)
Definition dq (s : S) (u : U) : R :=
  r s u + g * \sum_s' P s u s' * dvalue s'.

(** [P] gives a probability distribution over the next states in each state,
    at the action of [m]; of other actions nothing is asked. *)
Definition kernel_at : Prop :=
  (forall s s', 0 <= P s (m s) s') /\ (forall s, \sum_s' P s (m s) s' = 1).

End Deterministic.

(** The matrix of the steps from state to state under [m]. *)
Definition dpm (R : realType) (n : nat) (U : Type)
    (P : 'I_n -> U -> 'I_n -> R) (m : 'I_n -> U) : 'M[R]_n :=
  \matrix_(s, s') P s (m s) s'.

Arguments dtraj_prob {R S U} P m s tr.
Arguments dtraj_return {R S U} r g m s tr.
Arguments dJ {R S U} P r g m N s.
Arguments dprob_at {R S U} P m t s0 s.
Arguments dvalue {R S U} P r g m s.
Arguments doccupancy {R S U} P g m s0 s.
Arguments dq {R S U} P r g m s u.
Arguments kernel_at {R S U} P m.
Arguments dpm {R n U} P m.
