"""Columns of the cargo that hold what a sheet says, and tables that were scaled over their cohort."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from exoclassify.data.cargo import CargoTable
from exoclassify.data.samples import SampleSheet
from exoclassify.errors import InputError, first_three

__all__ = ["check_no_leak", "check_not_scaled"]

_FEWEST = 8
"""Samples from which a column that repeats the groups of a sheet is no chance."""

_METADATA = frozenset(
    {
        "age", "sex", "gender", "bmi", "group", "label", "class", "diagnosis", "disease", "state", "status", "batch", "plate",
        "run", "centre", "center", "site", "subject", "patient", "patient_id", "visit", "time", "timepoint", "height", "weight",
    }
)  # fmt: skip
"""What tables call columns that describe persons, in lower case."""


def check_no_leak(table: CargoTable, sheet: SampleSheet) -> None:
    """Refuse a column of the cargo that is one of the sheet, or that holds its label, batch or subject in numbers."""
    written = table.written or table.molecules
    columns = {name.strip().lower(): name for name in map(str, sheet.frame.columns)}
    known = [name for name in written if name.strip().lower() in columns]
    if len(known) * 2 > len(written):  # the table is its own sheet
        roles = {sheet.label_column, sheet.subject_column, sheet.batch_column}
        known = [name for name in known if name in roles or name.strip().lower() in _METADATA]
    if known:
        raise InputError(
            f"{table.source}: {_columns(known)} of {sheet.source} too and {'is' if len(known) == 1 else 'are'} no molecule; take "
            f"{'it' if len(known) == 1 else 'them'} out of the table"
        )
    place = {sample: i for i, sample in enumerate(sheet.sample_ids)}
    rows = np.array([place[sample] for sample in table.sample_ids if sample in place], dtype=np.intp)
    if len(rows) < max(_FEWEST, 1) or len(rows) < table.n_samples:
        return
    groups = (("label", sheet.label), ("batch", sheet.batch), ("subject", sheet.subject))
    for purpose, of_sample in groups:
        if of_sample is not None:
            _refuse_coded(table, written, purpose, of_sample[rows])


def _columns(names: list[str]) -> str:
    return f"column {names[0]} is a column" if len(names) == 1 else f"columns {first_three(names)} are columns"


def _refuse_coded(
    table: CargoTable, written: tuple[str, ...], purpose: str, of_sample: NDArray[np.object_] | NDArray[np.str_]
) -> None:
    names, group = np.unique(of_sample.astype(np.str_), return_inverse=True)
    if len(names) < 2 or 2 * len(names) > len(group):  # a column of different numbers repeats any list of persons
        return
    first = np.array([np.flatnonzero(group == g)[0] for g in range(len(names))])
    of_group = table.values[first]
    constant = (table.values == of_group[group]).all(axis=0)
    apart = np.array([len(np.unique(column)) == len(names) for column in of_group.T])
    found = np.flatnonzero(constant & apart)
    if found.size:
        j = int(found[0])
        codes = ", ".join(f"{value:g} = {name}" for value, name in sorted(zip(of_group[:, j], names, strict=True)))
        said = f"{table.source}: column {written[j]}"
        if _is_named_so(table.molecules[j], table.kind):
            raise InputError(f"{said} has one value in each {purpose} ({codes}), as no measurement has; take it out")
        name = "miRNA name" if table.kind == "mirna" else "measurement"
        raise InputError(f"{said} holds the {purpose} ({codes}) and is no {name}; take it out")


def _is_named_so(molecule: str, kind: str) -> bool:
    return (kind == "mirna" and "-miR-" in molecule) or "-let-" in molecule


def check_not_scaled(table: CargoTable) -> None:
    """Refuse a table whose molecules were brought to mean 0, or between 0 and 1, over its samples."""
    if table.unit not in ("log2_intensity", "intensity") or table.n_samples < _FEWEST:
        return
    measured = (~np.isnan(table.values)).sum(axis=0)
    values = table.values[:, measured == table.n_samples]
    if values.shape[1] < 2:
        return
    spread, n = values.std(axis=0), table.n_samples
    one = (np.abs(spread - 1) < 0.01) | (np.abs(spread * np.sqrt(n / (n - 1)) - 1) < 0.01)
    has = ""
    if (np.abs(values.mean(axis=0)) < 0.01).all():
        has = "mean 0 and SD 1" if one.all() else "mean 0"
    elif ((values.min(axis=0) == 0) & (values.max(axis=0) == 1)).all():
        has = "a least value of 0 and a largest of 1"
    if has:
        raise InputError(
            f"{table.source}: every molecule has {has}: scaled over the cohort, as no new sample can be; give the "
            "values before scaling"
        )
