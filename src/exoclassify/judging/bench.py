"""Recipes compared over many tables, so that a default is not chosen on the few that its makers knew."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from joblib import Parallel, delayed
from numpy.typing import NDArray

from exoclassify.judging.bench_tables import Task
from exoclassify.judging.evaluate import said
from exoclassify.judging.metrics import calibration, log_loss_figure, macro_auc
from exoclassify.judging.resampling import percentile_interval
from exoclassify.learning.folds import Fold
from exoclassify.learning.learn import learn, learn_each
from exoclassify.learning.recipe import Recipe
from exoclassify.learning.samples import Samples
from exoclassify.model.layered import compiled
from exoclassify.typing import Floats

__all__ = ["Bench", "Cost", "Difference", "benched", "cost_of"]

Progress = Callable[[int, int], None]

_DRAWS = 4000
_ROWS = 4000


@dataclass(frozen=True)
class Difference:
    """A mean difference over tasks, and its interval by a bootstrap over tables.

    Parameters
    ----------
    mean, low, high : float
        Below 0 is better for log-loss, above 0 for AUC.
    """

    mean: float
    low: float
    high: float


@dataclass(frozen=True)
class Cost:
    """What a recipe costs.

    Parameters
    ----------
    fitting : float
        Seconds of one `learn` on a table.
    scoring : float
        Microseconds of one row of many.
    """

    fitting: float
    scoring: float


@dataclass(frozen=True, eq=False)
class Bench:
    """Figures of every recipe on every task, on samples that were left out.

    Parameters
    ----------
    recipes : tuple of str
        Their names; the first is the reference.
    tasks, tables : tuple of str
        Names of the tasks, and of the table of each.
    log_loss, auc, slope : ndarray of shape (n_recipes, n_tasks)
        Log-loss in nats; AUC within folds; calibration slope over all folds, NaN where the states are separated perfectly.
    best : ndarray of shape (n_tasks,)
        Log-loss of the best base learner of the reference alone: the one a person would choose who knew the answers.
    """

    recipes: tuple[str, ...]
    tasks: tuple[str, ...]
    tables: tuple[str, ...]
    log_loss: Floats
    auc: Floats
    slope: Floats
    best: Floats

    @property
    def deficit(self) -> Floats:
        """Log-loss above that of the best single base learner of each task; shape (n_recipes, n_tasks)."""
        return self.log_loss - self.best

    def against_reference(self, figures: Floats, recipe: int) -> Difference:
        """Compare one recipe with the reference, task by task.

        Parameters
        ----------
        figures : ndarray of shape (n_recipes, n_tasks)
            `log_loss` or `auc`.
        """
        return self._difference(figures[recipe] - figures[0])

    def _difference(self, differences: Floats) -> Difference:
        names, table = np.unique(self.tables, return_inverse=True)
        # All tasks of a table come together: they share its samples.
        drawn = np.random.default_rng(0).multinomial(len(names), np.full(len(names), 1 / len(names)), _DRAWS)
        weights = drawn[:, table].astype(np.float64)
        means = weights @ differences / weights.sum(axis=1)
        return Difference(float(differences.mean()), *percentile_interval(means))

    def chosen_elsewhere(self) -> tuple[NDArray[np.intp], Difference]:
        """Choose for each table the recipe with the lowest mean log-loss on all other tables: an honest price of choosing.

        Returns
        -------
        chosen : ndarray of shape (n_tasks,)
            Position of the recipe that each task's table was given.
        """
        tables = np.array(self.tables)
        chosen = np.zeros(len(tables), dtype=np.intp)
        for table in np.unique(tables):
            others = tables != table
            if others.any():
                chosen[tables == table] = self.log_loss[:, others].mean(axis=1).argmin()
        picked = self.log_loss[chosen, np.arange(len(tables))]
        return chosen, self._difference(picked - self.log_loss[0])


def benched(
    tasks: Sequence[Task], recipes: Mapping[str, Recipe], *, n_jobs: int = 1, progress: Progress | None = None
) -> Bench:
    """Judge recipes on tasks; each base learner is fitted once for all recipes that have it.

    Parameters
    ----------
    recipes : mapping of str to Recipe
        By name; the first is the reference.
    n_jobs : int
        Parallel processes; -1 for all cores. The result does not depend on it.
    """
    reference = next(iter(recipes.values()))
    alone = [reference.model_copy(update={"voices": (voice,)}) for voice in reference.voices]
    asked = [*recipes.values(), *alone]
    jobs = [(task, fold) for task in tasks for folds in task.passes for fold in folds]
    calls = (delayed(_answered)(task.samples, asked, fold) for task, fold in jobs)
    answers: list[Floats] = []
    for answer in Parallel(n_jobs=n_jobs, return_as="generator")(calls):
        answers.append(answer)
        if progress is not None:
            progress(len(answers), len(jobs))
    figures, at = [], 0
    for task in tasks:
        n = sum(len(folds) for folds in task.passes)
        figures.append(_figures(task, answers[at : at + n]))
        at += n
    table = np.stack(figures, axis=1)  # (n_recipes and single ones, n_tasks, 3)
    n = len(recipes)
    return Bench(
        tuple(recipes), tuple(task.name for task in tasks), tuple(task.table for task in tasks),
        table[:n, :, 0], table[:n, :, 1], table[:n, :, 2], table[n:, :, 0].min(axis=0),
    )  # fmt: skip


def _answered(samples: Samples, recipes: list[Recipe], fold: Fold) -> Floats:
    """Log-odds of the samples left out, (n_recipes, n_test, n_states)."""
    learned = learn_each(samples.take(fold[0]), recipes)
    return np.stack([said(one, samples, recipe, fold[1])[0] for one, recipe in zip(learned, recipes, strict=True)])


def _figures(task: Task, answers: list[Floats]) -> Floats:
    """Log-loss, AUC within folds and calibration slope of each recipe, (n_recipes, 3)."""
    folds = [fold for one_pass in task.passes for fold in one_pass]
    y = np.concatenate([task.samples.y[test] for _, test in folds])
    fold = np.repeat(np.arange(len(folds)), [len(test) for _, test in folds])
    found = []
    for log_odds in np.concatenate(answers, axis=1):
        fitted = calibration(log_odds, y)
        found.append(
            (
                log_loss_figure(log_odds, y).value,
                macro_auc(log_odds, y, fold).value,
                np.nan if fitted is None else fitted[0].value,
            )
        )
    return np.array(found)


def cost_of(samples: Samples, recipe: Recipe) -> Cost:
    """Time one recipe: fitting a table, and scoring rows like its own, each the best of three."""
    fitting = min(_seconds(lambda: learn(samples, recipe)) for _ in range(2))
    learned = learn(samples, recipe)
    scorer = compiled(learned.blend)
    rows = np.resize(np.arange(len(samples.y)), _ROWS)
    X = samples.X[rows][:, learned.support]
    return Cost(fitting, min(_seconds(lambda: scorer.evaluate(X)) for _ in range(5)) / _ROWS * 1e6)


def _seconds(call: Callable[[], object]) -> float:
    begun = time.perf_counter()
    call()
    return time.perf_counter() - begun
