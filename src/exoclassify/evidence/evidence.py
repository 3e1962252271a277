"""One published claim on one molecule."""

from __future__ import annotations

import re
from functools import cache
from importlib.resources import files
from typing import Annotated, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, field_validator, model_validator

from exoclassify.data.names import canonical_name

__all__ = ["COLUMNS", "CONTESTED", "MECHANISMS", "SITES", "Evidence"]

Mechanism = Literal["nociceptive", "inflammatory", "neuropathic", "nociplastic", "mixed", "none", "unclassified"]
Site = Literal["visceral", "headache", "musculoskeletal", "cancer", "post-trauma", "widespread", "other", "unspecified"]

MECHANISMS: tuple[str, ...] = (
    "nociceptive", "inflammatory", "neuropathic", "nociplastic", "mixed", "none", "unclassified",
)  # fmt: skip
"""The mechanism axis. Nociplastic follows https://painmanagement.medicinetoday.com.au (2021), which names irritable bowel
syndrome and complex regional pain syndrome among its candidates; that is contested, and unclassified where nothing was read."""

SITES: tuple[str, ...] = (
    "visceral", "headache", "musculoskeletal", "cancer", "post-trauma", "widespread", "other", "unspecified",
)  # fmt: skip
"""The axis of site or cause, apart from the mechanism."""

CONTESTED: dict[str, str] = {
    "complex regional pain syndrome": "filed under nociplastic, after a source that names it among the candidates; that place "
    "is contested, and with a nerve lesion its pain is neuropathic by definition",
    "irritable bowel syndrome": "filed under nociplastic, after a source that names it among the candidates; that place is "
    "contested",
}
"""Conditions whose mechanism is disputed, with what to say wherever they are shown."""

_HAIRPIN = re.compile(r"[a-z]{3,4}-(mir|let)-\d+[a-z]*(-\d+)?")
_MATURE = re.compile(r"[a-z]{3,4}-(miR|let)-\d+[a-z]*(-\d+)?-[35]p")
_PREFIX = {"human": "hsa", "mouse": "mmu", "rat": "rno"}


