"""Files of a form of their own: SomaScan .adat, GEO's samples, isomiRs in mirGFF3, NanoString lanes and htseq-count's libraries.

By SomaLogic's "ADAT specification" (github.com/SomaLogic/SomaLogic-Data), ncbi.nlm.nih.gov/geo/info/soft.html and
github.com/miRTop/mirGFF3.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from typing import TYPE_CHECKING

import numpy as np

from exoclassify.errors import InputError, first_three
from exoclassify.tables.cells import numbers, text_or_none
from exoclassify.tables.field.molecules_in_rows import plain_sample
from exoclassify.tables.wide import WideTable
from exoclassify.typing import Floats

if TYPE_CHECKING:
    import pandas as pd

__all__ = [
    "ADAT_BEGIN",
    "MIRGFF3_MARK",
    "SERIES_BEGIN",
    "SERIES_MARK",
    "joined",
    "read_adat",
    "read_htseq",
    "read_mirgff3",
    "read_rcc",
    "sheet_of_series",
]

ADAT_BEGIN = "^TABLE_BEGIN"
SERIES_BEGIN = "!series_matrix_table_begin"
"""The lines before the tables."""

SERIES_MARK = "!Sample_geo_accession"
MIRGFF3_MARK = "## coldata:"
"""Begin the lines that name the samples."""

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
        if cells[0].strip() == ADAT_BEGIN:
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


def sheet_of_series(rows: Iterable[tuple[int, list[str]]], source: str) -> pd.DataFrame:
    """Give what a series matrix says of its samples.

    Returns
    -------
    DataFrame
        sample_id (the accession), title, each characteristic (``disease state: pain``) under its own name, and the other
        lines about samples. Texts, None where nothing is said.
    """
    import pandas as pd

    columns: dict[str, list[str | None]] = {}
    n = 0
    for _, cells in rows:
        if cells[0] == SERIES_BEGIN:
            break
        if not cells[0].startswith("!Sample_"):
            continue
        if cells[0] == SERIES_MARK:
            columns["sample_id"], n = [text_or_none(cell) for cell in cells[1:]], len(cells) - 1
        elif cells[0].startswith("!Sample_characteristics"):
            _characteristics(columns, [cell.strip() for cell in cells[1:]])
        else:
            columns.setdefault(cells[0].removeprefix("!Sample_"), [text_or_none(cell) for cell in cells[1:]])
    if not n:
        raise InputError(f"{source}: is a GEO series matrix without a line of sample accessions")
    even = {name: (cells + [None] * n)[:n] for name, cells in columns.items()}
    first = {"sample_id": even.pop("sample_id")}
    return pd.DataFrame(first | even, dtype=object)


def _characteristics(columns: dict[str, list[str | None]], cells: list[str]) -> None:
    """Take over a line, which can hold different characteristics for different samples."""
    for i, cell in enumerate(cells):
        name, found, value = cell.partition(": ")
        if found:
            column = columns.setdefault(name, [None] * len(cells))
            column[i] = text_or_none(value)


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
        if line.lower().startswith(MIRGFF3_MARK):
            samples = re.split(r"[,\s]+", line[len(MIRGFF3_MARK) :].strip())
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


def read_rcc(text: str, source: str) -> WideTable:
    """Read one lane of an nCounter cartridge.

    Parameters
    ----------
    text : str
        The file: sections in angle brackets, as the nCounter data format has them.

    Returns
    -------
    WideTable
        One row: the endogenous codes; the sample's ID, or the file's name where the file has none.
    """
    lines = [line.strip() for line in text.splitlines()]
    attributes = dict(line.partition(",")[::2] for line in _section(lines, "Sample_Attributes"))
    codes = [line.split(",") for line in _section(lines, "Code_Summary")][1:]
    kept = [code for code in codes if len(code) >= 4 and code[0].lower().startswith("endogenous")]
    if not kept:
        raise InputError(f"{source}: is an .RCC file without endogenous codes")
    others = Counter(code[0] for code in codes if len(code) >= 4 and not code[0].lower().startswith("endogenous"))
    note = f"read as NanoString RCC: {len(kept)} endogenous codes"
    if others:
        note += "; " + " and ".join(f"{n} {name}" for name, n in others.items()) + " codes left out"
    sample = attributes.get("ID", "").strip() or plain_sample(source)
    try:
        values = np.array([[float(code[3]) for code in kept]])
    except ValueError as error:
        raise InputError(f"{source}: a count is no number ({error}); export the lane again") from error
    names = tuple(code[1].strip() for code in kept)
    return WideTable(source, (sample,), names, values, (), (note,), ("counts", "intensity"), True)


def _section(lines: Sequence[str], name: str) -> list[str]:
    if f"<{name}>" not in lines:
        return []
    begin = lines.index(f"<{name}>") + 1
    end = lines.index(f"</{name}>", begin) if f"</{name}>" in lines[begin:] else len(lines)
    return [line for line in lines[begin:end] if line]


def read_htseq(text: str, source: str) -> WideTable:
    """Read the counts of one library.

    Parameters
    ----------
    text : str
        Lines of a name and a number, the last with names such as ``__no_feature``.
    """
    names, values, n_others = [], [], 0
    for i, line in enumerate(text.splitlines()):
        name, _, count = line.rpartition("\t")
        if not line.strip():
            continue
        try:
            number = float(count)
        except ValueError as error:
            raise InputError(f"{source}: line {i + 1} is no name and a count ({line[:40]!r})") from error
        if name.startswith("__"):
            n_others += 1
        else:
            names.append(name.partition("\t")[0].strip())
            values.append(number)
    note = f"read as htseq-count: counts of {len(names)} molecules; {n_others} rows that are none left out"
    ids = (plain_sample(source),)
    return WideTable(source, ids, tuple(names), np.array([values]), (), (note,), ("counts",), True)


def joined(tables: Iterable[WideTable], source: str) -> WideTable:
    """Put tables of one sample each under each other."""
    parts = list(tables)
    if not parts:
        raise InputError(f"{source}: the folder holds no .RCC file and no counts of htseq-count; give the file in it")
    ids = [name for part in parts for name in part.row_ids]
    twice = [name for name, times in Counter(ids).items() if times > 1]
    if twice:
        raise InputError(f"{source}: {len(twice)} samples are in more than one file ({first_three(twice)})")
    place: dict[str, int] = {}
    for part in parts:
        for name in part.columns:
            place.setdefault(name, len(place))
    cells = np.full((len(ids), len(place)), np.nan)
    i = 0
    for part in parts:
        cells[i : i + len(part.row_ids), [place[name] for name in part.columns]] = part.cells
        i += len(part.row_ids)
    note = f"{parts[0].notes[0]} in each of {len(parts)} files"
    return WideTable(source, tuple(ids), tuple(place), cells, (), (note,), parts[0].units, True)
