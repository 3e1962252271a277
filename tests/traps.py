"""Cohorts with one trap each, at a strength that is the AUC which the trap alone reaches; simulated, no effect of the state."""

from __future__ import annotations

import dataclasses
import datetime
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.stats import binom, norm, rankdata

from exoclassify.auditing.findings import SEVERITIES, Audit, Finding
from exoclassify.data.cargo import CargoTable
from exoclassify.data.cohort import Cohort
from exoclassify.simulation.simulate import SimulationDesign, simulate

__all__ = ["STRENGTHS", "TRAPS", "Trap", "clean", "found_by", "swapped", "two_sites"]

Floats = NDArray[np.float64]

STRENGTHS = (0.7, 0.8, 0.95)
"""AUC of the trap alone."""


def clean(
    seed: int, n: int = 120, *, effect: float = 0.0, kind: str = "mirna", unit: str = "counts", p: int = 400
) -> Cohort:
    """A simulated cohort of two states in two batches, persons sampled twice now and then, nothing wrong."""
    layer = {"counts": "mirna", "ct": "ct"}.get(unit, "protein")
    design = SimulationDesign(
        seed=seed,
        n_samples=n,
        states=("control", "pain"),
        effect=effect,
        n_molecules=p,
        batch_effect=0.3,
        layers=(layer,),
    )
    cohort = simulate(design).cohort
    return _logged(cohort) if unit == "log2_intensity" else cohort


def two_sites(seed: int, n: int = 110) -> Cohort:
    """Real biology, and two sites whose share of cases differs: 25 and 75 %."""
    cohort = clean(seed, 2 * n, effect=1.0)
    rng = np.random.default_rng(seed)
    pain = cohort.y == "pain"
    likely = np.where(pain == (cohort.batches == "B1"), 0.75, 0.25)
    return cohort.take(np.sort(np.flatnonzero(rng.random(2 * n) < likely)[:n]))


def _logged(cohort: Cohort) -> Cohort:
    table = cohort.cargo
    values = np.log2(np.where(table.values > 0, table.values, np.nan))
    kept = np.flatnonzero(np.isfinite(values).mean(axis=0) >= 0.3)
    names = tuple(table.molecules[j] for j in kept)
    return with_table(cohort, values[:, kept], names, unit="log2_intensity")


def with_table(
    cohort: Cohort,
    values: Floats,
    molecules: tuple[str, ...] | None = None,
    unit: str | None = None,
    not_detected: float | None = None,
    kind: str | None = None,
) -> Cohort:
    table = cohort.cargo
    kind = table.kind if kind is None else kind
    names = table.molecules if molecules is None else molecules
    unit = table.unit if unit is None else unit
    layer = CargoTable(values, table.sample_ids, names, kind, unit, not_detected=not_detected)
    return dataclasses.replace(cohort, layers={kind: layer})


def with_columns(cohort: Cohort, **columns: object) -> Cohort:
    frame = cohort.sheet.frame.copy()
    for name, values in columns.items():
        frame[name] = values
    return dataclasses.replace(cohort, sheet=dataclasses.replace(cohort.sheet, frame=frame))


def with_molecule(cohort: Cohort, name: str, values: Floats) -> Cohort:
    table = cohort.cargo
    return with_table(cohort, np.c_[table.values, values], (*table.molecules, name))


def states_of(cohort: Cohort) -> NDArray[np.int_]:
    return (cohort.y == "pain").astype(int)


def latent(cohort: Cohort, strength: float, rng: np.random.Generator) -> Floats:
    """A normal figure whose AUC for the state is the strength."""
    return rng.normal(size=cohort.n_samples) + np.sqrt(2) * norm.ppf(strength) * states_of(cohort)


def binary(cohort: Cohort, strength: float, rng: np.random.Generator) -> NDArray[np.int_]:
    """0 or 1, equal to the state as often as gives the AUC."""
    return np.where(rng.random(cohort.n_samples) < strength, states_of(cohort), 1 - states_of(cohort))


def shifted(cohort: Cohort, rows: Floats, rng: np.random.Generator, share: float = 0.15) -> Cohort:
    """Counts in which a share of the molecules follows a figure, half a doubling for each standard deviation."""
    z = (rows - rows.mean()) / rows.std()
    slope = np.where(rng.random(cohort.cargo.n_molecules) < share, rng.normal(0, 0.7, cohort.cargo.n_molecules), 0.0)
    return with_table(cohort, np.round(cohort.cargo.values * np.exp2(z[:, None] * slope)))


