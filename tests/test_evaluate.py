import dataclasses

import numpy as np
import pytest

from cohorts import FAST, counts
from exoclassify.errors import DesignError
from exoclassify.judging.evaluate import judge
from exoclassify.learning.recipe import Recipe
from exoclassify.learning.samples import Samples
from exoclassify.model.evaluation import Evaluation


def judged(samples: Samples, recipe: Recipe = FAST, n_jobs: int = 1) -> Evaluation:
    return judge(samples, [f"S{i:03d}" for i in range(len(samples.y))], recipe, n_jobs=n_jobs).evaluation


def test_a_clear_cohort_is_judged_well_and_its_interval_holds_the_value() -> None:
    found = judged(counts(n=60)).cross_validation
    auc = found.figures.auc
    assert auc.low <= auc.value <= auc.high
    assert auc.value > 0.9
    assert found.n_samples == 60


@pytest.mark.slow
def test_shuffled_labels_score_one_half_within_the_interval() -> None:
    inside = 0
    for seed in range(10):
        samples = counts(n=60, seed=seed)
        samples = dataclasses.replace(samples, y=np.random.default_rng(seed).permutation(samples.y))
        auc = judged(samples).cross_validation.figures.auc
        inside += auc.low <= 0.5 <= auc.high
    assert inside >= 8


def test_the_judgement_does_not_depend_on_the_number_of_processes() -> None:
    assert judged(counts(n=40)) == judged(counts(n=40), n_jobs=2)


def test_repeats_of_a_person_never_flatter() -> None:
    # Twenty people three times each, labels at random: a split that parts a person's samples would score near 1.
    people = counts(n=20, p=60, effect=0.0)
    rng = np.random.default_rng(0)
    X = np.repeat(people.X, 3, axis=0) + rng.poisson(1.0, (60, 60))
    y = np.repeat(rng.permutation(np.arange(20) % 2), 3)
    grouped = Samples(X, y, np.repeat(np.arange(20), 3), None, people.states, "counts", None)
    parted = dataclasses.replace(grouped, groups=np.arange(60))
    honest = judged(grouped).cross_validation.figures.auc.value
    flattered = judged(parted).cross_validation.figures.auc.value
    assert flattered > 0.9
    assert honest < 0.75


def test_confounding_with_batch_shows_when_batches_are_left_out() -> None:
    # No signal; batch goes with state 9:1, and shifts every molecule.
    rng = np.random.default_rng(1)
    y = np.arange(80) % 2
    batches = np.where(rng.random(80) < 0.9, y, 1 - y)
    shift = rng.normal(0, 1, (2, 50))[batches]
    X = rng.poisson(np.exp2(rng.normal(5, 1, 50) + shift)).astype(float)
    found = judged(Samples(X, y, np.arange(80), batches, ("a", "b"), "counts", None))
    pooled = found.cross_validation.figures.auc.value
    unseen = found.leave_one_batch_out.figures.auc.value
    assert pooled > unseen
    assert found.headline.source == "leave_one_batch_out"
    assert found.headline.value == unseen


@pytest.mark.slow
def test_the_headline_is_the_auc_within_left_out_batches_and_as_wide_as_they_differ() -> None:
    found = judged(counts(n=90, n_batches=3, effect=1.0))
    each = [batch.auc for batch in found.leave_one_batch_out.batches.values()]
    headline = found.headline
    assert headline.value == found.leave_one_batch_out.figures.auc.value
    assert headline.n_batches == len(each) == 3
    half = 1.96 * np.std(each, ddof=1) / np.sqrt(3)
    assert headline.low <= headline.value - half + 1e-12
    assert headline.high >= min(1.0, headline.value + half) - 1e-12
    assert min(each) <= headline.value <= max(each)


def test_without_batches_the_headline_is_that_of_cross_validation() -> None:
    found = judged(counts(n=60))
    assert found.leave_one_batch_out is None
    assert found.headline.value == found.cross_validation.figures.auc.value
    assert (found.headline.source, found.headline.n_batches) == ("cross_validation", None)


def test_a_batch_equal_to_a_state_leaves_nothing_to_leave_out() -> None:
    samples = counts(n=40)
    assert judged(dataclasses.replace(samples, batches=samples.y)).leave_one_batch_out is None


@pytest.mark.slow
def test_models_of_one_batch_make_no_call_on_another() -> None:
    found = judged(counts(n=60, n_batches=2, effect=3.0))
    assert found.leave_one_batch_out.calls.called == 0
    assert found.leave_one_batch_out.calls.wrong_among_called is None
    assert found.cross_validation.calls.called > 0.5


def test_progress_is_told_fold_by_fold() -> None:
    told: list[tuple[int, int]] = []
    samples = counts(n=30)
    judge(samples, [str(i) for i in range(30)], FAST, n_jobs=1, progress=lambda done, of: told.append((done, of)))
    assert told == [(1, 3), (2, 3), (3, 3)]


def test_too_few_of_a_state_cannot_be_judged() -> None:
    samples = counts(n=20)
    with pytest.raises(DesignError, match=r"rarest state has \d subject"):
        judged(samples.take(np.flatnonzero((samples.y == 0) | (np.arange(20) < 2))))
