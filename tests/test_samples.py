"""A sample sheet: every sample once, and every named column there and filled."""

import numpy as np
import pandas as pd
import pytest

from exoclassify.data.samples import SampleSheet
from exoclassify.errors import FileError, InputError

SHEET = "sample_id,subject,batch,label\nS1,P1,B1,pain\nS2,P1,B2,\nS3,P2,B1,control\n"
COLUMNS = {"label": "label", "subject": "subject", "batch": "batch"}


def written(tmp_path, text=SHEET, name="samples.csv"):
    path = tmp_path / name
    path.write_text(text)
    return path


def test_a_sheet_is_read_as_text_in_its_order(tmp_path):
    sheet = SampleSheet.read(written(tmp_path), **COLUMNS)
    assert sheet.sample_ids == ("S1", "S2", "S3")
    assert sheet.label.tolist() == ["pain", None, "control"]
    assert sheet.subject.tolist() == ["P1", "P1", "P2"]
    assert sheet.batch.tolist() == ["B1", "B2", "B1"]
    assert (sheet.source, sheet.n_samples) == ("samples.csv", 3)


def test_ids_and_labels_that_look_like_numbers_stay_texts(tmp_path):
    sheet = SampleSheet.read(written(tmp_path, "sample_id,grade\n001,1\n010,2\n"), label="grade")
    assert sheet.sample_ids == ("001", "010")
    assert sheet.label.tolist() == ["1", "2"]


def test_columns_that_are_not_named_are_kept_and_unused(tmp_path):
    sheet = SampleSheet.read(written(tmp_path))
    assert sheet.label.tolist() == [None, None, None]
    assert sheet.subject is None
    assert sheet.batch is None
    assert list(sheet.frame.columns) == ["subject", "batch", "label"]


def test_without_a_column_sample_id_the_first_column_holds_the_ids(tmp_path):
    assert SampleSheet.read(written(tmp_path, "run,label\nA,x\nB,y\n")).sample_ids == ("A", "B")
    path = written(tmp_path, "label,run\nx,A\ny,B\n")
    assert SampleSheet.read(path, sample_id="run").sample_ids == ("A", "B")
    assert SampleSheet.read(written(tmp_path, "label,sample_id\nx,A\n")).sample_ids == ("A",)


def test_row_names_without_a_header_are_the_ids(tmp_path):
    sheet = SampleSheet.read(written(tmp_path, '"","label"\n"S1","x"\n"S2","y"\n'), label="label")
    assert sheet.sample_ids == ("S1", "S2")


def test_blanks_around_texts_are_removed(tmp_path):
    sheet = SampleSheet.read(written(tmp_path, "sample_id , label \n S1 , pain \nS2,  \n"), label="label")
    assert sheet.sample_ids == ("S1", "S2")
    assert sheet.label.tolist() == ["pain", None]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (
            "sample_id,label\nS1,x\nS1,y\n",
            r"samples.csv: 1 sample id comes more than once \(S1\); give each sample one",
        ),
        ("sample_id,label\nS1,x\n,y\n", r"1 sample id is blank \(number 2 of 2\)"),
        ("sample_id,state\nS1,x\n", "there is no label column label; its columns are state"),
        ("sample_id,Labels\nS1,x\n", r"its columns are Labels; did you mean Labels\?"),
        ("sample_id,label,label\nS1,x,y\n", "label"),
        ("sample_id,label\n", "samples.csv"),
        ("", "samples.csv"),
    ],
)
def test_a_sheet_that_cannot_be_used_is_refused(tmp_path, text, message):
    with pytest.raises((FileError, InputError), match=message):
        SampleSheet.read(written(tmp_path, text), label="label")


@pytest.mark.parametrize("purpose", ["subject", "batch"])
def test_a_sample_without_subject_or_batch_is_named(tmp_path, purpose):
    path = written(tmp_path, f"sample_id,{purpose}\nS1,a\nS2,\nS3,NA\nS4, \nS5,\n")
    message = rf"4 samples lack a {purpose} in column {purpose} \(S2, S3, S4, …\); every sample needs one"
    with pytest.raises(InputError, match=message):
        SampleSheet.read(path, **{purpose: purpose})


def test_one_column_cannot_serve_two_purposes(tmp_path):
    with pytest.raises(InputError, match="label, batch are the columns label, label; each needs its own"):
        SampleSheet.read(written(tmp_path), label="label", batch="label")


def test_a_sample_id_column_that_is_not_there_is_named(tmp_path):
    with pytest.raises(InputError, match=r"there is no sample id column subjekt; .* did you mean subject"):
        SampleSheet.read(written(tmp_path), sample_id="subjekt")


def test_the_ids_may_be_the_subjects(tmp_path):
    sheet = SampleSheet.read(written(tmp_path), subject="sample_id")
    assert sheet.subject.tolist() == ["S1", "S2", "S3"]


def test_a_frame_becomes_text_and_stays_as_it_was():
    frame = pd.DataFrame(
        {"grade": [1, 2, 3], "who": pd.Categorical(["a", None, "b"]), "ok": [True, False, None]}, index=[1, 2, 3]
    )
    before = frame.copy()
    sheet = SampleSheet(frame, label_column="who")
    assert sheet.sample_ids == ("1", "2", "3")
    assert sheet.frame["grade"].tolist() == ["1", "2", "3"]
    assert sheet.label.tolist() == ["a", None, "b"]
    assert sheet.frame["ok"].isna().tolist() == [False, False, True]
    pd.testing.assert_frame_equal(frame, before)


def test_a_sheet_of_ids_alone_is_a_sheet():
    assert SampleSheet(pd.DataFrame(index=["a", "b"])).sample_ids == ("a", "b")


def test_taken_rows_follow_the_positions(tmp_path):
    sheet = SampleSheet.read(written(tmp_path), **COLUMNS)
    assert sheet.take([2, 0]).sample_ids == ("S3", "S1")
    assert sheet.take(np.array([False, True, False])).label.tolist() == [None]
    assert sheet.take([2]).source == "samples.csv"
    with pytest.raises(InputError, match=r"1 sample id comes more than once \(S1\)"):
        sheet.take([0, 0])
