"""Rows and columns that are no sample or no molecule: totals, controls, spike-ins, and annotations of molecules."""

from __future__ import annotations

import os
import re
from collections.abc import Collection, Sequence
from dataclasses import replace

import numpy as np

from exoclassify.errors import InputError, first_three
from exoclassify.tables.cells import NOT_DETECTED_MARKS
from exoclassify.tables.wide import WideTable

__all__ = ["NO_SAMPLE", "is_no_molecule", "is_no_sample", "samples_alone", "without_control_molecules"]

_SUMS = (  # also as spreadsheets in German, French, Spanish and Italian name them
    r"(?:(?:grand|suma?|somme)[ _.-]?)?total[ei]?(?:[ _.-](?:g[eé]n[eé]rale?|general))?"
    r"(?:[ _.-]?(?:mapped|reads?|counts?|intensity|mirnas?))*|sum|suma|summe|somme|gesamt(?:summe|zahl)?|insgesamt|"
    r"mean|average|median[ea]?|m[eé]diane|mittel(?:wert)?|durchschnitt|moyenne|promedio|media|"
    r"(?:library|lib)[ _.-]?size|(?:n[ _.-]?|all[ _.-]?|mapped[ _.-]?)reads"
)
NO_SAMPLE = (
    rf"^(?:__.*|{_SUMS}|"
    r"undetermined(?:[ _.-].*)?|"
    r"(?:ntc|no[ _-]?template(?:[ _-]control)?|blank|water|h2o|wasser|eau|agua|leer(?:wert|probe)|calibrator|kalibrator|"
    r"(?:neg(?:ative?)?|pos(?:itive?)?)[ _.-]?(?:ctrl|[ck]ontrolle?)|(?:control|t[eé]moin)[ _.-](?:n[eé]gati[vf]o?|positi[vf]o?)|"
    r"qc[ _.-]*pool(?:ed)?|pool(?:ed)?(?:[ _.-]*qc)?)(?:[ _.-]?\d+)?)$"
)
"""Names of rows that are no sample; the expression is one that Arrow knows too."""

_NO_SAMPLE = re.compile(NO_SAMPLE, re.IGNORECASE)
_NO_MOLECULE = re.compile(
    rf"__.*|{_SUMS}|mirnatotal|blank|empty|ppc|mirtc|rtc|gdc|n_(?:unmapped|multimapping|nofeature|ambiguous)|unmapped|"
    r"no_feature|ambiguous|too_low_aqual|not_aligned|alignment_not_unique|unassigned_\w+|"
    r"(?:con|rev|decoy|contam)_{1,2}\S+|(?:POS|NEG)_[A-H](?:\([\d.]+\))?|(?:cel|ath|osa)[-_.](?:miR|let|mir)[-_.]?\S+|"
    r"UniSp\s?\d+(?:[ _.-].*)?|ERCC-\d{5}|spike[ _.-]?in.*",
    re.IGNORECASE,
)
# What tools write beside samples and is never one; read in their documentation, see field/formats.
_ANNOTATIONS = frozenset(
    {
        "chr", "chrom", "chromosome", "start", "end", "strand", "length", "gene length", "protein length", "geneid", "gene_id",
        "gene", "genes", "gene name", "gene names", "gene_name", "gene_biotype", "symbol", "description", "accession",
        "accession #", "class name", "precursor", "read_count", "total", "read", "uid", "variant", "iso_5p", "iso_3p",
        "iso_add3p", "iso_snp", "peptides", "unique peptides", "razor + unique peptides", "sequence coverage [%]",
        "mol. weight [kda]", "sequence length", "q-value", "score", "intensity", "ms/ms count", "id", "protein.ids",
        "protein.names", "protein names", "first.protein.description", "n.sequences", "n.proteotypic.sequences", "organism",
        "entry name", "fasta headers", "number of proteins", "pg.genes", "uniprot", "entrez", "ensembl", "basemean", "aveexpr",
        "log2foldchange", "logfc", "lfcse", "stat", "pvalue", "p.value", "p-value", "padj", "adj.p.val", "fdr", "logcpm",
    }
)  # fmt: skip


def is_no_sample(name: str) -> bool:
    """Say whether a sample's name is that of a total, a blank, a pool or reads of no sample."""
    return _NO_SAMPLE.fullmatch(name) is not None


