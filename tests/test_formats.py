"""Tables in files: read the same from every format, written whole or not at all, refused with the reason."""

import datetime
import errno
import gzip
import os
import time
import zipfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
import openpyxl
import pandas as pd
import pyarrow as pa
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from exoclassify.errors import FileError, InputError
from exoclassify.tables import wide as wide_module
from exoclassify.tables.cells import numbers
from exoclassify.tables.reading import SUFFIXES, WideTable, read_sheet, read_wide
from exoclassify.tables.writing import write_atomically, write_folder_atomically

PNG = b"\x89PNG\r\n\x1a\n\x00\x00\x00\rIHDR"

# Three samples, each here for a reason: whole numbers; decimals that a careless parser rounds (of 16 digits, for
# openpyxl writes no more); not measured, under an id that looks like a number.
FRAME = pd.DataFrame(
    {"miR-1": [0.0, 1 / 3, np.nan], "a, b": [7.0, 1e-300, 2.5], "miR-3": [12345678.0, -1.5, np.nan]},
    index=pd.Index(["S1", "S2", "007"], name="sample_id"),
)


def write_xlsx(frame: pd.DataFrame, path: Path) -> None:
    frame.to_excel(path)


def write_stream(frame: pd.DataFrame, path: Path) -> None:
    table = pa.Table.from_pandas(frame)
    with path.open("wb") as file, pa.ipc.new_stream(file, table.schema) as writer:
        writer.write_table(table)


WRITERS: dict[str, Callable[[pd.DataFrame, Path], None]] = {
    "t.csv": lambda frame, path: frame.to_csv(path),
    "t.CSV": lambda frame, path: frame.to_csv(path),
    "t.csv.gz": lambda frame, path: frame.to_csv(path),
    "semicolons.csv": lambda frame, path: frame.to_csv(path, sep=";"),
    "tabs.csv": lambda frame, path: frame.to_csv(path, sep="\t"),
    "windows.csv": lambda frame, path: frame.to_csv(path, lineterminator="\r\n"),
    "old mac.csv": lambda frame, path: frame.to_csv(path, lineterminator="\r"),
    "bom.csv": lambda frame, path: frame.to_csv(path, encoding="utf-8-sig"),
    "t.tsv": lambda frame, path: frame.to_csv(path, sep="\t"),
    "t.tsv.gz": lambda frame, path: frame.to_csv(path, sep="\t"),
    "t.txt": lambda frame, path: frame.to_csv(path, sep="\t"),
    "excel unicode.txt": lambda frame, path: frame.to_csv(path, sep="\t", encoding="utf-16"),
    "commas.txt": lambda frame, path: frame.to_csv(path),
    "write.table.txt": lambda frame, path: path.write_text(
        frame.to_csv(sep="\t").replace("sample_id\t", "", 1), encoding="utf-8"
    ),
    "t.parquet": lambda frame, path: frame.to_parquet(path),
    "no index.parquet": lambda frame, path: frame.reset_index().to_parquet(path, index=False),
    "t.feather": lambda frame, path: frame.reset_index().to_feather(path),
    "t.arrow": lambda frame, path: frame.to_feather(path),
    "t.ipc": write_stream,
    "t.xlsx": write_xlsx,
}


@pytest.fixture(params=WRITERS)
def written(request: pytest.FixtureRequest, tmp_path: Path) -> Path:
    """FRAME in every format."""
    path = tmp_path / request.param
    WRITERS[request.param](FRAME, path)
    return path


def table(tmp_path: Path, content: str | bytes, name: str = "X.csv") -> Path:
    path = tmp_path / name
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return path


def test_every_format_gives_the_same_table_bit_for_bit(written: Path) -> None:
    wide = read_wide(written)
    assert wide.source == written.name
    assert wide.row_ids == ("S1", "S2", "007")
    assert wide.columns == ("miR-1", "a, b", "miR-3")
    assert wide.cells.dtype == np.float64
    np.testing.assert_array_equal(wide.cells, FRAME.to_numpy())
    assert wide.texts == ()


