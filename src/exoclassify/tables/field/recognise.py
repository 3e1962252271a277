"""Which format of the field a file has, by its first lines, whatever container it is in: text, workbook, Parquet or Arrow."""

from __future__ import annotations

import csv
import gzip
import re
import zlib
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing, suppress
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import pyarrow as pa

from exoclassify.errors import InputError
from exoclassify.tables.asked import Reading
from exoclassify.tables.cells import as_text
from exoclassify.tables.columns import column_names, read_table
from exoclassify.tables.csv import every_row, opened_text
from exoclassify.tables.field import headed, measurements, molecules_in_rows
from exoclassify.tables.field.formats import FORMATS, LONG, WIDE
from exoclassify.tables.opening import COLUMNS, TEXT
from exoclassify.tables.sources import Source
from exoclassify.tables.wide import WideTable

__all__ = ["LOOKED_AT", "field_reader", "is_series"]

Rows = Iterator[tuple[int, list[str]]]
Head = Sequence[tuple[int, list[str]]]

LOOKED_AT = 60
"""Rows of each sheet of a workbook."""

_HEAD = 1 << 20
_LINES = 400
"""Lines of a preamble, and some."""

_COUNT_LINE = re.compile(r"[^\t\n]+\t\d+\r?\n")
_WORDS = [form.needs for form in WIDE.values() if not form.begins] + [form.known_by for form in LONG.values()]
_MARKS = (headed.ADAT_BEGIN.lower(), molecules_in_rows.PERSEUS_MARK.lower(), headed.SERIES_BEGIN)
_OF_TEXT = {"rcc": headed.read_rcc, "htseq": headed.read_htseq, "mirgff3": headed.read_mirgff3}


@dataclass(frozen=True)
class _Found:
    """A format, and the line and the cells of its header."""

    key: str
    line: int = 0
    header: tuple[str, ...] = ()

    def read(self, rows: Rows, source: str, asked: Reading) -> WideTable:
        if self.key == "adat":
            return headed.read_adat(rows, source)
        below = ((line, cells) for line, cells in rows if line > self.line)
        if self.key == "perseus":
            return molecules_in_rows.read_perseus(below, self.header, source)
        if self.key in LONG:
            return measurements.read_measurements(below, self.header, LONG[self.key], source)
        return molecules_in_rows.read_molecules_in_rows(below, self.header, WIDE[self.key], source, asked.columns)

    @property
    def columns(self) -> list[str]:
        """The columns of a table in long format that are needed; all of another."""
        if self.key not in LONG:
            return list(self.header)
        form = LONG[self.key]
        wanted = {*(name for names in form.needs for name in names), *form.assay, *form.also, *form.known_by}
        return [name for name in self.header if name.lower() in wanted]


def field_reader(path: Path, suffix: str, asked: Reading) -> Callable[[], WideTable] | None:
    """Say how a file of one of the field's formats is read, which is whole; None for a plain table."""
    if asked.format == "plain":
        return None
    if asked.format not in (None, *FORMATS):
        raise InputError(f"{path.name}: there is no format {asked.format}; expected one of {', '.join(FORMATS)}")
    look = _look_into_text if suffix in TEXT else _look_into_columns if suffix in COLUMNS else _look_into_workbook
    found = look(path, asked)
    if found is None and asked.format is not None:
        raise InputError(
            f"{path.name}: is no table of the format {asked.format}: no line has its header; leave the format out"
        )
    return found


def _look_into_text(path: Path, asked: Reading) -> Callable[[], WideTable] | None:
    found = _known(path, asked)
    if found is None:
        return None
    separator, known = found

    def read() -> WideTable:
        if known.key in _OF_TEXT:
            with opened_text(path) as file:
                return _OF_TEXT[known.key](file.read(), path.name)
        with closing(every_row(partial(opened_text, path), separator, str(path))) as rows:
            return known.read(rows, path.name, asked)

    return read


def _look_into_columns(path: Path, asked: Reading) -> Callable[[], WideTable] | None:
    source = Source.local(path)
    known = _recognised([(1, column_names(source))], asked)
    if known is None:
        return None
    return lambda: known.read(_rows_of(read_table(source, known.columns)), path.name, asked)


