"""Every kind of trap is found, and cohorts with nothing wrong are left in peace; figures: tests/benchmarks/audit_traps.py."""

import numpy as np
import pytest

from exoclassify.auditing.audit import audit
from exoclassify.auditing.batches import audit_answers
from exoclassify.auditing.findings import SEVERITIES
from exoclassify.auditing.following import following
from exoclassify.auditing.judged import Judged
from exoclassify.auditing.labels import audit_labels, contradiction
from exoclassify.data.cohort import Cohort
from exoclassify.judging.evaluate import judge
from exoclassify.learning.recipe import Recipe
from exoclassify.learning.samples import Samples
from traps import TRAPS, clean, found_by, latent, swapped, two_sites, with_columns, with_table
from traps_invented import INVENTED

pytestmark = pytest.mark.slow


KINDS = {**TRAPS, **INVENTED}


@pytest.mark.parametrize("kind", KINDS)
def test_every_kind_of_trap_is_found_where_it_is_strong(kind: str) -> None:
    found = audit(KINDS[kind].make(1, 0.95), curve=False)
    named = found_by(KINDS[kind], found)
    assert named, [(f.severity, f.check, f.subject) for f in found.findings]
    for finding in named:
        assert SEVERITIES.index(finding.severity) <= SEVERITIES.index(KINDS[kind].severity)
        assert finding.mend
    assert found.count("critical") == 0 or "not evidence of biology" in found.verdict


@pytest.mark.parametrize("effect", [0.0, 1.0])
def test_a_clean_cohort_is_left_in_peace(effect: float) -> None:
    for seed in (1, 2, 3):
        found = audit(clean(seed, effect=effect), curve=False)
        assert found.count("critical") == 0, found.verdict
        assert found.count("warning") <= 1, found.verdict


def test_real_biology_at_two_sites_with_other_shares_of_cases_is_not_condemned() -> None:
    found = audit(two_sites(1), curve=False)
    assert found.count("critical") == 0, found.verdict
    together = next(f for f in found.findings if f.subject == "label against batch")
    assert "within batches" in together.message


def test_swapped_labels_are_ranked_first_and_hinted_at() -> None:
    cohort, rows = swapped(1, 6)
    model = Judged.reference(Samples.of(cohort))
    order = np.argsort(-contradiction(model))
    assert len(set(order[:18]) & set(rows)) >= 4
    (hint,) = audit_labels(cohort, model)
    assert hint.severity == "info"
    assert "looks like" in hint.message


def test_markers_that_follow_a_critical_confounder_within_a_state_are_marked_and_others_are_not() -> None:
    cohort, rng = clean(3, 120, effect=1.0), np.random.default_rng(3)
    order = np.argsort(np.argsort(latent(cohort, 0.85, rng))).astype(np.float64)
    values = cohort.cargo.values.copy()
    by_abundance = np.argsort(-np.median(values, axis=0))
    drifting, rest = by_abundance[60:100], by_abundance[:60]  # the drifting ones fill little of a library
    values[:, drifting] = np.round(values[:, drifting] * np.exp2((order - 60) / 40)[:, None])
    table = with_columns(with_table(cohort, values), run_order=order.astype(int) + 1)
    found = audit(table, curve=False)
    assert "run-order" in {f.check for f in found.findings if f.severity == "critical"}
    names = table.cargo.molecules
    marked = following(found, table, names)
    assert np.mean(["run_order" in marked.get(names[j], "") for j in drifting]) > 0.8
    assert np.mean([names[j] in marked for j in rest]) < 0.3
    assert following(audit(clean(3), curve=False), clean(3), names) == {}


def test_a_batch_whose_answers_lie_far_from_its_mix_is_named_with_both_shares() -> None:
    cohort = clean(4, 120, effect=1.5)
    values = cohort.cargo.values.copy()
    second = cohort.batches == "B2"
    up = [j for j in range(values.shape[1]) if _goes_with_pain(cohort, j)]
    values[np.ix_(second, up)] = np.round(values[np.ix_(second, up)] * 16)  # B2 looks ill, whoever it holds
    moved = with_table(cohort, values)
    finding = audit_answers(moved, Judged.of(judge(Samples.of(moved), moved.sheet.sample_ids, Recipe(), n_jobs=1)))[0]
    assert finding.check == "batch-answers"
    assert finding.subject in ("B1", "B2")
    assert "left out in turn" in finding.message
    assert "prediction sets hold the truth least often" in finding.message
    assert audit_answers(moved, Judged.reference(Samples.of(moved))) == []


def _goes_with_pain(cohort: Cohort, j: int) -> bool:
    logs = np.log2(cohort.cargo.values[:, j] + 1)
    pain = cohort.y == "pain"
    return bool(logs[pain].mean() - logs[~pain].mean() > 0.3)
