"""Parquet and Arrow files as a stream: only the columns that the model needs are read."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from exoclassify.model.compiled import rows_in_block
from exoclassify.model.panel import Panel
from exoclassify.scoring.column_files import open_arrow, open_parquet, record_batches
from exoclassify.scoring.layout import Layout, layout_of
from exoclassify.scoring.pieces import Piece, Stretch, reading, rows_in_piece
from exoclassify.scoring.rows import RowBuilder, Rows
from exoclassify.scoring.sources import Source
from exoclassify.tables.asked import AS_WRITTEN, Reading
from exoclassify.tables.cells import as_text, numbers
from exoclassify.tables.from_columns import index_first, is_number, wide_from_columns
from exoclassify.tables.wide import id_position

__all__ = [
    "ArrowStretch",
    "ColumnPiece",
    "ParquetStretch",
    "column_texts",
    "columnar_layout",
    "columnar_stretches",
    "number_blocks",
]

_STRETCH_ROWS = 131_072  # row groups smaller than this are read together


def columnar_layout(
    source: Source, head: pa.Table, panel: Panel, keep: tuple[str, ...], asked: Reading = AS_WRITTEN
) -> Layout | None:
    """Find the columns of a Parquet or Arrow file.

    Parameters
    ----------
    source : Source
        The file.
    head : pyarrow.Table
        Its first rows.
    panel : Panel
        Of the model.
    keep : tuple of str
        Columns that pass through.
    asked : Reading
        What the user said of the file.

    Returns
    -------
    Layout or None
        Its positions are those of the file's schema; None when samples lie in columns.

    Raises
    ------
    FileError, InputError, ModelError
        If the table cannot be used.
    """
    ordered, names = index_first(head, source.name)
    first = [as_text(value) for value in ordered.column(0).to_pylist()]
    at = id_position(names, asked, source.name)
    wide = wide_from_columns(head, source.name, asked)
    found = layout_of(source, names, first, wide, panel, keep, at) if wide.plain else None
    if found is None:
        return None
    place = {name: j for j, name in reversed(list(enumerate(head.column_names)))}
    to_file = np.array([*(place[name] for name in ordered.column_names), -1], dtype=np.intp)
    kept = tuple((int(to_file[j]), text) for j, text in found.keep)
    id_column = int(to_file[found.id_column])
    return Layout(source, panel, tuple(head.column_names), id_column, to_file[found.places], kept)


def columnar_stretches(layout: Layout) -> Iterator[Stretch]:
    """Cut a file between row groups or record batches, each stretch about 130,000 rows.

    Parameters
    ----------
    layout : Layout
        Where the columns are.

    Yields
    ------
    Stretch

    Raises
    ------
    FileError
        If the file is damaged.
    """
    source = layout.source
    with reading(source):
        if source.suffix != ".parquet":
            yield from _arrow_stretches(layout)
            return
        with open_parquet(source) as file:
            sizes = [file.metadata.row_group(i).num_rows for i in range(file.metadata.num_row_groups)]
    cost = source.size / max(1, sum(sizes))
    for begin, end in _together(sizes):
        yield ParquetStretch(source, layout, tuple(range(begin, end)), cost)


def _arrow_stretches(layout: Layout) -> Iterator[Stretch]:
    with open_arrow(layout.source, layout.wanted) as reader:
        if not hasattr(reader, "num_record_batches"):  # a stream has no table of contents
            yield ArrowStream(layout.source, layout, 0, -1, 0.0)
            return
        n = reader.num_record_batches
        each = reader.get_batch(0).num_rows if n else 0
    step = max(1, _STRETCH_ROWS // max(1, each))
    for begin in range(0, n, step):
        yield ArrowStretch(layout.source, layout, begin, min(n, begin + step), layout.source.size / n)


def _together(sizes: list[int]) -> Iterator[tuple[int, int]]:
    begin = rows = 0
    for end, size in enumerate(sizes):
        if end > begin and rows + size > _STRETCH_ROWS:
            yield begin, end
            begin, rows = end, 0
        rows += size
    if begin < len(sizes):
        yield begin, len(sizes)


@dataclass(frozen=True, eq=False)
class ParquetStretch(Stretch):
    """Some consecutive row groups.

    Parameters
    ----------
    source : Source
        The file.
    layout : Layout
        Where the columns are.
    groups : tuple of int
        Which.
    cost_of_row : float
        Bytes of the file for each row.
    """

    source: Source
    layout: Layout
    groups: tuple[int, ...]
    cost_of_row: float

    def pieces(self) -> Iterator[Piece]:
        """Decode some thousand rows at a time, never a whole large row group."""
        names = [self.layout.names[j] for j in self.layout.wanted]
        step = rows_in_piece(len(names))
        with reading(self.source), open_parquet(self.source, self.groups) as file:
            # One thread decodes, in the order of the columns: two took a third more of the processor for the same.
            batches = file.iter_batches(step, row_groups=list(self.groups), columns=names, use_threads=False)
            for batch in batches:
                yield ColumnPiece(self.layout, batch.select(names), batch.num_rows * self.cost_of_row)


@dataclass(frozen=True, eq=False)
class ArrowStretch(Stretch):
    """Some consecutive record batches of an Arrow file.

    Parameters
    ----------
    source : Source
        The file.
    layout : Layout
        Where the columns are.
    begin, end : int
        The first, and the first that is not of it.
    cost_of_batch : float
        Bytes of the file for each batch.
    """

    source: Source
    layout: Layout
    begin: int
    end: int
    cost_of_batch: float

    def pieces(self) -> Iterator[Piece]:
        """Read the record batches, cut into pieces."""
        names = [self.layout.names[j] for j in self.layout.wanted]
        step = rows_in_piece(len(names))
        with reading(self.source), open_arrow(self.source, self.layout.wanted) as reader:
            for batch in self._wanted_batches(reader):
                batch.validate(full=True)  # a damaged offset would lead out of the memory
                ordered = batch.select(names)
                for at in range(0, batch.num_rows, step):
                    part = ordered.slice(at, step)
                    yield ColumnPiece(self.layout, part, self.cost_of_batch * part.num_rows / batch.num_rows)

    def _wanted_batches(self, reader: Any) -> Iterator[pa.RecordBatch]:
        return (reader.get_batch(i) for i in range(self.begin, self.end))


@dataclass(frozen=True, eq=False)
class ArrowStream(ArrowStretch):
    """A whole Arrow stream, which can be read from its beginning alone."""

    apart: ClassVar[bool] = False

    def _wanted_batches(self, reader: Any) -> Iterator[pa.RecordBatch]:
        return record_batches(reader)


@dataclass(frozen=True, eq=False)
class ColumnPiece(Piece):
    """Rows of typed columns.

    Parameters
    ----------
    layout : Layout
        Where the columns are.
    batch : pyarrow.RecordBatch
        The columns that are wanted.
    cost : float
        As in `Piece`.
    """

    layout: Layout
    batch: pa.RecordBatch
    cost: float

    def rows(self) -> Rows:
        """Understand the rows: by columns where all of the panel are numbers, else one by one."""
        layout, n = self.layout, self.batch.num_rows
        at = {j: i for i, j in enumerate(layout.wanted)}
        ids = column_texts(self.batch.column(at[layout.id_column]))
        keep = tuple(
            pa.array([text] * n, pa.string()) if j < 0 else column_texts(self.batch.column(at[j]))
            for j, text in layout.keep
        )
        there = np.flatnonzero(layout.places >= 0)
        panel = self.batch.select([at[j] for j in layout.places[there].tolist()])
        types = panel.schema.types
        if not all(is_number(each) for each in types):
            return self._one_by_one(ids, there, panel.columns, keep)
        blocks = number_blocks(panel, layout.places)
        return Rows(pc.utf8_trim_whitespace(ids), blocks, keep, np.arange(n), n)

    def _one_by_one(
        self, ids: pa.Array, there: NDArray[np.intp], columns: list[pa.Array], keep: tuple[pa.Array, ...]
    ) -> Rows:
        layout = self.layout
        builder = RowBuilder(layout.panel, len(keep))
        cells = [column_texts(column).to_pylist() for column in columns]
        kept = [column.to_pylist() for column in keep]
        for i, sample in enumerate(ids.to_pylist()):
            values = np.full(len(layout.places), np.nan)
            values[there], texts = numbers([column[i] for column in cells])
            named = [(int(there[k]), layout.names[layout.places[there[k]]], word) for k, word in texts]
            builder.add(sample.strip(), values, named, [column[i] for column in kept])
        return builder.rows()


def number_blocks(columns: pa.RecordBatch, places: NDArray[np.intp]) -> Iterator[NDArray[np.float64]]:
    """Lay columns of numbers side by side, some hundred rows at a time.

    Parameters
    ----------
    columns : pyarrow.RecordBatch
        The molecules that are there, in the panel's order.
    places : ndarray of int of shape (n_molecules,)
        As in `Layout`; below 0 where a molecule is not there.

    Yields
    ------
    ndarray of shape (n_rows_of_block, n_molecules)
        Row after row in memory, overwritten by the next; what is null or not there is NaN.
    """
    types = columns.schema.types
    if types[0] not in _QUICK or types.count(types[0]) < len(types):
        cast = [column.cast(pa.float64(), safe=False) for column in columns.columns]
        columns = pa.RecordBatch.from_arrays(cast, columns.schema.names)
    try:
        tensor = columns.to_tensor(row_major=False)
    except pa.ArrowTypeError:  # refuses nulls, sooner than asking every column for its count
        tensor = columns.to_tensor(null_to_nan=True, row_major=False)
    values, there = tensor.to_numpy(), np.flatnonzero(places >= 0)
    step = rows_in_block(len(places))
    X = np.full((min(step, len(values)), len(places)), np.nan)
    for at in range(0, len(values), step):
        block = values[at : at + step]
        part = X[: len(block)]
        if len(there) < len(places):
            part[:, there] = block
        else:
            part[:] = block
        yield part


_QUICK = (pa.float64(), pa.int64())
"""Types whose columns are laid side by side as they are, where all of a panel's are of one."""


def column_texts(column: pa.Array) -> pa.Array:
    """Give the texts of a column, as a CSV file would have them.

    Parameters
    ----------
    column : pyarrow.Array
        Of any type.

    Returns
    -------
    pyarrow.Array of string
        Without nulls.
    """
    if pa.types.is_string(column.type):
        return column.fill_null("") if column.null_count else column
    if pa.types.is_large_string(column.type) or pa.types.is_integer(column.type) or pa.types.is_dictionary(column.type):
        return pc.cast(column, pa.string()).fill_null("")
    return pa.array([as_text(value) for value in column.to_pylist()], pa.string())
