"""CSV and TSV as a stream, also packed: cut at line ends, each piece understood by itself."""

from __future__ import annotations

import io
import re
import zlib
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from itertools import islice
from typing import BinaryIO, ClassVar, cast

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv as pacsv

from exoclassify.data.formats.cells import numbers
from exoclassify.data.formats.csv import rows_of_text, separator_and_rows
from exoclassify.data.formats.from_rows import wide_from_rows
from exoclassify.errors import FileError
from exoclassify.model.panel import Panel
from exoclassify.scoring.layout import HEAD_ROWS, Layout, layout_of
from exoclassify.scoring.pieces import Piece, Stretch, reading
from exoclassify.scoring.rows import RowBuilder, Rows
from exoclassify.scoring.sources import Source

__all__ = [
    "TextLayout",
    "TextPiece",
    "TextStretch",
    "head_text",
    "line_blocks",
    "text_layout",
    "text_stretches",
    "unpacked",
]

_PIECE = 2 << 20  # bytes of text understood at once
_STRETCH = 64 << 20  # bytes of text from one cut to the next
_HEAD = 1 << 20
_BOM = b"\xef\xbb\xbf"
_MARKS = ("", "na", "nan", "null", "none", "#n/a", ".")
_MISSING = sorted({spelt for mark in _MARKS for spelt in (mark, mark.upper(), mark.title())} | {"NaN"})
_ODD_NAN = re.compile(rb"nan\(", re.IGNORECASE)  # Arrow takes it for a number


@dataclass(frozen=True, eq=False)
class TextLayout:
    """How a text table is written.

    Parameters
    ----------
    columns : Layout
        Where what is needed lies.
    separator : str
        Between cells.
    begin : int
        Bytes up to the first row.
    quoted : bool
        Whether its beginning holds quotes, which can hold a line's end.
    """

    columns: Layout
    separator: str
    begin: int
    quoted: bool


def head_text(source: Source) -> bytes:
    """Read the beginning of a text, whole lines if there are any.

    Parameters
    ----------
    source : Source
        The file.

    Returns
    -------
    bytes
        At most a header and some hundred rows; more than a megabyte when the header is longer.

    Raises
    ------
    FileError
        If it cannot be read.
    """
    with reading(source), unpacked(source) as file:
        head = _filled(file, _HEAD)
        while head.count(b"\n") < 2 and (more := _filled(file, _HEAD)):
            head += more
        if len(_filled(file, 1)):
            head = head[: head.rfind(b"\n") + 1]
    return head


def text_layout(source: Source, head: bytes, panel: Panel, keep: tuple[str, ...]) -> TextLayout | None:
    """Find the columns of a text table.

    Parameters
    ----------
    source : Source
        The file.
    head : bytes
        As `head_text` gives it.
    panel : Panel
        Of the model.
    keep : tuple of str
        Columns that pass through.

    Returns
    -------
    TextLayout or None
        None when samples lie in columns.

    Raises
    ------
    FileError, InputError, ModelError
        If the table cannot be used.
    """
    text = head.removeprefix(_BOM).decode("utf-8", errors="replace")
    suffix = f".{source.suffix.split('.')[1]}"
    separator, rows = separator_and_rows(lambda: io.StringIO(text, newline=""), suffix, source.name)
    with closing(rows):
        first = list(islice(rows, HEAD_ROWS + 1))
    if not first:
        raise FileError(f"{source.name}: is empty but for blank lines")
    line, header = first[0][0], [cell.strip() for cell in first[0][1]]
    even = [row for row in first[1:] if len(row[1]) == len(header)]
    wide = wide_from_rows(iter([first[0], *(even or first[1:])]), source.name)
    columns = layout_of(source, header, [cells[0] for _, cells in even], wide, panel, keep)
    if columns is None:
        return None
    begin = len(b"".join(head.splitlines(keepends=True)[:line]))
    return TextLayout(columns, separator, begin, b'"' in head)


def text_stretches(layout: TextLayout) -> Iterator[TextStretch]:
    """Cut a text at line ends, each about 64 MB after the last; a packed one cannot be cut.

    Parameters
    ----------
    layout : TextLayout
        How it is written.

    Yields
    ------
    TextStretch

    Raises
    ------
    FileError
        If the file cannot be read.
    """
    source = layout.columns.source
    if source.suffix.endswith((".gz", ".zst")):
        yield PackedStretch(source, layout)
        return
    with reading(source), source.open() as file:
        begin = layout.begin
        while begin < source.size:
            end = _line_end(file, begin + _STRETCH, source.size)
            while layout.quoted and end < source.size and _quotes(file, begin, end) % 2:
                end = _line_end(file, end + 1, source.size)
            yield TextStretch(source, layout, begin, end)
            begin = end


