"""Read a table from a file, whatever its format."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pandas as pd

from exoclassify.errors import FileError
from exoclassify.tables.from_rows import sheet_from_rows, wide_from_rows
from exoclassify.tables.opening import check_content, check_file, reading_file
from exoclassify.tables.wide import WideTable

if TYPE_CHECKING:
    import pyarrow as pa

__all__ = ["SUFFIXES", "WideTable", "checked_suffix", "read_sheet", "read_wide"]

_TEXT = (".csv", ".tsv", ".txt", ".csv.gz", ".tsv.gz", ".txt.gz")
_ROWS = (*_TEXT, ".xlsx")
_ARROW = (".arrow", ".feather", ".ipc")
_COLUMNS = (".parquet", *_ARROW)
SUFFIXES = (*_ROWS, *_COLUMNS)

_STARTS = {
    ".xlsx": (b"PK\x03\x04",),
    ".parquet": (b"PAR1",),
    **dict.fromkeys(_ARROW, (b"ARROW1", b"\xff\xff\xff\xff")),  # a file, a stream
}


def read_wide(path: Path) -> WideTable:
    """Read a table of numbers with names in its first column and its header.

    Parameters
    ----------
    path : path
        Ends in .csv, .tsv or .txt (also .gz), .parquet, .arrow, .feather, .ipc or .xlsx (first sheet).

    Returns
    -------
    WideTable
        Rows without any cell are left out.

    Raises
    ------
    FileError
        If the file is missing, empty, a folder, of no known suffix, not what its suffix says, or damaged.
    InputError
        If it has no row or no column, or rows of unequal length.

    Notes
    -----
    A .csv with semicolons or tabs is read as such. Decimal commas are not: ``1,5`` is a text.
    """
    path = Path(path)
    with reading_file(path):
        if checked_suffix(path) in _ROWS:
            return wide_from_rows(_rows(path), path.name)
        from exoclassify.tables.from_columns import wide_from_columns

        return wide_from_columns(_table(path), path.name)


def read_sheet(path: Path) -> pd.DataFrame:
    """Read a table of texts, such as a sample sheet.

    Parameters
    ----------
    path : path
        As for `read_wide`.

    Returns
    -------
    DataFrame
        Every column as texts of dtype object, None for missing marks (empty, NA, NaN, nan, null, None, #N/A
        and a dot; ``none`` is a text). No column is made the index. Names that come twice are kept twice.

    Raises
    ------
    FileError
        If the file is missing, empty, a folder, of no known suffix, not what its suffix says, or damaged.
    InputError
        If it has no row, or rows of unequal length.
    """
    path = Path(path)
    with reading_file(path):
        if checked_suffix(path) in _ROWS:
            return sheet_from_rows(_rows(path), path.name)
        from exoclassify.tables.from_columns import sheet_from_columns

        return sheet_from_columns(_table(path), path.name)


def checked_suffix(path: Path) -> str:
    """Hold a file's first bytes against its ending.

    Parameters
    ----------
    path : path
        The file.

    Returns
    -------
    str
        One of `SUFFIXES`.

    Raises
    ------
    FileError
        If there is no such file, or it is empty, of no known ending, or not what its ending says.
    """
    check_file(path)
    suffix = _suffix(path)
    if suffix not in SUFFIXES:
        raise FileError(f"{path}: its ending is none of those known here ({', '.join(SUFFIXES)})")
    check_content(path, _STARTS.get(suffix, ()))
    return suffix


def _suffix(path: Path) -> str:
    suffixes = [suffix.lower() for suffix in path.suffixes]
    return "".join(suffixes[-2:]) if suffixes[-1:] == [".gz"] else "".join(suffixes[-1:])


# openpyxl and pyarrow.parquet are imported with the file that needs them: most runs read CSV.


def _rows(path: Path) -> Iterator[tuple[int, list[str]]]:
    if _suffix(path) in _TEXT:
        from exoclassify.tables.csv import read_rows

        return read_rows(path)
    from exoclassify.tables.xlsx import read_rows as read_workbook

    return read_workbook(path)


def _table(path: Path) -> pa.Table:
    read: Callable[[Path], pa.Table]
    if _suffix(path) in _ARROW:
        from exoclassify.tables.arrow import read_table as read
    else:
        from exoclassify.tables.parquet import read_table as read
    return read(path)
