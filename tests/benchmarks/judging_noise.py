"""Is the judge itself honest? Noise must score one half, p-values must be uniform, intervals must cover.

python tests/benchmarks/judging_noise.py [--cohorts 200] [--jobs -1]

Prints three tables, all with selection of molecules inside the fold and many more molecules than samples:
1. pure noise: the mean AUC over cohorts, and how often the interval holds one half;
2. permutation p-values of noise: Kolmogorov and Smirnov's test against the uniform distribution;
3. a true signal: how often the intervals of the pooled AUC and of the AUC within folds hold the AUC that the models of the
   folds have on 2,000 new samples.
"""

from __future__ import annotations

import argparse

import numpy as np
from joblib import Parallel, delayed
from scipy.stats import kstest

from exoclassify.judging.evaluate import judge
from exoclassify.judging.metrics import against_rest, auc
from exoclassify.judging.permute import permutation_test
from exoclassify.learning.learn import learn
from exoclassify.learning.recipe import Recipe
from exoclassify.learning.samples import Samples
from exoclassify.model.compiled import CompiledBlend

RECIPE = Recipe.of(
    {
        "folds": {"outer": 5, "repeats": 1, "inner": 3},
        # 100 ratios among the 40 molecules that look best: selection on the label, inside the fold.
        "voices": [{"learner": "ratios", "view": "log", "n_ratios": 100, "pool": 40}, {"learner": "ridge"}],
    }
)


def cohort(n: int, p: int, effect: float, seed: int, profile: int = 0) -> Samples:
    """Negative-binomial counts; the first 20 molecules differ by `effect` in log2. `profile` fixes the molecules."""
    rng = np.random.default_rng(seed)
    level = np.random.default_rng(profile).normal(4, 2, p)
    y = rng.permutation(np.arange(n) % 2)
    log_mean = level + effect * (y[:, None] == 1) * (np.arange(p) < 20) + rng.normal(0, 0.3, (n, 1))
    X = rng.poisson(np.exp2(log_mean) * rng.gamma(3, 1 / 3, (n, p))).astype(np.float64)
    return Samples(X, y.astype(np.intp), np.arange(n), None, ("a", "b"), "counts", None)


def noise(seed: int, n: int, p: int) -> tuple[float, bool]:
    """AUC of one cohort of noise, within folds as quoted, and whether its interval holds one half."""
    samples = cohort(n, p, 0.0, seed)
    found = judge(samples, [str(i) for i in range(n)], RECIPE, n_jobs=1).evaluation
    figure = found.cross_validation.figures.auc
    return figure.value, figure.low <= 0.5 <= figure.high


def p_value(seed: int, n: int, p: int, permutations: int) -> float:
    """Permutation p-value of one cohort of noise."""
    recipe = RECIPE.model_copy(update={"seed": seed * 1000})
    samples = cohort(n, p, 0.0, seed)
    value = judge(samples, [str(i) for i in range(n)], recipe, n_jobs=1).evaluation
    observed = value.cross_validation.figures.auc.value
    return permutation_test(samples, recipe, observed, n_permutations=permutations, n_jobs=1).p_value


def covered(seed: int, n: int, effect: float) -> list[float]:
    """AUC pooled, within folds (the one quoted), and in truth; whether either interval holds the truth."""
    samples = cohort(n, 200, effect, seed)
    judgement = judge(samples, [str(i) for i in range(n)], RECIPE, n_jobs=1)
    found = judgement.evaluation.cross_validation.figures
    pooled, within = found.root["auc_pooled"], found.auc
    rng, truths = np.random.default_rng(seed + 10**6), []
    for train, _ in judgement.folds:
        learned = learn(samples.take(train), RECIPE)
        new = cohort(2000, 200, effect, int(rng.integers(10**9)))
        log_odds = CompiledBlend.of(learned.blend).evaluate(new.X[:, learned.support])[0]
        truths.append(auc(against_rest(log_odds, 1), new.y == 1).value)
    truth = float(np.mean(truths))
    held = [float(figure.low <= truth <= figure.high) for figure in (pooled, within)]
    return [pooled.value, within.value, truth, *held]


def main() -> None:
    """Print the tables."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--cohorts", type=int, default=200)
    parser.add_argument("--permutations", type=int, default=39)
    parser.add_argument("--jobs", type=int, default=-1)
    asked = parser.parse_args()
    run = Parallel(n_jobs=asked.jobs)
    print(f"{'noise':28}{'cohorts':>8}{'mean AUC':>10}{'sd':>8}{'interval holds 0.5':>20}")
    for n, p in ((40, 1000), (80, 1000)):
        found = run(delayed(noise)(seed, n, p) for seed in range(asked.cohorts))
        values = np.array([value for value, _ in found])
        held = np.mean([inside for _, inside in found])
        print(
            f"{f'{n} samples x {p}':28}{len(values):>8}{values.mean():>10.3f}{values.std():>8.3f}{held:>20.3f}",
            flush=True,
        )
    values = np.array(run(delayed(p_value)(seed, 40, 200, asked.permutations) for seed in range(asked.cohorts // 2)))
    test = kstest(values, "uniform")
    print(f"\n{'permutation p-values':28}{'cohorts':>8}{'mean':>10}{'below .05':>12}{'KS p':>8}")
    print(
        f"{'40 samples x 200':28}{len(values):>8}{values.mean():>10.3f}{(values <= 0.05).mean():>12.3f}{test.pvalue:>8.3f}",
        flush=True,
    )
    print(
        f"\n{'signal':28}{'cohorts':>8}{'pooled':>9}{'within':>9}{'truth':>9}{'held, pooled':>15}{'held, within':>15}"
    )
    for n, effect in ((40, 0.5), (40, 0.7), (80, 0.5), (80, 0.7), (150, 0.5)):
        means = np.mean(run(delayed(covered)(seed, n, effect) for seed in range(asked.cohorts)), axis=0)
        row = "".join(f"{value:>{width}.3f}" for value, width in zip(means, (9, 9, 9, 15, 15), strict=True))
        print(f"{f'{n} samples x 200, {effect:g}':28}{asked.cohorts:>8}{row}", flush=True)


if __name__ == "__main__":
    main()
