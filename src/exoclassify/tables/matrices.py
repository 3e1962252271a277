"""Wide tables into files, column names first; pandas takes minutes for 20,000 columns, this takes seconds."""

from __future__ import annotations

import csv
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from pathlib import Path

from exoclassify.typing import Floats

__all__ = ["WRITERS"]

Writer = Callable[[Path, Sequence[str], Sequence[str], Floats, bool], None]


def _write_text(
    path: Path, names: Sequence[str], ids: Sequence[str], values: Floats, whole: bool, *, separator: str
) -> None:
    as_written: Callable[[float], float] = int if whole else float
    with path.open("w", newline="", encoding="utf-8") as file:
        rows = csv.writer(file, delimiter=separator, lineterminator="\n")
        rows.writerow(names)
        for name, row in zip(ids, values, strict=True):
            rows.writerow([name, *("" if value != value else as_written(value) for value in row.tolist())])


def _write_parquet(path: Path, names: Sequence[str], ids: Sequence[str], values: Floats, whole: bool) -> None:
    import pyarrow as pa  # here, so that a command line that prints help does not wait for it
    import pyarrow.parquet as pq

    numbers = (pa.array(column, from_pandas=True) for column in values.T)
    columns = [column.cast(pa.int64()) if whole else column for column in numbers]
    pq.write_table(pa.table([pa.array(ids, pa.string()), *columns], names=list(names)), path)


WRITERS: Mapping[str, Writer] = {
    ".csv": partial(_write_text, separator=","),
    ".tsv": partial(_write_text, separator="\t"),
    ".parquet": _write_parquet,
}
"""By suffix: given path, all column names, ids, values and whether these are whole, writes NaN as an empty cell."""
