"""Files, folders, patterns and addresses, as one ordered list of files, each opened wherever it lies."""

from __future__ import annotations

import glob
import gzip
import zlib
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path, PurePosixPath
from typing import Any, BinaryIO, cast

import pyarrow as pa

from exoclassify.errors import FileError, first_three
from exoclassify.tables.opening import SUFFIXES, TEXT, reading_file, suffix_of

__all__ = ["STREAMED_TEXT", "Source", "find_sources", "is_table", "reading", "unpacking", "without_ending"]

STREAMED_TEXT = tuple(suffix for suffix in TEXT if suffix.startswith((".csv", ".tsv", ".txt")))
"""Endings of text tables that are read as a stream."""

_LISTED = tuple(suffix for suffix in SUFFIXES if ".gff" not in suffix)  # most of these are annotations of a genome
_MAGIC = "*?["


@dataclass(frozen=True)
class Source:
    """One file.

    Parameters
    ----------
    url : str
        Path, or address with its scheme such as ``s3://bucket/x.parquet``.
    name : str
        What messages and the rejected rows call it.
    keys : tuple of (str, str)
        What its folders say, as ``site=Bonn`` does.
    size : int
        Bytes.
    stamp : str
        Changes when the file does.
    """

    url: str
    name: str
    keys: tuple[tuple[str, str], ...] = ()
    size: int = 0
    stamp: str = ""

    @classmethod
    def local(cls, path: Path, name: str = "") -> Source:
        """Take a file of this machine.

        Parameters
        ----------
        path : path
            Of the file; a reader says what is wrong with one that is not there.
        """
        state, name = path.stat() if path.exists() else None, name or path.name
        size, stamp = (state.st_size, str(state.st_mtime_ns)) if state else (0, "")
        return cls(str(path), name, _keys(name), size, stamp)

    @property
    def remote(self) -> bool:
        """Whether it is read through fsspec."""
        return "://" in self.url

    @property
    def suffix(self) -> str:
        """Its ending, with that of the packing, in lower case."""
        return suffix_of(self.url.split("?")[0])

    @property
    def path(self) -> Path:
        """Where it lies on this machine."""
        if self.remote:
            raise FileError(
                f"{self.url}: a table of this form is read from this machine alone; download it first, or save it as "
                "Parquet or CSV with samples in rows"
            )
        return Path(self.url)

    def open(self) -> BinaryIO:
        """Open it for reading and seeking."""
        if not self.remote:
            return open(self.url, "rb")
        files, place = _remote(self.url)
        # Text is read from one end to the other; of columns only some pieces are.
        ahead = {"cache_type": "readahead" if self.suffix in STREAMED_TEXT else "none", "block_size": 8 << 20}
        return cast(BinaryIO, files.open(place, "rb", **ahead))


@contextmanager
def unpacking(raw: BinaryIO, suffix: str) -> Iterator[BinaryIO]:
    """Read the characters' bytes of an opened text.

    Yields
    ------
    file object
        Whose ``read1`` gives all that came before a fault.
    """
    if suffix.endswith(".gz"):
        with gzip.GzipFile(fileobj=raw) as file:
            yield cast(BinaryIO, file)
    elif suffix.endswith(".zst"):
        with pa.CompressedInputStream(pa.PythonFile(raw, mode="r"), "zstd") as file:
            yield cast(BinaryIO, file)
    else:
        yield raw


@contextmanager
def reading(source: Source) -> Iterator[None]:
    """Translate what goes wrong while a file is read."""
    try:
        with _reading_remote(source) if source.remote else reading_file(source.path):
            yield
    except pa.ArrowException as error:
        reason = str(error).strip().partition("\n")[0]
        raise FileError(f"{source.name}: is damaged or cut short ({reason}); write or copy it again") from error


