"""Earlier samples and new ones as one cohort."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pandas as pd

from exoclassify.data.cargo import CargoTable
from exoclassify.data.cohort import Cohort
from exoclassify.errors import InputError, first_three

__all__ = ["joined"]


def joined(earlier: Cohort, new: Cohort) -> Cohort:
    """Bring two cohorts of one kind and unit together, on the molecules that both measured.

    Returns
    -------
    Cohort
        The earlier samples first. A molecule that one of them lacks is left out, for its absence would tell them apart.
    """
    tables = _alike(earlier.cargo, new.cargo)
    one, two = tables
    where = f"{one.source} and {two.source}"
    shared = [molecule for molecule in one.molecules if molecule in set(two.molecules)]
    twice = sorted(set(one.sample_ids) & set(two.sample_ids))
    if twice:
        raise InputError(f"{where}: {len(twice)} samples are in both ({first_three(twice)}); give each sample once")
    if not shared:
        raise InputError(f"{where}: no molecule is in both; check the names of the molecules")
    sheets = (earlier.sheet, new.sheet)
    columns = [(sheet.label_column, sheet.subject_column, sheet.batch_column) for sheet in sheets]
    if columns[0] != columns[1]:
        raise InputError(
            f"{sheets[0].source} and {sheets[1].source}: state, subject and batch are not the same columns"
        )
    values = np.concatenate([table.aligned(shared) for table in tables])
    source = f"{one.source} + {two.source}"
    table = CargoTable(
        values, one.sample_ids + two.sample_ids, tuple(shared), one.kind, one.unit, source, one.not_detected
    )
    frame = pd.concat([sheet.frame for sheet in sheets])
    lacking = len(set(one.molecules) ^ set(two.molecules))
    notes = (f"{lacking} molecules that only one of the two tables has are left out",) if lacking else ()
    sheet = replace(sheets[0], frame=frame, source=source)
    whole = Cohort.from_layers({one.kind: table}, sheet)
    return replace(whole, notes=(*earlier.notes, *new.notes, *notes, *whole.notes))


def _alike(one: CargoTable, two: CargoTable) -> tuple[CargoTable, CargoTable]:
    for what, mine, theirs in (
        ("kind", one.kind, two.kind),
        ("unit", one.unit, two.unit),
        ("not-detected value", one.not_detected, two.not_detected),
    ):
        if mine != theirs:
            raise InputError(
                f"{two.source}: its {what} is {theirs}, and that of {one.source} is {mine}; give both alike"
            )
    if one.hairpins_apart or two.hairpins_apart:
        return one.with_hairpins_apart(), two.with_hairpins_apart()
    return one, two
