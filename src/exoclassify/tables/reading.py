"""Read a table from a file, whatever its format."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from itertools import chain, islice
from pathlib import Path
from typing import TYPE_CHECKING
from zipfile import ZipFile

import numpy as np

from exoclassify.errors import InputError, first_three
from exoclassify.tables.asked import AS_WRITTEN, Reading
from exoclassify.tables.columns import read_table
from exoclassify.tables.csv import begin_of, every_row, opened_text
from exoclassify.tables.csv import read_rows as read_text
from exoclassify.tables.field.recognise import LOOKED_AT, field_reader, is_series
from exoclassify.tables.opening import COLUMNS, SUFFIXES, TEXT, checked_suffix, reading_file, suffix_of
from exoclassify.tables.sources import Source
from exoclassify.tables.whole import sheet_from_columns, sheet_from_rows, wide_from_columns, wide_from_rows
from exoclassify.tables.wide import WideTable

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["SUFFIXES", "WideTable", "is_of_the_field", "read_sheet", "read_wide"]


def read_wide(path: Path, asked: Reading = AS_WRITTEN) -> WideTable:
    """Read a table of numbers with names in its first column and its header, or of one of the field's formats.

    Parameters
    ----------
    path : path
        Ends in one of `SUFFIXES`; or a folder of .RCC files or of counts that htseq-count wrote.

    Notes
    -----
    A .csv with semicolons or tabs is read as such. Decimal commas are read where all numbers of the table settle them.
    """
    path = Path(path)
    if path.is_dir():
        return _folder(path, asked)
    with reading_file(path):
        suffix = checked_suffix(path)
        read = field_reader(path, suffix, asked)
        if read is not None:
            return read()
        if suffix in COLUMNS:
            return wide_from_columns(read_table(Source.local(path)), path.name, asked)
        rows, notes = _rows(path, asked.sheet)
        wide = wide_from_rows(rows, path.name, asked)
        if suffix == ".xlsx" and np.isnan(wide.cells).all() and _has_formulas(path):
            raise InputError(
                f"{path.name}: holds formulas without their values; open it in the spreadsheet program and save it"
            )
        return replace(wide, notes=(*notes, *wide.notes))


def is_of_the_field(path: Path, asked: Reading = AS_WRITTEN) -> bool:
    """Say whether a file is to be read as one of the field's formats, which are read whole."""
    with reading_file(path):
        return field_reader(path, suffix_of(path.name), asked) is not None


def read_sheet(path: Path, sheet: str | None = None) -> pd.DataFrame:
    """Read a table of texts, such as a sample sheet.

    Parameters
    ----------
    path : path
        As for `read_wide`; of a GEO series matrix what it says of its samples.

    Returns
    -------
    DataFrame
        Every column as texts of dtype object, None for missing marks (empty, NA, NaN, nan, null, None, #N/A
        and a dot; ``none`` is a text). No column is made the index. Names that come twice are kept twice.
    """
    path = Path(path)
    with reading_file(path):
        suffix = checked_suffix(path)
        if suffix in TEXT and is_series(path):
            from exoclassify.tables.field.headed import sheet_of_series

            return sheet_of_series(every_row(lambda: opened_text(path), "\t", path.name), path.name)
        if suffix in COLUMNS:
            return sheet_from_columns(read_table(Source.local(path)), path.name)
        return sheet_from_rows(_rows(path, sheet)[0], path.name)


def _folder(path: Path, asked: Reading) -> WideTable:
    from exoclassify.tables.field.headed import joined

    files = sorted(file for file in path.iterdir() if file.is_file() and not file.name.startswith("."))
    lanes = []
    for file in files:
        if suffix_of(file.name) in TEXT:
            with reading_file(file):
                read = field_reader(file, checked_suffix(file), asked)
                found = None if read is None else read()
            if found is not None and len(found.row_ids) == 1:
                lanes.append(found)
    return joined(lanes, path.name)


def _rows(path: Path, sheet: str | None) -> tuple[Iterator[tuple[int, list[str]]], list[str]]:
    """Give the rows of a text or of a workbook's sheet, and which sheet was chosen."""
    if suffix_of(path.name) in TEXT:
        return read_text(path), []
    from exoclassify.tables.xlsx import heads, read_rows  # openpyxl is imported with the file that needs it

    sheets = heads(path, LOOKED_AT)
    chosen, notes = sheet, []
    if sheet is None and len(sheets) > 1:
        tables = [name for name, head in sheets if _is_table([cells for _, cells in head])]
        if len(tables) != 1:
            raise InputError(
                f"{path.name}: has {len(sheets)} sheets ({first_three(name for name, _ in sheets)}), and {len(tables)} of them "
                "hold a table; say which with --sheet"
            )
        chosen, notes = tables[0], [f"read from sheet {tables[0]} of {len(sheets)}"]
    rows = read_rows(path, chosen)
    first = list(islice(rows, LOOKED_AT))
    return chain(first[begin_of([cells for _, cells in first], "\t") :], rows), notes


def _has_formulas(path: Path) -> bool:
    with ZipFile(path) as book:
        sheets = (book.read(name) for name in book.namelist() if name.startswith("xl/worksheets/"))
        return any(b"<f>" in sheet or b"<f " in sheet for sheet in sheets)


def _is_table(rows: list[list[str]]) -> bool:
    wide = sum(sum(map(bool, cells)) > 1 for cells in rows)
    return wide > 1 and wide * 2 > len(rows)
