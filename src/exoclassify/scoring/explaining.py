"""Explains the rows that were scored, in the same pieces, with memory that does not grow."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence

import numpy as np
import pandas as pd

from exoclassify.errors import FileError
from exoclassify.evidence.catalogue import Catalogue
from exoclassify.model.bundle import ModelBundle
from exoclassify.model.explanations import explained
from exoclassify.model.panel import Panel
from exoclassify.scoring.job import batches_of
from exoclassify.scoring.pieces import RowPiece, pieces_and_ends
from exoclassify.scoring.planning import planned
from exoclassify.scoring.rows import checked
from exoclassify.scoring.stream import Asked
from exoclassify.tables.sources import find_sources
from exoclassify.typing import Floats

__all__ = ["answered_rows", "explained_files"]

_TOGETHER = 500
"""Rows explained at once: their contributions to every state are in memory."""


def explained_files(
    bundle: ModelBundle, given: Sequence[str], asked: Asked, n: int, without: Collection[str] = ()
) -> Iterator[pd.DataFrame]:
    """Name the molecules that moved the answer to each row of files that `score_files` has answered for.

    Parameters
    ----------
    without : collection of str
        Sample ids that got no answer though their rows are sound: those that come twice.

    Yields
    ------
    DataFrame
        As `exoclassify.model.explanations.explanations` gives it, for some rows, in their order; rows without an answer are
        left out.
    """
    known = Catalogue.read()
    for ids, X, batches in answered_rows(bundle, given, asked, without):
        yield explained(bundle, ids, X, n, known, asked.use, batches)


def answered_rows(
    bundle: ModelBundle, given: Sequence[str], asked: Asked, without: Collection[str] = ()
) -> Iterator[tuple[list[str], Floats, list[str] | None]]:
    """Read the rows that got an answer again.

    Yields
    ------
    X : ndarray of shape (n_rows, n_molecules)
        Raw values in the panel's order.
    """
    plans, _ = planned(find_sources(given)[0], bundle.panel, asked.kept, asked.long, asked.reading)
    for plan in plans:
        for stretch in plan.cut():
            for piece, _, _ in pieces_and_ends(stretch):
                if piece is not None:
                    yield from _answered(piece, bundle.panel, plan.source.name, asked, without)


def _answered(
    piece: RowPiece, panel: Panel, source: str, asked: Asked, without: Collection[str]
) -> Iterator[tuple[list[str], Floats, list[str] | None]]:
    """Give the rows of a piece that got an answer, some at a time; of a broken piece none did, which was said."""
    try:
        rows, blocks = checked(piece.rows(), panel, source, np.copy)
    except FileError:
        return
    ids = rows.ids.to_pylist()
    batches = batches_of(rows, asked.batches, asked.batch_column, asked.kept)
    X = np.concatenate([np.empty((0, len(panel.molecules))), *blocks])
    kept = [i for i, sample in enumerate(ids) if sample not in without]
    for at in range(0, len(kept), _TOGETHER):
        some = kept[at : at + _TOGETHER]
        yield [ids[i] for i in some], X[some], None if batches is None else [batches[i] for i in some]
