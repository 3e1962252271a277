"""Looks at each file before anything is scored, and cuts it into stretches."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import islice

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from exoclassify.data.units import doubtful_blanks
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
from exoclassify.tables.asked import AS_WRITTEN, Reading
from exoclassify.tables.reading import SUFFIXES, checked_suffix, is_of_the_field

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
    notes : tuple of str
        What was understood of it or left out, and what a user should look at.
    """

    source: Source
    how: Layout | TextLayout | Stretch
    notes: tuple[str, ...] = ()

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
    sources: Sequence[Source], panel: Panel, keep: tuple[str, ...], long: LongNames | None, asked: Reading = AS_WRITTEN
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
    asked : Reading
        What the user said of the files.

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
            plans.append(_plan(source, panel, keep, long, asked))
        except ExoclassifyError as error:
            malformed.append((source, error))
    return plans, malformed


def _plan(source: Source, panel: Panel, keep: tuple[str, ...], long: LongNames | None, asked: Reading) -> Plan:
    if source.remote:
        if source.suffix not in (*SUFFIXES, *STREAMED_TEXT):
            raise FileError(f"{source.url}: its ending is none of those known here ({', '.join(SUFFIXES)})")
    elif not source.suffix.endswith(".zst") or not source.path.exists():
        with reading(source):
            checked_suffix(source.path)
    if long is not None:
        return Plan(source, long_stretch(source, panel, keep, long))
    if not _is_whole(source, asked):
        streamed = _text if source.suffix in STREAMED_TEXT else _columns
        found = streamed(source, panel, keep, asked)
        if found is not None:
            return Plan(source, *found)
    with reading(source):
        stretch = whole_stretch(source, panel, keep, asked)
    notes = _probe(next(stretch.pieces()), panel, source)
    return Plan(source, stretch, (*stretch.wide.notes, *notes))


def _is_whole(source: Source, asked: Reading) -> bool:
    """Whether a file is read as a whole: workbooks, the formats of the field, and where columns were chosen."""
    if asked.columns is not None or source.suffix not in (*STREAMED_TEXT, ".parquet", ".arrow", ".feather", ".ipc"):
        return True
    if source.remote or source.suffix.endswith(".zst"):
        return False
    with reading(source):
        return is_of_the_field(source.path, asked)


def _text(
    source: Source, panel: Panel, keep: tuple[str, ...], asked: Reading
) -> tuple[TextLayout, tuple[str, ...]] | None:
    head = head_text(source)
    if head.startswith(_UTF16) or (b"\r" in head and b"\n" not in head):
        return None
    try:
        layout = text_layout(source, head, panel, keep, asked)
    except InputError:
        if head.count(b"\n") > HEAD_ROWS and source.size <= MOST_BYTES and not source.remote:
            return None  # a turned table may name the panel further down
        raise
    if layout is None:
        return None
    rows = head[layout.begin :].splitlines(keepends=True)[:HEAD_ROWS]
    return layout, _probe(TextPiece(layout, b"".join(rows), 0.0), panel, source)


def _columns(
    source: Source, panel: Panel, keep: tuple[str, ...], asked: Reading
) -> tuple[Layout, tuple[str, ...]] | None:
    head = head_table(source, panel)
    layout = columnar_layout(source, head, panel, keep, asked)
    if layout is None:
        return None
    names = [layout.names[j] for j in layout.wanted]
    batches = head.select(names).combine_chunks().to_batches()
    piece = ColumnPiece(layout, batches[0] if batches else pa.RecordBatch.from_pylist([]), 0.0)
    return layout, _probe(piece, panel, source)


def _probe(piece: Piece, panel: Panel, source: Source) -> tuple[str, ...]:
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


def _cells(X: NDArray[np.float64]) -> tuple[int, int, int]:
    """Count the cells that are measured by one sample at least, the empty ones of them, and the zeros."""
    X = X[:, ~np.isnan(X).all(axis=0)]
    return X.size, int(np.isnan(X).sum()), int((X == 0).sum())
