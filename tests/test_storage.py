"""Models in files: bit-exact round trips, hand-written files, damaged files, and writing whole or not at all."""

import io
import json
import os
from fractions import Fraction

import hypothesis.strategies as st
import numpy as np
import pytest
import scipy.sparse
import sympy
from hypothesis import given, settings
from hypothesis.extra.numpy import arrays

import pgtheory as pg

SMALLEST = 5e-324
REWARDS = st.floats(-1e280, 1e280, allow_subnormal=True) | st.sampled_from([SMALLEST, -0.0, 2.2250738585072014e-308, 0.1])
GOOD = {"P": [[["1/3", "2/3"], [0, 1]], [[0, 1], [0, 1]]], "R": [[1, 0], [0, 0]], "gamma": "9/10", "rho": 0}
FLOATS = {"P": [[[0.25, 0.75], [0, 1]], [[0, 1], [0, 1]]], "R": [[1, 0.1], [0, 0]], "gamma": 0.9, "rho": [0.5, 0.5]}
SPARSE = {"P": {"entries": [[0, 0, 0, 0.25], [0, 0, 1, 0.75], [1, 0, 1, 1]]}, "R": {"entries": [[0, 0, 1, 2.5]]},
          "gamma": 0.5, "rho": 0}


def bits(mdp):
    """Everything that a model is, to the last bit."""
    def dense(array):
        if scipy.sparse.issparse(array):
            rows, columns = (x.astype(int) for x in array.tocoo().coords)
            return "sparse", array.shape, [dense(x) for x in (rows, columns, array.data)]
        return array.shape, array.tolist() if array.dtype == object else (array.dtype.str, array.tobytes())
    gamma = mdp.gamma if isinstance(mdp.gamma, Fraction) else float(mdp.gamma).hex()
    return mdp.arithmetic.name, mdp.n_actions, gamma, *(dense(x) for x in (mdp.P, mdp.R, mdp.rho))


def write(path, content):
    path.write_text(content if isinstance(content, str) else json.dumps(content))
    return path


def refused(path, error=pg.InvalidMDPError):
    with pytest.raises(error) as caught:
        pg.MDP.load(path)
    assert "\n" not in str(caught.value)
    return str(caught.value)


@st.composite
def float_models(draw):
    S, A = draw(st.integers(1, 4)), draw(st.integers(1, 3))
    weights = draw(arrays(float, (S * A + 1, S), elements=st.floats(0, 1, allow_subnormal=True), fill=st.nothing()))
    weights[np.arange(S * A + 1), draw(arrays(int, S * A + 1, elements=st.integers(0, S - 1)))] += 0.5
    law = weights / weights.sum(axis=1, keepdims=True)
    R = draw(arrays(float, draw(st.sampled_from([(S,), (S, A), (S, A, S)])), elements=REWARDS, fill=st.nothing()))
    P = law[:-1].reshape(S, A, S)
    if draw(st.booleans()):
        P = scipy.sparse.csr_array(law[:-1])
    return pg.MDP(P, R, draw(st.floats(0, 1)), law[-1])


@st.composite
def exact_models(draw):
    S, A = draw(st.integers(1, 3)), draw(st.integers(1, 2))
    weights = np.array(draw(st.lists(st.integers(0, 10**30), min_size=S * A * S, max_size=S * A * S)), dtype=object)
    weights = weights.reshape(S, A, S) + 1
    P = np.array([Fraction(x, sum(row)) for row in weights.reshape(-1, S).tolist() for x in row], dtype=object)
    R = draw(st.lists(st.fractions() | st.integers(-5, 5), min_size=S, max_size=S))
    return pg.MDP(P.reshape(S, A, S), R, draw(st.fractions(0, 1)), draw(st.integers(0, S - 1)))


@settings(max_examples=150, deadline=None)
@given(mdp=float_models(), suffix=st.sampled_from([".json", ".npz"]))
def test_float_models_come_back_to_the_last_bit(mdp, suffix, tmp_path_factory):
    path = tmp_path_factory.mktemp("models") / f"model{suffix}"
    mdp.save(path)
    assert bits(pg.MDP.load(path)) == bits(mdp)


@settings(max_examples=60, deadline=None)
@given(mdp=exact_models())
def test_exact_models_come_back_exact(mdp, tmp_path_factory):
    path = tmp_path_factory.mktemp("models") / "model.json"
    mdp.save(path)
    assert bits(pg.MDP.load(path)) == bits(mdp)


