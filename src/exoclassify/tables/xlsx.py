"""Excel workbooks (.xlsx): the first sheet."""

from __future__ import annotations

import struct
import warnings
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from zipfile import BadZipFile

import openpyxl

from exoclassify.errors import FileError
from exoclassify.tables.cells import as_text, is_blank

__all__ = ["read_rows"]

# What zipfile, the XML parsers (whose errors are SyntaxErrors) and openpyxl raise on damaged workbooks.
_UNSOUND = (
    BadZipFile,
    SyntaxError,
    LookupError,
    ValueError,
    TypeError,
    AttributeError,
    ArithmeticError,
    RuntimeError,
    struct.error,
)


def read_rows(path: Path) -> Iterator[tuple[int, list[str]]]:
    """Read the first sheet row by row.

    Parameters
    ----------
    path : path
        The workbook.

    Yields
    ------
    line : int
        Row of the sheet, from 1.
    cells : list of str
        As a CSV file would have them, the header first; of a formula the value that Excel last saw. Empty
        cells at the end are filled up, or left out, to the width of the header.

    Raises
    ------
    FileError
        If the file is no sound workbook or has no sheet.
    """
    try:
        with _quiet():
            book = openpyxl.load_workbook(path, read_only=True, data_only=True)
        with closing(book):
            yield from _rows(book)
    except _UNSOUND as error:
        raise FileError(f"{path}: is no sound workbook ({error}); save it anew as .xlsx") from error


@contextmanager
def _quiet() -> Iterator[None]:
    """Without warnings of styles, validation rules and dates that openpyxl does not keep."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        yield


def _rows(book: openpyxl.Workbook) -> Iterator[tuple[int, list[str]]]:
    if not book.worksheets:
        raise ValueError("it has no sheet")
    sheet = book.worksheets[0]
    sheet.reset_dimensions()  # programs other than Excel write them wrong
    rows = sheet.iter_rows(values_only=True)
    width = line = 0
    while True:
        with _quiet():
            row = next(rows, None)
        if row is None:
            return
        line += 1
        cells = [as_text(value) for value in row]
        if is_blank(cells):
            continue
        while cells and not cells[-1]:
            cells.pop()
        width = width or len(cells)
        yield line, cells + [""] * (width - len(cells))
