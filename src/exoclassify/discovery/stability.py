"""Selection that survives halving the cohort, with decoys that say how much of it chance would select.

Complementary-pairs stability selection (Shah & Samworth 2013, doi 10.1111/j.1467-9868.2011.01034.x): the cohort is halved again
and again, and a molecule's stability is the share of halves in which it is among the strongest. What share is enough, decoys
say (the idea of Stabl, Hédou et al. 2024, doi 10.1038/s41587-023-02033-x): beside the molecules compete the same molecules of
shuffled samples. Samples are shuffled and halved within batches, and subjects stay whole.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from exoclassify.discovery.units import Units, moderated_statistics
from exoclassify.typing import Codes, Floats, Mask

__all__ = ["FIRM", "Stability", "false_share", "stability_selection"]


FIRM = 0.9
"""Share of the halves from which a marker is firm."""

_N_DEPTHS = 10
"""How many numbers of strongest molecules the stability is averaged over."""

_IN_HAND = 0.7
"""Decoys must put the share of false ones at this part of the level. The threshold is the lowest that passes, so the estimate
there errs on the optimistic side: at 1 the mean share was .10 to .12 for a level of .1, at 0.8 .06 to .10 (50 cohorts a size)."""

_GATE = 0.5
"""Shuffled labels may do as well in this part of the level; half of it cost no power, and halves the false signatures."""


@dataclass(frozen=True, eq=False)
class Stability:
    """What was selected, and how sure it is.

    Parameters
    ----------
    selected : ndarray of bool, shape (n_molecules,)
        The signature; none when shuffled labels do as well too often.
    score : ndarray of shape (n_molecules,)
        Mean over `depths` of the shares in `paths`: what the decoys are compared on.
    frequency : ndarray of shape (n_molecules,)
        Share of the halves in which a molecule is among the `depth` strongest, decoys left out.
    depth : int
        √(0.8 n_molecules), at which frequency 0.9 bounds the expected number of false selections by 1.
    depths : ndarray of int
        Numbers of strongest molecules, decoys among them.
    paths : ndarray of shape (len(depths), n_molecules)
        Share of the halves in which a molecule is among so many strongest.
    decoys : ndarray of shape (n_decoy_sets, n_molecules)
        Scores of the decoys.
    threshold : float
        Lowest score in the signature; inf when none is selected.
    false_share : float
        Estimated share of false ones among those at or above the threshold; NaN when none.
    chance : float
        Share of shuffled labellings whose strongest molecules stand out from the other labellings as much as the true one's.
    bound : float
        Most molecules that can be expected to reach a frequency of `FIRM` by luck, whatever the data (Shah and Samworth,
        theorem 1): about 1.
    """

    selected: Mask
    score: Floats
    frequency: Floats
    depth: int
    depths: Codes
    paths: Floats
    decoys: Floats
    threshold: float
    false_share: float
    chance: float
    bound: float


def stability_selection(
    units: Units,
    *,
    level: float = 0.1,
    allowed: Mask | None = None,
    weights: Floats | None = None,
    pairs: int = 50,
    decoy_sets: int = 40,
    shuffles: int = 199,
    seed: int = 0,
) -> Stability:
    """Select the molecules that differ in half after half, more often than decoys do.

    Parameters
    ----------
    units : Units
        The samples.
    level : float
        Share of false ones that the signature keeps below, on average over cohorts.
    allowed : ndarray of bool, shape (n_molecules,), optional
        Molecules that another test allows in the signature; all if omitted.
    weights : ndarray of shape (n_molecules,), optional
        What is known beforehand, as for weighted tests: t² grows by 2 log weight, about what dividing p by the weight does.
        Decoys and shuffled labellings of a molecule are raised with it, so that they still show what chance would select.

    Notes
    -----
    The share of false ones at a score is (decoys at or above it in a set, on average, plus 1 / sets) / molecules at or above
    it, as in significance analysis of microarrays (Tusher et al. 2001, doi 10.1073/pnas.091062498); the level holds on average
    over cohorts, not in each. Molecules that move together make a chance finding a crowd, which such an estimate does not
    see; so the whole is given up unless at most half the `level` of the shuffled labellings do as well: reach, at any
    threshold of the whole cohort's |t|, as low a share of false ones. Measured in tests/benchmarks/discovery.py.
    """
    rng = np.random.default_rng(seed)
    p = units.Y.shape[1]
    halves = _halves(units, pairs, rng)
    true = _raised(moderated_statistics(units, units.y, halves), weights)
    depths = np.unique(np.geomspace(min(5, p), max(min(20, p), p // 8), _N_DEPTHS).round().astype(np.intp))
    paths, decoys = np.zeros((len(depths), p)), np.zeros((decoy_sets, p))
    for i in range(decoy_sets):
        order = _shuffled(units.strata, rng)
        # A shuffled sample keeps its side of the halving, so that decoys have the same states in each half.
        decoy = _raised(moderated_statistics(units, units.y[order], halves[:, order]), weights)
        shares = _among_strongest(np.hstack([true, decoy]), depths)
        paths += shares[:, :p] / decoy_sets
        decoys[i] = shares[:, p:].mean(axis=0)
    score = paths.mean(axis=0)
    threshold, share = false_share(score, decoys, _IN_HAND * level)
    orders = np.array([_shuffled(units.strata, rng) for _ in range(shuffles)])
    chance = _chance(units, orders, weights)
    selected = (score >= threshold) & (chance <= _GATE * level)
    if allowed is not None:
        selected &= allowed
    depth = max(1, min(p, round(np.sqrt(0.8 * p))))
    frequency = _among_strongest(true, np.array([depth]))[0]
    return Stability(
        selected, score, frequency, depth, depths, paths, decoys,
        threshold if selected.any() else np.inf,
        share if selected.any() else np.nan,
        chance,
        depth**2 / p / (2 * FIRM - 1),
    )  # fmt: skip


def false_share(score: Floats, decoys: Floats, level: float) -> tuple[float, float]:
    """Find the lowest score at which the estimated share of false ones is at most `level`.

    The estimate there; NaN when there is none.

    Parameters
    ----------
    score : ndarray of shape (n_molecules,)
        Of the molecules.
    decoys : ndarray of shape (n_decoy_sets, n_molecules)
        Of the decoys.
    """
    values = np.unique(score)
    ordered, chance = np.sort(score), np.sort(decoys.ravel())
    above = len(ordered) - np.searchsorted(ordered, values)
    expected = (len(chance) - np.searchsorted(chance, values) + 1) / len(decoys)
    share = expected / above
    passing = np.flatnonzero(share <= level)
    if not passing.size:
        return np.inf, np.nan
    return float(values[passing[0]]), float(share[passing[0]])


def _raised(statistics: Floats, weights: Floats | None) -> Floats:
    """Raise |t| by what is known beforehand; 0 says nothing and stays."""
    if weights is None:
        return statistics
    raised: Floats = np.sqrt(np.maximum(statistics**2 + 2 * np.log(weights), 1e-12))
    return np.where(statistics > 0, raised, 0.0)


def _halves(units: Units, pairs: int, rng: np.random.Generator) -> Mask:
    """Halve the subjects of each kind (strata and states of their units), again and again; both halves are kept."""
    kinds: dict[tuple[tuple[int, int], ...], list[int]] = {}
    of_subject: dict[int, list[int]] = {}
    for row, subject in enumerate(units.subjects):
        of_subject.setdefault(int(subject), []).append(row)
    for subject, rows in of_subject.items():
        paired = len(set(units.y[rows].tolist())) > 1
        kind = tuple(sorted((-1 if paired else int(units.strata[row]), int(units.y[row])) for row in rows))
        kinds.setdefault(kind, []).append(subject)
    halves = np.zeros((2 * pairs, len(units.y)), dtype=bool)
    for i in range(pairs):
        for members in kinds.values():
            mixed = rng.permutation(members)
            half = len(mixed) // 2 + (int(rng.integers(2)) if len(mixed) % 2 else 0)
            for subject in mixed[:half]:
                halves[2 * i, of_subject[int(subject)]] = True
        halves[2 * i + 1] = ~halves[2 * i]
    return halves


def _shuffled(strata: Codes, rng: np.random.Generator) -> Codes:
    order = np.arange(len(strata))
    for stratum in np.unique(strata):
        at = np.flatnonzero(strata == stratum)
        order[at] = rng.permutation(at)
    return order


def _among_strongest(statistics: Floats, depths: Codes) -> Floats:
    """Share of the cases in which each column is among so many largest, shape (len(depths), n_columns)."""
    width = statistics.shape[1]
    deepest = int(min(depths.max(), width))
    largest = -np.sort(-np.partition(statistics, width - deepest, axis=1)[:, width - deepest :], axis=1)
    cuts = np.maximum(largest[:, np.minimum(depths, deepest) - 1], 1e-300)  # 0 says nothing, and is among none
    return np.stack([(statistics >= cuts[:, [i]]).mean(axis=0) for i in range(len(depths))])


def _chance(units: Units, orders: Codes, weights: Floats | None) -> float:
    """Share of the labellings, the true one among them, whose strongest molecules stand out as much as the true one's."""
    labels = np.vstack([units.y[None, :], units.y[orders]])
    whole = moderated_statistics(units, labels, np.ones(labels.shape, dtype=bool))
    statistics = np.sort(_raised(whole, weights), axis=1)
    pool = np.sort(statistics.ravel())
    above = np.arange(statistics.shape[1], 0, -1)
    # For each labelling the least share of false ones that the other labellings put on any of its thresholds.
    least = np.array(
        [
            ((len(pool) - np.searchsorted(pool, values) - above + 1) / (len(labels) - 1) / above).min()
            for values in statistics
        ]
    )
    return float((least <= least[0]).mean())
