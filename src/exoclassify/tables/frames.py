"""Frames of answers, written in the format that a path's ending names."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path

import pandas as pd

from exoclassify.errors import FileError
from exoclassify.tables.formulas import guarded_frame
from exoclassify.tables.writing import write_atomically

__all__ = ["check_ending", "write_frame"]

_ENDINGS = (".csv", ".tsv", ".parquet", ".jsonl")


def check_ending(path: Path) -> None:
    """Refuse a path whose ending names no format.

    Parameters
    ----------
    path : Path
        Of the file to be.

    Raises
    ------
    FileError
        With the endings that are known.
    """
    if path.suffix not in _ENDINGS:
        raise FileError(f"{path.name}: unknown ending {path.suffix or '(none)'}; use {', '.join(_ENDINGS)}")


def write_frame(frame: pd.DataFrame, path: Path, *, force: bool = False) -> None:
    """Write a frame as .csv, .tsv, .parquet or .jsonl, whole or not at all.

    Parameters
    ----------
    frame : DataFrame
        One row an answer; its index is not written.
    path : Path
        Its ending names the format.
    force : bool
        Replace an existing file.

    Raises
    ------
    FileError
        If the ending is unknown, the file exists, or it cannot be written.
    """
    check_ending(path)
    safe = guarded_frame(frame)
    writers: Mapping[str, Callable[[Path], None]] = {
        ".csv": partial(safe.to_csv, index=False),
        ".tsv": partial(safe.to_csv, index=False, sep="\t"),
        ".parquet": partial(frame.to_parquet, index=False),
        ".jsonl": partial(frame.to_json, orient="records", lines=True, double_precision=15),
    }
    write_atomically(path, writers[path.suffix], force=force)
