"""Text to paste into a paper: a methods paragraph with versions and citations, and the figures' legends."""

from __future__ import annotations

from collections.abc import Sequence

from exoclassify.model.about import About
from exoclassify.report.html import Section

__all__ = ["legends", "methods_section"]

_CITATIONS = (
    "DeLong et al. 1988 (Biometrics 44:837); Obuchowski 1997 (Biometrics 53:567), for samples of the same person; "
    "Nadeau & Bengio "
    "2003 (Mach Learn 52:239), for folds that share training samples; Vickers & Elkin 2006 (Med Decis Making 26:565), decision "
    "curves; Vovk 2012 (ACML), conformal prediction for each class; Pedregosa et al. 2011 (JMLR 12:2825), scikit-learn; Collins "
    "et al. 2024 (BMJ 385:e078378), TRIPOD+AI."
)


def methods_section(about: About, n_molecules: int, shown: Sequence[Section]) -> Section:
    """Write the methods paragraph and the legends of the figures shown."""
    text = [
        _samples(about),
        _model(about, n_molecules),
        _judgement(about),
        f"Software: {_versions(about)}.",
        _CITATIONS,
    ]
    return Section("Methods and legends to paste", "\n\n".join([*filter(None, text), *legends(shown)]), folded=True)


def legends(shown: Sequence[Section]) -> list[str]:
    """Give the legend of each figure of a page, under the number that it has there."""
    figures = [figure for section in shown for figure in section.figures]
    return [f"Figure {i}. {figure.title}. {figure.caption}".strip() for i, figure in enumerate(figures, start=1)]


def _samples(about: About) -> str:
    training = about.training
    people = "" if training.subjects is None else f" of {training.subjects} people"
    batches = "" if training.batches is None else f", in {len(training.batches)} batches"
    return f"We trained a classifier on {training.n_samples} samples{people} ({training.mix}){batches}."


def _model(about: About, n_molecules: int) -> str:
    recipe, answers = about.recipe, about.answers
    learners = ", ".join(voice.name for voice in about.voices)
    prevalence = recipe["panel"]["min_prevalence"]
    chosen = (
        "named in the recipe"
        if recipe["panel"]["molecules"]
        else f"found in at least {prevalence:.0%} of the training samples"
    )
    wrong = f" that keeps at most {answers.max_wrong:.0%} of the calls wrong" if answers.places else ""
    return (
        f"The {n_molecules} molecules {chosen} were normalised (method: {recipe['normalise']['method']}) and missing "
        f"values imputed "
        f"with constants learned from the training samples alone. Base learners ({learners}) were blended with "
        f"weights learned on "
        f"held-out samples. Probabilities were calibrated with an offset for each batch; a state was called from the probability"
        f"{wrong} on, and prediction sets are conformal at {answers.level:.0%} for each state."
    )


def _judgement(about: About) -> str:
    evaluation = about.evaluation
    if evaluation is None:
        return ""
    crossed, found = evaluation.cross_validation, evaluation.headline
    people = "; all samples of a person were in the same fold" if about.training.subjects is not None else ""
    batched = evaluation.leave_one_batch_out
    also = f", and by leaving out each of {len(batched.batches)} batches in turn" if batched else ""
    return (
        f"The whole procedure was judged by {crossed.repeats} × {crossed.folds}-fold nested "
        f"cross-validation{people}{also}. The AUC "
        f"was {found.value:.3f} (95 % interval {found.low:.3f} to {found.high:.3f}); intervals respect "
        f"persons and allow for "
        "folds that share training samples."
    )


def _versions(about: About) -> str:
    return ", ".join(f"{name} {version}" for name, version in about.libraries.items())
