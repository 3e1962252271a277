"""The report of a trained model, made from what the model itself carries."""

from __future__ import annotations

from collections.abc import Sequence

from exoclassify.model.about import About
from exoclassify.model.evaluation import Evaluation
from exoclassify.model.told import carries_over, used_in
from exoclassify.report.audit import audit_section, baseline_section, learning_curve_section
from exoclassify.report.checklists import probast, stard, tripod
from exoclassify.report.cohort import cohort_section, sensitivity_section
from exoclassify.report.evaluation import Way, abstaining, calibration, discrimination, subgroups, usefulness
from exoclassify.report.flow import flow
from exoclassify.report.html import Report, Section, Table
from exoclassify.report.importance import importance_section
from exoclassify.report.layers import layers_sections
from exoclassify.report.methods import methods_section
from exoclassify.report.verdict import lead_of_model

__all__ = ["judged_ways", "training_report"]


def training_report(about: About, molecules: Sequence[str], extra: Sequence[Section] = ()) -> Report:
    """Make the report of a trained model."""
    audit, evaluation = about.audit, about.evaluation
    sections: list[Section | None] = [_site(about)]
    judged = [] if evaluation is None else judged_ways(evaluation)  # empty too where only figures were kept
    if evaluation is not None and judged:
        sections += [
            *layers_sections(evaluation),
            discrimination(judged),
            calibration(judged, carries_over(about)),
            abstaining(judged, used_in(about)),
        ]
    if audit is not None:
        sections += [baseline_section(audit), audit_section(audit), sensitivity_section(audit), cohort_section(audit)]
    if evaluation is not None and judged:
        sections += [subgroups(judged), usefulness(judged), importance_section(evaluation)]
    if audit is not None:
        sections.append(learning_curve_section(audit))
    shown = [section for section in (*sections, *extra, flow(about)) if section is not None]
    n = len(molecules)
    folded = [
        methods_section(about, n, shown),
        tripod(about, n),
        probast(about),
        stard(about),
        provenance(about, molecules),
    ]
    simulated = "Trained on simulated samples: not for use on patients. " if about.training.simulated else ""
    return Report(
        f"{about.name} {about.version}",
        lead_of_model(about),
        [*shown, *folded],
        subtitle=f"{simulated}Support for a decision by a person, not a diagnosis and not a medical device.",
        footer=f"exoclassify {about.libraries['exoclassify']}, {about.created}, training data sha256 "
        f"{about.training.data_sha256}",
    )


def judged_ways(evaluation: Evaluation) -> list[Way]:
    """Name the ways of judging that were kept in detail, the one of the headline first."""
    crossed = Way.of("cross-validation", evaluation.cross_validation)
    batched = Way.of("batches left out", evaluation.leave_one_batch_out)
    return crossed + batched if evaluation.headline.source == "cross_validation" else batched + crossed


def _site(about: About) -> Section | None:
    """Say of a model that was recalibrated for which site, and that the other figures are those of the model before."""
    found = about.recalibration
    if found is None:
        return None
    mix = ", ".join(f"{n} {state}" for state, n in found.samples.items() if n)
    return Section(
        f"For {found.site} alone",
        f"This is {found.source}, recalibrated on samples of {found.site} ({mix}). The figures on this page are those of the "
        "original model in its own training batches. How it did at this site is in the model card.",
    )


def provenance(about: About, molecules: Sequence[str]) -> Section:
    """Say what the model is made of, and by which versions."""
    ordered = sorted(about.voices, key=lambda voice: -voice.weight)
    voices = [(v.name, v.weight, v.inner_log_loss) for v in ordered]
    libraries = list(about.libraries.items())
    evaluation = about.evaluation
    digest = "" if evaluation is None else f" Folds sha256 {evaluation.folds}."
    return Section(
        "What it is made of",
        f"{len(molecules)} molecules, {len(voices)} learners blended with weights learned inside the training folds, seed "
        f"{about.recipe['seed']}. The whole recipe is in bundle.json.{digest}",
        tables=[
            Table(["learner and view", "weight", "inner log-loss"], voices),
            Table(["library", "version"], libraries),
        ],
        folded=True,
    )
