"""Arrow IPC files and streams, which are Feather files too."""

from __future__ import annotations

from pathlib import Path

import pyarrow as pa

from exoclassify.errors import FileError

__all__ = ["column_names", "read_table"]


def read_table(path: Path, columns: list[str] | None = None) -> pa.Table:
    """Read an Arrow file, stream, or Feather file of version 2.

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
        with path.open("rb") as file:
            is_file = file.read(6) == b"ARROW1"
            file.seek(0)
            with pa.ipc.open_file(file) if is_file else pa.ipc.open_stream(file) as reader:
                table = reader.read_all()
            table = table if columns is None else table.select(columns)
        table.validate(full=True)  # a damaged offset would lead out of the memory
        return table
    except pa.ArrowException as error:
        raise FileError(
            f"{path}: is no sound Arrow file ({str(error).strip().partition(chr(10))[0]}); write it anew"
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
        with path.open("rb") as file:
            is_file = file.read(6) == b"ARROW1"
            file.seek(0)
            with pa.ipc.open_file(file) if is_file else pa.ipc.open_stream(file) as reader:
                return list(reader.schema.names)
    except pa.ArrowException as error:
        raise FileError(
            f"{path}: is no sound Arrow file ({str(error).strip().partition(chr(10))[0]}); write it anew"
        ) from error
