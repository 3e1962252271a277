"""How discover keeps its promise: false share, null cohorts, power and time, on cohorts whose truth is known.

    python tests/benchmarks/discovery.py [--seeds 50] [--real FOLDER] [--stabl 5] [--only NAME]

Simulated cohorts come from `exoclassify.simulation.simulate`. Semi-synthetic ones are halves of real tables (--real:
a folder with migraine/ and colorectal/, each X.csv and y.csv): samples of one state get made-up labels, and the
counts of chosen molecules are thinned on one side (Gerard 2020, doi 10.1186/s12859-020-3450-9), which leaves noise
and co-expression as they are. `stabl` is the method of Hédou et al. 2024 (doi 10.1038/s41587-023-02033-x) stated
again from the paper: 200 halves, L1 logistic regression, permuted features as decoys, the threshold of least
estimated false share."""

from __future__ import annotations

import os

os.environ |= {"OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"}

import argparse
import time
import warnings
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np
import pandas as pd
from scipy.stats import false_discovery_control, ttest_ind
from sklearn.linear_model import LogisticRegression

from exoclassify.data.cargo import CargoTable
from exoclassify.data.cohort import Cohort
from exoclassify.data.samples import SampleSheet
from exoclassify.discovery.discover import discover
from exoclassify.discovery.signature import Signature
from exoclassify.simulation.simulate import SimulationDesign, simulate

LEVELS = np.concatenate([np.geomspace(1e-4, 0.1, 40), np.linspace(0.11, 0.9, 40)])


@dataclass(frozen=True)
class Case:
    """A cohort and the molecules that truly differ."""

    cohort: Cohort
    truth: frozenset[str]


def simulated(n: int, p: int, seed: int, *, effect: float = 1.0, markers: int = 20, confounded: float = 0.0) -> Case:
    design = SimulationDesign(
        seed=seed,
        n_samples=n,
        states=("control", "pain"),
        n_molecules=p,
        n_markers=markers,
        effect=effect,
        confounded=confounded,
    )
    made = simulate(design)
    return Case(made.cohort, frozenset(made.truth["molecule"]) if effect else frozenset())


def semi(
    folder: Path, table: str, n: int, seed: int, *, effect: float = 1.5, markers: int = 20, confounded: float = 0.0
) -> Case:
    """Half of the samples of the larger state, as pain and control; a batch shift, confounded at `confounded`."""
    rng = np.random.default_rng(seed)
    X = pd.read_csv(folder / table / "X.csv", index_col=0)
    labels = pd.read_csv(folder / table / "y.csv", index_col=0)["label"].loc[X.index]
    larger = labels.value_counts().index[0]
    chosen = rng.permutation(np.flatnonzero(labels == larger))[:n]
    counts = X.to_numpy(dtype=np.int64)[chosen]
    y = rng.permutation(np.arange(len(chosen)) % 2)
    batch = rng.permutation(np.arange(len(chosen)) % 2)
    follows = rng.random(len(chosen)) < confounded
    batch[follows] = y[follows]
    shift = rng.normal(0, 0.5, counts.shape[1])
    counts = thinned(rng, counts, np.where(batch[:, None] == (shift > 0), 1.0, np.exp2(-np.abs(shift))))
    found = np.flatnonzero((counts > 0).mean(axis=0) > 0.5)
    marked = rng.choice(found, markers, replace=False)
    size = effect * rng.uniform(0.5, 1.5, markers) * rng.choice([-1, 1], markers)
    share = np.ones(counts.shape)
    share[:, marked] = np.where(y[:, None] == (size > 0), 1.0, np.exp2(-np.abs(size)))
    counts = thinned(rng, counts, share) if effect else counts
    ids = [f"S{i:03d}" for i in range(len(chosen))]
    frame = pd.DataFrame(counts.astype(float), ids, X.columns)
    kept = frame.loc[:, frame.sum(axis=0) > 0]
    sheet = pd.DataFrame({"label": np.where(y == 1, "pain", "control"), "batch": [f"B{b}" for b in batch]}, ids)
    cargo = CargoTable.from_frame(kept, kind="mirna", unit="counts")
    cohort = Cohort.from_layers({"mirna": cargo}, SampleSheet(sheet, label_column="label", batch_column="batch"))
    names = dict(zip(cargo.written or cargo.molecules, cargo.molecules, strict=True))
    return Case(cohort, frozenset(names[X.columns[j]] for j in marked) if effect else frozenset())


