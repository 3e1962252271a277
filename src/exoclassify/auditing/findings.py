"""What an audit finds: each with its figure, how much it matters, and what to do."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any, Literal

from numpy.typing import NDArray

__all__ = ["SEVERITIES", "Audit", "Finding", "Severity", "by_severity", "verdict_of"]

Severity = Literal["critical", "warning", "info"]

SEVERITIES: tuple[Severity, ...] = ("critical", "warning", "info")
"""From worst to mild. Critical: the claim cannot be made. Warning: to be fixed or stated. Info: for the record."""


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
        What was seen and why it matters, one plain sentence.
    mend : str
        What to do about it, another; empty when there is nothing to do.
    """

    check: str
    subject: str
    figure: str
    value: float | None
    severity: Severity
    message: str
    mend: str = ""

    @classmethod
    def of(
        cls, check: str, subject: str, figure: str, value: float | None, severity: Severity, message: str, mend: str
    ) -> Finding:
        """Make a finding that calls for something to be done only where it is more than info."""
        return cls(check, subject, figure, value, severity, message, "" if severity == "info" else mend)


def by_severity(findings: Iterable[Finding]) -> tuple[Finding, ...]:
    """Sort findings, the worst first; otherwise in the order of the checks."""
    return tuple(sorted(findings, key=lambda finding: SEVERITIES.index(finding.severity)))


def verdict_of(findings: Sequence[Finding]) -> str:
    """Say in a sentence or two whether the cohort can carry a claim about biology."""
    critical = [finding for finding in findings if finding.severity == "critical"]
    warnings = sum(finding.severity == "warning" for finding in findings)
    if not critical:
        if not warnings:
            return "Nothing critical was found."
        counted = "1 warning is" if warnings == 1 else f"{warnings} warnings are"
        return f"Nothing critical was found; {counted} to be fixed or stated."
    subjects = "; ".join(f"{f.check}: {f.subject}" for f in critical[:3])
    more = f" and {len(critical) - 3} more" if len(critical) > 3 else ""
    counted = "1 critical finding" if len(critical) == 1 else f"{len(critical)} critical findings"
    return (
        f"{counted} ({subjects}{more}): this is not evidence of biology, and no claim about the states should rest on this "
        "cohort before that is fixed."
    )


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
        Plain values of what a report draws: ``baselines``, ``learning_curve``, ``table_one``, ``components``, ``sensitivity``.
    confounders : dict
        Names and values, one a sample, of what was found critical: for what is asked of single molecules afterwards.
    """

    findings: tuple[Finding, ...]
    verdict: str
    drawn: dict[str, Any] = field(default_factory=dict)
    confounders: dict[str, NDArray[Any]] = field(default_factory=dict, compare=False)

    def count(self, severity: Severity) -> int:
        """Count the findings of one severity."""
        return sum(finding.severity == severity for finding in self.findings)

    def told(self) -> dict[str, Any]:
        """Give verdict and findings as plain values, as ``exoclassify audit --json`` prints them."""
        return {"verdict": self.verdict, "findings": [asdict(finding) for finding in self.findings]}

    def to_dict(self) -> dict[str, Any]:
        """Give plain values: what is told, and what a report draws."""
        return self.told() | {"drawn": self.drawn}
