"""A model taken to another batch, as it is and recalibrated there: `python tests/benchmarks/new_site.py FOLDER`.

FOLDER holds X.csv (miRNA counts) and y.csv (sample_id, label, batch) of two batches. A model is trained on one; of the other,
LOCAL samples with known states recalibrate it, and it answers for the rest, over SPLITS random splits.
"""

from __future__ import annotations

import os

os.environ.setdefault("OMP_NUM_THREADS", "1")

import sys
from pathlib import Path

import numpy as np
from scipy.special import log_softmax

from exoclassify.data.cohort import Cohort
from exoclassify.learning.fit import fit
from exoclassify.learning.recalibrate import recalibrate
from exoclassify.model.bundle import ModelBundle
from exoclassify.model.prediction import prevalence_shift

SPLITS = 50
LOCAL = (15, 20)


def main(folder: Path) -> None:
    cohort = Cohort.read(
        folder / "X.csv", kind="mirna", unit="counts", samples=folder / "y.csv", label="label", batch="batch"
    )
    assert cohort.batches is not None
    first, second = np.unique(cohort.batches)
    print(f"{SPLITS} splits; log-loss on the samples not used, at their batch's mix; sets at 90 %, by state")
    print(
        f"{'from → to':10} {'local':>5} {'guess':>6} {'as it is':>8} {'recalibrated':>12} {'below guess':>11} "
        f"{'sets hold':>24} {'states in a set':>15} {'called':>7} {'wrongly':>7}"
    )
    for source, target in ((first, second), (second, first)):
        model = fit(cohort.take(cohort.batches == source), judge=False, n_jobs=1)
        there = cohort.take(cohort.batches == target)
        for n_local in LOCAL:
            print(row(f"{source} → {target}", model, there, n_local), flush=True)


def row(what: str, model: ModelBundle, there: Cohort, n_local: int) -> str:
    found = [one_split(model, there, n_local, seed) for seed in range(SPLITS)]
    guess, before, after, held, size, called, wrong = (
        np.array(column) for column in zip(*found, strict=True)
    )
    cover = ", ".join(f"{s} {h:.2f}" for s, h in zip(model.states, held.mean(axis=0), strict=True))
    return (
        f"{what:10} {n_local:5d} {guess.mean():6.3f} {before.mean():8.3f} {after.mean():12.3f} "
        f"{(after < guess).sum():8d}/{SPLITS} {cover:>24} {size.mean():15.2f} {called.mean():7.2f} {wrong.mean():7.2f}"
    )


def one_split(model: ModelBundle, there: Cohort, n_local: int, seed: int) -> tuple[object, ...]:
    rng = np.random.default_rng(seed)
    local = np.zeros(there.n_samples, dtype=bool)
    for state in model.states:  # at the batch's mix
        members = rng.permutation(np.flatnonzero(there.y == state))
        local[members[: round(n_local * len(members) / there.n_samples)]] = True
    site = recalibrate(model, there.take(local), site="there").bundle
    rest = there.take(~local)
    X, y = model.panel.values(rest.cargo), np.searchsorted(model.states, rest.y)
    shares = np.array([(there.y[local] == state).mean() for state in model.states])
    shift = prevalence_shift(model.blend.prevalence, shares)
    assert shift is not None
    before = model.compiled.evaluate(X)[0] + shift
    answers = site.predict(rest.cargo)
    held = [answers.sets[y == k, k].mean() for k in range(len(model.states))]
    called = np.array([call != "uncertain" for call in answers.calls])
    wrong = called & (np.array(answers.calls) != rest.y)
    after = -np.log(answers.probabilities[np.arange(len(y)), y]).mean()
    return (
        -np.log(shares[y]).mean(), -log_softmax(before, axis=1)[np.arange(len(y)), y].mean(), after, held,
        answers.sets.sum(axis=1).mean(), called.mean(), wrong.mean(),
    )  # fmt: skip


if __name__ == "__main__":
    if len(sys.argv) != 2:
        sys.exit(__doc__)
    main(Path(sys.argv[1]))
