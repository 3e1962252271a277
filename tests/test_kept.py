import dataclasses
from pathlib import Path

import numpy as np
import pytest

from cohorts import FAST, counts
from exoclassify.judging import evaluate as evaluating
from exoclassify.judging.evaluate import judge
from exoclassify.judging.kept import default_folder, fold_key
from exoclassify.learning.recipe import Recipe

IDS = [f"S{i}" for i in range(30)]


def test_a_run_that_was_stopped_goes_on_from_the_folds_it_had_finished(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    samples = counts(n=30)
    whole = judge(samples, IDS, FAST, n_jobs=1).evaluation
    learned: list[int] = []
    learn = evaluating.learn

    def stopped_at_the_third(part, recipe):
        if len(learned) == 2:
            raise KeyboardInterrupt
        learned.append(1)
        return learn(part, recipe)

    monkeypatch.setattr(evaluating, "learn", stopped_at_the_third)
    with pytest.raises(KeyboardInterrupt):
        judge(samples, IDS, FAST, n_jobs=1, cache=tmp_path)

    def counted(part, recipe):
        learned.append(1)
        return learn(part, recipe)

    monkeypatch.setattr(evaluating, "learn", counted)
    assert judge(samples, IDS, FAST, n_jobs=1, cache=tmp_path).evaluation == whole
    assert len(learned) == 3
    assert judge(samples, IDS, FAST, n_jobs=1, cache=tmp_path).evaluation == whole
    assert len(learned) == 3


def test_more_repeats_use_the_folds_of_fewer(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    samples = counts(n=30)
    judge(samples, IDS, FAST, n_jobs=1, cache=tmp_path)
    learned: list[int] = []
    learn = evaluating.learn
    monkeypatch.setattr(evaluating, "learn", lambda part, recipe: learned.append(1) or learn(part, recipe))
    more = FAST.model_copy(update={"folds": FAST.folds.model_copy(update={"repeats": 2})})
    judge(samples, IDS, more, n_jobs=1, cache=tmp_path)
    assert len(learned) == 3


def test_the_key_changes_with_all_that_an_answer_depends_on() -> None:
    samples = counts(n=30, n_batches=2)
    fold = (np.arange(20), np.arange(20, 30))
    other = samples.X.copy()
    other[3, 4] += 1
    keys = {
        fold_key(samples, FAST, fold),
        fold_key(dataclasses.replace(samples, X=other), FAST, fold),
        fold_key(dataclasses.replace(samples, y=1 - samples.y), FAST, fold),
        fold_key(dataclasses.replace(samples, groups=samples.groups // 2), FAST, fold),
        fold_key(dataclasses.replace(samples, batches=None), FAST, fold),
        fold_key(samples, FAST, (np.arange(21), np.arange(21, 30))),
        fold_key(samples, Recipe.of({**FAST.model_dump(mode="json"), "seed": 1}), fold),
    }
    assert len(keys) == 7


def test_nothing_of_the_cargo_is_kept(tmp_path: Path) -> None:
    samples = counts(n=30)
    odd = samples.X.copy()
    odd[0, 0] = 987654321.0
    judge(dataclasses.replace(samples, X=odd), IDS, FAST, n_jobs=1, cache=tmp_path)
    for path in tmp_path.rglob("*"):
        if path.is_file():
            assert b"987654321" not in path.read_bytes()
            assert np.float64(987654321.0).tobytes() not in path.read_bytes()


def test_a_folder_that_cannot_be_written_is_done_without(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    samples = counts(n=30)
    assert judge(samples, IDS, FAST, n_jobs=1, cache=tmp_path / "file" / "cache").evaluation


def test_the_folder_is_named_by_the_environment_and_empty_means_none(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("EXOCLASSIFY_CACHE", "")
    assert default_folder() is None
    monkeypatch.setenv("EXOCLASSIFY_CACHE", "here")
    assert default_folder() == Path("here")
    monkeypatch.delenv("EXOCLASSIFY_CACHE")
    monkeypatch.setenv("XDG_CACHE_HOME", "/there")
    assert default_folder() == Path("/there/exoclassify")
