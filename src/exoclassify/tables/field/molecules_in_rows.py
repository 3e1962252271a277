"""Tables with molecules in rows, annotations of them, and samples in columns."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import PurePosixPath

import numpy as np
from numpy.typing import NDArray

from exoclassify.errors import InputError, first_three
from exoclassify.tables.cells import numbers
from exoclassify.tables.field.formats import Quantity, WideFormat
from exoclassify.tables.wide import WideTable

__all__ = ["PERSEUS_MARK", "chosen_columns", "fits", "plain_sample", "read_molecules_in_rows", "read_perseus"]

Rows = Iterator[tuple[int, list[str]]]
Texts = list[tuple[int, int, str]]

PERSEUS_MARK = "#!{Type}"
"""Begins the line of a Perseus matrix that says what each column holds."""

# Endings of the files that instruments and aligners write, which stand in headers in place of a sample's name.
_ENDING = re.compile(
    r"\.(raw|d|wiff2?|mzml|dia|htrms|bam|sam|cram|fastq|fq|gz|sorted|dedup|markdup|aligned|sortedbycoord|out|counts?|txt|"
    r"rcc)$",
    re.IGNORECASE,
)


def plain_sample(name: str) -> str:
    """Give the sample's name of a path to its file.

    Parameters
    ----------
    name : str
        Such as ``bam/EV100.sorted.bam``.

    Returns
    -------
    str
        ``EV100``.
    """
    last = PurePosixPath(name.replace("\\", "/")).name.strip()
    while (shorter := _ENDING.sub("", last)) != last and shorter:
        last = shorter
    return last


def chosen_columns(header: Sequence[str], pattern: str) -> dict[int, str]:
    """Find the columns that a user's pattern means.

    Parameters
    ----------
    pattern : str
        With ``*`` for the sample's name; several with commas between.
    """
    if "," in pattern and pattern not in header:
        each = [chosen_columns(header, part.strip()) for part in pattern.split(",") if part.strip()]
        return dict(sorted({j: name for found in each for j, name in found.items()}.items()))
    parts = [re.escape(part) for part in pattern.split("*")]
    known = re.compile("(.+?)".join(parts[:-1]) + ("(.+)" if len(parts) > 1 else "") + parts[-1])
    found = {j: match for j, name in enumerate(header) if (match := known.fullmatch(name.strip()))}
    # "LFQ intensity *" stands beside the name, EV* is a part of it.
    beside = any(not part[-1:].isalnum() or not part[:1].isalnum() for part in pattern.split("*") if part)
    named = len(pattern.split("*")) == 2 and beside
    return {j: match.group(1) if named else header[j].strip() for j, match in found.items()}


def _columns(header: Sequence[str], form: WideFormat, pattern: str | None) -> tuple[Quantity, dict[int, str]]:
    if pattern is not None:
        return Quantity(f"columns {pattern}", "", ()), chosen_columns(header, pattern)
    for quantity in form.quantities:
        known, others = re.compile(quantity.pattern), {*form.needs, *form.annotation}
        matches = {
            j: match.group(1)
            for j, name in enumerate(header)
            if name.lower() not in others and (j or form.molecule) and (match := known.fullmatch(name))
        }
        if matches:
            return quantity, matches
    return form.quantities[0], {}


def fits(header: Sequence[str], form: WideFormat) -> bool:
    """Say whether a header has columns of samples as this format names them."""
    return bool(_columns(header, form, None)[1])


def read_molecules_in_rows(
    rows: Rows, header: Sequence[str], form: WideFormat, source: str, pattern: str | None
) -> WideTable:
    """Read the rows below a header."""
    quantity, columns = _columns(header, form, pattern)
    if not columns:
        raise InputError(
            f"{source}: is a table of {form.title}, and no column fits {pattern!r}; its columns are {first_three(header)}"
        )
    lower = [name.lower() for name in header]
    molecule = next((lower.index(name.lower()) for name in form.molecule if name.lower() in lower), 0)
    about = [j for j in range(len(header)) if j not in columns]
    names: list[str] = []
    values: list[NDArray[np.float64]] = []
    texts: Texts = []
    reasons: Counter[str] = Counter()
    at = list(columns)
    for line, cells in rows:
        if cells[0].startswith("!"):  # the end of a series matrix
            continue
        if len(cells) <= max(at[-1], molecule):
            raise InputError(
                f"{source}: line {line} has {len(cells)} cells where the header has {len(header)}; the file is cut short, or "
                "a cell holds the separator"
            )
        if reason := form.left_out({lower[j]: cells[j] for j in about if j < len(cells)}):
            reasons[reason] += 1
            continue
        row, words = numbers([cells[j] for j in at])
        texts += [(len(names), j, word) for j, word in words]
        names.append(cells[molecule].strip())
        values.append(row)
    if not names:
        raise InputError(f"{source}: is a table of {form.title} without one molecule in it")
    notes = [f"read as {form.title}: {quantity.word} of {len(at)} samples{_left_out(reasons)}"]
    cells_of = np.vstack(values)
    if form.shared:
        cells_of = np.rint(cells_of)
        notes[0] += "; reads shared among miRNAs were rounded to whole ones"
    table = WideTable(source, tuple(names), _samples(columns), cells_of, tuple(texts))
    if form.repeated:
        table, said = _once(table, form.repeated)
        notes += said
    table = table.turned()
    return WideTable(source, table.row_ids, table.columns, table.cells, table.texts, tuple(notes), quantity.units, True)


def _left_out(reasons: Counter[str]) -> str:
    if not reasons:
        return ""
    return "; " + " and ".join(f"{n} {reason}" for reason, n in reasons.items()) + " rows left out"


def _samples(columns: dict[int, str]) -> tuple[str, ...]:
    """Give the samples' names, without paths and endings where they stay different."""
    written = tuple(columns.values())
    plain = tuple(plain_sample(name) for name in written)
    labelled = tuple(name.rpartition(", ")[2] for name in plain)  # F1: Sample, EV100
    for names in (labelled, plain):
        if len(set(names)) == len(names):
            return names
    return written