def thinned(rng: np.random.Generator, counts: np.ndarray, share: np.ndarray) -> np.ndarray:
    return rng.binomial(counts, share)


def log_cpm(found: Signature) -> np.ndarray:
    """What a plain analysis tests: log counts per million of the same molecules."""
    table = found.contrast.cohort.cargo
    X = table.aligned(found.measured.molecules)
    return np.log2((X + 0.5) / (table.values.sum(axis=1, keepdims=True) + 1) * 1e6)


def welch(found: Signature) -> np.ndarray:
    V, y = log_cpm(found), found.contrast.y
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        p = ttest_ind(V[y == 1], V[y == 0], equal_var=False).pvalue
    return np.nan_to_num(p, nan=1.0)


def stabl(found: Signature, seed: int, bootstraps: int = 200) -> tuple[np.ndarray, np.ndarray]:
    """Frequencies of the molecules and of as many decoys; the time is that of one core."""
    rng = np.random.default_rng(seed)
    V, y = log_cpm(found), found.contrast.y
    decoys = np.apply_along_axis(rng.permutation, 0, V)
    Z = np.hstack([V, decoys])
    Z = (Z - Z.mean(axis=0)) / np.where(Z.std(axis=0) > 0, Z.std(axis=0), 1)
    grid = np.geomspace(0.01, 1, 10)
    counts = np.zeros((len(grid), Z.shape[1]))
    for _ in range(bootstraps):
        rows = np.concatenate(
            [rng.choice(np.flatnonzero(y == k), max(2, int((y == k).sum() / 2)), replace=False) for k in (0, 1)]
        )
        for i, C in enumerate(grid):
            model = LogisticRegression(C=C, l1_ratio=1.0, solver="liblinear", class_weight="balanced", max_iter=200)
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                counts[i] += np.abs(model.fit(Z[rows], y[rows]).coef_[0]) > 1e-5
    frequency = counts.max(axis=0) / bootstraps
    return frequency[: V.shape[1]], frequency[V.shape[1] :]


def stabl_selected(real: np.ndarray, decoys: np.ndarray) -> np.ndarray:
    grid = np.arange(0, 1, 0.01)
    estimate = np.array([(1 + (decoys > t).sum()) / max((real > t).sum(), 1) for t in grid])
    chosen = real > grid[int(estimate.argmin())]
    return chosen if estimate.min() < 1 else np.zeros(len(real), dtype=bool)


def rates(chosen: np.ndarray, true: np.ndarray) -> tuple[float, float, int]:
    false = float((chosen & ~true).sum() / max(chosen.sum(), 1))
    return false, float((chosen & true).sum() / max(true.sum(), 1)), int(chosen.sum())


def curve_power(ranks: list[np.ndarray], truths: list[np.ndarray], levels: np.ndarray, at: float) -> float:
    """Best power of a rule at the level where its realised false share is that of another rule."""
    points = np.array(
        [
            np.mean([rates(value <= level, true)[:2] for value, true in zip(ranks, truths, strict=True)], axis=0)
            for level in levels
        ]
    )
    within = points[points[:, 0] <= at + 1e-9]
    return float(within[:, 1].max()) if len(within) else 0.0


