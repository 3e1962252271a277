"""A cohort: cargo and sheet fit together, and what is left out is said."""

import pickle

import numpy as np
import pandas as pd
import pytest

from exoclassify.data.cargo import CargoTable
from exoclassify.data.cohort import Cohort
from exoclassify.data.samples import SampleSheet
from exoclassify.errors import DesignError, InputError

NAN = np.nan
# The table lists S4 first; S5 is in the sheet and has no cargo; S6 has cargo and no label.
CARGO = "id,hsa-miR-21-5p,hsa-let-7a-5p\nS4,40,4\nS1,10,1\nS2,20,2\nS3,30,3\nS6,60,6\n"
SHEET = """sample_id,subject,batch,label
S1,P1,B1,pain
S2,P1,B2,pain
S3,P2,B1,control
S4,P3,B2,control
S5,P4,B1,control
S6,P5,B1,
"""


@pytest.fixture
def paths(tmp_path):
    (tmp_path / "cargo.csv").write_text(CARGO)
    (tmp_path / "samples.csv").write_text(SHEET)
    return tmp_path / "cargo.csv", tmp_path / "samples.csv"


def read(paths, **more) -> Cohort:
    more = {"kind": "mirna", "unit": "counts", "label": "label", **more}
    return Cohort.read(paths[0], samples=paths[1], **more)


def sheet(labels, ids=None, **columns) -> SampleSheet:
    ids = ids or [f"S{i + 1}" for i in range(len(labels))]
    frame = pd.DataFrame({"label": labels, **columns}, index=ids)
    named = {f"{column}_column": column for column in columns}
    return SampleSheet(frame, label_column="label", source="samples.csv", **named)


def table(ids, values=None, **more) -> CargoTable:
    values = np.arange(1.0, len(ids) + 1)[:, None] if values is None else values
    names = tuple(f"m{j}" for j in range(np.shape(values)[1]))
    return CargoTable(values, tuple(ids), names, "other", "counts", **{"source": "cargo.csv", **more})


def cohort(labels, values=None, **columns) -> Cohort:
    made = sheet(labels, **columns)
    return Cohort.from_layers({"a": table(made.sample_ids, values)}, made)


def test_rows_follow_the_sheet_and_not_the_table(paths):
    read_in = read(paths, subject="subject", batch="batch")
    assert read_in.sheet.sample_ids == read_in.cargo.sample_ids == ("S1", "S2", "S3", "S4")
    np.testing.assert_array_equal(read_in.X, [[10, 1], [20, 2], [30, 3], [40, 4]])
    assert read_in.y.tolist() == ["pain", "pain", "control", "control"]
    assert read_in.groups.tolist() == ["P1", "P1", "P2", "P3"]
    assert read_in.batches.tolist() == ["B1", "B2", "B1", "B2"]
    assert read_in.states == ("control", "pain")
    assert (read_in.n_samples, read_in.has_subjects, read_in.simulated) == (4, True, False)
    assert list(read_in.layers) == ["mirna"]


def test_what_is_left_out_is_said(paths):
    assert read(paths).notes == (
        "left out for no cargo: 1 of 6 samples (S5)",
        "left out for no label: 1 of 6 samples (S6)",
    )


def test_a_transposed_table_gives_the_same_cohort(paths):
    before = read(paths)
    pd.read_csv(paths[0], index_col=0).T.to_csv(paths[0])
    assert read(paths).digest() == before.digest()


def test_without_a_subject_column_every_sample_is_its_own_group(paths):
    read_in = read(paths)
    assert read_in.groups.tolist() == ["S1", "S2", "S3", "S4"]
    assert not read_in.has_subjects
    assert read_in.batches is None


def test_cargo_of_a_sample_that_the_sheet_lacks_is_refused(paths):
    paths[1].write_text("sample_id,label\nS1,pain\nS2,control\n")
    message = r"cargo.csv: of its 5 samples 3 cannot be found in samples.csv \(S4, S3, S6\); add them to the sheet"
    with pytest.raises(InputError, match=message):
        read(paths)


def test_a_sheet_of_other_samples_is_refused(paths):
    paths[1].write_text("sample_id,label\nX1,pain\nX2,control\n")
    with pytest.raises(InputError, match=r"none of the 2 sample ids \(X1, X2\) looked for is in its first"):
        read(paths)


def test_a_label_column_without_any_label_is_refused(paths):
    paths[1].write_text(SHEET.replace("pain", "").replace("control", ""))
    with pytest.raises(InputError, match=r"no sample has both .* column label \(5 have cargo, 0 a label\)"):
        read(paths)


def test_a_cohort_needs_a_layer_and_a_label_column():
    with pytest.raises(DesignError, match="the cohort has no layer"):
        Cohort.from_layers({}, sheet(["x", "y"]))
    with pytest.raises(DesignError, match="no label column is named"):
        Cohort.from_layers({"a": table(["S1"])}, SampleSheet(pd.DataFrame(index=["S1"])))
    with pytest.raises(InputError, match=r"1 sample lacks a label \(S2\)"):
        Cohort({"a": table(["S1", "S2"])}, sheet(["x", None]))


