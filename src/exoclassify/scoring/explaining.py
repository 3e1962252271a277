"""Explains the rows that were scored, in the same pieces, with memory that does not grow."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np
import pandas as pd

from exoclassify.evidence.catalogue import Catalogue
from exoclassify.model.bundle import ModelBundle
from exoclassify.model.explanations import explained
from exoclassify.scoring.job import pieces_and_ends
from exoclassify.scoring.planning import planned
from exoclassify.scoring.rows import checked
from exoclassify.scoring.sources import find_sources
from exoclassify.scoring.stream import Asked

__all__ = ["explained_files"]

_TOGETHER = 500
"""Rows explained at once: their contributions to every state are in memory."""


def explained_files(
    bundle: ModelBundle, given: Sequence[str], asked: Asked, n: int
) -> Iterator[pd.DataFrame]:
    """Name the molecules that moved the answer to each row of files that `score_files` has answered for.

    Parameters
    ----------
    bundle : ModelBundle
        Who answered.
    given : sequence of str
        As in `score_files`.
    asked : Asked
        As there.
    n : int
        How many molecules a sample.

    Yields
    ------
    DataFrame
        As `exoclassify.model.explanations.explanations` gives it, for some rows, in their order; rows without an answer are
        left out.

    Raises
    ------
    FileError, InputError, ModelError
        If no file can be used as stated.
    """
    known = Catalogue.read()
    plans, _ = planned(find_sources(given)[0], bundle.panel, asked.keep, asked.long)
    for plan in plans:
        for stretch in plan.stretches():
            for piece, _, _ in pieces_and_ends(stretch):
                if piece is None:
                    continue
                rows = checked(piece.rows(), bundle.panel, plan.source.name)
                ids = rows.ids.to_pylist()
                for at in range(0, len(ids), _TOGETHER):
                    X = np.ascontiguousarray(rows.X[at : at + _TOGETHER])
                    yield explained(bundle, ids[at : at + _TOGETHER], X, n, known)
