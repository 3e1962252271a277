import dataclasses
import json

import numpy as np
import pandas as pd
import pytest

from cohorts import cohort_of, counts
from exoclassify.auditing.association import association
from exoclassify.auditing.audit import audit
from exoclassify.auditing.batches import audit_batches, audit_covariates
from exoclassify.auditing.contamination import audit_haemolysis, contamination_baselines, haemolysis_index
from exoclassify.auditing.contamination_panels import PANELS
from exoclassify.auditing.detection import audit_missingness
from exoclassify.auditing.duplicates import alike, audit_alike
from exoclassify.auditing.findings import SEVERITIES, Audit, Finding
from exoclassify.auditing.judged import Judged
from exoclassify.auditing.libraries import audit_libraries, audit_outliers
from exoclassify.auditing.metadata import audit_metadata
from exoclassify.auditing.order import orderings, runs_of
from exoclassify.auditing.people import audit_subjects
from exoclassify.auditing.size import audit_size
from exoclassify.auditing.technical import audit_technical, better
from exoclassify.data.cargo import CargoTable
from exoclassify.data.cohort import Cohort
from exoclassify.data.names import canonical_names
from exoclassify.data.samples import SampleSheet
from exoclassify.errors import DesignError, InputError
from exoclassify.judging.metrics import auc
from exoclassify.learning.samples import Samples
from golden_numbers import answers, r_figures


def of(findings, check: str, subject: str = "") -> Finding:
    """The one finding of a check whose subject begins so."""
    found = [f for f in findings if f.check == check and f.subject.startswith(subject)]
    assert len(found) == 1, [(f.check, f.subject) for f in findings]
    return found[0]


@pytest.fixture(scope="module")
def clean() -> Audit:
    """60 people in two batches, a clear signal, nothing wrong with them."""
    samples = counts(n=60, n_batches=2)
    sex = np.random.default_rng(5).permutation(["female", "male"] * 30)
    return audit(cohort_of(samples, batch=True, sex=sex))


@pytest.fixture(scope="module")
def deep() -> Audit:
    """No signal, but one state was sequenced four times as deep, in blocks of the run."""
    rng = np.random.default_rng(0)
    samples = counts(n=40, p=40, effect=0.0)
    X = rng.poisson(samples.X * np.where(samples.y == 1, 4.0, 1.0)[:, None]).astype(float)
    order = np.argsort(np.argsort(samples.y, kind="stable"))
    samples = dataclasses.replace(samples, X=X)
    return audit(cohort_of(samples, subject=False, run_order=order))


@pytest.mark.slow
def test_a_sound_cohort_has_nothing_critical(clean: Audit) -> None:
    assert clean.count("critical") == 0
    assert "not evidence" not in clean.verdict
    assert clean.drawn["beats_best_baseline"] is True


@pytest.mark.slow
def test_findings_are_plain_values_sorted_by_severity(clean: Audit, deep: Audit) -> None:
    for found in (clean, deep):
        plain = json.loads(json.dumps(found.to_dict(), allow_nan=False))["findings"]
        ranks = [SEVERITIES.index(finding["severity"]) for finding in plain]
        assert ranks == sorted(ranks)
        assert set(plain[0]) == {"check", "subject", "figure", "value", "severity", "message", "mend"}
        for finding in plain:
            assert finding["severity"] == "info" or finding["mend"], finding


def test_depth_that_goes_with_the_state_is_critical_and_refuses_the_claim(deep: Audit) -> None:
    found = of(deep.findings, "technical-baseline", "library size")
    assert found.severity == "critical"
    assert found.value is not None
    assert found.value > 0.9
    assert "not evidence of biology" in deep.verdict


def test_few_samples_whose_depth_differs_are_found_though_the_interval_over_folds_is_wide() -> None:
    # 25 samples, one state half as deep again: too few for an interval over folds to leave one half for sure.
    rng = np.random.default_rng(1)
    samples = counts(n=25, p=40, effect=0.0, seed=3)
    depth = np.where(samples.y == 1, 1.7, 1.0) * rng.lognormal(0, 0.25, 25)
    X = rng.poisson(samples.X / samples.X.sum(axis=1, keepdims=True) * 50_000 * depth[:, None]).astype(float)
    found = technical(cohort_of(dataclasses.replace(samples, X=X)))
    size = of(found.findings, "technical-baseline", "library size")
    assert size.severity == "critical"


