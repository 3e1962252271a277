"""Every kind of trap is found, and cohorts with nothing wrong are left in peace; figures: tests/benchmarks/audit_traps.py."""

import numpy as np
import pytest

from exoclassify.auditing.audit import audit
from exoclassify.auditing.findings import SEVERITIES
from exoclassify.auditing.judged import Judged
from exoclassify.auditing.labels import audit_labels, contradiction
from exoclassify.learning.learn import Samples
from traps import TRAPS, clean, found_by, swapped, two_sites


@pytest.mark.parametrize("kind", TRAPS)
def test_every_kind_of_trap_is_found_where_it_is_strong(kind: str) -> None:
    found = audit(TRAPS[kind].make(1, 0.95), curve=False)
    named = found_by(TRAPS[kind], found)
    assert named, [(f.severity, f.check, f.subject) for f in found.findings]
    for finding in named:
        assert SEVERITIES.index(finding.severity) <= SEVERITIES.index(TRAPS[kind].severity)
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