def test_every_format_gives_the_same_sheet(tmp_path: Path) -> None:
    sheet = pd.DataFrame(
        {"subject": [1, 2, 3], "label": ["none", None, "état µ"], "visit": [True, False, True]}, index=FRAME.index
    )
    for name, write in WRITERS.items():
        write(sheet, tmp_path / name)
        read = read_sheet(tmp_path / name)
        columns = ["" if name == "write.table.txt" else "sample_id", *sheet.columns]
        assert list(read.columns) == columns, name
        assert read.to_numpy().tolist() == [
            ["S1", "1", "none", "True"],
            ["S2", "2", None, "False"],
            ["007", "3", "état µ", "True"],
        ], name
        assert all(kind == "object" for kind in read.dtypes), name


def test_missing_marks_in_any_case_are_nan_and_other_texts_keep_their_place(tmp_path: Path) -> None:
    marks = ["", "NA", "NaN", "nan", "null", "None", "#N/A", ".", " na ", "NULL"]
    rows = [",".join(["S1", *marks]), ",".join(["S2", *["1"] * 9, "Undetermined"])]
    wide = read_wide(table(tmp_path, "id," + ",".join("abcdefghij") + "\n" + "\n".join(rows)))
    assert np.isnan(wide.cells[0]).all()
    assert wide.texts == ((1, 9, "Undetermined"),)
    assert np.isnan(wide.cells[1, 9])


def test_what_is_no_plain_number_arrives_as_text(tmp_path: Path) -> None:
    wide = read_wide(table(tmp_path, "id;a;b;c;d;e\nS1;1,5;1 000;1_000;0x1F;<1\nS2; 2 ;+3;4.;.5;1E3\n"))
    assert [text for *_, text in wide.texts] == ["1,5", "1 000", "1_000", "0x1F", "<1"]
    assert np.isnan(wide.cells[0]).all()
    assert wide.cells[1].tolist() == [2, 3, 4, 0.5, 1000]


def test_infinite_values_arrive_as_such_for_the_table_to_refuse(tmp_path: Path) -> None:
    wide = read_wide(table(tmp_path, "id,a,b,c\nS1,inf,-Inf,1e999\n"))
    assert wide.cells.tolist() == [[np.inf, -np.inf, np.inf]]
    assert wide.texts == ()


@given(st.lists(st.floats(allow_nan=False), min_size=1), st.sampled_from(["r", ".17e", ".25e"]))
def test_a_number_is_the_float_nearest_to_what_is_written(values: list[float], form: str) -> None:
    written = [repr(value) if form == "r" else format(value, form) for value in values]
    read, texts = numbers(written)
    assert texts == []
    assert read.tobytes() == np.array([float(text) for text in written]).tobytes()


@given(st.lists(st.text("0123456789.,eE+-_ naNif()\t\x1f", max_size=6), min_size=1))
@example(["nan(1)", "1"])
@example(["1\x1f2", "3"])
def test_what_a_cell_says_does_not_depend_on_its_neighbours(cells: list[str]) -> None:
    together, texts = numbers(cells)
    alone = [numbers([cell]) for cell in cells]
    np.testing.assert_array_equal(together, np.concatenate([values for values, _ in alone]))
    assert texts == [(j, text) for j, (_, words) in enumerate(alone) for _, text in words]


def test_names_that_come_twice_are_kept_twice(tmp_path: Path) -> None:
    path = table(tmp_path, "id,a,a\nS1,1,2\nS1,3,4\n")
    assert read_wide(path).columns == ("a", "a")
    assert read_wide(path).row_ids == ("S1", "S1")
    assert list(read_sheet(path).columns) == ["id", "a", "a"]


def test_quoted_names_may_hold_separators_quotes_and_line_ends(tmp_path: Path) -> None:
    wide = read_wide(table(tmp_path, 'id,"a, b","5"" end","two\nlines"\n"S, 1",1,2,3\n'))
    assert wide.columns == ("a, b", '5" end', "two\nlines")
    assert wide.row_ids == ("S, 1",)


def test_blank_lines_and_what_a_spreadsheet_leaves_behind_are_left_out(tmp_path: Path) -> None:
    wide = read_wide(table(tmp_path, "\nid,a,,\n\nS1,1,,\n,,,\nS2,2,,\n,,,\n\n"))
    assert (wide.row_ids, wide.columns) == (("S1", "S2"), ("a",))
    assert list(read_sheet(tmp_path / "X.csv").columns) == ["id", "a"]


