import dataclasses
import json
from functools import cache
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from cohorts import FAST, cohort_of, counts
from exoclassify.data.cohort import Cohort
from exoclassify.data.samples import SampleSheet
from exoclassify.errors import DesignError, FileError, InputError
from exoclassify.lifecycle.external import check_labels, evaluate
from exoclassify.lifecycle.fit import fit
from exoclassify.model.about import About
from exoclassify.model.evaluation import Validation
from exoclassify.model.prediction import Use
from exoclassify.report.external import audit_report, seen_before, validation_report
from exoclassify.report.saving import save
from exoclassify.report.training import training_report
from exoclassify.report.verdict import lead_of_audit, lead_of_model, lead_of_validation, verdict_of_model
from test_html import read

pytestmark = pytest.mark.slow

TRAINED_ON = cohort_of(counts(n=60, n_batches=2, seed=1), batch=True, sex=["female", "male", "male"] * 20)


@cache
def judged_bundle():
    return fit(TRAINED_ON, FAST, n_jobs=1, name="pain")


SAME_NAMES = cohort_of(
    dataclasses.replace(counts(n=40, n_batches=2, seed=1), groups=np.arange(40)), batch=True, age=np.arange(40) + 30
)
"""S000 to S039 and P000 to P039 again, with other cargo."""


def renamed(cohort: Cohort, prefix: str) -> Cohort:
    """The same samples of the same persons under other names."""
    frame = cohort.sheet.frame.rename(index=lambda name: f"{prefix}{name}")
    if "subject" in frame:
        frame["subject"] = [f"{prefix}{person}" for person in frame["subject"]]
    sheet = dataclasses.replace(cohort.sheet, frame=frame)
    return Cohort.from_layers({"mirna": dataclasses.replace(cohort.cargo, sample_ids=sheet.sample_ids)}, sheet)


ELSEWHERE = renamed(SAME_NAMES, "new-")


def changed(about: About, **parts: object) -> About:
    """The same, read again with some of its JSON replaced, however deep."""

    def merged(one: object, other: object) -> object:
        if not isinstance(one, dict) or not isinstance(other, dict):
            return other
        return one | {key: merged(one.get(key), value) for key, value in other.items()}

    return About.model_validate(merged(about.to_json(), parts))


def test_figures_on_another_cohort_are_those_of_its_predictions() -> None:
    found = evaluate(judged_bundle(), ELSEWHERE)
    given = judged_bundle().predict(ELSEWHERE.cargo, batches=list(ELSEWHERE.batches))
    right = given.probabilities.argmax(axis=1) == np.unique(ELSEWHERE.y, return_inverse=True)[1]
    assert found.figures.balanced_accuracy.value == pytest.approx(right.mean())
    assert found.calls.called == np.mean([call != "uncertain" for call in given.calls])
    assert found.n_samples == 40
    assert found.measured == 1.0
    assert found.permutation.p_value < 0.01
    assert Validation.model_validate(json.loads(json.dumps(found.to_json(), allow_nan=False))) == found


def test_subgroups_and_thresholds_are_those_asked_for() -> None:
    found = evaluate(judged_bundle(), ELSEWHERE, thresholds=(0.2, 0.8), use=Use(prevalence={"state-1": 0.1}))
    groups = {group.by for group in found.examined.subgroups}
    assert groups == {"batch", "age"}
    of_state = found.examined.states["state-1"]
    assert [point.chosen for point in of_state.thresholds][:2] == ["0.2", "0.8"]
    assert of_state.prevalence == pytest.approx(0.1)


def test_dealt_labels_do_no_better_than_chance() -> None:
    samples = counts(n=40, n_batches=2, seed=1)
    dealt = np.random.default_rng(0).permutation(samples.y)
    other = renamed(cohort_of(dataclasses.replace(samples, y=dealt)), "new-")
    assert evaluate(judged_bundle(), other).permutation.p_value > 0.05


def together(*cohorts: Cohort) -> Cohort:
    """The samples of some cohorts, the columns that all have."""
    frames = [cohort.sheet.frame[["label", "subject", "batch"]] for cohort in cohorts]
    sheet = SampleSheet(pd.concat(frames), "label", "subject", "batch")
    values = np.concatenate([cohort.cargo.values for cohort in cohorts])
    table = dataclasses.replace(cohorts[0].cargo, values=values, sample_ids=sheet.sample_ids)
    return Cohort.from_layers({"mirna": table}, sheet)


