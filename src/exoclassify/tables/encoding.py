"""Tables on their way into a file: as lines of CSV, TSV or JSON, or as Parquet or Arrow; the same bytes from every door."""

from __future__ import annotations

import csv
import io
import json
import re
from collections.abc import Callable, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import IO, TYPE_CHECKING

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from exoclassify.errors import FileError
from exoclassify.tables.writing import write_atomically
from exoclassify.typing import Floats

if TYPE_CHECKING:
    import pandas as pd

__all__ = [
    "ENDINGS", "WRITERS", "Column", "check_ending", "encoded", "guarded", "guarded_cells", "guarded_frame", "schema_of", "sink",
    "write_columns",
]  # fmt: skip

_GROUP_ROWS = 65_536
"""Rows of a row group or record batch: the same however the rows came."""


@dataclass(frozen=True, eq=False)
class Column:
    """One column of the output.

    Parameters
    ----------
    name : str
        Of the column.
    cells : pyarrow.Array or pyarrow.Scalar
        Strings or float64, few different ones as a dictionary; a scalar stands in every row.
    """

    name: str
    cells: pa.Array | pa.Scalar

    def filled(self, n: int) -> pa.Array:
        """Give an array of n rows."""
        if isinstance(self.cells, pa.Scalar):
            return pa.array([self.cells.as_py()] * n, pa.string())
        return self.cells.dictionary_decode() if isinstance(self.cells, pa.DictionaryArray) else self.cells


@dataclass(frozen=True)
class _Separated:
    separator: str

    def cells(self, column: Column) -> pa.Array | str:
        return _escaped(_safe(column.cells), f'"\r\n{self.separator}', self._quoted)

    @staticmethod
    def _quoted(text: str) -> str:
        return '"' + text.replace('"', '""') + '"'

    def header(self, names: Sequence[str]) -> bytes:
        text = io.StringIO()
        csv.writer(text, delimiter=self.separator, lineterminator="\n").writerow(map(guarded, names))
        return text.getvalue().encode()

    def around(self, columns: Sequence[Column]) -> list[str]:
        return ["", *[self.separator] * (len(columns) - 1), "\n"]


@dataclass(frozen=True)
class _JsonLines:
    def cells(self, column: Column) -> pa.Array | str:
        if isinstance(column.cells, pa.Scalar):
            return json.dumps(column.cells.as_py(), ensure_ascii=False)
        safe = _escaped(column.cells, _JSON_SPECIAL, lambda text: json.dumps(text, ensure_ascii=False)[1:-1])
        return safe if _is_float(column.cells) else pc.binary_join_element_wise('"', safe, '"', "")

    def header(self, names: Sequence[str]) -> bytes:
        return b""

    def around(self, columns: Sequence[Column]) -> list[str]:
        keys = [json.dumps(column.name, ensure_ascii=False) + ":" for column in columns]
        return ["{" + keys[0], *("," + key for key in keys[1:]), "}\n"]


ENDINGS: Mapping[str, _Separated | _JsonLines | None] = {
    ".csv": _Separated(","),
    ".tsv": _Separated("\t"),
    ".parquet": None,
    ".jsonl": _JsonLines(),
    ".arrow": None,
}
"""How rows are written under each ending; None for Parquet and Arrow, which have columns."""


def check_ending(name: str) -> str:
    """Refuse an output of no known format."""
    ending = Path(name).suffix
    if ending not in ENDINGS:
        raise FileError(f"{name}: unknown ending {ending or '(none)'}; use {', '.join(ENDINGS)}")
    return ending


def schema_of(columns: Sequence[Column]) -> pa.Schema:
    """Give names and types of columns as they are stored."""
    return pa.schema([(column.name, column.filled(0).type) for column in columns])


def encoded(columns: Sequence[Column], ending: str, n: int) -> list[tuple[str, pa.Array]]:
    """Make columns ready for a `sink`."""
    written = ENDINGS[ending]
    if written is None:
        return [(column.name, column.filled(n)) for column in columns]
    return [("line", _lines(columns, written, n))]


def sink(path: Path, ending: str, schema: pa.Schema) -> _Lines | _Groups:
    """Open a file whose ``write`` takes encoded rows and whose ``close`` finishes it."""
    written = ENDINGS[ending]
    return _Groups(path, ending, schema) if written is None else _Lines(path, written.header(schema.names))


def write_columns(path: Path, columns: Sequence[Column], n: int, *, force: bool) -> None:
    """Write columns into a file, whole or not at all."""
    ending = check_ending(path.name)

    def write(partial: Path) -> None:
        with closing(sink(partial, ending, schema_of(columns))) as file:
            names, arrays = zip(*encoded(columns, ending, n), strict=True)
            file.write(pa.table(list(arrays), names=list(names)))

    write_atomically(path, write, force=force)


class _Lines:
    """Encoded lines, one after the other."""

    def __init__(self, path: Path, header: bytes) -> None:
        self._file: IO[bytes] = path.open("wb")
        self._file.write(header)

    def write(self, table: pa.Table) -> None:
        for array in table.column(0).chunks:
            if len(array):
                offsets = np.frombuffer(array.buffers()[1], dtype=np.int32)[
                    array.offset : array.offset + len(array) + 1
                ]
                self._file.write(memoryview(array.buffers()[2])[offsets[0] : offsets[-1]])

    def close(self) -> None:
        self._file.close()