@pytest.mark.parametrize("exact", [False, True])
@pytest.mark.parametrize("name", [name for name in pg.models.names() if not pg.models.info(name).continuous])
def test_named_models_come_back(name, exact, tmp_path):
    mdp = pg.models.load(name, exact=exact)
    mdp.save(tmp_path / "model.json")
    assert bits(pg.MDP.load(tmp_path / "model.json")) == bits(mdp)


@pytest.mark.parametrize("suffix", [".json", ".npz", ".JSON"])
@pytest.mark.parametrize("sparse", [False, True])
def test_integer_models_stay_integers(suffix, sparse, tmp_path):
    P = np.array([[[0, 1]], [[1, 0]]])
    mdp = pg.MDP(scipy.sparse.csr_array(P[:, 0]) if sparse else P, [1, -2], 1, 0)
    mdp.save(tmp_path / f"model{suffix}")
    back = pg.MDP.load(tmp_path / f"model{suffix}")
    assert back.arithmetic.name == "integer" and bits(back) == bits(mdp)


def test_a_sparse_model_without_any_reward_comes_back(tmp_path):
    mdp = pg.MDP(scipy.sparse.eye_array(3, format="csr"), scipy.sparse.csr_array((3, 3)), 0.5, 1)
    for suffix in (".json", ".npz"):
        mdp.save(tmp_path / f"model{suffix}")
        assert bits(pg.MDP.load(tmp_path / f"model{suffix}")) == bits(mdp)


def test_the_text_is_readable(tmp_path):
    pg.models.load("random-walk", exact=True).save(tmp_path / "walk.json")
    text = (tmp_path / "walk.json").read_text()
    assert '"1/2"' in text and "0.5" not in text
    assert json.loads(text)["gamma"] == "1"


def test_files_written_by_hand_load(tmp_path):
    exact = pg.MDP.load(write(tmp_path / "exact.json", GOOD))
    assert exact.P[0, 0].tolist() == [Fraction(1, 3), Fraction(2, 3)] and exact.gamma == Fraction(9, 10)
    floating = pg.MDP.load(write(tmp_path / "floats.json", FLOATS))
    assert floating.arithmetic.name == "float64" and floating.R[0, 1] == 0.1
    sparse = pg.MDP.load(write(tmp_path / "sparse.json", SPARSE))
    assert sparse.P.toarray().tolist() == [[0.25, 0.75], [0, 1]] and sparse.r.tolist() == [[1.875], [0]]
    decimal = pg.MDP.load(write(tmp_path / "decimal.json", {**GOOD, "gamma": " 0.9 ", "comment": "kept aside"}))
    assert decimal.gamma == Fraction(9, 10)
    (tmp_path / "mark.json").write_bytes(b"\xef\xbb\xbf" + json.dumps(GOOD).encode())
    assert bits(pg.MDP.load(tmp_path / "mark.json")) == bits(exact)


def test_an_archive_written_by_hand_loads(tmp_path):
    np.savez(tmp_path / "m.npz", P=np.array([[[0.25, 0.75]], [[0.0, 1.0]]]), R=np.array([1.0, 0.0]), gamma=0.5, rho=0)
    assert pg.MDP.load(tmp_path / "m.npz").rho.tolist() == [1, 0]


def test_printed_decimals_are_normalised_where_the_file_says_so(tmp_path):
    thirds = {**FLOATS, "P": [[[0.333333, 0.666666], [0, 1]], [[0, 1], [0, 1]]]}
    message = refused(write(tmp_path / "m.json", thirds))
    assert "P[0, 0] sums to 0.999999" in message and '"normalize": true' in message
    mdp = pg.MDP.load(write(tmp_path / "m.json", {**thirds, "normalize": True}))
    assert mdp.P[0, 0, 0] == 0.333333 / 0.999999


@pytest.mark.parametrize("part, value, words", [
    ("gamma", 0.9, 'gamma is the float 0.9 in a file with exact numbers in quotes'),
    ("gamma", 0.9, 'write it as "9/10"'),
    ("R", [[1, 0.125], [0, 0]], 'R[0, 1] is the float 0.125'),
    ("R", [[1, 0.125], [0, 0]], 'write it as "1/8"'),
    ("rho", [0.5, 0.5], "rho[0] is the float 0.5"),
])
def test_floats_beside_exact_numbers_are_refused(part, value, words, tmp_path):
    message = refused(write(tmp_path / "m.json", {**GOOD, part: value}), pg.NotExactError)
    assert words in message and message.startswith("m.json: ")


