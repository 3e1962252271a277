"""A table says the same in every dialect, and a damaged one is read or refused in one line."""

from __future__ import annotations

import csv
import gzip
import io
import random
import tempfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.feather as feather
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from exoclassify.data.cohort import Cohort
from exoclassify.data.orientation import samples_in_rows
from exoclassify.errors import ExoclassifyError, InputError
from exoclassify.tables import sizes
from exoclassify.tables.blocks import TextFile, text_stretches
from exoclassify.tables.cells import column_numbers
from exoclassify.tables.columns import column_names, column_stretches
from exoclassify.tables.pieces import Wanted
from exoclassify.tables.reading import read_wide
from exoclassify.tables.sources import STREAMED_TEXT, Source
from tests.field_tables import TABLES

N_MUTATED = 300
"""Files of the fuzz here; benchmarks/fuzz_tables.py does 5,000."""


def _text(rows: list[list[str]], separator: str, end: str = "\n", quote: bool = False) -> str:
    cell: Callable[[str], str] = (lambda text: f'"{text}"') if quote else str
    return "".join(separator.join(map(cell, row)) + end for row in rows)


DIALECTS: dict[str, Callable[[list[list[str]]], tuple[str, bytes]]] = {
    "comma": lambda rows: ("t.csv", _text(rows, ",").encode()),
    "quoted": lambda rows: ("t.csv", _text(rows, ",", quote=True).encode()),
    "semicolon": lambda rows: ("t.csv", _text(rows, ";").encode()),
    "tab": lambda rows: ("t.tsv", _text(rows, "\t").encode()),
    "windows": lambda rows: ("t.csv", b"\xef\xbb\xbf" + _text(rows, ",", "\r\n").encode()),
    "unicode text": lambda rows: ("t.txt", _text(rows, "\t").encode("utf-16")),
    "old mac": lambda rows: ("t.csv", _text(rows, ",", "\r").encode()),
    "titled": lambda rows: ("t.csv", ("A study of pain\n\n" + _text(rows, ",")).encode()),
    "decimal commas": lambda rows: (
        "t.csv",
        _text([rows[0], *([row[0], *(cell.replace(".", ",") for cell in row[1:])] for row in rows[1:])], ";").encode(),
    ),
}


@settings(max_examples=25, deadline=None)
@given(
    # Two decimals, so that no comma could stand between thousands.
    st.lists(st.lists(st.integers(-99999, 99999), min_size=3, max_size=3), min_size=2, max_size=6)
)
def test_every_dialect_gives_the_same_values(hundredths: list[list[int]]) -> None:
    values = np.array(hundredths) / 100
    header = ["sample_id", "hsa-miR-1-3p", "hsa-miR-9-5p", "hsa-miR-21-5p"]
    rows = [header, *([f"S{i}", *(f"{value:.2f}" for value in row)] for i, row in enumerate(values))]
    for name, written in DIALECTS.items():
        with tempfile.TemporaryDirectory() as folder:
            file, content = written(rows)
            Path(folder, file).write_bytes(content)
            wide = read_wide(Path(folder, file))
        assert wide.row_ids == tuple(f"S{i}" for i in range(len(values))), name
        assert wide.columns == tuple(header[1:]), name
        np.testing.assert_array_equal(wide.cells, values, err_msg=name)


def _columns(rows: list[list[str]]) -> pa.Table:
    arrays = [pa.array([row[0] for row in rows[1:]])]
    for j in range(1, len(rows[0])):
        arrays.append(pa.array([None if row[j] in MISSING else float(row[j]) for row in rows[1:]]))
    return pa.table(arrays, names=rows[0])


def _stored(writer: Callable[[pa.BufferOutputStream, pa.Table], object], rows: list[list[str]]) -> bytes:
    sink = pa.BufferOutputStream()
    writer(sink, _columns(rows))
    return sink.getvalue().to_pybytes()


def _ipc(opened: Callable[..., pa.RecordBatchFileWriter]) -> Callable[[pa.BufferOutputStream, pa.Table], None]:
    def write(sink: pa.BufferOutputStream, table: pa.Table) -> None:
        with opened(sink, table.schema) as file:
            file.write_table(table, max_chunksize=2)

    return write


def _workbook(rows: list[list[str]]) -> bytes:
    content = io.BytesIO()
    _columns(rows).to_pandas().to_excel(content, index=False)
    return content.getvalue()


