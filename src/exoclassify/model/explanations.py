"""Explanations as a table: for each sample the molecules that moved its answer, beside what is published of them."""

from __future__ import annotations

from functools import cache

import pandas as pd

from exoclassify.data.cargo import CargoTable
from exoclassify.errors import InputError
from exoclassify.evidence.agreement import told_shortly
from exoclassify.evidence.catalogue import Catalogue
from exoclassify.model.bundle import ModelBundle
from exoclassify.model.explain import top

__all__ = ["MOST_SAMPLES", "explanations"]

MOST_SAMPLES = 20_000
"""An explanation takes about a hundredth of a second, so these take minutes."""


def explanations(
    bundle: ModelBundle, table: CargoTable, n: int, *, catalogue: Catalogue | None = None
) -> pd.DataFrame:
    """Name the molecules that moved each answer.

    Parameters
    ----------
    bundle : ModelBundle
        The model.
    table : CargoTable
        Samples of its kind and unit.
    n : int
        How many molecules a sample, 1 or more.
    catalogue : Catalogue, optional
        What is published; the project's own if omitted.

    Returns
    -------
    DataFrame
        Columns sample_id, state (the most probable one, which may not be called), rank, molecule, log_odds (above 0 moves
        towards the state, against the mean of the others), value (as measured; NaN = not measured), published, references.

    Raises
    ------
    InputError
        If n is below 1, or there are more than `MOST_SAMPLES` samples.
    ModelError
        If the table does not fit the model.
    """
    if n < 1:
        raise InputError(f"{n} molecules explain nothing; ask for 1 or more")
    if table.n_samples > MOST_SAMPLES:
        raise InputError(
            f"{table.source}: {table.n_samples} samples are more than can be explained at once ({MOST_SAMPLES}); score them all, "
            "and explain those in question"
        )
    known = Catalogue.read() if catalogue is None else catalogue

    @cache
    def published(molecule: str) -> tuple[str, str]:
        sentence, references = told_shortly(known.of(molecule))
        return sentence, "; ".join(references)

    rows = [
        (sample, mover.state, rank, mover.molecule, mover.log_odds, mover.value, *published(mover.molecule))
        for sample, movers in zip(table.sample_ids, top(bundle, bundle.panel.values(table), n), strict=True)
        for rank, mover in enumerate(movers, start=1)
    ]
    columns = ["sample_id", "state", "rank", "molecule", "log_odds", "value", "published", "references"]
    return pd.DataFrame(rows, columns=columns)
