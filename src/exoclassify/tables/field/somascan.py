"""SomaScan .adat files: a head, rows that describe the analytes, and a row for each sample.

The form is that of SomaLogic's "ADAT specification" (github.com/SomaLogic/SomaLogic-Data).
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator

import numpy as np

from exoclassify.errors import InputError
from exoclassify.tables.cells import numbers
from exoclassify.tables.wide import WideTable

__all__ = ["BEGIN", "read_adat"]

BEGIN = "^TABLE_BEGIN"
"""The line before the table."""

Rows = Iterator[tuple[int, list[str]]]


def read_adat(rows: Rows, source: str) -> WideTable:
    """Read the table of an .adat file.

    Returns
    -------
    WideTable
        Samples in rows; calibrators, buffers and quality controls, and analytes that are no human protein, left out.
    """
    analytes, header, begin = _described(rows)
    ids = analytes.get("SeqId")
    lower = [name.lower() for name in header]
    if ids is None or "sampleid" not in lower:
        raise InputError(f"{source}: is an .adat file without SeqId of the analytes or SampleId of the samples")
    sample, kind = lower.index("sampleid"), lower.index("sampletype") if "sampletype" in lower else -1
    check = lower.index("rowcheck") if "rowcheck" in lower else -1
    kept, left_out = _analytes(analytes, len(ids))
    samples, values = [], []
    controls: Counter[str] = Counter()
    flagged = 0
    for line, cells in rows:
        if len(cells) < begin + len(ids):
            raise InputError(
                f"{source}: line {line} has {len(cells)} cells where {begin + len(ids)} are expected; it is cut short"
            )
        if kind >= 0 and cells[kind].strip().lower() not in ("sample", ""):
            controls[cells[kind].strip()] += 1
            continue
        flagged += check >= 0 and cells[check].strip().upper() == "FLAG"
        samples.append(cells[sample].strip())
        values.append(numbers([cells[begin + j] for j in kept])[0])
    if not samples:
        raise InputError(f"{source}: has no row of SampleType Sample")
    note = f"read as SomaScan .adat: {len(kept)} analytes of {len(samples)} samples"
    if controls or left_out:
        parts = [f"{n} {name} rows" for name, n in controls.items()]
        parts += [f"{left_out} control analytes"] if left_out else []
        note += f"; {' and '.join(parts)} left out"
    if flagged:
        note += f"; {flagged} samples with RowCheck FLAG kept"
    names = _names(analytes, kept)
    return WideTable(source, tuple(samples), names, np.vstack(values), (), (note,), ("intensity",), True)


def _described(rows: Rows) -> tuple[dict[str, list[str]], list[str], int]:
    """Read what is above the samples: what is said of the analytes, the header, and where the values begin."""
    for _, cells in rows:
        if cells[0].strip() == BEGIN:
            break
    analytes: dict[str, list[str]] = {}
    begin = 0
    for _, cells in rows:
        if cells[0].strip():
            return analytes, [cell.strip() for cell in cells[:begin]], begin
        name = next((j for j, cell in enumerate(cells) if cell.strip()), 0)
        begin = name + 1
        analytes[cells[name].strip()] = [cell.strip() for cell in cells[begin:]]
    return analytes, [], begin


def _analytes(about: dict[str, list[str]], n: int) -> tuple[list[int], int]:
    """Choose the analytes that are human proteins, where the file says what they are."""
    kinds = about.get("Type", ["Protein"] * n)
    organisms = about.get("Organism", ["Human"] * n)
    kept = [
        j for j in range(n) if kinds[j] in ("Protein", "") and organisms[j].lower() in ("human", "", "homo sapiens")
    ]
    return kept, n - len(kept)


def _names(about: dict[str, list[str]], kept: list[int]) -> tuple[str, ...]:
    """Name each analyte by its protein; of several of one protein the first by SeqId has the plain name."""
    ids = about["SeqId"]
    proteins = about.get("UniProt", ids)
    first: dict[str, str] = {}
    for j in sorted(kept, key=lambda j: ids[j]):
        first.setdefault(proteins[j], ids[j])
    return tuple(
        proteins[j] if proteins[j] and first[proteins[j]] == ids[j] else f"{proteins[j]} ({ids[j]})".strip()
        for j in kept
    )
