"""How often `follow` alarms in persons who do not change, and in persons who do; how wide its noise is.

    python tests/benchmarks/reliable_change.py [--seeds 100:108] [--persons 60]

Simulated persons with three visits each; a model is trained and judged on some, others are followed: of a batch that was trained
on, and of an unknown one. Half of the followed persons in pain recover from V2 on, which should be seen. The last columns: noise
on held-out samples of training as it is told, and on the persons followed.
"""

from __future__ import annotations

import os

os.environ |= {"OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"}

import argparse
import dataclasses

import numpy as np

from exoclassify.learning.recipe import Recipe
from exoclassify.lifecycle.finish import finish
from exoclassify.model.course import followed
from exoclassify.model.retest import retest_of
from exoclassify.simulation.simulate import simulate

RECIPE = Recipe.of(
    {
        "folds": {"outer": 5, "repeats": 1, "inner": 5},
        "voices": [
            {"learner": "ridge", "view": "log"},
            {"learner": "ridge", "view": "ranks"},
            {"learner": "ratios", "view": "damped", "n_ratios": 30, "pool": 30},
        ],
    }
)


def one(seed: int, persons: int, effect: float, n_states: int) -> list[float]:
    states = ("control", "neuropathic", "inflammatory")[:n_states]
    made = simulate(
        seed=seed, n_samples=3 * (persons + 150), states=states, visits=3, repeats=0.0, responders=0.5, effect=effect
    )
    cohort = made.cohort
    trained = np.isin(cohort.groups, np.unique(cohort.groups)[:persons])
    bundle = finish(cohort.take(trained), RECIPE, n_jobs=1).bundle
    new = cohort.take(~trained)
    table, sheet = new.cargo, new.sheet
    responds = dict(zip(new.groups.tolist(), sheet.frame["response"] == "responder", strict=True))
    figures: list[float] = []
    for known in (True, False):
        found = followed(bundle, table, sheet if known else dataclasses.replace(sheet, batch_column=None))
        for changed in (False, True):
            figures.append(float(np.mean([f.reliable.any() for f in found if responds[f.person] == changed])))
    told = found[0].noise
    p = bundle.predict(table, batches=sheet.batch.tolist()).probabilities
    true = retest_of(
        [p], np.unique(new.groups, return_inverse=True)[1], np.unique(new.y, return_inverse=True)[1], "new"
    )
    return [*figures, float(told.sd[-1]), float(true.sd[-1])]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seeds", default="100:108", help="first:end")
    parser.add_argument("--persons", type=int, default=60)
    asked = parser.parse_args()
    seeds = range(*map(int, asked.seeds.split(":")))
    print("                                     known batch            unknown batch          noise (sd of log-odds)")
    print(
        "persons  states  effect  seeds  unchanged  changed     unchanged  changed     told    of the persons followed"
    )
    for n_states, effect in ((2, 1.0), (2, 0.6), (3, 1.0)):
        rows = np.array([one(seed, asked.persons, effect, n_states) for seed in seeds])
        a, b, c, d, told, true = rows.mean(axis=0)
        print(
            f"{asked.persons:<9}{n_states:<8}{effect:<8g}{len(seeds):<7}{a:<11.3f}{b:<12.2f}{c:<11.3f}{d:<12.2f}"
            f"{told:<8.2f}{true:.2f}   (worst seed: {rows[:, 0].max():.3f})",
            flush=True,
        )


if __name__ == "__main__":
    main()
