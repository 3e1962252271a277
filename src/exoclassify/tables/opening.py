"""What is asked of a file before it is read, and what is said when reading it fails."""

from __future__ import annotations

import gzip
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path, PurePosixPath
from typing import BinaryIO, cast

import pyarrow as pa

from exoclassify.errors import FileError

__all__ = ["COLUMNS", "SUFFIXES", "TEXT", "check_file", "checked_suffix", "opened", "reading_file", "suffix_of"]

_KINDS_OF_TEXT = ("csv", "tsv", "txt", "adat", "rcc", "gff", "gff3")
TEXT = tuple(f".{kind}{packed}" for packed in ("", ".gz", ".zst") for kind in _KINDS_OF_TEXT)
COLUMNS = (".parquet", ".arrow", ".feather", ".ipc")
SUFFIXES = (*TEXT, ".xlsx", *COLUMNS)
"""Of files that are read."""

_STARTS = {
    ".xlsx": (b"PK\x03\x04",),
    ".parquet": (b"PAR1",),
    **dict.fromkeys(COLUMNS[1:], (b"ARROW1", b"\xff\xff\xff\xff")),  # a file, a stream
}

_BYTE_ORDER_MARKS = (b"\xff\xfe", b"\xfe\xff")  # UTF-16, Excel's "Unicode text"
_GZIP, _ZSTD = b"\x1f\x8b", b"(\xb5/\xfd"
_PACKED = {".gz": _GZIP, ".zst": _ZSTD}
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
    (_ZSTD, "a Zstandard file"),
    (b"{\\rtf", "an RTF document"),
)


def check_file(path: Path) -> None:
    """Refuse a path that holds no bytes."""
    if not path.exists():
        where = "" if path.parent.is_dir() else f", nor the folder {path.parent}"
        raise FileError(f"{path}: there is no such file{where}")
    if path.is_dir():
        raise FileError(f"{path}: is a folder; give the file in it")
    if not path.is_file():
        raise FileError(f"{path}: is a device or a pipe; write its content to a file first")
    if path.stat().st_size == 0:
        raise FileError(f"{path}: is empty")


def opened(path: Path) -> BinaryIO:
    """Open a file for reading, unpacked."""
    if path.suffix.lower() == ".zst":
        return cast(BinaryIO, pa.CompressedInputStream(str(path), "zstd"))
    return cast(BinaryIO, gzip.open(path)) if path.suffix.lower() == ".gz" else path.open("rb")


def suffix_of(name: str) -> str:
    """Give the ending of a file, with that of the packing, in lower case."""
    suffixes = [suffix.lower() for suffix in PurePosixPath(name).suffixes]
    return "".join(suffixes[-2:] if suffixes and suffixes[-1] in _PACKED else suffixes[-1:])


def checked_suffix(path: Path) -> str:
    """Hold a file's first bytes against its ending."""
    check_file(path)
    suffix = suffix_of(path.name)
    if suffix not in SUFFIXES:
        raise FileError(f"{path}: its ending is none of those known here ({', '.join(SUFFIXES)})")
    _check_content(path, _STARTS.get(suffix, ()))
    return suffix


def _check_content(path: Path, expected: tuple[bytes, ...]) -> None:
    """Refuse a file whose first bytes are another format's than its suffix says; a packed one is looked into."""
    suffix = suffix_of(path.name)
    packed = next((packed for packed in _PACKED if suffix.endswith(packed)), None)
    head = _head(path)
    if packed is not None:
        if not head.startswith(_PACKED[packed]):
            kind = "gzip" if packed == ".gz" else "Zstandard"
            raise FileError(f"{path}: is not {kind}, it looks like {_looks_like(head)}; correct its name")
        with opened(path) as file:
            head = file.read(4096)
        if not head:
            raise FileError(f"{path}: is empty")
    sound = head.startswith(expected) if expected else _looks_like(head) == "text"
    if not sound:
        wanted = f"a {suffix} file" if expected else "a text table"
        raise FileError(
            f"{path}: is not {wanted}, it looks like {_looks_like(head)}; correct its name, or save it anew"
        )


@contextmanager
def reading_file(path: Path) -> Iterator[None]:
    """Translate what goes wrong while a file is read."""
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
