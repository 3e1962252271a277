"""Parquet and Arrow files, opened so that little of them is in memory."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from exoclassify.data.names import canonical_name
from exoclassify.model.panel import Panel
from exoclassify.scoring.layout import HEAD_ROWS
from exoclassify.scoring.pieces import reading
from exoclassify.scoring.sources import Source
from exoclassify.tables.from_columns import index_names

__all__ = ["head_table", "open_arrow", "open_parquet", "record_batches", "whole_batches"]

_FETCHED_WHOLE = 64 << 20  # bytes of a row group
_PAGE_BUFFER = 1 << 14  # bytes of each column that are read ahead


def head_table(source: Source, panel: Panel) -> pa.Table:
    """Read the first rows.

    Parameters
    ----------
    source : Source
        A Parquet or Arrow file.
    panel : Panel
        Of the model.

    Returns
    -------
    pyarrow.Table
        With all columns; those of Parquet that are neither of the panel nor the first hold nulls, for they are not read.

    Raises
    ------
    FileError
        If the file is damaged.
    """
    with reading(source):
        if source.suffix == ".parquet":
            with open_parquet(source) as file:
                return _head_of_panel(file, panel)
        with open_arrow(source, None) as reader:
            for batch in record_batches(reader):
                if batch.num_rows:
                    return pa.Table.from_batches([batch.slice(0, HEAD_ROWS)])
            return reader.schema.empty_table()


def _head_of_panel(file: pq.ParquetFile, panel: Panel) -> pa.Table:
    schema, molecules = file.schema_arrow, set(panel.canonical)
    names = schema.names  # made anew at each look
    named = {name for name in names if canonical_name(name, panel.kind) in molecules}
    wanted = {*names[:2], *index_names(schema, "the file"), *named} if named else set(names)
    batch = next(file.iter_batches(HEAD_ROWS, columns=[name for name in names if name in wanted]), None)
    if batch is None:
        return schema.empty_table()
    once = {name for name, times in Counter(names).items() if times == 1 and name in wanted}
    read = dict(zip(batch.schema.names, batch.columns, strict=True))
    columns = [read[field.name] if field.name in once else pa.nulls(batch.num_rows, field.type) for field in schema]
    return pa.table(columns, schema=schema)


def whole_batches(source: Source, columns: list[str] | None) -> Iterator[pa.RecordBatch]:
    """Read some columns of a whole file, batch by batch.

    Parameters
    ----------
    source : Source
        A Parquet or Arrow file.
    columns : list of str or None
        Their names; None for all.

    Yields
    ------
    pyarrow.RecordBatch
    """
    if source.suffix == ".parquet":
        with open_parquet(source) as file:
            yield from file.iter_batches(columns=columns)
    else:
        with open_arrow(source, None) as reader:
            yield from record_batches(reader)


def record_batches(reader: Any) -> Iterator[pa.RecordBatch]:
    """Give all batches of an Arrow file or stream.

    Parameters
    ----------
    reader : pyarrow.RecordBatchFileReader or RecordBatchStreamReader
        Opened.

    Yields
    ------
    pyarrow.RecordBatch
    """
    if hasattr(reader, "num_record_batches"):
        yield from (reader.get_batch(i) for i in range(reader.num_record_batches))
    else:
        yield from reader


@contextmanager
def open_parquet(source: Source, groups: tuple[int, ...] = ()) -> Iterator[pq.ParquetFile]:
    """Open a Parquet file that is read page by page; small row groups from afar are fetched at once.

    Parameters
    ----------
    source : Source
        The file.
    groups : tuple of int
        Row groups that will be read.

    Yields
    ------
    pyarrow.parquet.ParquetFile
    """
    # Not through a Python file: every read would wait until no other thread is in the interpreter.
    with (
        source.open() if source.remote else pa.OSFile(source.url) as raw,
        pq.ParquetFile(raw, buffer_size=_PAGE_BUFFER, pre_buffer=False) as paged,
    ):
        sizes = [paged.metadata.row_group(i).total_byte_size for i in groups]
        if source.remote and sizes and max(sizes) <= _FETCHED_WHOLE:
            with pq.ParquetFile(raw, metadata=paged.metadata, pre_buffer=True) as whole:
                yield whole
        else:
            yield paged


@contextmanager
def open_arrow(source: Source, wanted: list[int] | None) -> Iterator[Any]:
    """Open an Arrow file or stream.

    Parameters
    ----------
    source : Source
        The file.
    wanted : list of int or None
        Positions of the columns that will be read; None for all.

    Yields
    ------
    pyarrow.RecordBatchFileReader or RecordBatchStreamReader
    """
    options = pa.ipc.IpcReadOptions(included_fields=wanted)
    with source.open() as raw:
        file = pa.PythonFile(raw, mode="r") if source.remote else pa.memory_map(source.url)
        with file:
            is_file = file.read(6) == b"ARROW1"
            file.seek(0)
            opened = pa.ipc.open_file if is_file else pa.ipc.open_stream
            with opened(file, options=options) as reader:
                yield reader
