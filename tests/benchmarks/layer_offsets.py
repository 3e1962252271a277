"""What an offset for each layer would add to a site's profile, where batches shift the layers differently.

    python tests/benchmarks/layer_offsets.py [--seeds 8]

Simulated people with two layers in four batches; each batch shifts the molecules of one layer, or of both. The model is
trained on three. At the fourth a profile is made of 20 unlabelled samples that have both layers: by one offset of the
fused log-odds for all, as `recalibrate` does, by one for each set of layers, and by an offset of each layer's own
log-odds before they are fused. Log-loss of the other samples there, with both layers and with each alone.
"""

from __future__ import annotations

import os

os.environ |= {"OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"}

import argparse
import dataclasses

import numpy as np

from exoclassify.data.cohort import Cohort
from exoclassify.learning.learn import learn
from exoclassify.learning.recipe import Recipe
from exoclassify.learning.samples import Samples
from exoclassify.learning.site import Local, site_place
from exoclassify.methods.fusion import fused
from exoclassify.methods.heads import Place
from exoclassify.model.layered import LayeredBlend
from exoclassify.simulation.design import SimulationDesign
from exoclassify.simulation.simulate import simulate
from exoclassify.typing import Codes, Floats

RECIPE = Recipe.of(
    {
        "folds": {"outer": 5, "repeats": 1, "inner": 5},
        "voices": [
            {"learner": "ridge", "view": "log"},
            {"learner": "ratios", "view": "damped", "n_ratios": 30, "pool": 30},
        ],
    }
)
SHIFTS = {"protein": (0.0, 0.7), "mirna": (0.7, 0.0), "both": (0.5, 0.5)}
LOCAL = 20


def shifted(seed: int, shifts: tuple[float, float]) -> Cohort:
    made = simulate(
        SimulationDesign(
            seed, 320, ("control", "pain"), n_molecules=120, n_markers=8, effect=0.8, n_batches=4, batch_effect=0.05,
            repeats=0.0, layers=("mirna", "protein"), lacking=0.0,
        )
    ).cohort  # fmt: skip
    rng, batch = np.random.default_rng(seed + 1000), np.unique(made.batches, return_inverse=True)[1]
    layers = {}
    for (name, table), sd in zip(made.layers.items(), shifts, strict=True):
        own = table.for_samples(made.sheet.sample_ids)
        values = own.values * np.exp2(rng.normal(0, sd, (4, own.n_molecules)))[batch]
        layers[name] = dataclasses.replace(own, values=np.round(values) if own.unit == "counts" else values)
    return dataclasses.replace(made, layers=layers)


def layer_odds(blend: LayeredBlend, X: Floats) -> Floats:
    """Log-odds of each layer as of a new batch; shape (n_layers, n_samples, n_states)."""
    pairs = zip(blend.layers, blend.columns(), strict=True)
    return np.stack([layer.evaluate(np.ascontiguousarray(X[:, columns]))[0][0] for layer, columns in pairs])


def together(blend: LayeredBlend, each: Floats) -> Floats:
    head = blend.calibration.heads[0]
    return head.log_odds(head.factors[0] * fused(each, blend.weights[0]))


def loss(place: Place, log_odds: Floats, y: Codes, mix: Floats) -> float:
    p = (1 - place.untested) * place.mixed(log_odds, np.log(mix)) + place.untested * mix
    return float(-np.log(np.maximum(p[np.arange(len(y)), y], 1e-12)).mean())


def one(seed: int, shifts: tuple[float, float]) -> list[list[float]]:
    """Without a profile, by one offset, one a set, and one a layer; for samples with both layers and with each alone."""
    cohort = shifted(seed, shifts)
    samples, away = Samples.of(cohort), np.flatnonzero(cohort.batches == "B4")
    home = cohort.take(cohort.batches != "B4")
    learned = learn(Samples.of(home), RECIPE)
    blend, X = learned.blend, samples.X[:, learned.support]
    assert isinstance(blend, LayeredBlend)
    away = np.random.default_rng(seed).permutation(away)
    local, rest = away[:LOCAL], away[LOCAL:]
    mix, known = np.bincount(samples.y[away]) / len(away), blend.calibration
    nothing = np.full(LOCAL, -1)

    def profile(log_odds: Floats) -> Place:
        return site_place(known, Local(known.heads[0].to_white(log_odds), mix, True, nothing), blend.prevalence)

    each, offsets = layer_odds(blend, X[local]), []
    for layer, own in zip(blend.layers, each, strict=True):
        head = layer.calibration.heads[0]
        place = site_place(layer.calibration, Local(head.to_white(own), mix, True, nothing), blend.prevalence)
        offsets.append(head.means @ place.nodes.mean(axis=0))
    by_layer = np.stack(offsets)[:, None]
    fused_place, layer_place = profile(together(blend, each)), profile(together(blend, each - by_layer))
    rows = []
    for shown in ((True, True), (True, False), (False, True)):
        seen = np.where(np.array(shown)[:, None, None], layer_odds(blend, X[rest]), np.nan)
        plain, moved = together(blend, seen), together(blend, seen - by_layer)
        there = np.where(np.array(shown)[:, None, None], each, np.nan)
        set_place = profile(together(blend, there))
        y = samples.y[rest]
        rows.append(
            [
                loss(*part, y, mix)
                for part in ((known.unknown, plain), (fused_place, plain), (set_place, plain), (layer_place, moved))
            ]
        )
    return rows


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seeds", type=int, default=8)
    asked = parser.parse_args()
    print("shifts    samples with  no profile  one offset  one a set  one a layer  one a set less one (standard error)")
    for name, shifts in SHIFTS.items():
        found = np.array([one(seed, shifts) for seed in range(asked.seeds)])
        for i, shown in enumerate(("both", "mirna", "protein")):
            mean, gap = found[:, i].mean(axis=0), found[:, i, 2] - found[:, i, 1]
            error = gap.std(ddof=1) / np.sqrt(len(gap)) if len(gap) > 1 else np.nan
            print(
                f"{name:<10}{shown:<14}{mean[0]:<12.3f}{mean[1]:<12.3f}{mean[2]:<11.3f}{mean[3]:<13.3f}"
                f"{gap.mean():.3f} ({error:.3f})",
                flush=True,
            )


if __name__ == "__main__":
    main()
