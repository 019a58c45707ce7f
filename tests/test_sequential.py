"""The sequential test: its error probabilities by enumeration and over 10,000 seeds, its power, and what it refuses."""

from itertools import product

import numpy as np
import pytest
from scipy.stats import binom, norm

import pgtheory as pg
from pgtheory.checks.betting import Bets, log_mean_exp, quadratic_loss, stakes
from pgtheory.checks.sequential import SequentialTest, sequential_test
from pgtheory.problems.finite import Problem
from pgtheory.routes.monte_carlo import GradientSampler

SEEDS = 10_000
RARE = 1e-9


def most_errors(rate):
    """Errors among 10,000 runs that a test of this rate exceeds with probability below 1e-9."""
    return binom.isf(RARE, SEEDS, rate)


def coin(p):
    return lambda n, rng: (rng.random((n, 1)) < p).astype(float)


def run(draw, target, tolerance=0.05, budget=50_000, alpha=1e-6, beta=1e-6, low=0.0, high=1.0, **more):
    return sequential_test(draw, target, low, high, tolerance, alpha, beta, budget, **more)


# ------------------------------------------------------------------------------------------- the martingale, by enumeration


def expected_wealth(p, centre, sign, n=8):
    """(N_STAKES,) mean wealth after n tosses of a coin of mean p, over all 2^n of them."""
    total = 0.0
    for tosses in product([0.0, 1.0], repeat=n):
        bets = Bets(*np.array([[0], [sign], [centre], [0.0], [1.0]], dtype=float), budget=100)
        bets.update(np.array(tosses)[:, None])
        heads = sum(tosses)
        total += p**heads * (1 - p) ** (n - heads) * np.exp(bets.log_wealth[0])
    return total


def test_the_mean_wealth_stays_1_at_the_centre_and_falls_on_the_wrong_side():
    """E prod (1 + stake (X - m)) = (1 + stake (p - m))^n, exactly 1 at p = m: Ville's condition, for every stake."""
    stake = stakes(np.array([0.3]), np.array([1.0]), 100)[0]
    np.testing.assert_allclose(expected_wealth(0.3, 0.3, +1), 1.0, atol=1e-12)
    np.testing.assert_allclose(expected_wealth(0.2, 0.3, +1), (1 - 0.1 * stake) ** 8, rtol=1e-12)
    assert (expected_wealth(0.4, 0.3, +1) > 1).all()
    np.testing.assert_allclose(expected_wealth(0.3, 0.3, -1), 1.0, atol=1e-12)


def test_the_average_over_sides_coordinates_and_stakes_is_1_too():
    """Two dependent coordinates (X, 1 - X): the wealth behind FAIL has mean 1 over all 2^10 toss sequences."""
    total, n = 0.0, 10
    for tosses in product([0.0, 1.0], repeat=n):
        x = np.array(tosses)[:, None]
        test = SequentialTest([0.25, 0.75], [0.0, 0.0], [1.0, 1.0], 0.1, 1e-300, 1e-300, 100, rounding=0.0)
        test.update(np.hstack([x, 1 - x]))
        log_e = log_mean_exp(test._by_test(test._against.log_wealth), axes=(-2, -1))
        total += 0.25 ** x.sum() * 0.75 ** (n - x.sum()) * np.exp(log_e)
    assert total == pytest.approx(1.0, abs=1e-11)


@pytest.mark.parametrize("loss", [0.0, 1e-6, 0.01, 0.5, 1.0])
@pytest.mark.parametrize("width", [1e-8, 1.0, 1e8])
def test_no_draw_in_the_box_can_ruin_a_bet(loss, width):
    grid = stakes(np.array([loss * width]), np.array([width]), 200_000)[0]
    assert (grid > 0).all() and (np.diff(grid) < 0).all() and (1 - grid * loss * width >= 0.0499).all()
    assert np.log10(1 + grid[0] * width) * 64 < 300       # products of 64 factors stay within float64


# ------------------------------------------------------------------------------------------------------- 10,000 seeds


def two_states():
    P = np.array([[[0.7, 0.3], [0.1, 0.9]], [[0.4, 0.6], [0.8, 0.2]]])
    mdp = pg.MDP(P, [[1.0, -0.5], [0.0, 2.0]], 0.5, [0.5, 0.5], normalize=True)
    return Problem(mdp, pg.SoftmaxPolicy(2, 2), [[0.2, -0.1], [0.0, 0.4]])


