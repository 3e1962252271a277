"""Reports of an audit alone, and of a model on another cohort."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from exoclassify.report.audit import audit_section, baseline_section, learning_curve_section, tone_of
from exoclassify.report.evaluation import abstaining, calibration, discrimination, subgroups, usefulness
from exoclassify.report.html import Section, page

__all__ = ["audit_report", "seen_before", "validation_report"]


def audit_report(audit: Mapping[str, Any], *, source: str, samples: Mapping[str, int]) -> str:
    """Write the page of an audit.

    Parameters
    ----------
    audit : mapping
        As `Audit.to_dict` gives it.
    source : str
        Name of the table.
    samples : mapping of str to int
        Samples of each state.

    Returns
    -------
    str
        HTML.
    """
    mix = ", ".join(f"{n} {state}" for state, n in samples.items())
    short = Section("In short", f"{audit['verdict']}\n\n{source}: {mix}.", tone=tone_of(audit))
    sections = [short, baseline_section(audit), audit_section(audit), learning_curve_section(audit)]
    return page(
        f"Audit of {source}",
        [section for section in sections if section is not None],
        subtitle="What could make a classifier of this cohort look better than it is.",
    )


def validation_report(
    found: Mapping[str, Any], audit: Mapping[str, Any] | None, *, model: str, source: str, about: Mapping[str, Any]
) -> str:
    """Write the page of a model judged on another cohort.

    Parameters
    ----------
    found : mapping
        As `exoclassify.lifecycle.external.evaluate` gives it.
    audit : mapping or None
        Of that cohort.
    model : str
        Name and version.
    source : str
        Name of the table.
    about : mapping
        Plain values of the model.

    Returns
    -------
    str
        HTML.
    """
    judged = [(source, found)]
    sections: list[Section | None] = [
        _short(found, audit, model, source, about),
        discrimination(judged),
        calibration(judged),
        usefulness(judged),
        abstaining(judged),
        subgroups(judged),
    ]
    if audit is not None:
        sections += [baseline_section(audit), audit_section(audit)]
    return page(
        f"{model} on {source}",
        [section for section in sections if section is not None],
        subtitle="External validation. Support for a decision by a person, not a diagnosis and not a medical device.",
        footer=f"Training data of the model sha256 {about['training']['data_sha256']}",
    )


def seen_before(left_out: Mapping[str, int] | None, about: Mapping[str, Any]) -> str:
    """Say how many samples were left out because the model was trained on them, and what could not be known of that.

    Parameters
    ----------
    left_out : mapping of str to int or None
        As ``trained_on`` of `exoclassify.lifecycle.external.evaluate`.
    about : mapping
        Plain values of the model.

    Returns
    -------
    str
        Empty where none was left out, and persons could be compared too.
    """
    if left_out is None:
        return (
            "This model does not remember its training samples: whether some of these are among them is not known, and if they "
            "are, every figure is optimistic."
        )
    lines = []
    if left_out:
        ways = ", ".join(f"{count} by {way}" for way, count in left_out.items() if way != "in all")
        lines.append(f"{left_out['in all']} samples were left out: the model was trained on them ({ways}).")
    if about["training"]["subjects"] is None:
        lines.append(
            "The model was trained without subject ids: whether these samples are of the same people is not known."
        )
    return " ".join(lines)


def _short(
    found: Mapping[str, Any], audit: Mapping[str, Any] | None, model: str, source: str, about: Mapping[str, Any]
) -> Section:
    auc, calls = found["figures"]["auc"], found["calls"]
    mix = ", ".join(f"{n} {state}" for state, n in found["samples"].items())
    parts = [
        f"On {found['n_samples']} samples of {source} ({mix}), {model} has AUC {auc['value']:.3f} ({auc['low']:.3f} to "
        f"{auc['high']:.3f}; p = {found['permutation']['p_value']:.2g} against permuted labels)."
    ]
    if about["evaluation"] is not None and found["trained_on"] is not None:
        quoted = about["evaluation"]["headline"]["value"]
        words = "that lies below" if quoted < auc["low"] else "that lies above" if quoted > auc["high"] else "within"
        parts[0] += f" When it was made it was quoted with {quoted:.3f}: {words} this interval."
    parts.append(
        f"It called {calls['called']:.0%} of the samples"
        + (f", and {calls['wrong_among_called']:.0%} of the calls were wrong" if calls["called"] else "")
        + f"; {calls['novel']:.0%} were unlike its training samples, and {found['measured']:.0%} of its panel was measured."
    )
    seen = seen_before(found["trained_on"], about)
    if seen:
        parts.insert(0, seen)
    if found["prevalence"] is not None:
        stated = ", ".join(f"{state} {share:.3g}" for state, share in found["prevalence"].items())
        parts.append(f"Probabilities, predictive values and net benefit are those at the stated prevalence ({stated}).")
    if audit is not None:
        parts.append(f"The cohort itself: {audit['verdict']}")
    return Section("In short", "\n\n".join(parts), tone=_tone(found, audit))


def _tone(found: Mapping[str, Any], audit: Mapping[str, Any] | None) -> str:
    if found["trained_on"] is None:
        return "warning"
    return "plain" if audit is None else tone_of(audit)
