"""The catalogue as a data set that can be cited: tables, their description, and who is to be named."""

from __future__ import annotations

import csv
import gzip
import hashlib
import io
import json
from importlib.resources import files
from typing import Any

from exoclassify.evidence.catalogue import VERSION, Catalogue
from exoclassify.evidence.evidence import COLUMNS, Evidence
from exoclassify.evidence.reanalysis import Reanalysis

__all__ = ["RELEASED", "export_files"]

RELEASED = "2026-11-27"
"""Date of `VERSION`."""

_TITLE = "What exosomes carry under each pain condition: published claims and a reanalysis of public tables"
_LICENSE = "Apache-2.0"
_EFFECTS = ("log2_fold_change", "low", "high", "p", "q", "found_in_state", "found_in_reference")


def export_files(catalogue: Catalogue, reanalysis: Reanalysis) -> dict[str, str]:
    """Write the catalogue as the files of a Frictionless data package."""
    folder = files("exoclassify.evidence")
    tables = {
        "evidence.csv": _claims(catalogue),
        "reanalysis.csv": gzip.decompress(folder.joinpath("reanalysis.csv.gz").read_bytes()).decode(),
        "reanalysis_tables.csv": folder.joinpath("reanalysis_tables.csv").read_text(encoding="utf-8"),
        "changes.csv": folder.joinpath("changes.csv").read_text(encoding="utf-8"),
    }
    return {
        **tables,
        "datapackage.json": json.dumps(_package(tables), indent=1, ensure_ascii=False) + "\n",
        "evidence.jsonld": json.dumps(_linked(catalogue), indent=1, ensure_ascii=False) + "\n",
        "CITATION.cff": _citation(),
        "README.md": _readme(catalogue, reanalysis),
    }


def _claims(catalogue: Catalogue) -> str:
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(COLUMNS)
    writer.writerows([_cell(getattr(row, name)) for name in COLUMNS] for row in catalogue.rows)
    return text.getvalue()


def _cell(value: Any) -> Any:
    if isinstance(value, bool):
        return "yes" if value else "no"
    return "" if value is None else value


def _package(tables: dict[str, str]) -> dict[str, Any]:
    """Describe the tables as Frictionless Data Package 1 (specs.frictionlessdata.io)."""
    keys = {"reanalysis_tables.csv": {"primaryKey": "accession"}}
    foreign = {
        "reanalysis.csv": {
            "foreignKeys": [
                {"fields": "accession", "reference": {"resource": "reanalysis_tables", "fields": "accession"}}
            ]
        }
    }
    return {
        "profile": "tabular-data-package",
        "name": "exoclassify-evidence",
        "title": _TITLE,
        "version": VERSION,
        "created": RELEASED,
        "licenses": [{"name": _LICENSE}],
        "resources": [
            {
                "profile": "tabular-data-resource",
                "name": name.removesuffix(".csv"),
                "path": name,
                "encoding": "utf-8",
                "bytes": len(text.encode()),
                "hash": f"sha256:{hashlib.sha256(text.encode()).hexdigest()}",
                "schema": {
                    "fields": [_field(name, column) for column in next(csv.reader([text.splitlines()[0]]))],
                    **keys.get(name, {}),
                    **foreign.get(name, {}),
                },
            }
            for name, text in tables.items()
        ],
    }


def _field(name: str, column: str) -> dict[str, Any]:
    if name == "reanalysis.csv" and column in _EFFECTS:
        return {"name": column, "type": "number"}
    if column in ("n", "n_state", "n_reference", "molecules"):
        return {"name": column, "type": "integer"}
    if name == "evidence.csv" and Evidence.model_fields[column].annotation is bool:
        return {"name": column, "type": "boolean", "trueValues": ["yes"], "falseValues": ["no"]}
    return {"name": column, "type": "string"}


def _linked(catalogue: Catalogue) -> dict[str, Any]:
    """Give the claims as JSON-LD in the words of schema.org."""
    return {
        "@context": {"@vocab": "https://schema.org/", "pmid": "https://pubmed.ncbi.nlm.nih.gov/"},
        "@type": "Dataset",
        "name": _TITLE,
        "version": VERSION,
        "datePublished": RELEASED,
        "license": "https://www.apache.org/licenses/LICENSE-2.0",
        "hasPart": [_claim(row) for row in catalogue.rows],
    }


def _claim(row: Evidence) -> dict[str, Any]:
    places = [
        *([f"https://doi.org/{row.doi}"] if row.doi else []),
        *([f"https://pubmed.ncbi.nlm.nih.gov/{row.pmid}/"] if row.pmid else []),
        *([row.url] if row.url else []),
    ]
    values = {
        name: _cell(getattr(row, name))
        for name in COLUMNS
        if name not in ("pmid", "doi", "url", "study") and _cell(getattr(row, name)) != ""
    }
    return {
        "@type": "Claim",
        "about": row.molecule or row.written,
        "text": f"{row.molecule or row.written}: {row.direction} in {row.condition}; {row.contrast}",
        "appearance": {"@type": "ScholarlyArticle", "name": row.study, "sameAs": places},
        "additionalProperty": [
            {"@type": "PropertyValue", "name": name, "value": value} for name, value in values.items()
        ],
    }


def _citation() -> str:
    return (
        "cff-version: 1.2.0\n"
        "message: If you use this catalogue, please cite it as below, with its version, and the studies whose claims you use.\n"
        "type: dataset\n"
        f'title: "{_TITLE}"\n'
        "authors:\n"
        '  - name: "The exoclassify maintainers"\n'
        f'version: "{VERSION}"\n'
        f'date-released: "{RELEASED}"\n'
        f"license: {_LICENSE}\n"
    )


def _readme(catalogue: Catalogue, reanalysis: Reanalysis) -> str:
    return (
        f"# {_TITLE}\n\nVersion {VERSION}, {RELEASED}.\n\n"
        f"- `evidence.csv`: {len(catalogue.rows)} claims on {len(catalogue.conditions)} conditions, each read at the address it "
        "gives.\n"
        f"- `reanalysis.csv`: {len(reanalysis.effects)} effects in {len(reanalysis.tables)} contrasts of public count tables; "
        "summary statistics, no counts.\n"
        "- `reanalysis_tables.csv`: what these contrasts are, and the audit's verdict on each.\n"
        "- `changes.csv`: every row that was corrected, added or dropped, with the reason.\n"
        "- `datapackage.json` describes the tables (Frictionless), `evidence.jsonld` holds the claims as JSON-LD.\n\n"
        "No DOI is claimed here: deposit this folder to get one, and put it into `CITATION.cff`.\n"
    )