def test_blocks_of_labels_along_the_run_are_critical(deep: Audit) -> None:
    run = of(deep.findings, "run-order", "run order")
    assert run.severity == "critical"
    assert "labels form 2 runs along it" in run.message


def test_persons_and_batches_that_are_not_named_are_warned_of(deep: Audit) -> None:
    assert of(deep.findings, "missing-subjects").severity == "warning"
    assert of(deep.findings, "batch-confounded").severity == "warning"


@pytest.mark.slow
def test_the_audit_does_not_depend_on_the_number_of_processes() -> None:
    cohort = cohort_of(counts(n=20, p=10))
    assert audit(cohort, n_jobs=2).to_dict() == audit(cohort, n_jobs=1).to_dict()


def technical(cohort: Cohort):
    """The technical baselines beside a plain ridge regression."""
    return audit_technical(cohort, Judged.reference(Samples.of(cohort)))


@pytest.mark.slow
def test_noise_seldom_calls_a_baseline_critical() -> None:
    critical = 0
    for seed in range(8):
        samples = counts(n=40, p=20, effect=0.0, seed=seed)
        dealt = np.random.default_rng(seed).permutation(samples.y)
        found = technical(cohort_of(dataclasses.replace(samples, y=dealt)))
        critical += sum(finding.severity == "critical" for finding in found.findings)
    assert critical <= 2


def test_the_paired_test_is_that_of_proc_but_for_the_correction_of_small_samples() -> None:
    frame, r = answers(), r_figures()
    positive = frame["y"].to_numpy() == 1
    first, second = (auc(frame[name].to_numpy(), positive) for name in ("first", "second"))
    assert better(first, second, np.arange(80)) == pytest.approx(r["paired_p"] / 2, rel=0.05)


def test_a_column_that_says_the_same_as_the_label_is_critical_named_or_not_unless_it_describes_the_disease() -> None:
    samples = counts(n=40, p=30)
    level = np.where(samples.y == 1, np.where(np.arange(40) % 3 == 0, "early", "late"), "none")
    found = technical(cohort_of(samples, kit=level, stage=level))
    assert of(found.findings, "technical-baseline", "column kit").severity == "critical"
    assert of(found.findings, "technical-baseline", "column stage").severity == "info"
    assert found.best != "column kit"
    declared = audit_covariates(cohort_of(samples, kit=level), ["kit"])
    assert of(declared, "covariate-confounded").severity == "critical"


def test_a_batch_that_is_the_label_refuses_the_claim_and_not_the_run() -> None:
    samples = counts(n=40, p=30)
    cohort = cohort_of(dataclasses.replace(samples, batches=samples.y), batch=True)
    confounded = of(audit_batches(cohort, None), "batch-confounded", "label against batch")
    assert confounded.severity == "critical"
    assert "same thing" in confounded.message


def test_a_batch_that_shifts_the_cargo_is_read_from_it() -> None:
    samples = counts(n=60, p=60, n_batches=2)
    read = of(audit_batches(cohort_of(samples, batch=True), None), "batch-confounded", "batch read")
    assert read.severity == "info"  # as in any cohort of two batches: it matters where state and batch go together
    assert read.value is not None
    assert read.value > 0.9
    unnamed = audit_batches(cohort_of(samples, plate=[f"B{b}" for b in samples.batches]), None)
    assert "--batch plate" in of(unnamed, "batch-confounded", "column plate").mend


