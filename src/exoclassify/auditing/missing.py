"""Whether missing values go with the state."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from exoclassify.auditing.findings import Finding, Severity
from exoclassify.data.cohort import Cohort
from exoclassify.data.quality import missing_mask, missingness
from exoclassify.typing import Codes

__all__ = ["audit_missingness"]


_ALPHA = 0.01


def audit_missingness(cohort: Cohort) -> list[Finding]:
    """Say whether as much is missing in every state.

    Returns
    -------
    list of Finding
        For the share by state, and for molecules missing in one state more than in another.
    """
    mask = missing_mask(cohort.cargo)
    found = missingness(cohort)
    if not mask.any():
        return []
    value = max(found.share.values()) - min(found.share.values())
    differs = found.p_value is not None and found.p_value < _ALPHA
    share = Finding(
        "missingness-informative", "share of missing values", "difference between states", value,
        "warning" if differs else "info", found.sentence,
        "find out why (input, depth, batch); impute left-censored, and compare with the model on molecules measured in all"
        if differs else "",
    )  # fmt: skip
    return [share, _molecules_missing(cohort, mask)]


def _molecules_missing(cohort: Cohort, mask: NDArray[np.bool_]) -> Finding:
    """Count molecules whose missingness goes with the state more often than permuted labels give it."""
    y = np.unique(cohort.y, return_inverse=True)[1]
    partly = mask[:, (mask.mean(axis=0) > 0.1) & (mask.mean(axis=0) < 0.9)].astype(np.float64)
    rng = np.random.default_rng(0)
    observed = _spread(partly, y)
    dealt = np.array([_spread(partly, rng.permutation(y)) for _ in range(499)])
    p_value = float((1 + (dealt >= observed).sum()) / 500)
    severity: Severity = "warning" if p_value < _ALPHA else "info"
    meaning = (
        "missingness goes with the state: values are not missing at random, and an imputer will turn that into abundance"
        if severity == "warning"
        else "no more than labels permuted at random give"
    )
    return Finding(
        "missingness-informative", "which molecules are missing", "mean squared difference of shares", observed, severity,
        f"Among {partly.shape[1]} molecules missing in some samples, the share missing differs between states by "
        f"{np.sqrt(observed):.2f} (root mean square; permuted labels {np.sqrt(dealt.mean()):.2f}, p = {p_value:.2g}): {meaning}.",
        "report the model beside the missingness mask alone; use molecules measured in most samples of every state"
        if severity == "warning" else "",
    )  # fmt: skip


def _spread(mask: NDArray[np.float64], y: Codes) -> float:
    if not mask.shape[1]:
        return 0.0
    shares = np.stack([mask[y == k].mean(axis=0) for k in range(int(y.max()) + 1)])
    return float(np.mean(np.ptp(shares, axis=0) ** 2))