@dataclass(frozen=True)
class Trap:
    """One kind of trap.

    Parameters
    ----------
    make : callable
        Given seed and strength, a cohort.
    checks : tuple of str
        Checks of the audit, one of which must name it.
    severity : str
        At least this.
    graded : bool
        It has a strength; others are there or not, and their strengths are sizes of the table.
    """

    make: Callable[[int, float], Cohort]
    checks: tuple[str, ...]
    severity: str = "critical"
    graded: bool = True


def _label_molecule(name: str) -> Callable[[int, float], Cohort]:
    def make(seed: int, strength: float) -> Cohort:
        cohort = clean(seed)
        return with_molecule(cohort, name, binary(cohort, strength, np.random.default_rng(seed)).astype(float))

    return make


def _code(seed: int, strength: float) -> Cohort:
    cohort = clean(seed)
    return with_molecule(cohort, "hsa-miR-555-3p", binary(cohort, strength, np.random.default_rng(seed)) + 1.0)


def _score(seed: int, strength: float) -> Cohort:
    """A score from 0 to 10 under the name of a protein."""
    cohort, rng = clean(seed, unit="log2_intensity"), np.random.default_rng(seed)
    return with_molecule(cohort, "Q99999", np.clip(np.round(4 + 2 * latent(cohort, strength, rng)), 0, 10))


def _spike(seed: int, strength: float) -> Cohort:
    cohort, rng = clean(seed), np.random.default_rng(seed)
    depth = cohort.cargo.values.sum(axis=1)
    amount = np.exp2(latent(cohort, strength, rng))
    return with_molecule(cohort, "cel-miR-39-3p", np.round(depth / 200 * amount))


def _too_good(seed: int, strength: float) -> Cohort:
    cohort, rng = clean(seed), np.random.default_rng(seed)
    depth = cohort.cargo.values.sum(axis=1)
    values = rng.poisson(depth / 500 * np.exp2(1.5 * latent(cohort, min(strength + 0.04, 0.98), rng))).astype(float)
    return with_molecule(cohort, "hsa-miR-99999-5p", values)


def timed(write: Callable[[Cohort, Floats, np.random.Generator], Cohort]) -> Callable[[int, float], Cohort]:
    """Samples measured in the order of a figure that goes with the state, cargo that drifts, and a column that tells when."""

    def make(seed: int, strength: float) -> Cohort:
        cohort, rng = clean(seed), np.random.default_rng(seed)
        order = rankdata(latent(cohort, strength, rng)) - 1
        return write(shifted(cohort, order, rng), order, rng)

    return make


def _dates(form: str) -> Callable[[Cohort, Floats, np.random.Generator], Cohort]:
    def write(cohort: Cohort, order: Floats, rng: np.random.Generator) -> Cohort:
        start = datetime.date(2021, 3, 1)
        days = [(start + datetime.timedelta(days=int(3 * i))).strftime(form) for i in order]
        return with_columns(cohort, taken=days)

    return write


def _clock(cohort: Cohort, order: Floats, rng: np.random.Generator) -> Cohort:
    minutes = 8 * 60 + 5 * order.astype(int)
    return with_columns(cohort, thawed_at=[f"{m // 60 % 24:02d}:{m % 60:02d}" for m in minutes])


def _wells(cohort: Cohort, order: Floats, rng: np.random.Generator) -> Cohort:
    # Along columns of 96-well plates: A1, B1, … H1, A2, …
    places = [divmod(int(i), 96) for i in order]
    wells = [f"P{plate + 1}-{'ABCDEFGH'[at % 8]}{at // 8 + 1:02d}" for plate, at in places]
    return with_columns(cohort, well=wells)


def renamed(cohort: Cohort, names: list[str]) -> Cohort:
    table = cohort.cargo
    layer = dataclasses.replace(table, sample_ids=tuple(names))
    frame = cohort.sheet.frame.set_axis(names)
    return dataclasses.replace(cohort, layers={table.kind: layer}, sheet=dataclasses.replace(cohort.sheet, frame=frame))


def _ids(cohort: Cohort, order: Floats, rng: np.random.Generator) -> Cohort:
    return renamed(cohort, [f"EV-{int(2 * i) + 101}x" for i in order])


