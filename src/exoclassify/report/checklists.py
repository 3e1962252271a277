"""TRIPOD+AI and STARD checklists and PROBAST+AI questions, filled from the run and the sheet where they can answer."""

from __future__ import annotations

from exoclassify.model.about import About, Promised, Training
from exoclassify.model.evaluation import Evaluation
from exoclassify.report.html import Section, Table

__all__ = ["probast", "stard", "tripod"]

_OPEN = "not stated: for the authors"


def tripod(about: About, n_molecules: int) -> Section:
    """Fill the TRIPOD+AI checklist as far as the run knows."""
    rows = _before(about) + _methods(about, n_molecules) + _results(about)
    known = sum(answer != _OPEN for _, _, answer in rows)
    return Section(
        "TRIPOD+AI checklist",
        f"{known} of {len(rows)} items are answered from the run; the others only the authors can answer.",
        tables=[Table(["item", "asks for", "answer"], rows)],
        notes=["Items shortened from Collins et al. 2024, BMJ 385:e078378, doi 10.1136/bmj-2023-078378."],
        folded=True,
    )


def _before(about: About) -> list[tuple[str, str, str]]:
    states = ", ".join(about.states)
    return [
        (
            "1",
            "title: development or evaluation of a prediction model, target, outcome",
            f"development; distinguishes {states}",
        ),
        ("2", "abstract by TRIPOD+AI for abstracts", _OPEN),
        ("3a", "health context and rationale", _OPEN),
        ("3b", "target population and intended use", "support for a decision by a person; population: " + _OPEN),
        ("3c", "known health inequalities", _OPEN),
        ("4", "objectives: development, evaluation or both", "development with internal validation"),
    ]


def _methods(about: About, n_molecules: int) -> list[tuple[str, str, str]]:
    training, recipe, evaluation = about.training, about.recipe, about.evaluation
    return [
        (
            "5a", "sources of data",
            f"one table of {training.molecules_in_table} molecules, sha256 {training.data_sha256[:16]}…",
        ),
        ("5b", "dates of data", _OPEN),
        ("6a", "setting, number and place of centres", _batches(training)),
        ("6b", "eligibility", _OPEN),
        ("6c", "treatments received", _OPEN),
        ("7", "preparation of data and quality checks", _preparation(about)),
        (
            "8a", "outcome, and how it was assessed",
            f"column of the sheet with the states {', '.join(about.states)}; how assessed: {_OPEN}",
        ),
        ("8c", "blinding of the assessment", _OPEN),
        (
            "9a", "choice of predictors",
            f"{n_molecules} molecules found in {recipe['panel']['min_prevalence']:.0%} of the samples, label not looked at",
        ),
        ("9b", "measurement of predictors", _OPEN),
        ("10", "sample size and its justification", f"{training.n_samples} samples; {_size(about)}"),
        ("11", "missing data", _missing(about)),
        (
            "12a", "use of data: development and evaluation",
            "nested: every choice is learned inside the training part of each fold",
        ),
        (
            "12b", "handling of predictors",
            f"normalisation ({recipe['normalise']['method']}) with constants frozen at training",
        ),
        ("12c", "type of model, building, internal validation", _building(about)),
        ("12d", "heterogeneity between clusters", _heterogeneity(evaluation)),
        (
            "12e", "measures of performance",
            "discrimination, calibration, net benefit, coverage, with intervals by subject",
        ),
        ("12f", "updating after evaluation", "none"),
        (
            "12g", "how predictions are made",
            "calibrated probability, prediction set, novelty; the saved model is the specification",
        ),
        (
            "13", "class imbalance",
            f"class weights: {recipe['blend']['class_weight']}; probabilities hold at the training mix",
        ),
        ("14", "fairness", _fairness(evaluation)),
        (
            "15", "output of the model, thresholds",
            "probability of each state; a call when a prediction set holds one state alone",
        ),
        (
            "16", "differences between development and evaluation data",
            "same cohort; see leaving out batches" if evaluation else _OPEN,
        ),
        ("17", "ethical approval", _OPEN),
        (
            "18a-f", "funding, conflicts, protocol, registration, data and code sharing",
            f"code: exoclassify {about.libraries['exoclassify']}, Apache-2.0; others: {_OPEN}",
        ),
        ("19", "involvement of patients and the public", _OPEN),
    ]  # fmt: skip


