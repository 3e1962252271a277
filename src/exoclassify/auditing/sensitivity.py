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
from exoclassify.judging.metrics import described, macro_auc
from exoclassify.learning.folds import Fold
from exoclassify.learning.learn import Samples
from exoclassify.typing import Mask

__all__ = ["sensitivity"]


def sensitivity(cohort: Cohort, model: Judged, *, n_jobs: int = 1) -> list[dict[str, Any]]:
    """Judge a plain ridge regression with and without contaminated molecules and failed libraries.

    Returns
    -------
    list of dict
        ``without``, ``left_out`` (how many, in words), ``auc``, ``low``, ``high``; the first row leaves nothing out. Empty
        where there is nothing to leave out.
    """
    samples, folds = model.samples, model.repeats[0]
    everyone = np.ones(len(samples.y), dtype=bool)
    failed = outlying(cohort)
    if cohort.cargo.unit == "counts":
        failed = failed | failed_libraries(cohort.cargo)
    dirty = contaminants(cohort.cargo)
    asked: list[tuple[str, str, Samples, Mask]] = [("nothing", "", samples, everyone)]
    if len(dirty):
        cleaned = replace(samples, X=np.delete(samples.X, dirty, axis=1))
        asked.append(("molecules of blood cells", f"{len(dirty)} molecules", cleaned, everyone))
    if failed.any():
        asked.append(("failed and outlying libraries", f"{int(failed.sum())} samples", samples, ~failed))
    rows = [] if len(asked) == 1 else [_judged(one, folds, n_jobs) for one in asked]
    return [row for row in rows if row is not None]


def _judged(asked: tuple[str, str, Samples, Mask], folds: tuple[Fold, ...], n_jobs: int) -> dict[str, Any] | None:
    without, left_out, samples, kept = asked
    own = [(train[kept[train]], test[kept[test]]) for train, test in folds]
    y = samples.y
    if any(not len(test) or len(np.unique(y[train])) < len(samples.states) for train, test in own):
        return None
    try:
        scores, fold = ridge_scores([(samples, own)], n_jobs=n_jobs)[0]
    except DesignError:
        return None
    groups = np.unique(samples.groups[kept], return_inverse=True)[1]
    found = described(macro_auc(scores[kept], y[kept], fold[kept]), groups, len(own))
    return {"without": without, "left_out": left_out, "auc": found["value"], "low": found["low"], "high": found["high"]}