def _well_ids(cohort: Cohort, order: Floats, rng: np.random.Generator) -> Cohort:
    return renamed(cohort, [f"P{int(i) // 96 + 1}_{'ABCDEFGH'[int(i) % 8]}{int(i) % 96 // 8 + 1:02d}" for i in order])


def _rows(cohort: Cohort, order: Floats, rng: np.random.Generator) -> Cohort:
    taken = cohort.take(np.argsort(order))
    return renamed(taken, [f"{a:06x}z" for a in rng.permutation(10**6)[: taken.n_samples]])


def _run_index(cohort: Cohort, order: Floats, rng: np.random.Generator) -> Cohort:
    return with_columns(cohort, injection=order.astype(int) + 1)


def chance_of(strength: float, n: int, base: float) -> float:
    """Share at which the number of hits among n has that AUC against a base share."""
    grid, hits = np.linspace(base, 0.99, 400), np.arange(n + 1)
    low = binom.pmf(hits, n, base)
    for share in grid:
        high = binom.pmf(hits, n, share)
        if float((high * (np.cumsum(low) - low / 2)).sum()) >= strength:
            return float(share)
    return 1.0


def _zeros(seed: int, strength: float) -> Cohort:
    cohort, rng = clean(seed), np.random.default_rng(seed)
    values = cohort.cargo.values.copy()
    abundant = np.argsort(-np.median(values, axis=0))[10:22]
    share = np.where(states_of(cohort) == 1, chance_of(strength, 12, 0.03), 0.03)
    hit = rng.random((len(values), 12)) < share[:, None]
    values[:, abundant] = np.where(hit, 0.0, values[:, abundant])
    return with_table(cohort, values)


def _floor(seed: int, strength: float) -> Cohort:
    """Missing values filled in with half the least value of the molecule, more of them in one state."""
    cohort, rng = clean(seed, unit="log2_intensity"), np.random.default_rng(seed)
    kept = np.flatnonzero(np.isnan(cohort.cargo.values).mean(axis=0) < 0.03)
    names = tuple(cohort.cargo.molecules[j] for j in kept)
    cohort = with_table(cohort, cohort.cargo.values[:, kept], names)
    values = cohort.cargo.values.copy()
    at = np.argsort(np.isnan(values).sum(axis=0))[:20]
    share = np.where(states_of(cohort) == 1, chance_of(strength, 20, 0.05), 0.05)
    hit = rng.random((len(values), 20)) < share[:, None]
    values[:, at] = np.where(hit, np.nan, values[:, at])
    return with_table(cohort, np.where(np.isnan(values), np.nanmin(values, axis=0) - 1, values))


def _class_mean(seed: int, strength: float) -> Cohort:
    """A share of the values replaced by the mean of their state: 3, 8 and 20 %."""
    cohort, rng = clean(seed, unit="log2_intensity"), np.random.default_rng(seed)
    values, y = cohort.cargo.values.copy(), states_of(cohort)
    hit = rng.random(values.shape) < {0.7: 0.05, 0.8: 0.1, 0.95: 0.2}[strength]
    values[hit] = np.nan
    for k in (0, 1):
        means = np.nanmean(values[y == k], axis=0)
        values[y == k] = np.where(np.isnan(values[y == k]), means, values[y == k])
    return with_table(cohort, values)


def _counts_filled_in(seed: int, strength: float) -> Cohort:
    """Zeros of counts replaced by the mean of their state, as often as 30, 60 and 100 %."""
    cohort, rng = clean(seed), np.random.default_rng(seed)
    values, y = cohort.cargo.values.copy(), states_of(cohort)
    hit = (values == 0) & (rng.random(values.shape) < {0.7: 0.3, 0.8: 0.6, 0.95: 1.0}[strength])
    for k in (0, 1):
        here = np.where(hit, np.nan, values)[y == k]
        means = np.round(np.nanmean(np.where(here > 0, here, np.nan), axis=0))
        values[y == k] = np.where(np.isnan(here), means, here)
    return with_table(cohort, values)


def _decimals(seed: int, strength: float) -> Cohort:
    """Values of one state, nearly, written with fewer decimals."""
    cohort, rng = clean(seed, unit="log2_intensity"), np.random.default_rng(seed)
    few = binary(cohort, strength, rng) == 1
    values = np.where(few[:, None], np.round(cohort.cargo.values, 1), np.round(cohort.cargo.values, 4))
    return with_table(cohort, values)