@pytest.mark.parametrize(
    ("seen", "ways"),
    [
        (TRAINED_ON, {"sample id", "subject", "near-duplicate cargo"}),
        (SAME_NAMES, {"sample id", "subject"}),
        (renamed(TRAINED_ON, "x-"), {"near-duplicate cargo"}),
    ],
    ids=["as they were", "by their names", "by their cargo"],
)
def test_samples_that_were_trained_on_are_left_out_of_every_figure(seen: Cohort, ways: set[str]) -> None:
    found = evaluate(judged_bundle(), together(ELSEWHERE, seen))
    assert found.trained_on is not None
    assert found.trained_on["in all"] == seen.n_samples
    assert set(found.trained_on) == {"in all", *ways}
    alone = evaluate(judged_bundle(), together(ELSEWHERE))
    assert alone.trained_on == {}
    assert found.model_copy(update={"trained_on": {}}) == alone


def test_a_cohort_that_was_trained_on_wholly_or_but_for_a_state_judges_nothing() -> None:
    with pytest.raises(DesignError, match=r"pain 1.0.0 was trained on all 60 samples \(60 by sample id, 60 by subject"):
        evaluate(judged_bundle(), TRAINED_ON)
    rest = ELSEWHERE.take(np.flatnonzero(ELSEWHERE.y == "state-0"))
    with pytest.raises(DesignError, match=r"that it was not trained on, 60 were left out \(state-1: 0\)"):
        evaluate(judged_bundle(), together(rest, TRAINED_ON))


def test_what_cannot_be_known_is_said_and_not_promised() -> None:
    bare = dataclasses.replace(judged_bundle(), trained_on=None)
    found = evaluate(bare, ELSEWHERE)
    assert found.trained_on is None
    assert "no record" in seen_before(None, judged_bundle().about)
    page = validation_report(found, None, source="new.csv", about=judged_bundle().about).html
    assert "has no record of its training samples" in page
    assert "The AUC quoted when" not in page
    with pytest.raises(DesignError, match="was trained on all 60 samples"):
        evaluate(bare, TRAINED_ON)
    about = changed(judged_bundle().about, training={"subjects": None})
    assert "without subject ids" in seen_before({}, about)
    assert seen_before({}, judged_bundle().about) == ""


def test_labels_of_another_kind_are_refused() -> None:
    samples = counts(n=40)
    other = cohort_of(dataclasses.replace(samples, states=("state-0", "fine")))
    with pytest.raises(InputError, match="fine is no state of pain, which distinguishes state-0, state-1"):
        check_labels(judged_bundle(), other)
    alone = cohort_of(samples.take(np.flatnonzero((samples.y == 0) | (np.arange(40) < 2))))
    with pytest.raises(DesignError, match=r"needs at least 2 subjects to be judged \(state-1: 1\)"):
        check_labels(judged_bundle(), alone)


def test_every_report_is_a_sound_page_that_begins_with_plain_words() -> None:
    audit = judged_bundle().about.audit
    found = evaluate(judged_bundle(), ELSEWHERE)
    pages = {
        "training": training_report(judged_bundle().about, judged_bundle().panel.molecules).html,
        "audit": audit_report(audit, source="cargo.csv", samples={"a": 3, "b": 4}).html,
        "validation": validation_report(found, audit, source="new.csv", about=judged_bundle().about).html,
    }
    for name, text in pages.items():
        parsed = read(text)
        assert all(target.startswith("#") for target in parsed.targets), name
        assert parsed.tags.count("figure") <= parsed.tags.count("details"), name
        assert text.index('id="verdict"') < text.index("<svg"), name
    assert "nan" not in pages["training"].lower().replace("nanosight", "").split("tripod")[0].split()


def test_one_critical_finding_gives_every_page_of_a_cohort_the_same_verdict_and_colour() -> None:
    findings = judged_bundle().about.to_json()["audit"]["findings"]
    worst = {**findings[0], "check": "depth", "subject": "library size", "severity": "critical"}
    about = changed(judged_bundle().about, audit={"findings": [worst, *findings]})
    audit = about.audit
    assert audit is not None
    leads = [
        lead_of_model(about),
        lead_of_audit(audit, {"a": 3}),
        lead_of_validation(evaluate(judged_bundle(), ELSEWHERE), audit, about, "x", ""),
    ]
    assert {lead.tone for lead in leads} == {"critical"}
    assert len({lead.verdict for lead in leads}) == 1
    assert leads[0].verdict.startswith("This is not evidence of biology: 1 critical finding (depth: library size")


