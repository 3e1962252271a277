"""What is published on a molecule, ready to be sent."""

from __future__ import annotations

from functools import lru_cache

from exoclassify.data.names import canonical_name
from exoclassify.errors import InputError
from exoclassify.evidence.catalogue import VERSION, Catalogue
from exoclassify.evidence.condition import ConditionView
from exoclassify.evidence.links import RELATIONS, Link
from exoclassify.evidence.reanalysis import Effect, Reanalysis, told_in_tables
from service.exchange import Answer, Refusal, Request
from service.schemas import Claim, Evidence, TableEffect

__all__ = ["Published"]

_REMEMBERED = 4096
_NOTICE = (
    "Published claims, read where they say; most contrast a painful disease with controls, and absence of a claim says "
    "nothing of a molecule."
)


class Published:
    """The catalogue, with the claims on a molecule remembered: a panel asks for the same ones again and again."""

    def __init__(self, catalogue: Catalogue) -> None:
        self._catalogue, self._tables = catalogue, Reanalysis.read()
        self.claims = lru_cache(_REMEMBERED)(self._claims)

    def _claims(self, molecule: str) -> list[Claim]:
        return [_claim(link) for link in self._catalogue.of(molecule)]

    @property
    def catalogue(self) -> Catalogue:
        """All claims."""
        return self._catalogue

    def in_tables(self, molecule: str) -> str:
        """Say in a sentence what public tables found of a molecule; empty when none holds it."""
        return told_in_tables(self._tables.of(molecule))

    async def conditions(self, request: Request) -> Answer:
        """GET /v1/evidence: the conditions; with ?condition=, all that is known of one."""
        asked = request.query.get("condition")
        if asked is None:
            named = [
                {"condition": name, "claims": sum(row.condition == name for row in self._catalogue.rows)}
                for name in self._catalogue.conditions
            ]
            return Answer({"catalogue_version": VERSION, "conditions": named})
        try:
            view = ConditionView.of(self._catalogue, self._tables, asked)
        except InputError as error:
            raise Refusal(404, "no_condition", str(error), "query.condition") from error
        return Answer(view.as_dict())

    async def evidence(self, request: Request) -> Answer:
        """GET /v1/evidence/{molecule}."""
        molecule = request.path_params["molecule"].strip()
        if not molecule.isprintable() or not molecule:
            raise Refusal(404, "no_molecule", "a molecule's name has no blanks only and no control characters")
        name = canonical_name(molecule, "mirna")
        effects = [_effect(effect) for effect in self._tables.of(name)]
        return Answer(Evidence(name, self.claims(name), _NOTICE, effects, self.in_tables(name), VERSION))


def _claim(link: Link) -> Claim:
    row = link.evidence
    return Claim(
        row.molecule, RELATIONS[link.relation], row.direction, row.condition, row.contrast, row.pain_stratified,
        row.species, row.system, row.biofluid, row.n, row.study, row.reference, row.url, row.note,
    )  # fmt: skip


def _effect(effect: Effect) -> TableEffect:
    table = effect.table
    return TableEffect(
        effect.molecule, table.accession, table.condition, table.biofluid, table.n_state, table.n_reference,
        effect.direction, effect.log2_fold_change, effect.low, effect.high, effect.q, table.confounded_by, table.verdict,
    )  # fmt: skip
