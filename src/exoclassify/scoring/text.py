"""CSV and TSV as a stream, also packed: cut at line ends, each piece understood by itself."""

from __future__ import annotations

import io
import re
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass
from itertools import islice
from typing import ClassVar

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv as pacsv

from exoclassify.errors import FileError
from exoclassify.model.panel import Panel
from exoclassify.scoring.columnar import number_blocks
from exoclassify.scoring.layout import HEAD_ROWS, Layout, layout_of
from exoclassify.scoring.lines import cut_after, line_blocks, unpacking
from exoclassify.scoring.pieces import Piece, Stretch, reading
from exoclassify.scoring.rows import RowBuilder, Rows
from exoclassify.scoring.sources import Source
from exoclassify.tables.asked import AS_WRITTEN, Reading
from exoclassify.tables.cells import MISSING_SPELLINGS, numbers
from exoclassify.tables.csv import rows_of_text, separator_and_rows
from exoclassify.tables.from_rows import wide_from_rows
from exoclassify.tables.wide import id_position

__all__ = ["TextLayout", "TextPiece", "TextStretch", "text_layout", "text_stretches"]

_STRETCH = 64 << 20  # bytes of text from one cut to the next
_BOM = b"\xef\xbb\xbf"
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


def text_layout(
    source: Source, head: bytes, panel: Panel, keep: tuple[str, ...], asked: Reading = AS_WRITTEN
) -> TextLayout | None:
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
    asked : Reading
        What the user said of the file.

    Returns
    -------
    TextLayout or None
        None when samples lie in columns, or numbers are written in another country's way.

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
    wide = wide_from_rows(iter([first[0], *(even or first[1:])]), source.name, asked)
    at = id_position(header, asked, source.name)
    ids = [cells[0] for _, cells in even]
    columns = layout_of(source, header, ids, wide, panel, keep, at) if wide.plain else None
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
            end = cut_after(file, begin, begin + _STRETCH, source.size, quoted=layout.quoted)
            yield TextStretch(source, layout, begin, end)
            begin = end


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
            for text in line_blocks(self.source, file, self.begin, self.end):
                yield TextPiece(self.layout, text, float(len(text)))


@dataclass(frozen=True, eq=False)
class PackedStretch(TextStretch):
    """A whole text in gzip or Zstandard, which can be read from its beginning alone."""

    begin: int = 0
    end: int = 0
    apart: ClassVar[bool] = False

    def pieces(self) -> Iterator[Piece]:
        """Unpack and read about 2 MB of whole lines at a time; a last line that is cut short is not given out."""
        with reading(self.source), self.source.open() as raw, unpacking(raw, self.source.suffix) as file:
            before = 0
            for text in line_blocks(self.source, file, self.layout.begin):
                now = raw.tell()
                yield TextPiece(self.layout, text, float(now - before))
                before = now


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
                parse_options=pacsv.ParseOptions(delimiter=self.layout.separator, newlines_in_values=b'"' in self.text),
                convert_options=pacsv.ConvertOptions(
                    include_columns=[str(j) for j in wanted],
                    column_types={str(j): pa.float64() if j in measured else pa.string() for j in wanted},
                    null_values=MISSING_SPELLINGS,
                ),
            )
        except pa.ArrowInvalid:
            return None
        ids = pc.utf8_trim_whitespace(_joined(table.column(str(columns.id_column))))
        if ids.null_count or pc.any(pc.equal(ids, "")).as_py():  # a blank line, or a row without a name
            return None
        there = [str(j) for j in columns.places.tolist() if j >= 0]
        [batch] = table.select(there).combine_chunks().to_batches()
        keep = tuple(
            pa.array([text] * len(ids), pa.string()) if j < 0 else _joined(table.column(str(j)))
            for j, text in columns.keep
        )
        return Rows(ids, number_blocks(batch, columns.places), keep, np.arange(len(ids)), len(ids))

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
                "\udc80" <= letter <= "\udcff" for letter in sample.join(cells[j] for j in wanted if j < len(cells))
            ):
                builder.reject(_readable(sample), "", "is not UTF-8 text; save the file as UTF-8")
                continue
            if len(cells) != len(columns.names):
                builder.reject(
                    sample, "", f"has {len(cells)} cells where the header has {len(columns.names)}; correct the row"
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