def test_a_nameless_column_with_content_is_kept(tmp_path: Path) -> None:
    wide = read_wide(table(tmp_path, "id,,a,\nS1,,1,x\n"))
    assert wide.columns == ("a", "")
    assert wide.texts == ((0, 1, "x"),)


def test_a_row_index_that_pandas_wrote_before_the_ids_is_left_out(tmp_path: Path) -> None:
    frame = FRAME.reset_index()
    frame.to_csv(tmp_path / "t.csv")
    frame[frame.index < 5].sample(frac=1, random_state=0).to_parquet(tmp_path / "t.parquet")
    wide = read_wide(tmp_path / "t.csv")
    assert (wide.row_ids, wide.columns) == (("S1", "S2", "007"), tuple(FRAME.columns))
    wide = read_wide(tmp_path / "t.parquet")
    assert (sorted(wide.row_ids), wide.columns) == (["007", "S1", "S2"], tuple(FRAME.columns))


def test_whole_number_ids_are_kept_when_there_are_no_other(tmp_path: Path) -> None:
    frame = FRAME.reset_index(drop=True)
    frame.to_csv(tmp_path / "t.csv")
    frame.set_axis([3, 1, 2]).to_parquet(tmp_path / "t.parquet")
    assert read_wide(tmp_path / "t.csv").row_ids == ("0", "1", "2")
    assert read_wide(tmp_path / "t.parquet").row_ids == ("3", "1", "2")
    assert read_wide(tmp_path / "t.parquet").columns == tuple(FRAME.columns)


def test_a_single_sample_loses_its_index_to_a_sample_id_and_not_to_a_mark(tmp_path: Path) -> None:
    wide = read_wide(table(tmp_path, ",miR-1,miR-2\n0,Undetermined,20.5\n"))
    assert (wide.row_ids, wide.columns) == (("0",), ("miR-1", "miR-2"))
    wide = read_wide(table(tmp_path, ",sample_id,miR-2\n0,007,20.5\n"))
    assert (wide.row_ids, wide.columns) == (("007",), ("miR-2",))


def test_typed_columns_of_all_kinds_become_numbers_or_texts(tmp_path: Path) -> None:
    columns = {
        "id": pa.array(["S1", "S2"]).dictionary_encode(),
        "int": pa.array([1, None], pa.int32()),
        "half": pa.array(np.array([1.5, 2.5], np.float16)),
        "decimal": pa.array(["1.25", "2.50"]).cast(pa.decimal128(5, 2)),
        "null": pa.nulls(2),
        "text": pa.array(["3.5", "ND"]),
        "bool": pa.array([True, None]),
        "date": pa.array([datetime.date(2026, 3, 1), None]),
    }
    path = tmp_path / "t.arrow"
    with path.open("wb") as file, pa.ipc.new_file(file, pa.table(columns).schema) as writer:
        writer.write_table(pa.table(columns))
    wide = read_wide(path)
    nan = np.nan
    assert wide.row_ids == ("S1", "S2")
    np.testing.assert_array_equal(wide.cells, [[1, 1.5, 1.25, nan, 3.5, nan, nan], [nan, 2.5, 2.5, nan, nan, nan, nan]])
    assert wide.texts == ((0, 5, "True"), (0, 6, "2026-03-01"), (1, 4, "ND"))


def test_a_workbook_gives_its_first_sheet_with_typed_cells_as_text(tmp_path: Path) -> None:
    book = openpyxl.Workbook()
    book.active.append(["id", "a", 2020, None])
    book.active.append([101, 1 / 3, datetime.datetime(2026, 3, 1), None])
    book.active.append([None, None, None, None])
    book.active.append([102.0, "NA"])
    book.create_sheet().append(["other"])
    book.save(tmp_path / "t.xlsx")
    wide = read_wide(tmp_path / "t.xlsx")
    assert (wide.row_ids, wide.columns) == (("101", "102"), ("a", "2020"))
    np.testing.assert_array_equal(wide.cells, [[1 / 3, np.nan], [np.nan, np.nan]])
    assert wide.texts == ((0, 1, "2026-03-01"),)


