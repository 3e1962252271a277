"""Tables in long format: one row a measurement, with its sample, its molecule and its value."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import ClassVar, NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from exoclassify.data.names import canonical_names, tells_hairpins_apart
from exoclassify.errors import FileError, InputError, first_three
from exoclassify.model.panel import Panel
from exoclassify.scoring.layout import Layout, kept_constant
from exoclassify.scoring.rows import RowStretch
from exoclassify.tables import sizes
from exoclassify.tables.blocks import TextFile, text_stretches
from exoclassify.tables.cells import column_numbers, column_texts
from exoclassify.tables.columns import column_names, column_stretches
from exoclassify.tables.pieces import Batch, Piece, Reject, Stretch, Wanted, matrix_batch
from exoclassify.tables.sources import STREAMED_TEXT, Source, reading
from exoclassify.typing import Codes

__all__ = ["LongNames", "long_stretch"]


class LongNames(NamedTuple):
    """The columns of a table in long format.

    Parameters
    ----------
    sample, molecule, value : str
        As its header has them.
    """

    sample: str
    molecule: str
    value: str


@dataclass(frozen=True, eq=False)
class _LongStretch(Stretch):
    """A whole table in long format; the rows of a sample stand together."""

    source: Source
    text: TextFile | None
    wanted: Wanted
    order: tuple[int, ...]
    """Of sample, molecule, value and what is kept, among the columns wanted."""
    panel: Panel
    keep: tuple[tuple[str, str], ...]
    hairpins_apart: bool
    apart: ClassVar[bool] = False

    def pieces(self) -> Iterator[Piece]:
        """Read some 200,000 rows at a time, and cut where a sample ends."""
        rest: pa.Table | None = None
        before = 0.0
        with reading(self.source):
            for table, cost in self.tables():
                joined = table if rest is None else pa.concat_tables([rest, table])
                before += cost
                if joined.num_rows < sizes.LONG_ROWS:
                    rest = joined
                    continue
                cut = _last_start(joined.column(0))
                rest = joined.slice(cut)
                if cut:
                    yield _LongPiece(self, joined.slice(0, cut).combine_chunks(), before)
                    before = 0.0
            if rest is not None and rest.num_rows:
                yield _LongPiece(self, rest.combine_chunks(), before)

    def tables(self) -> Iterator[tuple[pa.Table, float]]:
        """Read the columns as texts, with what each piece costs in bytes of the file."""
        source, wanted = self.source, self.wanted
        stretches = column_stretches(source, wanted) if self.text is None else text_stretches(self.text, wanted)
        for stretch in stretches:
            for piece in stretch.pieces():
                batch = piece.batch()
                if batch.faults:
                    row, sample, _, reason = batch.faults[0]
                    raise FileError(
                        f"{source.name}: sample {sample}: {reason} ({row} rows after this part of the file begins)"
                    )
                columns = [column_texts(batch.columns.column(j)) for j in self.order]
                yield pa.table(columns, names=[str(j) for j in range(len(columns))]), piece.cost


def _last_start(samples: pa.ChunkedArray) -> int:
    """Find where the rows of the last sample begin."""
    other = pc.not_equal(samples, samples[-1]).to_numpy(zero_copy_only=False)
    found = np.flatnonzero(other)
    return int(found[-1]) + 1 if found.size else 0


@dataclass(frozen=True, eq=False)
class _LongPiece(Piece):
    """The rows of some samples: sample, molecule, value, and the columns that are kept."""

    of: _LongStretch
    table: pa.Table
    cost: float

    def batch(self) -> Batch:
        """Turn the rows of each sample into one."""
        panel, table = self.of.panel, self.table
        samples = pc.utf8_trim_whitespace(_one(table.column(0)))
        codes = samples.dictionary_encode().indices.to_numpy()
        starts = np.flatnonzero(np.concatenate([[True], codes[1:] != codes[:-1]]))
        run = np.repeat(np.arange(len(starts)), np.diff([*starts, len(codes)]))
        where = self.on_panel(_one(table.column(1)))
        on_panel = np.flatnonzero(where >= 0)
        values, words = column_numbers(_one(table.column(2)).take(pa.array(on_panel)))
        run, where = run[on_panel], where[on_panel]
        X = np.full((len(starts), len(panel.molecules)), np.nan)
        X[run, where] = values
        texts = [(int(run[i]), int(where[i]), text) for i, text in words]
        ids = samples.take(pa.array(starts)).to_pylist()
        kept, at = [], iter(range(3, table.num_columns))
        for _, constant in self.of.keep:
            column = (
                [constant] * len(starts)
                if constant
                else _one(table.column(next(at))).take(pa.array(starts)).to_pylist()
            )
            kept.append(column)
        columns = matrix_batch(ids, X, texts, kept)
        twice = _twice(run, where, len(panel.molecules))
        said = "is given more than once for this sample; keep one of them"
        faults = tuple(Reject(int(starts[i]), ids[i], panel.molecules[twice[i]], said) for i in sorted(twice))
        once = np.setdiff1d(np.arange(len(starts)), [*twice])
        return Batch(columns.take(pa.array(once)), starts[once], faults, table.num_rows)

    def on_panel(self, molecules: pa.Array) -> Codes:
        """Find the place on the panel of each row's molecule; -1 for others."""
        panel, coded = self.of.panel, molecules.dictionary_encode()
        places = {molecule: i for i, molecule in enumerate(panel.canonical)}
        apart = self.of.hairpins_apart
        known = [
            places.get(canonical_names([name], panel.kind, source="", hairpins_apart=apart)[0], -1)
            if name.strip()
            else -1
            for name in coded.dictionary.to_pylist()
        ]
        result: Codes = np.array(known, dtype=np.intp)[coded.indices.to_numpy()]
        return result


