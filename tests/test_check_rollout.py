"""RecordRollout and check_rollout: what an agent saw is kept as it was, and what it computed from that is judged."""

import numpy as np
import pytest

import pgtheory as pg
from pgtheory.errors import PGTheoryError

gymnasium = pytest.importorskip("gymnasium")
GAMMA, LAM, LIMIT = 0.8, 0.9, 3


def play(steps=60, seed=0, limit=LIMIT):
    """A random agent with automatic resets; (the recorder, what a careful agent would have written down itself)."""
    env = pg.RecordRollout(gymnasium.wrappers.TimeLimit(pg.TabularEnv(pg.models.load("short-corridor")), limit))
    rng = np.random.default_rng(seed)
    state, _ = env.reset(seed=seed)
    rows = []
    for _ in range(steps):
        reached, reward, terminated, truncated, _ = env.step(int(rng.integers(2)))
        rows.append((state, reward, reached, terminated, truncated))
        state = env.reset()[0] if terminated or truncated else reached
    return env, rows, state


V = np.array([-8.0, -5.5, -2.0, 4.0])      # a critic that is wrong, and not 0 at the end


def advantages(rows, stop=lambda term, trunc: term, cut=lambda term, trunc: term or trunc, following=None):
    out, carry = [], 0.0
    for k, (state, reward, reached, terminated, truncated) in reversed(list(enumerate(rows))):
        value = V[reached] if following is None else following(k, rows)
        delta = reward + GAMMA * (0.0 if stop(terminated, truncated) else value) - V[state]
        carry = delta + GAMMA * LAM * (0.0 if cut(terminated, truncated) else carry)
        out.append(carry)
    return np.array(out[::-1])


def test_what_the_agent_saw_is_recorded_step_by_step():
    env, rows, _ = play()
    assert [(s[0], s[2], s[3], s[4], s[5]) for s in env.steps] == [(*row[:4], row[4] and not row[3]) for row in rows]
    starts = [True, *(term or trunc for *_, term, trunc in rows[:-1])]
    assert [step[6] for step in env.steps] == starts
    assert any(trunc for *_, trunc in rows) and any(term for *_, term, _ in rows)


def test_right_advantages_pass_whatever_their_shape():
    env, rows, _ = play()
    A = advantages(rows)
    for given in (A, A[:, None], A.astype(np.float32), list(A)):
        result = pg.check_rollout(env, V, given, GAMMA, LAM)
        assert result.verdict == "PASS"
    assert pg.check_rollout(env, V, A, GAMMA, LAM).precision == "double"
    assert pg.check_rollout(env, V, A.astype(np.float32), GAMMA, LAM).precision == "single precision"
    states = np.array([row[0] for row in rows])
    assert pg.check_rollout(env, lambda s: V[s][:, None], A, GAMMA, LAM, returns=A + V[states]).verdict == "PASS"


def test_advantages_of_the_last_steps_only():
    env, rows, _ = play()
    assert pg.check_rollout(env, V, advantages(rows[-20:]), GAMMA, LAM).verdict == "PASS"


def test_a_hidden_time_limit_is_named():
    env, rows, _ = play()
    wrong = advantages(rows, stop=lambda term, trunc: term or trunc)
    result = pg.check_rollout(env, V, wrong, GAMMA, LAM)
    assert result.verdict == "FAIL" and [finding.bug for finding in result.diagnosis] == ["B6/B7"]
    assert "cut by a time limit" in result.where
    assert pg.check_rollout(env, V, wrong, GAMMA, LAM, truncation="as_termination").verdict == "PASS"


def test_other_bugs_of_whole_agents_are_named():
    env, rows, last = play()
    def reset_value(k, rows):
        limit = rows[k][4] and k + 1 < len(rows)
        return V[rows[k + 1][0]] if limit else V[rows[k][2]]
    def same_state(k, rows):
        return V[rows[k][0]] if rows[k][4] else V[rows[k][2]]
    for bug, wrong in (("B9", advantages(rows, following=reset_value)), ("B8", advantages(rows, following=same_state)),
                       ("B10", advantages(rows, cut=lambda term, trunc: term)), ("B5", advantages(rows, cut=lambda *_: False))):
        result = pg.check_rollout(env, V, wrong, GAMMA, LAM)
        assert result.verdict == "FAIL" and bug in {finding.bug for finding in result.diagnosis}


