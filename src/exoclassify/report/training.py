"""The report of a trained model, made from what the model itself carries."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from exoclassify.model.card import headline
from exoclassify.model.told import carries_over, use_lines, used_in
from exoclassify.report.audit import audit_section, baseline_section, learning_curve_section, tone_of
from exoclassify.report.checklists import probast, tripod
from exoclassify.report.evaluation import abstaining, calibration, discrimination, subgroups, usefulness
from exoclassify.report.flow import flow
from exoclassify.report.html import Section, Table, page
from exoclassify.report.importance import importance_section
from exoclassify.report.layers import layers_section

__all__ = ["judged_ways", "training_report"]


def training_report(about: Mapping[str, Any], molecules: Sequence[str], extra: Sequence[Section] = ()) -> str:
    """Write the page of a trained model.

    Parameters
    ----------
    about : mapping
        The bundle's plain values, judged or not.
    molecules : sequence of str
        The panel.
    extra : sequence of Section
        What else is known, shown before the checklists.

    Returns
    -------
    str
        HTML.
    """
    audit, evaluation = about.get("audit"), about["evaluation"]
    sections: list[Section | None] = [summary(about), _site(about)]
    if audit is not None:
        sections += [baseline_section(audit), audit_section(audit)]
    if evaluation is not None:
        judged = judged_ways(evaluation)
        sections += [
            layers_section(evaluation),
            discrimination(judged),
            calibration(judged),
            usefulness(judged),
            abstaining(judged),
            subgroups(judged),
            importance_section(evaluation),
        ]
    if audit is not None:
        sections.append(learning_curve_section(audit))
    sections += [*extra, flow(about), tripod(about, len(molecules)), probast(about), provenance(about, molecules)]
    simulated = "Trained on simulated samples: not for use on patients. " if about["training"]["simulated"] else ""
    return page(
        f"{about['name']} {about['version']}",
        [section for section in sections if section is not None],
        subtitle=f"{simulated}Support for a decision by a person, not a diagnosis and not a medical device.",
        footer=f"exoclassify {about['libraries']['exoclassify']}, {about['created']}, training data sha256 "
        f"{about['training']['data_sha256']}",
    )


def judged_ways(evaluation: Mapping[str, Any]) -> list[tuple[str, Mapping[str, Any]]]:
    """Name the ways of judging, the one of the headline first.

    Parameters
    ----------
    evaluation : mapping
        Of a bundle.

    Returns
    -------
    list of (str, mapping)
        Those that were examined.
    """
    names = {"cross_validation": "cross-validation", "leave_one_batch_out": "batches left out"}
    keys = sorted(names, key=lambda key: key != evaluation["headline"]["from"])
    return [(names[key], evaluation[key]) for key in keys if evaluation[key] and "examined" in evaluation[key]]


def summary(about: Mapping[str, Any]) -> Section:
    """Say in plain words what a hurried reader should know.

    Parameters
    ----------
    about : mapping
        The bundle's plain values.
    """
    training, audit = about["training"], about.get("audit")
    total = sum(training["samples"].values())
    mix = ", ".join(f"{n} {state}" for state, n in training["samples"].items())
    first = headline(about).replace("**", "")
    verdict = "It was not audited." if audit is None else audit["verdict"]
    people = f" of {training['subjects']} people" if training["subjects"] is not None else " (people not known)"
    parts = [f"{first} {verdict}", f"The model was trained on {total} samples{people}: {mix}."]
    parts += used_in(about)
    if carried := carries_over(about):
        parts.append(carried)
    columns = [
        "where it is used",
        "batches that carry it",
        "log-loss",
        "calibration slope",
        "called",
        "wrong among calls",
    ]
    rows = use_lines(about)
    tables = [Table(columns, rows, "What the model does, by where it is used")] if rows else []
    return Section("In short", "\n\n".join(parts), tables=tables, tone="plain" if audit is None else tone_of(audit))


def _site(about: Mapping[str, Any]) -> Section | None:
    """Say of a model that was recalibrated for which site, and that the other figures are those of the model before."""
    found = about.get("recalibration")
    if found is None:
        return None
    mix = ", ".join(f"{n} {state}" for state, n in found["samples"].items() if n)
    return Section(
        f"For {found['site']} alone",
        f"This is {found['from']}, recalibrated on samples of {found['site']} ({mix}). Every figure on this page is of the model "
        "before, at the places where it was trained; how it was judged at this site is in the model card.",
        tone="warning",
    )


def provenance(about: Mapping[str, Any], molecules: Sequence[str]) -> Section:
    """Say what the model is made of, and by which versions.

    Parameters
    ----------
    about : mapping
        The bundle's plain values.
    molecules : sequence of str
        The panel.
    """
    ordered = sorted(about["voices"], key=lambda voice: -voice["weight"])
    voices = [(v["name"], v["weight"], v["inner_log_loss"]) for v in ordered]
    libraries = list(about["libraries"].items())
    evaluation = about["evaluation"]
    digest = "" if evaluation is None else f" Folds sha256 {evaluation['folds']}."
    return Section(
        "What it is made of",
        f"{len(molecules)} molecules, {len(voices)} learners blended with weights learned inside the training folds, seed "
        f"{about['recipe']['seed']}. The whole recipe is in bundle.json.{digest}",
        tables=[
            Table(["learner and view", "weight", "inner log-loss"], voices),
            Table(["library", "version"], libraries),
        ],
    )
