"""What an audit finds: each with its figure, how much it matters, and the mend."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import asdict, dataclass, field
from typing import Any, Literal

__all__ = ["SEVERITIES", "Audit", "Finding", "Severity", "by_severity"]

Severity = Literal["critical", "warning", "info"]

SEVERITIES: tuple[Severity, ...] = ("critical", "warning", "info")
"""From worst to mild. Critical: the claim cannot be made. Warning: to be mended or stated. Info: for the record."""


@dataclass(frozen=True)
class Finding:
    """One thing that was looked at.

    Parameters
    ----------
    check : str
        Which check, in kebab-case, such as ``technical-baseline``.
    subject : str
        What it is about: a column, a pair of samples, the cohort.
    figure : str
        Name of the value.
    value : float or None
        None where there is nothing to measure.
    severity : {"critical", "warning", "info"}
        How much it matters.
    message : str
        What was found, in plain words.
    mend : str
        What to do about it; empty when there is nothing to do.
    """

    check: str
    subject: str
    figure: str
    value: float | None
    severity: Severity
    message: str
    mend: str


def by_severity(findings: Iterable[Finding]) -> tuple[Finding, ...]:
    """Sort findings, the worst first; otherwise in the order of the checks.

    Parameters
    ----------
    findings : iterable of Finding
        In any order.

    Returns
    -------
    tuple of Finding
    """
    return tuple(sorted(findings, key=lambda finding: SEVERITIES.index(finding.severity)))


@dataclass(frozen=True)
class Audit:
    """What could fool a reader of the model's figures.

    Parameters
    ----------
    findings : tuple of Finding
        The worst first.
    verdict : str
        One or two sentences: whether the cohort can carry the claim.
    drawn : dict
        Plain values of what a report draws: ``baselines``, ``learning_curve``, ``association``.
    """

    findings: tuple[Finding, ...]
    verdict: str
    drawn: dict[str, Any] = field(default_factory=dict)

    def count(self, severity: Severity) -> int:
        """Count the findings of one severity."""
        return sum(finding.severity == severity for finding in self.findings)

    def to_dict(self) -> dict[str, Any]:
        """Give plain values; ``findings`` is what ``exoclassify audit --json`` prints."""
        return {
            "findings": [asdict(finding) for finding in self.findings],
            "verdict": self.verdict,
            "drawn": self.drawn,
        }
