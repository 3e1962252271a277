"""What is asked of a file before it is read, and what is said when reading it fails."""

from __future__ import annotations

import gzip
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from exoclassify.errors import FileError

__all__ = ["check_content", "check_file", "reading_file"]

_BYTE_ORDER_MARKS = (b"\xff\xfe", b"\xfe\xff")  # UTF-16, Excel's "Unicode text"
_GZIP = b"\x1f\x8b"
# First bytes of the files that turn up under another's name.
_KINDS = (
    (_GZIP, "gzip"),
    (b"PK\x03\x04", "an XLSX or ZIP file"),
    (b"PAR1", "a Parquet file"),
    (b"ARROW1", "an Arrow file"),
    (b"\x89PNG", "a PNG image"),
    (b"\xff\xd8\xff", "a JPEG image"),
    (b"%PDF", "a PDF document"),
    (b"\xd0\xcf\x11\xe0", "an old Excel file (.xls) or one with a password"),
    (b"\x89HDF", "an HDF5 file"),
    (b"BZh", "a bzip2 file"),
    (b"\xfd7zXZ", "an xz file"),
    (b"(\xb5/\xfd", "a Zstandard file"),
    (b"{\\rtf", "an RTF document"),
)


def check_file(path: Path) -> None:
    """Refuse a path that holds no bytes.

    Parameters
    ----------
    path : path
        The file.

    Raises
    ------
    FileError
        If it is missing, a folder or a device, or empty.
    """
    if not path.exists():
        where = "" if path.parent.is_dir() else f", nor the folder {path.parent}"
        raise FileError(f"{path}: there is no such file{where}")
    if path.is_dir():
        raise FileError(f"{path}: is a folder; give the file in it")
    if not path.is_file():
        raise FileError(f"{path}: is a device or a pipe; write its content to a file first")
    if path.stat().st_size == 0:
        raise FileError(f"{path}: is empty")


def check_content(path: Path, expected: tuple[bytes, ...]) -> None:
    """Refuse a file whose first bytes are another format's than its suffix says.

    Parameters
    ----------
    path : path
        The file; one that ends in .gz is looked into.
    expected : tuple of bytes
        What it may begin with; empty for text.

    Raises
    ------
    FileError
        If it begins otherwise; the message says what the file looks like.
    """
    suffixes = [suffix.lower() for suffix in path.suffixes]
    head = _head(path)
    if suffixes[-1] == ".gz":
        if not head.startswith(_GZIP):
            raise FileError(f"{path}: is not gzip, it looks like {_looks_like(head)}; correct its name")
        with gzip.open(path) as file:
            head = file.read(4096)
        if not head:
            raise FileError(f"{path}: is empty")
    sound = head.startswith(expected) if expected else _looks_like(head) == "text"
    if not sound:
        wanted = f"a {suffixes[-1]} file" if expected else "a text table"
        raise FileError(
            f"{path}: is not {wanted}, it looks like {_looks_like(head)}; correct its name, or save it anew"
        )


@contextmanager
def reading_file(path: Path) -> Iterator[None]:
    """Translate what goes wrong while a file is read.

    Parameters
    ----------
    path : path
        The file.

    Raises
    ------
    FileError
        If the file is cut short, damaged, not UTF-8, larger than the memory, or the system refuses.
    """
    again = "copy or download it again"
    try:
        yield
    except EOFError as error:
        raise FileError(f"{path}: is cut short ({error}); {again}") from error
    except (zlib.error, gzip.BadGzipFile) as error:
        raise FileError(f"{path}: is damaged ({error}); {again}") from error
    except UnicodeDecodeError as error:
        byte = error.object[error.start]
        before = error.object[max(0, error.start - 30) : error.start].decode("latin-1")
        raise FileError(f"{path}: is not UTF-8 text (byte 0x{byte:02x} after {before!r}); save it as UTF-8") from error
    except MemoryError as error:  # damaged lengths in Arrow files ask for any amount
        raise FileError(f"{path}: does not fit into the memory; it is too large, or damaged") from error
    except OSError as error:
        if error.strerror is None:  # from a decoder, not from the system
            reason = str(error).partition("\n")[0]
            raise FileError(f"{path}: is damaged or cut short ({reason}); {again}") from error
        raise FileError(f"{path}: cannot be read: {error.strerror}") from error


def _head(path: Path) -> bytes:
    with path.open("rb") as file:
        return file.read(4096)


def _looks_like(head: bytes) -> str:
    for start, kind in _KINDS:
        if head.startswith(start):
            return kind
    if head.startswith(_BYTE_ORDER_MARKS):
        return "text"
    if b"\0" in head:
        return "no format known here"
    if head.lstrip().lower().startswith((b"<!doctype", b"<html", b"<?xml")):
        return "a web page or XML"
    return "text"