def _results(about: About) -> list[tuple[str, str, str]]:
    evaluation = about.evaluation
    auc = None if evaluation is None else evaluation.headline
    performance = (
        "not judged" if auc is None else f"AUC {auc.value:.3f} ({auc.low:.3f} to {auc.high:.3f}); all figures above"
    )
    return [
        ("20a", "flow of participants", "see Flow of samples; recruitment: " + _OPEN),
        ("20b", "characteristics of participants", _characteristics(about)),
        (
            "21", "numbers of participants and events in each analysis",
            about.training.mix,
        ),
        ("22", "full model", "arrays.npz and bundle.json of the model folder"),
        ("23a", "performance with intervals, in subgroups too", performance),
        ("23b", "heterogeneity of performance between clusters", _heterogeneity(evaluation)),
        ("24", "results of updating", "none"),
        (
            "25-27", "interpretation, limitations, usability in current care",
            f"limitations: see the audit; others: {_OPEN}",
        ),
    ]  # fmt: skip


def _characteristics(about: About) -> str:
    known = (about.audit or {"drawn": {}})["drawn"].get("table_one")
    return "see Table 1" if known else _OPEN


def stard(about: About) -> Section:
    """Fill the STARD 2015 checklist as far as the run knows."""
    evaluation, answers = about.evaluation, about.answers
    judged = _OPEN if evaluation is None else "see Discrimination"
    rows = [
        ("1-4", "title, abstract, background, objectives", _OPEN),
        ("5-9", "design, eligibility, how, where and when participants were found", _OPEN),
        (
            "10a",
            "index test",
            f"exosomal cargo scored by {about.name} {about.version}; see Methods and legends to paste",
        ),
        (
            "10b-11",
            "reference standard and its rationale",
            f"column of the sheet with {', '.join(about.states)}; {_OPEN}",
        ),
        ("12a", "cut-offs of the index test", _cut_offs(answers)),
        (
            "13a",
            "index test read without knowledge of the reference",
            "yes: each sample was answered while it was held out",
        ),
        ("13b", "reference read without knowledge of the index test", _OPEN),
        ("14", "methods for estimating accuracy", "AUC by DeLong, subjects as clusters; bootstrap beside it"),
        ("15", "indeterminate results", "told as uncertain, apart from right and wrong calls"),
        ("16", "missing data", _missing(about)),
        ("17", "variability of accuracy", _heterogeneity(evaluation)),
        ("18", "sample size", _size(about)),
        ("19", "flow of participants", "see Flow of samples"),
        ("20-21", "characteristics, severity, alternative diagnoses", _characteristics(about)),
        ("22", "interval and treatments between index test and reference", _OPEN),
        ("23", "cross tabulation of index test by reference", judged),
        ("24", "estimates of accuracy with precision", judged),
        ("25", "adverse events", _OPEN),
        ("26", "limitations", "see the audit; others: " + _OPEN),
        ("27-30", "implications, registration, protocol, funding", _OPEN),
    ]
    return Section(
        "STARD checklist",
        "The items on diagnostic accuracy that run and sheet answer; the others only the authors can answer.",
        tables=[Table(["item", "asks for", "answer"], rows)],
        notes=["Items shortened and joined from Bossuyt et al. 2015, BMJ 351:h5527, doi 10.1136/bmj.h5527."],
        folded=True,
    )


def _cut_offs(answers: Promised) -> str:
    places = answers.places
    if places is None:
        return _OPEN
    told = {"a batch trained on": places.trained_on.calls_from, "an unknown batch": places.unknown.calls_from}
    words = [
        f"in {where} " + ("nothing is called" if at is None else f"from a probability of {at:.2f}")
        for where, at in told.items()
    ]
    return "; ".join(words) + ", chosen on held-out samples"


def _batches(training: Training) -> str:
    if training.batches is None:
        return f"no batch column; {_OPEN}"
    return f"{len(training.batches)} batches: " + ", ".join(f"{b} ({n})" for b, n in training.batches.items())


def _preparation(about: About) -> str:
    audit = about.audit
    if audit is None:
        return f"unit and kind checked at reading; not audited; {_OPEN}"
    counts = {s: sum(f["severity"] == s for f in audit["findings"]) for s in ("critical", "warning")}
    return f"unit and kind checked at reading; audited: {counts['critical']} critical findings, {counts['warning']} warnings"


def _size(about: About) -> str:
    found = [f for f in (about.audit or {"findings": ()})["findings"] if f["check"] == "sample-size"]
    return found[0]["message"] if found else _OPEN