def test_the_first_wrong_step_comes_with_its_observation():
    env, rows, _ = play()
    A = advantages(rows)
    A[7] += 1
    assert pg.check_rollout(env, V, A, GAMMA, LAM).where.startswith(f"first in step 7 of 60, observation {rows[7][0]}")


def test_an_episode_that_is_left_by_reset_counts_as_cut():
    env, _, _ = play(0)
    env.reset()
    env.step(0)
    env.reset()
    env.step(0)
    assert [(step[5], step[6]) for step in env.steps] == [(True, True), (False, True)]
    env.clear()
    assert env.steps == []


def test_observations_are_kept_where_the_environment_reuses_its_buffer():
    class Buffer(gymnasium.Env):
        observation_space, action_space = gymnasium.spaces.Box(0, 9, (1,)), gymnasium.spaces.Discrete(2)

        def reset(self, *, seed=None, options=None):
            self.x = np.zeros(1)
            return self.x, {}

        def step(self, action):
            self.x += 1
            return self.x, 1.0, False, False, {}

    env = pg.RecordRollout(Buffer())
    env.reset()
    for _ in range(3):
        env.step(0)
    assert [float(step[0][0]) for step in env.steps] == [0, 1, 2] and [float(step[3][0]) for step in env.steps] == [1, 2, 3]


def test_what_the_record_cannot_show_is_said():
    env, rows, _ = play(20, limit=10**6)
    A = advantages(rows)
    blind = " ".join(pg.check_rollout(env, V, A, GAMMA, LAM).blind)
    assert "no time limit" in blind and "returns" in blind and "reward is constant" in blind
    constant = pg.check_rollout(env, np.zeros(4), np.zeros(20), GAMMA, 1.0)
    assert any("critic is constant" in words for words in constant.blind) and any("trace" in words for words in constant.blind)


@pytest.mark.parametrize(("change", "words"), [
    ({"env": gymnasium.make("FrozenLake-v1")}, "must be the RecordRollout"),
    ({"advantages": np.zeros(99)}, "60 steps were recorded and 99"),
    ({"value": np.zeros((4, 2))}, "must be"), ({"value": lambda s: V[:3]}, "one number for each"),
    ({"returns": np.zeros(3)}, "60 advantages and 3 returns"),
])
def test_bad_input_is_refused_in_words(change, words):
    env, rows, _ = play()
    given = {"env": env, "value": V, "advantages": advantages(rows), "gamma": GAMMA, "lam": LAM, **change}
    with pytest.raises(PGTheoryError, match=words):
        pg.check_rollout(**given)


def test_reports_are_eighty_columns():
    env, rows, _ = play()
    assert max(map(len, str(pg.check_rollout(env, V, -advantages(rows), GAMMA, LAM)).splitlines())) <= 80


# ------------------------------------------------------------------------------------------------ several environments


def play_together(mode, steps=40, n=3, seed=0):
    """A random agent in a vector environment: (recorder, (T, n) rewards, terminated, truncated, states before, states after)."""
    def make():
        return gymnasium.wrappers.TimeLimit(pg.TabularEnv(pg.models.load("short-corridor")), LIMIT)
    env = pg.RecordRollout(gymnasium.vector.SyncVectorEnv([make] * n, autoreset_mode=mode))
    rng, seen = np.random.default_rng(seed), []
    states, _ = env.reset(seed=seed)
    for _ in range(steps):
        before = states.copy()
        states, rewards, terminated, truncated, _ = env.step(rng.integers(2, size=n))
        seen.append((rewards.copy(), terminated.copy(), truncated.copy(), before, states.copy()))
    return (env, *(np.array(x) for x in zip(*seen, strict=True)))


