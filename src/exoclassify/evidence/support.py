"""How many published claims hold in public tables of the same condition."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from exoclassify.evidence.evidence import Evidence
from exoclassify.evidence.reanalysis import Effect, Reanalysis

__all__ = ["Support", "support", "support_in_words", "that_can_be_tested"]


@dataclass(frozen=True)
class Support:
    """One claim beside the effect that a public table gives.

    Parameters
    ----------
    claim : Evidence
        Up or down, of the cargo of people.
    effect : Effect
        Of the same molecule in a table of the same condition: in the same fluid if there is one, else in the largest table.
    """

    claim: Evidence
    effect: Effect

    @property
    def agrees(self) -> bool:
        """Whether the directions are the same."""
        return self.claim.direction == self.effect.direction

    @property
    def same_fluid(self) -> bool:
        """Whether claim and table are of the same fluid."""
        return self.claim.biofluid == self.effect.table.biofluid


def that_can_be_tested(claims: Iterable[Evidence]) -> tuple[Evidence, ...]:
    """Keep the claims that a table of mature miRNA can speak for or against.

    Up or down, of one mature miRNA, in the cargo of people; a hairpin whose arm is not stated cannot be tested.
    """
    return tuple(
        row
        for row in claims
        if row.system == "patients"
        and row.kind == "mirna"
        and row.scope == "molecule"
        and row.measured == "cargo"
        and row.direction in ("up", "down")
    )


def support(claims: Iterable[Evidence], reanalysis: Reanalysis) -> tuple[Support, ...]:
    """Put the claims that can be tested beside the tables of the same condition."""
    found = []
    for claim in that_can_be_tested(claims):
        effects = [
            effect
            for effect in reanalysis.of(claim.molecule)
            if effect.table.condition == claim.condition and effect.table.of_people
        ]
        if effects:
            nearest = max(
                effects,
                key=lambda effect: (
                    effect.table.biofluid == claim.biofluid,
                    effect.table.n_state + effect.table.n_reference,
                ),
            )
            found.append(Support(claim, nearest))
    return tuple(found)


def support_in_words(claims: Sequence[Evidence], found: Sequence[Support]) -> str:
    """Say how many claims have data behind them, and how many of these agree."""
    n = len(that_can_be_tested(claims))
    if not n:
        return (
            "No claim names one mature miRNA with a direction in people, so none can be compared with a public table."
        )
    if not found:
        return (
            f"None of the {n} claims that could be tested (one mature miRNA, up or down, in people) has a public table of the "
            "same condition behind it."
        )
    agree = sum(one.agrees for one in found)
    clear = [one for one in found if one.effect.q <= 0.1]
    same = [one for one in found if one.same_fluid]
    return (
        f"Of {n} claims that can be tested (one mature miRNA, up or down, in people), {len(found)} have a public table of the "
        f"same condition behind them and {agree} of these agree in direction, where chance gives half; {len(same)} have one of "
        f"the same fluid ({sum(one.agrees for one in same)} agree), and in {len(clear)} the table's effect is clear at q ≤ 0.1 "
        f"({sum(one.agrees for one in clear)} agree)."
    )
