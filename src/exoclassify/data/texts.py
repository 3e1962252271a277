"""Texts among the numbers of a table: marks of qPCR software, annotations, slips of the pen."""

from __future__ import annotations

from collections import Counter

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from exoclassify.data.formats.reading import WideTable
from exoclassify.data.units import Cells
from exoclassify.errors import InputError

__all__ = ["cells_and_texts", "numbers"]

_NOT_DETECTED = {"undetermined", "nd", "n.d.", "no ct"}
_MISSING = {"", "na", "nan", "null", "none", "#n/a", "."}


def cells_and_texts(frame: pd.DataFrame) -> tuple[NDArray[np.float64], tuple[tuple[int, int, str], ...]]:
    """Separate the numbers of a frame from its texts.

    Parameters
    ----------
    frame : DataFrame
        Columns of any type.

    Returns
    -------
    cells : ndarray of shape (n_rows, n_columns)
        NaN where there is no number.
    texts : tuple of (int, int, str)
        Row, column and text of the cells that are neither a number nor a missing mark.
    """
    cells = np.empty(frame.shape, dtype=np.float64)
    texts: list[tuple[int, int, str]] = []
    for j in range(frame.shape[1]):
        column = frame.iloc[:, j]
        if pd.api.types.is_numeric_dtype(column.dtype) and not pd.api.types.is_complex_dtype(column.dtype):
            cells[:, j] = column.to_numpy(dtype=np.float64, na_value=np.nan)
            continue
        numbers = pd.to_numeric(column.astype(object), errors="coerce").to_numpy(
            dtype=np.float64, na_value=np.nan
        )
        cells[:, j] = numbers
        for i in np.flatnonzero(np.isnan(numbers)):
            value = column.iloc[i]
            if not pd.isna(value) and str(value).strip().lower() not in _MISSING:
                texts.append((int(i), j, str(value)))
    return cells, tuple(texts)


def numbers(wide: WideTable, *, not_detected: float | None) -> NDArray[np.float64]:
    """Give the numbers of a table, with marks of qPCR software as the value that means not detected.

    Parameters
    ----------
    wide : WideTable
        Samples in rows.
    not_detected : float or None
        What Undetermined, ND, N.D. and No Ct become; None when the table is no Ct table.

    Returns
    -------
    ndarray of shape (n_samples, n_molecules)

    Raises
    ------
    InputError
        If any other text is where a number should be.
    """
    if not wide.texts:
        return wide.cells
    cells = wide.cells.copy()
    wrong = []
    for row, column, text in wide.texts:
        if not_detected is not None and text.strip().lower() in _NOT_DETECTED:
            cells[row, column] = not_detected
        else:
            wrong.append((row, column, text))
    if wrong:
        _refuse(wide, wrong, qpcr=not_detected is not None)
    return cells


def _refuse(wide: WideTable, texts: list[tuple[int, int, str]], *, qpcr: bool) -> None:
    rows, columns, words = zip(*texts, strict=True)
    named = Cells(wide.cells, wide.row_ids, wide.columns, wide.source).named(
        rows, columns, [*map(repr, words)]
    )
    full = [column for column, times in Counter(columns).items() if times == len(wide.row_ids)]
    mend = "leave a cell that was not measured empty"
    if full:
        mend = f"column {wide.columns[full[0]]} is text throughout: move it to the sample sheet"
    elif qpcr:
        mend = f"write Undetermined where no cycle was reached, and {mend}"
    count = "1 cell holds" if len(texts) == 1 else f"{len(texts)} cells hold"
    raise InputError(f"{wide.source}: {count} text where a number is expected ({named}); {mend}")