def _quoted(rows: list[list[str]], separator: str = ",", end: str = "\r\n") -> bytes:
    text = io.StringIO()
    csv.writer(text, delimiter=separator, quoting=csv.QUOTE_ALL, lineterminator=end).writerows(rows)
    return text.getvalue().encode()


MISSING = ("", "NA", "nan", "NULL", "#N/A", ".")
CONTAINERS: dict[str, Callable[[list[list[str]]], bytes]] = {
    "t.csv": _quoted,
    "t.tsv": lambda rows: _quoted(rows, "\t", "\n"),
    "t.txt": lambda rows: _quoted(rows, ";", "\n"),
    "t.csv.gz": lambda rows: gzip.compress(_quoted(rows)[:40]) + gzip.compress(_quoted(rows)[40:]),
    "t.csv.zst": lambda rows: pa.Codec("zstd").compress(_quoted(rows), asbytes=True),
    "t.parquet": lambda rows: _stored(lambda sink, table: pq.write_table(table, sink, row_group_size=2), rows),
    "t.arrow": lambda rows: _stored(_ipc(pa.ipc.new_file), rows),
    "t.ipc": lambda rows: _stored(_ipc(pa.ipc.new_stream), rows),
    "t.feather": lambda rows: _stored(lambda sink, table: feather.write_feather(table, sink), rows),
    "t.xlsx": _workbook,
}
WORD = st.text("aZé,;\t\"' \n.-", max_size=8).map(lambda text: f"{text}n")
CELL = st.one_of(st.floats(-1e300, 1e300).map(repr), st.sampled_from(MISSING))


@st.composite
def tables(draw: st.DrawFn) -> list[list[str]]:
    """Any numbers and missing marks, below names that hold what separates cells and lines."""
    names = draw(st.lists(WORD, min_size=2, max_size=4, unique_by=str.strip))
    ids = draw(st.lists(WORD, min_size=1, max_size=6, unique_by=str.strip))
    row = st.lists(CELL, min_size=len(names), max_size=len(names))
    return [["sample_id", *(f"m{name}" for name in names)], *([f"s{name}", *draw(row)] for name in ids)]


def expected(rows: list[list[str]]) -> np.ndarray:
    return np.array([[np.nan if cell in MISSING else float(cell) for cell in row[1:]] for row in rows[1:]])


@pytest.mark.slow
@settings(max_examples=40, deadline=None)
@given(tables())
def test_every_container_gives_the_same_bits_under_any_names(rows: list[list[str]]) -> None:
    for file, written in CONTAINERS.items():
        with tempfile.TemporaryDirectory() as folder:
            Path(folder, file).write_bytes(written(rows))
            wide = read_wide(Path(folder, file))
        if file == "t.xlsx":  # whose program ends lines in its own way, and writes 15 digits
            np.testing.assert_allclose(wide.cells, expected(rows), rtol=1e-14, err_msg=file)
            continue
        assert wide.row_ids == tuple(row[0] for row in rows[1:]), file
        assert wide.columns == tuple(rows[0][1:]), file
        np.testing.assert_array_equal(wide.cells, expected(rows), err_msg=file)


@settings(max_examples=40, deadline=None)
@given(tables(), st.integers(20, 200))
def test_a_stream_gives_what_a_whole_table_gives(rows: list[list[str]], piece: int) -> None:
    for file, written in CONTAINERS.items():
        if file == "t.xlsx":
            continue
        with tempfile.TemporaryDirectory() as folder, pytest.MonkeyPatch.context() as patch:
            for size in ("PIECE_BYTES", "STRETCH_BYTES"):
                patch.setattr(sizes, size, piece)
            Path(folder, file).write_bytes(written(rows))
            source = Source.local(Path(folder, file))
            text = TextFile.of(source, 1) if source.suffix in STREAMED_TEXT else None
            header = tuple(text.header if text else column_names(source))
            wanted = Wanted(header, tuple(range(len(header))), 0, frozenset(range(1, len(header))))
            stretches = text_stretches(text, wanted) if text else column_stretches(source, wanted)
            batches = [piece.batch() for stretch in stretches for piece in stretch.pieces()]
        assert not any(batch.faults for batch in batches), file
        ids = [name for batch in batches for name in batch.columns.column(0).to_pylist()]
        assert ids == [row[0] for row in rows[1:]], file
        for j in range(1, len(header)):
            read = [column_numbers(batch.columns.column(j)) for batch in batches]
            assert not any(words for _, words in read), file
            np.testing.assert_array_equal(
                np.concatenate([values for values, _ in read]), expected(rows)[:, j - 1], file
            )


