import numpy as np
import pytest

from cohorts import FAST, counts
from exoclassify.judging.evaluate import judge
from exoclassify.judging.importance import importance, moved
from exoclassify.learning.learn import learn
from exoclassify.model.evaluation import Evaluation, Mover
from exoclassify.model.explain import of_blend
from exoclassify.report.html import page
from exoclassify.report.importance import importance_section

SAMPLES = counts(n=60, p=40)
JUDGED = judge(SAMPLES, [f"s{i}" for i in range(60)], FAST, n_jobs=1)
NAMES = [f"hsa-miR-{100 + j}-5p" for j in range(40)]


def test_a_molecule_s_move_is_the_mean_size_of_its_contribution() -> None:
    learned = learn(SAMPLES, FAST)
    found = moved(learned.blend, learned.support, SAMPLES.X[:7])
    parts = of_blend(learned.blend, SAMPLES.X[:7, learned.support])[0]
    np.testing.assert_allclose(found[learned.support], np.abs(parts[:, :, 1] - parts[:, :, 0]).mean(axis=0))
    unread = np.setdiff1d(np.arange(40), learned.support)
    assert np.isnan(found[unread]).all()


def test_the_molecules_that_differ_are_the_most_important() -> None:
    found = importance(JUDGED.moved, JUDGED.folds, NAMES)
    assert {row.molecule for row in found[:3]} == {NAMES[3], NAMES[4], NAMES[5]}
    assert all(0 <= row.low <= row.mean <= row.high for row in found)
    assert [row.mean for row in found] == sorted((row.mean for row in found), reverse=True)


def test_intervals_are_those_of_nadeau_and_bengio_and_an_unread_molecule_counts_as_nothing() -> None:
    found = np.array([[1.0, np.nan], [2.0, 4.0], [3.0, np.nan]])
    folds = [(np.arange(20), np.arange(10))] * 3
    first, second = importance(found, folds, ["a", "b"])
    assert first.molecule == "a"
    assert first.high - first.mean == pytest.approx(4.302653 * np.sqrt(1.0 * (1 / 3 + 0.5)), rel=1e-6)
    assert (second.mean, second.read_in) == pytest.approx((4 / 3, 1 / 3))


def test_every_fold_of_cross_validation_has_its_moves() -> None:
    assert JUDGED.moved.shape == (len(JUDGED.folds), 40)


def told(rows: tuple[Mover, ...]) -> Evaluation:
    return JUDGED.evaluation.model_copy(update={"importance": rows})


def test_the_section_shows_names_and_what_is_published() -> None:
    rows = importance(JUDGED.moved, JUDGED.folds, ["hsa-miR-144-3p", *NAMES[1:]])
    section = importance_section(told(rows))
    assert section is not None
    text = page("x", [section])
    assert "down in rheumatoid arthritis, plasma (1 study)" in text
    assert importance_section(told(())) is None