def _line_end(file: BinaryIO, at: int, size: int) -> int:
    """Find where the line ends that holds the byte before `at`."""
    position = at - 1
    while position < size:
        file.seek(position)
        block = file.read(1 << 16)
        found = block.find(b"\n")
        if found >= 0:
            return position + found + 1
        if not block:
            break
        position += len(block)
    return size


def _quotes(file: BinaryIO, begin: int, end: int) -> int:
    file.seek(begin)
    limited = _Limited(file, end - begin)
    return sum(block.count(b'"') for block in iter(lambda: limited.read(1 << 20), b""))


@dataclass(frozen=True, eq=False)
class TextStretch(Stretch):
    """Whole lines of a text table between two bytes.

    Parameters
    ----------
    source : Source
        The file.
    layout : TextLayout
        How it is written.
    begin, end : int
        The first byte, and the first that is not of it.
    """

    source: Source
    layout: TextLayout
    begin: int
    end: int

    def pieces(self) -> Iterator[Piece]:
        """Read about 2 MB of whole lines at a time."""
        with reading(self.source), self.source.open() as file:
            file.seek(self.begin)
            for text in _lines(self.source, _Limited(file, self.end - self.begin)):
                yield TextPiece(self.layout, text, float(len(text)))


@dataclass(frozen=True, eq=False)
class PackedStretch(TextStretch):
    """A whole text in gzip or Zstandard, which can be read from its beginning alone."""

    begin: int = 0
    end: int = 0
    apart: ClassVar[bool] = False

    def pieces(self) -> Iterator[Piece]:
        """Unpack and read about 2 MB of whole lines at a time; a last line that is cut short is not given out."""
        with reading(self.source), self.source.open() as raw, _unpacking(raw, self.source.suffix) as file:
            before = 0
            for text in line_blocks(self.source, file, self.layout.begin):
                now = raw.tell()
                yield TextPiece(self.layout, text, float(now - before))
                before = now


@dataclass(frozen=True)
class _Limited:
    file: BinaryIO
    size: int

    def read(self, size: int) -> bytes:
        left = self.size
        block = self.file.read(min(size, left))
        object.__setattr__(self, "size", left - len(block))
        return block


def _lines(source: Source, file: _Limited | BinaryIO) -> Iterator[bytes]:
    """Give blocks that end where a row ends: a line's end outside of quotes."""
    rest = b""
    while block := file.read(_PIECE):
        text = rest + block
        cut = _row_end(text)
        if cut:
            yield text[:cut]
        rest = text[cut:]
        if len(rest) > _STRETCH:
            break
    if rest.count(b'"') % 2:
        raise FileError(
            f"{source.name}: its quotes do not match, or a quoted cell holds a line's end; mend it, or save it as "
            "Parquet"
        )
    if rest.strip():
        yield rest


def line_blocks(source: Source, file: BinaryIO, begin: int) -> Iterator[bytes]:
    """Give the rows of an opened text in blocks of about 2 MB.

    Parameters
    ----------
    source : Source
        The file, for messages.
    file : file object
        At its beginning.
    begin : int
        Bytes up to the first row.

    Yields
    ------
    bytes
        Whole rows.

    Raises
    ------
    FileError
        If quotes do not match.
    """
    _filled(file, begin)
    yield from _lines(source, file)


def _row_end(text: bytes) -> int:
    cut = text.rfind(b"\n") + 1
    while cut and text.count(b'"', 0, cut) % 2:
        cut = text.rfind(b"\n", 0, cut - 1) + 1
    return cut


@contextmanager
def unpacked(source: Source) -> Iterator[BinaryIO]:
    """Open a text for reading its characters' bytes.

    Parameters
    ----------
    source : Source
        The file.

    Yields
    ------
    file object
    """
    with source.open() as raw, _unpacking(raw, source.suffix) as file:
        yield file


@contextmanager
def _unpacking(raw: BinaryIO, suffix: str) -> Iterator[BinaryIO]:
    if suffix.endswith(".gz"):
        yield cast(BinaryIO, _Gunzipped(raw))
    elif suffix.endswith(".zst"):
        with pa.CompressedInputStream(pa.PythonFile(raw, mode="r"), "zstd") as file:
            yield cast(BinaryIO, file)
    else:
        yield raw


