"""Tables that Perseus writes: rows of annotation below the header begin with ``#!{``."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from exoclassify.errors import InputError
from exoclassify.tables.field.formats import Quantity, WideFormat
from exoclassify.tables.field.molecules_in_rows import read_molecules_in_rows
from exoclassify.tables.wide import WideTable

__all__ = ["MARK", "read_perseus"]

MARK = "#!{Type}"
"""Begins the line that says what each column holds."""

_NAMES = ("majority protein ids", "protein ids", "protein.group", "pg.proteingroups", "accession", "gene names")


def read_perseus(rows: Iterator[tuple[int, list[str]]], header: Sequence[str], source: str) -> WideTable:
    """Read the rows below a header."""
    line, types = next(rows)
    kinds = [cell.strip().removeprefix(MARK) for cell in types]
    measured = [name for name, kind in zip(header, kinds, strict=False) if kind == "E"]
    texts = [name for name, kind in zip(header, kinds, strict=False) if kind == "T"]
    named = [name for wanted in _NAMES for name in texts if name.lower() == wanted] or texts
    if not measured or not named:
        raise InputError(f"{source}: line {line} names no column of type E, or none of type T that names the molecules")
    quantity = Quantity("columns of type E", r"(.+)", ())
    others = frozenset(name.lower() for name in header if name not in measured)
    form = WideFormat("Perseus", (), (named[0],), (quantity,), others)
    return read_molecules_in_rows((row for row in rows if not row[1][0].startswith("#!{")), header, form, source, None)
