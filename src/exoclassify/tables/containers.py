"""Tables of the field's formats, whatever container they are in: text, workbook, Parquet or Arrow."""

from __future__ import annotations

import gzip
import re
import zlib
from collections.abc import Iterator
from contextlib import closing, suppress
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from exoclassify.errors import InputError
from exoclassify.tables.asked import Reading
from exoclassify.tables.cells import as_text
from exoclassify.tables.csv import every_row, opened_text
from exoclassify.tables.field import isomirs, lanes, perseus, series, somascan
from exoclassify.tables.field.formats import FORMATS, LONG, WIDE
from exoclassify.tables.field.recognise import Found, recognised, split_head
from exoclassify.tables.wide import WideTable

if TYPE_CHECKING:
    import pyarrow as pa

__all__ = ["field_columns", "field_text", "field_workbook", "is_excerpt", "known_text", "rows_of", "series_sheet"]

_HEAD = 1 << 20
_COUNT_LINE = re.compile(r"[^\t\n]+\t\d+\r?\n")
_RCC = "<Header>"
_EXCERPT = re.compile(r"excerpt_\w*readcounts?\b", re.IGNORECASE)
_WORDS = [form.needs for form in WIDE.values()] + [form.known_by for form in LONG.values()]
_MARKS = (somascan.BEGIN.lower(), perseus.MARK.lower(), series.BEGIN)


def _head(path: Path) -> str:
    """Give the beginning of a text; what is no UTF-8 or cut short is said when the text is read."""
    lines, size = [], 0
    with opened_text(path, errors="replace") as file, suppress(EOFError, zlib.error, gzip.BadGzipFile):
        while size < _HEAD and (line := file.readline(_HEAD)):
            lines.append(line)
            size += len(line)
    return "".join(lines)


def field_text(path: Path, asked: Reading) -> WideTable | None:
    """Read a text of one of the field's formats."""
    if asked.format == "plain" or is_excerpt(path, asked):
        return None
    found = _known(path, asked)
    if found is None:
        _refuse(asked, path.name)
        return None
    separator, known = found
    if known.key in _OF_TEXT:
        with opened_text(path) as file:
            text = file.read()
        return _OF_TEXT[known.key](text, path.name)
    with closing(every_row(partial(opened_text, path), separator, str(path))) as rows:
        return known.read(rows, path.name, asked)


_OF_TEXT = {"rcc": lanes.read_rcc, "htseq": lanes.read_htseq, "mirgff3": isomirs.read_mirgff3}


def is_excerpt(path: Path, asked: Reading) -> bool:
    """Say whether a table is one of exceRpt's, whose reads are shared among miRNAs; nothing but its name says so."""
    return asked.format == "excerpt" or (asked.format is None and _EXCERPT.match(path.name) is not None)


def _known(path: Path, asked: Reading) -> tuple[str, Found] | None:
    head = _head(path)
    if asked.format in (None, "rcc") and head.lstrip("\ufeff\r\n ").startswith(_RCC):
        return "", Found("rcc", 0, ())
    if asked.format in (None, "htseq") and _COUNT_LINE.match(head) and _is_htseq(path):
        return "", Found("htseq", 0, ())
    lower = head.lower()
    if asked.format in (None, "mirgff3") and (lower.startswith(isomirs.MARK) or f"\n{isomirs.MARK}" in lower):
        return "", Found("mirgff3", 0, ())
    if any(all(word in lower for word in words) for words in _WORDS) or any(mark in lower for mark in _MARKS):
        for separator, rows in split_head(head):
            if (found := recognised(rows, asked)) is not None:
                return separator, found
    return None


def known_text(path: Path, asked: Reading) -> bool:
    """Say whether a text is of one of the field's formats."""
    if asked.format == "plain" or is_excerpt(path, asked):
        return asked.format != "plain"
    found = _known(path, asked)
    if found is None:
        _refuse(asked, path.name)
    return found is not None


def _is_htseq(path: Path) -> bool:
    with opened_text(path, errors="replace") as file, suppress(EOFError, zlib.error, gzip.BadGzipFile):
        return any(line.startswith(("__no_feature\t", "__not_aligned\t")) for line in file)
    return False


def _refuse(asked: Reading, source: str) -> None:
    if asked.format is None:
        return
    if asked.format not in FORMATS:
        raise InputError(f"{source}: there is no format {asked.format}; expected one of {', '.join(FORMATS)}")
    raise InputError(
        f"{source}: is no table of the format {asked.format}: no line has its header; leave the format out"
    )


def field_workbook(
    sheets: list[tuple[str, list[tuple[int, list[str]]]]], asked: Reading, source: str
) -> tuple[str, Found] | None:
    """Find the sheet of a workbook that is of one of the field's formats."""
    if asked.format == "plain":
        return None
    found = [(name, known) for name, head in sheets if (known := recognised(head, asked)) is not None]
    if not found:
        _refuse(asked, source)
        return None
    if len(found) > 1:
        names = ", ".join(name for name, _ in found)
        raise InputError(f"{source}: {len(found)} of its sheets hold a table ({names}); say which with --sheet")
    return found[0]


def field_columns(names: list[str], asked: Reading, source: str) -> Found | None:
    """Recognise the columns of a Parquet or Arrow file."""
    if asked.format == "plain":
        return None
    found = recognised([(1, names)], asked)
    if found is None:
        _refuse(asked, source)
    return found


def rows_of(table: pa.Table) -> Iterator[tuple[int, list[str]]]:
    """Give the rows of typed columns as texts, as a CSV file would have them."""
    line = 1
    for batch in table.to_batches(10_000):
        columns = [[as_text(value) for value in column.to_pylist()] for column in batch.columns]
        for cells in zip(*columns, strict=True):
            line += 1
            yield line, list(cells)


def series_sheet(path: Path) -> bool:
    """Say whether a text is a GEO series matrix, which has a sheet of its samples."""
    head = _head(path)
    return f"\n{series.MARK}" in head or head.startswith(series.MARK)
