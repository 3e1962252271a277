"""What one cell of a table says: a number, also as other countries write it, nothing, or a text."""

from __future__ import annotations

import datetime
import math
import re
from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from exoclassify.errors import InputError
from exoclassify.tables.wide import WideTable
from exoclassify.typing import Floats

__all__ = [
    "MISSING_SPELLINGS", "NOT_DETECTED_MARKS", "advice", "as_text", "check_thousands", "column_numbers",
    "column_texts", "is_blank", "is_number", "numbers", "text_or_none", "with_decimal_points", "with_points",
]  # fmt: skip

NOT_DETECTED_MARKS = {"undetermined", "nd", "n.d.", "no ct", "no cq"}
"""What qPCR software writes where no cycle was reached, in lower case."""

# Numbers may spell these in any case; see `text_or_none` for texts.
_MISSING = frozenset({"", "na", "nan", "null", "none", "#n/a", ".", "<na>", "filtered"})  # the last is Spectronaut's
MISSING_SPELLINGS = sorted({spelt for mark in _MISSING for spelt in (mark, mark.upper(), mark.title())} | {"NaN"})
"""Of a cell without a number, for readers that know a list of texts."""

_SPELLINGS = pa.array(MISSING_SPELLINGS)
_AS_NAN = {spelt: "nan" for mark in _MISSING for spelt in (mark, mark.upper(), mark.title())}
_MISSING_TEXTS = frozenset({"", "NA", "NaN", "nan", "null", "None", "#N/A", ".", "N/A", "n/a", "<NA>"})
_JOINT = "\x1f"  # the unit separator of ASCII; a cell that holds it is no number
_WHOLE = 1e15  # below it every whole float prints all its digits


def numbers(cells: Sequence[str]) -> tuple[Floats, list[tuple[int, str]]]:
    """Turn the cells of a row into numbers.

    Parameters
    ----------
    cells : sequence of str
        As written; blanks around a number are allowed, a comma or an underscore in it is not.

    Returns
    -------
    values : ndarray of shape (n_cells,)
        Each the float64 nearest to what is written; NaN for missing marks and texts.
    texts : list of (int, str)
        Place and text of the cells that are neither a number nor a missing mark.
    """
    values = _all_numbers([_AS_NAN.get(cell, cell) for cell in cells])
    return _numbers_and_texts(cells) if values is None else (values, [])


def _all_numbers(cells: Sequence[str]) -> Floats | None:
    """Turn a whole row at once, or None where a cell is no plain number.

    Arrow reads fifteen times as fast as Python's float, refuses more, and gives the same bits.
    """
    joined = _JOINT.join(cells)
    if "(" in joined:  # Arrow takes nan(1) for a number
        return None
    try:
        numbers = pc.split_pattern(pa.array([joined]), _JOINT).values.cast(pa.float64())
    except pa.ArrowInvalid:
        return None
    values: Floats = numbers.to_numpy(zero_copy_only=False)
    return values if len(values) == len(cells) else None


def _numbers_and_texts(cells: Sequence[str]) -> tuple[Floats, list[tuple[int, str]]]:
    values = np.full(len(cells), np.nan)
    texts = []
    for j, cell in enumerate(cells):
        try:
            if "_" in cell:  # Python reads 1_000 as a number
                raise ValueError
            values[j] = float(_AS_NAN.get(cell, cell))
        except ValueError:
            text = cell.strip()
            if text.lower() not in _MISSING:
                texts.append((j, text))
    return values, texts


def as_text(value: object) -> str:
    """Give the text of a typed cell, as a CSV file would have it; nothing becomes the empty text."""
    if value is None:
        return ""
    if isinstance(value, float):
        if math.isnan(value):
            return ""
        return str(int(value)) if value.is_integer() and abs(value) < _WHOLE else repr(value)
    if isinstance(value, datetime.datetime) and value.time() == datetime.time():
        return value.date().isoformat()
    return str(value)


def text_or_none(text: str) -> str | None:
    """Give a text cell without the blanks around it, or None for a missing mark.

    Notes
    -----
    Case counts here: ``None`` is how Python writes a missing value, ``none`` is a pain state.
    """
    text = text.strip()
    return None if text in _MISSING_TEXTS else text


def is_blank(cells: Sequence[str]) -> bool:
    """Say whether a row holds nothing at all."""
    return not any(cells) or not any(cell.strip() for cell in cells)


def is_number(kind: pa.DataType | None) -> bool:
    """Say whether a column of this type holds numbers, or nothing."""
    types = pa.types
    return kind is not None and (
        types.is_integer(kind) or types.is_floating(kind) or types.is_decimal(kind) or types.is_null(kind)
    )


def column_texts(column: pa.Array | pa.ChunkedArray) -> pa.Array | pa.ChunkedArray:
    """Give the texts of a column, as a CSV file would have them."""
    if pa.types.is_string(column.type):
        return column.fill_null("") if column.null_count else column
    if pa.types.is_large_string(column.type) or pa.types.is_integer(column.type) or pa.types.is_dictionary(column.type):
        return pc.cast(column, pa.string()).fill_null("")
    return pa.array([as_text(value) for value in column.to_pylist()], pa.string())


