"""Samples whose answer, while they were held out, strongly contradicts their label."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from exoclassify.auditing.findings import Finding
from exoclassify.auditing.judged import Judged
from exoclassify.data.cohort import Cohort

__all__ = ["audit_labels", "contradiction"]

_GOOD = 0.75
"""AUC below which a contradiction says more of the model than of the label."""
_SHOWN = 8


def contradiction(model: Judged) -> NDArray[np.float64]:
    """Give how far another state is ahead of a sample's own, in standard deviations of the scores; above 0 it is ahead.

    Shape (n_samples,).
    """
    scores, y = model.mean_scores, model.samples.y
    own = scores[np.arange(len(y)), y]
    others = scores.copy()
    others[np.arange(len(y)), y] = -np.inf
    margin = others.max(axis=1) - own
    return np.asarray(margin / max(float(margin.std()), 1e-12))


def audit_labels(cohort: Cohort, model: Judged) -> list[Finding]:
    """List the samples that look most like another state; a hint, and never proof of a swap.

    Empty where the model is too poor for a hint, or contradicts no label strongly.
    """
    if model.figure.value < _GOOD:
        return []
    margin = contradiction(model)
    order = [int(i) for i in np.argsort(-margin, kind="stable") if margin[i] > 1.0]
    if not order:
        return []
    best = model.mean_scores.argmax(axis=1)
    states = model.samples.states
    named = ", ".join(
        f"{cohort.sheet.sample_ids[i]} ({cohort.y[i]}, looks like {states[int(best[i])]})" for i in order[:_SHOWN]
    )
    more = f" and {len(order) - _SHOWN} more" if len(order) > _SHOWN else ""
    message = (
        f"{len(order)} samples contradict their label strongly while held out ({named}{more}): swapped labels or tubes look "
        "like this, and so do people who are hard to tell."
    )
    mend = "check these samples against the records, without changing a label for the model's sake"
    return [Finding("labels", f"{len(order)} samples", "samples", float(len(order)), "info", message, mend)]