def test_a_workbook_that_unpacks_to_far_more_than_it_is_is_refused_before_it_is_unpacked(tmp_path: Path) -> None:
    openpyxl.Workbook().save(tmp_path / "t.xlsx")
    with zipfile.ZipFile(tmp_path / "t.xlsx", "a", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("xl/sharedStrings.xml", b"<si><t>a</t></si>" * 6_000_000)
    assert (tmp_path / "t.xlsx").stat().st_size < 1_000_000
    with pytest.raises(FileError, match=r"t\.xlsx: unpacks to 0\.1 GB, .*; save the sheet as CSV or Parquet"):
        read_wide(tmp_path / "t.xlsx")


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("X.csv", b"", r"X\.csv: is empty"),
        ("X.csv", b"\n \n\n", r"X\.csv: is empty but for blank lines"),
        ("X.csv.gz", gzip.compress(b""), r"X\.csv\.gz: is empty"),
        ("X.csv", PNG, r"X\.csv: is not a text table, it looks like a PNG image"),
        ("X.csv", gzip.compress(b"id,a\n"), r"is not a text table, it looks like gzip"),
        ("X.csv", b"<!DOCTYPE html><html>", r"looks like a web page"),
        ("X.csv", b"a\x00\x01", r"looks like no format known here"),
        ("X.csv.gz", b"id,a\nS1,1\n", r"X\.csv\.gz: is not gzip, it looks like text; correct its name"),
        ("X.csv.gz", gzip.compress(PNG), r"is not a text table, it looks like a PNG image"),
        ("X.csv.gz", gzip.compress(b"id,a\nS1,1\n" * 9)[:-9], r"X\.csv\.gz: is cut short .*copy or download it again"),
        ("X.csv", "id,miR µ\nS1,1\n".encode("latin-1"), r"is not UTF-8 text \(byte 0xb5 after 'id,miR '\); save it"),
        ("X.csv", b'id,"a\nS1,1\n', r"X\.csv: its quotes do not match: line 2: .*; correct that line"),
        ("X.csv", b'id,a\nS1,"1"2\n', r"X\.csv: its quotes do not match: line 2: "),
        ("X.parquet", b"id,a\nS1,1\n", r"X\.parquet: is not a \.parquet file, it looks like text"),
        ("X.parquet", b"PAR1" + b"\0" * 50, r"X\.parquet: is (no sound|damaged)"),
        ("X.arrow", b"id,a\nS1,1\n", r"X\.arrow: is not a \.arrow file, it looks like text"),
        ("X.feather", b"ARROW1\0\0" + b"\0" * 50, r"X\.feather: is (no sound|damaged)"),
        ("X.xlsx", b"id,a\nS1,1\n", r"X\.xlsx: is not a \.xlsx file, it looks like text"),
        ("X.xlsx", b"\xd0\xcf\x11\xe0" + b"\0" * 9, r"looks like an old Excel file \(\.xls\) or one with a password"),
        ("X.xlsx", b"PK\x03\x04" + b"\0" * 50, r"X\.xlsx: is no sound workbook"),
        ("X.json", b"{}", r"X\.json: its ending is none of those known here \(\.csv, \.tsv, .*\.parquet"),
        ("X", b"id,a\n", r"X: its ending is none"),
        ("X.gz", gzip.compress(b"id,a\n"), r"X\.gz: its ending is none"),
    ],
)
def test_a_file_that_cannot_be_read_says_why(tmp_path: Path, name: str, content: bytes, message: str) -> None:
    path = table(tmp_path, content, name)
    for read in (read_wide, read_sheet):
        with pytest.raises(FileError, match=message):
            read(path)


@pytest.mark.parametrize("name", [name for name in WRITERS if not name.endswith((".csv", ".CSV", ".tsv", ".txt"))])
def test_a_binary_file_cut_anywhere_is_a_file_error(tmp_path: Path, name: str) -> None:
    WRITERS[name](FRAME, tmp_path / name)
    whole = (tmp_path / name).read_bytes()
    for share in (0.01, 0.3, 0.6, 0.9, 0.99):
        path = table(tmp_path, whole[: max(1, int(len(whole) * share))], name)
        try:
            wide = read_wide(path)
        except FileError:
            continue
        # An Arrow stream may lack its end mark and still be whole.
        assert name == "t.ipc"
        np.testing.assert_array_equal(wide.cells, FRAME.to_numpy())


