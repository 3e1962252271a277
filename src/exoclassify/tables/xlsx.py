"""Excel workbooks (.xlsx)."""

from __future__ import annotations

import struct
import warnings
from collections.abc import Iterator
from contextlib import closing, contextmanager
from itertools import islice
from pathlib import Path
from zipfile import BadZipFile, ZipFile

import openpyxl

from exoclassify.errors import FileError
from exoclassify.tables.cells import as_text, is_blank

__all__ = ["heads", "read_rows"]

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

_MOST, _MOST_TEXTS = 2**30, 10**8
"""Bytes that a workbook may unpack to, and its table of texts, which is held in memory: some 20 million cells."""

_TITLE_CELLS = 2
"""A row of a title or of remarks fills no more."""


def read_rows(path: Path, sheet: str | None = None) -> Iterator[tuple[int, list[str]]]:
    """Read one sheet row by row.

    Yields
    ------
    cells : list of str
        As a CSV file would have them, the header first; of a formula the value that Excel last saw. Empty
        cells at the end are filled up, or left out, to the width of the header.
    """
    with _opened(path) as book:
        if sheet is not None and sheet not in book.sheetnames:
            raise FileError(f"{path}: has no sheet {sheet}; its sheets are {', '.join(book.sheetnames)}")
        yield from _rows(book, book.sheetnames[0] if sheet is None else sheet)


def heads(path: Path, n: int) -> list[tuple[str, list[tuple[int, list[str]]]]]:
    """Read the first rows of every sheet."""
    with _opened(path) as book:
        return [(name, list(islice(_rows(book, name), n))) for name in book.sheetnames]


@contextmanager
def _opened(path: Path) -> Iterator[openpyxl.Workbook]:
    try:
        _check_size(path)
        with _quiet():
            book = openpyxl.load_workbook(path, read_only=True, data_only=True)
        with closing(book):
            if not book.worksheets:
                raise ValueError("it has no sheet")
            yield book
    except FileError:
        raise
    except _UNSOUND as error:
        raise FileError(f"{path}: is no sound workbook ({error}); save it anew as .xlsx") from error


def _check_size(path: Path) -> None:
    """Refuse what unpacks to more than memory and time allow; the sizes in the directory are those that are unpacked."""
    with ZipFile(path) as archive:
        sizes = {part.filename: part.file_size for part in archive.infolist()}
    texts = sum(size for name, size in sizes.items() if "sharedstrings" in name.lower())
    if sum(sizes.values()) > _MOST or texts > _MOST_TEXTS:
        raise FileError(
            f"{path}: unpacks to {sum(sizes.values()) / 1e9:.1f} GB, more than a workbook is read with "
            f"({_MOST / 1e9:.1f} GB, {_MOST_TEXTS / 1e9:.1f} GB of texts); save the sheet as CSV or Parquet"
        )


@contextmanager
def _quiet() -> Iterator[None]:
    """Without warnings of styles, validation rules and dates that openpyxl does not keep."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        yield


def _rows(book: openpyxl.Workbook, name: str) -> Iterator[tuple[int, list[str]]]:
    sheet = book[name]
    if not hasattr(sheet, "reset_dimensions"):  # a chart
        return
    sheet.reset_dimensions()  # programs other than Excel write them wrong
    rows = sheet.iter_rows(values_only=True)
    width, line, narrow = 0, 0, True
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
        if narrow:  # a title
            width, narrow = len(cells), sum(map(bool, cells)) <= _TITLE_CELLS
        yield line, cells + [""] * (width - len(cells))
