"""Tables that are read as a whole: workbooks, samples in columns, UTF-16."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from exoclassify.data.orientation import samples_in_rows
from exoclassify.errors import InputError
from exoclassify.model.panel import Panel
from exoclassify.scoring.layout import kept_constant, layout_of
from exoclassify.scoring.pieces import RowStretch
from exoclassify.tables.asked import AS_WRITTEN, Reading
from exoclassify.tables.pieces import MatrixStretch
from exoclassify.tables.reading import WideTable, read_wide
from exoclassify.tables.sources import Source

__all__ = ["MOST_BYTES", "whole_stretch"]

MOST_BYTES = 2 << 30
"""Files larger than this are not read as a whole."""


def whole_stretch(
    source: Source, panel: Panel, keep: tuple[str, ...], asked: Reading = AS_WRITTEN
) -> tuple[RowStretch, tuple[str, ...]]:
    """Read a table that cannot be streamed, and turn it if its samples lie in columns."""
    if source.size > MOST_BYTES:
        raise InputError(
            f"{source.name}: no molecule of the model is in its header, and with {source.size / 2**30:.1f} GB it is too large "
            "to be turned here; write it with samples in rows, best as Parquet"
        )
    wide = read_wide(source.path, asked)
    wide.check_unit(panel.unit)
    wide = replace(samples_in_rows(wide, panel.kind, None, panel.canonical), settled=True)
    words = {name: _column(wide, name) for name in keep if name in wide.columns}
    words |= {
        name: (kept_constant(source, name, wide.columns),) * len(wide.row_ids) for name in keep if name not in words
    }
    layout = layout_of(
        source, ("", *wide.columns), wide.row_ids, wide, panel, [n for n in keep if n in wide.columns], 0
    )
    assert layout is not None  # it was turned above
    where = layout.places[layout.places >= 0]
    n = len(where)
    places = np.where(layout.places >= 0, np.cumsum(layout.places >= 0), -1)
    names = ("", *(wide.columns[j - 1] for j in where), *keep)
    kept = tuple((n + 1 + k, "") for k in range(len(keep)))
    measured = wide.with_columns((where - 1).tolist())
    stretch = MatrixStretch(source, measured, tuple(words[name] for name in keep))
    return RowStretch(replace(layout, names=names, id_column=0, places=places, keep=kept), stretch), wide.notes


def _column(wide: WideTable, name: str) -> tuple[str, ...]:
    """Give a column as texts; numbers are written as short as they can be."""
    at = wide.columns.index(name)
    texts = {row: text for row, column, text in wide.texts if column == at}
    return tuple(texts.get(i, "" if x != x else f"{x:.15g}") for i, x in enumerate(wide.cells[:, at].tolist()))