def test_a_sample_that_a_layer_lacks_is_a_row_of_nan():
    layers = {"mirna": table(["S3", "S1", "S2"]), "protein": table(["S4", "S2"])}
    held = Cohort.from_layers(layers, sheet(["x", "y", "x", "y", "y"]))
    assert held.sheet.sample_ids == ("S1", "S2", "S3", "S4")
    assert held.notes == (
        "left out for no cargo: 1 of 5 samples (S5)",
        "layer mirna lacks 1 of 4 samples",
        "layer protein lacks 2 of 4 samples",
    )
    np.testing.assert_array_equal(held.layer("mirna").values, [[2], [3], [1], [NAN]])
    np.testing.assert_array_equal(held.layer("protein").values, [[NAN], [2], [NAN], [1]])
    with pytest.raises(DesignError, match=r"has 2 layers \(mirna, protein\), and this needs one"):
        _ = held.X
    with pytest.raises(DesignError, match="has no layer ct; it has mirna, protein"):
        held.layer("ct")


def test_taken_rows_go_through_every_layer():
    layers = {"mirna": table(["S3", "S1", "S2"]), "protein": table(["S4", "S2"])}
    held = Cohort.from_layers(layers, sheet(["x", "y", "x", "y"]))
    taken = held.take([3, 0])
    assert taken.sheet.sample_ids == ("S4", "S1")
    assert taken.y.tolist() == ["y", "x"]
    np.testing.assert_array_equal(taken.layer("mirna").values, [[NAN], [2]])
    np.testing.assert_array_equal(taken.layer("protein").values, [[1], [NAN]])
    assert taken.notes == held.notes
    assert held.take(held.y == "y").n_samples == 2
    with pytest.raises(InputError, match="comes more than once"):
        held.take([0, 0])


def test_the_digest_follows_values_labels_subjects_and_batches(paths):
    plain = read(paths)
    again = read(paths)
    others = [read(paths, subject="subject"), read(paths, batch="batch"), plain.take([0, 1, 3, 2])]
    paths[1].write_text(SHEET.replace("S1,P1,B1,pain", "S1,P1,B1,control"))
    others.append(read(paths))
    paths[0].write_text(CARGO.replace("10", "11"))
    others.append(read(paths))
    assert plain.digest() == again.digest()
    assert len({plain.digest(), *(other.digest() for other in others)}) == 6


def test_the_order_of_the_table_leaves_the_digest_as_it_was(paths):
    before = read(paths).digest()
    head, *rows = CARGO.splitlines()
    paths[0].write_text("\n".join([head, *reversed(rows)]) + "\n")
    assert read(paths).digest() == before


def test_a_cohort_is_simulated_only_when_every_sample_bears_the_mark():
    marked = ["SIM-0001", "SIM-0002"]
    assert Cohort.from_layers({"a": table(marked)}, sheet(["x", "y"], marked)).simulated
    mixed = ["SIM-0001", "S2"]
    assert not Cohort.from_layers({"a": table(mixed)}, sheet(["x", "y"], mixed)).simulated


def test_a_cohort_goes_to_other_processes_and_back(paths):
    held = read(paths)
    assert pickle.loads(pickle.dumps(held)).digest() == held.digest()


def test_two_states_of_two_samples_each_are_enough_to_be_looked_at():
    cohort(["x", "x", "y", "y"]).check_for_learning()


def test_one_state_is_refused():
    with pytest.raises(DesignError, match=r"samples.csv, column label: all 3 samples are pain; at least two"):
        cohort(["pain"] * 3).check_for_learning()


def test_labels_taken_for_missing_are_named_where_one_state_is_left(paths):
    paths[1].write_text(SHEET.replace("control", "None"))
    with pytest.raises(DesignError, match=r"all 2 samples are pain; .*left out for no label: 3 of 6 samples"):
        read(paths).check_for_learning()


def test_a_state_of_one_subject_is_refused():
    with pytest.raises(DesignError, match=r"1 state has fewer than 2 samples \(y: 1\)"):
        cohort(["x", "x", "y"]).check_for_learning()
    with pytest.raises(DesignError, match=r"1 state has fewer than 2 subjects \(y: 1\)"):
        cohort(["x", "x", "y", "y"], subject=["P1", "P2", "P3", "P3"]).check_for_learning()


def test_a_label_column_that_differs_for_every_sample_is_refused():
    with pytest.raises(DesignError, match=r"5 states have fewer than 2 samples \(a: 1, b: 1, c: 1, …\)"):
        cohort(["a", "b", "c", "d", "e"]).check_for_learning()


def test_a_sample_without_values_is_refused_for_learning_alone():
    held = cohort(["x", "x", "y", "y"], [[1, 2], [NAN, NAN], [3, 4], [5, NAN]])
    with pytest.raises(InputError, match=r"1 sample has no measured value \(S2\)"):
        held.check_for_learning()


@pytest.mark.parametrize(
    ("batches", "noted"),
    [
        (["A", "A", "B", "B"], True),
        (["A", "B", "C", "C"], True),
        (["A", "B", "A", "B"], False),
        (["A", "B", "B", "B"], False),
        (["A"] * 4, False),
    ],
)
def test_batches_that_hold_one_state_each_are_noted_and_not_refused(batches, noted):
    held = cohort(["x", "x", "y", "y"], batch=batches)
    assert any("every batch holds one state only" in note for note in held.notes) == noted
    held.check_for_learning()
