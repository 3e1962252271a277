import json
from dataclasses import replace

import numpy as np
import pytest
from scipy.special import softmax

from exoclassify.data.states import positive_states
from exoclassify.judging.examine import Answered, examine
from exoclassify.model.figures import Examined


def drawn(n: int = 120, k: int = 2, seed: int = 0, **more: object) -> Answered:
    """Answers of a calibrated model."""
    rng = np.random.default_rng(seed)
    log_odds = rng.normal(0, 1.5, (n, k))
    y = (rng.random((n, 1)) > softmax(log_odds, axis=1).cumsum(axis=1)).sum(axis=1)
    sets = softmax(log_odds, axis=1) > 0.2
    called = sets.sum(axis=1) == 1
    states = ("control", "ill", "worse")[:k]
    return Answered(log_odds[None], sets[None], called[None], y, np.arange(n), states, 0.9, **more)


def test_what_is_written_as_json_is_read_again() -> None:
    found = examine(drawn(k=3, strata={"sex": np.array(["f", "m"] * 60)}))
    again = Examined.model_validate(json.loads(json.dumps(found.to_json(), allow_nan=False)))
    assert again == found
    assert set(found.states) == {"control", "ill", "worse"}


def test_the_bootstrap_agrees_with_delong_about_a_clear_sample() -> None:
    found = examine(drawn(400)).auc_intervals
    np.testing.assert_allclose(found.bootstrap_by_subject, found.delong_by_subject, atol=0.015)
    assert found.delong_by_subject == found.delong_by_sample


def test_a_calibrated_model_has_about_the_ece_that_sampling_alone_gives() -> None:
    calibration = examine(drawn(1000)).states["ill"].calibration
    assert calibration.ece == pytest.approx(calibration.ece_if_calibrated, abs=0.02)
    assert sum(calibration.count) == 1000


def test_groups_hold_every_sample_once_and_small_ones_have_no_auc() -> None:
    batch = np.array(["A"] * 60 + ["B"] * 59 + ["C"])
    found = examine(drawn(strata={"batch": batch}))
    groups = found.subgroups
    assert [group.n_samples for group in groups] == [60, 59, 1]
    assert sum(sum(group.samples.values()) for group in groups) == 120
    assert groups[0].auc.low < groups[0].auc.value < groups[0].auc.high
    assert groups[2].auc is None
    assert [(row.by, row.of) for row in found.sets][:3] == [("state", "control"), ("state", "ill"), ("batch", "A")]


def test_a_stated_prevalence_moves_what_depends_on_it_and_nothing_else() -> None:
    plain = examine(drawn())
    given = drawn()
    stated = np.array([0.95, 0.05])
    odds = given.log_odds + np.log(stated / (np.bincount(given.y) / 120))
    moved = examine(replace(given, log_odds=odds, prevalence=stated))
    assert moved.states["ill"].prevalence == 0.05
    assert moved.auc_intervals == plain.auc_intervals
    assert moved.sets == plain.sets
    point = {p.chosen: p for p in moved.states["ill"].thresholds}["90 % sensitivity"]
    before = {p.chosen: p for p in plain.states["ill"].thresholds}["90 % sensitivity"]
    assert point.sensitivity == before.sensitivity
    assert point.ppv.value < before.ppv.value


@pytest.mark.parametrize(
    ("states", "expected"),
    [
        (("Healthy donor", "Parkinson"), ("Parkinson",)),
        (("IBD", "control"), ("IBD",)),
        (("female", "male"), ("male",)),
        (("a", "b", "c"), ("a", "b", "c")),
    ],
)
def test_of_two_states_the_one_that_is_no_control_is_drawn(states: tuple, expected: tuple) -> None:
    assert positive_states(states) == expected
