"""How many traps of each kind the audit finds, and how often it cries wolf: the figures of the README.

``python tests/benchmarks/audit_traps.py`` prints all; ``--seeds 3 --cohorts 20 --strengths 0.8`` a shorter look; ``--first 100``
takes other seeds; ``--data FOLDER`` adds real tables, each a folder with X.csv and y.csv, and says what is found in them. The
traps are those of tests/traps.py and tests/traps_invented.py.
"""

from __future__ import annotations

import argparse
import sys
import warnings
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

import numpy as np

sys.path.insert(0, str(Path(__file__).parents[1]))
from exoclassify.auditing.audit import audit
from exoclassify.auditing.findings import Audit
from exoclassify.auditing.judged import Judged
from exoclassify.auditing.labels import contradiction
from exoclassify.data.cohort import Cohort
from exoclassify.judging.metrics import auc
from exoclassify.learning.samples import Samples
from traps import STRENGTHS, TRAPS, clean, found_by, swapped, two_sites
from traps_invented import INVENTED

REAL = {
    "migraine": ("mirna", "counts", None, "batch", ("missing-subjects", "batch-confounded")),
    "osteoarthritis": ("mirna", "counts", None, None, ("technical-baseline",)),
    "pelvic-pain": ("mirna", "counts", None, None, ("sample-size",)),
    "ibd-peptide": ("protein", "intensity", None, None, ("missingness-informative",)),
    "exercise-protein": ("protein", "intensity", None, None, ("missing-subjects",)),
    "parkinson-trap": ("mirna", "counts", None, None, ("run-order", "technical-baseline", "failed-libraries")),
    "parkinson-sites": ("mirna", "counts", None, "batch", ("batch-confounded",)),
    "colorectal": ("mirna", "counts", None, None, ("missing-subjects", "run-order")),
}
"""Kind, unit, subject and batch column, and the checks that must say something."""


def traps(seeds: range, strengths: Sequence[float], only: str) -> None:
    print("traps found, of", len(seeds), "seeds, where the trap alone reaches AUC", *strengths)
    for name, trap in {**TRAPS, **INVENTED}.items():
        if only not in name:
            continue
        counts = [
            sum(bool(found_by(trap, audit(trap.make(seed, strength), curve=False))) for seed in seeds)
            for strength in strengths
        ]
        graded = "" if trap.graded else "  (sizes, not strengths)"
        print(f"{name:46}", *(f"{count / len(seeds):5.0%}" for count in counts), trap.severity, graded, flush=True)


def peaceful(cohorts: int, first: int) -> None:
    for effect in (0.0, 1.0):
        found: list[Audit] = []
        for seed in range(cohorts):
            n = 40 + 37 * seed % 161
            found.append(audit(clean(10_000 + first + seed, n, effect=effect), curve=False))
        report(f"clean, effect {effect:g}, 40 to 200 samples", found)
    report(
        "two sites of 25 and 75 % cases, effect 1",
        [audit(two_sites(first + s), curve=False) for s in range(cohorts // 5)],
    )


def report(what: str, found: list[Audit]) -> None:
    critical = sum(one.count("critical") > 0 for one in found)
    warned = sum(one.count("warning") for one in found)
    print(f"{what}: {critical} of {len(found)} with a false critical, {warned / len(found):.2f} warnings a cohort")
    told = Counter((f.severity, f.check) for one in found for f in one.findings if f.severity != "info")
    print(
        "   ", "; ".join(f"{count} {severity} {check}" for (severity, check), count in told.most_common()), flush=True
    )


def labels(seeds: int) -> None:
    areas = []
    for seed in range(seeds):
        cohort, rows = swapped(seed, 6)
        wrong = np.isin(np.arange(cohort.n_samples), rows)
        areas.append(auc(contradiction(Judged.reference(Samples.of(cohort))), wrong).value)
    print(
        f"6 of 120 labels swapped, effect 1.5: ranked at AUC {np.mean(areas):.2f} ({min(areas):.2f} to {max(areas):.2f})"
    )


def real(folder: Path) -> None:
    for name, (kind, unit, subject, batch, checks) in REAL.items():
        tables = [path for path in (folder / name / "X.csv", folder / name / "X.csv.gz") if path.exists()]
        if not tables:
            continue
        cohort = Cohort.read(
            tables[0], kind=kind, unit=unit, samples=folder / name / "y.csv", label="label", subject=subject, batch=batch
        )  # fmt: skip
        found = audit(cohort, curve=False)
        print(f"{name}: {found.verdict}")
        for check in checks:
            told = [f for f in found.findings if f.check == check]
            print(
                "   ",
                *(f"{f.severity}: {f.message}\n    " for f in told[:3]) if told else (f"NOT FOUND: {check}",),
                sep="",
            )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seeds", type=int, default=10)
    parser.add_argument("--cohorts", type=int, default=100)
    parser.add_argument("--first", type=int, default=0, help="the first seed")
    parser.add_argument("--strengths", type=float, nargs="+", default=STRENGTHS, choices=STRENGTHS)
    parser.add_argument("--only", default="", help="part of the name of a trap")
    parser.add_argument("--data", type=Path)
    chosen = parser.parse_args()
    warnings.simplefilter("ignore")
    if chosen.cohorts:
        peaceful(chosen.cohorts, chosen.first)
    if chosen.seeds:
        labels(chosen.seeds)
        traps(range(chosen.first, chosen.first + chosen.seeds), chosen.strengths, chosen.only)
    if chosen.data is not None:
        real(chosen.data)


if __name__ == "__main__":
    main()
