"""What one answer costs: from molecule names to call, set, novelty and flags. Prints medians of processor time in microseconds.

Run as ``python tests/benchmarks/one_sample.py [--molecules 600]``. In the same run: the bare arithmetic of a linear model (one
matrix product), and what scikit-learn and XGBoost take for one row of a data frame.
"""

from __future__ import annotations

import argparse
import os
import time
from collections.abc import Callable

for _threads in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS"):
    os.environ.setdefault(_threads, "1")

import numpy as np
import pandas as pd
from sklearn.ensemble import RandomForestClassifier
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from xgboost import XGBClassifier

from exoclassify.learning.recipe import Recipe
from exoclassify.lifecycle.fit import fit
from exoclassify.simulation.design import SimulationDesign
from exoclassify.simulation.simulate import simulate


def microseconds(call: Callable[[], object], repeats: int) -> float:
    """Median time of one call."""
    call()
    taken = []
    for _ in range(repeats):
        start = time.thread_time()  # other work on the machine does not count
        call()
        taken.append(time.thread_time() - start)
    return float(np.median(taken)) * 1e6


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--molecules", type=int, default=600)
    parser.add_argument("--repeats", type=int, default=500)
    options = parser.parse_args()
    cohort = simulate(SimulationDesign(seed=1, n_samples=150, n_molecules=options.molecules)).cohort
    linear = fit(cohort, Recipe.of({"voices": [{"learner": "ridge"}]}), judge=False)
    blend = fit(cohort, judge=False)
    molecules = blend.panel.molecules
    named = dict(zip(molecules, cohort.cargo.aligned(molecules)[0].tolist(), strict=True))
    frame = pd.DataFrame(cohort.cargo.aligned(molecules), columns=list(molecules))
    logs, y = np.log2(frame + 1), np.unique(cohort.y, return_inverse=True)[1]
    row, matrix = logs.iloc[:1], np.zeros((len(molecules), 3))
    values = row.to_numpy()
    rows: dict[str, tuple[Callable[[], object], int]] = {
        "bare arithmetic: one matrix product": (lambda: values @ matrix, options.repeats),
        "exoclassify, linear bundle": (lambda: linear.predict_one(named), options.repeats),
        "exoclassify, default blend": (lambda: blend.predict_one(named), options.repeats),
    }
    peers = {
        "scikit-learn pipeline, logistic": make_pipeline(StandardScaler(), LogisticRegression(max_iter=2000)),
        "scikit-learn forest of 500": RandomForestClassifier(500, random_state=0),
        "XGBoost, 300 trees": XGBClassifier(n_estimators=300, max_depth=3, n_jobs=1),
    }
    for name, model in peers.items():
        model.fit(logs, y)
        rows[f"{name}: predict_proba of a frame"] = (lambda model=model: model.predict_proba(row), 30)
    print(f"one sample, panel of {len(molecules)} molecules, 3 states; median microseconds of processor time")
    base = None
    for name, (call, repeats) in rows.items():
        taken = microseconds(call, repeats)
        base = taken if name == "exoclassify, default blend" else base
        ratio = "" if base is None else f"{taken / base:>8.1f} x the blend"
        print(f"{name:<58}{taken:>9.0f}{ratio}")


if __name__ == "__main__":
    main()
