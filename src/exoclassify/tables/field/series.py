"""The samples of a GEO series matrix as a sheet."""

from __future__ import annotations

from collections.abc import Iterable

import pandas as pd

from exoclassify.errors import InputError
from exoclassify.tables.cells import text_or_none

__all__ = ["BEGIN", "MARK", "sheet_of_series"]

MARK = "!Sample_geo_accession"
"""Begins the line of the samples' accessions."""

BEGIN = "!series_matrix_table_begin"
"""The line before the table."""


def sheet_of_series(rows: Iterable[tuple[int, list[str]]], source: str) -> pd.DataFrame:
    """Give what a series matrix says of its samples.

    Returns
    -------
    DataFrame
        sample_id (the accession), title, each characteristic (``disease state: pain``) under its own name, and the other
        lines about samples. Texts, None where nothing is said.
    """
    columns: dict[str, list[str | None]] = {}
    n = 0
    for _, cells in rows:
        if cells[0] == BEGIN:
            break
        if not cells[0].startswith("!Sample_"):
            continue
        if cells[0] == MARK:
            columns["sample_id"], n = [text_or_none(cell) for cell in cells[1:]], len(cells) - 1
        elif cells[0].startswith("!Sample_characteristics"):
            _characteristics(columns, [cell.strip() for cell in cells[1:]])
        else:
            columns.setdefault(cells[0].removeprefix("!Sample_"), [text_or_none(cell) for cell in cells[1:]])
    if not n:
        raise InputError(f"{source}: is a GEO series matrix without a line of sample accessions")
    even = {name: (cells + [None] * n)[:n] for name, cells in columns.items()}
    first = {"sample_id": even.pop("sample_id")}
    return pd.DataFrame(first | even, dtype=object)


def _characteristics(columns: dict[str, list[str | None]], cells: list[str]) -> None:
    """Take over a line, which can hold different characteristics for different samples."""
    for i, cell in enumerate(cells):
        name, found, value = cell.partition(": ")
        if found:
            column = columns.setdefault(name, [None] * len(cells))
            column[i] = text_or_none(value)
