"""Several layers: each audited with the samples that have it, and whether having it goes with the state."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from exoclassify.auditing.findings import Audit, Finding, Severity, by_severity, verdict_of
from exoclassify.data.cohort import Cohort
from exoclassify.judging.permute import permuted_labels
from exoclassify.learning.samples import Samples
from exoclassify.typing import Codes, Mask

__all__ = ["audit_layers", "missing_layers"]

_SURE, _SUSPECT = 0.01, 0.05
_DRAWS = 999


def audit_layers(cohort: Cohort, audited: Callable[[Cohort], Audit]) -> Audit:
    """Put the audits of all layers together; what is said of the sheet is said once."""
    findings, drawn = missing_layers(cohort), []
    confounders: dict[str, NDArray[Any]] = {}
    known = set()
    for name in cohort.layers:
        one = audited(cohort.of_layer(name))
        for finding in one.findings:
            if (finding.check, finding.message) not in known:
                known.add((finding.check, finding.message))
                findings.append(replace(finding, subject=f"layer {name}: {finding.subject}"))
        drawn.append((name, one.drawn))
        if len(next(iter(one.confounders.values()), ())) == cohort.n_samples:
            confounders |= one.confounders
    ordered = by_severity(findings)
    return Audit(ordered, verdict_of(ordered), _worst(drawn), confounders)


def missing_layers(cohort: Cohort) -> list[Finding]:
    """Say of each layer that some samples lack whether that goes with the state.

    Critical where it does (p below .01), a warning below .05. Labels are permuted among subjects, within batches.
    """
    samples = Samples.of(cohort)
    dealt = [permuted_labels(samples, seed) for seed in range(_DRAWS)]
    findings = []
    for layer in samples.layers:
        lacks = np.asarray(np.isnan(samples.X[:, layer.start : layer.stop]).all(axis=1), dtype=bool)
        if not lacks.any():
            continue
        k = len(samples.states)
        observed = _spread(lacks, samples.y, k)
        p_value = (1 + sum(_spread(lacks, y, k) >= observed - 1e-12 for y in dealt)) / (1 + _DRAWS)
        severity: Severity = "critical" if p_value < _SURE else "warning" if p_value < _SUSPECT else "info"
        shares = ", ".join(
            f"{state} {lacks[samples.y == code].mean():.0%}" for code, state in enumerate(samples.states)
        )
        meaning = "no more than chance gives" if severity == "info" else "whether it was measured tells the state"
        message = (
            f"{lacks.sum()} of {len(lacks)} samples lack layer {layer.name} ({shares}; p = {p_value:.2g}): {meaning}."
        )
        mend = "measure the layer in samples of every state alike, or leave out samples without it"
        figure, value = "difference between states", float(np.sqrt(observed))
        findings.append(Finding.of("layer-missing", f"layer {layer.name}", figure, value, severity, message, mend))
    return findings


def _spread(lacks: Mask, y: Codes, k: int) -> float:
    return float(np.ptp([lacks[y == code].mean() for code in range(k)]) ** 2)


def _worst(drawn: Sequence[tuple[str, Mapping[str, Any]]]) -> dict[str, Any]:
    """Choose what is drawn: of the layer that does worst against technique alone, under its name."""
    name, worst = min(drawn, key=lambda one: one[1].get("beats_best_baseline") is not False)
    result = dict(worst)
    if result.get("baselines"):
        result["baselines"] = [{**row, "name": f"{name}: {row['name']}"} for row in result["baselines"]]
        result["best_baseline"] = f"{name}: {result['best_baseline']}"
    return result
