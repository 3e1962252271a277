"""Tables with one measurement in each row: sample, molecule, value."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np

from exoclassify.errors import InputError
from exoclassify.tables.cells import numbers, with_points
from exoclassify.tables.field.formats import LongFormat
from exoclassify.tables.field.molecules_in_rows import plain_sample
from exoclassify.tables.wide import WideTable

__all__ = ["columns_of", "fits", "read_measurements"]

Rows = Iterator[tuple[int, list[str]]]


def columns_of(header: Sequence[str], form: LongFormat) -> tuple[int, int, int] | None:
    """Find the columns of sample, molecule and value."""
    lower = [name.lower() for name in header]
    found = [next((lower.index(name) for name in names if name in lower), -1) for names in form.needs]
    return None if min(found) < 0 else (found[0], found[1], found[2])


def fits(header: Sequence[str], form: LongFormat) -> bool:
    """Say whether a header is one of this format."""
    there = {name.lower() for name in header}
    return there.issuperset(form.known_by) and columns_of(header, form) is not None


def read_measurements(rows: Rows, header: Sequence[str], form: LongFormat, source: str) -> WideTable:
    """Read the rows below a header."""
    lower = [name.lower() for name in header]
    found = columns_of(header, form)
    assert found is not None  # it fits
    s, m, v = found
    a = next((lower.index(name) for name in form.assay if name in lower), -1)
    about = [(name, j) for j, name in enumerate(lower) if name in form.also]
    most = max(s, m, v, a, *(j for _, j in about))
    samples: dict[str, int] = {}
    molecules: dict[tuple[str, str], int] = {}
    places: list[tuple[int, int]] = []
    cells_found: list[str] = []
    reasons: Counter[str] = Counter()
    doubts: Counter[str] = Counter()
    for line, cells in rows:
        if len(cells) <= most:
            if len(cells) == 1:  # a remark below the table
                continue
            raise InputError(f"{source}: line {line} has {len(cells)} cells where the header has {len(header)}")
        row = {name: cells[j].strip() for name, j in about} | {lower[s]: cells[s].strip()}
        if reason := form.left_out(row):
            reasons[reason] += 1
            continue
        if doubt := form.unsure(row):
            doubts[doubt] += 1
        name = cells[m].strip(), cells[a].strip() if a >= 0 else ""
        if not name[0]:
            reasons["without a molecule"] += 1
            continue
        places.append((samples.setdefault(cells[s].strip(), len(samples)), molecules.setdefault(name, len(molecules))))
        cells_found.append(cells[v])
    if not places:
        raise InputError(f"{source}: is a {form.title} table without one measurement of a sample")
    ids = tuple(plain_sample(name) for name in samples)
    ids = ids if len(set(ids)) == len(ids) else tuple(samples)
    note = f"read as {form.title}: {form.word} of {len(molecules)} molecules in {len(samples)} samples"
    if reasons:
        note += "; " + " and ".join(f"{n} rows {reason}" for reason, n in reasons.items()) + " left out"
    if doubts:
        note += "; " + " and ".join(f"{n} values {doubt}" for doubt, n in doubts.items()) + " kept"
    notes = [note]
    cells_found, said = with_points(cells_found, source)
    values, words = numbers(cells_found)
    table = _joined(places, values, words, len(samples), len(molecules), form, source, ids, _names(molecules))
    notes += said
    return WideTable(source, ids, _names(molecules), table[0], table[1], tuple(notes + table[2]), form.units, True)


def _names(molecules: dict[tuple[str, str], int]) -> tuple[str, ...]:
    """Name the molecules; of several assays of one the first by its identifier has the plain name."""
    first: dict[str, str] = {}
    for name, assay in sorted(molecules):
        first.setdefault(name, assay)
    return tuple(name if first[name] == assay else f"{name} ({assay})" for name, assay in molecules)


def _joined(
    places: list[tuple[int, int]],
    values: Any,
    words: list[tuple[int, str]],
    n_samples: int,
    n_molecules: int,
    form: LongFormat,
    source: str,
    ids: Sequence[str],
    names: Sequence[str],
) -> tuple[Any, tuple[tuple[int, int, str], ...], list[str]]:
    """Bring the measurements to their places; wells of one molecule in one sample become their mean."""
    at = np.array(places, dtype=np.intp)
    flat = at[:, 0] * n_molecules + at[:, 1]
    said = dict(words)
    texts = {int(flat[i]): text for i, text in words}
    known = ~np.isnan(values)
    n = np.bincount(flat[known], minlength=n_samples * n_molecules)
    n_words = np.bincount(flat[list(said)], minlength=len(n)) if said else np.zeros_like(n)
    if not form.replicates:
        _check_once(flat, values, n, source, ids, names)
        only = np.zeros(len(n))
        only[flat[known]] = values[known]
        cells = np.where(n > 0, only, np.nan)
        return cells.reshape(n_samples, n_molecules), _kept(texts, n_molecules), []
    sums = np.bincount(flat[known], weights=values[known], minlength=len(n))
    detected = n > n_words
    cells = np.where(detected, sums / np.maximum(n, 1), np.nan)
    left = {cell: text for cell, text in texts.items() if not detected[cell]}
    several = int(((n + n_words) > 1).sum())
    notes = [f"{several} values are the mean of several wells"] if several else []
    return cells.reshape(n_samples, n_molecules), _kept(left, n_molecules), notes


def _kept(texts: dict[int, str], n_molecules: int) -> tuple[tuple[int, int, str], ...]:
    return tuple((cell // n_molecules, cell % n_molecules, text) for cell, text in sorted(texts.items()))


def _check_once(flat: Any, values: Any, n: Any, source: str, ids: Sequence[str], names: Sequence[str]) -> None:
    if n.max(initial=0) < 2:
        return
    high, low = np.full(len(n), -np.inf), np.full(len(n), np.inf)
    known = ~np.isnan(values)
    np.maximum.at(high, flat[known], values[known])
    np.minimum.at(low, flat[known], values[known])
    wrong = np.flatnonzero((n > 1) & (high > low))
    if wrong.size:
        i, j = divmod(int(wrong[0]), len(names))
        raise InputError(
            f"{source}: sample {ids[i]} has {n[wrong[0]]} different values of {names[j]} ({wrong.size} such cells); keep "
            "one of them"
        )