def _look_into_workbook(path: Path, asked: Reading) -> Callable[[], WideTable] | None:
    from exoclassify.tables.xlsx import heads, read_rows  # openpyxl is imported with the file that needs it

    sheets = [(name, head) for name, head in heads(path, LOOKED_AT) if asked.sheet in (None, name)]
    found = [(name, known) for name, head in sheets if (known := _recognised(head, asked)) is not None]
    if len(found) > 1:
        names = ", ".join(name for name, _ in found)
        raise InputError(f"{path.name}: {len(found)} of its sheets hold a table ({names}); say which with --sheet")
    if not found:
        return None
    [(sheet, known)] = found
    return lambda: known.read(read_rows(path, sheet), path.name, asked)


def _rows_of(table: pa.Table) -> Rows:
    """Give the rows of typed columns as texts, as a CSV file would have them."""
    line = 1
    for batch in table.to_batches(10_000):
        columns = [[as_text(value) for value in column.to_pylist()] for column in batch.columns]
        for cells in zip(*columns, strict=True):
            line += 1
            yield line, list(cells)


def is_series(path: Path) -> bool:
    """Say whether a text is a GEO series matrix, which has a sheet of its samples."""
    return f"\n{headed.SERIES_MARK}" in f"\n{_head(path)}"


def _head(path: Path) -> str:
    """Give the beginning of a text; what is no UTF-8 or cut short is said when the text is read."""
    lines, size = [], 0
    with opened_text(path, errors="replace") as file, suppress(EOFError, zlib.error, gzip.BadGzipFile):
        while size < _HEAD and (line := file.readline(_HEAD)):
            lines.append(line)
            size += len(line)
    return "".join(lines)


def _known(path: Path, asked: Reading) -> tuple[str, _Found] | None:
    """Give the separator of a text and its format."""
    head = _head(path)
    lower = head.lower()
    marked: dict[str, Callable[[], bool]] = {
        "rcc": lambda: head.lstrip("\ufeff\r\n ").startswith("<Header>"),
        "htseq": lambda: _COUNT_LINE.match(head) is not None and _is_htseq(path),
        "mirgff3": lambda: f"\n{headed.MIRGFF3_MARK}" in f"\n{lower}",
    }
    for key, is_marked in marked.items():
        if asked.format in (None, key) and is_marked():
            return "", _Found(key)
    named = any(all(word in lower for word in words) for words in _WORDS) or any(mark in lower for mark in _MARKS)
    if named or asked.format or any(form.begins and lower.startswith(form.begins) for form in WIDE.values()):
        for separator, rows in _split(head):
            if (found := _recognised(rows, asked)) is not None:
                return separator, found
    return None


def _is_htseq(path: Path) -> bool:
    with opened_text(path, errors="replace") as file, suppress(EOFError, zlib.error, gzip.BadGzipFile):
        return any(line.startswith(("__no_feature\t", "__not_aligned\t")) for line in file)
    return False


def _split(text: str) -> Iterator[tuple[str, list[tuple[int, list[str]]]]]:
    """Split the first lines of a text by each separator that tables have."""
    lines = text.splitlines()[:_LINES]
    for separator in ("\t", ",", ";"):
        rows = []
        for i, line in enumerate(lines):
            try:
                cells = next(csv.reader([line], delimiter=separator), [""]) if '"' in line else line.split(separator)
            except csv.Error:
                cells = [line]
            if any(cells):
                rows.append((i + 1, cells))
        yield separator, rows


def _recognised(head: Head, asked: Reading) -> _Found | None:
    """Recognise a format; None for a plain table, and where the user named another format."""
    for i, (line, cells) in enumerate(head[:_LINES]):
        if cells[0].strip() == headed.ADAT_BEGIN and asked.format in (None, "adat"):
            return _Found("adat")
        header = tuple(cell.strip() for cell in cells)
        key = _format_of(header, head, i, asked.format)
        if key:
            return _Found(key, line, header)
    return None


def _format_of(header: Sequence[str], head: Head, i: int, only: str | None) -> str:
    if len(header) < 2:
        return ""
    if i + 1 < len(head) and head[i + 1][1][0].startswith(molecules_in_rows.PERSEUS_MARK) and only in (None, "perseus"):
        return "perseus"
    lower = {cell.lower() for cell in header}
    for key, form in WIDE.items():
        if only not in (None, key) or not (lower.issuperset(form.needs) or (only == key and form.begins)):
            continue
        marked = not form.marker or any(cells[0].strip() == form.marker for _, cells in head[:i])
        if (
            marked
            and molecules_in_rows.fits(header, form)
            and (only or form.below([cells for _, cells in head[i + 1 :]]))
        ):
            return key
    return next((key for key, form in LONG.items() if only in (None, key) and measurements.fits(header, form)), "")
