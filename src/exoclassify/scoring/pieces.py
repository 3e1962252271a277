"""The pieces of a file, understood by where the panel is in it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from exoclassify.errors import FileError
from exoclassify.scoring.layout import Layout
from exoclassify.scoring.rows import Rows, rows_of
from exoclassify.tables.pieces import Piece, Stretch
from exoclassify.tables.sources import Source

__all__ = ["RowPiece", "RowStretch", "pieces_and_ends"]


@dataclass(frozen=True, eq=False)
class RowPiece:
    """Some consecutive rows of a file, not yet understood; it can be sent to another process.

    Parameters
    ----------
    layout : Layout
        Where the panel is.
    piece : Piece
        As read.
    """

    layout: Layout
    piece: Piece

    @property
    def cost(self) -> float:
        """Bytes of the file that it stands for, for the progress."""
        return self.piece.cost

    def rows(self) -> Rows:
        """Understand the rows."""
        return rows_of(self.piece.batch(), self.layout)


@dataclass(frozen=True, eq=False)
class RowStretch:
    """What is read from one end to the other by one process.

    Parameters
    ----------
    layout : Layout
        Where the panel is.
    stretch : Stretch
        Of the file.
    """

    layout: Layout
    stretch: Stretch

    @property
    def source(self) -> Source:
        """The file."""
        return self.stretch.source

    @property
    def apart(self) -> bool:
        """Whether a worker can read it without what comes before it in the file."""
        return self.stretch.apart

    def pieces(self) -> Iterator[RowPiece]:
        """Read, piece by piece; the cuts are the same each time."""
        return (RowPiece(self.layout, piece) for piece in self.stretch.pieces())


def pieces_and_ends(stretch: RowStretch) -> Iterator[tuple[RowPiece | None, bool, str]]:
    """Read a stretch and say of each piece whether it is the last, and what broke there.

    Yields
    ------
    broken : str
        What is wrong with the file behind this piece; empty when nothing is.
    """
    pieces = stretch.pieces()
    before: RowPiece | None = None
    while True:
        try:
            piece = next(pieces, None)
        except FileError as error:
            yield before, True, str(error)
            return
        if piece is None:
            yield before, True, ""
            return
        if before is not None:
            yield before, False, ""
        before = piece