def _multiples(seed: int, strength: float) -> Cohort:
    """Counts of one state, nearly, doubled."""
    cohort, rng = clean(seed), np.random.default_rng(seed)
    twice = binary(cohort, strength, rng) == 1
    return with_table(cohort, cohort.cargo.values * np.where(twice, 4.0, 1.0)[:, None])


def _panel(names: tuple[str, ...]) -> Callable[[int, float], Cohort]:
    def make(seed: int, strength: float) -> Cohort:
        cohort, rng = clean(seed), np.random.default_rng(seed)
        table = cohort.cargo
        depth = table.values.sum(axis=1, keepdims=True)
        amount = np.exp2(1.5 * latent(cohort, strength, rng))[:, None]
        noise = rng.gamma(4, 0.25, (len(depth), len(names)))
        values = rng.poisson(depth / 300 * amount * noise).astype(float)
        kept = [j for j, name in enumerate(table.molecules) if name not in names]
        molecules = (*(table.molecules[j] for j in kept), *names)
        return with_table(cohort, np.c_[table.values[:, kept], values], molecules)

    return make


def _depth(seed: int, strength: float) -> Cohort:
    cohort, rng = clean(seed), np.random.default_rng(seed)
    totals = cohort.cargo.values.sum(axis=1, keepdims=True)
    depth = np.exp2(17 + latent(cohort, strength, rng))[:, None]
    return with_table(cohort, rng.poisson(cohort.cargo.values / totals * depth).astype(float))


def _failed(seed: int, strength: float) -> Cohort:
    """5, 10 and 20 of 120 libraries with a few thousand reads."""
    cohort, rng = clean(seed), np.random.default_rng(seed)
    values = cohort.cargo.values.copy()
    failed = rng.permutation(len(values))[: {0.7: 5, 0.8: 10, 0.95: 20}[strength]]
    goal = rng.uniform(2_000, 20_000, len(failed))
    values[failed] = rng.poisson(values[failed] / values[failed].sum(axis=1, keepdims=True) * goal[:, None])
    return with_table(cohort, values)


def _twice(seed: int, strength: float) -> Cohort:
    """10, 20 and 40 samples taken again from the same persons, under other ids."""
    cohort, rng = clean(seed, 160, unit="log2_intensity"), np.random.default_rng(seed)
    values, y = cohort.cargo.values.copy(), states_of(cohort)
    for k in (0, 1):
        rows = np.flatnonzero(y == k)[: 2 * {0.7: 5, 0.8: 10, 0.95: 20}[strength]].reshape(-1, 2)
        values[rows[:, 1]] = values[rows[:, 0]] + rng.normal(0, 0.9, (len(rows), values.shape[1]))
    frame = cohort.sheet.frame.assign(subject=[f"Q{i}" for i in range(160)])
    sheet = dataclasses.replace(cohort.sheet, frame=frame)
    return with_table(dataclasses.replace(cohort, sheet=sheet), values)


def _batch(seed: int, strength: float) -> Cohort:
    cohort, rng = clean(seed), np.random.default_rng(seed)
    batch = binary(cohort, strength, rng)
    moved = shifted(cohort, batch.astype(float), rng, share=0.3)
    return with_columns(moved, batch=[f"site-{b}" for b in batch])


def _unnamed(name: str, n_levels: int) -> Callable[[int, float], Cohort]:
    def make(seed: int, strength: float) -> Cohort:
        cohort, rng = clean(seed), np.random.default_rng(seed)
        side = binary(cohort, strength, rng)
        moved = shifted(cohort, side.astype(float), rng, share=0.3)
        level = side * n_levels + rng.integers(0, n_levels, cohort.n_samples)
        return with_columns(moved, **{name: [f"L{i:03d}" for i in level]})

    return make


def scaled(change: Callable[[Cohort], Cohort], unit: str) -> Callable[[int, float], Cohort]:
    def make(seed: int, strength: float) -> Cohort:
        return change(clean(seed, {0.7: 40, 0.8: 80, 0.95: 160}[strength], unit=unit, effect=1.0))

    return make


def _cpm(cohort: Cohort) -> Cohort:
    values = cohort.cargo.values
    return with_table(cohort, np.round(values / values.sum(axis=1, keepdims=True) * 1e6))


