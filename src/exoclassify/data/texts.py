"""Texts among the numbers of a table: marks of qPCR software, annotations, slips of the pen."""

from __future__ import annotations

from collections import Counter

import numpy as np
from numpy.typing import NDArray

from exoclassify.data.formats.reading import WideTable
from exoclassify.data.units import Cells
from exoclassify.errors import InputError

__all__ = ["numbers"]

_NOT_DETECTED = {"undetermined", "nd", "n.d.", "no ct"}


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
