"""A model that reads a person's visits, judged beside the plain one on the same folds."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from exoclassify.data.changes import over
from exoclassify.data.cohort import Cohort
from exoclassify.data.visits import before_and_after
from exoclassify.judging.compare import compare
from exoclassify.lifecycle.finish import Finished, numbered
from exoclassify.model.about import Visits
from exoclassify.model.evaluation import Comparison

__all__ = ["over_visits"]


def over_visits(
    cohort: Cohort, reads: str, visits: tuple[str, ...], finishing: Callable[[Cohort], Finished]
) -> tuple[Cohort, Finished]:
    """Train on what changes within persons.

    Returns
    -------
    finished : Finished
        The bundle knows what to read. Where it is the change alone, its figures stand beside those of a model of the very same
        samples as they were measured, on the same folds.
    """
    if reads == "pair":
        cohort, visits = before_and_after(cohort, visits)
    made = over(cohort, reads, visits)
    table = cohort.cargo
    finished, compared = finishing(made), None
    if finished.judgement is not None and reads != "response":
        plain = finishing(cohort.take(np.isin(cohort.sheet.sample_ids, made.sheet.sample_ids)))
        compared = _compared(finished, plain)
    told = Visits(
        reads=reads, visits=visits, kind=table.kind, unit=table.unit, not_detected=table.not_detected, plain=compared
    )
    bundle = numbered(finished.bundle, finished.bundle.version, visits=told)
    return made, Finished(bundle, finished.judgement, finished.audit)


def _compared(finished: Finished, plain: Finished) -> Comparison:
    mine, other = finished.bundle, plain.bundle
    assert mine.aside is not None
    assert other.aside is not None
    assert mine.evaluation is not None
    assert other.evaluation is not None
    return compare(mine.aside, other.aside, digests=(mine.evaluation.folds, other.evaluation.folds))