def _same_depth(cohort: Cohort) -> Cohort:
    values = cohort.cargo.values / cohort.cargo.values.sum(axis=1, keepdims=True)
    return with_table(cohort, values * 5e4, unit="intensity")


def _quantile(cohort: Cohort) -> Cohort:
    values = cohort.cargo.values
    filled = np.where(np.isnan(values), np.nanmin(values), values)
    middle = np.sort(filled, axis=1).mean(axis=0)
    order = np.argsort(np.argsort(filled, axis=1), axis=1)
    return with_table(cohort, middle[order])


def _z(cohort: Cohort) -> Cohort:
    values = cohort.cargo.values
    return with_table(cohort, (values - np.nanmean(values, axis=0)) / np.nanstd(values, axis=0))


def _min_max(cohort: Cohort) -> Cohort:
    values = cohort.cargo.values
    low, high = np.nanmin(values, axis=0), np.nanmax(values, axis=0)
    return with_table(cohort, (values - low) / (high - low))


def _base(factor: float) -> Callable[[Cohort], Cohort]:
    def change(cohort: Cohort) -> Cohort:
        return with_table(cohort, cohort.cargo.values * factor)

    return change


def _log10_counts(cohort: Cohort) -> Cohort:
    return with_table(cohort, np.log10(cohort.cargo.values + 1), unit="log2_intensity")


def _forty_minus(cohort: Cohort) -> Cohort:
    return with_table(cohort, 40.0 - cohort.cargo.values + 1e-6, unit="ct", not_detected=40.0)


def _delta(cohort: Cohort) -> Cohort:
    values = np.where(cohort.cargo.values == 40.0, np.nan, cohort.cargo.values)
    reference = np.nanmean(values, axis=1, keepdims=True)
    moved = values - reference
    return with_table(cohort, moved - np.nanmin(moved) + 0.5, unit="ct", not_detected=40.0)


def _capped(cohort: Cohort) -> Cohort:
    found = cohort.cargo.values[cohort.cargo.values < 40.0]
    cap = min(35.0, float(np.quantile(found, 0.995)))  # in some cohorts nothing is as late as 35
    values = np.where(cohort.cargo.values < 40.0, np.minimum(cohort.cargo.values, cap), 40.0)
    return with_table(cohort, values, unit="ct", not_detected=40.0)


def _chosen(seed: int, strength: float) -> Cohort:
    """The 20, 60 or 100 molecules that differ most between the states, and no others."""
    cohort = clean(seed)
    log, y = np.log2(cohort.cargo.values + 1), states_of(cohort)
    log = log - log.mean(axis=1, keepdims=True)
    t = np.abs(log[y == 1].mean(axis=0) - log[y == 0].mean(axis=0)) / (log.std(axis=0) + 0.1)
    kept = np.sort(np.argsort(-t)[: {0.7: 100, 0.8: 60, 0.95: 20}[strength]])
    return with_table(cohort, cohort.cargo.values[:, kept], tuple(cohort.cargo.molecules[j] for j in kept))


_RED = ("hsa-miR-451a", "hsa-miR-486-5p", "hsa-miR-16-5p", "hsa-miR-92a-3p", "hsa-miR-144-3p")
_PLATELET = ("hsa-miR-148b-3p", "hsa-miR-151a-5p", "hsa-miR-199a-3p", "hsa-miR-22-3p", "hsa-miR-185-5p")
_ORDER = ("run-order",)
_MASKS = ("technical-baseline", "missingness-informative", "imputed-by-state")

