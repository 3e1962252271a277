"""Read a table from a file, whatever its format."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from itertools import chain, islice
from pathlib import Path

import numpy as np
import pandas as pd

from exoclassify.errors import InputError, first_three
from exoclassify.tables.asked import AS_WRITTEN, Reading
from exoclassify.tables.columns import column_names, read_table
from exoclassify.tables.opening import COLUMNS, SUFFIXES, TEXT, checked_suffix, reading_file, suffix_of
from exoclassify.tables.sources import Source
from exoclassify.tables.whole import sheet_from_columns, sheet_from_rows, wide_from_columns, wide_from_rows
from exoclassify.tables.wide import WideTable

__all__ = ["SUFFIXES", "WideTable", "is_of_the_field", "read_sheet", "read_wide"]


def read_wide(path: Path, asked: Reading = AS_WRITTEN) -> WideTable:
    """Read a table of numbers with names in its first column and its header, or of one of the field's formats.

    Parameters
    ----------
    path : path
        Ends in .csv, .tsv or .txt (also .gz), .parquet, .arrow, .feather, .ipc, .xlsx, .adat or .rcc; or a folder of .RCC
        files or of counts that htseq-count wrote.

    Notes
    -----
    A .csv with semicolons or tabs is read as such. Decimal commas are read where all numbers of the table settle them.
    """
    path = Path(path)
    if path.is_dir():
        return _folder(path, asked)
    with reading_file(path):
        suffix = checked_suffix(path)
        found = _of_the_field(path, suffix, asked)
        if found is not None:
            return found
        from exoclassify.tables.containers import is_excerpt

        if suffix in COLUMNS:
            return wide_from_columns(read_table(Source.local(path)), path.name, asked)
        rows, notes = _rows(path, asked.sheet)
        wide = wide_from_rows(rows, path.name, asked)
        if is_excerpt(path, asked):
            notes = ["read as exceRpt: reads shared among miRNAs were rounded to whole ones"]
            wide = replace(wide, cells=np.rint(wide.cells), units=("counts",))
        return replace(wide, notes=(*notes, *wide.notes))


def is_of_the_field(path: Path, asked: Reading = AS_WRITTEN) -> bool:
    """Say whether a file is to be read as one of the field's formats, which are read whole."""
    with reading_file(path):
        return _known_format(path, suffix_of(path.name), asked)


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
        if suffix in TEXT and (found := _series(path)) is not None:
            return found
        if suffix in COLUMNS:
            return sheet_from_columns(read_table(Source.local(path)), path.name)
        return sheet_from_rows(_rows(path, sheet)[0], path.name)


# openpyxl is imported with the file that needs it: most runs read CSV.


def _folder(path: Path, asked: Reading) -> WideTable:
    from exoclassify.tables.field.lanes import joined

    files = sorted(file for file in path.iterdir() if file.is_file() and not file.name.startswith("."))
    lanes = []
    for file in files:
        if suffix_of(file.name) not in TEXT:
            continue
        with reading_file(file):
            found = _of_the_field(file, checked_suffix(file), asked)
        if found is not None and len(found.row_ids) == 1:
            lanes.append(found)
    return joined(lanes, path.name)


def _known_format(path: Path, suffix: str, asked: Reading) -> bool:
    from exoclassify.tables import containers

    if suffix in TEXT:
        return containers.known_text(path, asked)
    if suffix in COLUMNS:
        return containers.field_columns(column_names(Source.local(path)), asked, path.name) is not None
    return False


def _of_the_field(path: Path, suffix: str, asked: Reading) -> WideTable | None:
    from exoclassify.tables import containers

    if suffix in TEXT:
        return containers.field_text(path, asked)
    if suffix in COLUMNS:
        found = containers.field_columns(column_names(Source.local(path)), asked, path.name)
        if found is None:
            return None
        return found.read(containers.rows_of(read_table(Source.local(path), found.columns)), path.name, asked)
    from exoclassify.tables.xlsx import heads, read_rows

    sheets = [(name, head) for name, head in heads(path, _LOOKED_AT) if asked.sheet in (None, name)]
    of_book = containers.field_workbook(sheets, asked, path.name)
    return None if of_book is None else of_book[1].read(read_rows(path, of_book[0]), path.name, asked)


def _series(path: Path) -> pd.DataFrame | None:
    from exoclassify.tables import containers
    from exoclassify.tables.csv import every_row, opened_text
    from exoclassify.tables.field.series import sheet_of_series

    if not containers.series_sheet(path):
        return None
    return sheet_of_series(every_row(lambda: opened_text(path), "\t", path.name), path.name)


def _rows(path: Path, sheet: str | None) -> tuple[Iterator[tuple[int, list[str]]], list[str]]:
    """Give the rows of a text or of a workbook's sheet, and which sheet was chosen."""
    if suffix_of(path.name) in TEXT:
        from exoclassify.tables.csv import read_rows

        return read_rows(path), []
    from exoclassify.tables.csv import begin_of
    from exoclassify.tables.xlsx import heads
    from exoclassify.tables.xlsx import read_rows as read_workbook

    sheets = heads(path, _LOOKED_AT)
    chosen, notes = sheet, []
    if sheet is None and len(sheets) > 1:
        tables = [name for name, head in sheets if _is_table([cells for _, cells in head])]
        if len(tables) != 1:
            raise InputError(
                f"{path.name}: has {len(sheets)} sheets ({first_three(name for name, _ in sheets)}), and {len(tables)} of them "
                "hold a table; say which with --sheet"
            )
        chosen, notes = tables[0], [f"read from sheet {tables[0]} of {len(sheets)}"]
    rows = read_workbook(path, chosen)
    first = list(islice(rows, _LOOKED_AT))
    return chain(first[begin_of([cells for _, cells in first], "\t") :], rows), notes


def _is_table(rows: list[list[str]]) -> bool:
    filled = [sum(map(bool, cells)) for cells in rows]
    return sum(n > 1 for n in filled) > 1 and sum(n > 1 for n in filled) * 2 > len(rows)


_LOOKED_AT = 60
"""Rows of each sheet."""
