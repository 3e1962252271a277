"""Text tables: CSV and TSV, also in gzip."""

from __future__ import annotations

import csv
import io
from collections.abc import Callable, Generator, Iterator
from contextlib import closing, contextmanager
from itertools import chain, islice
from pathlib import Path
from typing import TextIO

from exoclassify.errors import FileError
from exoclassify.tables.cells import is_blank
from exoclassify.tables.opening import opened as opened_file

__all__ = [
    "SEPARATORS", "Opened", "begin_of", "every_row", "opened_text", "read_rows", "rows_of_text", "separator_and_rows",
]  # fmt: skip

Opened = Callable[[], TextIO]
"""Opens a text anew, at its beginning."""

# What may separate cells under each suffix, in the order tried: spreadsheets that write decimal commas write
# semicolons into a .csv.
_ANY = ("\t", ",", ";", "|", " ")  # the last is that of R's write.table
SEPARATORS = {
    ".csv": (",", ";", "\t", "|"),
    ".tsv": ("\t",),
    **dict.fromkeys((".txt", ".adat", ".rcc", ".gff", ".gff3"), _ANY),
}


def read_rows(path: Path) -> Iterator[tuple[int, list[str]]]:
    """Read a text table row by row.

    Parameters
    ----------
    path : path
        Ends in .csv, .tsv or .txt, or in one of these and .gz or .zst. UTF-8, or UTF-16 with its mark.

    Yields
    ------
    cells : list of str
        As written, the header first. A header without a cell above the row names, as R's ``write.table``
        makes with tabs, has an empty cell put before it.
    """
    suffix = next(s.lower() for s in reversed(path.suffixes) if s.lower() not in (".gz", ".zst"))
    with closing(separator_and_rows(lambda: opened_text(path), suffix, str(path))[1]) as rows:
        yield from rows


def separator_and_rows(
    opened: Opened, suffix: str, source: str
) -> tuple[str, Generator[tuple[int, list[str]], None, None]]:
    """Find the separator of a text table and read it row by row."""
    separator = _separator(opened, SEPARATORS[suffix])
    return separator, _headed(opened, separator, source)


def rows_of_text(text: str, separator: str, source: str) -> Generator[tuple[int, list[str]], None, None]:
    """Split a text without a header into rows, by the rules that files are read by."""
    with _quotes_that_match(source):
        yield from _rows(lambda: io.StringIO(text, newline=""), separator)


def every_row(opened: Opened, separator: str, source: str) -> Generator[tuple[int, list[str]], None, None]:
    """Split all lines of a text, also those before its table."""
    with _quotes_that_match(source), closing(_rows(opened, separator)) as rows:
        yield from rows


def _headed(opened: Opened, separator: str, source: str) -> Generator[tuple[int, list[str]], None, None]:
    with _quotes_that_match(source), closing(_rows(opened, separator)) as rows:
        first = list(islice(rows, _FIRST))
        first = first[begin_of([cells for _, cells in first], separator) :]
        if len(first) > 1 and _lacks_corner(separator, *(cells for _, cells in first[:2])):
            first[0][1].insert(0, "")
        elif len(first) > 1 and all(len(cells) == len(first[0][1]) + 1 and not cells[-1] for _, cells in first[1:]):
            first[0][1].append("")  # a separator at the end of every row, and none at that of the header
        yield from first
        yield from rows


def begin_of(rows: list[list[str]], separator: str) -> int:
    """Find where a table begins below a title or remarks.

    Returns
    -------
    int
        Position of the header: 0, or behind rows of at most two filled cells, or of half of the table's cells.
    """
    widths = [len(cells) for cells in rows]
    begin = widths.index(max(widths)) if rows else 0
    far = all(cells[0].startswith(("#", "!")) or 2 * len(cells) <= widths[begin] for cells in rows[:begin])
    even = widths[begin:].count(max(widths, default=0))
    if begin > 0 and far and even > max(1, (len(rows) - begin) / 2) and not any(map(_is_plain_number, rows[begin][1:])):
        return begin
    for i, cells in enumerate(rows[:-1]):
        even = len(cells) == len(rows[i + 1]) or _lacks_corner(separator, cells, rows[i + 1])
        filled = sum(bool(cell.strip()) for cell in cells)
        remark = cells[0].startswith(("#", "!", "*")) and len(cells) < len(rows[i + 1])
        if filled > _REMARK_CELLS and not remark:
            return i if even else 0
        if even and len(cells) > 1 and 2 * filled >= len(cells):
            return i
    return 0


def _is_plain_number(cell: str) -> bool:
    return cell.strip().replace(".", "", 1).isdigit()


_FIRST = 60
"""Rows among which a table begins."""

_REMARK_CELLS = 2
"""A row of a title or of remarks fills no more cells."""


@contextmanager
def _quotes_that_match(source: str) -> Iterator[None]:
    try:
        yield
    except csv.Error as error:
        raise FileError(f"{source}: its quotes do not match: {error}; correct that line") from error


def _separator(opened: Opened, candidates: tuple[str, ...]) -> str:
    """Find what gives header and first row the same number of cells, more than one, if need be below a title."""
    split = {s: rows for s, rows in _first_rows(opened, candidates, 2).items() if rows and len(rows[0]) > 1}
    for separator, (header, *row) in split.items():
        if not row or len(row[0]) == len(header) or _lacks_corner(separator, header, row[0]):
            return separator
    more = {} if split else _first_rows(opened, candidates, _FIRST)
    titled = [separator for separator, rows in more.items() if begin_of(rows, separator)]
    return next(iter([*split, *titled]), candidates[0])


def _first_rows(opened: Opened, candidates: tuple[str, ...], n: int) -> dict[str, list[list[str]]]:
    found = {}
    for separator in candidates:
        try:
            with closing(_rows(opened, separator)) as read:
                found[separator] = [cells for _, cells in islice(read, n)]
        except csv.Error:
            continue  # quotes that match with another separator
    return found


def _lacks_corner(separator: str, header: list[str], row: list[str]) -> bool:
    # With commas the same sign is a decimal comma or a comma at the end of the line, and no header is short.
    return separator in "\t " and len(row) == len(header) + 1 and bool(row[-1].strip())


def _rows(opened: Opened, separator: str) -> Generator[tuple[int, list[str]], None, None]:
    n_lines = 0
    with opened() as file:
        for line in file:
            if '"' in line:  # the csv module takes the lines it needs, for a quoted cell can hold a line's end
                reader = csv.reader(chain([line], file), delimiter=separator, strict=True)
                try:
                    cells = next(reader)
                except csv.Error as error:
                    raise csv.Error(f"line {n_lines + reader.line_num}: {error}") from error
                n_lines += reader.line_num
            else:  # three times as fast
                cells = line.rstrip("\r\n").split(separator)
                n_lines += 1
            if not is_blank(cells):
                yield n_lines, cells


def opened_text(path: Path, errors: str = "strict") -> TextIO:
    """Open a text, unpacked, in its encoding.

    Parameters
    ----------
    errors : str, default "strict"
        What is done about bytes that are no characters, as `open` has it.
    """
    with opened_file(path) as file:
        head = file.read(2)
    encoding = "utf-16" if head in (b"\xff\xfe", b"\xfe\xff") else "utf-8-sig"
    return io.TextIOWrapper(opened_file(path), encoding=encoding, errors=errors, newline="")