TRAPS: dict[str, Trap] = {
    "a label among the molecules, named like one": Trap(_label_molecule("hsa-miR-9999-5p"), ("one-molecule",)),
    "a label among the molecules, by its name": Trap(_label_molecule("group"), ("foreign-molecule",)),
    "a code of 1 and 2": Trap(_code, ("one-molecule",)),
    "a score among intensities": Trap(_score, ("one-molecule", "foreign-molecule")),
    "a spike-in that goes with the state": Trap(_spike, ("foreign-molecule",)),
    "one molecule far ahead": Trap(_too_good, ("one-molecule",), "warning"),
    "dates, ISO": Trap(timed(_dates("%Y-%m-%d")), _ORDER),
    "dates, day first": Trap(timed(_dates("%d.%m.%Y")), _ORDER),
    "dates, short": Trap(timed(_dates("%y%m%d")), _ORDER),
    "dates, month by name": Trap(timed(_dates("%d-%b-%y")), _ORDER),
    "times with a zone": Trap(timed(_dates("%Y-%m-%dT08:15:00Z")), _ORDER),
    "weeks": Trap(timed(_dates("%G-W%V")), _ORDER),
    "wells inside ids": Trap(timed(_well_ids), _ORDER),
    "clock times": Trap(timed(_clock), _ORDER),
    "wells": Trap(timed(_wells), _ORDER),
    "a running number": Trap(timed(_run_index), _ORDER),
    "numbers inside ids": Trap(timed(_ids), _ORDER),
    "the order of rows": Trap(timed(_rows), _ORDER),
    "zeros of abundant molecules": Trap(_zeros, _MASKS),
    "values at a floor": Trap(_floor, _MASKS),
    "means of the state filled in": Trap(_class_mean, _MASKS),
    "counts of zero filled in by state": Trap(_counts_filled_in, _MASKS, graded=False),
    "decimals": Trap(_decimals, _MASKS),
    "multiples": Trap(_multiples, _MASKS),
    "haemolysis": Trap(_panel(_RED), ("contamination",)),
    "platelets": Trap(_panel(_PLATELET), ("contamination",)),
    "depth": Trap(_depth, ("technical-baseline",)),
    "failed libraries": Trap(_failed, ("failed-libraries",), "warning", graded=False),
    "persons under two ids": Trap(_twice, ("missing-subjects",), "warning", graded=False),
    "batch": Trap(_batch, ("batch-confounded",)),
    "reagent lot": Trap(_unnamed("reagent_lot", 8), ("technical-baseline",)),
    "Zentrum": Trap(_unnamed("Zentrum", 1), ("technical-baseline", "batch-confounded")),
    "study": Trap(_unnamed("study", 3), ("technical-baseline", "batch-confounded")),
    "rounded counts per million": Trap(scaled(_cpm, "counts"), ("normalised-input",), "warning", graded=False),
    "intensities of one sum": Trap(scaled(_same_depth, "counts"), ("normalised-input",), "warning", graded=False),
    "quantile-normalised": Trap(scaled(_quantile, "log2_intensity"), ("normalised-input",), "warning", graded=False),
    "z-scores": Trap(scaled(_z, "log2_intensity"), ("normalised-input",), "warning", graded=False),
    "min-max": Trap(scaled(_min_max, "log2_intensity"), ("normalised-input",), "warning", graded=False),
    "log10 of intensities": Trap(scaled(_base(np.log10(2)), "log2_intensity"), ("normalised-input",), "warning", graded=False),
    "natural logarithms": Trap(scaled(_base(np.log(2)), "log2_intensity"), ("normalised-input",), "warning", graded=False),
    "log10 of counts": Trap(scaled(_log10_counts, "counts"), ("normalised-input",), "warning", graded=False),
    "40 - Ct": Trap(scaled(_forty_minus, "ct"), ("normalised-input",), "warning", graded=False),
    "delta Ct": Trap(scaled(_delta, "ct"), ("normalised-input",), "warning", graded=False),
    "cycles cut at 35": Trap(scaled(_capped, "ct"), ("normalised-input",), "warning", graded=False),
    "molecules chosen before": Trap(_chosen, ("preselection",), "warning", graded=False),
}  # fmt: skip
"""Every kind; strengths of those that are not graded are sizes."""


def found_by(trap: Trap, found: Audit) -> list[Finding]:
    """Give the findings that name a trap, at least as severe as it calls for."""
    enough = SEVERITIES[: SEVERITIES.index(trap.severity) + 1]
    return [one for one in found.findings if one.check in trap.checks and one.severity in enough]


def swapped(seed: int, n: int) -> tuple[Cohort, NDArray[np.intp]]:
    """A cohort with real biology in which the labels of n samples are swapped, and their rows."""
    cohort = clean(seed, effect=1.5)
    rows = np.random.default_rng(seed).permutation(cohort.n_samples)[:n]
    label = cohort.sheet.frame["label"].to_numpy(copy=True)
    label[rows] = np.where(label[rows] == "pain", "control", "pain")
    return with_columns(cohort, label=label), rows