@pytest.mark.parametrize("name", [f"damaged{suffix}" for suffix in SUFFIXES])
def test_a_damaged_file_is_never_a_traceback(tmp_path: Path, name: str) -> None:
    suffix = name.removeprefix("damaged")
    source = next((key for key in WRITERS if key.endswith(suffix)), "t.tsv.gz")
    WRITERS[source](FRAME, tmp_path / source)
    whole = (tmp_path / source).read_bytes()
    rng = np.random.default_rng(7)
    for _ in range(40):
        broken = bytearray(whole)
        for place in rng.integers(len(whole), size=3):
            broken[place] = rng.integers(256)
        path = table(tmp_path, bytes(broken), name)
        for read in (read_wide, read_sheet):
            try:
                read(path)
            except (FileError, InputError):
                continue


def test_a_missing_file_and_a_folder_are_file_errors(tmp_path: Path) -> None:
    with pytest.raises(FileError, match=r"X\.csv: there is no such file$"):
        read_wide(tmp_path / "X.csv")
    with pytest.raises(FileError, match=r"X\.csv: there is no such file, nor the folder .*none"):
        read_wide(tmp_path / "none" / "X.csv")
    (tmp_path / "folder.csv").mkdir()
    with pytest.raises(FileError, match=r"folder\.csv: is a folder; give the file in it"):
        read_sheet(tmp_path / "folder.csv")
    os.mkfifo(tmp_path / "pipe.csv")
    with pytest.raises(FileError, match=r"pipe\.csv: is a device or a pipe"):
        read_wide(tmp_path / "pipe.csv")


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("id,a,b\n", r"X\.csv: has a header of 3 cells and no row below it"),
        ("id a b\nS1 1 2\n", r"X\.csv: its header has one cell \('id a b'\); .*needs more"),
        (
            "id,a,b\nS1,1,2\nS2,1\nS3,1,2,3\n\nS4,5,6\nS5\nS6\n",
            r"4 rows have another .* header, which has 3 \(line 3 has 2, line 4 has 4, line 7 has 1, …\)",
        ),
        ("id,a\nS1,1,5\n", r"1 row has another number of cells than the header, which has 2 \(line 2 has 3\)"),
        ("id,a\nS1,1,2\n", r"1 row has another number of cells than the header, which has 2 \(line 2 has 3\)"),
        ('id,"a\nb"\n"S\n1",1\n\nS2,1,2\n', r"\(line 6 has 3\)"),
    ],
)
def test_a_table_without_rows_or_with_uneven_ones_is_an_input_error(tmp_path: Path, content: str, message: str) -> None:
    with pytest.raises(InputError, match=message):
        read_wide(table(tmp_path, content))


def test_a_typed_table_without_rows_or_columns_is_an_input_error(tmp_path: Path) -> None:
    FRAME.iloc[:0].to_parquet(tmp_path / "t.parquet")
    with pytest.raises(InputError, match=r"t\.parquet: has 4 columns and no row"):
        read_wide(tmp_path / "t.parquet")
    FRAME[[]].to_parquet(tmp_path / "t.parquet")
    with pytest.raises(InputError, match=r"t\.parquet: has 1 column; a table of numbers needs more"):
        read_wide(tmp_path / "t.parquet")
    FRAME.set_index("miR-1", append=True).to_parquet(tmp_path / "t.parquet")
    with pytest.raises(InputError, match=r"its index has 2 levels \(sample_id, miR-1\)"):
        read_sheet(tmp_path / "t.parquet")


def test_texts_are_all_kept_and_a_table_of_nothing_else_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    rows = "".join(f"S{i}," + ",".join(["Undetermined"] * 50) + "\n" for i in range(30))
    path = table(tmp_path, "id," + ",".join(f"miR-{j}" for j in range(50)) + "\n" + rows)
    assert len(read_wide(path).texts) == 1500
    pd.read_csv(path).to_parquet(tmp_path / "X.parquet")
    assert read_wide(tmp_path / "X.parquet").texts == read_wide(path).texts
    monkeypatch.setattr("exoclassify.tables.whole.MAX_TEXTS", 1000)
    for name in ("X.csv", "X.parquet"):
        with pytest.raises(InputError, match=r"hold text where .* first row S0, column miR-0: 'Undetermined'"):
            read_wide(tmp_path / name)
    assert wide_module.MAX_TEXTS == 1_000_000


