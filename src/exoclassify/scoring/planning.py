"""Looks at each file before anything is scored, and cuts it into stretches."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import islice

import numpy as np
import pyarrow as pa

from exoclassify.data.names import canonical_name
from exoclassify.data.orientation import named_below, samples_in_rows
from exoclassify.data.units import doubtful_blanks
from exoclassify.errors import ExoclassifyError, FileError, InputError
from exoclassify.model.panel import Panel
from exoclassify.scoring.layout import HEAD_ROWS, Layout, kept_constant, layout_of
from exoclassify.scoring.long import LongNames, long_stretch
from exoclassify.scoring.rows import RowPiece, RowStretch, checked
from exoclassify.tables.asked import AS_WRITTEN, Reading
from exoclassify.tables.blocks import TextFile, TextPiece, text_stretches
from exoclassify.tables.cells import column_texts
from exoclassify.tables.columns import column_stretches, head_of_columns
from exoclassify.tables.opening import COLUMNS, SUFFIXES, checked_suffix
from exoclassify.tables.pieces import ColumnPiece, MatrixStretch
from exoclassify.tables.reading import is_of_the_field, read_wide
from exoclassify.tables.sources import STREAMED_TEXT, Source, reading
from exoclassify.tables.whole import index_first, index_names, wide_from_columns, wide_from_rows
from exoclassify.tables.wide import WideTable, id_position
from exoclassify.typing import Floats

__all__ = ["MOST_BYTES", "Plan", "planned"]

MOST_BYTES = 2 << 30
"""Files larger than this are not read as a whole."""


@dataclass(frozen=True, eq=False)
class Plan:
    """One file, looked at.

    Parameters
    ----------
    source : Source
        The file.
    cut : callable
        Gives its stretches.
    notes : tuple of str
        What was understood of it or left out, and what a user should look at.
    """

    source: Source
    cut: Callable[[], Iterator[RowStretch]]
    notes: tuple[str, ...] = ()


def planned(
    sources: Sequence[Source], panel: Panel, keep: tuple[str, ...], long: LongNames | None, asked: Reading = AS_WRITTEN
) -> tuple[list[Plan], list[tuple[Source, ExoclassifyError]]]:
    """Look at every file."""
    plans, malformed = [], []
    for source in sources:
        try:
            plans.append(_plan(source, panel, keep, long, asked))
        except ExoclassifyError as error:
            malformed.append((source, error))
    return plans, malformed


def _plan(source: Source, panel: Panel, keep: tuple[str, ...], long: LongNames | None, asked: Reading) -> Plan:
    if source.remote:
        if source.suffix not in SUFFIXES:
            raise FileError(f"{source.url}: its ending is none of those known here ({', '.join(SUFFIXES)})")
    else:
        with reading(source):
            checked_suffix(source.path)
    if long is not None:
        only = long_stretch(source, panel, keep, long)
        return Plan(source, lambda: iter([only]))
    if not _is_whole(source, asked):
        streamed = _text if source.suffix in STREAMED_TEXT else _columns
        found = streamed(source, panel, keep, asked)
        if found is not None:
            return found
    with reading(source):
        whole, notes = _whole_stretch(source, panel, keep, asked)
    return Plan(source, lambda: iter([whole]), (*notes, *_probe(next(whole.pieces()), panel, source)))


def _is_whole(source: Source, asked: Reading) -> bool:
    """Whether a file is read as a whole: workbooks, the formats of the field, and where columns were chosen."""
    if asked.columns is not None or source.suffix not in (*STREAMED_TEXT, *COLUMNS):
        return True
    if source.remote:
        return False
    with reading(source):
        return is_of_the_field(source.path, asked)


def _text(source: Source, panel: Panel, keep: tuple[str, ...], asked: Reading) -> Plan | None:
    """Plan a text as a stream; None where samples lie in columns, or numbers are written in another country's way."""
    text = TextFile.of(source, HEAD_ROWS)
    if text is None:
        return None
    header = text.header
    even = [row for row in text.rows[1:] if len(row[1]) == len(header)]
    try:
        wide = wide_from_rows(iter([text.rows[0], *(even or text.rows[1:])]), source.name, asked)
        at = id_position(header, asked, source.name)
        ids = [cells[0] for _, cells in even]
        layout = layout_of(source, header, ids, wide, panel, keep, at) if wide.plain else None
    except InputError:
        more = text.head.count(b"\n") > HEAD_ROWS and source.size <= MOST_BYTES and not source.remote
        if more and named_below(text, 0, panel.canonical, panel.kind):
            return None  # a turned table, which names the panel further down
        raise
    if layout is None:
        return None
    rows = text.head[text.begin :].splitlines(keepends=True)[:HEAD_ROWS]
    piece = TextPiece(source.name, text.separator, layout.wanted, b"".join(rows), 0.0)
    notes = (*wide.notes, *_probe(RowPiece(layout, piece), panel, source))
    return Plan(source, lambda: (RowStretch(layout, s) for s in text_stretches(text, layout.wanted)), notes)