@settings(max_examples=40, deadline=None)
@given(tables())
def test_a_turned_table_gives_the_same_cohort_of_values(rows: list[list[str]]) -> None:
    ids = [row[0].strip() for row in rows[1:]]
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "t.csv")
        path.write_bytes(_quoted([list(column) for column in zip(*rows, strict=True)]))
        wide = samples_in_rows(read_wide(path), "other", ids, None)
    np.testing.assert_array_equal(wide.cells, expected(rows))


def mutated(text: str, seed: int) -> bytes:
    """Give a text with one to four faults of the kinds that files have."""
    rng = random.Random(seed)
    content = bytearray(text.encode())
    for _ in range(rng.randint(1, 4)):
        at = rng.randrange(max(1, len(content)))
        other = rng.randrange(max(1, len(content)))
        kind = rng.randrange(7)
        if kind == 0:
            del content[at:]
        elif kind == 1:
            del content[min(at, other) : max(at, other)]
        elif kind == 2:
            content[at:at] = content[min(at, other) : max(at, other)]
        elif kind == 3:
            content[at : at + 1] = bytes([rng.randrange(256)])
        elif kind == 4:
            content[at:at] = rng.choice(
                [b'"', b"\t", b",", b";", b"\n", b"\r", b"\0", b"NA", b"\xff", b"#", b"1e999", b"-"]
            )
        elif kind == 5:
            lines = bytes(content).split(b"\n")
            rng.shuffle(lines)
            content = bytearray(b"\n".join(lines))
        else:
            content = bytearray(bytes(content).replace(b"\t", rng.choice([b",", b"  ", b";"])))
    return bytes(content)


@pytest.mark.parametrize("part", range(3))
def test_a_damaged_file_is_read_or_refused_in_one_line(part: int, tmp_path: Path) -> None:
    for seed in range(part * N_MUTATED // 3, (part + 1) * N_MUTATED // 3):
        field = TABLES[seed % len(TABLES)]
        path = tmp_path / field.name
        path.write_bytes(mutated(field.text, seed))
        said = refusal(path)
        assert said is None or ("\n" not in said and field.name in said), seed


def refusal(path: Path) -> str | None:
    try:
        read_wide(path)
    except ExoclassifyError as error:
        return str(error)
    return None


PLAIN = "sample_id,hsa-miR-1-3p,hsa-miR-9-5p,hsa-miR-21-5p\nA1,5,0,31\nA2,7,3,41\nA3,6,1,29\nA4,9,2,35\nA5,4,4,38\n"
SHEET = "sample_id,label\nA1,pain\nA2,none\nA3,pain\nA4,none\nA5,pain\n"


def cohort(tmp_path: Path, text: str, name: str = "cargo.csv", sheet: str = SHEET, unit: str = "counts") -> Cohort:
    (tmp_path / name).write_text(text, encoding="utf-8")
    (tmp_path / "sheet.csv").write_text(sheet, encoding="utf-8")
    return Cohort.read(tmp_path / name, kind="mirna", unit=unit, samples=tmp_path / "sheet.csv", label="label")


def below(text: str, line: int, *more: str) -> str:
    lines = text.splitlines()
    return "\n".join([*lines[:line], *more, *lines[line:]]) + "\n"


def beside(text: str, *cells: object) -> str:
    return "".join(f"{line},{cell}\n" for line, cell in zip(text.splitlines(), cells, strict=True))


R_SPACE = '"hsa-miR-1-3p" "hsa-miR-9-5p" "hsa-miR-21-5p"\n' + "".join(
    '"' + line.replace(",", '" ', 1).replace(",", " ") + "\n" for line in PLAIN.splitlines()[1:]
)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (PLAIN.replace(",", "|"), ""),
        (below(PLAIN, 0, "Run,5", "# by me, and others", ""), ""),
        (below(PLAIN, 0, "# a, b, c", "# d, e"), ""),
        (PLAIN.replace("p,h", "p (counts),h").replace("21-5p", "21-5p [reads]"), ""),
        ("\n".join([PLAIN.splitlines()[0], *(line + "," for line in PLAIN.splitlines()[1:])]), ""),
        (beside(PLAIN, "Gesamt", 36, 51, 36, 46, 46), "1 name is no molecule (Gesamt): left out"),
        (beside(PLAIN, "library_size", 36, 51, 36, 46, 46), "1 name is no molecule (library_size): left out"),
        (beside(PLAIN, "lfd. Nr.", 1, 2, 3, 4, 5), "1 name is no molecule (lfd. Nr.): left out"),
        (below(PLAIN, 6, "Mittelwert,6,2,35"), "Mittelwert (no samples by their names)"),
        (below(PLAIN, 6, "Témoin négatif,6,2,35"), "Témoin négatif (no samples by their names)"),
        (below(PLAIN, 6, "Suma total,6,2,35"), "Suma total (no samples by their names)"),
        (below(PLAIN, 1, "Biotype,miRNA,miRNA,miRNA"), "Biotype (text)"),
        (below(PLAIN, 1, "unit,counts,counts,counts"), "unit (text)"),
        (PLAIN.replace("A1,5", "A1,<NA>"), ""),
    ],
)
def test_a_table_written_in_another_way_is_read_as_it_is_meant(text: str, said: str, tmp_path: Path) -> None:
    table = cohort(tmp_path, text).cargo
    expected = np.array([line.split(",")[1:] for line in PLAIN.splitlines()[1:]], dtype=float)
    if "<NA>" in text:
        expected[0, 0] = np.nan
    assert table.sample_ids == ("A1", "A2", "A3", "A4", "A5")
    assert table.molecules == ("hsa-miR-1-3p", "hsa-miR-9-5p", "hsa-miR-21-5p")
    np.testing.assert_array_equal(table.values, expected)
    assert any(said in note for note in table.notes) or not said, table.notes