def many_runs(shift, tolerance, beta, draws=256, look=32, seed=0):
    """10,000 tests side by side on the simulated gradient, the target moved by ``shift``; none stops at a FAIL."""
    problem, rng = two_states(), np.random.default_rng(seed)
    sampler = GradientSampler(problem)
    gradient = sampler.mean(pg.policy_gradient(problem.mdp, problem.policy, problem.theta))
    target = np.broadcast_to(gradient + shift, (SEEDS, 4))
    test = SequentialTest(target, sampler.low, sampler.high, tolerance, 1e-300, beta, draws)
    for _ in range(draws // look):
        test.update(sampler.draw(look * SEEDS, rng).reshape(look, SEEDS, 4))
    return test


def false_alarms(test, alpha):
    """How many of the tests reached 1/alpha at some look, that is, would have failed at this alpha."""
    return np.count_nonzero(test.log_e_fail >= -np.log(alpha))


def test_the_right_theorem_is_called_wrong_no_more_often_than_alpha():
    """H0: the theorem. 10,000 runs, looked at after every 32 draws; counts at alpha 0.05 and 0.001 below the binomial
    1 - 1e-9 quantile. The control: a gradient off by 0.5 in one coordinate fails nearly always at the same budget."""
    right, wrong = many_runs(0.0, 0.2, 1e-300), many_runs(np.array([0.5, 0, 0, 0]), 0.2, 1e-300)
    for alpha in (0.05, 0.001):
        assert false_alarms(right, alpha) <= most_errors(alpha)
        assert false_alarms(wrong, alpha) > 0.9 * SEEDS


@pytest.mark.parametrize("beta", [0.05, 0.001])
def test_a_bias_of_the_tolerance_passes_no_more_often_than_beta(beta):
    """H0: one coordinate is off by exactly the tolerance. 10,000 runs, count below the binomial 1 - 1e-9 quantile of beta.
    The control: without a bias most runs pass at the same budget."""
    tolerance = 0.4
    biased, right = (many_runs(shift, tolerance, beta, draws=128) for shift in (np.array([tolerance, 0, 0, 0]), 0.0))
    assert biased.passed.sum() <= most_errors(beta)
    assert right.passed.mean() > 0.5


@pytest.mark.long
def test_false_alarms_over_long_runs():
    """H0: the theorem, 4096 draws a run; as above, false alarm 1e-9."""
    test = many_runs(0.0, 0.01, 1e-300, draws=4096, look=128, seed=1)
    for alpha in (0.05, 0.001):
        assert false_alarms(test, alpha) <= most_errors(alpha)


def test_the_calibration_sees_a_test_that_peeks():
    """Negative control of the calibration: a z-test at level 5 % that looks every 32 draws is caught exceeding 5 %."""
    rng = np.random.default_rng(2)
    X = rng.integers(0, 2, size=(256, SEEDS)) - 0.5
    n = np.arange(32, 257, 32)[:, None]
    z = np.cumsum(X, axis=0)[31::32] / np.sqrt(n / 4)
    assert (np.abs(z) > norm.isf(0.025)).any(axis=0).sum() > most_errors(0.05)


def test_resolutions_cover_the_bias():
    """H0: the bias is 0.1 (and -0.1). The resolution lies below it in at most beta of 10,000 runs; the control: it usually
    ends below three times the bias, so it does say something."""
    rng, beta = np.random.default_rng(3), 0.05
    X = (rng.random((512, SEEDS, 1)) < 0.4).astype(float)
    for target in (0.3, 0.5):
        test = SequentialTest(np.full((SEEDS, 1), target), 0.0, 1.0, 0.01, 1e-300, beta, 512)
        smallest = np.full((SEEDS, 1), np.inf)
        for start in range(0, 512, 64):
            test.update(X[start:start + 64])
            smallest = np.minimum(smallest, test.resolution())
        assert (smallest < 0.1).sum() <= most_errors(beta)
        assert np.mean(smallest < 0.3) > 0.9


def test_the_quadratic_under_the_logarithm():
    for c in (1e-9, 1e-3, 0.3, 0.95):
        x = np.concatenate([np.linspace(-c, 1, 1001), np.geomspace(1, 1e6, 50)])
        assert (np.log1p(x) >= x - quadratic_loss(c) * x**2 - 1e-15).all()
        low = np.array([-c])      # and no smaller psi will do, for c that floats resolve
        assert c < 1e-2 or (np.log1p(low) < low - 0.999 * quadratic_loss(c) * low**2).all()


# ------------------------------------------------------------------------------------------------------------ verdicts


def test_verdicts_of_a_coin():
    """False verdicts have probability 1e-6 at most; seeds are fixed."""
    assert run(coin(0.5), [0.5]).verdict == "PASS"
    above, below = run(coin(0.5), [0.4]), run(coin(0.5), [0.6])
    assert (above.verdict, below.verdict) == ("FAIL", "FAIL")
    assert "above the target 0.4" in above.reason and "below the target 0.6" in below.reason
    assert above.log_e_fail >= -np.log(1e-6)
    spent = run(coin(0.5), [0.5], tolerance=0.001, budget=5000)
    assert (spent.verdict, spent.n) == ("INCONCLUSIVE", 5000) and "5000 draws" in spent.reason
    assert 0.001 < spent.resolution[0] < 0.1


def test_a_pass_takes_about_as_many_draws_as_the_theory_of_betting_says():
    """2 log(1/beta) sd^2 / tolerance^2 = 11,052 draws for the best stake known beforehand; the grid costs log 12 and a stake
    off by up to a fifth of an octave. Within a factor of two, looking every 100 draws."""
    result = run(coin(0.5), [0.5], tolerance=0.025, batch=100)
    assert 11_052 / 2 <= result.n <= 2 * 11_052


def test_one_bad_coordinate_among_many_fails_and_one_uncertain_one_withholds_the_pass():
    def draw(n, rng):
        return rng.random((n, 20))

    target = np.full(20, 0.5)
    assert run(draw, target).verdict == "PASS"
    assert run(draw, target + 0.1 * np.eye(20)[7]).reason.startswith("the mean of coordinate 7 lies below")
    tolerance = np.where(np.arange(20) == 7, 1e-4, 0.05)
    uncertain = run(draw, target, tolerance)
    assert uncertain.verdict == "INCONCLUSIVE" and "coordinate 7" in uncertain.reason
    assert (np.delete(uncertain.resolution, 7) <= 0.05).all()


def test_estimates_and_standard_errors_are_those_of_the_draws():
    seen = []

    def draw(n, rng):
        seen.append(rng.normal(2, 0.1, size=(n, 2)).clip(1, 3))
        return seen[-1]

    result = run(draw, [2.0, 2.0], low=1.0, high=3.0, tolerance=0.0, budget=4000)
    X = np.concatenate(seen)
    assert len(X) == result.n == 4000
    np.testing.assert_allclose(result.estimate, X.mean(axis=0), rtol=1e-12)
    np.testing.assert_allclose(result.standard_error, X.std(axis=0) / np.sqrt(4000), rtol=1e-9)


@pytest.mark.parametrize("bad", [1.0 + 1e-12, -0.5, np.nan, np.inf])
def test_a_draw_outside_its_box_is_an_error(bad):
    def draw(n, rng):
        X = np.full((n, 2), 0.5)
        X[3, 1] = bad
        return X

    with pytest.raises(pg.PGTheoryError, match=r"bound violated: draw 3 is .* in coordinate 1, outside the box \[0, 1\]"):
        run(draw, [0.5, 0.5])


def test_draws_without_spread_are_judged_exactly():
    """low = high: equal within rounding passes at once, anything else fails at once; no draw is needed."""
    for value in (0.0, 3.0, -1e8, 1e-8):
        def constant(n, rng, value=value):
            return np.full((n, 1), value)

        right = run(constant, [value * (1 + 1e-12)], tolerance=0.0, low=value, high=value)
        wrong = run(constant, [value + 1e-6 * max(abs(value), 1e-9)], tolerance=1.0, low=value, high=value)
        assert (right.verdict, wrong.verdict, right.n, wrong.n) == ("PASS", "FAIL", 0, 0)
    both = run(lambda n, rng: np.column_stack([np.ones(n), rng.random(n)]), [1.0, 0.5], low=[1, 0], high=[1, 1])
    assert both.verdict == "PASS" and both.n > 0


def test_a_target_outside_the_box_fails_without_a_draw():
    result = run(coin(0.5), [1.2])
    assert (result.verdict, result.n, result.log_e_fail) == ("FAIL", 0, np.inf)
    assert result.reason == "target 1.2 of coordinate 0 lies outside [0, 1], which holds every draw: it cannot be their mean"


def test_a_target_at_an_end_of_the_box():
    """A coin that never shows heads has mean 0: heads speak against it, and their absence for it."""
    assert run(coin(0.0), [0.0]).verdict == "PASS"
    assert run(coin(0.01), [0.0], tolerance=1e-4).verdict == "FAIL"


def test_the_null_is_as_wide_as_the_rounding_of_the_target():
    """Constant draws that differ from the target by less than ``rounding`` are no evidence; by more, they are."""
    def draw(n, rng):
        return np.full((n, 1), 0.5)

    assert run(draw, [0.51], rounding=0.02, tolerance=0.0).log_e_fail <= 0
    assert run(draw, [0.55], rounding=0.02, tolerance=0.1).verdict == "FAIL"
    assert run(draw, [0.51], rounding=0.02, tolerance=0.0).tolerance == [0.02]


@pytest.mark.parametrize("scale", [2.0**-600, 2.0**-27, 2.0**27, 2.0**600])
def test_the_unit_of_the_draws_does_not_matter(scale):
    """A power of two scales without rounding: the same verdict after the same draws with the same wealth."""
    plain = run(coin(0.52), [0.5], tolerance=0.05)
    scaled = sequential_test(lambda n, rng: scale * coin(0.52)(n, rng), [0.5 * scale], 0.0, scale, 0.05 * scale, 1e-6, 1e-6,
                             50_000)
    assert (plain.verdict, plain.n) == (scaled.verdict, scaled.n)
    assert plain.log_e_fail == pytest.approx(scaled.log_e_fail, rel=1e-9)
    np.testing.assert_allclose(scaled.resolution, plain.resolution * scale, rtol=1e-9)


def test_boxes_that_are_nearly_points():
    """Targets that differ from a tiny or empty box by rounding: nothing overflows, the verdict comes at once."""
    for width in (0.0, 1e-310, 1e-200, 1e-60):
        def draw(n, rng, width=width):
            return width * rng.random((n, 1))

        close = run(draw, [1e-13], tolerance=1e-14, low=0.0, high=width, rounding=2e-13, budget=2000)
        far = run(draw, [1e-13], tolerance=1e-9, low=0.0, high=width, rounding=1e-14)
        assert (close.verdict, far.verdict) == ("PASS", "FAIL")
        held = SequentialTest([1e-13], [0.0], [width], 1e-14, 1e-6, 1e-6, 100, rounding=2e-13)
        held.update(draw(100, np.random.default_rng(0)))
        assert np.isfinite(held.resolution()).all()


def test_ranges_of_many_sizes_side_by_side():
    scales = np.array([1e-8, 1.0, 1e8])

    def draw(n, rng):
        return rng.random((n, 3)) * scales

    assert run(draw, 0.5 * scales, 0.05 * scales, low=0.0, high=scales).verdict == "PASS"
    for j in range(3):
        wrong = 0.5 * scales + 0.1 * scales * np.eye(3)[j]
        assert f"coordinate {j}" in run(draw, wrong, 0.05 * scales, low=0.0, high=scales).reason


def test_tests_side_by_side_are_the_tests_by_themselves_in_any_batches():
    rng = np.random.default_rng(5)
    X = rng.random((500, 3, 2))
    target = np.array([[0.5, 0.5], [0.6, 0.5], [0.5, 0.45]])
    arguments = {"tolerance": 0.1, "alpha": 1e-3, "beta": 1e-3, "budget": 500}
    together = SequentialTest(target, 0.0, 1.0, **arguments)
    together.update(X)
    for i in range(3):
        alone = SequentialTest(target[i], 0.0, 1.0, **arguments)
        for part in np.split(X[:, i], [1, 64, 65, 300]):
            alone.update(part)
        wealth = together._by_test(together._against.log_wealth)[i]
        np.testing.assert_allclose(alone._by_test(alone._against.log_wealth), wealth, rtol=1e-9, atol=1e-12)
        np.testing.assert_allclose(together.resolution()[i], alone.resolution(), rtol=1e-9)
    assert together.failed.tolist() == [False, True, False]


def test_the_same_seed_gives_the_same_result():
    a, b = run(coin(0.5), [0.5], rng=7), run(coin(0.5), [0.5], rng=np.random.default_rng(7))
    assert (a.n, a.estimate, a.log_e_fail) == (b.n, b.estimate, b.log_e_fail)


@pytest.mark.parametrize(("change", "words"), [
    ({"alpha": 0.0}, "alpha is 0.0"), ({"beta": 1.0}, "beta is 1.0"), ({"budget": 0}, "budget is 0"),
    ({"low": 2.0}, "low at most high"), ({"tolerance": -1.0}, "tolerance not negative"),
    ({"target": [np.nan]}, r"target\[0\] is nan"), ({"high": np.inf}, "high.* is inf"),
])
def test_arguments_without_sense_are_refused(change, words):
    arguments = {"target": [0.5], "low": 0.0, "high": 1.0, "tolerance": 0.1, "alpha": 1e-6, "beta": 1e-6, "budget": 100}
    with pytest.raises(pg.PGTheoryError, match=words):
        sequential_test(coin(0.5), **{**arguments, **change})


def test_draws_of_another_shape_are_refused():
    with pytest.raises(pg.PGTheoryError, match=r"draws have shape \(1024, 2\)"):
        run(lambda n, rng: np.zeros((n, 2)), [0.5])
