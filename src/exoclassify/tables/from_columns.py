"""Tables from typed columns, as Parquet and Arrow files give them."""

from __future__ import annotations

import json

import numpy as np
import pandas as pd
import pyarrow as pa

from exoclassify.errors import FileError, InputError
from exoclassify.tables.asked import AS_WRITTEN, Reading
from exoclassify.tables.cells import as_text, numbers, text_or_none
from exoclassify.tables.chosen import chosen
from exoclassify.tables.foreign import with_decimal_points
from exoclassify.tables.wide import MAX_TEXTS, WideTable, id_position, refuse_texts, tidy, without_row_numbers

__all__ = ["index_first", "index_names", "is_number", "sheet_from_columns", "wide_from_columns"]

_UNNAMED_INDEX = "__index_level_"  # how pandas names an index that has no name


def wide_from_columns(table: pa.Table, source: str, asked: Reading = AS_WRITTEN) -> WideTable:
    """Make a wide table.

    Parameters
    ----------
    table : pyarrow.Table
        As read; an index that pandas wrote is taken as the first column.
    source : str
        Name of the file.
    asked : Reading
        What the user said of it.

    Raises
    ------
    FileError
        If pandas wrote the file, and what it noted of the index is damaged.
    InputError
        If there are no rows, no columns beside the first, an index of several levels, or a million cells
        hold text.
    """
    table, names = index_first(table, source)
    if len(names) < 2:
        raise InputError(f"{source}: has {len(names)} column; a table of numbers needs more")
    at = id_position(names, asked, source)
    if at:
        order = [at, *(j for j in range(len(names)) if j != at)]
        table, names = table.select(order), [names[j] for j in order]
    ids = tuple(_texts(table.column(0)))
    cells = np.empty((len(ids), len(names) - 1), dtype=np.float64)
    texts: list[tuple[int, int, str]] = []
    for j in range(len(names) - 1):
        column = table.column(j + 1)
        if is_number(column.type):
            cells[:, j] = column.cast(pa.float64(), safe=False).to_numpy()
        else:
            cells[:, j], words = numbers(_texts(column))
            texts.extend((i, j, word) for i, word in words)
        if len(texts) > MAX_TEXTS:
            refuse_texts(source, texts[0], ids[texts[0][0]], names[1:])
    wide = with_decimal_points(WideTable(source, ids, tuple(names[1:]), cells, tuple(sorted(texts))))
    wide = without_row_numbers(wide) if at else tidy(wide, names[0], _texts(table.column(1)))
    return chosen(wide, asked)


def sheet_from_columns(table: pa.Table, source: str) -> pd.DataFrame:
    """Make a frame of texts.

    Parameters
    ----------
    table : pyarrow.Table
        As read; an index that pandas wrote is taken as the first column.
    source : str
        Name of the file.

    Returns
    -------
    DataFrame
        Texts, None for missing marks; no column is made the index.

    Raises
    ------
    FileError
        If pandas wrote the file, and what it noted of the index is damaged.
    InputError
        If there are no rows or no columns, or an index of several levels.
    """
    table, names = index_first(table, source)
    columns = [[text_or_none(text) for text in _texts(column)] for column in table.columns]
    return pd.DataFrame(dict(enumerate(columns)), dtype=object).set_axis(names, axis=1)


def index_first(table: pa.Table, source: str) -> tuple[pa.Table, list[str]]:
    """Put the index that pandas wrote first, which pandas puts last.

    Parameters
    ----------
    table : pyarrow.Table
        As read, with at least one row.
    source : str
        Name of the file.

    Returns
    -------
    table : pyarrow.Table
        Without an index that only numbers the rows.
    names : list of str
        Of its columns, without blanks around.

    Raises
    ------
    FileError
        If pandas wrote the file, and what it noted of the index is damaged.
    InputError
        If there are no rows or no columns, or an index of several levels.
    """
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
    """Name the columns that pandas wrote as its index.

    Parameters
    ----------
    schema : pyarrow.Schema
        Of the file.
    source : str
        Name of the file.

    Raises
    ------
    FileError
        If what pandas noted is damaged.
    """
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


def is_number(kind: pa.DataType | None) -> bool:
    """Say whether a column of this type holds numbers, or nothing.

    Parameters
    ----------
    kind : pyarrow.DataType or None
        None for no column.
    """
    types = pa.types
    return kind is not None and (
        types.is_integer(kind) or types.is_floating(kind) or types.is_decimal(kind) or types.is_null(kind)
    )


def _texts(column: pa.ChunkedArray) -> list[str]:
    return [as_text(value).strip() for value in column.to_pylist()]