def _once(table: WideTable, how: str) -> tuple[WideTable, list[str]]:
    """Make one row of the rows of each molecule; every sample's value depends on that sample alone."""
    if table.texts:
        return table, []
    first: dict[str, int] = {}
    for name in table.row_ids:
        first.setdefault(name, len(first))
    if len(first) == len(table.row_ids):
        return table, []
    n = len(table.row_ids) - len(first)
    place = np.array([first[name] for name in table.row_ids])
    joined = np.full((len(first), table.cells.shape[1]), np.nan)
    for row, i in zip(table.cells, place, strict=True):
        joined[i] = np.where(np.isnan(joined[i]), row, joined[i] + row) if how == "sum" else np.fmax(joined[i], row)
    said = f"{n} rows are of a molecule that has another row: " + (
        "their counts were added up" if how == "sum" else "the largest count of each sample was taken"
    )
    return WideTable(table.source, tuple(first), table.columns, joined, ()), [said]


_NAMES = ("majority protein ids", "protein ids", "protein.group", "pg.proteingroups", "accession", "gene names")


def read_perseus(rows: Iterator[tuple[int, list[str]]], header: Sequence[str], source: str) -> WideTable:
    """Read the rows below a header."""
    line, types = next(rows)
    kinds = [cell.strip().removeprefix(PERSEUS_MARK) for cell in types]
    measured = [name for name, kind in zip(header, kinds, strict=False) if kind == "E"]
    texts = [name for name, kind in zip(header, kinds, strict=False) if kind == "T"]
    named = [name for wanted in _NAMES for name in texts if name.lower() == wanted] or texts
    if not measured or not named:
        raise InputError(f"{source}: line {line} names no column of type E, or none of type T that names the molecules")
    quantity = Quantity("columns of type E", r"(.+)", ())
    others = frozenset(name.lower() for name in header if name not in measured)
    form = WideFormat("Perseus", (), (named[0],), (quantity,), others)
    return read_molecules_in_rows((row for row in rows if not row[1][0].startswith("#!{")), header, form, source, None)
