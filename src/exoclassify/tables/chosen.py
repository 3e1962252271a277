"""The columns of a plain table that its user says are the samples."""

from __future__ import annotations

from dataclasses import replace

from exoclassify.errors import InputError, first_three
from exoclassify.tables.asked import Reading
from exoclassify.tables.field.molecules_in_rows import chosen_columns
from exoclassify.tables.wide import WideTable

__all__ = ["chosen"]


def chosen(table: WideTable, asked: Reading) -> WideTable:
    """Keep the columns that fit the user's pattern, a sample each."""
    if asked.columns is None:
        return table
    found = chosen_columns(table.columns, asked.columns)
    if not found:
        raise InputError(
            f"{table.source}: no column fits {asked.columns!r}; its columns are {first_three(table.columns)}"
        )
    kept = replace(table.with_columns(list(found)), columns=tuple(found.values()))
    note = f"columns {asked.columns}: {len(found)} samples"
    return replace(kept.turned(), notes=(*table.notes, note), settled=True)
