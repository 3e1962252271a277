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
import pyarrow as pa
import pyarrow.feather as feather
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from exoclassify.data.orientation import samples_in_rows
from exoclassify.errors import ExoclassifyError
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
