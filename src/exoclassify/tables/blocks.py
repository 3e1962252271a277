"""CSV and TSV as a stream, also packed: cut at line ends, each piece taken apart by itself."""

from __future__ import annotations

import io
import re
import zlib
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass
from itertools import islice
from typing import BinaryIO, ClassVar

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv as pacsv

from exoclassify.errors import FileError
from exoclassify.tables import sizes
from exoclassify.tables.cells import MISSING_SPELLINGS
from exoclassify.tables.csv import rows_of_text, separator_and_rows
from exoclassify.tables.pieces import Batch, Piece, Reject, Stretch, Wanted
from exoclassify.tables.sources import Source, reading, unpacking

__all__ = ["TextFile", "TextPiece", "text_stretches"]

_LONGEST = 64 << 20  # bytes in which a row ends, if its quotes match
_BOM = b"\xef\xbb\xbf"
_ESCAPED = re.compile("[\udc80-\udcff]")  # bytes that are no UTF-8
_ODD_NAN = re.compile(rb"nan\(", re.IGNORECASE)  # Arrow takes it for a number


@dataclass(frozen=True, eq=False)
class TextFile:
    """How a text table is written.

    Parameters
    ----------
    source : Source
        The file.
    separator : str
        Between cells.
    rows : tuple of (int, list of str)
        Where each of its first rows ends and its cells, the header first.
    begin : int
        Bytes up to the first row below the header.
    head : bytes
        Its beginning, whole lines if there are any.
    """

    source: Source
    separator: str
    rows: tuple[tuple[int, list[str]], ...]
    begin: int
    head: bytes

    @classmethod
    def of(cls, source: Source, n_rows: int) -> TextFile | None:
        """Look at the beginning of a text.

        Returns
        -------
        TextFile or None
            None for what cannot be streamed: UTF-16, or the line ends of old Macintoshes.
        """
        head = _head_of_text(source)
        if head.startswith((b"\xff\xfe", b"\xfe\xff")) or (b"\r" in head and b"\n" not in head):
            return None
        text = head.removeprefix(_BOM).decode("utf-8", errors="replace")
        suffix = f".{source.suffix.split('.')[1]}"
        separator, rows = separator_and_rows(lambda: io.StringIO(text, newline=""), suffix, source.name)
        with closing(rows):
            first = tuple(islice(rows, n_rows + 1))
        if not first:
            raise FileError(f"{source.name}: is empty but for blank lines")
        begin = len(b"".join(head.splitlines(keepends=True)[: first[0][0]]))
        return cls(source, separator, first, begin, head)

    @property
    def header(self) -> list[str]:
        """Names of the columns, without blanks around."""
        return [cell.strip() for cell in self.rows[0][1]]


def _head_of_text(source: Source) -> bytes:
    """Read the beginning: whole lines if there are any, a megabyte or, when the header is longer, more."""
    with reading(source), source.open() as raw, unpacking(raw, source.suffix) as file:
        head = _filled(file, sizes.HEAD_BYTES)
        while head.count(b"\n") < 2 and (more := _filled(file, sizes.HEAD_BYTES)):
            head += more
        if len(_filled(file, 1)):
            head = head[: head.rfind(b"\n") + 1]
    return head


def text_stretches(text: TextFile, wanted: Wanted) -> Iterator[Stretch]:
    """Cut a text at line ends, each about 64 MB after the last; a packed one cannot be cut."""
    source, begin, quoted = text.source, text.begin, b'"' in text.head
    if source.suffix.endswith((".gz", ".zst")):
        yield _PackedStretch(source, text.separator, wanted, begin, source.size)
        return
    with reading(source), source.open() as file:
        while begin < source.size:
            end = _cut_after(file, begin, begin + sizes.STRETCH_BYTES, source.size, quoted=quoted)
            yield _TextStretch(source, text.separator, wanted, begin, end)
            begin = end


@dataclass(frozen=True, eq=False)
class _TextStretch(Stretch):
    """Whole lines of a text table between two bytes."""

    source: Source
    separator: str
    wanted: Wanted
    begin: int
    end: int

    def pieces(self) -> Iterator[Piece]:
        """Read about 2 MB of whole lines at a time."""
        with reading(self.source), self.source.open() as file:
            file.seek(self.begin)
            for text in _lines(self.source, file, self.end):
                yield TextPiece(self.source.name, self.separator, self.wanted, text, float(len(text)))


@dataclass(frozen=True, eq=False)
class _PackedStretch(_TextStretch):
    """A whole text in gzip or Zstandard, which can be read from its beginning alone."""

    apart: ClassVar[bool] = False

    def pieces(self) -> Iterator[Piece]:
        """Unpack and read about 2 MB of whole lines at a time; a last line that is cut short is not given out."""
        with reading(self.source), self.source.open() as raw, unpacking(raw, self.source.suffix) as file:
            _filled(file, self.begin)
            before = 0
            for text in _lines(self.source, file):
                now = raw.tell()
                yield TextPiece(self.source.name, self.separator, self.wanted, text, float(now - before))
                before = now


