"""Looks at each file before anything is scored, and cuts it into stretches."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import islice

import pyarrow as pa

from exoclassify.errors import ExoclassifyError, FileError, InputError
from exoclassify.model.panel import Panel
from exoclassify.scoring.column_files import head_table
from exoclassify.scoring.columnar import ColumnPiece, columnar_layout, columnar_stretches
from exoclassify.scoring.layout import HEAD_ROWS, Layout
from exoclassify.scoring.lines import head_text
from exoclassify.scoring.long import LongNames, long_stretch
from exoclassify.scoring.pieces import Piece, Stretch, reading
from exoclassify.scoring.rows import checked
from exoclassify.scoring.sources import STREAMED_TEXT, Source
from exoclassify.scoring.text import TextLayout, TextPiece, text_layout, text_stretches
from exoclassify.scoring.whole import MOST_BYTES, whole_stretch
from exoclassify.tables.reading import SUFFIXES, checked_suffix

__all__ = ["Plan", "planned"]

_UTF16 = (b"\xff\xfe", b"\xfe\xff")


@dataclass(frozen=True, eq=False)
class Plan:
    """One file, looked at.

    Parameters
    ----------
    source : Source
        The file.
    how : Layout, TextLayout or Stretch
        Where its columns are, or its only stretch.
    """

    source: Source
    how: Layout | TextLayout | Stretch

    def stretches(self) -> Iterator[Stretch]:
        """Cut the file; the cuts are the same each time.

        Yields
        ------
        Stretch

        Raises
        ------
        FileError
            If the file cannot be read.
        """
        if isinstance(self.how, Stretch):
            yield self.how
        elif isinstance(self.how, TextLayout):
            yield from text_stretches(self.how)
        else:
            yield from columnar_stretches(self.how)


def planned(
    sources: Sequence[Source], panel: Panel, keep: tuple[str, ...], long: LongNames | None
) -> tuple[list[Plan], list[tuple[Source, ExoclassifyError]]]:
    """Look at every file.

    Parameters
    ----------
    sources : sequence of Source
        The files.
    panel : Panel
        Of the model.
    keep : tuple of str
        Columns that pass through.
    long : LongNames, optional
        Names of the columns of tables in long format.

    Returns
    -------
    plans : list of Plan
        For the files that can be used.
    malformed : list of (Source, ExoclassifyError)
        What is wrong with the others.
    """
    plans, malformed = [], []
    for source in sources:
        try:
            plans.append(_plan(source, panel, keep, long))
        except ExoclassifyError as error:
            malformed.append((source, error))
    return plans, malformed


def _plan(source: Source, panel: Panel, keep: tuple[str, ...], long: LongNames | None) -> Plan:
    if source.remote:
        if source.suffix not in (*SUFFIXES, *STREAMED_TEXT):
            raise FileError(f"{source.url}: its ending is none of those known here ({', '.join(SUFFIXES)})")
    elif not source.suffix.endswith(".zst") or not source.path.exists():
        with reading(source):
            checked_suffix(source.path)
    if long is not None:
        return Plan(source, long_stretch(source, panel, keep, long))
    how: Layout | TextLayout | None = None
    if source.suffix in STREAMED_TEXT:
        how = _text(source, panel, keep)
    elif source.suffix != ".xlsx":
        how = _columns(source, panel, keep)
    if how is not None:
        return Plan(source, how)
    with reading(source):
        stretch = whole_stretch(source, panel, keep)
    _probe(next(stretch.pieces()), panel, source)
    return Plan(source, stretch)


def _text(source: Source, panel: Panel, keep: tuple[str, ...]) -> TextLayout | None:
    head = head_text(source)
    if head.startswith(_UTF16) or (b"\r" in head and b"\n" not in head):
        return None
    try:
        layout = text_layout(source, head, panel, keep)
    except InputError:
        if head.count(b"\n") > HEAD_ROWS and source.size <= MOST_BYTES and not source.remote:
            return None  # a turned table may name the panel further down
        raise
    if layout is not None:
        rows = head[layout.begin :].splitlines(keepends=True)[:HEAD_ROWS]
        _probe(TextPiece(layout, b"".join(rows), 0.0), panel, source)
    return layout


def _columns(source: Source, panel: Panel, keep: tuple[str, ...]) -> Layout | None:
    head = head_table(source, panel)
    layout = columnar_layout(source, head, panel, keep)
    if layout is not None:
        names = [layout.names[j] for j in layout.wanted]
        batches = head.select(names).combine_chunks().to_batches()
        _probe(
            ColumnPiece(layout, batches[0] if batches else pa.RecordBatch.from_pylist([]), 0.0), panel, source
        )
    return layout


def _probe(piece: Piece, panel: Panel, source: Source) -> None:
    """Refuse a file of whose first rows none can be used: its unit or its form is another."""
    rows, _ = checked(piece.rows(), panel, source.name, len)
    if rows.n_read and not len(rows.ids):
        first = next(islice(rows.rejected, 1))
        where = (
            f"sample {first.sample_id}: " if first.sample_id and first.sample_id not in first.reason else ""
        )
        column = f"column {first.column} " if first.column and first.column not in first.reason else ""
        many = "its only row" if rows.n_read == 1 else f"none of its first {rows.n_read} rows"
        raise InputError(f"{source.name}: {many} can be used ({where}{column}{first.reason})")
