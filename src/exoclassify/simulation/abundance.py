"""What the vesicles of the simulated people hold, in log2, before any instrument sees it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from exoclassify.simulation.people import Numbers, People
from exoclassify.typing import Floats

__all__ = ["BaseDraw", "Marked", "abundances", "markers", "mirna_base", "protein_base"]

BaseDraw = Callable[[np.random.Generator, int], Floats]
"""Draws the log2 abundance of so many molecules in the reference state."""

# Standard deviations in log2, set beside the public tables that the docstring of `simulate` names.
_MODULES = 8
_MODULE_SD = 0.6


@dataclass(frozen=True, eq=False)
class Marked:
    """Which molecules mark which state: one entry a marker.

    Parameters
    ----------
    molecule, state : int arrays of shape (n_marked,)
        No molecule twice; states from 1, since state 0 is the reference.
    size : float64 array of shape (n_marked,)
        Log2 fold change against the reference state.
    """

    molecule: Numbers
    state: Numbers
    size: Floats


def mirna_base(rng: np.random.Generator, n_molecules: int) -> Floats:
    """Draw log2 abundances as in small-RNA-seq: many rare molecules, a few that fill the library.

    Gamma-distributed, the top drawn in.
    """
    drawn = rng.gamma(1.2, 3.8, n_molecules) - 1.5
    return np.where(drawn > 15.0, 15.0 + 0.25 * (drawn - 15.0), drawn)


def protein_base(rng: np.random.Generator, n_proteins: int) -> Floats:
    """Draw log2 intensities as mass spectrometers give them, around 4 million.

    Normally distributed.
    """
    return rng.normal(22.0, 2.5, n_proteins)


def markers(rng: np.random.Generator, base: Floats, n_states: int, n_markers: int, effect: float) -> Marked:
    """Choose each state's markers among the more abundant third, the first state being the reference.

    ``n_markers`` for each state but the first.

    Parameters
    ----------
    base : float64 array of shape (n_molecules,)
        Log2 abundance of each molecule in the reference state; minus infinity where it is not to be chosen.
    n_states, n_markers : int
        Sizes; ``(n_states - 1) * n_markers`` molecules are marked, none twice.
    effect : float
        Mean size of a log2 fold change; each is 0.5 to 1.5 times that, up or down.
    """
    n_marked = (n_states - 1) * n_markers
    abundant = np.argsort(-base, kind="stable")[: max(len(base) // 3, n_marked)]
    abundant = abundant[np.isfinite(base[abundant])]
    molecule = rng.choice(abundant, n_marked, replace=False)
    size = effect * rng.uniform(0.5, 1.5, n_marked) * rng.choice([-1.0, 1.0], n_marked)
    return Marked(molecule, np.repeat(np.arange(1, n_states), n_markers), size)


def abundances(
    rng: np.random.Generator, base: Floats, who: People, marked: Marked, batch_effect: float, retest_noise: float,
    person_sd: float,
) -> Floats:  # fmt: skip
    """Draw the log2 abundance of each molecule in each sample.

    Base, state, subject, modules that move together, batch and sample, added up.

    Parameters
    ----------
    base : float64 array of shape (n_molecules,)
        Log2 abundance in the reference state.
    retest_noise, person_sd : float
        Standard deviations, in log2, of each sample's and of each person's own.
    """
    n_samples, n_molecules = len(who.subject), len(base)
    by_state = np.zeros((int(who.state.max()) + 1, n_molecules))
    by_state[marked.state, marked.molecule] = marked.size
    module = rng.integers(0, _MODULES, n_molecules)
    loading = rng.normal(1.0, 0.4, n_molecules)
    # Half of a module's variance is the person's, half the day's.
    lasting = rng.normal(0.0, 1.0, (who.n_subjects, _MODULES))[who.subject]
    passing = rng.normal(0.0, 1.0, (n_samples, _MODULES))
    scores = _MODULE_SD * (lasting + passing) / np.sqrt(2.0)
    own = rng.normal(0.0, person_sd, (who.n_subjects, n_molecules))[who.subject]
    shift = rng.normal(0.0, 1.0, (int(who.batch.max()) + 1, n_molecules))[who.batch]
    noise = rng.normal(0.0, retest_noise, (n_samples, n_molecules))
    people_differ = by_state[who.state] + own
    drawn: Floats = base + people_differ + scores[:, module] * loading + batch_effect * shift + noise
    return drawn
