"""Canonical names of molecules: one spelling inside, whatever the file wrote."""

from __future__ import annotations

import re
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from exoclassify.data.identifiers import MIRNAS, PROTEINS
from exoclassify.errors import InputError, first_three

__all__ = ["canonical_name", "canonical_names", "tells_hairpins_apart"]

# Dashes that word processors and spreadsheets put in place of the hyphen.
_DASHES = str.maketrans(dict.fromkeys("\u2010\u2011\u2012\u2013\u2212", "-"))

# species-family-number: the species may be absent. Viral names (ebv-miR-BART1-5p) fit with their own case.
_MIRNA = re.compile(r"(?:([a-z]{3,4})-)?(mir|let)-?(.+)", re.IGNORECASE | re.ASCII)
# 21, 133a, 548ab, 7f-1, 199a-3p, 125b-1-3p, 21*
_NUMBERED = re.compile(r"\d+[a-z]{0,2}(?:-\d+)?(?:-[35]p)?\*?", re.IGNORECASE | re.ASCII)
_HUMAN = "hsa"
_MEASURE = re.compile(
    r"\s*[(\[](?:raw |normali[sz]ed |read |log2 ?)*(?:counts?|reads?|cpm|rpm|tpm|ct|cq|npx|rfu|intensity|abundance|copies)[)\]]$",
    re.IGNORECASE,
)  # hsa-miR-21-5p (counts)
_PROBE = re.compile(r"\|[\d.]+$")  # hsa-miR-451a|0.012, of nSolver
_LONG = re.compile(r"[_ ]MIMAT\d{7}(?:_\d+)?(?:[_ ].*)?$")  # hsa-let-7a-5p_MIMAT0000062_Homo_sapiens_let-7a-5p
_FASTA = re.compile(r"(?:sp|tr)\|([^|]+)\|\S+", re.IGNORECASE)
# What R, pandas, readr and people add to a name that comes again.
_SECOND = re.compile(
    r"(.+?)(?:(?:\.{1,3}|_)[1-9]\d?|\s*\([1-9]\d?\)|[ _.-](?:dup|copy)\w*|\.[xy]|(?<=-[35]p)-[1-9])", re.IGNORECASE
)
# As spreadsheets in English, German, French and Spanish write them.
_DATE = re.compile(
    r"(?:\d{1,2}[.-] ?(?:jan|feb|f[eé]vr?|m[aä]r[sz]?|mrz|a[pvb]r|ma[iy]o?|ju[ni]|juin|juil|a[ug][ugo]|ao[uû]t|sept?|o[ck]t|nov|"
    r"d[eé][cz]|dic|ene)\.?|(?:mar|mrz|sept?|de[cz]|o[ck]t)-\d{1,2}|\d{4}-\d\d-\d\d(?: 00:00:00)?|\d{1,2}[/.]\d{1,2}[/.]\d{4})",
    re.IGNORECASE,
)
_SERIAL = re.compile(r"[345]\d{4}")  # days since 1900, from 1982 on
_MONTHS = {
    "mar": "MARCHF",
    "mrz": "MARCHF",
    "mär": "MARCHF",
    "sep": "SEPTIN",
    "dec": "DELEC",
    "dez": "DELEC",
    "déc": "DELEC",
}
_MONTHS |= {"03": "MARCHF", "09": "SEPTIN", "12": "DELEC", "dic": "DELEC"}
_ARM = re.compile(r"[-_]([35])[pP]$")
_HAIRPIN = re.compile(r"[a-z]{3,4}-mir-\S+", re.ASCII)
_MATURE = re.compile(r"[a-z]{3,4}-miR-\S+", re.ASCII)
_SYSTEMATIC = 20  # names of each spelling from which the difference is no slip of the pen

# The pattern UniProt gives for its accessions (https://www.uniprot.org/help/accession_numbers), and an isoform.
_UNIPROT = re.compile(
    r"(?:[OPQ][0-9][A-Z0-9]{3}[0-9]|[A-NR-Z][0-9](?:[A-Z][A-Z0-9]{2}[0-9]){1,2})(?:-[0-9]+)?", re.IGNORECASE | re.ASCII
)


