"""Tables in long format: one row a measurement, with its sample, its molecule and its value."""

from __future__ import annotations

import io
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass
from typing import ClassVar, NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv as pacsv
from numpy.typing import NDArray

from exoclassify.data.names import canonical_names, tells_hairpins_apart
from exoclassify.errors import FileError, InputError, first_three
from exoclassify.model.panel import Panel
from exoclassify.scoring.column_files import whole_batches
from exoclassify.scoring.columnar import column_texts
from exoclassify.scoring.layout import kept_constant
from exoclassify.scoring.lines import head_text, line_blocks, unpacked
from exoclassify.scoring.pieces import Piece, Stretch, reading
from exoclassify.scoring.rows import RowBuilder, Rows
from exoclassify.scoring.sources import STREAMED_TEXT, Source
from exoclassify.tables.cells import numbers
from exoclassify.tables.csv import separator_and_rows
from exoclassify.tables.from_columns import is_number

__all__ = ["LongNames", "LongPiece", "LongStretch", "long_stretch"]

_PIECE_ROWS = 200_000


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
class LongStretch(Stretch):
    """A whole table in long format; the rows of a sample stand together.

    Parameters
    ----------
    source : Source
        The file.
    panel : Panel
        Of the model.
    names : LongNames
        Of the columns.
    keep : tuple of (str, str)
        Columns that pass through, each with the text that stands in every row, if one does.
    hairpins_apart : bool
        As in `Panel`.
    """

    source: Source
    panel: Panel
    names: LongNames
    keep: tuple[tuple[str, str], ...]
    hairpins_apart: bool
    apart: ClassVar[bool] = False

    def pieces(self) -> Iterator[Piece]:
        """Read some 200,000 rows at a time, and cut where a sample ends."""
        columns = [*self.names, *(name for name, constant in self.keep if not constant)]
        rest: pa.Table | None = None
        before = 0.0
        with reading(self.source):
            for table, cost in _tables(self.source, columns):
                joined = table if rest is None else pa.concat_tables([rest, table])
                before += cost
                if joined.num_rows < _PIECE_ROWS:
                    rest = joined
                    continue
                cut = _last_start(joined.column(0))
                rest = joined.slice(cut)
                if cut:
                    yield LongPiece(self, joined.slice(0, cut).combine_chunks(), before)
                    before = 0.0
            if rest is not None and rest.num_rows:
                yield LongPiece(self, rest.combine_chunks(), before)


def _last_start(samples: pa.ChunkedArray) -> int:
    """Find where the rows of the last sample begin."""
    other = pc.not_equal(samples, samples[-1]).to_numpy(zero_copy_only=False)
    found = np.flatnonzero(other)
    return int(found[-1]) + 1 if found.size else 0


@dataclass(frozen=True, eq=False)
class LongPiece(Piece):
    """The rows of some samples.

    Parameters
    ----------
    of : LongStretch
        The table.
    table : pyarrow.Table
        Its rows: sample, molecule, value, and the columns that are kept.
    cost : float
        As in `Piece`.
    """

    of: LongStretch
    table: pa.Table
    cost: float

    def rows(self) -> Rows:
        """Turn the rows of each sample into one."""
        panel, table = self.of.panel, self.table
        samples = pc.utf8_trim_whitespace(_one(table.column(0)))
        codes = samples.dictionary_encode().indices.to_numpy()
        starts = np.flatnonzero(np.concatenate([[True], codes[1:] != codes[:-1]]))
        run = np.repeat(np.arange(len(starts)), np.diff([*starts, len(codes)]))
        where = self._on_panel(_one(table.column(1)))
        on_panel = np.flatnonzero(where >= 0)
        values, words = _values(_one(table.column(2)).take(pa.array(on_panel)))
        run, where = run[on_panel], where[on_panel]
        X = np.full((len(starts), len(panel.molecules)), np.nan)
        X[run, where] = values
        texts: dict[int, list[tuple[int, str, str]]] = {}
        for i, text in words:
            texts.setdefault(int(run[i]), []).append((int(where[i]), panel.molecules[where[i]], text))
        twice = _twice(run, where, len(panel.molecules))
        ids, keep = samples.take(pa.array(starts)), self._kept(starts)
        builder = RowBuilder(panel, len(keep))
        kept = [column.to_pylist() for column in keep]
        for i, sample in enumerate(ids.to_pylist()):
            if i in twice:
                molecule = panel.molecules[twice[i]]
                builder.reject(sample, molecule, "is given more than once for this sample; keep one of them")
            else:
                builder.add(sample, X[i], texts.get(i, []), [column[i] for column in kept])
        rows = builder.rows()
        placed = tuple(r.moved(int(starts[r.row])) for r in rows.rejected)
        return Rows(rows.ids, rows.blocks, rows.keep, starts[rows.places], table.num_rows, placed)

    def _on_panel(self, molecules: pa.Array) -> NDArray[np.intp]:
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
        result: NDArray[np.intp] = np.array(known, dtype=np.intp)[coded.indices.to_numpy()]
        return result

    def _kept(self, starts: NDArray[np.intp]) -> list[pa.Array]:
        at, columns = 3, []
        for _, constant in self.of.keep:
            if constant:
                columns.append(pa.array([constant] * len(starts), pa.string()))
            else:
                columns.append(column_texts(_one(self.table.column(at)).take(pa.array(starts))))
                at += 1
        return columns


