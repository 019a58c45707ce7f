(** * What is proved

    This is the one file a sceptic has to read.  It imports nothing of the
    development: every definition is written out again here, every theorem is
    stated again in full, with its meaning in words beside it, and each is
    closed by [exact] and the name of the theorem of the development.  Coq
    accepts such a line only if the development proved this very statement: if
    a definition above or a word of the statement said anything else, this file
    would not compile.  At the end Coq prints what each theorem assumes.

    S1 to S8 are the two theorems and what belongs to them, S9 to S13 are
    extensions.

    To read it, it helps to know these notations of mathcomp:

      'I_n                  the finite type of the numbers 0, 1, ..., n - 1
      \sum_(x : X) f x      the sum of f x over all x of the finite type X
      \sum_s, \sum_a        the same, the type being that of s, of a
      N.-tuple X            the sequences of length N of elements of X
      x ^+ t                the power, t a natural number
      'M[R]_n               the n x n matrices over R;  M i j  is an entry
      \matrix_(i, j) e      the matrix whose entry at i, j is e
      1%:M                  the identity matrix
      g *: M, A *m B        a number times a matrix, the product of matrices
      M \in unitmx          M is invertible;  invmx M  is its inverse
      u --> l               the sequence u converges to l
      lim u                 its limit (anything, where there is none)
      series u N            the sum of u t over t < N
      \forall t \near x, p  p holds for every t in a neighbourhood of x
      differentiable f x    f is Frechet differentiable at x
      'D_v f x              the derivative of f at x in the direction v
      derive1 f x           the derivative at x of f, a function of a number
      (e : R^o)             e, a real number, seen as a point of the line R
      [/\ A, B & C]         A and B and C

    [lim], ['D_v f x] and [invmx] are defined everywhere, and mean nothing
    where the limit, the derivative or the inverse does not exist.  So S1, S2,
    S9, S10, S12 and S13 conclude that the limits and the derivatives in them
    exist; they do not suppose it.  Where another theorem leaves that out (S4,
    S11 for V and Q, parts of S6 and S8), it is so by S1, S2 or S9, except in
    S6_deterministic_bellman, whose actions may be of any type: there the limit
    is shown to exist in Limits.v.  The inverses exist by S5. *)

From mathcomp Require Import all_ssreflect ssralg ssrnum matrix.
From mathcomp Require Import boolp classical_sets functions.
From mathcomp Require Import reals topology normedtype sequences derive exp.
From PGFormal Require Definitions Resolvent Algebra Limits.
From PGFormal Require Stochastic Deterministic Baseline Softmax.
From PGFormal Require FiniteStates StartDistribution ScoreForm FiniteHorizon.
From PGFormal Require PerformanceDifference.

Set Implicit Arguments.
Unset Strict Implicit.
Unset Printing Implicit Defensive.

Import Order.TTheory GRing.Theory Num.Theory.
Import numFieldNormedType.Exports.

Local Open Scope classical_set_scope.
Local Open Scope ring_scope.

(** ** Definitions: stochastic policies *)

Section StochasticDefinitions.

(** A finite Markov decision process: real numbers [R], a finite type [S] of
    states, a finite type [A] of actions. *)
Variables (R : realType) (S A : finType).

(** [P s a s'] is the probability of [s'] after action [a] in state [s];
    [r s a] is the expected reward of that action; [g] is the discount factor;
    [pi s a] is the probability that the policy chooses [a] in [s]. *)
Variables (P : S -> A -> S -> R) (r : S -> A -> R) (g : R).
Variable pi : S -> A -> R.

(** A trajectory from [s] is a sequence of pairs: the action taken and the
    state it led to.  Its probability is the product, over its steps, of the
    probability of the action and that of the next state. *)
Fixpoint traj_prob (s : S) (tr : seq (A * S)) : R :=
  if tr is (a, s') :: tr' then pi s a * P s a s' * traj_prob s' tr' else 1.

(** Its return is the sum of the rewards, that of step [t] times [g ^+ t]:
    what is earned later is discounted once more with every step. *)
Fixpoint traj_return (s : S) (tr : seq (A * S)) : R :=
  if tr is (a, s') :: tr' then r s a + g * traj_return s' tr' else 0.

(** The state in which it ends. *)
Fixpoint traj_last (s : S) (tr : seq (A * S)) : S :=
  if tr is (_, s') :: tr' then traj_last s' tr' else s.

(** The expected return of the first [N] steps from [s]: the sum, over all
    trajectories of [N] steps, of probability times return. *)
Definition J (N : nat) (s : S) : R :=
  \sum_(tr : N.-tuple (A * S)) traj_prob s tr * traj_return s tr.

(** The probability of being in [s] after [t] steps from [s0]: the sum of the
    probabilities of the trajectories of [t] steps that end in [s]. *)
Definition prob_at (t : nat) (s0 s : S) : R :=
  \sum_(tr : t.-tuple (A * S) | traj_last s0 tr == s) traj_prob s0 tr.

(** The expected return from [s] if the first action is [a], whatever the
    policy, and the policy chooses the [N] actions after it. *)
Definition JQ (N : nat) (s : S) (a : A) : R :=
  \sum_s' \sum_(tr : N.-tuple (A * S))
    P s a s' * traj_prob s' tr * (r s a + g * traj_return s' tr).

(** The value [V]: the limit of the expected return over [N] steps. *)
Definition value (s : S) : R := lim (fun N => J N s : R^o).

(** The discounted occupancy [d], not normalised: the sum, over all times [t],
    of [g ^+ t] times the probability of being in [s] at time [t]. *)
Definition occupancy (s0 s : S) : R :=
  lim (series (fun t => g ^+ t * prob_at t s0 s : R^o)).

(** The action value [Q]: the reward, and the discounted value of what
    follows.  Theorem S1 says that it is the limit of [JQ]. *)
Definition qvalue (s : S) (a : A) : R :=
  r s a + g * \sum_s' P s a s' * value s'.

(** [pi] is a policy: in each state its numbers are probabilities. *)
Definition policy : Prop :=
  (forall s a, 0 <= pi s a) /\ (forall s, \sum_a pi s a = 1).

End StochasticDefinitions.

(** ** Definitions: deterministic policies *)

Section DeterministicDefinitions.

(** States as above; actions from any type [U], say a space of vectors; the
    policy [m] names one action in each state. *)
Variables (R : realType) (S : finType) (U : Type).
Variables (P : S -> U -> S -> R) (r : S -> U -> R) (g : R).
Variable m : S -> U.

(** A trajectory from [s] is the sequence of the states that follow; the
    actions are those of the policy. *)
Fixpoint dtraj_prob (s : S) (tr : seq S) : R :=
  if tr is s' :: tr' then P s (m s) s' * dtraj_prob s' tr' else 1.

(** The discounted return along it. *)
Fixpoint dtraj_return (s : S) (tr : seq S) : R :=
  if tr is s' :: tr' then r s (m s) + g * dtraj_return s' tr' else 0.

(** The expected return of the first [N] steps from [s]. *)
Definition dJ (N : nat) (s : S) : R :=
  \sum_(tr : N.-tuple S) dtraj_prob s tr * dtraj_return s tr.

(** The probability of being in [s] after [t] steps from [s0];
    [last s0 tr] is the last state of the trajectory, [s0] if it is empty. *)
Definition dprob_at (t : nat) (s0 s : S) : R :=
  \sum_(tr : t.-tuple S | last s0 tr == s) dtraj_prob s0 tr.

(** The value. *)
Definition dvalue (s : S) : R := lim (fun N => dJ N s : R^o).

(** The discounted occupancy. *)
Definition doccupancy (s0 s : S) : R :=
  lim (series (fun t => g ^+ t * dprob_at t s0 s : R^o)).

(** The value of the action [u] in [s], the policy choosing all later ones:
    a function of [u], which the theorem differentiates. *)
Definition dq (s : S) (u : U) : R :=
  r s u + g * \sum_s' P s u s' * dvalue s'.

(** At the actions of the policy, [P] is a law on the next states.  Nothing is
    asked of [P] at other actions. *)
Definition kernel_at : Prop :=
  (forall s s', 0 <= P s (m s) s') /\ (forall s, \sum_s' P s (m s) s' = 1).

End DeterministicDefinitions.

(** ** Definitions: matrices

    Where matrices come in, the states are the numbers below [n].  The matrix
    of the probabilities of one step from [s] to [s'] under a stochastic policy
    [pi], and under a deterministic policy [m]: *)

Definition pm (R : realType) (n : nat) (A : finType)
    (P : 'I_n -> A -> 'I_n -> R) (pi : 'I_n -> A -> R) : 'M[R]_n :=
  \matrix_(s, s') \sum_a pi s a * P s a s'.

Definition dpm (R : realType) (n : nat) (U : Type)
    (P : 'I_n -> U -> 'I_n -> R) (m : 'I_n -> U) : 'M[R]_n :=
  \matrix_(s, s') P s (m s) s'.

(** A stochastic matrix: each row is a law. *)
Definition stochastic (R : realFieldType) (n : nat) (K : 'M[R]_n) : Prop :=
  (forall i j, 0 <= K i j) /\ (forall i, \sum_j K i j = 1).

(** A derivation of a ring: it obeys the sum rule and the product rule. *)
Definition derivation (R : ringType) (D : R -> R) : Prop :=
  (forall x y, D (x + y) = D x + D y) /\
  (forall x y, D (x * y) = D x * y + x * D y).

(** These definitions are the development's, under other names.  [same] puts the
    development's names in their place, after Coq has found the two to be the
    same.  Coq would find out by itself; this is so that it refuses a wrong
    statement in a second. *)
Ltac same :=
  change (@J) with (@PGFormal.Definitions.J);
  change (@prob_at) with (@PGFormal.Definitions.prob_at);
  change (@JQ) with (@PGFormal.Definitions.JQ);
  change (@value) with (@PGFormal.Definitions.value);
  change (@occupancy) with (@PGFormal.Definitions.occupancy);
  change (@qvalue) with (@PGFormal.Definitions.qvalue);
  change (@policy) with (@PGFormal.Definitions.policy);
  change (@pm) with (@PGFormal.Definitions.pm);
  change (@dJ) with (@PGFormal.Definitions.dJ);
  change (@dprob_at) with (@PGFormal.Definitions.dprob_at);
  change (@dvalue) with (@PGFormal.Definitions.dvalue);
  change (@doccupancy) with (@PGFormal.Definitions.doccupancy);
  change (@dq) with (@PGFormal.Definitions.dq);
  change (@kernel_at) with (@PGFormal.Definitions.kernel_at);
  change (@dpm) with (@PGFormal.Definitions.dpm).

(** ** S1. The policy gradient theorem

    The parameters [t] are points of any normed space [T] (so: vectors,
    matrices, functions), [pi t] is the policy at [t], [th] the point at which
    the derivative is taken. *)

Theorem S1_policy_gradient
  (R : realType) (T : normedModType R) (n : nat) (A : finType)
  (P : 'I_n -> A -> 'I_n -> R) (r : 'I_n -> A -> R) (g : R)
  (pi : T -> 'I_n -> A -> R) (th : T) :
  (* if the discount factor is at least 0 and less than 1, *)
  0 <= g < 1 ->
  (* the transition probabilities are probabilities, *)
  (forall s a s', 0 <= P s a s') ->
  (forall s a, \sum_s' P s a s' = 1) ->
  (* pi t is a policy for every t in some neighbourhood of th *)
  (\forall t \near th, policy (pi t)) ->
  (* and the probability of each action is differentiable at th, *)
  (forall s a, differentiable (fun t => pi t s a : R) th) ->
  let V t := value P r g (pi t) in
  let Q := qvalue P r g (pi th) in
  let d := occupancy P g (pi th) in
  (* then: near th the expected returns of N steps converge, to V; *)
  [/\ \forall t \near th, forall s, (fun N => J P r g (pi t) N s) --> V t s,
  (* those after a given first action converge to Q; *)
      forall s a, (fun N => JQ P r g (pi th) N s a) --> Q s a,
  (* the discounted sums of visits converge to d, and d is the row of the
     inverse of 1 - g P_pi; *)
      (forall s0 s, series (fun t => g ^+ t * prob_at P (pi th) t s0 s)
                      --> d s0 s) /\
      (forall s0 s, d s0 s = invmx (1%:M - g *: pm P (pi th)) s0 s),
  (* V is differentiable at th; *)
      forall s0, differentiable (fun t => V t s0 : R) th
  (* and its derivative in every direction v is the sum over the states of
     d times the sum over the actions of the derivative of pi times Q. *)
    & forall s0 v,
        'D_v (fun t => V t s0 : R) th =
        \sum_s d s0 s * \sum_a 'D_v (fun t => pi t s a : R) th * Q s a].
Proof.
same; exact (@PGFormal.Stochastic.policy_gradient_theorem
         R T n A P r g pi th).
Qed.

(** ** S2. The deterministic policy gradient theorem

    Actions are points of a normed space [U]; [mu t] is the policy at [t]. *)

Theorem S2_deterministic_policy_gradient
  (R : realType) (U T : normedModType R) (n : nat)
  (P : 'I_n -> U -> 'I_n -> R) (r : 'I_n -> U -> R) (g : R)
  (mu : T -> 'I_n -> U) (th : T) :
  0 <= g < 1 ->
  (* near th, P is a law on the next states at the actions of the policy; *)
  (\forall t \near th, kernel_at P (mu t)) ->
  (* the action in each state is differentiable in the parameters, *)
  (forall s, differentiable (fun t => mu t s) th) ->
  (* and probabilities and rewards are so in the action, at the action that
     the policy takes; *)
  (forall s s', differentiable (fun u => P s u s' : R) (mu th s)) ->
  (forall s, differentiable (fun u => r s u : R) (mu th s)) ->
  let V t := dvalue P r g (mu t) in
  let Q := dq P r g (mu th) in
  let d := doccupancy P g (mu th) in
  (* then the expected returns of N steps converge to V near th, *)
  [/\ \forall t \near th, forall s, (fun N => dJ P r g (mu t) N s) --> V t s,
  (* the discounted sums of visits converge to d, the row of the inverse, *)
      (forall s0 s, series (fun t => g ^+ t * dprob_at P (mu th) t s0 s)
                      --> d s0 s) /\
      (forall s0 s, d s0 s = invmx (1%:M - g *: dpm P (mu th)) s0 s),
  (* V is differentiable in the parameters, and Q in the action, *)
      forall s0, differentiable (fun t => V t s0 : R) th,
      forall s, differentiable (fun u => Q s u : R) (mu th s)
  (* and the derivative of V along v is the sum over the states of d times
     the derivative of Q in the action along the derivative of mu. *)
    & forall s0 v,
        'D_v (fun t => V t s0 : R) th =
        \sum_s d s0 s *
          'D_('D_v (fun t => mu t s) th) (fun u => Q s u : R) (mu th s)].
Proof.
same; exact (@PGFormal.Deterministic.deterministic_policy_gradient_theorem
         R U T n P r g mu th).
Qed.

(** The same for real actions, where the derivative in the action is a number
    and the product in the theorem is one of numbers. *)

Theorem S2_deterministic_policy_gradient_real
  (R : realType) (T : normedModType R) (n : nat)
  (P : 'I_n -> R -> 'I_n -> R) (r : 'I_n -> R -> R) (g : R)
  (mu : T -> 'I_n -> R) (th : T) :
  0 <= g < 1 ->
  (\forall t \near th, kernel_at P (mu t)) ->
  (forall s, differentiable (fun t => mu t s : R) th) ->
  (forall s s', derivable (fun u => P s u s' : R) (mu th s) 1) ->
  (forall s, derivable (fun u => r s u : R) (mu th s) 1) ->
  let V t := dvalue P r g (mu t) in
  let Q := dq P r g (mu th) in
  let d := doccupancy P g (mu th) in
  [/\ \forall t \near th, forall s, (fun N => dJ P r g (mu t) N s) --> V t s,
      (forall s0 s, series (fun t => g ^+ t * dprob_at P (mu th) t s0 s)
                      --> d s0 s) /\
      (forall s0 s, d s0 s = invmx (1%:M - g *: dpm P (mu th)) s0 s),
      forall s0, differentiable (fun t => V t s0 : R) th,
      forall s, derivable (fun u => Q s u : R) (mu th s) 1
    & forall s0 v,
        'D_v (fun t => V t s0 : R) th =
        \sum_s d s0 s *
          ('D_v (fun t => mu t s : R) th * derive1 (Q s) (mu th s))].
Proof.
same; exact (@PGFormal.Deterministic.deterministic_policy_gradient_real
         R T n P r g mu th).
Qed.

(** ** S3. The expected gradient of the log-probability is zero

    Multiplied out: the derivatives of the probabilities of the actions add up
    to zero.  This form needs no logarithm, and holds where pi is zero too. *)

Theorem S3_eglp
  (R : realType) (T : normedModType R) (n : nat) (A : finType)
  (pi : T -> 'I_n -> A -> R) (th : T) :
  (\forall t \near th, policy (pi t)) ->
  (forall s a, differentiable (fun t => pi t s a : R) th) ->
  forall s v, \sum_a 'D_v (fun t => pi t s a : R) th = 0.
Proof. same; exact (@PGFormal.Baseline.eglp R T n A pi th). Qed.

(** ** S4. A baseline that depends on the state alone changes nothing *)

Theorem S4_baseline
  (R : realType) (T : normedModType R) (n : nat) (A : finType)
  (P : 'I_n -> A -> 'I_n -> R) (r : 'I_n -> A -> R) (g : R)
  (pi : T -> 'I_n -> A -> R) (th : T) :
  0 <= g < 1 ->
  (forall s a s', 0 <= P s a s') ->
  (forall s a, \sum_s' P s a s' = 1) ->
  (\forall t \near th, policy (pi t)) ->
  (forall s a, differentiable (fun t => pi t s a : R) th) ->
  let V t := value P r g (pi t) in
  let Q := qvalue P r g (pi th) in
  let d := occupancy P g (pi th) in
  forall (b : 'I_n -> R) s0 v,
    'D_v (fun t => V t s0 : R) th =
    \sum_s d s0 s * \sum_a 'D_v (fun t => pi t s a : R) th * (Q s a - b s).
Proof. same; exact (@PGFormal.Baseline.baseline R T n A P r g pi th). Qed.

(** ** S5. 1 - g K is invertible for every stochastic matrix K

    Over any ordered field; uses no axiom. *)

Theorem S5_unit_resolvent
  (R : realFieldType) (n : nat) (K : 'M[R]_n) (g : R) :
  stochastic K -> 0 <= g < 1 -> 1%:M - g *: K \in unitmx.
Proof. same; exact (@PGFormal.Resolvent.unit_resolvent R n K g). Qed.

(** ** S6. The discounted sums of visits converge

    for every policy, and the limit is a row of an inverse that exists. *)

Theorem S6_unit
  (R : realType) (n : nat) (A : finType)
  (P : 'I_n -> A -> 'I_n -> R) (g : R) (pi : 'I_n -> A -> R) :
  0 <= g < 1 ->
  (forall s a s', 0 <= P s a s') ->
  (forall s a, \sum_s' P s a s' = 1) ->
  policy pi ->
  1%:M - g *: pm P pi \in unitmx.
Proof. same; exact (@PGFormal.Limits.pm_unit R n A P g pi). Qed.

Theorem S6_convergence
  (R : realType) (n : nat) (A : finType)
  (P : 'I_n -> A -> 'I_n -> R) (g : R) (pi : 'I_n -> A -> R) :
  0 <= g < 1 ->
  (forall s a s', 0 <= P s a s') ->
  (forall s a, \sum_s' P s a s' = 1) ->
  policy pi ->
  forall s0 s, series (fun t => g ^+ t * prob_at P pi t s0 s)
                 --> occupancy P g pi s0 s.
Proof. same; exact (@PGFormal.Limits.cvg_occupancy R n A P g pi). Qed.

Theorem S6_inverse
  (R : realType) (n : nat) (A : finType)
  (P : 'I_n -> A -> 'I_n -> R) (g : R) (pi : 'I_n -> A -> R) :
  0 <= g < 1 ->
  (forall s a s', 0 <= P s a s') ->
  (forall s a, \sum_s' P s a s' = 1) ->
  policy pi ->
  forall s0 s, occupancy P g pi s0 s = invmx (1%:M - g *: pm P pi) s0 s.
Proof. same; exact (@PGFormal.Limits.occupancy_resolvent R n A P g pi). Qed.

(** The Bellman equations of [V] and [Q], which are limits: [V] is the mean of
    [Q] under the policy, and [Q] by its definition what one step earns and
    leads to.  (S6_unit: no other [V] solves them.) *)

Theorem S6_bellman
  (R : realType) (n : nat) (A : finType)
  (P : 'I_n -> A -> 'I_n -> R) (r : 'I_n -> A -> R) (g : R)
  (pi : 'I_n -> A -> R) :
  0 <= g < 1 ->
  (forall s a s', 0 <= P s a s') ->
  (forall s a, \sum_s' P s a s' = 1) ->
  policy pi ->
  forall s, value P r g pi s = \sum_a pi s a * qvalue P r g pi s a.
Proof. same; exact (@PGFormal.Limits.value_qvalue R n A P r g pi). Qed.

Theorem S6_deterministic_bellman
  (R : realType) (n : nat) (U : Type)
  (P : 'I_n -> U -> 'I_n -> R) (r : 'I_n -> U -> R) (g : R) (m : 'I_n -> U) :
  0 <= g < 1 ->
  kernel_at P m ->
  forall s, dvalue P r g m s = dq P r g m s (m s).
Proof. same; exact (@PGFormal.Limits.dvalue_dq R n U P r g m). Qed.

(** ** S7. The algebra of the theorem

    No limit and no order: numbers from any commutative ring [R] with its
    units, and any [D] that obeys the sum rule and the product rule, such as
    rational functions or formal power series with a derivative.  Nothing says
    that [P] and [pi] are probabilities.  If the model is constant for [D] and
    [V] solves the Bellman equation, the theorem holds for [D].  Uses no
    axiom. *)

Theorem S7_algebraic_policy_gradient
  (R : comUnitRingType) (n : nat) (A : finType) (D : R -> R)
  (P : 'I_n -> A -> 'I_n -> R) (r : 'I_n -> A -> R) (g : R)
  (pi : 'I_n -> A -> R) (V : 'I_n -> R) :
  let K : 'M[R]_n := \matrix_(s, s') \sum_a pi s a * P s a s' in
  let Q s a := r s a + g * \sum_s' P s a s' * V s' in
  (* if D is a derivation for which the model is constant, *)
  derivation D ->
  (forall s a s', D (P s a s') = 0) ->
  (forall s a, D (r s a) = 0) ->
  D g = 0 ->
  (* 1 - g K is invertible, *)
  1%:M - g *: K \in unitmx ->
  (* and V is the mean of Q under the policy, *)
  (forall s, V s = \sum_a pi s a * Q s a) ->
  (* then the theorem holds. *)
  forall s0,
    D (V s0) = \sum_s invmx (1%:M - g *: K) s0 s * \sum_a D (pi s a) * Q s a.
Proof.
same; exact (@PGFormal.Algebra.algebraic_policy_gradient
         R n A D P r g pi V).
Qed.

(** ** S8. Policies and models that meet the hypotheses

    First, what a score is: where [f] is positive, [f] times the derivative of
    [ln f] is the derivative of [f]. *)

Theorem S8_log_derivative
  (R : realType) (T : normedModType R) (f : T -> R) (th : T) :
  differentiable f th -> 0 < f th ->
  differentiable (fun t => ln (f t) : R) th /\
  forall v, f th * 'D_v (fun t => ln (f t) : R) th = 'D_v f th.
Proof. same; exact (@PGFormal.Softmax.log_derivative R T f th). Qed.

(** The softmax policy: each state and action has a vector [phi s a] of
    features, the preference for an action is the scalar product of parameters
    and features, and probabilities are proportional to the exponentials of
    the preferences. *)
Definition preference (R : realType) (m n : nat) (A : finType)
    (phi : 'I_n -> A -> 'I_m.+1 -> R) (t : 'rV[R]_m.+1)
    (s : 'I_n) (a : A) : R :=
  \sum_k t ord0 k * phi s a k.

Definition softmax (R : realType) (m n : nat) (A : finType)
    (phi : 'I_n -> A -> 'I_m.+1 -> R) (t : 'rV[R]_m.+1)
    (s : 'I_n) (a : A) : R :=
  expR (preference phi t s a) / \sum_b expR (preference phi t s b).

(** Its score in the direction [v]: the preference [v] gives to the action,
    less the mean of those preferences under the policy. *)
Definition softmax_score (R : realType) (m n : nat) (A : finType)
    (phi : 'I_n -> A -> 'I_m.+1 -> R) (t v : 'rV[R]_m.+1)
    (s : 'I_n) (a : A) : R :=
  preference phi v s a - \sum_b softmax phi t s b * preference phi v s b.

(** It is the derivative of the logarithm of the policy. *)
Theorem S8_softmax_score
  (R : realType) (m n : nat) (A : finType) (phi : 'I_n -> A -> 'I_m.+1 -> R)
  (th : 'rV[R]_m.+1) :
  (0 < #|A|)%N ->
  forall s a v,
    'D_v (fun t => ln (softmax phi t s a) : R) th = softmax_score phi th v s a.
Proof.
same; exact (@PGFormal.Softmax.softmax_log_derivative R m n A phi th).
Qed.

(** For softmax policies nothing is left to suppose about the policy: there is
    an action, the discount factor is less than 1, and P is a law. *)
Theorem S8_softmax_policy_gradient
  (R : realType) (m n : nat) (A : finType) (phi : 'I_n -> A -> 'I_m.+1 -> R)
  (P : 'I_n -> A -> 'I_n -> R) (r : 'I_n -> A -> R) (g : R)
  (th : 'rV[R]_m.+1) :
  (0 < #|A|)%N ->
  0 <= g < 1 ->
  (forall s a s', 0 <= P s a s') ->
  (forall s a, \sum_s' P s a s' = 1) ->
  let pi := softmax phi in
  let V t := value P r g (pi t) in
  let Q := qvalue P r g (pi th) in
  let d := occupancy P g (pi th) in
  [/\ forall t s, (fun N => J P r g (pi t) N s) --> V t s,
      forall s a, (fun N => JQ P r g (pi th) N s a) --> Q s a,
      (forall s0 s, series (fun t => g ^+ t * prob_at P (pi th) t s0 s)
                      --> d s0 s) /\
      (forall s0 s, d s0 s = invmx (1%:M - g *: pm P (pi th)) s0 s),
      forall s0, differentiable (fun t => V t s0 : R) th
    & forall s0 v,
        'D_v (fun t => V t s0 : R) th =
        \sum_s d s0 s * \sum_a pi th s a * softmax_score phi th v s a * Q s a].
Proof.
same; exact (@PGFormal.Softmax.softmax_policy_gradient R m n A phi P r g th).
Qed.

(** A case in numbers.  One state, two actions of rewards 1 and 0, one
    parameter, the preference for the first.  The derivative is that of
    p / (1 - g), p the probability of the first: p (1 - p) / (1 - g). *)
Theorem S8_bandit (R : realType) (g : R) (th v : 'rV[R]_1) :
  0 <= g < 1 ->
  let P (s : 'I_1) (a : bool) (s' : 'I_1) := 1 : R in
  let r (s : 'I_1) (a : bool) := a%:R : R in
  let phi (s : 'I_1) (a : bool) (k : 'I_1) := a%:R : R in
  let pi := softmax phi in
  'D_v (fun t => value P r g (pi t) ord0 : R) th =
  (1 - g)^-1 * (pi th ord0 true * (1 - pi th ord0 true) * v ord0 ord0).
Proof. same; exact (@PGFormal.Softmax.softmax_bandit R g th v). Qed.

(** For S2: action 0 leads from [s] to a state drawn from the law [K0 s],
    action 1 to one drawn from [K1 s], an action in between to one drawn from
    their mixture; outside the interval from 0 to 1 this need not be a law.  The
    reward is proportional to the action.  The policy takes its parameter [t]
    for its action in every state. *)
Definition mixture (R : realType) (n : nat) (K0 K1 : 'I_n -> 'I_n -> R)
    (s : 'I_n) (u : R) (s' : 'I_n) : R :=
  K0 s s' + u * (K1 s s' - K0 s s').

Definition linear_reward (R : realType) (n : nat) (c : 'I_n -> R)
    (s : 'I_n) (u : R) : R := u * c s.

Definition same_action (R : realType) (n : nat) (t : R) (s : 'I_n) : R := t.

Theorem S8_mixture_policy_gradient
  (R : realType) (n : nat) (K0 K1 : 'I_n -> 'I_n -> R) (c : 'I_n -> R)
  (g th : R) :
  0 <= g < 1 ->
  (forall s s', 0 <= K0 s s') -> (forall s, \sum_s' K0 s s' = 1) ->
  (forall s s', 0 <= K1 s s') -> (forall s, \sum_s' K1 s s' = 1) ->
  0 < th < 1 ->
  let P := mixture K0 K1 in
  let r := linear_reward c in
  let mu := @same_action R n in
  let V t := dvalue P r g (mu t) in
  let d := doccupancy P g (mu th) in
  [/\ \forall t \near th, forall s, (fun N => dJ P r g (mu t) N s) --> V t s,
      (forall s0 s, series (fun t => g ^+ t * dprob_at P (mu th) t s0 s)
                      --> d s0 s) /\
      (forall s0 s, d s0 s = invmx (1%:M - g *: dpm P (mu th)) s0 s),
      forall s0, derivable (fun t => V t s0 : R) th 1
    & forall s0,
        derive1 (fun t => V t s0 : R) th =
        \sum_s d s0 s * (c s + g * \sum_s' (K1 s s' - K0 s s') * V th s')].
Proof.
same; exact (@PGFormal.Deterministic.mixture_policy_gradient R n K0 K1 c g th).
Qed.

(** ** S9. States of any finite type

    S1 and S2 for states of any finite type [S], not just numbers; [enum_rank s]
    is the number of [s] in a list of all states, [enum_val] its inverse.  All
    extensions from here on are about such states. *)

Definition numbered_pm (R : realType) (S A : finType)
    (P : S -> A -> S -> R) (pi : S -> A -> R) : 'M[R]_#|S| :=
  \matrix_(i, j) \sum_a pi (enum_val i) a * P (enum_val i) a (enum_val j).

Theorem S9_policy_gradient_finite
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
      (forall s0 s, series (fun t => g ^+ t * prob_at P (pi th) t s0 s)
                      --> d s0 s) /\
      (forall s0 s, d s0 s =
         invmx (1%:M - g *: numbered_pm P (pi th))
           (enum_rank s0) (enum_rank s)),
      forall s0, differentiable (fun t => V t s0 : R) th
    & forall s0 v,
        'D_v (fun t => V t s0 : R) th =
        \sum_s d s0 s * \sum_a 'D_v (fun t => pi t s a : R) th * Q s a].
Proof.
same; exact (@PGFormal.FiniteStates.policy_gradient_theorem_finite
         R T S A P r g pi th).
Qed.

Definition numbered_dpm (R : realType) (S : finType) (U : Type)
    (P : S -> U -> S -> R) (m : S -> U) : 'M[R]_#|S| :=
  \matrix_(i, j) P (enum_val i) (m (enum_val i)) (enum_val j).

Theorem S9_deterministic_policy_gradient_finite
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
      (forall s0 s, series (fun t => g ^+ t * dprob_at P (mu th) t s0 s)
                      --> d s0 s) /\
      (forall s0 s, d s0 s =
         invmx (1%:M - g *: numbered_dpm P (mu th))
           (enum_rank s0) (enum_rank s)),
      forall s0, differentiable (fun t => V t s0 : R) th,
      forall s, differentiable (fun u => Q s u : R) (mu th s)
    & forall s0 v,
        'D_v (fun t => V t s0 : R) th =
        \sum_s d s0 s *
          'D_('D_v (fun t => mu t s) th) (fun u => Q s u : R) (mu th s)].
Proof.
same; exact (@PGFormal.FiniteStates.deterministic_policy_gradient_finite
         R U T S P r g mu th).
Qed.

(** ** S10. A start distribution

    The first state is drawn from [rho].  Expected return of [N] steps and
    probability of [s] after [t] steps, as sums over the first state and the
    trajectories from it; their limits.  [rho] may be any numbers; they need not sum to 1. *)

Section StartDefinitions.

Variables (R : realType) (S A : finType).
Variables (P : S -> A -> S -> R) (r : S -> A -> R) (g : R).
Variables (pi : S -> A -> R) (rho : S -> R).

Definition start_J (N : nat) : R :=
  \sum_s0 \sum_(tr : N.-tuple (A * S))
    rho s0 * traj_prob P pi s0 tr * traj_return r g s0 tr.

Definition start_prob_at (t : nat) (s : S) : R :=
  \sum_s0 \sum_(tr : t.-tuple (A * S) | traj_last s0 tr == s)
    rho s0 * traj_prob P pi s0 tr.

Definition performance : R := lim (fun N => start_J N : R^o).

Definition start_occupancy (s : S) : R :=
  lim (series (fun t => g ^+ t * start_prob_at t s : R^o)).

End StartDefinitions.

Theorem S10_start_policy_gradient
  (R : realType) (T : normedModType R) (S A : finType)
  (P : S -> A -> S -> R) (r : S -> A -> R) (g : R)
  (pi : T -> S -> A -> R) (th : T) (rho : S -> R) :
  0 <= g < 1 ->
  (forall s a s', 0 <= P s a s') ->
  (forall s a, \sum_s' P s a s' = 1) ->
  (\forall t \near th, policy (pi t)) ->
  (forall s a, differentiable (fun t => pi t s a : R) th) ->
  let perf t := performance P r g (pi t) rho in
  let Q := qvalue P r g (pi th) in
  let d := start_occupancy P g (pi th) rho in
  (* the expected returns converge, to the mean of V over the first state, *)
  [/\ \forall t \near th, start_J P r g (pi t) rho --> perf t /\
        perf t = \sum_s0 rho s0 * value P r g (pi t) s0,
      forall s a, (fun N => JQ P r g (pi th) N s a) --> Q s a,
  (* the discounted visits to d, which is rho times the inverse, *)
      forall s,
        series (fun t => g ^+ t * start_prob_at P (pi th) rho t s) --> d s /\
        d s = \sum_s0 rho s0 *
          invmx (1%:M - g *: numbered_pm P (pi th))
            (enum_rank s0) (enum_rank s),
      differentiable (fun t => perf t : R) th
    & forall v,
        'D_v (fun t => perf t : R) th =
        \sum_s d s * \sum_a 'D_v (fun t => pi t s a : R) th * Q s a].
Proof.
same; exact (@PGFormal.StartDistribution.start_policy_gradient
         R T S A P r g pi th rho).
Qed.

(** ** S11. The form that estimators sample from

    The state is drawn from [D], which is [d] normalised, the action from the
    policy; the logarithm needs an action that the policy takes. *)

Definition state_distribution (R : realType) (S A : finType)
    (P : S -> A -> S -> R) (g : R) (pi : S -> A -> R)
    (s0 s : S) : R :=
  (1 - g) * occupancy P g pi s0 s.

Theorem S11_score_form
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
  let D := state_distribution P g (pi th) in
  [/\ forall s0 s, (fun N => (1 - g) *
        series (fun t => g ^+ t * prob_at P (pi th) t s0 s) N) --> D s0 s,
  (* D is a law on the states, *)
      forall s0, (forall s, 0 <= D s0 s) /\ \sum_s D s0 s = 1,
      forall s a, 0 < pi th s a ->
        differentiable (fun t => ln (pi t s a) : R) th,
      forall s0, differentiable (fun t => V t s0 : R) th
  (* and the derivative is 1 / (1 - g) times a mean under D and pi. *)
    & forall s0 v,
        'D_v (fun t => V t s0 : R) th =
        (1 - g)^-1 * \sum_s D s0 s * \sum_(a | 0 < pi th s a)
          pi th s a * 'D_v (fun t => ln (pi t s a) : R) th * Q s a].
Proof. same; exact (@PGFormal.ScoreForm.score_form R T S A P r g pi th). Qed.

(** ** S12. Finitely many steps, as means over trajectories

    The score of a trajectory is the sum of the scores of its steps. *)

Fixpoint traj_score (R : realType) (S A : finType)
    (score : S -> A -> R) (s : S) (tr : seq (A * S)) : R :=
  if tr is (a, s') :: tr' then score s a + traj_score score s' tr' else 0.

(** Reward-to-go with a baseline: each score is multiplied by the return from
    its own step on, less a baseline [b] that may depend on the number [k] of
    the step and on the state; step [k] counts [g ^+ k]. *)
Fixpoint traj_reward_to_go (R : realType) (S A : finType)
    (r : S -> A -> R) (g : R) (score : S -> A -> R)
    (b : nat -> S -> R) (k : nat) (s : S) (tr : seq (A * S)) : R :=
  if tr is (a, s') :: tr' then
    score s a * (traj_return r g s tr - b k s) +
    g * traj_reward_to_go r g score b k.+1 s' tr'
  else 0.

Theorem S12_finite_horizon
  (R : realType) (T : normedModType R) (S A : finType)
  (P : S -> A -> S -> R) (r : S -> A -> R) (g : R)
  (pi : T -> S -> A -> R) (th : T) :
  (* nothing is asked of the discount factor; *)
  (forall s a s', 0 <= P s a s') ->
  (forall s a, \sum_s' P s a s' = 1) ->
  (\forall t \near th, policy (pi t)) ->
  (forall s a, differentiable (fun t => pi t s a : R) th) ->
  let p := traj_prob P (pi th) in
  let score v s a := 'D_v (fun t => ln (pi t s a) : R) th in
  forall N s0,
  [/\ forall s a, 0 < pi th s a ->
        differentiable (fun t => ln (pi t s a) : R) th,
      differentiable (fun t => J P r g (pi t) N s0 : R) th,
  (* the derivative is the mean of score times return, *)
      forall v,
        'D_v (fun t => J P r g (pi t) N s0 : R) th =
        \sum_(tr : N.-tuple (A * S) | 0 < p s0 tr)
          p s0 tr * (traj_score (score v) s0 tr * traj_return r g s0 tr)
  (* and that of reward-to-go, whatever the baseline. *)
    & forall v (b : nat -> S -> R),
        'D_v (fun t => J P r g (pi t) N s0 : R) th =
        \sum_(tr : N.-tuple (A * S) | 0 < p s0 tr)
          p s0 tr * traj_reward_to_go r g (score v) b 0 s0 tr].
Proof.
same; exact (@PGFormal.FiniteHorizon.finite_horizon_policy_gradient
         R T S A P r g pi th).
Qed.

(** ** S13. The performance difference of two policies *)

Theorem S13_performance_difference
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
  (* what pi' gains over pi: the advantages of pi under the visits of pi'. *)
    & forall s0,
        V' s0 - V s0 = \sum_s d' s0 s * \sum_a pi' s a * (Q s a - V s)].
Proof.
same; exact (@PGFormal.PerformanceDifference.performance_difference
         R S A P r g pi pi').
Qed.

(** ** What the theorems assume

    Three axioms of mathcomp-analysis, or none: see README.md. *)

Print Assumptions S1_policy_gradient.
Print Assumptions S2_deterministic_policy_gradient.
Print Assumptions S2_deterministic_policy_gradient_real.
Print Assumptions S3_eglp.
Print Assumptions S4_baseline.
Print Assumptions S5_unit_resolvent.
Print Assumptions S6_unit.
Print Assumptions S6_convergence.
Print Assumptions S6_inverse.
Print Assumptions S6_bellman.
Print Assumptions S6_deterministic_bellman.
Print Assumptions S7_algebraic_policy_gradient.
Print Assumptions S8_log_derivative.
Print Assumptions S8_softmax_score.
Print Assumptions S8_softmax_policy_gradient.
Print Assumptions S8_bandit.
Print Assumptions S8_mixture_policy_gradient.
Print Assumptions S9_policy_gradient_finite.
Print Assumptions S9_deterministic_policy_gradient_finite.
Print Assumptions S10_start_policy_gradient.
Print Assumptions S11_score_form.
Print Assumptions S12_finite_horizon.
Print Assumptions S13_performance_difference.