def _columns(source: Source, panel: Panel, keep: tuple[str, ...], asked: Reading) -> Plan | None:
    """Plan a Parquet or Arrow file as a stream; None where samples lie in columns."""

    def named(schema: pa.Schema) -> set[str]:
        names, molecules = schema.names, set(panel.canonical)  # names are made anew at each look
        found = {name for name in names if canonical_name(name, panel.kind) in molecules}
        return {*names[:2], *index_names(schema, source.name), *found} if found else set(names)

    head = head_of_columns(source, HEAD_ROWS, named)
    ordered, names = index_first(head, source.name)
    at = id_position(names, asked, source.name)
    wide = wide_from_columns(head, source.name, asked)
    first = column_texts(ordered.column(0)).to_pylist()
    found = layout_of(source, names, first, wide, panel, keep, at) if wide.plain else None
    if found is None:
        return None
    place = {name: j for j, name in reversed(list(enumerate(head.column_names)))}
    to_file = np.array([*(place[name] for name in ordered.column_names), -1], dtype=np.intp)
    kept = tuple((int(to_file[j]), text) for j, text in found.keep)
    layout = Layout(source, panel, tuple(head.column_names), int(to_file[found.id_column]), to_file[found.places], kept)
    batch = head.select([layout.names[j] for j in layout.wanted.positions]).combine_chunks().to_batches()[0]
    notes = (*wide.notes, *_probe(RowPiece(layout, ColumnPiece(batch, 0.0)), panel, source))
    return Plan(source, lambda: (RowStretch(layout, s) for s in column_stretches(source, layout.wanted)), notes)


def _probe(piece: RowPiece, panel: Panel, source: Source) -> tuple[str, ...]:
    """Refuse a file of whose first rows none can be used: its unit or its form is another; say what is doubtful of them."""
    rows, cells = checked(piece.rows(), panel, source.name, _cells)
    if rows.n_read and not len(rows.ids):
        first = next(islice(rows.rejected, 1))
        where = f"sample {first.sample_id}: " if first.sample_id and first.sample_id not in first.reason else ""
        column = f"column {first.column} " if first.column and first.column not in first.reason else ""
        many = "its only row cannot" if rows.n_read == 1 else f"none of its first {rows.n_read} rows can"
        raise InputError(f"{source.name}: {many} be used ({where}{column}{first.reason})")
    n, empty, zero = (sum(counts) for counts in zip(*cells, strict=True)) if cells else (0, 0, 0)
    return doubtful_blanks(n, empty, zero, panel.unit)


def _cells(X: Floats) -> tuple[int, int, int]:
    """Count the cells that are measured by one sample at least, the empty ones of them, and the zeros."""
    X = X[:, ~np.isnan(X).all(axis=0)]
    return X.size, int(np.isnan(X).sum()), int((X == 0).sum())


def _whole_stretch(
    source: Source, panel: Panel, keep: tuple[str, ...], asked: Reading
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
