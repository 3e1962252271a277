"""Which way round a table lies: samples in rows, or in columns."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable
from dataclasses import replace
from pathlib import Path

import numpy as np

from exoclassify.data.names import canonical_name
from exoclassify.errors import InputError, first_three
from exoclassify.tables.asked import Reading
from exoclassify.tables.blocks import TextFile, text_stretches
from exoclassify.tables.controls import samples_alone
from exoclassify.tables.pieces import Wanted
from exoclassify.tables.reading import is_of_the_field
from exoclassify.tables.sources import STREAMED_TEXT, Source
from exoclassify.tables.wide import WideTable, id_position

__all__ = ["named_below", "refuse_unnamed", "samples_in_rows"]

_LARGE = 16 << 20
"""Bytes of a text that is judged by its names before its numbers are read."""

_MOST_ROWS = 300_000
"""Rows among which a name must be: no kind has so many molecules."""

_MIRNA = re.compile(r"([a-z]{3}-)?(mir|let)-", re.IGNORECASE)


def samples_in_rows(
    wide: WideTable, kind: str, sample_ids: Collection[str] | None, molecules: Collection[str] | None
) -> WideTable:
    """Turn a table that holds its samples in columns; leave one that holds them in rows."""
    if wide.settled:
        return wide if sample_ids is None else _named_as(wide, {str(sample).strip() for sample in sample_ids})
    rows, columns = wide.row_ids, wide.columns
    if sample_ids is not None:
        wanted = {str(sample).strip() for sample in sample_ids}
        in_rows, in_columns = wanted.intersection(rows), wanted.intersection(columns)
        _check_one_direction(wide, "sample ids", wanted, in_rows, in_columns)
        return samples_alone(wide.turned(), wanted) if in_columns else samples_alone(wide, wanted, "rows")
    if molecules is not None:
        wanted = set(molecules)
        in_rows, in_columns = _found(rows, kind, wanted), _found(columns, kind, wanted)
        _check_one_direction(wide, "molecules", wanted, in_rows, in_columns)
        return samples_alone(wide.turned(), None) if in_rows else wide
    if kind == "mirna" and rows and all(_MIRNA.match(name) for name in rows):
        raise InputError(
            f"{wide.source}: its first column holds miRNA names ({first_three(rows)}) where sample ids are "
            "expected; turn the table, or say which samples to look for"
        )
    return wide


def refuse_unnamed(
    path: Path, kind: str, sample_ids: Collection[str] | None, molecules: Collection[str] | None, asked: Reading
) -> None:
    """Refuse a large text by its header and its ids, before its numbers are read.

    Parameters
    ----------
    path : path
        Of a table; what is small, of a format of the field, or no text is left to `samples_in_rows`.
    """
    source = Source.local(path)
    looked_for = sample_ids if sample_ids is not None else molecules
    if looked_for is None or asked.columns or source.size < _LARGE or source.suffix not in STREAMED_TEXT:
        return
    if is_of_the_field(path, asked) or (text := TextFile.of(source, _SHOWN)) is None:
        return
    what = "molecules" if sample_ids is None else "sample ids"
    wanted = {str(name).strip() for name in looked_for}
    header = text.header
    if wanted.intersection(header if sample_ids is not None else _found(header, kind, wanted)):
        return
    if not named_below(text, id_position(header, asked, source.name), wanted, None if sample_ids is not None else kind):
        ids = tuple(cells[0].strip() for _, cells in text.rows[1:])
        head = WideTable(source.name, ids, tuple(header[1:]), np.empty((len(ids), len(header) - 1)), ())
        _check_one_direction(head, what, wanted, set(), set())


_SHOWN = 3
"""Rows whose ids a message names."""


def named_below(text: TextFile, position: int, wanted: Collection[str], kind: str | None) -> bool:
    """Say whether a name is among the first 300,000 ids of a text, of which nothing else is read."""
    columns = tuple(j for j in sorted({0, position}) if j < len(text.header))
    n_rows = 0
    for stretch in text_stretches(text, Wanted(tuple(text.header), columns, 0, frozenset())):
        for piece in stretch.pieces():
            batch = piece.batch()
            for column in batch.columns.columns:
                names = {name.strip() for name in column.to_pylist()}
                if not names.isdisjoint(wanted) or (kind is not None and _found(names, kind, set(wanted))):
                    return True
            n_rows += batch.n_read
            if n_rows > _MOST_ROWS:
                return False
    return False


def _found(names: Iterable[str], kind: str, wanted: set[str]) -> set[str]:
    return wanted.intersection(canonical_name(name, kind) for name in names)


def _check_one_direction(wide: WideTable, what: str, wanted: set[str], in_rows: set[str], in_columns: set[str]) -> None:
    looked = f"{len(wanted)} {what} ({first_three(sorted(wanted))})"
    if in_rows and in_columns:
        raise InputError(
            f"{wide.source}: of the {looked} looked for, {len(in_rows)} are in its first column "
            f"({first_three(sorted(in_rows))}) and {len(in_columns)} in its header "
            f"({first_three(sorted(in_columns))}); rename so that no name is both a sample and a molecule"
        )
    if not in_rows and not in_columns:
        raise InputError(
            f"{wide.source}: none of the {looked} looked for is in its first column "
            f"({first_three(wide.row_ids)}) or its header ({first_three(wide.columns)}); "
            f"check that both files name the {what} alike"
        )


def _named_as(wide: WideTable, wanted: set[str]) -> WideTable:
    """Give samples that are named by their files the names that the sheet has, where each fits one alone."""
    unknown = [name for name in wide.row_ids if name not in wanted]
    if not unknown or wanted.intersection(wide.row_ids):
        return samples_alone(wide, wanted)
    found = {name: [sample for sample in wanted if _is_part(sample, name)] for name in wide.row_ids}
    longest = {name: max(samples, key=len) for name, samples in found.items() if samples}
    if len(longest) < len(wide.row_ids) or len(set(longest.values())) < len(longest):
        _check_one_direction(wide, "sample ids", wanted, set(), set())
    note = f"the sample sheet names {first_three(longest.values())} what the table calls {first_three(longest)}"
    return replace(wide, row_ids=tuple(longest[name] for name in wide.row_ids), notes=(*wide.notes, note))


def _is_part(sample: str, name: str) -> bool:
    """Whether a sample's name stands in that of a file, between signs that separate words."""
    return re.search(rf"(?:^|[\W_]){re.escape(sample)}(?:[\W_]|$)", name) is not None
