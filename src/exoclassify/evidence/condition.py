"""All that is known of one condition: claims, replication, contradictions explained, public tables, and what is missing."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

from exoclassify.evidence.agreement import Count, counts
from exoclassify.evidence.catalogue import VERSION, Catalogue
from exoclassify.evidence.evidence import CONTESTED, Evidence
from exoclassify.evidence.pooling import Pooled, pooled
from exoclassify.evidence.reanalysis import Effect, PublicTable, Reanalysis
from exoclassify.evidence.support import Support, support, support_in_words

__all__ = ["ConditionView"]

_OPPOSITE = {"up": "down", "down": "up"}
_MOST = 20
"""Molecules of a forest plot."""


@dataclass(frozen=True)
class ConditionView:
    """One condition, or several that share a name.

    Parameters
    ----------
    conditions : tuple of str
        The catalogue's names.
    people, others : tuple of Evidence
        Claims on people; on animals and cells, which are never counted with them.
    tables : tuple of PublicTable
        Public tables of the condition.
    effects : tuple of Effect
        Of the molecules that are claimed of people, and then of the clearest others, in these tables.
    supported : tuple of Support
        Claims beside the tables.
    """

    conditions: tuple[str, ...]
    people: tuple[Evidence, ...]
    others: tuple[Evidence, ...]
    tables: tuple[PublicTable, ...]
    effects: tuple[Effect, ...]
    supported: tuple[Support, ...]

    @classmethod
    def of(cls, catalogue: Catalogue, reanalysis: Reanalysis, text: str) -> ConditionView:
        """Gather what is known of a condition.

        Parameters
        ----------
        text : str
            As `Catalogue.condition` takes it; a condition that only the tables know is found too.
        """
        only = sorted({table.condition for table in reanalysis.tables} - set(catalogue.conditions))
        wanted = text.strip().casefold()
        extra = tuple(name for name in only if len(wanted) > 2 and wanted in name.casefold())
        names = extra or catalogue.condition(text)
        rows = [row for row in catalogue.rows if row.condition in names]
        people = tuple(row for row in rows if row.system == "patients")
        tables = reanalysis.within(names)
        return cls(
            names,
            people,
            tuple(row for row in rows if row.system != "patients"),
            tables,
            _shown(people, tables, reanalysis),
            support(people, reanalysis),
        )

    @property
    def contested(self) -> tuple[str, ...]:
        """What is disputed about the mechanism they are filed under."""
        return tuple(f"{name}: {CONTESTED[name]}." for name in self.conditions if name in CONTESTED)

    @property
    def replicated(self) -> tuple[tuple[str, Count], ...]:
        """Molecules that two independent studies of people report in one direction, by one kind of contrast in one fluid."""
        return tuple(
            (name, count)
            for name, rows in _by_molecule(self.people)
            for count in counts(rows)
            if count.studies > 1 and count.direction in _OPPOSITE
        )

    @property
    def contradictions(self) -> tuple[str, ...]:
        """Molecules with both directions in people, and by what the contrasts differ."""
        return tuple(
            f"{name}: {_explained(rows)}"
            for name, rows in _by_molecule(self.people)
            if {"up", "down"} <= {row.direction for row in rows}
        )

    @property
    def pooled(self) -> tuple[tuple[str, Pooled], ...]:
        """Meta-analysis of each molecule shown that two tables of people or more hold; no entry where there are not two."""
        found = []
        for name in dict.fromkeys(effect.molecule for effect in self.effects):
            some = [effect for effect in self.effects if effect.molecule == name and effect.table.of_people]
            value = pooled([effect.log2_fold_change for effect in some], [effect.error for effect in some])
            if value is not None:
                found.append((name, value))
        return tuple(found)

    @property
    def support_in_words(self) -> str:
        """How many of the claims hold in data."""
        return support_in_words(self.people, self.supported)

    @property
    def missing(self) -> tuple[str, ...]:
        """What would have to be done before more could be said."""
        lacks = []
        if self.people and not self.replicated:
            lacks.append("a second independent study of any claim by the same kind of contrast in the same fluid")
        if self.people and not any(row.pain_stratified for row in self.people):
            lacks.append("a contrast of pain itself: all are of patients against others")
        if not self.tables:
            lacks.append("a public table of counts: the claims cannot be tried on data")
        elif not self.pooled:
            lacks.append("a second public table of people, for a meta-analysis")
        silent = sum(row.direction in ("associated", "mixed") for row in self.people)
        if silent:
            lacks.append(f"the direction of {silent} of {len(self.people)} claims on people")
        unsized = sum(row.n is None for row in self.people)
        if unsized:
            lacks.append(f"the number of people behind {unsized} of {len(self.people)} claims")
        return tuple(lacks)

    def studies(self) -> int:
        """Count the independent studies of people."""
        return len({row.study_key for row in self.people if row.independent})

    def in_words(self) -> tuple[str, ...]:
        """Say the whole in a few sentences."""
        replicated = ", ".join(f"{name} {count.direction} ({count.studies} studies)" for name, count in self.replicated)
        lines = [
            f"{_of(len(self.people), 'claim')} on people from {_of(self.studies(), 'independent study', 'independent studies')}, "
            f"{len(self.others)} on animals and cells, {_of(len(self.tables), 'public table')} reanalysed.",
            f"Replicated in people: {replicated or 'nothing'}.",
            self.support_in_words if self.people else "Nothing is claimed of people.",
        ]
        return (*lines, *self.contested)

    def as_dict(self) -> dict[str, Any]:
        """Give it as plain values, for JSON."""
        return {
            "catalogue_version": VERSION,
            "conditions": list(self.conditions),
            "summary": list(self.in_words()),
            "people": [row.model_dump() for row in self.people],
            "animals_and_cells": [row.model_dump() for row in self.others],
            "replicated": [{"molecule": name, **asdict(count)} for name, count in self.replicated],
            "contradictions": list(self.contradictions),
            "tables": [asdict(table) for table in self.tables],
            "effects": [_plain(effect) for effect in self.effects],
            "support": [
                {
                    "molecule": one.claim.molecule,
                    "claimed": one.claim.direction,
                    "study": one.claim.study,
                    "agrees": one.agrees,
                    "same_fluid": one.same_fluid,
                    **_plain(one.effect),
                }
                for one in self.supported
            ],
            "meta_analysis": [{"molecule": name, **asdict(value)} for name, value in self.pooled],
            "missing": list(self.missing),
        }


def _plain(effect: Effect) -> dict[str, Any]:
    values = {name: value for name, value in vars(effect).items() if name != "table"}
    return {"accession": effect.table.accession, **values}


def _of(n: int, one: str, many: str = "") -> str:
    return f"{n} {one if n == 1 else many or one + 's'}"


def _by_molecule(rows: Sequence[Evidence]) -> list[tuple[str, list[Evidence]]]:
    named = [row for row in rows if row.scope != "set" and row.measured == "cargo"]
    return [
        (name, [row for row in named if row.molecule == name]) for name in dict.fromkeys(row.molecule for row in named)
    ]


def _explained(rows: Sequence[Evidence]) -> str:
    """Tell two directions by what their contrasts differ in."""
    up, down = ([row for row in rows if row.direction == way] for way in ("up", "down"))
    differ = [
        what
        for what, column in (("contrast", "against"), ("fluid", "biofluid"), ("sex", "sex"), ("condition", "condition"))
        if not {getattr(row, column) for row in up} & {getattr(row, column) for row in down}
    ]
    told = "; ".join(
        f"{row.direction}: {row.contrast}, {row.biofluid.replace('-', ' ')} ({row.study})" for row in (*up, *down)
    )
    if differ:
        return f"the two directions differ in {' and '.join(differ)} ({told})"
    same = {row.contrast for row in up} & {row.contrast for row in down}
    stage = "one contrast and fluid" if same else "the same kind of contrast in one fluid, at another stage or subgroup"
    return f"both directions by {stage} ({told})"


def _shown(people: Sequence[Evidence], tables: Sequence[PublicTable], reanalysis: Reanalysis) -> tuple[Effect, ...]:
    """Effects of the molecules claimed, then of the clearest in the tables, to fill the forest plot."""
    accessions = {table.accession for table in tables}
    claimed = list(dict.fromkeys(row.molecule for row in people if row.kind == "mirna" and row.scope != "set"))
    found = [effect for name in claimed for effect in reanalysis.of(name) if effect.table.accession in accessions]
    names = list(dict.fromkeys(effect.molecule for effect in found))[:_MOST]
    if len(names) < _MOST:
        clear = sorted(
            (effect for effect in reanalysis.effects if effect.table.accession in accessions and effect.q <= 0.1),
            key=lambda effect: effect.p,
        )
        names = list(dict.fromkeys([*names, *(effect.molecule for effect in clear)]))[:_MOST]
    return tuple(effect for name in names for effect in reanalysis.of(name) if effect.table.accession in accessions)
