"""A model that reads a person's visits, judged beside the plain one on the same folds."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from exoclassify.data.changes import VisitTables, over
from exoclassify.data.cohort import Cohort
from exoclassify.data.visits import before_and_after
from exoclassify.judging.compare import compare
from exoclassify.lifecycle.finish import Finished, numbered

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
    told: dict[str, Any] = vars(VisitTables(reads, tuple(visits), table.kind, table.unit, table.not_detected)) | {
        "plain": None
    }
    finished = finishing(made)
    if finished.judgement is not None and reads != "response":
        plain = finishing(cohort.take(np.isin(cohort.sheet.sample_ids, made.sheet.sample_ids)))
        told["plain"] = _compared(finished, plain)
    bundle = numbered(finished.bundle, finished.bundle.version, visits={**told, "visits": list(visits)})
    return made, Finished(bundle, finished.judgement, finished.audit)


def _compared(finished: Finished, plain: Finished) -> dict[str, Any]:
    mine, other = finished.bundle, plain.bundle
    assert mine.aside is not None
    assert other.aside is not None
    digests = (mine.about["evaluation"]["folds"], other.about["evaluation"]["folds"])
    return compare(mine.aside, other.aside, digests=digests)