@dataclass(frozen=True, eq=False)
class TextPiece(Piece):
    """Whole lines of a text table.

    Parameters
    ----------
    name : str
        Of the file, for messages.
    separator : str
        Between cells.
    wanted : Wanted
        Columns that are read.
    text : bytes
        The lines.
    cost : float
        As in `Piece`.
    """

    name: str
    separator: str
    wanted: Wanted
    text: bytes
    cost: float

    def batch(self) -> Batch:
        """Take the lines apart: at once as numbers, else at once as texts, and where rows are uneven one by one."""
        return self._at_once(self.wanted.numbers) or self._at_once(frozenset()) or self._one_by_one()

    def _at_once(self, numbers: frozenset[int]) -> Batch | None:
        if b"(" in self.text and _ODD_NAN.search(self.text):
            return None
        wanted = self.wanted
        try:
            table = pacsv.read_csv(
                pa.BufferReader(self.text),
                read_options=pacsv.ReadOptions(
                    use_threads=False,
                    block_size=len(self.text) + 1,
                    column_names=[str(j) for j in range(len(wanted.names))],
                ),
                parse_options=pacsv.ParseOptions(delimiter=self.separator, newlines_in_values=b'"' in self.text),
                convert_options=pacsv.ConvertOptions(
                    include_columns=[str(j) for j in wanted.positions],
                    column_types={str(j): pa.float64() if j in numbers else pa.string() for j in wanted.positions},
                    null_values=MISSING_SPELLINGS,
                ),
            )
        except pa.ArrowInvalid:
            return None
        [batch] = table.combine_chunks().to_batches() or [pa.RecordBatch.from_pylist([], table.schema)]
        ids = batch.column(wanted.positions.index(wanted.ids))
        if ids.null_count or pc.any(pc.equal(pc.utf8_trim_whitespace(ids), "")).as_py():  # a blank line, or no name
            return None
        return Batch(batch, np.arange(batch.num_rows))

    def _one_by_one(self) -> Batch:
        wanted = self.wanted
        text = self.text.decode("utf-8", errors="surrogateescape")
        odd = _ESCAPED.search(text) is not None
        sound: list[list[str]] = []
        places, faults, n = [], [], 0
        for n, (_, cells) in enumerate(rows_of_text(text, self.separator, self.name)):
            sample = cells[wanted.ids].strip() if len(cells) > wanted.ids else ""
            read = [cells[j] for j in wanted.positions if j < len(cells)]
            if odd and _ESCAPED.search("".join((sample, *read))):
                readable = sample.encode("utf-8", errors="replace").decode()
                faults.append(Reject(n, readable, "", "is not UTF-8 text; save the file as UTF-8"))
            elif len(cells) != len(wanted.names):
                said = f"has {len(cells)} cells where the header has {len(wanted.names)}; correct the row"
                said = "is a remark and no row of the table; take it out" if sum(map(bool, cells)) == 1 else said
                faults.append(Reject(n, sample, "", said))
            else:
                sound.append(read)
                places.append(n)
        columns = list(zip(*sound, strict=True)) or [()] * len(wanted.positions)
        arrays = [pa.array(column, pa.string()) for column in columns]
        batch = pa.RecordBatch.from_arrays(arrays, [str(j) for j in wanted.positions])
        return Batch(batch, np.array(places, dtype=np.intp), tuple(faults))


def _cut_after(file: BinaryIO, begin: int, at: int, size: int, *, quoted: bool) -> int:
    """Find where the row ends that holds the byte before `at`; a line's end inside of quotes, counted from `begin`, ends none."""
    end = begin
    while end == begin or (quoted and end < size and _quotes(file, begin, end) % 2):
        file.seek(max(at, end + 1) - 1)
        file.readline()
        end = min(file.tell(), size)
    return end


def _quotes(file: BinaryIO, begin: int, end: int) -> int:
    file.seek(begin)
    n = 0
    while (left := end - file.tell()) > 0:
        n += file.read(min(left, 1 << 20)).count(b'"')
    return n


def _lines(source: Source, file: BinaryIO, end: int | None = None) -> Iterator[bytes]:
    """Give blocks that end where a row ends: a line's end outside of quotes."""
    rest = b""
    while block := _filled(file, sizes.PIECE_BYTES if end is None else min(sizes.PIECE_BYTES, end - file.tell())):
        text = rest + block
        cut = _row_end(text)
        if cut:
            yield text[:cut]
        rest = text[cut:]
        if len(rest) > _LONGEST:
            break
    if rest.count(b'"') % 2:
        raise FileError(
            f"{source.name}: its quotes do not match, or a quoted cell holds a line's end; correct it, or save it as "
            "Parquet"
        )
    if rest.strip():
        yield rest


def _row_end(text: bytes) -> int:
    cut = text.rfind(b"\n") + 1
    while cut and text.count(b'"', 0, cut) % 2:
        cut = text.rfind(b"\n", 0, cut - 1) + 1
    return cut


def _filled(file: BinaryIO, size: int) -> bytes:
    """Read so many bytes, fewer at the end, or before a fault that comes up again when it is read on."""
    parts, left, read = [], size, getattr(file, "read1", file.read)
    try:
        while left and (part := read(left)):
            parts.append(bytes(part))
            left -= len(part)
    except (OSError, EOFError, zlib.error):
        if not parts:
            raise
    return b"".join(parts)
