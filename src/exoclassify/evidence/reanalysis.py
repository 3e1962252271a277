"""What public count tables say of each molecule: effects of one state against another, recomputed in one way."""

from __future__ import annotations

import csv
import gzip
import io
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, fields
from functools import cache, cached_property
from importlib.resources import files

from exoclassify.data.names import canonical_name
from exoclassify.errors import InputError

__all__ = ["Effect", "PublicTable", "Reanalysis", "told_in_tables"]

_TABLES, _EFFECTS = "reanalysis_tables.csv", "reanalysis.csv.gz"

_SHOWN = 3  # values of q in a sentence


@dataclass(frozen=True)
class PublicTable:
    """One contrast of one public count table.

    Parameters
    ----------
    accession : str
        Of the sequencing project, with the batch behind it where the contrast is of one batch.
    part_of : str
        Accession of the contrast that holds these samples too; empty for a contrast that counts as a table of its own.
    condition, biofluid : str
        In the words of the catalogue.
    state, reference : str
        Labels compared.
    n_state, n_reference : int
        Samples (sequenced libraries), which may be fewer people.
    adjusted_for : str
        Columns of the design beside the state.
    confounded_by : str
        Technical measures that tell the states apart at an AUC of 0.7 or more: depth, detection, haemolysis; empty where none.
    verdict : str
        The audit's, on that table.
    molecules : int
        Tested.
    address : str
        Where the study is described.
    note : str
        What else a reader should know, such as runs that are not persons.
    method, version : str
        How the effects were made, and by which version of the script.
    """

    accession: str
    part_of: str
    condition: str
    biofluid: str
    state: str
    reference: str
    n_state: int
    n_reference: int
    adjusted_for: str
    confounded_by: str
    verdict: str
    molecules: int
    address: str
    note: str
    method: str
    version: str

    @property
    def of_people(self) -> bool:
        """Whether the vesicles come from people, and not from cells in culture."""
        return self.biofluid != "culture-medium"


@dataclass(frozen=True)
class Effect:
    """The effect of one molecule in one table.

    Parameters
    ----------
    table : PublicTable
        Where.
    molecule : str
        Canonical.
    log2_fold_change, low, high : float
        State against reference, and its 95 % interval.
    p, q : float
        Moderated t; q within the table (Benjamini-Hochberg).
    found_in_state, found_in_reference : float
        Share of the samples in which it was found.
    """

    table: PublicTable
    molecule: str
    log2_fold_change: float
    low: float
    high: float
    p: float
    q: float
    found_in_state: float
    found_in_reference: float

    @property
    def direction(self) -> str:
        """Up or down; where the effect is 0, unchanged."""
        value = self.log2_fold_change
        return "up" if value > 0 else "down" if value < 0 else "unchanged"

    @property
    def error(self) -> float:
        """Standard error, from the interval."""
        return (self.high - self.low) / (2 * 1.959964)


