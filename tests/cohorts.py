"""Small made-up cohorts for tests; each is seeded and says what it holds."""

from __future__ import annotations

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from exoclassify.data.cargo import CargoTable
from exoclassify.data.cohort import Cohort
from exoclassify.data.samples import SampleSheet
from exoclassify.learning.recipe import Recipe
from exoclassify.learning.samples import Samples

FAST = Recipe.of(
    {
        "folds": {"outer": 3, "repeats": 1, "inner": 3},
        "voices": [
            {"learner": "ridge", "view": "log"},
            {"learner": "ratios", "view": "damped", "n_ratios": 20, "pool": 20},
        ],
    }
)
"""A recipe of two linear voices, for tests that are not about the learners."""

EVERY_VOICE = Recipe.of(
    {
        "folds": {"outer": 3, "repeats": 1, "inner": 3},
        "voices": [
            {"learner": "ridge", "view": "log"},
            {"learner": "ridge", "view": "ranks"},
            {"learner": "elastic-net", "view": "damped"},
            {"learner": "svm", "view": "damped", "C": 1.0},
            {"learner": "ratios", "view": "log", "n_ratios": 20, "pool": 20},
            {"learner": "forest", "view": "log", "n_trees": 20},
            {"learner": "extra-trees", "view": "ranks", "n_trees": 20},
            {"learner": "xgboost", "view": "damped", "n_trees": 20},
        ],
    }
)
"""Every learner and every view, each small."""


def counts(
    n: int = 60, p: int = 50, n_states: int = 2, effect: float = 2.0, n_batches: int = 0, seed: int = 0
) -> Samples:
    """Poisson-gamma counts; the first 3 molecules of each state after the first are raised by `effect` in log2."""
    rng = np.random.default_rng(seed)
    y = np.arange(n) % n_states
    batches: NDArray[np.intp] | None = (np.arange(n) // n_states) % n_batches if n_batches else None
    log_mean = rng.normal(4, 2, p) + np.zeros((n, 1))
    for state in range(1, n_states):
        log_mean[y == state, 3 * state : 3 * state + 3] += effect
    if batches is not None:
        log_mean += rng.normal(0, 0.5, (n_batches, p))[batches]
    depth = rng.lognormal(0, 0.4, (n, 1))
    X = rng.poisson(depth * np.exp2(log_mean) * rng.gamma(4, 0.25, (n, p))).astype(np.float64)
    states = tuple(f"state-{k}" for k in range(n_states))
    return Samples(X, y, np.arange(n), batches, states, "counts", None)


def cohort_of(samples: Samples, *, subject: bool = True, batch: bool = False, **columns: object) -> Cohort:
    """The same as a cohort, with more columns in its sheet."""
    n, p = samples.X.shape
    ids = tuple(f"S{i:03d}" for i in range(n))
    frame = pd.DataFrame({"label": [samples.states[k] for k in samples.y]}, index=list(ids))
    if subject:
        frame["subject"] = [f"P{g:03d}" for g in samples.groups]
    if batch and samples.batches is not None:
        frame["batch"] = [f"B{b}" for b in samples.batches]
    for name, values in columns.items():
        frame[name] = values
    sheet = SampleSheet(frame, "label", "subject" if subject else None, "batch" if batch else None)
    molecules = tuple(f"hsa-miR-{i + 1}-5p" for i in range(p))
    table = CargoTable(samples.X, ids, molecules, "mirna", samples.unit, not_detected=samples.not_detected)
    return Cohort.from_layers({"mirna": table}, sheet)
