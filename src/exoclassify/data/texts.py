"""Texts among the numbers of a table: marks of qPCR software, annotations, slips of the pen."""

from __future__ import annotations

import re

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from pandas.api.types import is_any_real_numeric_dtype

from exoclassify.data.units import Cells
from exoclassify.errors import InputError
from exoclassify.tables.cells import NOT_DETECTED_MARKS, advice, as_text, numbers
from exoclassify.tables.ids import counted
from exoclassify.tables.reading import WideTable

__all__ = ["frame_cells", "without_texts"]


def frame_cells(frame: pd.DataFrame) -> tuple[NDArray[np.float64], tuple[tuple[int, int, str], ...]]:
    """Separate the numbers of a frame from its texts, by the rules that files are read by.

    Returns
    -------
    cells : ndarray of shape (n_rows, n_columns)
        NaN where there is no number.
    texts : tuple of (int, int, str)
        Row, column and text of the cells that are neither a number nor a missing mark.
    """
    cells = np.empty(frame.shape, dtype=np.float64)
    texts: list[tuple[int, int, str]] = []
    for j, dtype in enumerate(frame.dtypes):
        column = frame.iloc[:, j]
        if is_any_real_numeric_dtype(dtype):
            cells[:, j] = column.to_numpy(dtype=np.float64, na_value=np.nan)
        else:
            cells[:, j], found = numbers(["" if pd.isna(cell) else as_text(cell) for cell in column])
            texts += [(row, j, text) for row, text in found]
    return cells, tuple(texts)


def without_texts(wide: WideTable, *, not_detected: float | None) -> NDArray[np.float64]:
    """Give the numbers of a table, with marks of qPCR software as the value that means not detected.

    Parameters
    ----------
    not_detected : float or None
        What Undetermined, ND, N.D. and No Ct become; None when the table is no Ct table.

    Returns
    -------
    ndarray of shape (n_samples, n_molecules)
    """
    if not wide.texts:
        return wide.cells
    cells = wide.cells.copy()
    wrong: list[tuple[int, int, str]] = []
    for row, column, text in wide.texts:
        if not_detected is not None and text.strip().lower() in NOT_DETECTED_MARKS:
            cells[row, column] = not_detected
        else:
            wrong.append((row, column, text))
    if wrong:
        _refuse(wide, wrong, qpcr=not_detected is not None)
    return cells


def _refuse(wide: WideTable, texts: list[tuple[int, int, str]], *, qpcr: bool) -> None:
    rows, columns, words = zip(*texts, strict=True)
    named = Cells(wide.cells, wide.row_ids, wide.columns, wide.source).named(rows, columns, [*map(repr, words)])
    foreign = [said for word in _settling_first(words) if (said := advice(word))]
    without = np.isnan(wide.cells)
    full = [column for column in dict.fromkeys(columns) if without[:, column].all()]
    headers = [row for row in dict.fromkeys(rows) if len(wide.columns) > 1 and without[row].all()]
    mend = "leave a cell that was not measured empty"
    if foreign:
        mend = foreign[0]
    elif headers and len(headers) < len(wide.row_ids):
        mend = f"row {wide.row_ids[headers[0]]} is text throughout, as a second header or a remark: take it out"
    elif full:
        mend = f"column {wide.columns[full[0]]} is text throughout: move it to the sample sheet"
    elif qpcr:
        mend = f"write Undetermined where no cycle was reached, and {mend}"
    count = counted(len(texts), "cells", "holds", "hold")
    raise InputError(f"{wide.source}: {count} text where a number is expected ({named}); {mend}")


def _settling_first(words: tuple[str, ...]) -> list[str]:
    """Put first what has both marks, as 1.234,5, then what can have nothing but a decimal comma: 1,25 says what 1,234 means."""
    both, decimal = re.compile(r".*\d[^\d]\d{3}[.,]\d+"), re.compile(r"[+-]?\d+,(?:\d{1,2}|\d{4,})")
    return sorted(words, key=lambda word: (not both.fullmatch(word.strip()), not decimal.fullmatch(word.strip())))