class _Gunzipped:
    """Members of gzip one after the other, in small steps, so that what came before a fault has been given out."""

    def __init__(self, raw: BinaryIO) -> None:
        self._raw = raw
        self._inner = zlib.decompressobj(wbits=31)
        self._waiting = b""
        self._inside = False

    def read(self, size: int) -> bytes:
        parts, length = [], 0
        while length < size:
            if not self._waiting:
                self._waiting = self._raw.read(1 << 18)
                if not self._waiting:
                    break
            part = self._inner.decompress(self._waiting, size - length)
            self._inside = True
            self._waiting = self._inner.unconsumed_tail
            if self._inner.eof:
                self._waiting = self._inner.unused_data.lstrip(b"\0")
                self._inner, self._inside = zlib.decompressobj(wbits=31), False
            parts.append(part)
            length += len(part)
        if not length and self._inside:
            raise EOFError("the packed data end before their end mark")
        return b"".join(parts)


def _filled(file: BinaryIO, size: int) -> bytes:
    parts, left = [], size
    while left and (part := file.read(left)):
        parts.append(bytes(part))
        left -= len(part)
    return b"".join(parts)


@dataclass(frozen=True, eq=False)
class TextPiece(Piece):
    """Whole lines of a text table.

    Parameters
    ----------
    layout : TextLayout
        How it is written.
    text : bytes
        The lines.
    cost : float
        As in `Piece`.
    """

    layout: TextLayout
    text: bytes
    cost: float

    def rows(self) -> Rows:
        """Understand the lines, all at once where every cell is plain and else one by one."""
        return self._at_once() or self._one_by_one()

    def _at_once(self) -> Rows | None:
        columns = self.layout.columns
        if b"(" in self.text and _ODD_NAN.search(self.text):
            return None
        wanted = columns.wanted
        measured = set(columns.places.tolist())
        try:
            table = pacsv.read_csv(
                pa.BufferReader(self.text),
                read_options=pacsv.ReadOptions(
                    use_threads=False,
                    block_size=len(self.text) + 1,
                    column_names=[str(j) for j in range(len(columns.names))],
                ),
                parse_options=pacsv.ParseOptions(
                    delimiter=self.layout.separator, newlines_in_values=b'"' in self.text
                ),
                convert_options=pacsv.ConvertOptions(
                    include_columns=[str(j) for j in wanted],
                    column_types={str(j): pa.float64() if j in measured else pa.string() for j in wanted},
                    null_values=_MISSING,
                ),
            )
        except pa.ArrowInvalid:
            return None
        ids = pc.utf8_trim_whitespace(_joined(table.column(str(columns.id_column))))
        if ids.null_count or pc.any(pc.equal(ids, "")).as_py():  # a blank line, or a row without a name
            return None
        X = np.full((len(ids), len(columns.places)), np.nan)
        for molecule, j in enumerate(columns.places.tolist()):
            if j >= 0:
                X[:, molecule] = _joined(table.column(str(j))).to_numpy(zero_copy_only=False)
        keep = tuple(
            pa.array([text] * len(ids), pa.string()) if j < 0 else _joined(table.column(str(j)))
            for j, text in columns.keep
        )
        return Rows(ids, X, keep, np.arange(len(ids)), len(ids))

    def _one_by_one(self) -> Rows:
        columns, source = self.layout.columns, self.layout.columns.source
        builder = RowBuilder(columns.panel, len(columns.keep))
        there = np.flatnonzero(columns.places >= 0)
        targets = columns.places[there].tolist()
        wanted = columns.wanted
        text = self.text.decode("utf-8", errors="surrogateescape")
        for _, cells in rows_of_text(text, self.layout.separator, source.name):
            sample = cells[columns.id_column].strip() if len(cells) > columns.id_column else ""
            if any(
                "\udc80" <= letter <= "\udcff"
                for letter in sample.join(cells[j] for j in wanted if j < len(cells))
            ):
                builder.reject(_readable(sample), "", "is not UTF-8 text; save the file as UTF-8")
                continue
            if len(cells) != len(columns.names):
                builder.reject(
                    sample,
                    "",
                    f"has {len(cells)} cells where the header has {len(columns.names)}; mend the row",
                )
                continue
            values = np.full(len(columns.places), np.nan)
            values[there], texts = numbers([cells[j] for j in targets])
            named = [(int(there[i]), columns.names[targets[i]], word) for i, word in texts]
            builder.add(sample, values, named, [text if j < 0 else cells[j] for j, text in columns.keep])
        return builder.rows()


def _joined(column: pa.ChunkedArray) -> pa.Array:
    return column.chunk(0) if column.num_chunks == 1 else column.combine_chunks()


def _readable(text: str) -> str:
    return text.encode("utf-8", errors="replace").decode()
