"""TRIPOD+AI and STARD checklists and PROBAST+AI questions, filled from the run and the sheet where they can answer."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from exoclassify.model.about import About, Promised, Training
from exoclassify.model.evaluation import Evaluation
from exoclassify.report.html import Section, Table

__all__ = ["probast", "stard", "tripod"]

_OPEN = "not stated: for the authors"

_TRIPOD = """\
1 | title: development or evaluation of a prediction model, target, outcome | development; distinguishes {states}
2 | abstract by TRIPOD+AI for abstracts | {open}
3a | health context and rationale | {open}
3b | target population and intended use | support for a decision by a person; population: {open}
3c | known health inequalities | {open}
4 | objectives: development, evaluation or both | development with internal validation
5a | sources of data | one table of {table} molecules, sha256 {digest}…
5b | dates of data | {open}
6a | setting, number and place of centres | {batches}
6b | eligibility | {open}
6c | treatments received | {open}
7 | preparation of data and quality checks | {preparation}
8a | outcome, and how it was assessed | column of the sheet with the states {states}; how assessed: {open}
8c | blinding of the assessment | {open}
9a | choice of predictors | {molecules} molecules found in {prevalence:.0%} of the samples, label not looked at
9b | measurement of predictors | {open}
10 | sample size and its justification | {samples} samples; {size}
11 | missing data | {missing}
12a | use of data: development and evaluation | nested: every choice is learned inside the training part of each fold
12b | handling of predictors | normalisation ({normalise}) with constants frozen at training
12c | type of model, building, internal validation | {building}
12d | heterogeneity between clusters | {heterogeneity}
12e | measures of performance | discrimination, calibration, net benefit, coverage, with intervals by subject
12f | updating after evaluation | none
12g | how predictions are made | calibrated probability, prediction set, novelty; the saved model is the specification
13 | class imbalance | class weights: {class_weight}; probabilities hold at the training mix
14 | fairness | {fairness}
15 | output of the model, thresholds | probability of each state; calls: {cut_offs}
16 | differences between development and evaluation data | {differences}
17 | ethical approval | {open}
18a-f | funding, conflicts, protocol, registration, sharing of data and code | exoclassify {version}, Apache-2.0; others: {open}
19 | involvement of patients and the public | {open}
20a | flow of participants | see Flow of samples; recruitment: {open}
20b | characteristics of participants | {characteristics}
21 | numbers of participants and events in each analysis | {mix}
22 | full model | arrays.npz and bundle.json of the model folder
23a | performance with intervals, in subgroups too | {performance}
23b | heterogeneity of performance between clusters | {heterogeneity}
24 | results of updating | none
25-27 | interpretation, limitations, usability in current care | limitations: see the audit; others: {open}"""

_STARD = """\
1-4 | title, abstract, background, objectives | {open}
5-9 | design, eligibility, how, where and when participants were found | {open}
10a | index test | exosomal cargo scored by {name}; see Methods and legends to paste
10b-11 | reference standard and its rationale | column of the sheet with {states}; {open}
12a | cut-offs of the index test | {cut_offs}
13a | index test read without knowledge of the reference | yes: each sample was answered while it was held out
13b | reference read without knowledge of the index test | {open}
14 | methods for estimating accuracy | AUC by DeLong, subjects as clusters; bootstrap beside it
15 | indeterminate results | counted as uncertain, apart from right and wrong calls
16 | missing data | {missing}
17 | variability of accuracy | {heterogeneity}
18 | sample size | {size}
19 | flow of participants | see Flow of samples
20-21 | characteristics, severity, alternative diagnoses | {characteristics}
22 | interval and treatments between index test and reference | {open}
23 | cross tabulation of index test by reference | {judged}
24 | estimates of accuracy with precision | {judged}
25 | adverse events | {open}
26 | limitations | see the audit; others: {open}
27-30 | implications, registration, protocol, funding | {open}"""


def tripod(about: About, n_molecules: int) -> Section:
    """Fill the TRIPOD+AI checklist as far as the run knows."""
    rows = _filled(_TRIPOD, _known(about) | {"molecules": n_molecules})
    known = sum(row[2] != _OPEN for row in rows)
    return Section(
        "TRIPOD+AI checklist",
        f"{known} of {len(rows)} items are answered from the run; the others only the authors can answer.",
        tables=[Table(["item", "asks for", "answer"], rows)],
        notes=["Items shortened from Collins et al. 2024, BMJ 385:e078378, doi 10.1136/bmj-2023-078378."],
        folded=True,
    )


def stard(about: About) -> Section:
    """Fill the STARD 2015 checklist as far as the run knows."""
    return Section(
        "STARD checklist",
        "The items on diagnostic accuracy that run and sheet answer; the others only the authors can answer.",
        tables=[Table(["item", "asks for", "answer"], _filled(_STARD, _known(about)))],
        notes=["Items shortened and joined from Bossuyt et al. 2015, BMJ 351:h5527, doi 10.1136/bmj.h5527."],
        folded=True,
    )


def _filled(checklist: str, known: Mapping[str, Any]) -> list[tuple[str, str, str]]:
    rows = []
    for line in checklist.splitlines():
        item, asked, answer = line.split(" | ")
        rows.append((item, asked, answer.format_map(known)))
    return rows


def _known(about: About) -> dict[str, Any]:
    """Give what a run knows, by the names that the checklists use."""
    training, recipe, evaluation = about.training, about.recipe, about.evaluation
    auc = None if evaluation is None else evaluation.headline
    return {
        "open": _OPEN, "name": f"{about.name} {about.version}", "states": ", ".join(about.states),
        "table": training.molecules_in_table, "digest": training.data_sha256[:16], "batches": _batches(training),
        "preparation": _preparation(about), "prevalence": recipe["panel"]["min_prevalence"], "samples": training.n_samples,
        "size": _size(about), "missing": _missing(about), "normalise": recipe["normalise"]["method"],
        "building": _building(about), "heterogeneity": _heterogeneity(evaluation),
        "class_weight": recipe["blend"]["class_weight"], "fairness": _fairness(evaluation), "cut_offs": _cut_offs(about.answers),
        "differences": "same cohort; see leaving out batches" if evaluation else _OPEN,
        "version": about.libraries["exoclassify"], "characteristics": _characteristics(about), "mix": training.mix,
        "judged": _OPEN if evaluation is None else "see Discrimination",
        "performance": "not judged" if auc is None
        else f"AUC {auc.value:.3f} ({auc.low:.3f} to {auc.high:.3f}); all figures above",
    }  # fmt: skip


def _characteristics(about: About) -> str:
    known = (about.audit or {"drawn": {}})["drawn"].get("table_one")
    return "see Table 1" if known else _OPEN


def _cut_offs(answers: Promised) -> str:
    places = answers.places
    if places is None:
        return _OPEN
    told = {"a batch trained on": places.trained_on.calls_from, "an unknown batch": places.unknown.calls_from}
    words = [
        f"in {where} " + ("none" if at is None else f"from a probability of {at:.2f}") for where, at in told.items()
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