def test_a_table_of_usual_size_is_read_in_a_tenth_of_a_second(tmp_path: Path) -> None:
    rng = np.random.default_rng(1)
    frame = pd.DataFrame(rng.negative_binomial(1, 0.01, (60, 1662)))
    frame.to_csv(tmp_path / "X.csv", index_label="sample_id")
    seconds = []
    for _ in range(3):
        start = time.process_time()
        wide: WideTable = read_wide(tmp_path / "X.csv")
        seconds.append(time.process_time() - start)
    assert min(seconds) < 0.1
    np.testing.assert_array_equal(wide.cells, frame.to_numpy())


@pytest.mark.slow
def test_twenty_thousand_typed_columns_are_read_in_seconds(tmp_path: Path) -> None:
    table = pa.table({"id": ["S1", "S2"], **{f"gene-{j}": [j, None] for j in range(20_000)}})
    with (tmp_path / "t.arrow").open("wb") as file, pa.ipc.new_file(file, table.schema) as writer:
        writer.write_table(table)
    start = time.process_time()
    wide = read_wide(tmp_path / "t.arrow")
    assert time.process_time() - start < 10  # 0.6 s alone; minutes when the names are asked for column by column
    assert wide.cells[0].tolist() == list(range(20_000))


def fails(error: BaseException) -> Callable[[Path], None]:
    """Give a writer that fails when it has written half."""

    def write(path: Path) -> None:
        (path / "half" if path.is_dir() else path).write_text("half")
        raise error

    return write


def fill(path: Path) -> None:
    (path / "inner").mkdir()
    (path / "inner" / "a.txt").write_text("new")


def test_a_file_is_written_under_a_name_with_its_suffix_and_then_renamed(tmp_path: Path) -> None:
    seen = []

    def write(path: Path) -> None:
        seen.append(path)
        assert path != tmp_path / "t.csv.gz"
        FRAME.to_csv(path)

    write_atomically(tmp_path / "t.csv.gz", write)
    assert seen[0].name.endswith(".csv.gz")
    assert seen[0].parent == tmp_path
    assert read_wide(tmp_path / "t.csv.gz").row_ids == ("S1", "S2", "007")
    assert os.listdir(tmp_path) == ["t.csv.gz"]


def test_what_is_there_is_kept_without_force_and_replaced_with_it(tmp_path: Path) -> None:
    path = table(tmp_path, "old", "t.txt")
    path.chmod(0o640)
    with pytest.raises(FileError, match=r"t\.txt: is there already; give --force to replace it"):
        write_atomically(path, lambda partial: partial.write_text("new") and None)
    assert path.read_text() == "old"
    write_atomically(path, lambda partial: partial.write_text("new") and None, force=True)
    assert path.read_text() == "new"
    assert path.stat().st_mode & 0o777 == 0o640

    folder = tmp_path / "model"
    write_folder_atomically(folder, fill)
    (folder / "old.txt").write_text("old")
    with pytest.raises(FileError, match=r"model: is there already; give --force to replace it"):
        write_folder_atomically(folder, fill)
    assert (folder / "old.txt").exists()
    write_folder_atomically(folder, fill, force=True)
    assert [p.relative_to(folder).as_posix() for p in sorted(folder.rglob("*"))] == ["inner", "inner/a.txt"]
    assert sorted(os.listdir(tmp_path)) == ["model", "t.txt"]


@pytest.mark.parametrize("error", [KeyboardInterrupt(), RuntimeError("bug"), InputError("no")])
def test_a_failure_in_the_middle_goes_on_and_leaves_all_as_it_was(tmp_path: Path, error: BaseException) -> None:
    table(tmp_path, "old", "t.csv")
    write_folder_atomically(tmp_path / "model", fill)
    for name in ("t.csv", "new.csv"):
        with pytest.raises(type(error)):
            write_atomically(tmp_path / name, fails(error), force=True)
    for name in ("model", "new"):
        with pytest.raises(type(error)):
            write_folder_atomically(tmp_path / name, fails(error), force=True)
    assert sorted(os.listdir(tmp_path)) == ["model", "t.csv"]
    assert (tmp_path / "t.csv").read_text() == "old"
    assert os.listdir(tmp_path / "model") == ["inner"]


