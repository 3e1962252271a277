"""Isomirs in mirGFF3, as mirtop and nf-core/smrnaseq write them; the format's definition is at github.com/miRTop/mirGFF3."""

from __future__ import annotations

import re
from collections import Counter

import numpy as np

from exoclassify.errors import InputError
from exoclassify.tables.wide import WideTable
from exoclassify.typing import Floats

__all__ = ["MARK", "read_mirgff3"]

MARK = "## coldata:"
"""Of the line that names the samples, in lower case."""

_TYPES = ("ref_mirna", "isomir")


def read_mirgff3(text: str, source: str) -> WideTable:
    """Add up the reads of each miRNA.

    Returns
    -------
    WideTable
        Samples in rows. A sequence that stands on several precursors of one miRNA counts once; what did not pass the filter is
        left out.
    """
    samples: list[str] = []
    totals: dict[str, Floats] = {}
    seen: set[tuple[str, str]] = set()
    failed = 0
    for number, line in enumerate(text.splitlines(), 1):
        if line.lower().startswith(MARK):
            samples = re.split(r"[,\s]+", line[len(MARK) :].strip())
        if line.startswith("#") or not line.strip():
            continue
        cells = line.split("\t")
        said = _attributes(cells[8]) if len(cells) == 9 else {}
        counts = said.get("expression", "").split(",")
        if (
            not samples
            or "name" not in said
            or len(counts) != len(samples)
            or not all(n.strip().isdigit() for n in counts)
        ):
            raise InputError(
                f"{source}: line {number} is none of mirGFF3; it has 9 cells, of which the last says Name and a whole number "
                f"of reads for each of the {len(samples)} samples of ## COLDATA"
            )
        name, uid = said["name"], said.get("uid") or said.get("read") or str(number)
        if cells[2].lower() not in _TYPES or (uid, name) in seen:
            continue
        if said.get("filter", "pass").lower() != "pass":
            failed += 1
            continue
        seen.add((uid, name))
        totals[name] = totals.get(name, np.zeros(len(samples))) + np.array(counts, dtype=float)
    if not totals:
        raise InputError(f"{source}: is mirGFF3 without one sequence that passed its filter")
    twice = [sample for sample, n in Counter(samples).items() if n > 1]
    if twice:
        raise InputError(f"{source}: its line ## COLDATA names {twice[0]} twice; correct that line")
    note = f"read as mirGFF3: reads of {len(totals)} miRNAs in {len(samples)} samples, their isomiRs added up"
    note += f"; {failed} sequences that did not pass the filter left out" if failed else ""
    cells_of = np.column_stack(list(totals.values()))
    return WideTable(source, tuple(samples), tuple(totals), cells_of, (), (note,), ("counts",), True)


def _attributes(text: str) -> dict[str, str]:
    """Give what the ninth cell says; words and values stand apart by a blank, in older files by an equals sign."""
    pairs = [re.split(r"[ =]", part.strip(), maxsplit=1) for part in text.split(";") if part.strip()]
    return {pair[0].lower(): pair[1].strip() if len(pair) > 1 else "" for pair in pairs}
