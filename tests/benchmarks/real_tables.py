"""The default recipe against its parts, and the usual learners, on real tables. Prints AUC within folds and log-loss.

Run as ``python tests/benchmarks/real_tables.py DATA [--jobs 2] [--tasks migraine-A-B,…]``, where DATA holds the folders
migraine, osteoarthritis, parkinson-trap, colorectal, exercise-protein and ibd-peptide, each with X.csv and y.csv; they are
not part of this repository. All columns of a row share their folds. The usual learners get log2 CPM (log2 intensity with
training minima for gaps), standardised in the fold; "equal blend" is the mean of their log-odds.
"""

from __future__ import annotations

import argparse
import os
from collections.abc import Callable
from pathlib import Path

for _threads in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS"):
    os.environ.setdefault(_threads, "1")  # one fold a process

import numpy as np
import pandas as pd
from joblib import Parallel, delayed
from sklearn.ensemble import RandomForestClassifier
from sklearn.linear_model import LogisticRegressionCV
from sklearn.metrics import log_loss, roc_auc_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.svm import SVC
from xgboost import XGBClassifier

from exoclassify.data.cohort import Cohort
from exoclassify.judging.evaluate import said
from exoclassify.learning.folds import Fold, stratified_folds
from exoclassify.learning.learn import learn
from exoclassify.learning.recipe import Recipe
from exoclassify.learning.samples import Samples

PEERS: dict[str, Callable[[], object]] = {
    "ridge": lambda: LogisticRegressionCV(
        Cs=np.logspace(-5, 1, 7),
        l1_ratios=(0,),
        scoring="neg_log_loss",
        cv=5,
        max_iter=2000,
        use_legacy_attributes=False,
    ),
    "SVM": lambda: SVC(C=1.0, gamma="scale"),
    "forest": lambda: RandomForestClassifier(500, random_state=0),
    "XGBoost": lambda: XGBClassifier(n_estimators=200, max_depth=3, learning_rate=0.05, subsample=0.8, n_jobs=1),
}


def read(folder: Path, kind: str, unit: str, subject: str | None = None) -> tuple[Samples, pd.DataFrame]:
    """Read one table as codes, and its sheet."""
    cohort = Cohort.read(
        folder / "X.csv", kind=kind, unit=unit, samples=folder / "y.csv", label="label", subject=subject
    )
    states, y = np.unique(cohort.y, return_inverse=True)
    groups = np.unique(cohort.groups, return_inverse=True)[1]
    return Samples(cohort.X, y, groups, None, tuple(states), unit, None), cohort.sheet.frame


def folds_of(samples: Samples, repeats: int) -> list[Fold]:
    """Five folds, repeated."""
    return [fold for r in range(repeats) for fold in stratified_folds(samples.y, samples.groups, 5, r)]


def tasks(data: Path) -> dict[str, tuple[Samples, list[Fold]]]:
    """All tasks: migraine across its batches, and cross-validation on the others."""
    migraine, sheet = read(data / "migraine", "mirna", "counts")
    first = np.flatnonzero((sheet["batch"] == "A").to_numpy())
    second = np.flatnonzero((sheet["batch"] == "B").to_numpy())
    found = {
        "migraine-A-B": (migraine, [(first, second)]),
        "migraine-B-A": (migraine, [(second, first)]),
        "migraine-random (leaks)": (migraine, folds_of(migraine, 2)),
    }
    for name, kind, unit, subject, repeats in (
        ("osteoarthritis", "mirna", "counts", None, 4),
        ("parkinson-trap", "mirna", "counts", None, 1),
        ("colorectal", "mirna", "counts", None, 1),
        ("exercise-protein", "protein", "intensity", "subject", 2),
        ("ibd-peptide", "protein", "intensity", None, 4),
    ):
        samples, sheet = read(data / name, kind, unit, subject)
        found[name] = (samples, folds_of(samples, repeats))
        if name == "exercise-protein":
            for other in ("time2", "time4"):
                rows = np.flatnonzero(sheet["time"].isin(["time1", other]).to_numpy())
                part = samples.take(rows)
                y = (sheet["time"].to_numpy()[rows] == other).astype(np.intp)
                timed = Samples(part.X, y, part.groups, None, ("time1", other), part.unit, None)
                found[f"{name}, {other}"] = (timed, folds_of(timed, 2))
    return found


def plain_logs(samples: Samples, train: np.ndarray) -> np.ndarray:
    """What the usual learners see."""
    if samples.unit == "counts":
        logs = np.log2(samples.X / samples.X.sum(axis=1, keepdims=True) * 1e6 + 1)
        return logs[:, (samples.X[train] > 0).mean(axis=0) >= 0.2]
    logs = np.log2(np.where(samples.X > 0, samples.X, np.nan))
    logs = logs[:, np.isfinite(logs[train]).mean(axis=0) >= 0.2]
    return np.where(np.isnan(logs), np.nanmin(logs[train], axis=0), logs)


def one_fold(samples: Samples, fold: Fold) -> dict[str, np.ndarray]:
    """Log-odds of the second state by every method, and what the blend would have called."""
    train, test = fold
    learned = learn(samples.take(train), Recipe())
    log_p, _, _, calls = said(learned, samples, Recipe(), test)
    found = {"exoclassify": log_p[:, 1] - log_p[:, 0]}
    found["called wrongly"] = ((calls >= 0) & (calls != samples.y[test])).astype(float)
    logs = plain_logs(samples, train)
    for name, make in PEERS.items():
        model = make_pipeline(StandardScaler(), make()).fit(logs[train], samples.y[train])
        if name == "SVM":
            found[name] = model.decision_function(logs[test])
        else:
            p = np.clip(model.predict_proba(logs[test])[:, 1], 1e-3, 1 - 1e-3)
            found[name] = np.log(p / (1 - p))
    found["equal blend"] = np.mean([found[name] for name in PEERS], axis=0)
    return found


def main() -> None:
    """Print one row a task."""
    parser = argparse.ArgumentParser()
    parser.add_argument("data", type=Path)
    parser.add_argument("--jobs", type=int, default=-1)
    parser.add_argument("--tasks", default="")
    options = parser.parse_args()
    chosen = {k: v for k, v in tasks(options.data).items() if not options.tasks or k in options.tasks.split(",")}
    methods = ["exoclassify", *PEERS, "equal blend"]
    print(f"{'AUC within folds | log-loss':<26}" + "".join(f"{m:>16}" for m in methods) + "  called wrongly")
    table = []
    for name, (samples, folds) in chosen.items():
        answers = Parallel(n_jobs=options.jobs)(delayed(one_fold)(samples, fold) for fold in folds)
        row = []
        for method in methods:
            aucs = [roc_auc_score(samples.y[t], a[method]) for a, (_, t) in zip(answers, folds, strict=True)]
            truth = np.concatenate([samples.y[t] for _, t in folds])
            p = 1 / (1 + np.exp(-np.concatenate([a[method] for a in answers])))
            row.append((np.mean(aucs), log_loss(truth, p)))
        wrong = np.mean(np.concatenate([a["called wrongly"] for a in answers]))
        table.append(row)
        print(f"{name:<26}" + "".join(f"{a:>9.3f} | {loss:.2f}" for a, loss in row) + f"  {wrong:>13.3f}", flush=True)
    mean = np.mean(table, axis=0)
    print(f"{'mean':<26}" + "".join(f"{a:>9.3f} | {loss:.2f}" for a, loss in mean))
    print(
        "called wrongly: share of all samples, had the samples been said to come from the training batch (--same-batch)"
    )


if __name__ == "__main__":
    main()
