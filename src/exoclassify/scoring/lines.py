"""Whole lines of a text, also packed, in blocks that fit into memory."""

from __future__ import annotations

import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import BinaryIO, cast

import pyarrow as pa

from exoclassify.errors import FileError
from exoclassify.scoring.pieces import reading
from exoclassify.scoring.sources import Source

__all__ = ["cut_after", "head_text", "line_blocks", "unpacked", "unpacking"]

_PIECE = 2 << 20  # bytes of text understood at once
_LONGEST = 64 << 20  # bytes in which a row ends, if its quotes match
_HEAD = 1 << 20


def head_text(source: Source) -> bytes:
    """Read the beginning of a text, whole lines if there are any.

    Parameters
    ----------
    source : Source
        The file.

    Returns
    -------
    bytes
        At most a header and some hundred rows; more than a megabyte when the header is longer.

    Raises
    ------
    FileError
        If it cannot be read.
    """
    with reading(source), unpacked(source) as file:
        head = _filled(file, _HEAD)
        while head.count(b"\n") < 2 and (more := _filled(file, _HEAD)):
            head += more
        if len(_filled(file, 1)):
            head = head[: head.rfind(b"\n") + 1]
    return head


def cut_after(file: BinaryIO, begin: int, at: int, size: int, *, quoted: bool) -> int:
    """Find where the row ends that holds the byte before `at`.

    Parameters
    ----------
    file : file object
        That can be sought.
    begin : int
        Where a row begins before it.
    at, size : int
        Bytes up to there, and in all.
    quoted : bool
        Whether quotes are to be counted, for a line's end inside of quotes ends no row.

    Returns
    -------
    int
        Bytes up to the first row behind.
    """
    end = _line_end(file, at, size)
    while quoted and end < size and _quotes(file, begin, end) % 2:
        end = _line_end(file, end + 1, size)
    return end


def _line_end(file: BinaryIO, at: int, size: int) -> int:
    """Find where the line ends that holds the byte before `at`."""
    position = at - 1
    while position < size:
        file.seek(position)
        block = file.read(1 << 16)
        found = block.find(b"\n")
        if found >= 0:
            return position + found + 1
        if not block:
            break
        position += len(block)
    return size


def _quotes(file: BinaryIO, begin: int, end: int) -> int:
    file.seek(begin)
    limited = _Limited(file, end - begin)
    return sum(block.count(b'"') for block in iter(lambda: limited.read(1 << 20), b""))


@dataclass(frozen=True)
class _Limited:
    file: BinaryIO
    size: int

    def read(self, size: int) -> bytes:
        left = self.size
        block = self.file.read(min(size, left))
        object.__setattr__(self, "size", left - len(block))
        return block


def _lines(source: Source, file: _Limited | BinaryIO) -> Iterator[bytes]:
    """Give blocks that end where a row ends: a line's end outside of quotes."""
    rest = b""
    while block := file.read(_PIECE):
        text = rest + block
        cut = _row_end(text)
        if cut:
            yield text[:cut]
        rest = text[cut:]
        if len(rest) > _LONGEST:
            break
    if rest.count(b'"') % 2:
        raise FileError(
            f"{source.name}: its quotes do not match, or a quoted cell holds a line's end; correct it, or save it as "
            "Parquet"
        )
    if rest.strip():
        yield rest


def line_blocks(source: Source, file: BinaryIO, begin: int, end: int | None = None) -> Iterator[bytes]:
    """Give the rows of an opened text in blocks of about 2 MB.

    Parameters
    ----------
    source : Source
        The file, for messages.
    file : file object
        At its beginning.
    begin : int
        Bytes up to the first row.
    end : int, optional
        Bytes up to the end of the last row, for a file that can be sought; the file's end by default.

    Yields
    ------
    bytes
        Whole rows.

    Raises
    ------
    FileError
        If quotes do not match.
    """
    if end is None:
        _filled(file, begin)
        yield from _lines(source, file)
    else:
        file.seek(begin)
        yield from _lines(source, _Limited(file, end - begin))


def _row_end(text: bytes) -> int:
    cut = text.rfind(b"\n") + 1
    while cut and text.count(b'"', 0, cut) % 2:
        cut = text.rfind(b"\n", 0, cut - 1) + 1
    return cut


@contextmanager
def unpacked(source: Source) -> Iterator[BinaryIO]:
    """Open a text for reading its characters' bytes.

    Parameters
    ----------
    source : Source
        The file.

    Yields
    ------
    file object
    """
    with source.open() as raw, unpacking(raw, source.suffix) as file:
        yield file


@contextmanager
def unpacking(raw: BinaryIO, suffix: str) -> Iterator[BinaryIO]:
    """Read the characters' bytes of an opened file.

    Parameters
    ----------
    raw : file object
        As the file is.
    suffix : str
        Of the file, which says how it is packed.

    Yields
    ------
    file object
    """
    if suffix.endswith(".gz"):
        yield cast(BinaryIO, _Gunzipped(raw))
    elif suffix.endswith(".zst"):
        with pa.CompressedInputStream(pa.PythonFile(raw, mode="r"), "zstd") as file:
            yield cast(BinaryIO, file)
    else:
        yield raw


class _Gunzipped:
    """Members of gzip one after the other, in small steps, so that what came before a fault has been given out."""

    def __init__(self, raw: BinaryIO) -> None:
        self._raw = raw
        self._inner = zlib.decompressobj(wbits=31)
        self._waiting = b""
        self._inside = False

    def read(self, size: int) -> bytes:
        parts, length = [], 0
        while length < size:
            if not self._waiting:
                self._waiting = self._raw.read(1 << 18)
                if not self._waiting:
                    break
            part = self._inner.decompress(self._waiting, size - length)
            self._inside = True
            self._waiting = self._inner.unconsumed_tail
            if self._inner.eof:
                self._waiting = self._inner.unused_data.lstrip(b"\0")
                self._inner, self._inside = zlib.decompressobj(wbits=31), False
            parts.append(part)
            length += len(part)
        if not length and self._inside:
            raise EOFError("the packed data end before their end mark")
        return b"".join(parts)


def _filled(file: BinaryIO, size: int) -> bytes:
    parts, left = [], size
    while left and (part := file.read(left)):
        parts.append(bytes(part))
        left -= len(part)
    return b"".join(parts)
