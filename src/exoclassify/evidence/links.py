"""Which claims speak of a molecule: the same, another arm of its hairpin, another species; linked, and never merged."""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import lru_cache
from typing import Literal

from exoclassify.data.names import canonical_name
from exoclassify.evidence.evidence import Evidence

__all__ = ["RELATIONS", "Link", "link"]

Relation = Literal["same", "arm-not-stated", "one-arm", "other-arm", "family", "other-species"]

RELATIONS: dict[Relation, str] = {
    "same": "the same molecule",
    "arm-not-stated": "the source does not say which arm of the hairpin",
    "one-arm": "one arm of the hairpin asked for",
    "other-arm": "another arm of the hairpin",
    "family": "the source does not say which member of the family",
    "other-species": "its counterpart in another species",
}
"""How a claim's molecule relates to the one asked for, nearest first."""

_MIRNA = re.compile(r"(?:([a-z]{3,4})-)?(mir|let)-(\d+)([a-z]*)(-\d+)?(?:-([35])p|\*)?", re.IGNORECASE)

# miRBase names one ortholog with a letter: mmu-miR-21a-5p has the sequence of hsa-miR-21-5p.
_ORTHOLOGS = {("mmu", "mir", "21", "a"): ("21", "")}


@dataclass(frozen=True)
class Link:
    """A claim, and how its molecule relates to the one asked for.

    Parameters
    ----------
    evidence : Evidence
        The claim.
    relation : str
        A key of `RELATIONS`.
    """

    evidence: Evidence
    relation: Relation


@dataclass(frozen=True)
class _Parts:
    species: str
    family: str
    number: str
    letters: str
    copy: str
    arm: str

    @classmethod
    def of(cls, name: str) -> _Parts | None:
        found = _MIRNA.fullmatch(name)
        if found is None:
            return None
        species, family, number, letters, copy, arm = (part or "" for part in found.groups())
        species, family, letters = (species or "hsa").lower(), family.lower(), letters.lower()
        number, letters = _ORTHOLOGS.get((species, family, number, letters), (number, letters))
        return cls(species, family, number, letters, copy, arm)


@lru_cache(maxsize=8192)
def _parsed(name: str) -> _Parts | None:
    return _Parts.of(canonical_name(name, "mirna"))


def link(molecule: str, evidence: Evidence) -> Link | None:
    """Relate one claim to a molecule.

    Parameters
    ----------
    molecule : str
        A name as tables have it: miRNA in any spelling (no species = human), gene symbol, UniProt accession, or the name
        that a source printed.
    """
    if evidence.scope == "set":
        return None
    if evidence.kind == "mirna":
        asked, there = _parsed(molecule), _parsed(evidence.molecule)
        relation = None if asked is None or there is None else _relation(asked, there, evidence.scope)
        return None if relation is None else Link(evidence, relation)
    names = {evidence.molecule.casefold(), evidence.written.casefold(), evidence.accession.casefold()} - {""}
    if molecule.strip().casefold() not in names and molecule.split("-")[0].casefold() not in names:
        return None
    return Link(evidence, "same" if evidence.species == "human" else "other-species")


def _relation(asked: _Parts, there: _Parts, scope: str) -> Relation | None:
    if (asked.family, asked.number) != (there.family, there.number):
        return None
    if asked.letters != there.letters:
        return "family" if scope == "family" and asked.species == there.species else None
    if asked.arm and there.arm and (asked.arm, asked.copy) != (there.arm, there.copy):
        return "other-arm"
    if asked.species != there.species:
        return "other-species"
    if asked.arm == there.arm:
        return "same"
    return "one-arm" if there.arm else "arm-not-stated"
