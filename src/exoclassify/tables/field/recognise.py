"""Which format of the field a file has, by its first lines."""

from __future__ import annotations

import csv
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

from exoclassify.tables.asked import Reading
from exoclassify.tables.field import measurements, molecules_in_rows, perseus, somascan
from exoclassify.tables.field.formats import LONG, WIDE
from exoclassify.tables.wide import WideTable

__all__ = ["Found", "recognised", "split_head"]

Rows = Iterator[tuple[int, list[str]]]
Head = Sequence[tuple[int, list[str]]]

_LINES = 400
"""Lines of a preamble, and some."""


@dataclass(frozen=True)
class Found:
    """A format, and where its header is.

    Parameters
    ----------
    key : str
        Of `exoclassify.tables.field.formats.FORMATS`.
    line : int
        Of the header, from 1; 0 where the format has none.
    header : tuple of str
        Stripped.
    """

    key: str
    line: int
    header: tuple[str, ...]

    def read(self, rows: Rows, source: str, asked: Reading) -> WideTable:
        """Read the table."""
        if self.key == "adat":
            return somascan.read_adat(rows, source)
        below = ((line, cells) for line, cells in rows if line > self.line)
        if self.key == "perseus":
            return perseus.read_perseus(below, self.header, source)
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


def recognised(head: Head, asked: Reading) -> Found | None:
    """Recognise a format.

    Returns
    -------
    Found or None
        None for a plain table, and where the user named another format.
    """
    for i, (line, cells) in enumerate(head[:_LINES]):
        if cells[0].strip() == somascan.BEGIN and asked.format in (None, "adat"):
            return Found("adat", 0, ())
        header = tuple(cell.strip() for cell in cells)
        key = _format_of(header, head, i, asked.format)
        if key:
            return Found(key, line, header)
    return None


def _format_of(header: Sequence[str], head: Head, i: int, only: str | None) -> str:
    if len(header) < 2:
        return ""
    if i + 1 < len(head) and head[i + 1][1][0].startswith(perseus.MARK) and only in (None, "perseus"):
        return "perseus"
    lower = {cell.lower() for cell in header}
    fits: dict[str, Callable[[], bool]] = {
        **{
            key: lambda form=form: molecules_in_rows.fits(header, form)  # type: ignore[misc]
            for key, form in WIDE.items()
            if lower.issuperset(form.needs) and (not form.marker or _said(head[:i], form.marker))
        },
        **{key: lambda form=form: measurements.fits(header, form) for key, form in LONG.items()},  # type: ignore[misc]
    }
    return next((key for key, fit in fits.items() if only in (None, key) and fit()), "")


def _said(head: Head, marker: str) -> bool:
    return any(cells[0].strip() == marker for _, cells in head)


def split_head(text: str) -> list[tuple[str, list[tuple[int, list[str]]]]]:
    """Split the first lines of a text by each separator that tables have."""
    lines = text.splitlines()[:_LINES]
    found = []
    for separator in ("\t", ",", ";"):
        rows = []
        for i, line in enumerate(lines):
            try:
                cells = next(csv.reader([line], delimiter=separator), [""]) if '"' in line else line.split(separator)
            except csv.Error:
                cells = [line]
            if cells and any(cells):
                rows.append((i + 1, cells))
        found.append((separator, rows))
    return found