def test_batches_of_one_state_are_named() -> None:
    samples = counts(n=60, p=30)
    batch = np.where(np.arange(60) < 40, np.arange(60) // 2 % 2, 2 + samples.y)
    cohort = cohort_of(dataclasses.replace(samples, batches=batch), batch=True)
    found = of(audit_batches(cohort, None), "batch-confounded", "batch of one state")
    assert found.value == 20
    assert "B2 (state-0), B3 (state-1)" in found.message


def test_sex_that_goes_with_the_state_is_a_warning_and_age_apart_is_not() -> None:
    samples = counts(n=60, p=30)
    rng = np.random.default_rng(0)
    sex = np.where(rng.random(60) < np.where(samples.y == 1, 0.9, 0.2), "female", "male")
    found = audit_covariates(cohort_of(samples, sex=sex, age=rng.integers(20, 80, 60)), ["sex", "age"])
    assert of(found, "covariate-confounded", "label against sex").severity == "warning"
    assert of(found, "covariate-confounded", "label against age").severity == "info"


@pytest.mark.parametrize(
    ("values", "strength", "same"),
    [
        (np.array(["a", "a", "b", "b"] * 5), 1.0, True),
        (np.array(["a", "b", "a", "b"] * 5), 0.0, False),
        (np.r_[np.tile([1.0, 2.0, 9.0, 8.0], 5)], 0.8, False),
    ],
)
def test_association_is_worked_by_hand(values: np.ndarray, strength: float, same: bool) -> None:
    y = np.array([0, 0, 1, 1] * 5)
    found = association(values, y)
    assert found[0] == pytest.approx(strength, abs=0.05)
    assert found[2] is same
    assert (found[1] < 0.01) is (strength > 0.5)


def test_the_same_library_under_two_names_is_critical_within_a_file_and_across() -> None:
    samples = counts(n=30, p=200)
    X = samples.X * 20
    X[7] = np.random.default_rng(0).poisson(X[3])
    cohort = cohort_of(dataclasses.replace(samples, X=X))
    found = of(audit_alike(cohort), "near-duplicates")
    assert found.severity == "critical"
    assert found.value == 1
    assert "S003 and S007" in found.message
    other = CargoTable(X[[3]], ("elsewhere",), cohort.cargo.molecules, "mirna", "counts", "other.csv")
    across = audit_alike(cohort, other)[1]
    assert across.severity == "critical"
    assert "other.csv" in across.message
    sound = cohort_of(samples)
    assert of(audit_alike(sound), "near-duplicates").value == 0


def test_repeats_of_persons_without_subject_ids_are_suspected() -> None:
    people = counts(n=20, p=300, effect=0.5)
    rng = np.random.default_rng(2)
    X = rng.poisson(np.repeat(people.X, 2, axis=0) * rng.lognormal(0, 0.25, (40, 300))).astype(float)
    twice = dataclasses.replace(people, X=X, y=np.repeat(people.y, 2), groups=np.repeat(np.arange(20), 2))
    found = of(audit_subjects(cohort_of(twice, subject=False)), "missing-subjects")
    assert found.severity == "warning"  # likeness is a suspicion, never proof
    assert found.value is not None
    assert found.value >= 10
    assert "are expected to be right" in found.message
    assert of(audit_subjects(cohort_of(twice)), "missing-subjects").severity == "info"
    assert of(audit_subjects(cohort_of(people, subject=False)), "missing-subjects").value == 0


def test_alike_does_not_depend_on_depth() -> None:
    samples = counts(n=10, p=100)
    table = cohort_of(samples).cargo
    deeper = dataclasses.replace(table, values=samples.X * np.arange(1, 11)[:, None])
    np.testing.assert_allclose(alike(table)[0], alike(deeper)[0])


def test_a_failed_library_stands_out() -> None:
    samples = counts(n=30, p=100)
    X = samples.X.copy()
    X[4] = np.random.default_rng(0).permutation(X[4]) // 50
    found = audit_outliers(cohort_of(dataclasses.replace(samples, X=X)))
    assert all("S004" in finding.message and finding.severity == "warning" for finding in found)
    assert all(finding.value == 0 for finding in audit_outliers(cohort_of(samples)))


def test_failed_libraries_are_counted_even_where_they_are_many() -> None:
    samples = counts(n=60, p=400)
    X = samples.X * 10
    X[:20] = X[:20] // 300
    found = of(audit_libraries(cohort_of(dataclasses.replace(samples, X=X))), "failed-libraries")
    assert found.value == 20
    assert found.severity == "warning"
    assert of(audit_libraries(cohort_of(samples)), "failed-libraries").value == 0


def proteins(y: np.ndarray, informative: float) -> Cohort:
    """60 proteins; of the second state more values are missing in the first 20."""
    rng = np.random.default_rng(0)
    X = rng.lognormal(8, 1, (len(y), 60))
    X[rng.random(X.shape) < 0.25] = np.nan
    hidden = rng.random((len(y), 20)) < informative
    X[:, :20] = np.where(hidden & (y == 1)[:, None], np.nan, X[:, :20])
    ids = tuple(f"S{i}" for i in range(len(y)))
    frame = pd.DataFrame({"label": np.where(y == 1, "ill", "well")}, index=list(ids))
    table = CargoTable(X, ids, tuple(f"P{i:05d}" for i in range(60)), "protein", "intensity")
    return Cohort.from_layers({"protein": table}, SampleSheet(frame, "label"))


def test_missingness_that_goes_with_the_state_is_found_and_random_one_is_not() -> None:
    y = np.arange(40) % 2
    informative, random = proteins(y, 0.6), proteins(y, 0.0)
    assert [finding.severity for finding in audit_missingness(informative)] == ["warning"]
    assert [finding.severity for finding in audit_missingness(random)] == ["info"]
    masks = [
        of(audit(one, curve=False).findings, "technical-baseline", "which values") for one in (informative, random)
    ]
    assert [mask.severity for mask in masks] == ["critical", "info"]
    assert audit_missingness(cohort_of(counts(n=20))) == []


def test_orders_are_read_from_dates_wells_and_ids_and_runs_are_counted() -> None:
    samples = counts(n=40)
    days = pd.date_range("2021-03-01", periods=40).strftime("%d.%m.%Y")
    wells = [f"{'ABCDE'[i % 5]}{i // 5 + 1:02d}" for i in range(40)]
    cohort = cohort_of(samples, subject=False, drawn=days, well=wells, weight=np.linspace(50.3, 90.1, 40))
    found = {one.name: one.values for one in orderings(cohort)}
    # The rows of the sheet, of the table and the numbers inside ids are the order of the days: named once.
    assert set(found) == {"column drawn, as dates", "column well, wells along rows"}
    assert runs_of(found["column drawn, as dates"], cohort)[0] == 40  # labels alternate
    assert runs_of(samples.y.astype(float), cohort)[0] == 2


def test_persons_named_by_group_and_number_are_no_wells() -> None:
    codes = [f"{'PC'[i % 2]}{i // 2 + 1:02d}" for i in range(40)]
    found = orderings(cohort_of(counts(n=40), subject=False, code=codes))
    assert not [one.name for one in found if "well" in one.name]


def test_mixed_labels_along_the_run_are_no_finding() -> None:
    samples = counts(n=40)
    found = technical(cohort_of(samples, run_order=np.random.default_rng(0).permutation(40)))
    assert of(found.findings, "run-order", "run order").severity == "info"


def blood(index: np.ndarray, unit: str = "counts") -> Cohort:
    """miR-451a and miR-23a-3p among 30 others; `index` is log2 of the first over the second."""
    rng = np.random.default_rng(1)
    names = ["hsa-miR-451a", "hsa-miR-23a-3p"] + [f"hsa-miR-{i}-5p" for i in range(500, 530)]
    X = rng.poisson(500, (len(index), 32)).astype(float)
    X[:, 0], X[:, 1] = np.round(100 * 2.0**index), 100
    if unit == "ct":
        X = 38 - np.log2(X + 1)
    ids = tuple(f"S{i}" for i in range(len(index)))
    frame = pd.DataFrame({"label": ["ill" if i % 2 else "well" for i in range(len(index))]}, index=list(ids))
    return Cohort.from_layers({"mirna": CargoTable(X, ids, tuple(names), "mirna", unit)}, SampleSheet(frame, "label"))


def test_the_haemolysis_index_is_that_of_the_paper_on_both_scales() -> None:
    index = np.arange(8.0)
    np.testing.assert_allclose(haemolysis_index(blood(index, "ct").cargo), index, atol=0.02)
    np.testing.assert_allclose(haemolysis_index(blood(index).cargo), index, atol=0.02)


def test_frequent_haemolysis_is_a_warning_among_those_that_can_be_judged() -> None:
    noise = np.random.default_rng(0).normal(0, 0.5, 40)
    assert of(audit_haemolysis(blood(3 + noise)), "haemolysis").severity == "info"
    cohort = blood(np.where(np.arange(40) < 10, 9.0, 3.0) + noise / 10, "ct")
    values = cohort.cargo.values.copy()
    values[20:, 0] = 40.0  # in half of the samples miR-451a was not found
    table = dataclasses.replace(cohort.cargo, values=values)
    likely = of(audit_haemolysis(dataclasses.replace(cohort, layers={"mirna": table})), "haemolysis")
    assert likely.severity == "warning"
    assert "10 of the 20 samples that can be judged" in likely.message
    absent = cohort_of(counts(n=20))
    assert of(audit_haemolysis(absent), "haemolysis").value is None
    assert contamination_baselines(absent) == []


@pytest.mark.parametrize("panel", PANELS, ids=lambda panel: f"{panel.name}, {panel.kind}")
def test_every_panel_has_a_source_and_molecules_by_their_canonical_names(panel) -> None:
    assert "doi" in panel.source or "EMBO" in panel.source
    for names in panel.molecules:
        assert canonical_names([names[0]], panel.kind, source=panel.name) == (names[0],)


def test_three_against_three_is_said_to_conclude_nothing() -> None:
    found = audit(cohort_of(counts(n=6, p=30), subject=False))
    size = of(found.findings, "sample-size")
    assert size.severity == "critical"
    assert "nothing can be concluded" in size.message


def test_more_samples_are_asked_for_when_there_are_few_and_not_when_there_are_many() -> None:
    few = audit_size(counts(n=20), 0.8, None)
    assert of(few, "sample-size", "precision").severity == "warning"
    assert all(finding.mend for finding in few)
    many = audit_size(counts(n=3000, p=3), 0.8, None)
    assert not any(finding.mend for finding in many)


def test_a_person_in_both_states_counts_once() -> None:
    samples = dataclasses.replace(counts(n=40), groups=np.arange(40) // 2)
    assert "20 subjects carry" in of(audit_size(samples, 0.8, None), "sample-size", "parameters").message


def test_mixtures_need_a_batch_column_that_tells_them_apart() -> None:
    samples = counts(n=20, n_batches=2)
    fluid = np.where(samples.batches == 1, "serum", "plasma")
    assert of(audit_metadata(cohort_of(samples, biofluid=fluid)), "metadata", "mixture").severity == "warning"
    separated = audit_metadata(cohort_of(samples, batch=True, biofluid=fluid))
    assert of(separated, "metadata", "mixture").severity == "info"


def test_cells_that_the_schema_does_not_allow_and_late_blood_are_named() -> None:
    samples = counts(n=20)
    tube = ["EDTA", "sugar"] * 10
    minutes = [600 if i == 0 else 30 for i in range(20)]
    found = audit_metadata(cohort_of(samples, anticoagulant=tube, blood_processing_interval_min=minutes))
    wrong = of(found, "metadata", "column anticoagulant")
    assert wrong.value == 10
    assert "S001: sugar" in wrong.message
    assert "EDTA" in wrong.mend
    assert of(found, "metadata", "time to processing").value == 1


def test_what_cannot_be_audited_is_refused() -> None:
    samples = counts(n=20)
    with pytest.raises(InputError, match="no covariate column weight; its columns are"):
        audit(cohort_of(samples), covariates=["weight"])
    with pytest.raises(DesignError, match="at least two states"):
        audit(cohort_of(dataclasses.replace(samples, y=np.zeros(20, int))))