def row(name: str, make: Callable[[int], Case], seeds: int, n_stabl: int) -> str:
    ours, adjusted, plain, truths, seconds = [], [], [], [], []
    stabl_rows, stabl_seconds, ours_beside = [], [], []
    for seed in range(seeds):
        case = make(seed)
        start = time.perf_counter()
        found = discover(case.cohort, state="pain", panel=False, seed=seed)
        seconds.append(time.perf_counter() - start)
        true = np.isin(found.measured.molecules, list(case.truth))
        truths.append(true)
        ours.append(rates(found.stability.selected, true))
        adjusted.append(found.tests.q)
        plain.append(false_discovery_control(welch(found)))
        if seed < n_stabl:
            start = time.perf_counter()
            chosen = stabl_selected(*stabl(found, seed))
            stabl_seconds.append(time.perf_counter() - start)
            stabl_rows.append(rates(chosen, true))
            ours_beside.append(ours[-1])
    table = np.array(ours)
    false = table[:, 0]
    error = 1.96 * false.std(ddof=1) / np.sqrt(seeds)
    text = (
        f"{name:<34} {false.mean():.3f} (≤ {false.mean() + error:.3f})  any {np.mean(table[:, 2] > 0):.2f}  "
        f"n {table[:, 2].mean():5.1f}  {np.mean(seconds):5.1f} s"
    )
    if any(true.any() for true in truths):
        at = float(false.mean())
        bh = np.array([rates(q <= 0.1, true) for q, true in zip(plain, truths, strict=True)])
        text += (
            f"  power {table[:, 1].mean():.3f}  Welch-BH there {curve_power(plain, truths, LEVELS, at):.3f}  "
            f"limma-BH there {curve_power(adjusted, truths, LEVELS, at):.3f}  "
            f"(Welch-BH at 0.1: {bh[:, 0].mean():.3f}/{bh[:, 1].mean():.3f})"
        )
    if stabl_rows:
        theirs, beside = np.array(stabl_rows), np.array(ours_beside)
        text += (
            f"\n{'':<34} stabl, {len(theirs)} seeds: false {theirs[:, 0].mean():.3f} power {theirs[:, 1].mean():.3f} "
            f"{np.mean(stabl_seconds):.1f} s; discover on these: {beside[:, 0].mean():.3f} {beside[:, 1].mean():.3f} "
            f"{np.mean(seconds[: len(theirs)]):.1f} s"
        )
    return text


def scenarios(real: Path | None) -> Iterator[tuple[str, Callable[[int], Case]]]:
    for n, p in ((60, 500), (60, 1500), (120, 1000), (240, 2000)):
        yield f"simulated {n} x {p}", partial(simulated, n, p)
    for n, p in ((60, 1500), (120, 1000)):
        yield f"simulated {n} x {p}, confounded .15", partial(simulated, n, p, confounded=0.15)
    for n, p in ((60, 500), (60, 1500), (120, 1000), (240, 2000)):
        yield f"null {n} x {p}", partial(simulated, n, p, effect=0.0)
    if real is not None:
        for table, n in (("colorectal", 60), ("colorectal", 120), ("migraine", 40)):
            yield f"{table} {n}, spiked", partial(semi, real, table, n)
            yield f"{table} {n}, null", partial(semi, real, table, n, effect=0.0)
        yield "colorectal 120, spiked, conf. .15", partial(semi, real, "colorectal", 120, confounded=0.15)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seeds", type=int, default=50)
    parser.add_argument("--real", type=Path)
    parser.add_argument("--stabl", type=int, default=0, help="seeds of the first two scenarios that stabl runs on too")
    parser.add_argument("--only", default="", help="scenarios whose name holds this")
    asked = parser.parse_args()
    print("scenario                           false share (upper bound of its 95 % interval)")
    n_stabl = asked.stabl
    for name, make in scenarios(asked.real):
        if asked.only in name:
            print(row(name, make, asked.seeds, min(n_stabl, asked.seeds)), flush=True)
            n_stabl = n_stabl if name in ("simulated 60 x 500",) else 0


if __name__ == "__main__":
    main()
