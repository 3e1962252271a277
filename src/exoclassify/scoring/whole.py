"""Tables that are read as a whole: workbooks, samples in columns, UTF-16."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import ClassVar

import numpy as np
import pyarrow as pa

from exoclassify.data.orientation import samples_in_rows
from exoclassify.errors import InputError
from exoclassify.model.panel import Panel
from exoclassify.scoring.layout import Layout, kept_constant, layout_of
from exoclassify.scoring.pieces import Piece, Stretch, rows_in_piece
from exoclassify.scoring.rows import RowBuilder, Rows
from exoclassify.scoring.sources import Source
from exoclassify.tables.asked import AS_WRITTEN, Reading
from exoclassify.tables.reading import WideTable, read_wide

__all__ = ["MOST_BYTES", "WholeStretch", "whole_stretch"]

MOST_BYTES = 2 << 30
"""Files larger than this are not read as a whole."""


def whole_stretch(source: Source, panel: Panel, keep: tuple[str, ...], asked: Reading = AS_WRITTEN) -> WholeStretch:
    """Read a table that cannot be streamed, and turn it if its samples lie in columns.

    Parameters
    ----------
    source : Source
        The file.
    panel : Panel
        Of the model.
    keep : tuple of str
        Columns that pass through.
    asked : Reading
        What the user said of the file.

    Raises
    ------
    FileError, InputError, ModelError
        If the table cannot be used, or is too large for this.
    """
    if source.size > MOST_BYTES:
        raise InputError(
            f"{source.name}: no molecule of the model is in its header, and with {source.size / 2**30:.1f} GB it is too large "
            "to be turned here; write it with samples in rows, best as Parquet"
        )
    wide = read_wide(source.path, asked)
    wide.check_unit(panel.unit)
    wide = samples_in_rows(wide, panel.kind, None, panel.canonical)
    wide = replace(wide, settled=True)
    words = {name: _column(wide, source, name) for name in keep}
    layout = layout_of(
        source, ("", *wide.columns), [*wide.row_ids], wide, panel, [name for name in keep if name in wide.columns], 0
    )
    assert layout is not None  # it was turned above
    return WholeStretch(source, layout, wide, tuple(words[name] for name in keep))


def _column(wide: WideTable, source: Source, name: str) -> tuple[str, ...]:
    """Give a column as texts; numbers are written as short as they can be."""
    if name not in wide.columns:
        return (kept_constant(source, name, wide.columns),) * len(wide.row_ids)
    at = wide.columns.index(name)
    texts = {row: text for row, column, text in wide.texts if column == at}
    cells = wide.cells[:, at].tolist()
    return tuple(texts.get(i, "" if x != x else f"{x:.15g}") for i, x in enumerate(cells))


@dataclass(frozen=True, eq=False)
class WholeStretch(Stretch):
    """A table in memory.

    Parameters
    ----------
    source : Source
        The file.
    layout : Layout
        Where the columns are.
    wide : WideTable
        Samples in rows.
    keep : tuple of tuple of str
        Columns that pass through.
    """

    source: Source
    layout: Layout
    wide: WideTable
    keep: tuple[tuple[str, ...], ...]
    apart: ClassVar[bool] = False

    def pieces(self) -> Iterator[Piece]:
        """Give its rows, cut into pieces."""
        n, step = len(self.wide.row_ids), rows_in_piece(len(self.layout.places))
        for at in range(0, n, step):
            rows = slice(at, at + step)
            texts = tuple((i - at, j, text) for i, j, text in self.wide.texts if at <= i < at + step)
            part = WideTable(self.wide.source, self.wide.row_ids[rows], self.wide.columns, self.wide.cells[rows], texts)
            keep = tuple(column[rows] for column in self.keep)
            yield WholePiece(self.layout, part, keep, self.source.size * len(part.row_ids) / n)


@dataclass(frozen=True, eq=False)
class WholePiece(Piece):
    """Some rows of a table in memory."""

    layout: Layout
    wide: WideTable
    keep: tuple[tuple[str, ...], ...]
    cost: float

    def rows(self) -> Rows:
        """Understand the rows."""
        layout, wide, n = self.layout, self.wide, len(self.wide.row_ids)
        there = np.flatnonzero(layout.places >= 0)
        columns = layout.places[there] - 1  # the names of a layout count the corner
        X = np.full((n, len(layout.places)), np.nan)
        X[:, there] = wide.cells[:, columns]
        if not wide.texts:
            ids = pa.array([name.strip() for name in wide.row_ids], pa.string())
            return Rows(ids, [X], tuple(pa.array(column, pa.string()) for column in self.keep), np.arange(n), n)
        on_panel = dict(zip(columns.tolist(), there.tolist(), strict=True))
        words: dict[int, list[tuple[int, str, str]]] = {}
        for i, j, text in wide.texts:
            if j in on_panel:
                words.setdefault(i, []).append((on_panel[j], wide.columns[j], text))
        builder = RowBuilder(layout.panel, len(self.keep))
        for i, sample in enumerate(wide.row_ids):
            builder.add(sample.strip(), X[i], words.get(i, []), [column[i] for column in self.keep])
        return builder.rows()
