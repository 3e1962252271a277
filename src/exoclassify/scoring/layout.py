"""Where a file holds what the model needs: the sample ids, the panel, and the columns that pass through."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from exoclassify.data.orientation import samples_in_rows
from exoclassify.errors import InputError, first_three
from exoclassify.model.panel import Panel
from exoclassify.tables.pieces import Wanted
from exoclassify.tables.sources import Source
from exoclassify.tables.wide import WideTable
from exoclassify.typing import Codes

__all__ = ["HEAD_ROWS", "Layout", "kept_constant", "layout_of"]

HEAD_ROWS = 100
"""Rows that are looked at before a file is streamed."""


@dataclass(frozen=True, eq=False)
class Layout:
    """The columns of one file, samples in rows.

    Parameters
    ----------
    source : Source
        The file.
    panel : Panel
        Of the model.
    names : tuple of str
        Of all columns, as the header has them.
    id_column : int
        Position of the sample ids.
    places : ndarray of int of shape (n_molecules,)
        Position of each molecule of the panel; -1 where the file lacks it.
    keep : tuple of (int, str)
        For each column that passes through its position, or -1 and the text that stands in every row.
    """

    source: Source
    panel: Panel
    names: tuple[str, ...]
    id_column: int
    places: Codes
    keep: tuple[tuple[int, str], ...]

    @cached_property
    def wanted(self) -> Wanted:
        """The columns that are read."""
        kept = [position for position, _ in self.keep if position >= 0]
        panel = frozenset(self.places[self.places >= 0].tolist())
        return Wanted(self.names, tuple(sorted({self.id_column, *panel, *kept})), self.id_column, panel)


def layout_of(
    source: Source,
    names: Sequence[str],
    first: Sequence[str],
    head: WideTable,
    panel: Panel,
    keep: Sequence[str],
    id_column: int,
) -> Layout | None:
    """Find the columns by the names and the first rows of a file.

    Parameters
    ----------
    id_column : int
        Position of the sample ids; row numbers that a program wrote before them still count as such.
    """
    if not head.settled and samples_in_rows(head, panel.kind, None, panel.canonical) is not head:
        return None
    kept = tuple(_kept(source, names, name) for name in keep)
    held = {position for position, _ in kept}
    nameless = "" in head.columns
    skipped = {id_column}
    if not id_column and tuple(head.row_ids) != tuple(text.strip() for text in first):
        id_column, skipped = 1, {0, 1}
    columns = [j for j in range(len(names)) if j not in held | skipped and (names[j] or nameless)]
    whole = head.cells[:, [j - 1 for j in columns]] if head.settled else None
    found = panel.places([names[j] for j in columns], source.name, whole)
    places = np.where(found >= 0, np.array([*columns, -1], dtype=np.intp)[found], -1)
    return Layout(source, panel, tuple(names), id_column, places, kept)


def _kept(source: Source, names: Sequence[str], name: str) -> tuple[int, str]:
    if name in names:
        return names.index(name), ""
    return -1, kept_constant(source, name, names)


def kept_constant(source: Source, name: str, names: Sequence[str]) -> str:
    """Give the text that a column to be kept has throughout a file."""
    constants = dict(source.keys)
    if name not in constants:
        raise InputError(
            f"{source.name}: has no column {name} to keep; its columns are {first_three([*constants, *names])}"
        )
    return constants[name]
