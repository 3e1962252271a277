"""Tables held whole: from rows of text, as of CSV and XLSX files, and from typed columns, as of Parquet and Arrow files."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Sequence
from dataclasses import replace
from itertools import chain, islice
from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa

from exoclassify.errors import FileError, InputError, first_three
from exoclassify.tables.asked import AS_WRITTEN, Reading
from exoclassify.tables.cells import (
    check_thousands,
    column_numbers,
    column_texts,
    is_number,
    numbers,
    text_or_none,
    with_decimal_points,
)
from exoclassify.tables.field.molecules_in_rows import chosen_columns
from exoclassify.tables.wide import MAX_TEXTS, WideTable, id_position, refuse_texts, tidy, without_row_numbers
from exoclassify.typing import Floats

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["index_first", "index_names", "sheet_from_columns", "sheet_from_rows", "wide_from_columns", "wide_from_rows"]

Rows = Iterator[tuple[int, list[str]]]

_UNNAMED_INDEX = "__index_level_"  # how pandas names an index that has no name
_LOOKED_AT = 100  # rows by which marks between thousands are recognised


def wide_from_rows(rows: Rows, source: str, asked: Reading = AS_WRITTEN) -> WideTable:
    """Make a wide table of rows of text."""
    header = _header(rows, source)
    if len(header) == 1:
        raise InputError(
            f"{source}: its header has one cell ({header[0][:40]!r}); a table of numbers needs more, separated "
            "by the comma of a .csv or the tab of a .tsv"
        )
    at = id_position(header, asked, source)
    others = header[:at] + header[at + 1 :]
    ids: list[str] = []
    second: list[str] = []
    values = []
    texts: list[tuple[int, int, str]] = []
    even = _even(rows, header, source)
    head = list(islice(even, _LOOKED_AT))
    check_thousands([cells[:at] + cells[at + 1 :] for cells in head], source)
    for cells in chain(head, even):
        measured = cells[:at] + cells[at + 1 :]
        row, words = numbers(measured)
        texts.extend((len(ids), j, word) for j, word in words)
        ids.append(cells[at].strip())
        second.append(measured[0])
        values.append(row)
        if len(texts) > MAX_TEXTS:
            refuse_texts(source, texts[0], ids[texts[0][0]], others)
    return _wide(source, [header[at], *others], ids, np.vstack(values), texts, second, asked, in_order=not at)


def wide_from_columns(table: pa.Table, source: str, asked: Reading = AS_WRITTEN) -> WideTable:
    """Make a wide table of typed columns.

    Parameters
    ----------
    table : pyarrow.Table
        As read; an index that pandas wrote is taken as the first column.
    """
    table, names = index_first(table, source)
    if len(names) < 2:
        raise InputError(f"{source}: has {len(names)} column; a table of numbers needs more")
    at = id_position(names, asked, source)
    order = [at, *(j for j in range(len(names)) if j != at)]
    table, names = table.select(order), [names[j] for j in order]
    ids = _texts(table.column(0))
    cells = np.empty((len(ids), len(names) - 1), dtype=np.float64)
    texts: list[tuple[int, int, str]] = []
    for j in range(len(names) - 1):
        cells[:, j], words = column_numbers(table.column(j + 1))
        texts.extend((i, j, word) for i, word in words)
        if len(texts) > MAX_TEXTS:
            refuse_texts(source, texts[0], ids[texts[0][0]], names[1:])
    return _wide(source, names, ids, cells, sorted(texts), _texts(table.column(1)), asked, in_order=not at)


def _wide(
    source: str, names: Sequence[str], ids: Sequence[str], cells: Floats, texts: Sequence[tuple[int, int, str]],
    second: Sequence[str], asked: Reading, *, in_order: bool,
) -> WideTable:  # fmt: skip
    """Put a table together; `second` is its second column as written, where the ids are the first `in_order`."""
    table = _of_smrnaseq(with_decimal_points(WideTable(source, tuple(ids), tuple(names[1:]), cells, tuple(texts))))
    return _chosen(tidy(table, names[0], second) if in_order else without_row_numbers(table), asked)


_SMRNASEQ = re.compile(r"\S+_MI(?:MAT)?\d{7}_[A-Z][a-z]+_[a-z]+_\S+")


def _of_smrnaseq(table: WideTable) -> WideTable:
    """Note that a table is of nf-core/smrnaseq, by its long names (its edgeR_miRBase.r); its log10 TPM are refused."""
    in_rows = all(map(_SMRNASEQ.fullmatch, table.columns[:_LOOKED_AT]))
    if not in_rows and not all(map(_SMRNASEQ.fullmatch, table.row_ids[:_LOOKED_AT])):
        return table
    if (table.cells < 0).any():
        raise InputError(
            f"{table.source}: holds log10 TPM of nf-core/smrnaseq; give mature_counts.csv of the same run, with unit counts"
        )
    n, where = (len(table.columns), "rows") if in_rows else (len(table.row_ids), "columns")
    return replace(table, notes=(*table.notes, f"read as nf-core/smrnaseq: {n} miRNAs, samples in {where}"))


def _chosen(table: WideTable, asked: Reading) -> WideTable:
    """Keep the columns that fit the user's pattern, a sample each."""
    if asked.columns is None:
        return table
    found = chosen_columns(table.columns, asked.columns)
    if not found:
        raise InputError(
            f"{table.source}: no column fits {asked.columns!r}; its columns are {first_three(table.columns)}"
        )
    kept = replace(table.with_columns(list(found)), columns=tuple(found.values()))
    note = f"columns {asked.columns}: {len(found)} samples"
    return replace(kept.turned(), notes=(*table.notes, note), settled=True)