BAD_JSON = {
    "not json": ("{P: 1}", "it is not JSON"),
    "empty": ("", "it is not JSON"),
    "a list": ("[1, 2]", "it holds a list"),
    "cut short": (json.dumps(GOOD)[:40], "it is not JSON"),
    "too deep": ("[" * 100_000, "nested too deeply"),
    "key twice": ('{"gamma": 0, "gamma": 1}', "'gamma' stands twice"),
    "no P": ({k: v for k, v in GOOD.items() if k != "P"}, "the key 'P' is missing"),
    "wrong case": ({**{k: v for k, v in GOOD.items() if k != "gamma"}, "Gamma": 1}, "is 'Gamma' meant for it?"),
    "another name": ({**{k: v for k, v in GOOD.items() if k != "gamma"}, "discount": "9/10"}, "the key 'gamma' is missing"),
    "name beside it": ({**GOOD, "discount": "1/2"}, "the key 'discount' is unknown (is 'gamma' meant?)"),
    "misspelt option": ({**GOOD, "normalise": True}, "the key 'normalise' is unknown (is 'normalize' meant?)"),
    "stray": ({**GOOD, "horizon": 4}, "the key 'horizon' is unknown: what is not read is refused"),
    "other format": ({**GOOD, "format": "other"}, "its format is 'other'"),
    "newer": ({**GOOD, "version": 2}, "its version is 2"),
    "truth value": ({**GOOD, "gamma": True}, "gamma is a truth value"),
    "truth values in P": ({**GOOD, "P": [[[True]]], "R": [0]}, "P[0, 0, 0] is a truth value"),
    "null": ({**GOOD, "rho": None}, "rho is null"),
    "object": ({**GOOD, "gamma": {}}, "gamma is an object"),
    "word": ({**GOOD, "gamma": "nine tenths"}, 'gamma is "nine tenths"'),
    "percent": ({**GOOD, "gamma": "90%"}, 'is written "1/3"'),
    "huge power": ({**GOOD, "gamma": "1e999999999"}, 'gamma is "1e999999999"'),
    "by zero": ({**GOOD, "gamma": "1/0"}, "a denominator is 0"),
    "ragged": ({**GOOD, "P": [[["1/3", "2/3"], [1]], [[0, 1], [0, 1]]]}, "rows have different lengths"),
    "nan": (json.dumps({**FLOATS, "R": [[float("nan"), 0], [0, 0]]}), "R[0, 0] is nan"),
    "infinity": (json.dumps({**FLOATS, "gamma": 1}).replace("0.1", "1e999"), "R[0, 1] is inf"),
    "huge integer": ({**FLOATS, "R": [[10**400, 0.5], [0, 0]]}, "R[0, 0]"),
    "too many digits": ('{"gamma": ' + "1" * 5000 + "}", "it is not JSON"),
    "row sum": ({**GOOD, "P": [[["1/3", "1/3"], [0, 1]], [[0, 1], [0, 1]]]}, "P[0, 0] sums to 2/3"),
    "shape": ({**GOOD, "R": [[[1]]]}, "R has shape (1, 1, 1)"),
    "gamma": ({**GOOD, "gamma": "3/2"}, "gamma is 3/2"),
    "start": ({**GOOD, "rho": 2}, "rho is the start state 2"),
    "normalize": ({**GOOD, "normalize": "yes"}, "'normalize' is 'yes'"),
    "sparse R alone": ({**FLOATS, "R": {"entries": []}}, "R is sparse (entries) and P is nested"),
    "no entries": ({**SPARSE, "P": {"rows": []}}, "P is null"),
    "triples": ({**SPARSE, "P": {"entries": [[0, 0, 1]]}}, "with four numbers in each"),
    "negative place": ({**SPARSE, "P": {"entries": [[0, 0, -1, 1]]}}, "entry 0 of P has the place [0, 0, -1]"),
    "broken place": ({**SPARSE, "P": {"entries": [[0, 0.5, 0, 1]]}}, "are integers from 0"),
    "place twice": ({**SPARSE, "P": {"entries": [[0, 0, 0, 0.5], [0, 0, 0, 0.5]]}}, "entry 1 of P repeats the place"),
    "far place": ({**SPARSE, "P": {"entries": [[0, 0, 10**15, 1]]}}, "P has no entry for state 1 and action 0"),
    "empty row": ({**SPARSE, "P": {"entries": [[0, 0, 1, 1]]}}, "with [1, 0, 1, 1]"),
    "reward outside": ({**SPARSE, "R": {"entries": [[2, 0, 0, 1]]}}, "P has S, A, S = (2, 1, 2)"),
}


