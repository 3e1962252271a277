"""Files and folders are written whole or not at all."""

from __future__ import annotations

import errno
import os
import secrets
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from exoclassify.errors import FileError

__all__ = ["system_refusals", "write_atomically", "write_folder_atomically", "write_text_atomically"]

_MENDS = {
    errno.ENOSPC: "; free some space, or write to another disk",
    errno.EDQUOT: "; free some space, or write to another disk",
    errno.EACCES: "; write to a folder that is yours",
    errno.EPERM: "; write to a folder that is yours",
    errno.EROFS: "; write to another disk",
    errno.ENAMETOOLONG: "; choose a shorter name",
}


def write_atomically(path: Path, write: Callable[[Path], None], *, force: bool = False) -> None:
    """Write a file so that it is there whole, or as it was before.

    Parameters
    ----------
    path : path
        The file to be. A link is followed: what it points to is written.
    write : callable
        Is given another path in the same folder, with the same suffixes, and writes that file.
    """
    target = Path(os.path.realpath(path))
    if target.is_dir():
        raise FileError(f"{path}: is a folder; give the name of a file")
    _check_target(Path(path), target, force=force)
    if target.exists() and not target.is_file():
        raise FileError(f"{path}: is a device, not a file; give the name of a file")
    partial = target.with_name(f".partial-{secrets.token_hex(4)}.{target.name}")
    with system_refusals(Path(path)):
        try:
            write(partial)
            _sync(partial)
            if target.exists():
                shutil.copymode(target, partial)
            os.replace(partial, target)
            _sync_folder(target.parent)
        finally:
            with suppress(OSError):
                partial.unlink(missing_ok=True)


def write_text_atomically(path: Path, text: str, *, force: bool = True) -> None:
    """Write a text so that it is there whole, or as it was before."""
    write_atomically(path, lambda partial: _fill(partial, text), force=force)


def _fill(path: Path, text: str) -> None:
    path.write_text(text, encoding="utf-8")


def write_folder_atomically(path: Path, write: Callable[[Path], None], *, force: bool = False) -> None:
    """Write a folder so that it is there whole, or as it was before.

    Parameters
    ----------
    path : path
        The folder to be. A link is followed: what it points to is written.
    force : bool, default False
        Whether a folder already there may be replaced, with all that is in it.

    Notes
    -----
    The old folder is moved aside, and removed once the new one is in its place. A process that is killed between
    these two renames leaves the old folder beside, as ``.name.old-XXXX``.
    """
    target = Path(os.path.realpath(path))
    _check_target(Path(path), target, force=force)
    if target.exists():
        _check_folder_to_replace(Path(path), target)
    token = secrets.token_hex(4)
    partial = target.with_name(f".{target.name}.partial-{token}")
    old = target.with_name(f".{target.name}.old-{token}")
    with system_refusals(Path(path)):
        try:
            partial.mkdir()
            write(partial)
            _sync_tree(partial)
            if target.exists():
                os.replace(target, old)
            os.replace(partial, target)
        except BaseException:
            if old.exists() and not target.exists():
                os.replace(old, target)
            raise
        finally:
            shutil.rmtree(partial, ignore_errors=True)
        _sync_folder(target.parent)
        shutil.rmtree(old, ignore_errors=True)


def _check_target(path: Path, target: Path, *, force: bool) -> None:
    if not target.name:
        raise FileError(f"{path}: is the root of the file system; give another name")
    if target.exists() and not force:
        raise FileError(f"{path}: is there already; give --force to replace it")
    if not target.parent.is_dir():
        what = "is no folder" if target.parent.exists() else "does not exist; make it first"
        raise FileError(f"{path}: cannot be written: the folder {target.parent} {what}")


def _check_folder_to_replace(path: Path, target: Path) -> None:
    if not target.is_dir():
        raise FileError(f"{path}: is a file, and a folder is to be written; give another name")
    if Path.cwd().is_relative_to(target) or Path.home().is_relative_to(target):
        raise FileError(f"{path}: holds the current or the home folder, and will not be replaced; give another name")


@contextmanager
def system_refusals(path: Path) -> Iterator[None]:
    """Translate what the system says into a FileError that names the file asked for."""
    try:
        yield
    except OSError as error:
        cause = error.strerror or str(error)
        mend = _MENDS.get(error.errno or 0, "")
        raise FileError(f"{path}: cannot be written: {cause}{mend}") from error


def _sync(path: Path) -> None:
    with path.open("rb+") as file:
        os.fsync(file.fileno())


def _sync_tree(folder: Path) -> None:
    for place, _, names in os.walk(folder):
        for name in names:
            _sync(Path(place, name))
        _sync_folder(Path(place))


def _sync_folder(folder: Path) -> None:
    with suppress(OSError):  # some file systems cannot sync a folder, and the file itself is safe by now
        handle = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)