def canonical_name(name: str, kind: str) -> str:
    """Give the one spelling of a molecule's name.

    Parameters
    ----------
    kind : str
        What the molecule is: mirna and protein names are brought to one form, others only stripped.

    Returns
    -------
    str
        For miRNA as in ``hsa-miR-21-5p``, ``hsa-let-7a-5p``, ``hsa-miR-21*``: case, underscores, R's dots
        and a missing hyphen before the number are corrected. A missing species stays missing, and a missing arm
        too. For protein an upper-cased UniProt accession, as in ``P12345-2``. A name of no known form is
        given back as it is, without the blanks around it.

    Notes
    -----
    miRBase writes the hairpin ``hsa-mir-21`` and the mature molecule ``hsa-miR-21``. Exosome tables hold mature
    molecules and mix the spellings, so both become ``hsa-miR-21``, unless a whole table tells them apart: see
    `tells_hairpins_apart`. The form of names: Ambros et al. 2003, doi
    10.1261/rna.2183803. No name is looked up: an outdated name stays outdated.

    Examples
    --------
    >>> canonical_name("hsa_mir_21_5P", "mirna")
    'hsa-miR-21-5p'
    >>> canonical_name("p12345-2", "protein")
    'P12345-2'
    """
    name = _MEASURE.sub("", name.strip())
    if kind == "mirna":
        return _canonical_mirna(name)
    return _canonical_protein(name) if kind == "protein" else name


def canonical_names(
    names: Sequence[str],
    kind: str,
    *,
    source: str,
    hairpins_apart: bool | None = None,
    values: NDArray[np.float64] | None = None,
) -> tuple[str, ...]:
    """Give the one spelling of each name of a table.

    Parameters
    ----------
    hairpins_apart : bool, optional
        Whether ``hsa-mir-107-3p`` is another molecule than ``hsa-miR-107-3p``; if omitted the names themselves decide,
        by `tells_hairpins_apart`. A model trained on names kept apart says True whatever is asked of it.
    values : ndarray of shape (n_samples, n_names), optional
        By which a message says whether columns of one molecule are the same.
    """
    apart = tells_hairpins_apart(names, kind) if hairpins_apart is None else hairpins_apart
    canonical = tuple(
        name.strip() if apart and _HAIRPIN.fullmatch(name.strip()) else canonical_name(name, kind) for name in names
    )
    unique = set(canonical)
    if "" in unique:
        place = canonical.index("") + 1
        raise InputError(
            f"{source}: molecule {place} of {len(canonical)} has no name; name it, or take it out "
            "(a separator at the end of the header makes one)"
        )
    if len(unique) < len(canonical):
        raise InputError(_twice(names, canonical, source, values))
    _refuse_dates(canonical, source)
    if kind == "mirna" or not _dots_for_other_marks(names):
        _refuse_second(names, canonical, source)
    return canonical


def _refuse_dates(names: Sequence[str], source: str) -> None:
    dates = [name for name in names if name[:1].isalnum() and _DATE.fullmatch(name)]
    serials = [name for name in names if _SERIAL.fullmatch(name)]
    if 2 * len(serials) < len(names) and not any(name.isdigit() for name in set(names) - set(serials)):
        dates += serials
    if not dates:
        return
    meant = first_three([gene for name in dates if (gene := _gene_of(name))])
    what = f"gene names that a spreadsheet turned into dates{f' ({meant})' if meant else ''}"
    raise InputError(f"{source}: {first_three(dates)} look like {what}; correct the names")


def _gene_of(date: str) -> str:
    """Name the gene that a date was, where the month and day say it."""
    if date.isdigit():
        date = str(np.datetime64("1899-12-30") + int(date))
    parts = re.split(r"[-/. ]+", date.lower().rstrip("."))
    if len(parts) == 3 and parts[2].isdigit() and "." in date:
        parts = parts[::-1]  # 02.09.2024
    if parts[0].isdigit() and len(parts[0]) == 4:
        month, day = parts[1], parts[2]
    else:
        day, month = (parts[0], parts[1][:3]) if parts[0].isdigit() else (parts[1], parts[0][:3])
    stem = _MONTHS.get(month, "")
    return f"{stem}{int(day)}" if stem else ""


