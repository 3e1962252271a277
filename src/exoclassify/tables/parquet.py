"""Parquet files."""

from __future__ import annotations

from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from exoclassify.errors import FileError

__all__ = ["column_names", "read_table"]


def read_table(path: Path, columns: list[str] | None = None) -> pa.Table:
    """Read a Parquet file.

    Parameters
    ----------
    path : path
        The file.
    columns : list of str, optional
        Which to read; all if omitted.

    Raises
    ------
    FileError
        If the file is damaged, cut short, or uses what this reader lacks.
    """
    try:
        # A ParquetFile and not read_table, which makes columns of folder names such as batch=A.
        with path.open("rb") as file, pq.ParquetFile(file) as parquet:
            return parquet.read(columns)
    except pa.ArrowException as error:
        raise FileError(
            f"{path}: is no sound Parquet file ({str(error).strip().partition(chr(10))[0]}); write it anew"
        ) from error


def column_names(path: Path) -> list[str]:
    """Give the names of the columns.

    Parameters
    ----------
    path : path
        The file.

    Raises
    ------
    FileError
        If the file is damaged.
    """
    try:
        return list(pq.read_schema(path).names)
    except pa.ArrowException as error:
        raise FileError(
            f"{path}: is no sound Parquet file ({str(error).strip().partition(chr(10))[0]}); write it anew"
        ) from error