def test_what_r_writes_with_blanks_between_is_read(tmp_path: Path) -> None:
    table = cohort(tmp_path, R_SPACE, "cargo.txt").cargo
    np.testing.assert_array_equal(table.values[:2], [[5, 0, 31], [7, 3, 41]])


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (below(PLAIN, 6, "exported by me"), r"line 7, 'exported by me': a remark is no row of a table; take it out"),
        (PLAIN + PLAIN, r"line 7 is its header again: give each table in a file of its own"),
        (beside(PLAIN, "class", "pain", "none", "pain", "none", "pain"), r"column class is text throughout: move"),
        (below(PLAIN, 6, "A1,5,0,31"), r"A1\); the rows are the same: keep one"),
        (below(PLAIN, 6, "A1,5,0,30"), r"A1\); keep one of them, or give each its own name and one subject"),
        (PLAIN.replace("31", "1_031.5"), r"'1_031\.5' has _ as a thousands separator: write 1031\.5"),
        (
            PLAIN.replace(",", ";").replace("31", "1.031,5").replace("41", "2,5"),
            r"has \. as a thousands separator: write 1031",
        ),
        (PLAIN.replace("31", "31 pg"), r"'31 pg' has pg behind the number: write the number alone"),
        (PLAIN.replace("31", "<5"), r"'<5' is a bound and no value"),
        (PLAIN.replace("miR-9-5p", "miR-1-3p_2"), r"hsa-miR-1-3p_2 looks like hsa-miR-1-3p a second time"),
        (PLAIN.replace("hsa-miR-9-5p", "44806"), r"44806 look like gene names that .* dates \(SEPTIN2\)"),
        (PLAIN.replace("hsa-miR-9-5p", "1-mars"), r"1-mars look like gene names that .* dates \(MARCHF1\)"),
    ],
)
def test_what_cannot_be_read_is_refused_with_the_fix_for_it(text: str, said: str, tmp_path: Path) -> None:
    with pytest.raises(InputError, match=rf"cargo\.csv: .*{said}"):
        cohort(tmp_path, text)


def test_decimal_commas_beside_marks_are_read(tmp_path: Path) -> None:
    text = PLAIN.replace(",", ";").replace("31", "31,5").replace(";0;", ";Undetermined;")
    table = cohort(tmp_path, text, unit="ct").cargo
    assert table.values[0].tolist() == [5, 40, 31.5]


def test_a_workbook_whose_formulas_were_never_computed_is_refused(tmp_path: Path) -> None:
    frame = pd.DataFrame({"id": ["A1", "A2"], "hsa-miR-1-3p": ["=1+4", "=7"], "hsa-miR-9-5p": ["=0", "=3"]})
    frame.to_excel(tmp_path / "t.xlsx", index=False)
    with pytest.raises(InputError, match=r"t\.xlsx: holds formulas without their values; open it"):
        read_wide(tmp_path / "t.xlsx")
