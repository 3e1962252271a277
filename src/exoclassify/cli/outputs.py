"""Refuses an output before any work is done for it."""

from __future__ import annotations

import os
from collections.abc import Collection, Sequence
from pathlib import Path

from exoclassify.errors import FileError, first_three

__all__ = ["check_file", "check_folder", "check_report", "columns"]


def check_file(path: Path, *, force: bool, inputs: Collection[Path]) -> None:
    """Refuse a file that is there already, is one of the inputs, or could not be written."""
    if any(path.resolve() == given.resolve() for given in inputs):
        raise FileError(f"{path}: is an input of this command, and will not be replaced; give another --out")
    if path.is_dir():
        raise FileError(f"{path}: is a folder; give the name of a file")
    _check_place(path, force=force)


def check_report(path: Path, *, force: bool, inputs: Collection[Path]) -> None:
    """Refuse a page, or the folder of figures and tables beside it, as `check_file` does a file."""
    from exoclassify.report.saving import files_beside

    check_file(path, force=force, inputs=inputs)
    _check_place(files_beside(path), force=force)


def check_folder(path: Path, *, force: bool, own: Collection[str]) -> None:
    """Refuse a folder that is there already, holds what this command did not write, or could not be written.

    Parameters
    ----------
    force : bool
        A folder that is there may be replaced, if it holds nothing else.
    """
    if path.exists() and not path.is_dir():
        raise FileError(f"{path}: is a file, and a folder is to be written; give another name")
    _check_place(path, force=force)
    foreign = sorted({entry.name for entry in path.iterdir()} - set(own)) if path.is_dir() else []
    if foreign:
        raise FileError(
            f"{path}: will not be replaced, for it holds {len(foreign)} entries that this command does not write "
            f"({first_three(foreign)}); give another --out"
        )


def _check_place(path: Path, *, force: bool) -> None:
    if path.exists() and not force:
        raise FileError(f"{path}: is there already; give --force to replace it")
    parent = path.resolve().parent
    if not parent.is_dir():
        raise FileError(f"{path}: cannot be written: there is no folder {parent}; make it first")
    if not os.access(parent, os.W_OK):
        raise FileError(f"{path}: cannot be written: {parent} is read-only; write to a folder that is yours")


def columns(header: Sequence[str], rows: Sequence[Sequence[str]]) -> list[str]:
    """Line rows up under a header."""
    widths = [max(len(row[i]) for row in (header, *rows)) for i in range(len(header))]
    return [
        "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip()
        for row in (header, *rows)
    ]