class _Groups:
    """Columns in groups of equally many rows."""

    def __init__(self, path: Path, ending: str, schema: pa.Schema) -> None:
        self._schema = schema
        self._writer = pq.ParquetWriter(path, schema) if ending == ".parquet" else pa.ipc.new_stream(path, schema)
        self._waiting = schema.empty_table()

    def write(self, table: pa.Table) -> None:
        self._waiting = pa.concat_tables([self._waiting, table.cast(self._schema)])
        while self._waiting.num_rows >= _GROUP_ROWS:
            self._put(self._waiting.slice(0, _GROUP_ROWS))
            self._waiting = self._waiting.slice(_GROUP_ROWS)

    def _put(self, table: pa.Table) -> None:
        self._writer.write_batch(table.combine_chunks().to_batches()[0])

    def close(self) -> None:
        if self._waiting.num_rows:
            self._put(self._waiting)
        self._writer.close()


def _lines(columns: Sequence[Column], written: _Separated | _JsonLines, n: int) -> pa.Array:
    """Write rows; floats as the shortest text that gives the same bits."""
    if not n:
        return pa.array([], pa.string())
    parts: list[pa.Array | str] = []
    around = written.around(columns)
    for before, column in zip(around, columns, strict=False):
        parts += [before, written.cells(column)]
    return pc.binary_join_element_wise(*_merged([*parts, around[-1]]), "")


def _merged(parts: Sequence[pa.Array | str]) -> list[pa.Array | str]:
    """Join texts that stand beside each other."""
    merged: list[pa.Array | str] = []
    for part in parts:
        if isinstance(part, str) and merged and isinstance(merged[-1], str):
            merged[-1] += part
        else:
            merged.append(part)
    return merged


def _is_float(cells: pa.Array) -> bool:
    of_words = isinstance(cells, pa.DictionaryArray)
    return bool(pa.types.is_floating(cells.type.value_type if of_words else cells.type))


def _safe(cells: pa.Array | pa.Scalar) -> pa.Array | pa.Scalar:
    """Give cells that no spreadsheet runs."""
    if isinstance(cells, pa.Scalar):
        return pa.scalar(guarded(text)) if isinstance(text := cells.as_py(), str) else cells
    if _is_float(cells):
        return cells
    if isinstance(cells, pa.DictionaryArray):
        return pa.DictionaryArray.from_arrays(cells.indices, guarded_cells(cells.dictionary))
    return guarded_cells(cells)


def _escaped(cells: pa.Array | pa.Scalar, special: str, escape: Callable[[str], str]) -> pa.Array | str:
    """Give the texts of cells; those that hold one of some special characters are escaped."""
    if isinstance(cells, pa.Scalar):
        text = str(cells.as_py())
        return escape(text) if any(mark in text for mark in special) else text
    if isinstance(cells, pa.DictionaryArray):
        words: pa.Array = _escaped(cells.dictionary, special, escape)
        return words.take(cells.indices)
    if pa.types.is_floating(cells.type):
        return pc.cast(cells, pa.string())
    letters = b"" if (held := cells.buffers()[2]) is None else held.to_pybytes()
    if len(letters.translate(None, special.encode())) == len(letters):  # one look at all cells together
        return cells
    marked = re.compile(f"[{re.escape(special)}]").search
    return pa.array([escape(text) if marked(text) else text for text in cells.to_pylist()], pa.string())


_JSON_SPECIAL = '"\\' + "".join(map(chr, range(32)))


_LIVE = ("=", "+", "-", "@", "\t", "\r")
"""Excel and its like take a cell that begins with ``=``, ``+``, ``-`` or ``@`` for a formula, and one that begins with a tab or a
carriage return for what follows it (OWASP, "CSV Injection"). Numbers stay numbers; JSON and Parquet are left as they are."""


def guarded(text: str) -> str:
    """Give a text that no spreadsheet runs."""
    return f"'{text}" if text.startswith(_LIVE) and not _is_number(text) else text


def _is_number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return True


def guarded_cells(cells: pa.Array) -> pa.Array:
    """Give texts that no spreadsheet runs; mostly the same array, after one look."""
    if not pc.any(pc.match_substring_regex(cells, f"^[{re.escape(''.join(_LIVE))}]")).as_py():
        return cells
    return pa.array([None if text is None else guarded(text) for text in cells.to_pylist()], cells.type)


def guarded_frame(frame: pd.DataFrame) -> pd.DataFrame:
    """Give a table whose texts and names no spreadsheet runs."""
    words = [name for name in frame.columns if frame[name].dtype.kind == "O"]
    safe = frame.assign(
        **{name: frame[name].map(lambda cell: guarded(cell) if isinstance(cell, str) else cell) for name in words}
    )
    return safe.rename(columns={name: guarded(name) for name in frame.columns if isinstance(name, str)})


Writer = Callable[[Path, Sequence[str], Sequence[str], Floats, bool], None]


def _write_text(
    path: Path, names: Sequence[str], ids: Sequence[str], values: Floats, whole: bool, *, separator: str
) -> None:
    as_written: Callable[[float], float] = int if whole else float
    with path.open("w", newline="", encoding="utf-8") as file:
        rows = csv.writer(file, delimiter=separator, lineterminator="\n")
        rows.writerow(names)
        for name, row in zip(ids, values, strict=True):
            rows.writerow([name, *("" if value != value else as_written(value) for value in row.tolist())])


def _write_parquet(path: Path, names: Sequence[str], ids: Sequence[str], values: Floats, whole: bool) -> None:
    numbers = (pa.array(column, from_pandas=True) for column in values.T)
    columns = [column.cast(pa.int64()) if whole else column for column in numbers]
    pq.write_table(pa.table([pa.array(ids, pa.string()), *columns], names=list(names)), path)


WRITERS: Mapping[str, Writer] = {
    ".csv": partial(_write_text, separator=","),
    ".tsv": partial(_write_text, separator="\t"),
    ".parquet": _write_parquet,
}
"""By suffix: given path, all column names, ids, values and whether these are whole, writes NaN as an empty cell."""
