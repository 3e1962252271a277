"""What is published on a molecule, ready to be sent."""

from __future__ import annotations

from functools import lru_cache

from exoclassify.data.names import canonical_name
from exoclassify.evidence.catalogue import Catalogue
from exoclassify.evidence.links import RELATIONS, Link
from service.exchange import Answer, Refusal, Request, encoded
from service.schemas import Claim, Evidence

__all__ = ["Published"]

_REMEMBERED = 4096
_NOTICE = (
    "Published claims, read where they say; most contrast a painful disease with controls, and absence of a claim says "
    "nothing of a molecule."
)


class Published:
    """The catalogue, with the claims on a molecule remembered: a panel asks for the same ones again and again.

    Parameters
    ----------
    catalogue : Catalogue
        All claims.
    """

    def __init__(self, catalogue: Catalogue) -> None:
        self._catalogue = catalogue
        self.claims = lru_cache(_REMEMBERED)(self._claims)

    def _claims(self, molecule: str) -> list[Claim]:
        return [_claim(link) for link in self._catalogue.of(molecule)]

    async def evidence(self, request: Request) -> Answer:
        """GET /v1/evidence/{molecule}."""
        molecule = request.path["molecule"].strip()
        if not molecule.isprintable() or not molecule:
            raise Refusal(
                404, "no_molecule", "a molecule's name has no blanks only and no control characters"
            )
        name = canonical_name(molecule, "mirna")
        return Answer(encoded(Evidence(name, self.claims(name), _NOTICE)))


def _claim(link: Link) -> Claim:
    row = link.evidence
    return Claim(
        row.molecule, RELATIONS[link.relation], row.direction, row.condition, row.contrast, row.pain_stratified,
        row.species, row.system, row.biofluid, row.n, row.study, row.reference, row.url, row.note,
    )  # fmt: skip
