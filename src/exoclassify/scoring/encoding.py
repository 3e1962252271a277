"""Answers as lines of CSV, TSV or JSON, made column by column."""

from __future__ import annotations

import csv
import io
import json
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import pyarrow as pa
import pyarrow.compute as pc

from exoclassify.tables.formulas import guarded, guarded_cells

__all__ = ["ENDINGS", "Column", "header", "lines"]


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
}
"""How rows are written under each ending; None for Parquet, which has columns."""


def header(ending: str, names: Sequence[str]) -> bytes:
    """Give what stands before the first row.

    Parameters
    ----------
    ending : str
        A key of `ENDINGS` that has rows.
    names : sequence of str
        Of the columns.
    """
    written = ENDINGS[ending]
    return b"" if written is None else written.header(names)


def lines(columns: Sequence[Column], written: _Separated | _JsonLines, n: int) -> pa.Array:
    """Write rows.

    Parameters
    ----------
    columns : sequence of Column
        Of n rows.
    written : object
        A value of `ENDINGS`.
    n : int
        Number of rows.

    Returns
    -------
    pyarrow.Array of string
        Lines with their ends; floats as the shortest text that gives the same bits.
    """
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
