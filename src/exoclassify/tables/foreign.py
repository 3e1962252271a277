"""Numbers as other countries write them: decimal commas, and marks between thousands."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import replace

from exoclassify.errors import InputError
from exoclassify.tables.wide import WideTable

__all__ = ["advice", "check_thousands", "with_decimal_points", "with_points"]

_COMMA = re.compile(r"[+-]?\d+,\d+(?:[eE][+-]?\d+)?")
_THREE = re.compile(r"[+-]?\d{1,3}(?:,\d{3})+")
_POINTED = re.compile(r"[1-9]\d{0,2}\.\d{3}")
_SHORT = re.compile(r"\d{1,3}")
_SPACES = "\u0020\u00a0\u202f\u2009"
_MARKED = re.compile(
    r"(?P<bound>[<>≤≥~]=?\s*)?[+-]?\d+(?:[.,]\d+)?(?P<unit>\s*(?:%|\*+|[a-zµ][a-zµ/]*))?", re.IGNORECASE
)
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
