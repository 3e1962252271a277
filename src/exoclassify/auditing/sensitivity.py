"""Whether the result stands without molecules of blood cells, and without libraries that failed."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np

from exoclassify.auditing.contamination import contaminants
from exoclassify.auditing.judged import Judged
from exoclassify.auditing.libraries import outlying
from exoclassify.auditing.reference import ridge_scores
from exoclassify.data.cohort import Cohort
from exoclassify.data.quality import failed_libraries
from exoclassify.errors import DesignError
from exoclassify.judging.evaluate import cross_validated
from exoclassify.judging.metrics import macro_auc
from exoclassify.learning.folds import Fold
from exoclassify.learning.samples import Samples
from exoclassify.typing import Codes, Floats, Mask

__all__ = ["sensitivity"]


def sensitivity(cohort: Cohort, model: Judged, *, n_jobs: int = 1) -> list[dict[str, Any]]:
    """Judge the model's recipe again in one repeat of its folds, without contaminated molecules and failed libraries.

    ``model`` (what was judged), ``without``, ``left_out`` (how many, in words), ``auc``, ``low``, ``high``; the first row
    leaves nothing out. Empty where there is nothing to leave out.
    """
    samples, folds = model.samples, model.repeats[0]
    everyone = np.ones(len(samples.y), dtype=bool)
    failed = outlying(cohort)
    if cohort.cargo.unit == "counts":
        failed = failed | failed_libraries(cohort.cargo)
    dirty = contaminants(cohort.cargo)
    asked: list[tuple[str, str, Samples, Mask]] = []
    if len(dirty):
        cleaned = replace(samples, X=np.delete(samples.X, dirty, axis=1))
        asked.append(("molecules of blood cells", f"{len(dirty)} molecules", cleaned, everyone))
    if n := int(failed.sum()):
        asked.append(("failed and outlying libraries", f"{n} sample{'s' * (n > 1)}", samples, ~failed))
    rows = [{"without": "nothing", "left_out": "", **_figure(samples, everyone, *model.passes[0], len(folds))}]
    for without, left_out, fewer, kept in asked:
        own = [(train[kept[train]], test[kept[test]]) for train, test in folds]
        if any(not len(test) or len(np.unique(samples.y[train])) < len(samples.states) for train, test in own):
            continue
        try:
            scores, fold = _scores(model, fewer, own, n_jobs)
        except DesignError:
            continue
        rows.append({"without": without, "left_out": left_out, **_figure(samples, kept, scores, fold, len(own))})
    return [{"model": model.name, **row} for row in rows] if len(rows) > 1 else []


def _scores(model: Judged, samples: Samples, folds: list[Fold], n_jobs: int) -> tuple[Floats, Codes]:
    """Scores and folds by sample, of the recipe that was judged; of the ridge regression where that stands in."""
    if model.judgement is None or model.failed:
        return ridge_scores([(samples, folds)], n_jobs=n_jobs)[0]
    answered = cross_validated(samples, model.judgement.recipe, folds, n_jobs=n_jobs)
    scores, fold = np.zeros((len(samples.y), len(samples.states))), np.full(len(samples.y), -1, dtype=np.intp)
    scores[answered.rows], fold[answered.rows] = answered.log_odds, answered.fold
    return scores, fold


def _figure(samples: Samples, kept: Mask, scores: Floats, fold: Codes, n_folds: int) -> dict[str, float]:
    groups = np.unique(samples.groups[kept], return_inverse=True)[1]
    found = macro_auc(scores[kept], samples.y[kept], fold[kept]).figure(groups, n_folds)
    return {"auc": found.value, "low": found.low, "high": found.high}
