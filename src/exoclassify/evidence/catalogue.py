"""All published claims, the project's and a user's own, and the questions one asks of them."""

from __future__ import annotations

import csv
import difflib
import io
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path

import numpy as np
from pydantic import ValidationError

from exoclassify.errors import FileError, InputError, first_three
from exoclassify.evidence.evidence import COLUMNS, MECHANISMS, SITES, Evidence
from exoclassify.evidence.links import RELATIONS, Link, link
from exoclassify.typing import Floats

__all__ = ["ABBREVIATIONS", "VERSION", "Catalogue"]

VERSION = "2.0.0"
"""Of the catalogue: first number for a changed column, second for rows, third for corrections; changes.csv tells each."""

_OWN = "evidence.csv"
_OPTIONAL = frozenset({"measured"})  # rows written for the first version lack it

ABBREVIATIONS = {
    "crps": "complex regional pain syndrome",
    "ra": "rheumatoid arthritis",
    "psa": "psoriatic arthritis",
    "oa": "osteoarthritis",
    "ibs": "irritable bowel syndrome",
    "cibp": "cancer-induced bone pain",
    "cpps": "chronic prostatitis or pelvic pain syndrome (CP/CPPS)",
    "as": "ankylosing spondylitis",
    "jia": "juvenile idiopathic arthritis",
    "ibd": "inflammatory bowel disease",
    "me/cfs": "myalgic encephalomyelitis/chronic fatigue syndrome (ME/CFS)",
    "cp": "chronic prostatitis or pelvic pain syndrome (CP/CPPS)",
}
"""What users type for a condition; names in brackets, such as SNI, are found without this."""


@dataclass(frozen=True)
class Catalogue:
    """Published claims on the cargo of vesicles in pain.

    Parameters
    ----------
    rows : tuple of Evidence
        The claims, the project's first.

    Notes
    -----
    Every row of the project's own was read at the address it gives, which for most was an abstract or a table and not the
    whole article. Most contrasts are a painful disease against controls, not pain against its absence: see
    ``pain_stratified``. Absence from the catalogue says nothing of a molecule.
    """

    rows: tuple[Evidence, ...]

    @classmethod
    def read(cls, *more: str | Path) -> Catalogue:
        """Read the catalogue that comes with the project, and add rows of your own."""
        own = files("exoclassify.evidence").joinpath(_OWN).read_text(encoding="utf-8")
        rows = list(_rows(own, _OWN))
        for path in map(Path, more):
            rows += _rows(_text(path), path.name)
        return cls(tuple(rows))

    def of(self, molecule: str) -> tuple[Link, ...]:
        """Give the claims on a molecule, on other arms of its hairpin and on its counterparts in other species.

        The same molecule first, people before animals; empty when nothing is known.
        """
        found = [known for row in self.rows if (known := link(molecule, row)) is not None]
        nearest = list(RELATIONS)
        return tuple(
            sorted(
                found,
                key=lambda at: (nearest.index(at.relation), at.evidence.system != "patients", at.evidence.condition),
            )
        )

    def weights(self, molecules: Sequence[str]) -> Floats:
        """Say how often each molecule counts for a learner that knows the catalogue: ``1 + log2(1 + n)``, n its studies."""
        weights: Floats = 1 + np.log2([1 + len({at.evidence.study_key for at in self.of(name)}) for name in molecules])
        if (weights == 1).all():
            raise InputError(
                "the catalogue names none of these molecules (a table of another kind?); take prior = catalogue out of the recipe"
            )
        return weights

    def without(self, names: Sequence[str]) -> Catalogue:
        """Leave out the claims of PMIDs, DOIs or conditions, the last as `condition` understands them."""
        rows = self.rows
        for name in names:
            word = name.strip().casefold()
            kept = tuple(row for row in rows if word not in (row.pmid, row.doi.casefold()))
            if len(kept) == len(rows):
                meant = self.condition(name)
                kept = tuple(row for row in rows if row.condition not in meant)
            rows = kept
        return Catalogue(rows)

    def demand(self, molecule: str) -> tuple[Link, ...]:
        """Give the claims on a molecule, as `of`, and refuse one of which nothing is known."""
        found = self.of(molecule)
        if found:
            return found
        names = {name for row in self.rows for name in (row.molecule, row.written, row.accession) if name}
        near = _nearest(molecule, names)
        raise InputError(
            f"the catalogue holds nothing on {molecule!r}, which says nothing of the molecule"
            + (f"; the nearest names are {', '.join(near)}" if near else "; see exoclassify evidence --summary")
        )

    @property
    def conditions(self) -> tuple[str, ...]:
        """Every condition, that of people first, then by the number of claims."""
        count: dict[str, list[int]] = {}
        for row in self.rows:
            seen = count.setdefault(row.condition, [0, 0])
            seen[row.system == "patients"] += 1
        return tuple(sorted(count, key=lambda name: (count[name][1] == 0, -sum(count[name]), name)))

    def condition(self, text: str) -> tuple[str, ...]:
        """Find the conditions meant by a word, such as ``CRPS``, ``RA`` or ``migraine``."""
        wanted = text.strip().casefold()
        known = self.conditions
        full = ABBREVIATIONS.get(wanted)
        found = [name for name in known if name == full or name.casefold() == wanted]
        if not found or wanted == "crps":
            found += [name for name in known if len(wanted) > 2 and wanted in name.casefold() and name not in found]
        if found:
            return tuple(found)
        near = _nearest(text, (*known, *ABBREVIATIONS))
        raise InputError(
            f"the catalogue has no condition {text!r}; "
            + (f"the nearest are {', '.join(near)}; " if near else "")
            + f"it has {', '.join(known)}"
        )

    def where(
        self, *, condition: str | None = None, mechanism: str | None = None, site: str | None = None
    ) -> Catalogue:
        """Keep the claims on a condition, a mechanism or a site."""
        for what, value, known in (("mechanism", mechanism, MECHANISMS), ("site", site, SITES)):
            if value is not None and value not in known:
                raise InputError(f"{what} {value!r} is unknown; use one of {', '.join(known)}")
        names = None if condition is None else self.condition(condition)
        return Catalogue(
            tuple(
                row
                for row in self.rows
                if (names is None or row.condition in names)
                and mechanism in (None, row.mechanism)
                and site in (None, row.site)
            )
        )


