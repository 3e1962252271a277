"""Do 90 % prediction sets cover each state, in the batches trained on and in one not seen, and do shuffled labels score 0.5?

Run as ``python tests/benchmarks/simulated_coverage.py [--seeds 50] [--jobs 2]``. Each seed simulates people of its own; the
default recipe is trained on 120 samples, or on two to four batches of 50, and the others are scored. Prints a table.
"""

from __future__ import annotations

import argparse
import dataclasses
import itertools
from collections.abc import Callable
from functools import partial

import numpy as np
from joblib import Parallel, delayed
from sklearn.metrics import roc_auc_score

from exoclassify.data.cohort import Cohort
from exoclassify.lifecycle.fit import fit
from exoclassify.model.prediction import Use
from exoclassify.simulation.design import SimulationDesign
from exoclassify.simulation.simulate import simulate

N_TRAIN, N_NEW = 120, 240


Row = tuple[list[float], float, float, float, float]


def one_seed(seed: int, with_batches: bool, shuffled: bool) -> Row:
    """Train and score people of the same batches."""
    cohort = simulate(SimulationDesign(seed=seed, n_samples=N_TRAIN + N_NEW, repeats=0.0)).cohort
    if not with_batches:
        cohort = Cohort.from_layers(cohort.layers, dataclasses.replace(cohort.sheet, batch_column=None))
    rows = np.random.default_rng(seed).permutation(N_TRAIN + N_NEW)
    train, new = cohort.take(np.sort(rows[:N_TRAIN])), cohort.take(np.sort(rows[N_TRAIN:]))
    if shuffled:
        frame = train.sheet.frame.copy()
        frame["label"] = np.random.default_rng(seed).permutation(frame["label"].to_numpy())
        train = Cohort.from_layers(train.layers, dataclasses.replace(train.sheet, frame=frame))
    return judged(train, new, same_batch=True)


def one_new_batch(seed: int, n_batches: int, batch_effect: float, same_batch: bool) -> Row:
    """Train on all batches but one, and score that one; `same_batch` says, wrongly, that it was trained on."""
    design = SimulationDesign(
        seed=seed, n_samples=50 * (n_batches + 1), n_batches=n_batches + 1, batch_effect=batch_effect, repeats=0.0
    )
    cohort = simulate(design).cohort
    new = cohort.batches == f"B{n_batches + 1}"
    return judged(cohort.take(~new), cohort.take(new), same_batch=same_batch)


def judged(train: Cohort, new: Cohort, *, same_batch: bool) -> Row:
    """Give coverage per state, mean set size, macro AUC, share called, share called wrongly."""
    found = fit(train, judge=False).predict(new.cargo, Use(same_batch=same_batch))
    y = np.searchsorted(found.states, new.y)
    held = found.sets[np.arange(len(y)), y]
    called = np.array(found.calls) != "uncertain"
    wrong = called & (np.array(found.calls) != new.y)
    auc = roc_auc_score(y, found.probabilities, multi_class="ovr")
    return ([held[y == k].mean() for k in range(3)], found.sets.sum(axis=1).mean(), auc, called.mean(), wrong.mean())


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--seeds", type=int, default=50)
    parser.add_argument("--jobs", type=int, default=-1)
    options = parser.parse_args()
    rows: dict[str, Callable[[int], Row]] = {
        "no batches": partial(one_seed, with_batches=False, shuffled=False),
        "two batches": partial(one_seed, with_batches=True, shuffled=False),
        "shuffled labels": partial(one_seed, with_batches=False, shuffled=True),
    }
    for n, effect in itertools.product((2, 4), (0.5, 1.0)):
        for same, say in ((False, ""), (True, ", said to be one of them")):
            rows[f"a new batch after {n}, sd {effect:g}{say}"] = partial(
                one_new_batch, n_batches=n, batch_effect=effect, same_batch=same
            )
    print(f"{'cohort':<54}coverage of 90 % sets, per state  lowest  set size  AUC (sd)       called  wrongly")
    for name, row in rows.items():
        results = Parallel(n_jobs=options.jobs)(delayed(row)(seed) for seed in range(options.seeds))
        coverage = np.mean([r[0] for r in results], axis=0)
        size, auc, called, wrong = (np.array([r[i] for r in results]) for i in range(1, 5))
        print(
            f"{name:<54}{'   '.join(f'{c:.3f}' for c in coverage):<34}{coverage.min():.3f}  {size.mean():>8.2f}  "
            f"{auc.mean():.3f} ({auc.std():.3f})  {called.mean():>6.3f}  {wrong.mean():>7.3f}",
            flush=True,
        )


if __name__ == "__main__":
    main()