@pytest.mark.parametrize("kind", BAD_JSON)
def test_a_bad_text_file_is_refused_with_the_reason(kind, tmp_path):
    content, words = BAD_JSON[kind]
    assert words in refused(write(tmp_path / "m.json", content))


def test_quotes_in_a_sparse_file_are_refused(tmp_path):
    quoted = {**SPARSE, "P": {"entries": [[0, 0, 1, "1"], [1, 0, 1, 1]]}}
    assert "entry 0 of P is in quotes" in refused(write(tmp_path / "m.json", quoted), pg.NotExactError)
    assert "gamma is in quotes" in refused(write(tmp_path / "m.json", {**SPARSE, "gamma": "1/2"}), pg.NotExactError)


DENSE = {"P": np.array([[[0.25, 0.75]], [[0.0, 1.0]]]), "R": np.array([1.0, 0.0]), "gamma": 0.5, "rho": 0}
THIN = {"P_shape": [2, 2], "P_row": [0, 1], "P_col": [1, 1], "P_data": [1.0, 1.0], "R": [1.0, 0.0], "gamma": 0.5, "rho": 0}
BAD_NPZ = {
    "no gamma": ({k: v for k, v in DENSE.items() if k != "gamma"}, "the key 'gamma' is missing"),
    "pickled": ({**DENSE, "R": np.array([Fraction(1), Fraction(0)])}, "no .npz file of plain numbers"),
    "text": ({**DENSE, "R": np.array(["a", "b"])}, "entries are numbers"),
    "complex": ({**DENSE, "R": np.array([1j, 0])}, "R is complex"),
    "other format": ({**DENSE, "format": "other"}, "its format is 'other'"),
    "gamma twice": ({**DENSE, "gamma": np.array([0.5, 0.5])}, "gamma is"),
    "single precision": ({**DENSE, "P": np.array([[[0.1, 0.9]], [[0, 1]]], dtype=np.float32)}, "normalize=True"),
    "no rows": ({k: v for k, v in THIN.items() if k != "P_row"}, "the key 'P_row' is missing"),
    "column outside": ({**THIN, "P_col": [1, 7]}, "the coordinates of P do not make a sparse array"),
    "negative row": ({**THIN, "P_row": [0, -1]}, "the coordinates of P do not make a sparse array"),
    "float rows": ({**THIN, "P_row": [0.0, 1.0]}, "P_row must be a vector of integers"),
    "huge shape": ({**THIN, "P_shape": [10**15, 2]}, "P_shape is [1000000000000000, 2]"),
    "wide shape": ({**THIN, "P_shape": [2, 10**9]}, "sparse P has shape (2, 1000000000)"),
    "short data": ({**THIN, "P_col": [1]}, "the coordinates of P do not make a sparse array"),
    "place twice": ({**THIN, "P_row": [0, 1, 1], "P_col": [1, 1, 1], "P_data": [1.0, 0.5, 0.5]}, "repeat a place"),
    "sparse R alone": ({**DENSE, "R_row": [0], "R_col": [0], "R_data": [1.0]}, "the key 'P_shape' is missing"),
}


@pytest.mark.parametrize("kind", BAD_NPZ)
def test_a_bad_archive_is_refused_with_the_reason(kind, tmp_path):
    content, words = BAD_NPZ[kind]
    np.savez(tmp_path / "m.npz", **content)
    assert words in refused(tmp_path / "m.npz")


def test_a_pickle_is_never_opened(tmp_path):
    class Trap:
        def __reduce__(self):
            return os.mkdir, (str(tmp_path / "sprung"),)

    np.savez(tmp_path / "m.npz", P=np.array([Trap()], dtype=object), R=[0.0], gamma=0.0, rho=0)
    refused(tmp_path / "m.npz")
    assert not (tmp_path / "sprung").exists()
    with np.load(tmp_path / "m.npz", allow_pickle=True) as archive:
        assert archive["P"].shape == (1,)
    assert (tmp_path / "sprung").exists()     # a reader that opens pickles is caught