def test_a_full_disk_is_a_file_error_that_leaves_nothing(tmp_path: Path) -> None:
    full = OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
    with pytest.raises(FileError, match=r"t\.csv: cannot be written: No space left on device; free some space"):
        write_atomically(tmp_path / "t.csv", fails(full))
    with pytest.raises(FileError, match=r"model: cannot be written: No space left on device; free some space"):
        write_folder_atomically(tmp_path / "model", fails(full))
    assert os.listdir(tmp_path) == []


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="/dev/full is a device of Linux")
@pytest.mark.parametrize("name", ["t.csv", "t.parquet"])
def test_a_writer_that_meets_a_full_device_is_a_file_error(tmp_path: Path, name: str) -> None:
    def write(path: Path) -> None:
        path.symlink_to("/dev/full")
        WRITERS[name](FRAME, path)

    with pytest.raises(FileError, match=r"cannot be written: .*No space left on device.*; free some space"):
        write_atomically(tmp_path / name, write)
    assert os.listdir(tmp_path) == []


@pytest.mark.parametrize("error", [KeyboardInterrupt(), PermissionError(errno.EACCES, "Permission denied")])
def test_the_old_folder_comes_back_when_the_new_one_cannot_take_its_place(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, error: BaseException
) -> None:
    write_folder_atomically(tmp_path / "model", fill)
    replace = os.replace

    def failing_once(source: Path, target: Path) -> None:
        if ".partial-" in source.name:
            raise error
        replace(source, target)

    monkeypatch.setattr(os, "replace", failing_once)
    expected = FileError if isinstance(error, OSError) else KeyboardInterrupt
    with pytest.raises(expected):
        write_folder_atomically(tmp_path / "model", fill, force=True)
    assert os.listdir(tmp_path) == ["model"]
    assert (tmp_path / "model" / "inner" / "a.txt").read_text() == "new"


@pytest.mark.parametrize("write", [write_atomically, write_folder_atomically])
def test_places_that_cannot_be_written_say_why(tmp_path: Path, write: Callable[..., None]) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(FileError, match=r"t\.csv: cannot be written: the folder .*none does not exist; make it first"):
        write(tmp_path / "none" / "t.csv", fails(AssertionError()))
    with pytest.raises(FileError, match=r"t\.csv: cannot be written: the folder .*file is no folder"):
        write(tmp_path / "file" / "t.csv", fails(AssertionError()))
    with pytest.raises(FileError, match=r"/: is (a folder|the root of the file system); give"):
        write(Path("/"), fails(AssertionError()), force=True)
    with pytest.raises(FileError, match=r"cannot be written: File name too long; choose a shorter name"):
        write(tmp_path / ("n" * 250), lambda path: path.touch())


def test_a_file_never_takes_the_place_of_a_folder_or_a_device_nor_a_folder_that_of_a_file(tmp_path: Path) -> None:
    with pytest.raises(FileError, match=r"is a folder; give the name of a file"):
        write_atomically(tmp_path, fails(AssertionError()), force=True)
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(FileError, match=r"pipe: is a device, not a file"):
        write_atomically(tmp_path / "pipe", fails(AssertionError()), force=True)
    (tmp_path / "file").write_text("")
    with pytest.raises(FileError, match=r"file: is a file, and a folder is to be written"):
        write_folder_atomically(tmp_path / "file", fill, force=True)


def test_the_home_and_the_current_folder_are_never_replaced(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "work" / "deep").mkdir(parents=True)
    (tmp_path / "home").mkdir()
    monkeypatch.chdir(tmp_path / "work" / "deep")
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    for name in ("work", "work/deep", "home"):
        with pytest.raises(FileError, match=rf"{name}: holds the current or the home folder, and will not be"):
            write_folder_atomically(tmp_path / name, fill, force=True)
    assert (tmp_path / "work" / "deep").is_dir()


def test_a_link_is_followed_and_stays_a_link(tmp_path: Path) -> None:
    (tmp_path / "there").mkdir()
    (tmp_path / "link.txt").symlink_to(tmp_path / "there" / "t.txt")
    (tmp_path / "model").symlink_to(tmp_path / "there" / "1.0.0")
    write_atomically(tmp_path / "link.txt", lambda path: path.write_text("new") and None)
    write_folder_atomically(tmp_path / "model", fill)
    assert (tmp_path / "link.txt").is_symlink()
    assert (tmp_path / "there" / "t.txt").read_text() == "new"
    assert (tmp_path / "model" / "inner" / "a.txt").read_text() == "new"
