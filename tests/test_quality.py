"""Missing values: how many in each state, and whether that alone tells the states apart."""

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from exoclassify.data.cargo import CargoTable
from exoclassify.data.cohort import Cohort
from exoclassify.data.quality import missingness
from exoclassify.data.samples import SampleSheet
from exoclassify.errors import DesignError


def cohort(missing_counts, labels, unit="log2_intensity", mark=np.nan, subjects=None) -> Cohort:
    """Ten molecules; so many of each sample are missing."""
    found = 2e4 if unit in ("intensity", "cpm") else 20.5
    values = np.where(np.arange(10) < np.array(missing_counts)[:, None], mark, found)
    ids = tuple(f"S{i}" for i in range(len(labels)))
    frame = pd.DataFrame({"label": labels, "subject": subjects or list(ids)}, index=ids)
    made = SampleSheet(frame, label_column="label", subject_column="subject")
    names = tuple(f"p{j}" for j in range(10))
    return Cohort.from_layers({"protein": CargoTable(values, ids, names, "protein", unit)}, made)


def test_a_share_that_differs_is_found_and_said():
    found = missingness(cohort([1, 2, 1, 2, 1, 7, 8, 7, 8, 9], ["control"] * 5 + ["pain"] * 5))
    assert found.share == pytest.approx({"control": 0.14, "pain": 0.78})
    # U = 0 of 25; ties 3, 2, 2, 2: variance 25 / 12 * (11 - 42 / 90), so z = (12.5 - 0.5) / 4.6845 = 2.5617.
    assert found.p_value == pytest.approx(0.01042, abs=1e-5)
    assert found.sentence == (
        "Missing values: 14.0 % of control, 78.0 % of pain; "
        "this differs between states (p = 0.01) and may itself separate them."
    )


def test_a_share_that_does_not_differ_is_called_not_found():
    found = missingness(cohort([1, 2, 3, 4, 1, 2, 3, 4], ["a", "a", "a", "a", "b", "b", "b", "b"]))
    assert found.p_value == pytest.approx(1.0, abs=0.1)
    assert "no difference between states was found" in found.sentence


def test_three_states_are_compared_by_kruskal_and_wallis():
    counts = [1, 2, 3, 4, 5, 6, 7, 8, 9]
    found = missingness(cohort(counts, ["a"] * 3 + ["b"] * 3 + ["c"] * 3))
    assert found.p_value == pytest.approx(stats.chi2.sf(7.2, 2))  # ranks 2, 5, 8: H = 12 / 90 * 279 - 30


def test_repeats_of_one_person_count_once():
    counts, labels = [1, 1, 1, 1, 2, 6, 6, 6, 6, 5], ["a"] * 5 + ["b"] * 5
    alone = missingness(cohort(counts, labels))
    twins = missingness(cohort(counts, labels, subjects=["P1"] * 4 + ["P2"] + ["P3"] * 4 + ["P4"]))
    assert twins.share == pytest.approx({"a": 0.15, "b": 0.55})
    assert alone.p_value < 0.02 < 0.3 < twins.p_value


@pytest.mark.parametrize(("unit", "mark"), [("ct", 40.0), ("intensity", 0.0)])
def test_molecules_looked_for_and_not_found_count_as_missing_where_they_are_imputed(unit, mark):
    found = missingness(cohort([2, 3, 4, 5], ["a", "a", "b", "b"], unit, mark))
    assert found.share == pytest.approx({"a": 0.25, "b": 0.45})


def test_zero_counts_per_million_are_not_missing():
    found = missingness(cohort([2, 3, 4, 5], ["a", "a", "b", "b"], "cpm", 0.0))
    assert (found.share, found.p_value) == ({"a": 0.0, "b": 0.0}, None)
    assert found.sentence == "No value is missing."


def test_nothing_is_tested_where_all_shares_are_the_same_or_there_is_one_state():
    same = missingness(cohort([2, 2, 2, 2], ["a", "a", "b", "b"]))
    assert same.p_value is None
    assert same.sentence == "Missing values: 20.0 % of a, 20.0 % of b."
    assert missingness(cohort([2, 3], ["a", "a"])).p_value is None


def test_several_layers_are_refused():
    one = cohort([1, 2], ["a", "b"])
    two = Cohort.from_layers({"x": one.cargo, "y": one.cargo}, one.sheet)
    with pytest.raises(DesignError, match="has 2 layers"):
        missingness(two)
