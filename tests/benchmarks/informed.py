"""What weighing tests by prior knowledge gains and costs: power and false share with a right, a random and no prior.

    python tests/benchmarks/informed.py [--seeds 40] [--samples 60] [--molecules 300] [--markers 20] [--effect 1.0]

A tenth of the molecules is called known: with a right prior these hold seven of ten true markers, with a random one as many as
chance gives. The same cohorts are searched three times; differences are paired.
"""

from __future__ import annotations

import os

os.environ |= {"OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"}

import argparse
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from exoclassify.discovery.discover import discover
from exoclassify.evidence.catalogue import Catalogue
from exoclassify.evidence.priors import Prior
from exoclassify.evidence.reanalysis import Reanalysis
from exoclassify.simulation.simulate import SimulationDesign, simulate


class Given(Prior):
    """A prior that knows what it is told."""

    def __init__(self, known: set[str]) -> None:
        super().__init__(Catalogue(()), Reanalysis((), ()))
        object.__setattr__(self, "_told", known)

    def known(self, molecules: Sequence[str]) -> NDArray[np.bool_]:
        known: set[str] = self.__dict__["_told"]
        return np.array([name in known for name in molecules])


def main() -> None:
    """Print one line a prior."""
    asked = argparse.ArgumentParser()
    for name, default in (("seeds", 40), ("samples", 60), ("molecules", 300), ("markers", 20), ("effect", 1.0)):
        asked.add_argument(f"--{name}", type=type(default), default=default)
    given = asked.parse_args()
    found: dict[str, list[tuple[float, float]]] = {"none": [], "right": [], "random": []}
    for seed in range(given.seeds):
        made = simulate(
            SimulationDesign(
                seed=seed, n_samples=given.samples, states=("control", "pain"), n_molecules=given.molecules,
                n_markers=given.markers, effect=given.effect,
            )
        )  # fmt: skip
        truth = set(made.truth["molecule"]) if given.effect else set()
        rng = np.random.default_rng(seed)
        names = list(made.cohort.cargo.molecules)
        size = len(names) // 10
        right = set(rng.permutation(sorted(truth))[: round(0.7 * len(truth))].tolist())
        right |= set(rng.permutation([n for n in names if n not in truth])[: size - len(right)].tolist())
        chance = set(rng.permutation(names)[:size].tolist())
        for name, prior in (("none", None), ("right", Given(right)), ("random", Given(chance))):
            markers = discover(made.cohort, prior=prior, panel=False, seed=seed).markers
            true = sum(marker in truth for marker in markers)
            found[name].append((true / max(len(truth), 1), (len(markers) - true) / max(len(markers), 1)))
    base = np.array(found["none"])[:, 0]
    for name, rows in found.items():
        power, false = np.array(rows).T
        gain = power - base
        error = gain.std(ddof=1) / np.sqrt(len(gain))
        print(
            f"{name:<7} power {power.mean():.3f} ({gain.mean():+.3f} ± {error:.3f}), false share {false.mean():.3f} "
            f"± {false.std(ddof=1) / np.sqrt(len(false)):.3f}"
        )


if __name__ == "__main__":
    main()