@contextmanager
def _reading_remote(source: Source) -> Iterator[None]:
    try:
        yield
    except (OSError, EOFError, zlib.error) as error:
        raise FileError(f"{source.url}: cannot be read ({error or type(error).__name__}); try again") from error
    except ValueError as error:  # fsspec, of servers without byte ranges
        if isinstance(error, pa.ArrowException):
            raise
        raise FileError(f"{source.url}: cannot be read in parts ({error}); download it first") from error


def find_sources(given: Sequence[str]) -> tuple[list[Source], list[str]]:
    """List the files that were named.

    Parameters
    ----------
    given : sequence of str
        Files, folders (all tables in them, in the order of their names, ``key=value`` folders too), patterns such as
        ``plates/*.csv``, and addresses that fsspec knows.
    """
    found: list[Source] = []
    left_out: list[str] = []
    for text in given:
        sources, others = _remote_sources(text) if "://" in text else _local_sources(text)
        if not sources:
            raise FileError(
                f"{text}: holds no table ({', '.join(SUFFIXES)}); it has {first_three(others) or 'no file'}"
            )
        found += sources
        left_out += others
    unique = list({source.url: source for source in found}.values())
    twice = {name for name, times in Counter(source.name for source in unique).items() if times > 1}
    return [replace(s, name=s.url) if s.name in twice else s for s in unique], left_out


def _local_sources(text: str) -> tuple[list[Source], list[str]]:
    path = Path(text)
    if path.is_dir():
        files = sorted(file for file in path.rglob("*") if file.is_file() and not _hidden(file.relative_to(path)))
        tables = [file for file in files if is_table(file.name)]
        others = [str(file.relative_to(path)) for file in files if not is_table(file.name)]
        return [Source.local(file, str(file.relative_to(path))) for file in tables], others
    if not path.exists() and any(sign in text for sign in _MAGIC):
        matched = sorted(Path(name) for name in glob.glob(text, recursive=True))
        return [Source.local(file) for file in matched if file.is_file()], []
    return [Source.local(path)], []


def _remote_sources(text: str) -> tuple[list[Source], list[str]]:
    files, place = _remote(text)
    try:
        if not text.startswith("http") and any(sign in text for sign in _MAGIC):
            places = sorted(files.glob(place))
        elif not text.startswith("http") and files.isdir(place):
            places = sorted(files.find(place))
        else:
            places = [place]
        root = place.rstrip("/") + "/"
        sources, others = [], []
        for each in places:
            name = each.removeprefix(root) if each.startswith(root) else PurePosixPath(each.split("?")[0]).name
            if not is_table(name.split("?")[0]):
                others.append(name)
                continue
            about = files.info(each)
            stamp = str(about.get("ETag") or about.get("LastModified") or about.get("mtime") or "")
            url = each if "://" in each else files.unstrip_protocol(each)
            sources.append(Source(url, name, _keys(name), int(about.get("size") or 0), stamp))
        return sources, others
    except OSError as error:
        raise FileError(f"{text}: cannot be reached ({error or type(error).__name__})") from error


def _remote(url: str) -> tuple[Any, str]:
    try:
        import fsspec
    except ImportError as error:
        raise FileError(f"{url}: addresses need more libraries; pip install 'exoclassify[remote]'") from error
    try:
        files, place = fsspec.core.url_to_fs(url)
    except (ImportError, ValueError) as error:
        raise FileError(f"{url}: cannot be opened ({error})") from error
    return files, str(place)


def is_table(name: str) -> bool:
    """Say whether a file is a table by its ending."""
    return name.lower().endswith(_LISTED)


def without_ending(name: str) -> str:
    """Give the name of a table without what says its format and packing."""
    ending = max((ending for ending in SUFFIXES if name.lower().endswith(ending)), key=len, default="")
    return name[: len(name) - len(ending)]


def _hidden(path: Path) -> bool:
    return any(part.startswith((".", "_")) for part in path.parts)


def _keys(name: str) -> tuple[tuple[str, str], ...]:
    parts = [part.partition("=") for part in PurePosixPath(name).parts[:-1]]
    return tuple((key, value) for key, sign, value in parts if sign and key)
