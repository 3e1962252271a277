"""Explanations as a table: for each sample the molecules that moved its answer, beside what is published of them."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from exoclassify.data.cargo import CargoTable
from exoclassify.errors import InputError
from exoclassify.evidence.agreement import told_shortly
from exoclassify.evidence.catalogue import Catalogue
from exoclassify.evidence.reanalysis import Reanalysis, told_in_tables
from exoclassify.model.bundle import ModelBundle
from exoclassify.model.explain import top
from exoclassify.model.prediction import Use

__all__ = ["MOST_SAMPLES", "explained", "explanations"]

MOST_SAMPLES = 20_000
"""An explanation takes about a hundredth of a second, so these take minutes."""


def explanations(bundle: ModelBundle, table: CargoTable, n: int, *, catalogue: Catalogue | None = None) -> pd.DataFrame:
    """Name the molecules that moved each answer.

    Parameters
    ----------
    table : CargoTable
        Samples of its kind and unit.

    Returns
    -------
    DataFrame
        Columns sample_id, state (the most probable one, which may not be called), rank, molecule, log_odds (above 0 moves
        towards the state, against the mean of the others), value (as measured; NaN = not measured), published, references,
        public_tables (what the reanalysed ones say of it).
    """
    if n < 1:
        raise InputError(f"{n} molecules explain nothing; ask for 1 or more")
    if table.n_samples > MOST_SAMPLES:
        raise InputError(
            f"{table.source}: {table.n_samples} samples are more than can be explained at once ({MOST_SAMPLES}); score them all, "
            "and explain those in question"
        )
    known = Catalogue.read() if catalogue is None else catalogue
    return explained(bundle, table.sample_ids, bundle.panel.values(table), n, known)


def explained(
    bundle: ModelBundle,
    sample_ids: Sequence[str],
    X: NDArray[np.float64],
    n: int,
    catalogue: Catalogue,
    use: Use | None = None,
    batches: Sequence[str] | None = None,
) -> pd.DataFrame:
    """Name the molecules that moved the answers to rows that are in the panel's order already.

    Parameters
    ----------
    X : ndarray of shape (n_samples, n_molecules)
        Raw values in the panel's order; NaN = not measured.
    """
    tables = Reanalysis.read()

    @cache
    def published(molecule: str) -> tuple[str, str, str]:
        sentence, references = told_shortly(catalogue.of(molecule))
        return sentence, "; ".join(references), told_in_tables(tables.of(molecule))

    rows = [
        (sample, mover.state, rank, mover.molecule, mover.log_odds, mover.value, *published(mover.molecule))
        for sample, movers in zip(sample_ids, top(bundle, X, n, use, batches), strict=True)
        for rank, mover in enumerate(movers, start=1)
    ]
    columns = [
        "sample_id",
        "state",
        "rank",
        "molecule",
        "log_odds",
        "value",
        "published",
        "references",
        "public_tables",
    ]
    return pd.DataFrame(rows, columns=columns)