def _nearest(text: str, names: Iterable[str]) -> list[str]:
    folded = {name.casefold(): name for name in names}
    asked = text.strip().casefold()
    near = difflib.get_close_matches(asked, folded, n=3, cutoff=0.6)
    return [folded[name] for name in near]


def _text(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        why = error.strerror if isinstance(error, OSError) else "it is not UTF-8 text"
        raise FileError(f"{path}: cannot be read: {why}; give a CSV file in UTF-8") from error


def _rows(text: str, source: str) -> Iterable[Evidence]:
    reader = csv.DictReader(io.StringIO(text), strict=True)
    header = tuple(reader.fieldnames or ())
    missing = [name for name in COLUMNS if name not in header and name not in _OPTIONAL]
    foreign = [name for name in header if name not in COLUMNS]
    if missing or foreign:
        what = [f"{len(missing)} columns are missing ({first_three(missing)})"] if missing else []
        what += [f"{len(foreign)} are unknown ({first_three(foreign)})"] if foreign else []
        raise InputError(f"{source}: {' and '.join(what)}; expected the columns {', '.join(COLUMNS)}")
    try:
        for number, row in enumerate(reader, start=2):  # as a spreadsheet counts, the header being row 1
            yield _row(row, source, number)
    except csv.Error as error:
        raise InputError(f"{source}: row {reader.line_num} is not CSV: {error}; save it again as CSV") from error


def _row(row: dict[str, str | None], source: str, number: int) -> Evidence:
    if None in row or None in row.values():
        raise InputError(
            f"{source}: row {number} does not have {len(row) - (None in row)} cells; put texts with commas between quotation "
            "marks"
        )
    try:
        return Evidence.model_validate({**row, "origin": source})
    except ValidationError as error:
        first = error.errors()[0]
        message = first["msg"].removeprefix("Value error, ").replace("Input should be", "expected")
        place = f", column {first['loc'][0]}: found {first['input']!r}, " if first["loc"] else ", "
        raise InputError(f"{source}: row {number}{place}{message}") from error