def _dots_for_other_marks(names: Sequence[str]) -> bool:
    """Whether R wrote dots for hyphens and blanks throughout, as in ``IL.12`` and ``Eotaxin.2``: then ``.1`` is no second."""
    dotted = [name for name in names if re.search(r"\.(?![1-9]\d?$)|\..*\.", name.strip())]
    return len(dotted) >= max(_SYSTEMATIC, len(names) // 20)


def _refuse_second(names: Sequence[str], canonical: Sequence[str], source: str) -> None:
    """Refuse names that R's make.unique gave to a molecule that comes a second time."""
    known = set(canonical)
    second = [
        (name, match.group(1))
        for name, written in zip(canonical, names, strict=True)
        if (match := _SECOND.fullmatch(written.strip())) and name != match.group(1) and match.group(1) in known
    ]
    if second:
        shown = first_three(f"{name} looks like {base} a second time" for name, base in second)
        raise InputError(f"{source}: {shown}; keep one of them")


def tells_hairpins_apart(names: Sequence[str], kind: str) -> bool:
    """Say whether a table means two things by ``hsa-mir-`` and ``hsa-miR-``.

    Notes
    -----
    EVmiRNA and other pipelines count reads on the unannotated arm of a hairpin as ``hsa-mir-107-3p`` beside the mature
    ``hsa-miR-107-3p``.
    """
    if kind != "mirna":
        return False
    hairpins = sum(_HAIRPIN.fullmatch(name.strip()) is not None for name in names)
    matures = sum(_MATURE.fullmatch(name.strip()) is not None for name in names)
    return min(hairpins, matures) >= _SYSTEMATIC


def _canonical_mirna(name: str) -> str:
    name = _PROBE.sub("", _LONG.sub("", name))
    name = MIRNAS.get(name, name)
    hyphened = name.translate(_DASHES).replace("_", "-")
    if "-" not in hyphened:
        hyphened = hyphened.replace(".", "-")  # R's make.names: hsa.miR.21.5p
    found = _MIRNA.fullmatch(hyphened)
    if found is None:
        return name
    species, family, rest = found.group(1) or "", found.group(2), found.group(3)
    family = "miR" if family.lower() == "mir" else "let"
    start = hyphened[: found.start(3)]
    numbered = _NUMBERED.fullmatch(rest) is not None
    if not start.endswith("-") and not (numbered and (species or family == "let")):
        return name  # MIR155HG is a gene, and letrozole no let-7
    rest = rest.lower() if numbered else _ARM.sub(r"-\1p", name[-len(rest) :])
    return f"{species.lower() or _HUMAN}-{family}-{rest}"


def _canonical_protein(name: str) -> str:
    if ";" in name:
        members = [_one_protein(part.strip()) for part in name.split(";") if part.strip()]
        if not all(_UNIPROT.fullmatch(member) for member in members):
            return name
        alone = {member for member in members if "-" not in member or member.partition("-")[0] not in members}
        return ";".join(sorted(alone))
    return _one_protein(name)


def _one_protein(name: str) -> str:
    fasta = _FASTA.fullmatch(name)
    name = fasta.group(1) if fasta else name
    return name.upper() if _UNIPROT.fullmatch(name) else PROTEINS.get(name, name)


def _twice(names: Sequence[str], canonical: Sequence[str], source: str, values: NDArray[np.float64] | None) -> str:
    first: dict[str, int] = {}
    pairs: list[str] = []
    same = values is not None
    for j, name in enumerate(canonical):
        if name in first:
            i = first[name]
            pairs.append(f"{names[i]!r} ({i + 1}) and {names[j]!r} ({j + 1}) are both {name}")
            same = same and values is not None and np.array_equal(values[:, i], values[:, j], equal_nan=True)
        else:
            first[name] = j
    count = "1 molecule comes twice" if len(pairs) == 1 else f"{len(pairs)} molecules come more than once"
    fix = "their values are the same: keep one" if same else "keep one of them, or add them up before"
    return f"{source}: {count} ({first_three(pairs)}); {fix}"
