"""Samples that are the same library twice, here, in another file, or in a public project."""

from __future__ import annotations

import numpy as np
from scipy.stats import rankdata

from exoclassify.auditing.findings import Finding
from exoclassify.data.cargo import CargoTable
from exoclassify.data.cohort import Cohort
from exoclassify.data.quality import missing_mask
from exoclassify.errors import first_three
from exoclassify.evidence.fingerprints import Fingerprints
from exoclassify.tables.ids import counted
from exoclassify.typing import Floats

__all__ = ["MOST", "alike", "alike_within", "audit_alike", "audit_public"]


_EXPRESSED = 0.5  # a molecule found in half of the samples
_SAME_LIBRARY = 0.985  # technical replicates of one library; different persons of one cohort lie below .96
_SAME_RESIDUAL = 0.9  # after the mean profile of the cohort is taken away
MOST = 5000  # samples compared pair by pair: the matrix of more would not fit


def alike(table: CargoTable) -> tuple[Floats, Floats]:
    """Rank correlation of every pair of samples on molecules found in half of them, the diagonal NaN.

    As it is (Spearman's), and with the mean rank of each molecule taken away, which leaves what is the sample's own.
    """
    ranks = _ranks(table)
    return _correlation(ranks), _correlation(ranks - ranks.mean(axis=0))


def _ranks(table: CargoTable) -> Floats:
    """Ranks of the molecules found in half of the samples, within each sample."""
    missing = missing_mask(table) | (table.values == 0)
    kept = np.flatnonzero((~missing).mean(axis=0) >= _EXPRESSED)
    values = np.where(np.isnan(table.values), -np.inf, table.values)[:, kept]
    if table.unit == "ct":
        values = np.where(np.isinf(values), values, -values)
    return np.asarray(rankdata(values, axis=1)) if len(kept) else np.zeros((table.n_samples, 1))


def _correlation(rows: Floats) -> Floats:
    centred = rows - rows.mean(axis=1, keepdims=True)
    norm = np.linalg.norm(centred, axis=1)
    scaled = centred / np.where(norm > 0, norm, np.inf)[:, None]
    result: Floats = scaled @ scaled.T
    np.fill_diagonal(result, np.nan)
    return result


def audit_alike(cohort: Cohort, against: CargoTable | None = None) -> list[Finding]:
    """Look for libraries that are nearly the same, in the cohort and in another file that a model is to be tested on."""
    table = cohort.cargo
    n = table.n_samples
    if n > MOST:
        message = f"{n} samples are too many to be compared pair by pair; near-duplicates were not looked for."
        mend = f"audit parts of at most {MOST} samples, with --against for the others"
        return [Finding("near-duplicates", f"{n} samples", "pairs", None, "info", message, mend)]
    raw, residual = alike(table)
    near = np.argwhere(np.triu((raw >= _SAME_LIBRARY) & (residual >= _SAME_RESIDUAL), k=1))
    pairs = sorted(((float(raw[i, j]), int(i), int(j)) for i, j in near), reverse=True)
    found = [_of_pairs(pairs, cohort)]
    return found if against is None else [*found, _across(table, against)]


def _of_pairs(pairs: list[tuple[float, int, int]], cohort: Cohort) -> Finding:
    if not pairs:
        message = "No two samples are nearly the same library (rank correlation on expressed molecules)."
        return Finding("near-duplicates", f"{cohort.n_samples} samples", "pairs", 0.0, "info", message)
    ids, groups, y = cohort.cargo.sample_ids, cohort.groups, cohort.y
    names = [f"{ids[i]} and {ids[j]}" for _, i, j in pairs]
    named = first_three(f"{name} ({r:.3f})" for name, (r, _, _) in zip(names, pairs, strict=True))
    apart = sum(groups[i] != groups[j] for _, i, j in pairs)
    crossed = sum(y[i] != y[j] for _, i, j in pairs)
    message = f"{counted(len(pairs), 'pairs', 'is', 'are')} nearly the same library twice ({named})"
    if apart:
        message += f"; {apart} under two subject ids, so one may be trained on and the other tested on"
    if crossed:
        message += f"; {crossed} even in two states"
    mend = "find out whether they are one library or one person; keep one, or give both the same subject id"
    return Finding(
        "near-duplicates",
        first_three(names),
        "pairs",
        float(len(pairs)),
        "critical" if apart else "warning",
        f"{message}.",
        mend,
    )


def _across(table: CargoTable, other: CargoTable) -> Finding:
    shared = [m for m in table.molecules if m in set(other.molecules)]
    here = [table.molecules.index(m) for m in shared]
    there = {m: i for i, m in enumerate(other.molecules)}
    joined = np.vstack([table.values[:, here], other.values[:, [there[m] for m in shared]]])
    ids = tuple(f"{table.source}:{s}" for s in table.sample_ids) + tuple(
        f"{other.source}:{s}" for s in other.sample_ids
    )
    both = CargoTable(joined, ids, tuple(shared), table.kind, table.unit, not_detected=table.not_detected)
    n = table.n_samples
    raw, residual = alike(both)
    near = np.argwhere((raw[:n, n:] >= _SAME_LIBRARY) & (residual[:n, n:] >= _SAME_RESIDUAL))
    subject = f"{table.source} against {other.source}"
    if not len(near):
        message = f"No sample of {other.source} is nearly the same library as one of {table.source}."
        return Finding("near-duplicates", subject, "pairs", 0.0, "info", message)
    named = first_three(f"{table.sample_ids[i]} and {other.sample_ids[j]}" for i, j in near)
    message = f"{len(near)} samples of {other.source} are nearly the same library as one of {table.source} ({named})."
    mend = "take them out of one of the two files: a test on samples that were trained on is no test"
    return Finding("near-duplicates", subject, "pairs", float(len(near)), "critical", message, mend)


def alike_within(cohort: Cohort) -> Floats:
    """Rank correlation of every pair of samples after the mean profile of their state and batch is taken away."""
    ranks = _ranks(cohort.cargo)
    batches = cohort.batches if cohort.batches is not None else np.zeros(len(ranks), dtype=np.str_)
    for labels in (cohort.y, batches):  # one after the other: cells of both may hold a single sample
        for level in np.unique(labels):
            ranks[labels == level] -= ranks[labels == level].mean(axis=0)
    return _correlation(ranks)


def audit_public(cohort: Cohort) -> list[Finding]:
    """Tell the samples that are libraries of public projects; finding none does not show that there is none."""
    return [
        Finding(
            "public-libraries", one.accession, "samples", float(len(one.samples)), "warning",
            f"{len(one.samples)} of your samples are {one.accession} ({first_three(one.samples)}), by their profiles.",
            "do not count them as another cohort, nor judge on them a model trained on that project; leave it out of priors with "
            f"discover --informed --leave-out {one.accession}",
        )
        for one in Fingerprints.read().recognise(cohort.cargo)
    ]  # fmt: skip