def _twice(run: Codes, where: Codes, n_molecules: int) -> dict[int, int]:
    """For each sample with a molecule given twice, that molecule."""
    cells, times = np.unique(run * n_molecules + where, return_counts=True)
    return {int(cell // n_molecules): int(cell % n_molecules) for cell in cells[times > 1]}


def _one(column: pa.ChunkedArray) -> pa.Array:
    return column.combine_chunks() if column.num_chunks != 1 else column.chunk(0)


def long_stretch(source: Source, panel: Panel, keep: tuple[str, ...], names: LongNames) -> RowStretch:
    """Look at a table in long format.

    Parameters
    ----------
    keep : tuple of str
        Columns that pass through; the first row of a sample says what they hold.
    """
    if source.suffix == ".xlsx":
        raise FileError(f"{source.name}: a workbook in long format is not read; save it as CSV")
    text = TextFile.of(source, 1) if source.suffix in STREAMED_TEXT else None
    if text is None and source.suffix in STREAMED_TEXT:
        raise FileError(f"{source.name}: is no UTF-8 text with line ends of today; save it as UTF-8")
    header = column_names(source) if text is None else text.header
    lacking = [name for name in names if name not in header]
    if lacking:
        raise InputError(
            f"{source.name}: has no column {lacking[0]}; its columns are {first_three(header)}; name those of sample, molecule "
            "and value with --long"
        )
    kept = tuple((name, "" if name in header else kept_constant(source, name, header)) for name in keep)
    read = [header.index(name) for name in (*names, *(name for name, constant in kept if not constant))]
    positions = tuple(sorted(set(read)))
    wanted = Wanted(tuple(header), positions, read[0], frozenset())
    stretch = _LongStretch(source, text, wanted, tuple(map(positions.index, read)), panel, kept, panel.hairpins_apart)
    with reading(source):
        head = next((table for table, _ in stretch.tables()), None)
    if head is None or not head.num_rows:
        raise InputError(f"{source.name}: has a header and no row below it")
    written = pc.unique(head.column(1)).to_pylist()
    stretch = replace(stretch, hairpins_apart=panel.hairpins_apart or tells_hairpins_apart(written, panel.kind))
    if not (_LongPiece(stretch, head, 0.0).on_panel(_one(head.column(1))) >= 0).any():
        raise InputError(
            f"{source.name}: no molecule of the model's panel is among the first {head.num_rows} rows of column "
            f"{names.molecule} ({first_three(written)}); check that both name the molecules alike"
        )
    n = len(panel.molecules)
    columns = (names.sample, *panel.molecules, *keep)
    kept_at = tuple((n + 1 + k, "") for k in range(len(keep)))
    return RowStretch(Layout(source, panel, columns, 0, np.arange(1, n + 1), kept_at), stretch)
