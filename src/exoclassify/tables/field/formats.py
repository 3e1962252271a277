"""Which columns each format of the field has, by its public documentation."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

__all__ = ["FORMATS", "LONG", "WIDE", "LongFormat", "Quantity", "WideFormat"]

Cells = Mapping[str, str]
Reason = Callable[[Cells], str]
Rows = Sequence[Sequence[str]]


@dataclass(frozen=True)
class Quantity:
    """One set of columns, a sample each.

    Parameters
    ----------
    word : str
        What the columns hold, for the note.
    pattern : str
        A regular expression for a column's name; its group is the sample's.
    units : tuple of str
        What the values can be; empty for any.
    """

    word: str
    pattern: str
    units: tuple[str, ...] = ("intensity",)


def _all_kept(_: Cells) -> str:
    return ""


def _any(_: Rows) -> bool:
    return True


@dataclass(frozen=True)
class WideFormat:
    """A table with molecules in rows, annotations of them, and samples in columns.

    Parameters
    ----------
    title : str
        For the note.
    needs : tuple of str
        Columns by which it is known, in lower case.
    molecule : tuple of str
        Columns of the molecule's name; the first that is there is used, and the table's first where none is said.
    quantities : tuple of Quantity
        The first that is there is used.
    annotation : frozenset of str
        Further columns that hold no sample although a quantity's pattern fits them.
    left_out : callable
        Says of a row, by its columns in lower case, why it is no molecule; empty for one that is.
    repeated : str, default ""
        What becomes of rows of one molecule: ``sum``, ``largest``, or empty where they are refused later.
    marker : str, default ""
        A text of the file's head without which the columns say nothing.
    begins : str, default ""
        What a text begins with, in lower case, where its columns are named in too common a way.
    below : callable
        Says of the first rows below the header whether they are of this format.
    shared : bool, default False
        Whether counts are fractions, for reads that fit several molecules; they become whole.
    """

    title: str
    needs: tuple[str, ...]
    molecule: tuple[str, ...]
    quantities: tuple[Quantity, ...]
    annotation: frozenset[str] = frozenset()
    left_out: Reason = _all_kept
    repeated: str = ""
    marker: str = ""
    begins: str = ""
    below: Callable[[Rows], bool] = _any
    shared: bool = False


@dataclass(frozen=True)
class LongFormat:
    """A table with one measurement in each row.

    Parameters
    ----------
    title : str
        For the note.
    needs : tuple of tuple of str
        For each purpose the columns of which one must be there, in lower case: sample, molecule, value.
    known_by : tuple of str
        Further columns that must be there.
    units : tuple of str
        What the values can be.
    assay : tuple of str, default ()
        Column that tells measurements of one molecule apart.
    left_out : callable
        As in `WideFormat`.
    unsure : callable
        Says of a row that is kept why its value is doubtful.
    replicates : bool, default False
        Whether a molecule can be measured several times in a sample, as in wells; the mean is then taken.
    word : str, default "value"
        What the values are, for the note.
    also : frozenset of str
        Further columns that `left_out` and `unsure` look at.
    """

    title: str
    needs: tuple[tuple[str, ...], tuple[str, ...], tuple[str, ...]]
    known_by: tuple[str, ...]
    units: tuple[str, ...]
    assay: tuple[str, ...] = ()
    left_out: Reason = _all_kept
    unsure: Reason = _all_kept
    replicates: bool = False
    word: str = "value"
    also: frozenset[str] = frozenset()


def _maxquant(row: Cells) -> str:
    name = row.get("majority protein ids") or row.get("protein ids", "")
    if row.get("reverse") == "+" or name.startswith("REV__"):
        return "REV__"
    if row.get("potential contaminant") == "+" or row.get("contaminant") == "+" or name.startswith("CON__"):
        return "CON__"
    return "only identified by site" if row.get("only identified by site") == "+" else ""


def _fragpipe(row: Cells) -> str:
    protein = row.get("protein", "")
    return next((prefix for prefix in ("contam_", "rev_") if protein.startswith(prefix)), "")


def _discoverer(row: Cells) -> str:
    if row.get("contaminant", "").lower() == "true":
        return "contaminant"
    master = row.get("master", "").lower()
    return "not master protein" if "candidate" in master or master == "none" else ""


def _nsolver(row: Cells) -> str:
    group = row.get("class name") or row.get("code class") or row.get("codeclass") or ""
    return "" if group.lower().startswith("endogenous") else group or "unnamed class"


def _featurecounts(row: Cells) -> str:
    return row["geneid"] if row["geneid"].startswith("__") else ""


def _mirge(row: Cells) -> str:
    return "total" if row["mirna"].lower() == "mirnatotal" else ""


def _of_mirge(rows: Rows) -> bool:
    """Whether some miRNAs were merged, as only miRge does, or summed up in the first row, as miRge2 did."""
    return any(_MERGED.match(cells[0]) or cells[0].lower() == "mirnatotal" for cells in rows)


_MERGED = re.compile(r"([a-z]{3}-)?(mir|let)-[^/]+/\S+", re.IGNORECASE)
_MIRNA = re.compile(r"([a-z]{3}-)?(mir|let)-", re.IGNORECASE)


def _of_excerpt(rows: Rows) -> bool:
    """Whether the counts of miRNAs hold halves, thirds and quarters, for exceRpt shares a read among those it fits."""
    if not rows or not all(_MIRNA.match(cells[0]) for cells in rows):
        return False
    try:
        counts = [float(cell) for cells in rows for cell in cells[1:]]
    except ValueError:
        return False
    shared = sum(
        abs(count * 168 - round(count * 168)) < 0.01 for count in counts
    )  # 168: halves to eighths, but no tenths
    return min(counts) >= 0 and shared > 0.7 * len(counts) and any(count % 1 for count in counts)


def _olink(row: Cells) -> str:
    kind = row.get("sampletype") or row.get("sample_type") or ""
    sample = row.get("sampleid", "")
    if (kind and kind.upper() != "SAMPLE") or _OLINK_CONTROL.match(sample):
        return "of control samples"
    assay_kind = row.get("assaytype", "")
    if (assay_kind and assay_kind.lower() != "assay") or "control" in row.get("assay", "").lower():
        return "of control assays"
    failed = {"FAIL", "NA"}
    if row.get("sampleqc", "").upper() in failed or row.get("assayqc", "").upper() in failed:
        return "that failed Olink's quality control"
    return ""


_OLINK_CONTROL = re.compile(r"(control|ctrl|neg(ative)?|pc|sc|nc|ipc)([ _.-]|\d|$)", re.IGNORECASE)


def _olink_unsure(row: Cells) -> str:
    warned = ("WARN", "WARNING", "MANUAL_WARN")
    quality = ("qc_warning", "assay_warning", "sampleqc", "assayqc")
    return "with a QC warning" if any(row.get(name, "").upper() in warned for name in quality) else ""


def _at_most(text: str, limit: float) -> bool:
    try:
        return float(text.replace(",", ".")) <= limit
    except ValueError:
        return False


def _report(row: Cells) -> str:
    for name in ("q.value", "pg.q.value", "global.pg.q.value"):
        if row.get(name) and not _at_most(row[name], 0.01):
            return f"with {name} above 0.01"
    return ""


def _wells(row: Cells) -> str:
    if row.get("omit", "").lower() in ("true", "1", "yes"):
        return "of omitted wells"
    task = row.get("task", "").upper()
    if task in ("NTC", "STANDARD", "NEGATIVE", "BLOCKED IPC", "IPC"):
        return f"of task {task}"
    return "" if row.get("sample name") or row.get("sample") else "of empty wells"


_REST = r"(.+)"
WIDE: dict[str, WideFormat] = {
    "maxquant": WideFormat(
        "MaxQuant proteinGroups", ("protein ids", "majority protein ids"), ("Majority protein IDs", "Protein IDs"),
        (
            Quantity("LFQ intensity", r"LFQ intensity (.+)"),
            Quantity("reporter intensity", r"Reporter intensity corrected (.+)"),
            Quantity("iBAQ", r"iBAQ (?!peptides)(.+)"),
            Quantity("intensity", r"Intensity (?![HML]$)(.+)"),
        ),
        left_out=_maxquant,
    ),
    "fragpipe": WideFormat(
        "FragPipe combined_protein", ("protein", "protein id", "entry name", "gene"), ("Protein ID",),
        (
            Quantity("MaxLFQ intensity", r"(.+) MaxLFQ Intensity"),
            Quantity("intensity", r"(.+?)(?<! MaxLFQ)(?<! Unique)(?<! Total) Intensity"),
            Quantity("spectral count", r"(.+?)(?<! Unique)(?<! Total)(?<!Combined) Spectral Count", ("counts",)),
        ),
        left_out=_fragpipe,
    ),
    "diann": WideFormat(
        "DIA-NN pg_matrix", ("protein.group", "genes", "first.protein.description"), ("Protein.Group",),
        (Quantity("protein quantity", _REST),),
        frozenset({"protein.ids", "protein.names", "n.sequences", "n.proteotypic.sequences", "species", "proteotypic"}),
    ),
    "spectronaut": WideFormat(
        "Spectronaut pivot", ("pg.proteingroups",), ("PG.ProteinGroups", "PG.ProteinAccessions"),
        (
            Quantity("PG.Quantity", r"(?:\[\d+\] )?(.+?)\.PG\.Quantity"),
            Quantity("PG.Log2Quantity", r"(?:\[\d+\] )?(.+?)\.PG\.Log2Quantity", ("log2_intensity",)),
            Quantity("quantity", r"(?!PG\.)(?!\[\d+\] .*\.PG\.)(?!.*\.PG\.[A-Z])(.+)", ()),
        ),
    ),
    "discoverer": WideFormat(
        "Proteome Discoverer proteins", ("accession", "description"), ("Accession",),
        (
            Quantity("normalised abundance", r"Abundances? \(Normalized\): (.+)"),
            Quantity("abundance", r"Abundance: (.+)"),
        ),
        left_out=_discoverer,
    ),
    "featurecounts": WideFormat(
        "featureCounts", ("geneid", "chr", "start", "end", "strand", "length"), ("Geneid",),
        (Quantity("counts", _REST, ("counts",)),), frozenset({"gene_name", "gene_biotype", "gene_type"}),
        left_out=_featurecounts,
    ),
    "mirdeep2": WideFormat(
        "miRDeep2 quantifier", ("#mirna", "read_count", "precursor", "total"), ("#miRNA",),
        (Quantity("read counts", r"(.+)(?<!\(norm\))", ("counts",)),), repeated="largest",
    ),
    "mirtop": WideFormat(
        "mirtop isomiRs", ("uid", "read", "mirna", "variant"), ("miRNA",),
        (Quantity("counts", r"(?!iso_)(.+)", ("counts",)),), repeated="sum",
    ),
    "nsolver": WideFormat(
        "nSolver", ("probe name", "accession #", "class name"), ("Probe Name",),
        (Quantity("counts", _REST, ("counts", "intensity")),),
        frozenset({"annotation", "nsid", "target sequence", "species name"}), left_out=_nsolver,
    ),
    "mirge3": WideFormat(
        "miRge3", ("mirna",), ("miRNA",), (Quantity("miRNA counts or RPM", _REST, ("counts", "cpm")),),
        left_out=_mirge, begins="mirna,", below=_of_mirge,
    ),
    "excerpt": WideFormat(
        "exceRpt", ("",), (), (Quantity("read counts", _REST, ("counts",)),), begins="\t", below=_of_excerpt,
        shared=True,
    ),
    "geo": WideFormat(
        "GEO series matrix", ("id_ref",), ("ID_REF",), (Quantity("values", _REST, ()),),
        marker="!series_matrix_table_begin",
    ),
}  # fmt: skip
"""MaxQuant: its documentation of proteinGroups.txt (cox-labs.github.io/coxdocs); FragPipe: fragpipe.nesvilab.org, "Combined
protein report"; DIA-NN: its README, "Main output reference"; Spectronaut manual, "Run pivot report"; featureCounts: the Subread
user's guide; miRDeep2: its documentation of quantifier.pl; mirtop: mirtop.readthedocs.io, "counts"; miRge3:
mirge3.readthedocs.io, "miRge3.0 output"; exceRpt: mergePipelineRuns.R of github.com/gersteinlab/exceRpt; nSolver user manual;
GEO: ncbi.nlm.nih.gov/geo/info/soft.html."""

_SAMPLE_NAME = ("sample name", "sample", "samplename")
LONG: dict[str, LongFormat] = {
    "olink": LongFormat(
        "Olink NPX", (("sampleid",), ("uniprot",), ("npx",)), ("olinkid", "assay"), ("log2_intensity",), ("olinkid",),
        left_out=_olink, unsure=_olink_unsure, word="NPX",
        also=frozenset(
            ("sampletype", "sample_type", "assaytype", "assay", "qc_warning", "assay_warning", "sampleqc", "assayqc")
        ),
    ),
    "diann-report": LongFormat(
        "DIA-NN report", (("run", "file.name"), ("protein.group",), ("pg.maxlfq", "pg.quantity")), ("precursor.id",),
        ("intensity",), left_out=_report, word="PG.MaxLFQ",
        also=frozenset({"q.value", "pg.q.value", "global.pg.q.value"}),
    ),
    "quantstudio": LongFormat(
        "qPCR export",
        (_SAMPLE_NAME, ("target name", "detector name", "target", "detector"), ("ct", "cq", "cт", "crt", "cрт")),
        ("well",), ("ct",), left_out=_wells, replicates=True, word="Ct",
        also=frozenset({"task", "omit", *_SAMPLE_NAME}),
    ),
}  # fmt: skip
"""Olink: the NPX data format of OlinkAnalyze (read_NPX); DIA-NN: its README, "Main output reference"; QuantStudio and ViiA 7:
Thermo Fisher's "Getting started guide", exported results."""

FORMATS = ("plain", *WIDE, *LONG, "adat", "rcc", "htseq", "mirgff3", "perseus")
"""What ``--format`` can be."""
