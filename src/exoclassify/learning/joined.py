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
    """Bring two cohorts together, layer by layer, on the molecules that both measured.

    Returns
    -------
    Cohort
        The earlier samples first. A molecule that one of them lacks is left out, for its absence would tell them apart; a layer
        that one of them lacks is kept.
    """
    sheets = (earlier.sheet, new.sheet)
    where = f"{sheets[0].source} and {sheets[1].source}"
    columns = [(sheet.label_column, sheet.subject_column, sheet.batch_column) for sheet in sheets]
    if columns[0] != columns[1]:
        raise InputError(f"{where}: state, subject and batch are not the same columns")
    twice = sorted(set(sheets[0].sample_ids) & set(sheets[1].sample_ids))
    if twice:
        raise InputError(f"{where}: {len(twice)} samples are in both ({first_three(twice)}); give each sample once")
    first, notes = earlier.layers, []
    second = dict(zip(first, new.layers.values(), strict=False)) if len(first) == len(new.layers) == 1 else new.layers
    layers = {**first, **second}
    for name in [name for name in first if name in second]:
        layers[name], lacking = _joined(first[name], second[name])
        if lacking:
            notes.append(f"{lacking} molecules that only one of the two tables has are left out")
    sheet = replace(sheets[0], frame=pd.concat([one.frame for one in sheets]), source=where)
    whole = Cohort.from_layers(layers, sheet)
    return replace(whole, notes=(*earlier.notes, *new.notes, *notes, *whole.notes))


def _joined(earlier: CargoTable, new: CargoTable) -> tuple[CargoTable, int]:
    """Join two tables on the molecules of both; also how many are of one alone."""
    one, two = _alike(earlier, new)
    shared = [molecule for molecule in one.molecules if molecule in set(two.molecules)]
    if not shared:
        raise InputError(f"{one.source} and {two.source}: no molecule is in both; check the names of the molecules")
    values = np.concatenate([table.aligned(shared) for table in (one, two)])
    source = f"{one.source} + {two.source}"
    table = CargoTable(
        values, one.sample_ids + two.sample_ids, tuple(shared), one.kind, one.unit, source, one.not_detected
    )
    return table, len(set(one.molecules) ^ set(two.molecules))


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
