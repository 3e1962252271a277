"""A file cut into stretches that can be read apart from each other, and these into pieces that fit into memory."""

from __future__ import annotations

import zlib
from abc import ABC, abstractmethod
from collections.abc import Iterator
from contextlib import contextmanager
from typing import ClassVar

import pyarrow as pa

from exoclassify.errors import FileError
from exoclassify.scoring.rows import Rows
from exoclassify.scoring.sources import Source
from exoclassify.tables.opening import reading_file

__all__ = ["Piece", "Stretch", "reading", "rows_in_piece"]

_PIECE_CELLS = 1_000_000  # 8 MB of numbers


def rows_in_piece(n_molecules: int) -> int:
    """How many rows are read together: so many that their numbers take about 8 MB.

    Parameters
    ----------
    n_molecules : int
        Columns that are read.
    """
    return max(64, min(65_536, _PIECE_CELLS // max(1, n_molecules)))


class Piece(ABC):
    """Some consecutive rows of a file, read and not yet understood; it can be sent to another process.

    Attributes
    ----------
    cost : float
        Bytes of the file that it stands for, for the progress.
    """

    cost: float

    @abstractmethod
    def rows(self) -> Rows:
        """Understand the rows."""


class Stretch(ABC):
    """What is read from one end to the other by one process.

    Attributes
    ----------
    source : Source
        The file.
    apart : bool
        Whether a worker can read it without what comes before it in the file.
    """

    source: Source
    apart: ClassVar[bool] = True

    @abstractmethod
    def pieces(self) -> Iterator[Piece]:
        """Read, piece by piece; the cuts are the same each time."""


@contextmanager
def reading(source: Source) -> Iterator[None]:
    """Translate what goes wrong while a file is read.

    Parameters
    ----------
    source : Source
        The file.

    Raises
    ------
    FileError
        If it is damaged, cut short, or cannot be reached.
    """
    try:
        if source.remote:
            with _reading_remote(source):
                yield
        else:
            with reading_file(source.path):
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