def gae(rewards, values, following, terminated, done, skip=None):
    """(T, N) by a loop; where ``skip`` the carry goes through untouched."""
    out, carry = np.zeros_like(rewards, dtype=float), np.zeros(rewards.shape[1])
    for t in reversed(range(len(rewards))):
        delta = rewards[t] + GAMMA * following[t] * ~terminated[t] - values[t]
        new = delta + GAMMA * LAM * ~done[t] * carry
        out[t] = new
        carry = new if skip is None else np.where(skip[t], carry, new)
    return out


MODES = gymnasium.vector.AutoresetMode


def test_a_vector_environment_that_resets_in_the_next_step_leaves_holes():
    env, rewards, terminated, truncated, before, after = play_together(MODES.NEXT_STEP)
    done = terminated | truncated
    holes = np.concatenate([np.zeros_like(done[:1]), done[:-1]])
    right = gae(rewards, V[before], V[after], terminated, done, holes)
    assert holes.any() and pg.check_rollout(env, V, right, GAMMA, LAM).passed
    wrong = right.copy()
    wrong[~holes] += 1e-3
    result = pg.check_rollout(env, V, wrong, GAMMA, LAM)
    assert result.verdict == "FAIL" and result.bias.shape == (3, 40) and "in environment 0" in result.where
    scribbled = np.where(holes, 99.0, right)
    assert pg.check_rollout(env, V, scribbled, GAMMA, LAM).passed       # a reset is no step
    starts = env.rollout(V).episode_starts.T
    assert starts[0].all() and (starts[1:][holes[1:]]).all()


def test_a_vector_environment_that_resets_in_the_same_step_hides_the_state_reached():
    env, rewards, terminated, truncated, before, after = play_together(MODES.SAME_STEP)
    done, reached = terminated | truncated, env.rollout(V)
    right = gae(rewards, V[before], reached.next_values.T, terminated, done)
    assert pg.check_rollout(env, V, right, GAMMA, LAM).passed
    hidden = gae(rewards, V[before], V[after], terminated, done)
    assert pg.check_rollout(env, V, hidden, GAMMA, LAM).diagnosis[0].bug == "B9"
    assert set(np.unique(after[done])) == {0} and not np.all(reached.next_values.T[done] == V[0])


def test_environments_that_reset_by_mask():
    def make():
        return gymnasium.wrappers.TimeLimit(pg.TabularEnv(pg.models.load("short-corridor")), LIMIT)
    env = pg.RecordRollout(gymnasium.vector.SyncVectorEnv([make] * 2, autoreset_mode=MODES.DISABLED))
    rng, rows = np.random.default_rng(1), []
    states, _ = env.reset(seed=1)
    for _ in range(30):
        before = states.copy()
        states, rewards, terminated, truncated, _ = env.step(rng.integers(2, size=2))
        rows.append((rewards.copy(), V[before], V[states], terminated.copy(), terminated | truncated))
        if (terminated | truncated).any():
            states, _ = env.reset(options={"reset_mask": terminated | truncated})
    rewards, values, following, terminated, done = (np.array(x) for x in zip(*rows, strict=True))
    assert pg.check_rollout(env, V, gae(rewards, values, following, terminated, done), GAMMA, LAM).passed
    assert pg.check_rollout(env, V, gae(rewards, values, following, done, done), GAMMA, LAM).diagnosis[0].bug == "B6/B7"


def test_several_recorders_one_for_each_environment():
    played = [play(60, seed) for seed in range(3)]
    envs, A = [env for env, _, _ in played], np.stack([advantages(rows) for _, rows, _ in played], axis=1)
    for given in (A, A[..., None], A.T):
        assert pg.check_rollout(envs, V, given, GAMMA, LAM).passed
    A[7, 1] += 1
    where = pg.check_rollout(envs, V, A, GAMMA, LAM).where
    assert where.startswith(f"first in step 7 of 60 in environment 1, observation {played[1][1][7][0]}")
    for wrong, words in ((A[:, :2], r"must be \(T, 3\), time first"), (A.ravel(), "time first")):
        with pytest.raises(PGTheoryError, match=words):
            pg.check_rollout(envs, V, wrong, GAMMA, LAM)