@dataclass(frozen=True)
class Reanalysis:
    """The effects of all molecules in all public tables; summary statistics, never counts.

    Parameters
    ----------
    tables : tuple of PublicTable
        The contrasts.
    effects : tuple of Effect
        Of each table in turn.
    """

    tables: tuple[PublicTable, ...]
    effects: tuple[Effect, ...]

    @classmethod
    def read(cls) -> Reanalysis:
        """Read the effects that come with the project; kept, for they never change."""
        return _read()

    @cached_property
    def _by_molecule(self) -> dict[str, list[Effect]]:
        index: dict[str, list[Effect]] = {}
        for effect in self.effects:
            index.setdefault(effect.molecule, []).append(effect)
        return index

    def of(self, molecule: str) -> tuple[Effect, ...]:
        """Give the effects on a molecule, in every table that counts as one of its own.

        Empty for what was not measured, and for every species but human.

        Parameters
        ----------
        molecule : str
            A mature miRNA in any spelling (no species = human); for a hairpin, the effects of its arms.
        """
        name = canonical_name(molecule, "mirna").replace("-mir-", "-miR-")
        name = name if "-miR-" in name or "-let-" in name else f"hsa-{name}"
        index = self._by_molecule
        found = [*index.get(name, ())]
        if not name.endswith(("-5p", "-3p")):
            found += [*index.get(f"{name}-5p", ()), *index.get(f"{name}-3p", ())]
        return tuple(effect for effect in found if not effect.table.part_of)

    def within(self, conditions: Sequence[str]) -> tuple[PublicTable, ...]:
        """Give the tables on some conditions, parts of others left out."""
        return tuple(table for table in self.tables if table.condition in conditions and not table.part_of)

    def without(self, accessions: Iterable[str]) -> Reanalysis:
        """Leave tables out, such as the cohort's own, with everything that is a part of them or that they are a part of."""
        named = set(accessions)
        known = {name for table in self.tables for name in (table.accession, table.part_of) if name}
        unknown = sorted(named - known)
        if unknown:
            raise InputError(f"the reanalysis has no table {', '.join(unknown)}; it has {', '.join(sorted(known))}")
        own = {table.accession for table in self.tables if named & {table.accession, table.part_of} - {""}} | {
            table.part_of for table in self.tables if table.accession in named
        }
        return Reanalysis(
            tuple(table for table in self.tables if table.accession not in own),
            tuple(effect for effect in self.effects if effect.table.accession not in own),
        )


def told_in_tables(effects: Sequence[Effect]) -> str:
    """Say what public tables found of one molecule.

    Such as ``in 3 public tables: up in 2 (q .03, .2), down in 1 (q .6); 1 of them is confounded by depth``; empty for none.
    """
    if not effects:
        return ""
    arms = dict.fromkeys(effect.molecule for effect in effects)
    told = [_told([effect for effect in effects if effect.molecule == arm]) for arm in arms]
    if len(told) == 1:
        return told[0]
    return "; ".join(f"{arm} {sentence}" for arm, sentence in zip(arms, told, strict=True))


def _told(effects: Sequence[Effect]) -> str:
    """Say what the tables found of one mature molecule, the clearest q first."""
    ways = []
    for way in ("up", "down", "unchanged"):
        q = sorted(effect.q for effect in effects if effect.direction == way)
        if q:
            more = ", …" if len(q) > _SHOWN else ""
            ways.append(f"{way} in {len(q)} (q {', '.join(_short(value) for value in q[:_SHOWN])}{more})")
    torn = [effect.table.confounded_by for effect in effects if effect.table.confounded_by]
    why = sorted({word.strip() for text in torn for word in text.split(",")})
    n = "1 public table" if len(effects) == 1 else f"{len(effects)} public tables"
    some = "it is" if len(effects) == 1 else f"{len(torn)} of them {'is' if len(torn) == 1 else 'are'}"
    beware = f"; {some} confounded by {' or '.join(why)}" if torn else ""
    return f"in {n}: {', '.join(ways)}{beware}"


def _short(q: float) -> str:
    return "<.001" if q < 0.001 else f"{q:.2g}".removeprefix("0")


@cache
def _read() -> Reanalysis:
    folder = files("exoclassify.evidence")
    kinds = {field.name: field.type for field in fields(PublicTable)}
    tables = {}
    for row in csv.DictReader(io.StringIO(folder.joinpath(_TABLES).read_text(encoding="utf-8"))):
        values = {name: int(value) if kinds[name] == "int" else value for name, value in row.items()}
        tables[row["accession"]] = PublicTable(**values)  # type: ignore[arg-type]  # columns are the fields, tested
    text = gzip.decompress(folder.joinpath(_EFFECTS).read_bytes()).decode()
    effects = []
    for cells in csv.reader(text.splitlines()[1:]):
        effects.append(Effect(tables[cells[0]], cells[1], *map(float, cells[2:])))
    return Reanalysis(tuple(tables.values()), tuple(effects))
