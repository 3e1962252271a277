"""Do 90 % prediction sets cover each state, and do shuffled labels score 0.5? Prints a table over simulated cohorts.

Run as ``python tests/benchmarks/simulated_coverage.py [--seeds 50] [--jobs 2]``. Each seed simulates 360 samples of different
people; 120 train the default recipe, the others are scored.
"""

from __future__ import annotations

import argparse
import dataclasses

import numpy as np
from joblib import Parallel, delayed
from sklearn.metrics import roc_auc_score

from exoclassify.data.cohort import Cohort
from exoclassify.data.simulate import simulate
from exoclassify.data.simulation_design import SimulationDesign
from exoclassify.learning.fit import fit

N_TRAIN, N_NEW = 120, 240


def one_seed(seed: int, with_batches: bool, shuffled: bool) -> tuple[list[float], float, float, float]:
    """Fit one cohort; give coverage per state, mean set size, macro AUC on the new samples, share called wrongly."""
    cohort = simulate(SimulationDesign(seed=seed, n_samples=N_TRAIN + N_NEW, repeats=0.0)).cohort
    if not with_batches:
        cohort = Cohort.from_layers(cohort.layers, dataclasses.replace(cohort.sheet, batch_column=None))
    rows = np.random.default_rng(seed).permutation(N_TRAIN + N_NEW)
    train, new = cohort.take(np.sort(rows[:N_TRAIN])), cohort.take(np.sort(rows[N_TRAIN:]))
    if shuffled:
        frame = train.sheet.frame.copy()
        frame["label"] = np.random.default_rng(seed).permutation(frame["label"].to_numpy())
        train = Cohort.from_layers(train.layers, dataclasses.replace(train.sheet, frame=frame))
    found = fit(train, judge=False).predict(new.cargo, same_batch=True)
    y = np.searchsorted(found.states, new.y)
    held = found.sets[np.arange(len(y)), y]
    wrong = np.mean(
        [call not in ("uncertain", label) for call, label in zip(found.calls, new.y, strict=True)]
    )
    auc = roc_auc_score(y, found.probabilities, multi_class="ovr")
    return [held[y == k].mean() for k in range(3)], found.sets.sum(axis=1).mean(), auc, float(wrong)


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--seeds", type=int, default=50)
    parser.add_argument("--jobs", type=int, default=-1)
    options = parser.parse_args()
    print(
        "cohort            seeds  coverage of 90 % sets, per state  lowest  set size  AUC (sd)        called wrongly"
    )
    for name, batches, shuffled in (
        ("no batches", False, False),
        ("two batches", True, False),
        ("shuffled labels", False, True),
    ):
        jobs = (delayed(one_seed)(seed, batches, shuffled) for seed in range(options.seeds))
        results = Parallel(n_jobs=options.jobs)(jobs)
        coverage = np.mean([r[0] for r in results], axis=0)
        aucs, wrong = np.array([r[2] for r in results]), np.mean([r[3] for r in results])
        print(
            f"{name:<17} {len(results):>5}  {'   '.join(f'{c:.3f}' for c in coverage):<32}  {coverage.min():.3f}  "
            f"{np.mean([r[1] for r in results]):>8.2f}  {aucs.mean():.3f} ({aucs.std():.3f})  {wrong:.3f}"
        )


if __name__ == "__main__":
    main()