def _missing(about: About) -> str:
    found = [f for f in (about.audit or {"findings": ()})["findings"] if f["check"] == "missingness-informative"]
    return "left-censored values imputed with constants of the training fold. " + " ".join(f["message"] for f in found)


def _building(about: About) -> str:
    evaluation = about.evaluation
    voices = ", ".join(voice.name for voice in about.voices)
    if evaluation is None:
        return f"blend of {voices}; not validated"
    crossed = evaluation.cross_validation
    people = "grouped by person" if about.training.subjects is not None else "persons not known"
    return f"blend of {voices}; {crossed.repeats} × {crossed.folds}-fold nested cross-validation, {people}"


def _heterogeneity(evaluation: Evaluation | None) -> str:
    batched = None if evaluation is None else evaluation.leave_one_batch_out
    if batched is None:
        return "not assessed: no batch could be left out"
    each = [f"{b} {_auc(found.auc)}" for b, found in batched.batches.items()]
    return "each batch left out in turn, AUC: " + ", ".join(each)


def _auc(value: float | None) -> str:
    return "–" if value is None else f"{value:.3f}"


def _fairness(evaluation: Evaluation | None) -> str:
    examined = None if evaluation is None else evaluation.cross_validation.examined
    by = ", ".join(dict.fromkeys(group.by for group in (() if examined is None else examined.subgroups)))
    return f"figures within {by}" if by else f"no sex, age or other group in the sheet; {_OPEN}"


def probast(about: About) -> Section:
    """Answer the signalling questions of PROBAST+AI that a run can answer."""
    training, evaluation = about.training, about.evaluation
    findings = (about.audit or {"findings": ()})["findings"]
    critical = {f["check"] for f in findings if f["severity"] == "critical"}
    informative = any(f["check"] == "missingness-informative" and f["severity"] != "info" for f in findings)
    sized = [f for f in findings if f["check"] == "sample-size"]
    enough = bool(sized) and all(f["severity"] == "info" for f in sized)
    rows = [
        ("participants", "appropriate sources, inclusion and exclusion", _OPEN, ""),
        ("predictors", "defined and assessed alike for all", *_alike(critical, bool(findings))),
        ("predictors", "assessed without knowledge of the outcome", _OPEN, ""),
        ("predictors", "available when the model is used", "yes", "a sample is scored alone, from its own cargo"),
        ("outcome", "defined and determined alike, without the predictors", _OPEN, ""),
        (
            "analysis", "enough participants with the outcome",
            "yes" if enough else "probably no", "see Sample size",
        ),
        (
            "analysis", "all enrolled participants included",
            _OPEN if not training.notes else "see notes", "; ".join(training.notes),
        ),
        (
            "analysis", "missing data handled appropriately", "probably no" if informative else "probably yes",
            "imputed with constants of the training fold" + ("; missingness goes with the state" if informative else ""),
        ),
        (
            "analysis", "no selection of predictors by their univariable association outside validation",
            "yes", "selection is inside every fold",
        ),
        ("analysis", "several samples of one person accounted for", *_persons(training)),
        ("analysis", "discrimination and calibration both evaluated", "no" if evaluation is None else "yes", ""),
        ("analysis", "overfitting and optimism accounted for", "no" if evaluation is None else "yes",
         "" if evaluation is None else "nested cross-validation; the worse of two headlines is quoted"),
        (
            "analysis", "tested in batches it had not seen",
            "yes" if evaluation and evaluation.leave_one_batch_out else "no", "",
        ),
    ]  # fmt: skip
    return Section(
        "PROBAST+AI questions",
        "Answers that the run can give on the risk of bias; those on how people were chosen and examined are for the authors.",
        tables=[Table(["domain", "question", "answer", "why"], rows)],
        notes=["Shortened from PROBAST (Wolff et al. 2019) and PROBAST+AI (Moons et al. 2025, BMJ 388:e082505)."],
        folded=True,
    )


def _persons(training: Training) -> tuple[str, str]:
    if training.subjects is None:
        return "no information", "no subject column"
    return "yes", "persons never on both sides of a split"


def _alike(critical: set[str], audited: bool) -> tuple[str, str]:
    if not audited:
        return _OPEN, ""
    suspicious = critical & {"technical-baseline", "batch-confounded", "run-order"}
    return (
        ("no", f"audit: {', '.join(sorted(suspicious))}")
        if suspicious
        else ("probably yes", "audit found nothing critical")
    )