def sheet_from_rows(rows: Rows, source: str) -> pd.DataFrame:
    """Make a frame of texts of rows of text.

    Returns
    -------
    DataFrame
        Texts, None for missing marks; no column is made the index.
    """
    import pandas as pd  # it takes a fifth of a second, and to score no sheet is read

    header = _header(rows, source)
    cells = [[text_or_none(cell) for cell in row] for row in _even(rows, header, source)]
    frame = pd.DataFrame(cells, columns=header, dtype=object)
    return frame.loc[:, [bool(name) or frame.iloc[:, j].notna().any() for j, name in enumerate(header)]]


def sheet_from_columns(table: pa.Table, source: str) -> pd.DataFrame:
    """Make a frame of texts of typed columns; parameters and errors as `wide_from_columns`."""
    import pandas as pd

    table, names = index_first(table, source)
    columns = [[text_or_none(text) for text in _texts(column)] for column in table.columns]
    return pd.DataFrame(dict(enumerate(columns)), dtype=object).set_axis(names, axis=1)


def index_first(table: pa.Table, source: str) -> tuple[pa.Table, list[str]]:
    """Put the index that pandas wrote first, which pandas puts last."""
    if not table.num_rows or not table.num_columns:
        raise InputError(f"{source}: has {table.num_columns} columns and no row")
    order = list(range(table.num_columns))
    in_index = index_names(table.schema, source)
    written = table.column_names  # made anew at each look
    index = [i for i, name in enumerate(written) if name in in_index]
    if len(index) > 1:
        named = ", ".join(written[i] for i in index)
        raise InputError(f"{source}: its index has {len(index)} levels ({named}); keep the sample ids alone")
    for i in index:
        order.remove(i)
        if not _is_leftover(table, i, order):
            order.insert(0, i)
    names = [written[i].strip() for i in order]
    if names[0].startswith(_UNNAMED_INDEX):
        names[0] = ""
    return table.select(order), names


def index_names(schema: pa.Schema, source: str) -> set[str]:
    """Name the columns that pandas wrote as its index."""
    try:
        index = json.loads((schema.metadata or {}).get(b"pandas", b"{}")).get("index_columns", [])
        return {name for name in index if isinstance(name, str)}  # a dict stands for 0, 1, 2, …
    except (ValueError, AttributeError, TypeError) as error:
        raise FileError(f"{source}: what pandas noted in it is damaged ({error}); write it anew") from error


def _is_leftover(table: pa.Table, index: int, others: list[int]) -> bool:
    """Whether an index holds the row numbers of a frame that was filtered, before a column of names."""
    unnamed = table.column_names[index].startswith(_UNNAMED_INDEX)
    first = table.column(others[0]).type if others else None
    return unnamed and pa.types.is_integer(table.column(index).type) and not is_number(first)


def _header(rows: Rows, source: str) -> list[str]:
    for _, cells in rows:
        return [cell.strip() for cell in cells]
    raise FileError(f"{source}: is empty but for blank lines")


def _even(rows: Rows, header: Sequence[str], source: str) -> Iterator[list[str]]:
    """Pass on the rows of the header's width; in the end refuse if there were others, or none."""
    uneven, remarks = [], []
    n_even, width = 0, len(header)
    for line, cells in rows:
        if len(cells) == width:
            if n_even and cells[-1].strip() == header[-1] and [cell.strip() for cell in cells] == header:
                raise InputError(f"{source}: line {line} is its header again: give each table in a file of its own")
            n_even += 1
            yield cells
        else:
            uneven.append(f"line {line} has {len(cells)}")
            if sum(map(bool, cells)) == 1:
                remarks.append(f"line {line}, {''.join(cells).strip()[:40]!r}")
    if n_even and len(remarks) == len(uneven) > 0:
        raise InputError(f"{source}: {first_three(remarks)}: a remark is no row of a table; take it out")
    if uneven:
        count = "1 row has" if len(uneven) == 1 else f"{len(uneven)} rows have"
        raise InputError(
            f"{source}: {count} another number of cells than the header, which has {width} "
            f"({first_three(uneven)}); put names that hold a separator in quotes, keep empty cells, and take out "
            "what is no row of the table"
        )
    if not n_even:
        raise InputError(f"{source}: has a header of {width} cells and no row below it")


def _texts(column: pa.ChunkedArray) -> list[str]:
    return [text.strip() for text in column_texts(column).to_pylist()]