def _values(column: pa.Array) -> tuple[NDArray[np.float64], list[tuple[int, str]]]:
    if is_number(column.type):
        return column.cast(pa.float64(), safe=False).to_numpy(zero_copy_only=False), []
    return numbers(column_texts(column).to_pylist()) if len(column) else (np.empty(0), [])


def _twice(run: NDArray[np.intp], where: NDArray[np.intp], n_molecules: int) -> dict[int, int]:
    """For each sample with a molecule given twice, that molecule."""
    cells, times = np.unique(run * n_molecules + where, return_counts=True)
    return {int(cell // n_molecules): int(cell % n_molecules) for cell in cells[times > 1]}


def _one(column: pa.ChunkedArray) -> pa.Array:
    return column.combine_chunks() if column.num_chunks != 1 else column.chunk(0)


def long_stretch(source: Source, panel: Panel, keep: tuple[str, ...], names: LongNames) -> LongStretch:
    """Look at a table in long format.

    Parameters
    ----------
    source : Source
        The file.
    panel : Panel
        Of the model.
    keep : tuple of str
        Columns that pass through; the first row of a sample says what they hold.
    names : LongNames
        Of its columns.

    Raises
    ------
    FileError
        If it cannot be read.
    InputError
        If it lacks a column, or no molecule of the panel is among its first rows.
    """
    if source.suffix == ".xlsx":
        raise FileError(f"{source.name}: a workbook in long format is not read; save it as CSV")
    header = _header(source)
    lacking = [name for name in names if name not in header]
    if lacking:
        raise InputError(
            f"{source.name}: has no column {lacking[0]}; its columns are {first_three(header)}; name those of sample, molecule "
            "and value with --long"
        )
    kept = tuple((name, "" if name in header else kept_constant(source, name, header)) for name in keep)
    with reading(source):
        head = next((table for table, _ in _tables(source, [*names])), None)
    if head is None or not head.num_rows:
        raise InputError(f"{source.name}: has a header and no row below it")
    written = pc.unique(head.column(1)).to_pylist()
    apart = panel.hairpins_apart or tells_hairpins_apart(written, panel.kind)
    stretch = LongStretch(source, panel, names, kept, apart)
    if not (LongPiece(stretch, head, 0.0)._on_panel(_one(head.column(1))) >= 0).any():
        raise InputError(
            f"{source.name}: no molecule of the model's panel is among the first {head.num_rows} rows of column "
            f"{names.molecule} ({first_three(written)}); check that both name the molecules alike"
        )
    return stretch


def _header(source: Source) -> list[str]:
    if source.suffix not in STREAMED_TEXT:
        with reading(source):
            batch = next(whole_batches(source, None), None)
            return [] if batch is None else list(batch.schema.names)
    return _text_header(source)[1]


def _text_header(source: Source) -> tuple[str, list[str], int]:
    head = head_text(source)
    text = head.decode("utf-8-sig", errors="replace")
    suffix = f".{source.suffix.split('.')[1]}"
    separator, rows = separator_and_rows(lambda: io.StringIO(text, newline=""), suffix, source.name)
    with closing(rows):
        line, header = next(rows, (0, []))
    return separator, [cell.strip() for cell in header], len(b"".join(head.splitlines(keepends=True)[:line]))


def _tables(source: Source, columns: list[str]) -> Iterator[tuple[pa.Table, float]]:
    """Read the columns, the first two as texts, with what each block costs in bytes of the file."""
    if source.suffix not in STREAMED_TEXT:
        for batch in whole_batches(source, columns):
            chosen = [batch.column(name) for name in columns]
            arrays = [column_texts(chosen[0]), column_texts(chosen[1]), *chosen[2:]]
            yield pa.table(arrays, names=columns), float(batch.nbytes)
        return
    separator, header, begin = _text_header(source)
    with unpacked(source) as file:
        for block in line_blocks(source, file, begin):
            yield _parsed(source, block, separator, header, columns), float(len(block))


def _parsed(source: Source, block: bytes, separator: str, header: list[str], columns: list[str]) -> pa.Table:
    try:
        return pacsv.read_csv(
            pa.BufferReader(block),
            read_options=pacsv.ReadOptions(block_size=len(block) + 1, column_names=header),
            parse_options=pacsv.ParseOptions(delimiter=separator, newlines_in_values=b'"' in block),
            convert_options=pacsv.ConvertOptions(
                include_columns=columns, column_types=dict.fromkeys(columns, pa.string()), null_values=[]
            ),
        )
    except pa.ArrowInvalid as error:
        reason = str(error).partition("\n")[0]
        raise FileError(f"{source.name}: is no even table ({reason}); correct the row") from error