def test_a_single_array_is_no_archive(tmp_path):
    buffer = io.BytesIO()
    np.save(buffer, np.eye(2))
    (tmp_path / "m.npz").write_bytes(buffer.getvalue())
    assert "it is a single array" in refused(tmp_path / "m.npz")


@pytest.mark.parametrize("suffix", [".json", ".npz"])
def test_a_file_cut_anywhere_is_refused(suffix, tmp_path):
    whole, cut = tmp_path / f"whole{suffix}", tmp_path / f"cut{suffix}"
    pg.models.load("start-matters").save(whole)
    content = whole.read_bytes()
    for length in range(0, len(content) - 2, 7):
        cut.write_bytes(content[:length])
        refused(cut)


@pytest.mark.parametrize("suffix", [".json", ".npz"])
def test_a_flipped_byte_gives_a_model_or_an_error_of_ours(suffix, tmp_path):
    whole, bent = tmp_path / f"whole{suffix}", tmp_path / f"bent{suffix}"
    pg.models.load("start-matters").save(whole)
    content, rng = whole.read_bytes(), np.random.default_rng(0)
    for place in rng.choice(len(content), size=min(400, len(content)), replace=False):
        changed = bytearray(content)
        changed[place] ^= int(rng.integers(1, 256))
        bent.write_bytes(changed)
        try:
            assert isinstance(pg.MDP.load(bent), pg.MDP)
        except pg.PGTheoryError as error:
            assert "\n" not in str(error)


def test_what_is_no_model_file_is_refused(tmp_path):
    assert "does not exist" in refused(tmp_path / "none.json")
    assert "a model file ends in .json or .npz" in refused(tmp_path / "model.yaml")
    assert "a model file ends in .json or .npz" in refused(tmp_path / "model")
    (tmp_path / "directory.json").mkdir()
    assert "cannot be read" in refused(tmp_path / "directory.json")
    assert "the path of a model is 3" in refused(3)
    assert "cannot be read" in refused("a\0b.json")


def test_what_cannot_be_saved_is_refused(tmp_path):
    exact, floating = (pg.models.load("bandit", exact=exact) for exact in (True, False))
    with pytest.raises(pg.NotExactError, match="save it as .json"):
        exact.save(tmp_path / "m.npz")
    with pytest.raises(pg.PGTheoryError, match="ends in .json or .npz"):
        floating.save(tmp_path / "m.txt")
    with pytest.raises(pg.PGTheoryError, match=r"cannot be written \(No such file or directory\): name a file in an existing directory"):
        floating.save(tmp_path / "nowhere" / "m.json")
    x = sympy.Symbol("x")
    with pytest.raises(pg.PGTheoryError, match="substitute numbers"):
        pg.MDP([[[sympy.Integer(1)]]], [x], sympy.Rational(1, 2), 0).save(tmp_path / "m.json")
    long = pg.MDP([[[1]]], [Fraction(1, 10**5000)], Fraction(1, 2), 0)
    with pytest.raises(pg.NotExactError, match="more digits than Python turns into text"):
        long.save(tmp_path / "m.json")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("suffix", [".json", ".npz"])
def test_a_write_that_fails_leaves_the_old_file(suffix, tmp_path, monkeypatch):
    path = tmp_path / f"model{suffix}"
    pg.models.load("bandit").save(path)
    before = path.read_bytes()

    def full(*_):
        raise OSError(28, "No space left on device")

    for step in ("fsync", "replace"):
        with monkeypatch.context() as patch:
            patch.setattr(os, step, full)
            with pytest.raises(pg.PGTheoryError, match="No space left on device"):
                pg.models.load("chain").save(path)
        assert path.read_bytes() == before and list(tmp_path.iterdir()) == [path]


def test_saving_through_a_link_writes_what_it_points_to(tmp_path):
    target, link = tmp_path / "target.json", tmp_path / "link.json"
    target.write_text("old")
    link.symlink_to(target)
    pg.models.load("bandit").save(link)
    assert link.is_symlink() and bits(pg.MDP.load(target)) == bits(pg.models.load("bandit"))


def test_saving_and_loading_do_not_touch_the_model(tmp_path):
    mdp = pg.models.load("chain")
    before = bits(mdp)
    mdp.save(tmp_path / "m.json")
    assert bits(mdp) == before and not pg.MDP.load(tmp_path / "m.json").P.flags.writeable
