"""Parquet and Arrow files: whole, or as a stream of record batches, with the columns that are wanted."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Collection, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, ClassVar

import pyarrow as pa
import pyarrow.parquet as pq

from exoclassify.errors import FileError
from exoclassify.tables import sizes
from exoclassify.tables.pieces import ColumnPiece, Piece, Stretch, Wanted, rows_in_piece
from exoclassify.tables.sources import Source, reading

__all__ = ["column_names", "column_stretches", "head_of_columns", "read_table"]

_FETCHED_WHOLE = 64 << 20  # bytes of a row group
_PAGE_BUFFER = 1 << 14  # bytes of each column that are read ahead


def read_table(source: Source, columns: list[str] | None = None) -> pa.Table:
    """Read a whole file.

    Parameters
    ----------
    source : Source
        A Parquet or Arrow file, an Arrow stream, or a Feather file of version 2.
    """
    with _sound(source), _opened(source) as file:
        if isinstance(file, pq.ParquetFile):
            return file.read(columns)
        table = file.read_all()
        table.validate(full=True)  # a damaged offset would lead out of the memory
        return table if columns is None else table.select(columns)


def column_names(source: Source) -> list[str]:
    """Give the names of the columns."""
    with _sound(source), _opened(source) as file:
        return list(_schema(file).names)


def head_of_columns(source: Source, n: int, chosen: Callable[[pa.Schema], Collection[str]]) -> pa.Table:
    """Read the first rows.

    Returns
    -------
    pyarrow.Table
        With all columns; those of Parquet that were not chosen hold nulls, for they are not read.
    """
    with _sound(source), _opened(source) as file:
        schema = _schema(file)
        if isinstance(file, pq.ParquetFile):
            wanted = chosen(schema)
            batch = next(file.iter_batches(n, columns=[name for name in schema.names if name in wanted]), None)
        else:
            wanted, batch = schema.names, next((b for b in _record_batches(file) if b.num_rows), None)
            if batch is not None:
                return pa.Table.from_batches([batch.slice(0, n)])
        if batch is None:
            return schema.empty_table()
        once = {name for name, times in Counter(schema.names).items() if times == 1 and name in wanted}
        read = dict(zip(batch.schema.names, batch.columns, strict=True))
        columns = [read[field.name] if field.name in once else pa.nulls(batch.num_rows, field.type) for field in schema]
        return pa.table(columns, schema=schema)


def column_stretches(source: Source, wanted: Wanted) -> Iterator[Stretch]:
    """Cut a file between row groups or record batches, each stretch about 130,000 rows."""
    with _sound(source), _opened(source) as file:
        if isinstance(file, pq.ParquetFile):
            n_rows = [file.metadata.row_group(i).num_rows for i in range(file.metadata.num_row_groups)]
            kind: type[_ParquetStretch | _ArrowStretch] = _ParquetStretch
        elif hasattr(file, "num_record_batches"):
            n = file.num_record_batches
            n_rows, kind = [file.get_batch(0).num_rows if n else 0] * n, _ArrowStretch
        else:  # a stream has no table of contents
            yield _ArrowStream(source, wanted, (), 0.0)
            return
    cost = source.size / max(1, sum(n_rows))
    for begin, end in _together(n_rows):
        yield kind(source, wanted, tuple(range(begin, end)), cost)


def _together(n_rows: list[int]) -> Iterator[tuple[int, int]]:
    begin = rows = 0
    for end, size in enumerate(n_rows):
        if end > begin and rows + size > sizes.STRETCH_ROWS:
            yield begin, end
            begin, rows = end, 0
        rows += size
    if begin < len(n_rows):
        yield begin, len(n_rows)


@dataclass(frozen=True, eq=False)
class _ParquetStretch(Stretch):
    """Some consecutive row groups."""

    source: Source
    wanted: Wanted
    groups: tuple[int, ...]
    cost_of_row: float

    def pieces(self) -> Iterator[Piece]:
        """Decode some thousand rows at a time, never a whole large row group."""
        names = [self.wanted.names[j] for j in self.wanted.positions]
        step = rows_in_piece(len(names))
        with reading(self.source), _parquet(self.source, self.groups) as file:
            # One thread decodes, in the order of the columns: two took a third more of the processor for the same.
            batches = file.iter_batches(step, row_groups=list(self.groups), columns=names, use_threads=False)
            for batch in batches:
                yield ColumnPiece(batch.select(names), batch.num_rows * self.cost_of_row)


@dataclass(frozen=True, eq=False)
class _ArrowStretch(Stretch):
    """Some consecutive record batches of an Arrow file."""

    source: Source
    wanted: Wanted
    batches: tuple[int, ...]
    cost_of_row: float

    def pieces(self) -> Iterator[Piece]:
        """Read the record batches, cut into pieces."""
        names = [self.wanted.names[j] for j in self.wanted.positions]
        step = rows_in_piece(len(names))
        with reading(self.source), _arrow(self.source, list(self.wanted.positions)) as reader:
            for batch in self._read(reader):
                batch.validate(full=True)  # a damaged offset would lead out of the memory
                ordered = batch.select(names)
                for at in range(0, batch.num_rows, step):
                    part = ordered.slice(at, step)
                    yield ColumnPiece(part, self.cost_of_row * part.num_rows)

    def _read(self, reader: Any) -> Iterator[pa.RecordBatch]:
        return map(reader.get_batch, self.batches)


@dataclass(frozen=True, eq=False)
class _ArrowStream(_ArrowStretch):
    """A whole Arrow stream, which can be read from its beginning alone."""

    apart: ClassVar[bool] = False

    def _read(self, reader: Any) -> Iterator[pa.RecordBatch]:
        return _record_batches(reader)


def _record_batches(reader: Any) -> Iterator[pa.RecordBatch]:
    """Give all batches of an Arrow file or stream."""
    n = getattr(reader, "num_record_batches", None)
    return iter(reader) if n is None else map(reader.get_batch, range(n))


def _schema(file: Any) -> pa.Schema:
    return file.schema_arrow if isinstance(file, pq.ParquetFile) else file.schema


@contextmanager
def _opened(source: Source) -> Iterator[Any]:
    with _parquet(source) if source.suffix == ".parquet" else _arrow(source, None) as file:
        yield file


@contextmanager
def _parquet(source: Source, groups: tuple[int, ...] = ()) -> Iterator[pq.ParquetFile]:
    """Open a Parquet file that is read page by page; row groups from afar, where small, are fetched at once.

    A ParquetFile and not read_table, which makes columns of folder names such as batch=A; and not through a Python file, where
    every read would wait until no other thread is in the interpreter.
    """
    with (
        source.open() if source.remote else pa.OSFile(source.url) as raw,
        pq.ParquetFile(raw, buffer_size=_PAGE_BUFFER, pre_buffer=False) as paged,
    ):
        n_bytes = [paged.metadata.row_group(i).total_byte_size for i in groups]
        if source.remote and n_bytes and max(n_bytes) <= _FETCHED_WHOLE:
            with pq.ParquetFile(raw, metadata=paged.metadata, pre_buffer=True) as whole:
                yield whole
        else:
            yield paged


@contextmanager
def _arrow(source: Source, wanted: list[int] | None) -> Iterator[Any]:
    """Open an Arrow file or stream, to read the columns of some positions, or all."""
    options = pa.ipc.IpcReadOptions(included_fields=wanted)
    with source.open() as raw:
        file = pa.PythonFile(raw, mode="r") if source.remote else pa.memory_map(source.url)
        with file:
            is_file = file.read(6) == b"ARROW1"
            file.seek(0)
            opened = pa.ipc.open_file if is_file else pa.ipc.open_stream
            with opened(file, options=options) as reader:
                yield reader


@contextmanager
def _sound(source: Source) -> Iterator[None]:
    """Say of a file that cannot be opened that it is none, and not that it is damaged somewhere."""
    try:
        with reading(source):
            yield
    except FileError as error:
        if isinstance(error.__cause__, pa.ArrowException):
            kind, where = (
                ("Parquet", "Arrow")[source.suffix != ".parquet"],
                source.url if source.remote else source.path,
            )
            reason = str(error.__cause__).strip().partition("\n")[0]
            raise FileError(f"{where}: is no sound {kind} file ({reason}); write it anew") from error
        raise