def column_numbers(column: pa.Array | pa.ChunkedArray) -> tuple[Floats, list[tuple[int, str]]]:
    """Turn the cells of a column into numbers.

    Returns
    -------
    values : ndarray of shape (n_cells,)
    """
    if is_number(column.type):
        return column.cast(pa.float64(), safe=False).to_numpy(zero_copy_only=False), []
    texts = column_texts(column)
    try:
        if not pc.any(pc.match_substring(texts, "(")).as_py():  # Arrow takes nan(1) for a number
            measured = pc.if_else(pc.is_in(texts, _SPELLINGS), pa.scalar(None, pa.string()), texts)
            return measured.cast(pa.float64()).to_numpy(zero_copy_only=False), []
    except pa.ArrowInvalid:
        pass
    return numbers(texts.to_pylist()) if len(column) else (np.empty(0), [])


_COMMA = re.compile(r"[+-]?\d+,\d+(?:[eE][+-]?\d+)?")
_THREE = re.compile(r"[+-]?\d{1,3}(?:,\d{3})+")
_POINTED = re.compile(r"[1-9]\d{0,2}\.\d{3}")
_SHORT = re.compile(r"\d{1,3}")
_SPACES = "\u0020\u00a0\u202f\u2009"
_MARKED = re.compile(r"(?P<bound>[<≤]=?\s*)?[+-]?\d+(?:[.,]\d+)?(?P<unit>\s*(?:%|\*+|[a-zµ][a-zµ/]*))?", re.IGNORECASE)
_GROUPED = re.compile(rf"([+-]?\d{{1,3}})([.,_'\u2019{_SPACES}])\d{{3}}(?:\2\d{{3}})*(?:[.,]\d+)?")
_ENOUGH = 3
"""So many cells that look like thousands, and none that does not, are no chance."""


def with_points(cells: list[str], source: str) -> tuple[list[str], list[str]]:
    """Write decimal commas as points where the cells of one column settle that they are such."""
    commas = [cell for cell in cells if "," in cell]
    if not commas or not all(_COMMA.fullmatch(cell.strip()) for cell in commas):
        return cells, []
    if any("." in cell for cell in cells) or all(_THREE.fullmatch(cell.strip()) for cell in commas):
        raise InputError(f"{source}: {advice(commas[0])}")
    return [cell.replace(",", ".") for cell in cells], [f"{len(commas)} decimal commas were read as points"]


def with_decimal_points(table: WideTable) -> WideTable:
    """Read decimal commas where all texts of a table are such numbers."""
    words = [text for _, _, text in table.texts if any(map(str.isdigit, text))]  # and not marks, as Undetermined
    if not words or not all(_COMMA.fullmatch(word) for word in words):
        return table
    if all(_THREE.fullmatch(word) for word in words) or (table.cells % 1 > 0).any():
        raise InputError(f"{table.source}: {advice(words[0])}")
    cells = table.cells.copy()
    marks = []
    for row, column, text in table.texts:
        if _COMMA.fullmatch(text):
            cells[row, column] = float(text.replace(",", "."))
        else:
            marks.append((row, column, text))
    note = f"{len(words)} decimal commas were read as points"
    return replace(table, cells=cells, texts=tuple(marks), notes=(*table.notes, note), plain=False)


def advice(text: str) -> str:
    """Say what is foreign about a number, and how to write it."""
    text = text.strip()
    grouped = _GROUPED.fullmatch(text)
    if grouped and not (grouped.group(2) == "," and text.count(",") == 1 and text.startswith("0")):
        mark = "a space" if grouped.group(2) in _SPACES else grouped.group(2)
        rest = text.replace(grouped.group(2), "").replace(",", ".")
        return f"{text!r} has {mark} as a thousands separator: write {rest}"
    if _COMMA.fullmatch(text):
        return f"{text!r} has a decimal comma: write a point"
    marked = _MARKED.fullmatch(text)
    if marked and marked["bound"]:
        return f"{text!r} is a bound and no value: write what was measured, or leave the cell empty"
    return (
        f"{text!r} has {marked['unit'].strip()} behind the number: write the number alone"
        if marked and marked["unit"]
        else ""
    )


def check_thousands(rows: Sequence[Sequence[str]], source: str) -> None:
    """Refuse points between thousands, which would be read as decimal points."""
    first, pointed, short = "", 0, 0
    if not any("." in "".join(cells) for cells in rows):
        return
    for cells in rows:
        for cell in cells:
            text = cell.strip()
            if "." in text:
                if not _POINTED.fullmatch(text):
                    return
                pointed, first = pointed + 1, first or text
            elif _SHORT.fullmatch(text):
                short += 1
            elif text[:1].isdigit():
                return
    if pointed >= _ENOUGH and short:
        raise InputError(
            f"{source}: {first!r} looks like a thousands separator (no number from 1000 on is written without one): write "
            f"{first.replace('.', '')}"
        )