def is_no_molecule(name: str) -> bool:
    """Say whether a molecule's name is that of a total, a control, a decoy or a spike-in."""
    return _NO_MOLECULE.fullmatch(name) is not None


def without_control_molecules(table: WideTable) -> WideTable:
    """Leave out columns that are no molecule."""
    out = {j for j, name in enumerate(table.columns) if is_no_molecule(name.strip())} | _counting(table)
    if not out or len(out) == len(table.columns):
        return table
    others = [table.columns[j] for j in sorted(out)]
    keep = [j for j in range(len(table.columns)) if j not in out]
    note = f"{len(others)} {'column is' if len(others) == 1 else 'columns are'} no molecule ({first_three(others)}): left out"
    note = note.replace("columns are", "names are").replace("column is", "name is")
    return replace(table.with_columns(keep), notes=(*table.notes, note))


def _counting(table: WideTable) -> set[int]:
    """Find columns that count the rows, as 1, 2, 3, …: they hold row numbers, whatever they are called."""
    if len(table.row_ids) < _COUNTED:
        return set()
    counted = np.arange(len(table.row_ids))[:, None]
    return set(np.flatnonzero((table.cells - counted == table.cells[0]).all(axis=0) & (table.cells[0] <= 1)).tolist())


_COUNTED = 5
"""So many rows in a row are no chance."""


def samples_alone(table: WideTable, known: Collection[str] | None, what: str = "columns") -> WideTable:
    """Leave out what stands among the samples and is none.

    Parameters
    ----------
    known : collection of str or None
        Ids of the samples, of a sheet; None where no sheet is given.
    what : str, default "columns"
        What the file's samples are, for the note.
    """
    n_texts = np.bincount([row for row, _, _ in table.texts], minlength=len(table.row_ids))
    measured = (~np.isnan(table.cells)).sum(axis=1)
    texts = {i for i in np.flatnonzero(n_texts).tolist() if not measured[i] and _annotates(table, i)}
    listed = {i for i, name in enumerate(table.row_ids) if known is not None and name.strip() in known}
    named = {i for i, name in enumerate(table.row_ids) if name.strip().lower() in _ANNOTATIONS} - listed
    controls = {i for i, name in enumerate(table.row_ids) if is_no_sample(name.strip())} - listed
    texts -= listed
    if known is None and texts:
        _refuse(table, texts, named)
    if texts and listed:
        named |= {i for i in range(min(listed)) if i not in texts}
    out = texts | named | controls
    if not out or len(out) == len(table.row_ids):
        return table
    groups = ((texts, " (text)"), (named - texts - controls, ""), (controls - texts, " (no samples by their names)"))
    parts = [f"{first_three(table.row_ids[i] for i in sorted(group))}{why}" for group, why in groups if group]
    where = "are no samples" if known is None else "are in no row of the sample sheet"
    note = f"{what} {' and '.join(parts)} {where}: left out"
    keep = [i for i in range(len(table.row_ids)) if i not in out]
    return replace(table.turned().with_columns(keep).turned(), notes=(*table.notes, note), settled=table.settled)


def _annotates(table: WideTable, row: int) -> bool:
    """Whether the texts of a row are others than the marks of what was not detected."""
    words = {text.lower() for i, _, text in table.texts if i == row}
    return not words <= NOT_DETECTED_MARKS or table.row_ids[row].strip().lower() in _ANNOTATIONS


def _refuse(table: WideTable, texts: Collection[int], named: Collection[int]) -> None:
    words = first_three(table.row_ids[i] for i in sorted(texts))
    others = first_three(table.row_ids[i] for i in sorted(set(named) - set(texts)))
    also = f", and {others} describe molecules too" if others else ""
    out = {*texts, *named}
    example = _pattern(table.row_ids, [name for i, name in enumerate(table.row_ids) if i not in out])
    raise InputError(
        f"{table.source}: its columns {words} hold text{also}, so not every column is a sample; say which are, as with "
        f"--columns {example!r}, or take the others out"
    )


def _pattern(names: Sequence[str], samples: Sequence[str]) -> str:
    """Give a pattern that fits the samples and no other name; some of them where there is none."""
    start = os.path.commonprefix(list(samples))  # noqa: RUF071 - of names, not of paths
    others = [name for name in names if name not in samples]
    if start and not any(name.startswith(start) for name in others):
        return f"{start}*"
    return ",".join(samples[:3])
