import dataclasses

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cohorts import EVERY_VOICE, counts
from exoclassify.errors import ModelError
from exoclassify.learning.learn import learn
from exoclassify.model.compiled import PARITY, CompiledBlend, check_parity

SAMPLES = {k: counts(n=60, n_states=k, n_batches=4 if k == 3 else 0) for k in (2, 3)}
LEARNED = {k: learn(samples, EVERY_VOICE) for k, samples in SAMPLES.items()}
"""Of two states without batches, one head; of three states in four batches, two heads."""


@pytest.mark.parametrize("k", [2, 3])
def test_the_compiled_scorer_answers_as_the_blend(k: int) -> None:
    X = SAMPLES[k].X[:, LEARNED[k].support]
    compiled = CompiledBlend.of(LEARNED[k].blend)
    rng = np.random.default_rng(0)
    holes = np.where(rng.random(X.shape) < 0.4, np.nan, X)
    for rows, what in ((X, "training"), (rng.permuted(X, axis=0), "random"), (holes, "holes"), (X * 0, "zeros")):
        assert check_parity(LEARNED[k].blend, compiled, rows, what) <= PARITY


@pytest.mark.slow
@given(st.integers(0, 2**32 - 1), st.integers(1, 9), st.floats(0, 1))
@settings(max_examples=40, deadline=None)
def test_no_answer_depends_on_who_else_was_asked(seed: int, n: int, missing: float) -> None:
    rng = np.random.default_rng(seed)
    X = SAMPLES[3].X[rng.integers(0, 60, n)][:, LEARNED[3].support]
    X = np.where(rng.random(X.shape) < missing, np.nan, X)
    compiled = CompiledBlend.of(LEARNED[3].blend)
    together = compiled.evaluate(X)
    for i in rng.permutation(n):
        alone = compiled.evaluate(X[i : i + 1])
        assert (alone[0][:, 0] == together[0][:, i]).all()
        assert alone[1][0] == together[1][i]


def test_no_samples_give_no_answers() -> None:
    compiled = CompiledBlend.of(LEARNED[2].blend)
    log_odds, residuals = compiled.evaluate(np.zeros((0, len(LEARNED[2].support))))
    assert log_odds.shape == (1, 0, 2)
    assert residuals.shape == (0,)


def test_a_scorer_that_differs_is_refused() -> None:
    compiled = CompiledBlend.of(LEARNED[2].blend)
    wrong = dataclasses.replace(compiled, constant=compiled.constant + np.array([0, 1e-3]))
    with pytest.raises(ModelError, match=r"differs from the fitted model.*on a few rows"):
        check_parity(LEARNED[2].blend, wrong, SAMPLES[2].X[:, LEARNED[2].support], "a few rows")


@pytest.mark.parametrize("k", [2, 3])
def test_many_rows_get_the_bits_that_each_gets_alone(k: int) -> None:
    compiled = CompiledBlend.of(LEARNED[k].blend)
    rng = np.random.default_rng(1)
    X = SAMPLES[k].X[rng.integers(0, 60, 5000)][:, LEARNED[k].support]
    X = np.where(rng.random(X.shape) < 0.1, np.nan, rng.poisson(X))
    log_odds, residuals = compiled.evaluate(X)
    for n in (1, 2, 15, 16, 17, 33, 700):
        at = int(rng.integers(0, 5000 - n))
        part = compiled.evaluate(X[at : at + n])
        assert (part[0] == log_odds[:, at : at + n]).all(), n
        assert (part[1] == residuals[at : at + n]).all(), n


@pytest.mark.parametrize("k", [2, 3])
def test_xgboost_itself_gives_the_bits_that_the_walk_gives(k: int) -> None:
    groves = [grove for grove in CompiledBlend.of(LEARNED[k].blend).groves if grove.booster is not None]
    assert groves
    views = LEARNED[k].blend.views.of(SAMPLES[k].X[:, LEARNED[k].support])
    for grove in groves:
        V = views[grove.view]
        assert (grove.log_odds(V) == dataclasses.replace(grove, booster=None).log_odds(V)).all()


def test_rows_are_multiplied_one_by_one_where_their_place_matters() -> None:
    compiled = CompiledBlend.of(LEARNED[3].blend)
    alone = {view: dataclasses.replace(product, in_blocks=False) for view, product in compiled.products.items()}
    X = SAMPLES[3].X[:, LEARNED[3].support]
    one_by_one = dataclasses.replace(compiled, products=alone)
    np.testing.assert_allclose(one_by_one.evaluate(X)[0], compiled.evaluate(X)[0], rtol=0, atol=1e-9)
    assert (one_by_one.evaluate(X[7:8])[0][:, 0] == one_by_one.evaluate(X)[0][:, 7]).all()