class Evidence(BaseModel):
    """One published claim on one molecule, or on a set of them, as a row of the catalogue.

    Parameters
    ----------
    molecule : str
        Canonical: a mature miRNA (``hsa-let-7b-5p``; ``hsa-miR-6089`` where the hairpin has but one), a hairpin
        (``hsa-mir-223``) where the source names no arm, a gene
        symbol for protein; blank for a set whose names were not read.
    written : str
        As the source prints it.
    accession : str
        For protein, the UniProt accession of the human gene product.
    kind : str
        mirna, mrna, lncrna, protein, lipid or other.
    scope : str
        molecule, hairpin (arm not stated), family (letter not stated) or set (names not read).
    direction : str
        up, down, unchanged (a null finding), mixed (a set with both) or associated (no direction stated).
    measured : str
        cargo (in or on the vesicles), vesicle-count (number or share of vesicles that carry it) or amount (total content per
        volume): only the first speaks of composition.
    mechanism, site : str
        The two axes of pain, one of `MECHANISMS` and of `SITES`.
    condition : str
        Disease of the people, or model of the animals.
    icd11 : str
        Code of the chronic pain of that condition (MG30…) where it was verified; blank for models and elsewhere.
    species, sex, system : str
        human, mouse, rat or unstated; female, male or blank (both or not stated); patients, animal or culture.
    biofluid, vesicles : str
        What was sampled (unstated where the text read does not say), and how the source calls its vesicles.
    contrast, against : str
        What was compared, in words, and its kind: controls, disease (another one), within (patients among themselves, in
        time or by severity), unstimulated (cells), none, or unstated (the text read names no comparator).
    n : int or None
        Subjects in the comparison; None = not read.
    pain_stratified : bool
        The contrast is one of pain, or of a pain model, and not of a painful disease against controls; never so without a
        contrast.
    method, study : str
        How it was measured, and who did.
    independent : bool
        False when it restates another row's study, or when its study is not identified and may be another row's.
    pmid, doi, url : str
        Where it was read; at least one.
    read_in : str
        primary (the study's own page: abstract, table or opening), review or quotation.
    note : str
        Anything else that changes how it is to be read.
    origin : str
        The file that holds the row; no column of it.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", str_strip_whitespace=True)

    molecule: str
    written: str = Field(min_length=1)
    accession: str
    kind: Literal["mirna", "mrna", "lncrna", "protein", "lipid", "other"]
    scope: Literal["molecule", "hairpin", "family", "set"]
    direction: Literal["up", "down", "unchanged", "mixed", "associated"]
    measured: Literal["cargo", "vesicle-count", "amount"] = "cargo"
    mechanism: Mechanism
    site: Site
    condition: str = Field(min_length=1)
    icd11: Annotated[str, Field(pattern=r"^(MG30(\.[0-9YZ][0-9]?)?)?$")]
    species: Literal["human", "mouse", "rat", "other", "unstated"]
    sex: Literal["female", "male", ""]
    system: Literal["patients", "animal", "culture"]
    biofluid: Literal[
        "serum", "plasma", "blood", "csf", "urine", "post-massage-urine", "saliva", "synovial-fluid",
        "uterine-fluid", "peritoneal-fluid", "prostatic-fluid", "tissue", "culture-medium", "unstated",
    ]  # fmt: skip
    vesicles: str
    contrast: str = Field(min_length=1)
    against: Literal["controls", "disease", "within", "unstimulated", "none", "unstated"]
    n: Annotated[int, Field(ge=1)] | None
    pain_stratified: bool
    method: str
    study: str = Field(min_length=1)
    independent: bool
    pmid: Annotated[str, Field(pattern=r"^\d{0,8}$")]
    doi: Annotated[str, Field(pattern=r"^(10\.\d{4,9}/\S+)?$")]
    url: Annotated[str, Field(pattern=r"^(https?://\S+)?$")]
    read_in: Literal["primary", "review", "quotation"]
    note: str
    origin: str = ""

    @field_validator("n", mode="before")
    @classmethod
    def _blank_is_unknown(cls, value: object) -> object:
        return None if value == "" else value

    @field_validator("accession")
    @classmethod
    def _is_uniprot(cls, value: str) -> str:
        if value and not re.fullmatch(r"[A-Z][0-9][A-Z0-9]{3}[0-9]([A-Z][A-Z0-9]{2}[0-9])?", value):
            raise ValueError("expected a UniProt accession such as P08962, or nothing")
        return value

    @model_validator(mode="after")
    def _names_fit(self) -> Self:
        if (self.scope == "set") != (self.molecule == ""):
            raise ValueError("column molecule: expected a name, or nothing when scope is set")
        if self.kind == "mirna" and self.scope != "set":
            wanted, example = (_MATURE, "hsa-miR-21-5p") if self.scope == "molecule" else (_HAIRPIN, "hsa-mir-21")
            one_arm = self.scope == "molecule" and self.molecule in _one_arm()
            if not (one_arm or wanted.fullmatch(self.molecule)):
                raise ValueError(
                    f"column molecule: found {self.molecule!r}, expected a name such as {example} for scope {self.scope}"
                )
            prefix = _PREFIX.get(self.species)
            if prefix and not self.molecule.startswith(f"{prefix}-"):
                raise ValueError(f"column molecule: found {self.molecule!r}, expected {prefix}-… for {self.species}")
            if self.scope == "molecule" and canonical_name(self.molecule, "mirna") != self.molecule:
                raise ValueError(f"column molecule: expected the spelling {canonical_name(self.molecule, 'mirna')!r}")
        return self

    @model_validator(mode="after")
    def _pain_needs_a_contrast(self) -> Self:
        if self.pain_stratified and (self.against == "none" or (self.system, self.against) == ("patients", "controls")):
            raise ValueError(
                f"column pain_stratified: found yes with a contrast against {self.against} in {self.system}; expected no: "
                "a disease against controls is no contrast of pain"
            )
        return self

    @model_validator(mode="after")
    def _has_an_address(self) -> Self:
        if not (self.pmid or self.doi or self.url):
            raise ValueError("column url: found nothing, expected a pmid, doi or url where it was read")
        if self.system == "patients" and self.species != "human":
            raise ValueError(f"column system: found patients, expected animal or culture for {self.species}")
        return self

    @property
    def study_key(self) -> str:
        """What studies are counted by: PMID, else DOI, else the study's name."""
        return self.pmid or self.doi.casefold() or self.study

    @property
    def reference(self) -> str:
        """The shortest address: PMID, else DOI, else URL."""
        return f"PMID {self.pmid}" if self.pmid else f"doi {self.doi}" if self.doi else self.url


@cache
def _one_arm() -> frozenset[str]:
    """Mature miRNA that miRBase names without an arm, as the public tables of the reanalysis print them."""
    return frozenset(files("exoclassify.evidence").joinpath("one_arm.txt").read_text(encoding="utf-8").split())


COLUMNS: tuple[str, ...] = tuple(name for name in Evidence.model_fields if name != "origin")
"""Columns of the catalogue and of rows that a user adds, in their order."""
