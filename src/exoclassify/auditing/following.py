"""Which molecules follow what the audit found critical, so that a marker of the technique is not taken for one of the state."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.stats import f as f_distribution
from scipy.stats import rankdata, t

from exoclassify.auditing.findings import Audit
from exoclassify.auditing.reference import log_view
from exoclassify.data.cohort import Cohort
from exoclassify.typing import Floats

__all__ = ["following"]


_FOLLOWS = 0.01
_ENTANGLED = 0.5
"""Share of a confounder's variance that the state explains, from which on samples of one state say too little about it."""


def following(found: Audit, cohort: Cohort, molecules: Sequence[str]) -> dict[str, str]:
    """Say of molecules that mark the state which confounder they follow.

    The confounder by molecule: one that a molecule goes with among samples of one state (p below 0.01), or one that the state
    itself goes with so closely that nothing can tell them apart. Molecules that follow none are left out.
    """
    columns = {name: j for j, name in enumerate(cohort.cargo.molecules)}
    asked = [name for name in molecules if name in columns]
    critical = [finding for finding in found.findings if finding.severity == "critical"]
    named = {
        f.subject: "no cargo by its values or name" for f in critical if f.check in ("one-molecule", "foreign-molecule")
    }
    marks = {name: named[name] for name in asked if name in named}
    if not asked or not found.confounders:
        return marks
    y = np.unique(cohort.y, return_inverse=True)[1]
    V = np.asarray(rankdata(log_view(cohort.cargo)[:, [columns[name] for name in asked]], axis=0))
    for confounder, values in found.confounders.items():
        p_values = _within_states(values, V, y)
        for name, p_value in zip(asked, p_values, strict=True):
            if p_value < _FOLLOWS:
                marks.setdefault(name, confounder)
    return marks


def _within_states(values: NDArray[Any], V: Floats, y: NDArray[np.intp]) -> Floats:
    """P-value, for each column, that it has nothing to do with a confounder within states; 0 where that cannot be told."""
    states = np.eye(int(y.max()) + 1)[y]
    if values.dtype.kind in "US":
        design = np.eye(len(np.unique(values)))[np.unique(values, return_inverse=True)[1]]
    else:
        known = np.where(np.isfinite(values), values, np.nanmedian(values))
        design = np.asarray(rankdata(known))[:, None]
    centred = design - design.mean(axis=0)
    apart = design - states @ np.linalg.lstsq(states, design, rcond=None)[0]
    if (apart**2).sum() < (1 - _ENTANGLED) * (centred**2).sum():
        return np.zeros(V.shape[1])
    rest = V - states @ np.linalg.lstsq(states, V, rcond=None)[0]
    fitted = apart @ np.linalg.lstsq(apart, rest, rcond=None)[0]
    explained, total = (fitted**2).sum(axis=0), (rest**2).sum(axis=0)
    more = int(np.linalg.matrix_rank(apart))
    freedom = len(y) - states.shape[1] - more
    if freedom < 1:
        return np.zeros(V.shape[1])
    ratio = (explained / more) / np.maximum((total - explained) / freedom, 1e-12)
    if more == 1:
        return np.asarray(2 * t.sf(np.sqrt(ratio), freedom))
    return np.asarray(f_distribution.sf(ratio, more, freedom))
