"""Where claims agree, where they contradict each other, and how a finding of one's own stands to them."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Literal

from exoclassify.evidence.evidence import Evidence
from exoclassify.evidence.links import Link

__all__ = ["STANDINGS", "Count", "Standing", "counts", "in_short", "standing", "told_shortly", "torn_conditions"]

_OPPOSITE = {"up": "down", "down": "up"}

Word = Literal["known", "known-elsewhere", "contradicted", "reported", "new"]

STANDINGS: dict[Word, str] = {
    "known": "reported in this condition in this direction",
    "contradicted": "reported in this condition in the opposite direction",
    "known-elsewhere": "reported in another condition",
    "reported": "reported in this condition without a direction, without a change, or in both directions",
    "new": "not in the catalogue",
}
"""How a marker stands to what is published of people; animals and cells are told beside it, and never count as known."""


@dataclass(frozen=True)
class Count:
    """How often one direction was reported in one condition, by contrasts of one kind in one fluid.

    Parameters
    ----------
    condition : str
        Of the claims.
    direction : str
        As in `Evidence`.
    studies : int
        Independent studies, by PMID or DOI; 0 when all rows restate others or their study is not identified.
    rows : int
        Claims.
    against : str
        Kind of contrast, see `Evidence`.
    pain_stratified : bool
        Whether any of the contrasts is one of pain.
    biofluid : str
        What was sampled.
    """

    condition: str
    direction: str
    studies: int
    rows: int
    against: str
    pain_stratified: bool
    biofluid: str


@dataclass(frozen=True)
class Standing:
    """How a marker found in one's own data stands to the catalogue.

    Parameters
    ----------
    word : str
        A key of `STANDINGS`.
    sentence : str
        What is reported, in words; empty for a new marker of which nothing is known in animals either.
    references : tuple of str
        Where.
    """

    word: Word
    sentence: str
    references: tuple[str, ...]


def counts(rows: Iterable[Evidence]) -> tuple[Count, ...]:
    """Count independent studies by condition, direction, kind of contrast and fluid: only these replicate one another."""
    groups: dict[tuple[str, str, str, str], list[Evidence]] = {}
    for row in rows:
        groups.setdefault((row.condition, row.direction, row.against, row.biofluid), []).append(row)
    result = [
        Count(
            condition,
            direction,
            len({row.study_key for row in group if row.independent}),
            len(group),
            against,
            any(row.pain_stratified for row in group),
            biofluid,
        )
        for (condition, direction, against, biofluid), group in groups.items()
    ]
    return tuple(sorted(result, key=lambda count: (-count.studies, count.condition, count.direction)))


def in_short(rows: Sequence[Evidence]) -> str:
    """Say in one line what was reported, how often, and whether it agrees.

    Such as ``up in rheumatoid arthritis, plasma (1 study); down in psoriatic arthritis, plasma against another disease (1
    study): the direction differs between conditions``.
    """
    found = counts(rows)
    if not found:
        return "nothing"
    return "; ".join(_told(count) for count in found) + _agreement(found)


def _told(count: Count) -> str:
    against = {
        "disease": " against another disease",
        "within": " among patients",
        "unstimulated": " against unstimulated cells",
        "unstated": " (comparator not stated)",
    }.get(count.against, "")
    studies = {0: "study not identified or restated", 1: "1 study"}.get(count.studies, f"{count.studies} studies")
    word = {"associated": "associated, no direction,", "mixed": "both directions"}.get(count.direction, count.direction)
    fluid = "" if count.biofluid == "unstated" else f", {count.biofluid.replace('-', ' ')}"
    return f"{word} in {count.condition}{fluid}{against} ({studies})"


def _agreement(found: Sequence[Count]) -> str:
    directed = [count for count in found if count.direction in _OPPOSITE]
    torn = torn_conditions(directed)
    if torn:
        return f": contradicted within {', '.join(torn)}"
    ways = {(count.condition, count.direction) for count in directed}
    split = sorted({name for name, way in ways if (name, _OPPOSITE[way]) in ways})
    if split:
        return f": the direction differs by contrast or fluid within {', '.join(split)}"
    if len({way for _, way in ways}) == 2:
        return ": the direction differs between conditions"
    replicated = [count for count in directed if count.studies > 1]
    return f": replicated in {', '.join(count.condition for count in replicated)}" if replicated else ""


def torn_conditions(found: Iterable[Count]) -> list[str]:
    """Name the conditions in which contrasts of one kind, in one fluid, point both ways."""
    ways = {(count.condition, count.against, count.biofluid, count.direction) for count in found}
    return sorted({name for name, against, fluid, way in ways if (name, against, fluid, _OPPOSITE.get(way)) in ways})


def standing(links: Sequence[Link], direction: str, conditions: Sequence[str]) -> Standing:
    """Compare a marker with the catalogue.

    Parameters
    ----------
    conditions : sequence of str
        The catalogue's names of the condition studied; empty when it is not in the catalogue.

    Notes
    -----
    Only claims on the cargo of people, on the same molecule or with the arm not stated, decide the word; counts of vesicles do
    not. Contrasts against controls come
    before those against another disease or among patients, for they ask another question.
    """
    people = _of_people(links)
    here = [row for row in people if row.condition in conditions]
    plain = [row for row in here if row.against == "controls"] or here
    directions = {row.direction for row in plain}
    if direction in directions and _OPPOSITE[direction] not in directions:
        word: Word = "known"
    elif _OPPOSITE[direction] in directions and direction not in directions:
        word = "contradicted"
    elif here:
        word = "reported"
    else:
        word = "known-elsewhere" if people else "new"
    return Standing(word, *told_shortly(links))


def told_shortly(links: Sequence[Link]) -> tuple[str, tuple[str, ...]]:
    """Say what is published of a molecule: of people first, then of other arms, animals and cells."""
    people = _of_people(links)
    others = [at.evidence for at in links if at.evidence not in people]
    parts = [in_short(people)] if people else []
    parts += [f"{what}: {in_short(rows)}" for what, rows in _apart(others) if rows]
    references = dict.fromkeys(row.reference for row in [*people, *others])
    return " | ".join(parts), tuple(references)


def _of_people(links: Sequence[Link]) -> list[Evidence]:
    return [
        at.evidence
        for at in links
        if at.evidence.system == "patients"
        and at.evidence.measured == "cargo"
        and at.relation in ("same", "arm-not-stated")
    ]


def _apart(rows: Sequence[Evidence]) -> tuple[tuple[str, list[Evidence]], ...]:
    return (
        ("another arm or family", [row for row in rows if row.system == "patients" and row.measured == "cargo"]),
        (
            "amounts of vesicles that carry it",
            [row for row in rows if row.system == "patients" and row.measured != "cargo"],
        ),
        ("animals or cells", [row for row in rows if row.system != "patients"]),
    )
