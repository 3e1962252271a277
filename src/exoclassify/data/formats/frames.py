"""Numbers and texts of a data frame, told apart."""

from __future__ import annotations

import numpy as np
import pandas as pd
from numpy.typing import NDArray

__all__ = ["MISSING", "cells_and_texts", "is_missing"]

MISSING = frozenset({"", "na", "nan", "null", "none", "#n/a", "."})
"""What files write, in any case, where nothing was measured."""


def is_missing(cell: object) -> bool:
    """Say whether a cell holds nothing or a missing mark."""
    if isinstance(cell, str):
        return cell.strip().lower() in MISSING
    return cell is None or bool(pd.isna(cell))  # type: ignore[call-overload]  # one cell, not a column


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
        Row, column and text of the cells that are neither a number nor a missing mark, in the order of the rows.
    """
    if all(isinstance(dtype, np.dtype) and dtype.kind in "fiu" for dtype in frame.dtypes):
        return frame.to_numpy(dtype=np.float64), ()
    cells = np.empty(frame.shape, dtype=np.float64)
    texts: list[tuple[int, int, str]] = []
    for j in range(frame.shape[1]):
        column = frame.iloc[:, j]
        if pd.api.types.is_numeric_dtype(column.dtype) and not pd.api.types.is_bool_dtype(column.dtype):
            cells[:, j] = column.to_numpy(dtype=np.float64, na_value=np.nan)
            continue
        plain = column.astype(object)
        found = pd.to_numeric(plain, errors="coerce").to_numpy(dtype=np.float64, na_value=np.nan)
        cells[:, j] = found
        texts += [
            (int(i), j, str(plain.iloc[i]))
            for i in np.flatnonzero(np.isnan(found))
            if not is_missing(plain.iloc[i])
        ]
    return cells, tuple(sorted(texts))