def test_the_verdict_follows_what_was_shown_and_the_figure_lies_in_its_interval() -> None:
    clean = changed(judged_bundle().about, audit={"findings": []})
    about = changed(clean, evaluation={"headline": {"value": 0.6, "low": 0.45, "high": 0.75}})
    assert verdict_of_model(about) == (
        "critical",
        "The model was not shown to distinguish state-0 and state-1 better than guessing.",
    )
    about = changed(clean, evaluation={"headline": {"value": 0.9, "low": 0.8, "high": 0.95}})
    known, unknown = {"calls_from": 0.8, "closed": ""}, {"calls_from": 0.9, "closed": ""}
    about = changed(about, answers={"places": {"trained_on": known, "unknown": unknown}})
    assert verdict_of_model(about)[0] == "good"
    about = changed(about, answers={"places": {"unknown": {"calls_from": None, "closed": "one-batch"}}})
    assert verdict_of_model(about)[0] == "warning"
    name, value, low, high = lead_of_model(about).figure or ("", 0.0, 1.0, 1.0)
    assert 0 <= low <= value <= high <= 1
    assert name.startswith("AUC")


def test_a_saved_report_has_its_figures_tables_and_texts_beside_it(tmp_path: Path) -> None:
    report = training_report(judged_bundle().about, judged_bundle().panel.molecules)
    folder = save(report, tmp_path / "r.html")
    figures = [figure for section in report.sections for figure in section.figures]
    svgs, pngs = sorted(folder.glob("*.svg")), sorted(folder.glob("*.png"))
    assert len(svgs) == len(pngs) == len(figures) > 8
    assert all(path.read_bytes().startswith(b"\x89PNG") for path in pngs)
    assert all("var(" not in path.read_text() for path in svgs)
    assert (
        f"exoclassify {judged_bundle().about.libraries['exoclassify']}"
        in (folder / "methods-and-legends.txt").read_text()
    )
    with pytest.raises(FileError, match="is there already"):
        save(report, tmp_path / "r.html")


def test_a_model_that_was_not_judged_has_a_report_that_says_so() -> None:
    bare = fit(TRAINED_ON, FAST, judge=False)
    text = training_report(bare.about, bare.panel.molecules).html
    read(text)
    assert "Not judged" in text
    assert bare.about.audit is None


def test_checklists_say_what_only_the_authors_can() -> None:
    text = training_report(judged_bundle().about, judged_bundle().panel.molecules).html
    assert text.count("not stated: for the authors") > 10
    assert "3 × " not in text  # FAST judges once
    assert "1 × 3-fold nested cross-validation, grouped by person" in text


def test_report_and_answers_kept_aside_are_saved_with_their_checksums(tmp_path) -> None:
    from exoclassify.errors import ModelError
    from exoclassify.model.bundle import ModelBundle

    whole = dataclasses.replace(judged_bundle(), report="<p>page</p>")
    whole.save(tmp_path / "m")
    again = ModelBundle.load(tmp_path / "m")
    assert again.report == "<p>page</p>"
    assert again.aside is not None
    assert judged_bundle().aside is not None
    assert again.aside.equals(judged_bundle().aside)
    for name in ("report.html", "aside.csv"):
        kept = (tmp_path / "m" / name).read_bytes()
        (tmp_path / "m" / name).write_bytes(kept + b" ")
        with pytest.raises(ModelError, match=f"{name} was changed"):
            ModelBundle.load(tmp_path / "m")
        (tmp_path / "m" / name).write_bytes(kept)


def test_models_made_long_ago_have_a_report_too() -> None:
    for folder in sorted((Path(__file__).parents[1] / "models" / "pain-state-demo").glob("*.*.*/bundle.json")):
        about = About.model_validate(json.loads(folder.read_text()))
        report = training_report(about, ("hsa-miR-21-5p",))
        read(report.html)
        assert report.lead is not None
        assert report.lead.tone in ("good", "warning")
