"""Out-of-fold answers under the user's own ids."""

from __future__ import annotations

import numpy as np
import pytest

from cohorts import FAST, cohort_of, counts
from exoclassify.auditing.audit import audit
from exoclassify.judging.aside import contradicted, out_of_fold
from exoclassify.judging.evaluate import cross_validated, judge
from exoclassify.judging.metrics import macro_auc
from exoclassify.learning.samples import Samples

COHORT = cohort_of(counts(n=60, n_batches=2, seed=1), batch=True, sex=["female", "male", "male"] * 20)
JUDGEMENT = judge(Samples.of(COHORT), COHORT.sheet.sample_ids, FAST, n_jobs=1)
ANSWERS = out_of_fold(JUDGEMENT, COHORT)


def test_every_sample_is_answered_once_a_pass_under_its_own_id_with_call_set_and_novelty() -> None:
    for name, rows in ANSWERS.groupby("judged"):
        assert sorted(rows["sample_id"]) == sorted(COHORT.sheet.sample_ids), name
    first = ANSWERS[ANSWERS["judged"] == "cross-validation 1"].set_index("sample_id").loc[list(COHORT.sheet.sample_ids)]
    kept = JUDGEMENT.passes[0]
    states = np.array([*JUDGEMENT.samples.states, "uncertain"])
    assert list(first["call"]) == list(states[kept.calls])
    assert list(first["label"]) == list(COHORT.y)
    np.testing.assert_allclose(first[[f"p_{state}" for state in COHORT.states]].sum(axis=1), 1, atol=1e-6)
    held = [";".join(s for s, inside in zip(COHORT.states, row, strict=True) if inside) for row in kept.sets]
    assert list(first["prediction_set"]) == held


def test_a_left_out_batch_is_named_as_the_fold() -> None:
    rows = ANSWERS[ANSWERS["judged"] == "batch left out"]
    assert set(rows["fold"]) == set(COHORT.batches if COHORT.batches is not None else ())
    assert (rows["fold"] == rows["batch"]).all()


def test_contradicted_samples_lean_to_another_state_and_the_worst_comes_first() -> None:
    swapped = ANSWERS.copy()
    victim = swapped["sample_id"].iloc[0]
    mine = swapped["sample_id"] == victim
    other = next(state for state in COHORT.states if state != swapped.loc[mine, "label"].iloc[0])
    swapped.loc[mine, ["p_state-0", "p_state-1"]] = 0.0
    swapped.loc[mine, f"p_{other}"] = 1.0
    swapped.loc[mine, "call"] = other
    [first, *_] = contradicted(swapped)
    assert first["sample"] == victim
    assert first["looks like"] == other
    assert first["called wrongly"] == first["of repeats"] == len(JUDGEMENT.passes)


def test_the_audit_describes_the_samples_and_judges_without_some_of_them() -> None:
    drawn = audit(COHORT, judgement=JUDGEMENT).drawn
    rows = {row["what"]: row for row in drawn["table_one"]}
    here = (COHORT.sheet.frame["sex"] == "female").to_numpy()
    for state in COHORT.states:
        of_state = COHORT.y == state
        assert rows["sex: female"]["states"][state] == f"{(here & of_state).sum()} ({here[of_state].mean():.0%})"
    p = np.array([here[COHORT.y == state].mean() for state in COHORT.states])
    expected = abs(p[0] - p[1]) / np.sqrt((p * (1 - p)).mean())
    assert abs(rows["sex: female"]["difference"] - expected) < 1e-3
    components = drawn["components"]
    assert len(components["x"]) == COHORT.n_samples == len(components["batch"])
    assert 0 < components["explained"][1] <= components["explained"][0] <= 1


@pytest.mark.slow
def test_the_sensitivity_analysis_judges_the_recipe_that_is_shipped_in_the_same_folds() -> None:
    table = counts(n=60, n_batches=2, seed=1)
    table.X[7] = np.floor(table.X[7] / 200)  # a library that failed
    cohort = cohort_of(table, batch=True)
    samples, ids = Samples.of(cohort), cohort.sheet.sample_ids
    judged = judge(samples, ids, FAST, n_jobs=1)
    whole, without = audit(cohort, judgement=judged).drawn["sensitivity"]
    first = judged.passes[0]
    assert whole["auc"] == macro_auc(first.log_odds, samples.y, first.fold).value
    assert (without["model"], without["left_out"]) == ("model", "1 sample")
    folds = [(train[train != 7], test[test != 7]) for train, test in judged.folds[: FAST.folds.outer]]
    again = cross_validated(samples, FAST, folds)
    assert without["auc"] == macro_auc(again.log_odds, samples.y[again.rows], again.fold).value
