"""Files of one sample each: NanoString .RCC, and the counts that htseq-count writes for one library."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence

import numpy as np

from exoclassify.errors import InputError, first_three
from exoclassify.tables.field.molecules_in_rows import plain_sample
from exoclassify.tables.wide import WideTable

__all__ = ["joined", "read_htseq", "read_rcc"]


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
