"""Arrow IPC files and streams, which are Feather files too."""

from __future__ import annotations

from pathlib import Path

import pyarrow as pa

from exoclassify.errors import FileError

__all__ = ["read_table"]


def read_table(path: Path) -> pa.Table:
    """Read an Arrow file, stream, or Feather file of version 2.

    Parameters
    ----------
    path : path
        The file.

    Returns
    -------
    pyarrow.Table

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
        table.validate(full=True)  # a damaged offset would lead out of the memory
        return table
    except pa.ArrowException as error:
        raise FileError(
            f"{path}: is no sound Arrow file ({str(error).strip().partition(chr(10))[0]}); write it anew"
        ) from error
