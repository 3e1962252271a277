"""What the model does in a batch that it knows, in an unknown one, and at a new site with local samples.

Run as ``python tests/benchmarks/batches_and_sites.py [--cohorts 10] [--data FOLDER] [--recipe r.toml] [--jobs 2]``. Simulated:
300 samples of three states in five batches, one, two or three of them trained on, the others asked about; batches lie apart by a
standard deviation of 0.5 or 1.0 in log2. With ``--data``: the folders migraine and parkinson-sites (X.csv or X.csv.gz, y.csv),
each batch left out, and cross-validation by batch. Prints tables.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np
from joblib import Parallel, delayed
from numpy.typing import NDArray

from exoclassify.data.cohort import Cohort
from exoclassify.errors import DesignError
from exoclassify.judging.evaluate import judge
from exoclassify.learning.recipe import Recipe
from exoclassify.learning.samples import Samples
from exoclassify.lifecycle.fit import fit
from exoclassify.lifecycle.recalibrate import LocalSamples, recalibrate
from exoclassify.model.bundle import ModelBundle
from exoclassify.model.prediction import Predictions, Use
from exoclassify.simulation.design import SimulationDesign
from exoclassify.simulation.simulate import simulate

Counts = NDArray[np.float64]
"""Sum of log-losses, answers, calls, wrong calls; then for each state held by its set, and how many there are."""


def counted(found: Predictions, true: NDArray[np.str_]) -> Counts:
    """Add up one set of answers."""
    y = np.array([found.states.index(state) for state in true])
    loss = -np.log(np.maximum(found.probabilities[np.arange(len(y)), y], 1e-12)).sum()
    calls = np.array(found.calls)
    held = found.sets[np.arange(len(y)), y]
    states = [(float(held[y == k].sum()), float((y == k).sum())) for k in range(len(found.states))]
    head = [loss, len(y), (calls != "uncertain").sum(), ((calls != "uncertain") & (calls != true)).sum()]
    return np.array([*head, *(one for one, _ in states), *(n for _, n in states)], dtype=float)


def mix_of(labels: NDArray[np.str_], states: tuple[str, ...]) -> dict[str, float]:
    """Shares of the states, none of them 0."""
    counts = np.array([np.sum(labels == state) for state in states]) + 0.1
    return dict(zip(states, (counts / counts.sum()).tolist(), strict=True))


def at_site(bundle: ModelBundle, new: Cohort, n: int, how: str, seed: int) -> Counts:
    """Take a batch on board with some of its samples, and ask about the others."""
    order = np.random.default_rng(seed).permutation(new.n_samples)
    mix = mix_of(new.y, bundle.states)
    labels: tuple[str, ...] = ()
    stated: dict[str, float] | None = mix
    if how == "controls":
        first = order[new.y[order] == "control"][:n]
        order = np.concatenate([first, np.setdiff1d(order, first)])
        n, labels, stated = len(first), ("control",) * len(first), None
    elif how == "wrong mix":
        stated = {state: 1 / len(bundle.states) for state in bundle.states}
    local, rest = new.take(order[:n]), new.take(np.sort(order[n:]))
    samples = LocalSamples(local.cargo, labels, mix=stated)
    try:
        done = recalibrate(bundle, samples, site="new").bundle
    except DesignError:  # all of them are novel: no profile is made, and the batch stays unknown
        return counted(bundle.predict(rest.cargo, Use(prevalence=mix)), rest.y)
    use = Use(prevalence=mix) if how == "controls" else Use()
    return counted(done.predict(rest.cargo, use), rest.y)


def uneven(new: Cohort, seed: int) -> Cohort:
    """Thin two of the states, for a mix of about .6/.2/.2."""
    rng, kept = np.random.default_rng(seed), []
    for i, state in enumerate(np.unique(new.y)):
        rows = np.flatnonzero(new.y == state)
        kept.append(rows if i == 0 else rng.permutation(rows)[: max(4, len(rows) // 3)])
    return new.take(np.sort(np.concatenate(kept)))


def one(seed: int, n_batches: int, sd: float, effect: float, recipe: Recipe) -> dict[str, Counts]:
    """Train on the first batches of one cohort and ask about the others."""
    design = SimulationDesign(seed=1000 + seed, n_samples=300, n_batches=5, batch_effect=sd, repeats=0.0, effect=effect)
    cohort = simulate(design).cohort
    names = np.unique(cohort.batches)
    bundle = fit(cohort.take(np.isin(cohort.batches, names[:n_batches])), recipe, judge=False, n_jobs=1)
    total: dict[str, Counts] = {}
    for name in names[n_batches:]:
        new = cohort.take(cohort.batches == name)
        found = {"unknown batch": counted(bundle.predict(new.cargo), new.y)}
        for n in (10, 20, 40):
            found[f"{n} local, not labelled, mix right"] = at_site(bundle, new, n, "mix", seed)
        found["10 controls"] = at_site(bundle, new, 10, "controls", seed)
        thin = uneven(new, seed)
        found["mix .6/.2/.2, unknown batch"] = counted(bundle.predict(thin.cargo), thin.y)
        found["mix .6/.2/.2 stated as thirds, 15 local"] = at_site(bundle, thin, 15, "wrong mix", seed)
        for what, counts in found.items():
            total[what] = total.get(what, np.zeros_like(counts)) + counts
    return total


def line(name: str, c: Counts) -> str:
    """Write one row."""
    k = (len(c) - 4) // 2
    wrong = f"{c[3] / c[2]:.3f}" if c[2] else "  –  "
    cover = " ".join(f"{held / n:.2f}" if n else " –  " for held, n in zip(c[4 : 4 + k], c[4 + k :], strict=True))
    return f"{name:<62} {c[0] / c[1]:.3f}   {c[2] / c[1]:.2f}   {wrong}   {cover}"


def real(folder: Path, recipe: Recipe, jobs: int) -> None:
    """Judge tables with batches: a known batch by cross-validation, an unknown one by leaving it out."""
    for name in ("migraine", "parkinson-sites"):
        table = next((folder / name).glob("X.csv*"), None)
        if table is None:
            continue
        cohort = Cohort.read(
            table, kind="mirna", unit="counts", samples=folder / name / "y.csv", label="label", batch="batch"
        )
        judged = judge(Samples.of(cohort), cohort.sheet.sample_ids, recipe, n_jobs=jobs)
        y = judged.samples.y
        for what, kept in (("cross-validation", judged.passes), ("batches left out", (judged.batched,))):
            for each in kept[:1]:
                assert each is not None
                p, truth = np.exp(each.log_odds), y[each.rows]
                loss = -each.log_odds[np.arange(len(truth)), truth].mean()
                recall = " ".join(f"{(p.argmax(1)[truth == k] == k).mean():.2f}" for k in range(p.shape[1]))
                called = each.calls >= 0
                wrong = f"{(each.calls[called] != truth[called]).mean():.3f}" if called.any() else "–"
                print(
                    f"{name}, {what}: log-loss {loss:.3f}, recall {recall}, called {called.mean():.2f}, wrong among {wrong}"
                )
        slope = judged.evaluation.cross_validation.figures.calibration_slope
        print(f"{name}: calibration slope in cross-validation {slope and slope.told(2)}", flush=True)


def main() -> None:
    """Print the tables."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--cohorts", type=int, default=10)
    parser.add_argument("--data", type=Path)
    parser.add_argument("--recipe", type=Path)
    parser.add_argument("--jobs", type=int, default=-1)
    options = parser.parse_args()
    recipe = Recipe() if options.recipe is None else Recipe.read(options.recipe)
    if options.data is not None:
        real(options.data, recipe, options.jobs)
    print(f"{'simulated':<62} loss    called wrong   90 % sets that hold each state (wrong: among the calls)")
    settings = [(n, sd, 1.0) for n in (3, 2, 1) for sd in (0.5, 1.0)] + [(3, 0.5, 0.0)]
    for n, sd, effect in settings:
        each = Parallel(n_jobs=options.jobs)(
            delayed(one)(seed, n, sd, effect, recipe) for seed in range(options.cohorts)
        )
        head = f"{n} batches, sd {sd:g}" + ("" if effect else ", no effect")
        for what in each[0]:
            print(line(f"{head}: {what}", sum((found[what] for found in each), np.zeros_like(each[0][what]))))
        print(flush=True)


if __name__ == "__main__":
    main()
