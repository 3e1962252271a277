"""Whether batches were taken out of the values beforehand, over all samples together."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy.stats import f as f_distribution

from exoclassify.auditing.association import association
from exoclassify.auditing.findings import Finding
from exoclassify.auditing.reference import log_view
from exoclassify.data.cohort import Cohort
from exoclassify.typing import Codes, Floats

__all__ = ["audit_adjusted"]

_FEWEST_OF_BATCH, _FEWEST_MOLECULES = 5, 20
_TRIES = 199
_UNLIKELY = 0.01
_EQUAL = 0.25
"""Mean chance of as small a difference between batches, over molecules; one half where nothing was done."""


def audit_adjusted(cohort: Cohort) -> list[Finding]:
    """Look for batches that differ less than samples of one batch do: what ComBat and its like leave behind.

    Critical where batch goes with the state and the difference within states is what was taken out, for that needs the label.
    """
    if cohort.batches is None:
        return []
    names, batch, counts = np.unique(cohort.batches, return_inverse=True, return_counts=True)
    y = np.unique(cohort.y, return_inverse=True)[1]
    V = log_view(cohort.cargo)
    V = V[:, V.std(axis=0) > 1e-9]
    if len(names) < 2 or counts.min() < _FEWEST_OF_BATCH or V.shape[1] < _FEWEST_MOLECULES:
        return []
    by_label = _too_equal(V, batch, y)
    if not by_label and not _too_equal(V, batch, np.zeros_like(y)):
        return []
    together = association(cohort.batches, y)[1] < _UNLIKELY
    critical = by_label and together
    column = cohort.sheet.batch_column or "batch"
    message = (
        f"Levels of {column} differ less in the cargo than chance allows, so they were adjusted for beforehand"
        + (
            ", with the label: that writes the label into the values where batch and state go together."
            if critical
            else ": every value depends on all samples, and a new sample cannot be adjusted so."
        )
    )
    mend = "give the values before ComBat or its like; the folds handle batches without the label"
    return [
        Finding(
            "batch-adjusted", column, "levels", float(len(names)), "critical" if critical else "warning", message, mend
        )
    ]


def _too_equal(V: Floats, batch: Codes, y: Codes) -> bool:
    rng = np.random.default_rng(0)
    observed = _chance(V, batch, y)
    if observed > _EQUAL:
        return False
    order = np.argsort(y, kind="stable")
    dealt = 0
    for _ in range(_TRIES):
        permuted = batch.copy()
        permuted[order] = batch[order[np.lexsort((rng.random(len(y)), y[order]))]]
        dealt += _chance(V, permuted, y) <= observed
    return (1 + dealt) / (1 + _TRIES) < _UNLIKELY


def _chance(V: Floats, batch: Codes, y: Codes) -> float:
    """Mean over molecules of the chance that batches differ so little after the states, by the F test."""
    states, batches = np.eye(int(y.max()) + 1)[y], np.eye(int(batch.max()) + 1)[batch][:, 1:]
    rest, apart = _without(V, states), _without(batches, states)
    basis: NDArray[np.float64] = np.linalg.qr(apart)[0]
    explained, total = ((basis.T @ rest) ** 2).sum(axis=0), (rest**2).sum(axis=0)
    freedom = len(y) - states.shape[1] - basis.shape[1]
    ratio = (explained / basis.shape[1]) / np.maximum((total - explained) / max(freedom, 1), 1e-12)
    return float(f_distribution.cdf(ratio, basis.shape[1], max(freedom, 1)).mean())


def _without(V: Floats, design: Floats) -> Floats:
    return np.asarray(V - design @ np.linalg.lstsq(design, V, rcond=None)[0])
