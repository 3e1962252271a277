"""What each layer is worth, alone, together, and on top of the others."""

from __future__ import annotations

from exoclassify.model.evaluation import Evaluation, Layers
from exoclassify.report.html import Section, Table

__all__ = ["layers_sections"]


def layers_sections(evaluation: Evaluation) -> list[Section]:
    """Tell the figures of every set of layers, and what each adds; and likewise of the cargo and the covariates.

    Returns
    -------
    list of Section
        None for a model of one layer that was not judged beside covariates.
    """
    judged = {
        "What each layer is worth": evaluation.cross_validation.layers,
        "What the cargo adds to the covariates": evaluation.covariates,
    }
    return [_section(title, found) for title, found in judged.items() if found]


def _section(title: str, found: Layers) -> Section:
    columns = ["layers shown", "samples", "subjects", "AUC", "log-loss"]
    rows = [
        (" + ".join(one.layers), one.n_samples, one.n_subjects, one.figures.auc.told(), one.figures.log_loss.told())
        for one in found.sets
    ]
    added = [
        (one.layer, one.n_samples, one.figures.auc.told(sign="+"), one.figures.log_loss.told(sign="+"))
        for one in found.added
    ]
    return Section(
        title,
        "\n\n".join(one.sentence for one in found.added),
        tables=[
            Table(columns, rows, "The same model in the same folds, shown some of the layers alone"),
            Table(
                ["layer added to all others", "samples", "change in AUC", "change in log-loss"], added,
                "Paired, on the samples that have all layers; a log-loss that goes down is better",
            ),
        ],
        notes=[
            "A set of layers is judged on every sample that has all of it, whatever else that sample has; the first row is of "
            "the samples that have all layers, the headline of all samples as they are.",
            "Intervals are 95 %, by subject.",
        ],
    )  # fmt: skip
