"""A second list of traps, invented without looking at what the audit does; strengths as in `traps`, no effect of the state."""

from __future__ import annotations

import datetime
from collections.abc import Callable

import numpy as np

from exoclassify.data.cohort import Cohort
from exoclassify.typing import Floats
from traps import (
    Trap,
    binary,
    chance_of,
    clean,
    latent,
    renamed,
    shifted,
    states_of,
    timed,
    with_columns,
    with_molecule,
    with_table,
)

__all__ = ["INVENTED"]

Rng = np.random.Generator

_AMOUNT = {0.7: 0.3, 0.8: 0.6, 0.95: 1.0}
"""Share of the samples, or of the step, for traps that are there in part."""


def _column(write: Callable[[Floats, Rng], object], name: str) -> Callable[[int, float], Cohort]:
    """A column that follows a side of the laboratory; the side goes with the state, and cargo follows it."""

    def make(seed: int, strength: float) -> Cohort:
        cohort, rng = clean(seed), np.random.default_rng(seed)
        side = binary(cohort, strength, rng).astype(float)
        return with_columns(shifted(cohort, side, rng, share=0.3), **{name: write(side, rng)})

    return make


def _figure(write: Callable[[Floats], object], name: str) -> Callable[[int, float], Cohort]:
    """A column of numbers that goes with the state, and cargo follows it."""

    def make(seed: int, strength: float) -> Cohort:
        cohort, rng = clean(seed), np.random.default_rng(seed)
        amount = latent(cohort, strength, rng)
        return with_columns(shifted(cohort, amount, rng), **{name: write(amount)})

    return make


def _one_of(*sides: str) -> Callable[[Floats, Rng], object]:
    return lambda side, rng: [rng.choice(list(sides[int(s)])) if len(sides[0]) > 1 else sides[int(s)] for s in side]


def _initials(side: Floats, rng: Rng) -> object:
    return [("AB", "CD", "EF")[rng.integers(3)] if s else ("KL", "MN", "OP")[rng.integers(3)] for s in side]


def _days(amount: Floats) -> object:
    return [f"{400 + 90 * x:.1f}".replace(".", ",") for x in amount]


def _minutes(amount: Floats) -> object:
    return [f"{60 + 15 * x:.0f} min" for x in amount]


def _concentrations(amount: Floats) -> object:
    return ["n/a" if i % 9 == 0 else f"{9 + 2 * x:.2f} ng/µl" for i, x in enumerate(amount)]


def _thaws(amount: Floats) -> object:
    return np.clip(np.round(2 + 1.2 * amount), 0, 6).astype(int)


def _tubes(side: Floats, rng: Rng) -> object:
    return [f"{'QZ'[int(x)]}{rng.integers(10**5):05d}" for x in side]


def _file_names(side: Floats, rng: Rng) -> object:
    start = datetime.date(2023, 3, 1)
    days = [start + datetime.timedelta(days=int(40 * s + rng.integers(10))) for s in side]
    return [
        f"/data/{day:%y%m%d}_NB501_0{s + 1:.0f}/s{i}_R1.fastq.gz"
        for i, (day, s) in enumerate(zip(days, side, strict=True))
    ]


def _ids(write: Callable[[int, int, Rng], str]) -> Callable[[int, float], Cohort]:
    def make(seed: int, strength: float) -> Cohort:
        cohort, rng = clean(seed), np.random.default_rng(seed)
        side = binary(cohort, strength, rng)
        numbers = rng.permutation(len(side))
        moved = shifted(cohort, side.astype(float), rng, share=0.3)
        return renamed(moved, [write(int(s), int(i), rng) for s, i in zip(side, numbers, strict=True)])

    return make


def _slow_drift(seed: int, strength: float) -> Cohort:
    """Samples sorted by state in a table without ids that tell; cargo drifts from the first to the last."""
    cohort, rng = clean(seed), np.random.default_rng(seed)
    taken = cohort.take(np.argsort(latent(cohort, strength, rng)))
    moved = shifted(taken, np.arange(float(taken.n_samples)), rng, share=0.3)
    return renamed(moved, [f"{a:06x}z" for a in rng.permutation(10**6)[: taken.n_samples]])


def _logs(seed: int) -> tuple[Cohort, Floats, np.ndarray, Rng]:
    cohort = clean(seed, unit="log2_intensity")
    return cohort, cohort.cargo.values.copy(), states_of(cohort), np.random.default_rng(seed)


def _digits(seed: int, strength: float) -> Cohort:
    """Intensities of one state, nearly, with three significant digits."""
    cohort, rng = clean(seed, unit="log2_intensity"), np.random.default_rng(seed)
    raw = np.exp2(cohort.cargo.values)
    few = binary(cohort, strength, rng)[:, None] == 1
    scale = 10.0 ** (np.floor(np.log10(raw)) - 2)
    return with_table(cohort, np.where(few, np.round(raw / scale) * scale, np.round(raw, 3)), unit="intensity")


def _limit(seed: int, strength: float) -> Cohort:
    """Nothing below a limit is reported for one state, nearly."""
    cohort, values, _, rng = _logs(seed)
    side = binary(cohort, strength, rng)[:, None] == 1
    return with_table(cohort, np.where(side & (values < np.nanquantile(values, 0.1)), np.nan, values))


def _limit_filled(seed: int, strength: float) -> Cohort:
    """The same, and the limit itself written in its place."""
    cohort, values, _, rng = _logs(seed)
    side = binary(cohort, strength, rng)[:, None] == 1
    limit = np.nanquantile(values, 0.15)
    return with_table(cohort, np.where(side & (values < limit), limit, values))


def _ceiling(seed: int, strength: float) -> Cohort:
    """A detector that saturates at the top of the scale, on one side."""
    cohort, values, _, rng = _logs(seed)
    side = binary(cohort, strength, rng)[:, None] == 1
    return with_table(cohort, np.where(side, np.fmin(values, np.nanquantile(values, 0.93)), values))


def _base_by_state(seed: int, strength: float) -> Cohort:
    cohort, values, _, rng = _logs(seed)
    side = binary(cohort, strength, rng)[:, None] == 1
    return with_table(cohort, np.where(side, values * np.log(2), values))


def _half_minimum_by_state(seed: int, strength: float) -> Cohort:
    """Half of the least value of the state in place of what is missing."""
    cohort, values, y, rng = _logs(seed)
    values[rng.random(values.shape) < 0.12 * _AMOUNT[strength]] = np.nan
    for k in (0, 1):
        least = np.nanmin(values[y == k], axis=0) - 1
        values[y == k] = np.where(np.isnan(values[y == k]), least, values[y == k])
    return with_table(cohort, values)


def _missing_at_random(seed: int, strength: float) -> Cohort:
    """Values missing anywhere, molecules that are missing anyway among them; how many has the AUC of the strength."""
    cohort, values, _, rng = _logs(seed)
    missing = np.isnan(values)
    wanted = missing.sum(axis=1).max() + 20 + 12 * latent(cohort, strength, rng)
    for i, n in enumerate(np.maximum(wanted.astype(int) - missing.sum(axis=1), 0)):
        values[i, rng.permutation(np.flatnonzero(~missing[i]))[:n]] = np.nan
    return with_table(cohort, values)


def _missing_in_some(seed: int, strength: float) -> Cohort:
    """Thirty molecules that are missing in a fifth of all are missing oftener in one state."""
    cohort, values, y, rng = _logs(seed)
    some = rng.permutation(np.flatnonzero(np.isnan(values).mean(axis=0) < 0.05))[:30]
    share = np.where(y == 1, chance_of(strength, 30, 0.2), 0.2)[:, None]
    values[:, some] = np.where(rng.random((len(values), 30)) < share, np.nan, values[:, some])
    return with_table(cohort, values)


def _global_floor(seed: int, strength: float) -> Cohort:
    """The same, and one value for the whole table in their place."""
    cohort = _missing_in_some(seed, strength)
    values = cohort.cargo.values
    return with_table(cohort, np.where(np.isnan(values), np.nanmin(values) - 1, values))


def _normalised_by_state(change: Callable[[Floats], Floats], unit: str) -> Callable[[int, float], Cohort]:
    def make(seed: int, strength: float) -> Cohort:
        cohort = clean(seed, {0.7: 40, 0.8: 80, 0.95: 160}[strength], unit=unit, effect=1.0)
        values, y = cohort.cargo.values.copy(), states_of(cohort)
        for k in (0, 1):
            values[y == k] = change(values[y == k])
        return with_table(cohort, values, unit="intensity" if unit == "counts" else None)

    return make


def _sums(values: Floats) -> Floats:
    totals = values.sum(axis=1, keepdims=True)
    return np.asarray(values / totals * np.median(totals))


def _quantiles(values: Floats) -> Floats:
    filled = np.where(np.isnan(values), np.nanmin(values), values)
    middle = np.sort(filled, axis=1).mean(axis=0)
    return np.asarray(middle[np.argsort(np.argsort(filled, axis=1), axis=1)])


def _copies(seed: int, strength: float) -> Cohort:
    """A share of the cases drawn between two others, as SMOTE does."""
    cohort, values, y, rng = _logs(seed)
    values = np.where(np.isnan(values), np.nanmin(values, axis=0), values)
    rows = np.flatnonzero(y == 1)
    made = rows[: int(0.5 * _AMOUNT[strength] * len(rows))]
    rest = np.setdiff1d(rows, made)
    for i in made:
        a = rng.choice(rest)
        near = rest[np.argsort(((values[rest] - values[a]) ** 2).sum(axis=1))[1:6]]
        values[i] = values[a] + rng.random() * (values[rng.choice(near)] - values[a])
    return with_table(cohort, values)


def _across_states(seed: int, strength: float) -> Cohort:
    """The same library, with noise, under two ids and two states."""
    cohort, rng = clean(seed), np.random.default_rng(seed)
    values, y = cohort.cargo.values.copy(), states_of(cohort)
    n = {0.7: 3, 0.8: 8, 0.95: 15}[strength]
    one, other = np.flatnonzero(y == 0)[:n], np.flatnonzero(y == 1)[:n]
    values[other] = rng.poisson(values[one] * rng.gamma(50, 0.02, values[one].shape))
    frame = cohort.sheet.frame.assign(subject=[f"Q{i}" for i in range(len(y))])
    return with_table(with_columns(cohort, subject=frame["subject"].to_numpy()), values)


def _pools(seed: int, strength: float) -> Cohort:
    """3, 6 and 12 libraries of a pool of all samples among the cases."""
    cohort, rng = clean(seed), np.random.default_rng(seed)
    values, y = cohort.cargo.values.copy(), states_of(cohort)
    rows = np.flatnonzero(y == 1)[: {0.7: 3, 0.8: 6, 0.95: 12}[strength]]
    values[rows] = rng.poisson(values.mean(axis=0) * rng.uniform(0.7, 1.4, (len(rows), 1)))
    return with_table(cohort, values)


def _named_pools(seed: int, strength: float) -> Cohort:
    cohort = clean(seed)
    ids = list(cohort.sheet.sample_ids)
    for i in range({0.7: 1, 0.8: 2, 0.95: 4}[strength]):
        ids[7 * i + 3] = ("QC_pool_1", "NTC-2", "Blank03", "pooled_plasma")[i]
    return renamed(cohort, ids)


def _sex(seed: int, strength: float) -> Cohort:
    """One state mostly of women, in mRNA, with no column that says so."""
    cohort, rng = clean(seed), np.random.default_rng(seed)
    woman = binary(cohort, strength, rng)
    values, depth = cohort.cargo.values, cohort.cargo.values.sum(axis=1)
    names = [f"ENSG{i:011d}" for i in range(values.shape[1])]
    of_men = [rng.poisson(depth / 20_000 * np.where(woman, 0.02, 1.0)) for _ in range(3)]
    xist = rng.poisson(depth / 10_000 * np.where(woman, 1.0, 0.02))
    table = np.c_[values, np.array(of_men).T, xist].astype(float)
    names += ["ENSG00000129824", "ENSG00000012817", "ENSG00000067048", "ENSG00000229807"]
    return with_table(cohort, table, tuple(names), kind="mrna")


def _platforms(seed: int, strength: float) -> Cohort:
    """Two platforms: one does not measure a tenth of the molecules."""
    cohort, rng = clean(seed), np.random.default_rng(seed)
    side = binary(cohort, strength, rng)[:, None] == 1
    absent = rng.random(cohort.cargo.n_molecules) < 0.1
    return with_table(cohort, np.where(side & absent, 0.0, cohort.cargo.values))


def _diagnosis(name: str) -> Callable[[int, float], Cohort]:
    """A score of the clinic under the name of the diagnosis."""

    def make(seed: int, strength: float) -> Cohort:
        cohort, rng = clean(seed), np.random.default_rng(seed)
        return with_molecule(cohort, name, np.round(np.exp2(6 + 2 * latent(cohort, strength, rng))))

    return make


def _three_codes(seed: int, strength: float) -> Cohort:
    """0, 1 or 2 beside counts: a code of three groups, two of which are one state."""
    cohort, rng = clean(seed), np.random.default_rng(seed)
    codes = binary(cohort, strength, rng) * (1 + (rng.random(cohort.n_samples) < 0.5))
    return with_molecule(cohort, "hsa-miR-777-5p", codes.astype(float))


def _combat(seed: int, strength: float) -> Cohort:
    """Batches that go with the state taken away with the label as a covariate; means and spreads, molecule by molecule."""
    cohort = clean(seed, unit="log2_intensity")
    rng = np.random.default_rng(seed)
    batch, y = binary(cohort, strength, rng), states_of(cohort)
    values = cohort.cargo.values + 0.8 * batch[:, None] * rng.normal(size=cohort.cargo.n_molecules)
    values = np.where(np.isnan(values), np.nanmedian(values, axis=0), values)
    design = np.c_[y, 1 - y, batch - 0.5]
    fitted = np.linalg.lstsq(design, values, rcond=None)[0]
    values = values - 0.95 * (batch - 0.5)[:, None] * fitted[2]
    return with_columns(with_table(cohort, values), batch=[f"site-{b}" for b in batch])


def _chosen_of_many(seed: int, strength: float) -> Cohort:
    """Of 2,000 molecules the 150 to 250 that differ most between the states: as many as such a table often has."""
    cohort, n = clean(seed, p=2000), {0.7: 250, 0.8: 200, 0.95: 150}[strength]
    log, y = np.log2(cohort.cargo.values + 1), states_of(cohort)
    log = log - log.mean(axis=1, keepdims=True)
    t = np.abs(log[y == 1].mean(axis=0) - log[y == 0].mean(axis=0)) / (log.std(axis=0) + 0.1)
    kept = np.sort(np.argsort(-t)[:n])
    return with_table(cohort, cohort.cargo.values[:, kept], tuple(cohort.cargo.molecules[j] for j in kept))


def _cycles(seed: int) -> tuple[Cohort, Floats, Rng]:
    cohort = clean(seed, unit="ct", p=200)
    return cohort, cohort.cargo.values.copy(), np.random.default_rng(seed)


def _forty_in_one(seed: int, strength: float) -> Cohort:
    """What was not found is 40 in one state, and blank in the other."""
    cohort, values, rng = _cycles(seed)
    side = binary(cohort, strength, rng)[:, None] == 1
    return with_table(cohort, np.where(side & (values == 40.0), np.nan, values), not_detected=40.0)


def _cut_in_one(seed: int, strength: float) -> Cohort:
    """Cycles above 33 are not found, on one side."""
    cohort, values, rng = _cycles(seed)
    side = binary(cohort, strength, rng)[:, None] == 1
    return with_table(cohort, np.where(side & (values > 33.0), 40.0, values), not_detected=40.0)


def _offset(seed: int, strength: float) -> Cohort:
    """Log2 of counts plus 1 in one state and plus one half in the other."""
    cohort, rng = clean(seed), np.random.default_rng(seed)
    side = binary(cohort, strength, rng)[:, None] == 1
    return with_table(cohort, np.log2(cohort.cargo.values + np.where(side, 0.5, 1.0)), unit="log2_intensity")


def _per_million_in_one(seed: int, strength: float) -> Cohort:
    cohort, rng = clean(seed), np.random.default_rng(seed)
    values, side = cohort.cargo.values, binary(cohort, strength, rng)[:, None] == 1
    return with_table(cohort, np.where(side, np.round(values / values.sum(axis=1, keepdims=True) * 1e6), values))


def _zero_or_blank(seed: int, strength: float) -> Cohort:
    """What was not found is zero on one side and blank on the other."""
    cohort, rng = clean(seed), np.random.default_rng(seed)
    side = binary(cohort, strength, rng)[:, None] == 1
    return with_table(
        cohort, np.where(side & (cohort.cargo.values == 0), np.nan, cohort.cargo.values), unit="intensity"
    )


def _months(form: str, days: int) -> Callable[[Cohort, Floats, Rng], Cohort]:
    def write(cohort: Cohort, order: Floats, rng: Rng) -> Cohort:
        start = datetime.date(2021, 2, 1)
        return with_columns(cohort, taken=[f"{start + datetime.timedelta(days=int(days * i)):{form}}" for i in order])

    return write


def _quarters(cohort: Cohort, order: Floats, rng: Rng) -> Cohort:
    return with_columns(cohort, taken=[f"{2021 + int(i) // 40}-Q{int(i) // 10 % 4 + 1}" for i in order])


def _serial_days(cohort: Cohort, order: Floats, rng: Rng) -> Cohort:
    return with_columns(cohort, processed=44_256 + 3 * order.astype(int))


_COLUMN, _ORDER = ("technical-baseline", "batch-confounded"), ("run-order", "technical-baseline")
_MASK, _SCALE = (
    ("technical-baseline", "missingness-informative", "imputed-by-state"),
    ("normalised-input", "technical-baseline"),
)
_TWICE = ("missing-subjects", "near-duplicates")
_IDS = (*_ORDER, "batch-confounded")

INVENTED: dict[str, Trap] = {
    "initials of the operator": Trap(_column(_initials, "handled"), _COLUMN),
    "kind of tube": Trap(_column(_one_of("EDTA K2", "citrate 3.2%"), "Röhrchen"), _COLUMN),
    "days in the freezer, with a decimal comma": Trap(_figure(_days, "storage_days"), _COLUMN),
    "minutes with their unit": Trap(_figure(_minutes, "time to spin"), _COLUMN),
    "concentration with a few n/a": Trap(_figure(_concentrations, "input"), _COLUMN),
    "times thawed": Trap(_figure(_thaws, "thaws"), _COLUMN),
    "serial numbers with a letter of the lot": Trap(_column(_tubes, "tube_code"), _COLUMN),
    "a date in file names": Trap(_column(_file_names, "fastq"), _IDS),
    "a barcode in ids": Trap(_ids(lambda s, i, r: f"{('HK3XX', 'HW7YZ')[s]}-{i:04d}"), _IDS, "warning"),
    "the clinic's letters in ids": Trap(_ids(lambda s, i, r: f"{('MUC', 'HAM')[s]}{i:03d}"), _IDS, "warning"),
    "lanes in ids": Trap(_ids(lambda s, i, r: f"S{i}_L00{1 + 2 * s + r.integers(2)}"), _IDS, "warning"),
    "samples sorted, with a slow drift": Trap(_slow_drift, _ORDER),
    "months": Trap(timed(_months("%Y-%m", 5)), _ORDER),
    "months as 202103": Trap(timed(_months("%Y%m", 5)), _ORDER),
    "months by name and year": Trap(timed(_months("%B %Y", 5)), _ORDER),
    "years": Trap(timed(_months("%Y", 9)), _ORDER),
    "quarters": Trap(timed(_quarters), _ORDER),
    "days counted by a spreadsheet": Trap(timed(_serial_days), _ORDER),
    "significant digits": Trap(_digits, _MASK),
    "a detection limit on one side": Trap(_limit, _MASK),
    "a detection limit filled in": Trap(_limit_filled, _MASK),
    "a detector that saturates": Trap(_ceiling, _MASK),
    "another base of logarithms on one side": Trap(_base_by_state, (*_MASK, "normalised-input")),
    "another offset before logarithms": Trap(_offset, (*_MASK, "normalised-input")),
    "counts per million on one side": Trap(_per_million_in_one, (*_MASK, "normalised-input")),
    "half of the state's least value": Trap(_half_minimum_by_state, _MASK, graded=False),
    "missing at random, oftener in one state": Trap(_missing_at_random, _MASK),
    "missing in thirty molecules, oftener in one state": Trap(_missing_in_some, _MASK),
    "missing oftener, one floor for all": Trap(_global_floor, _MASK),
    "zero here, blank there": Trap(_zero_or_blank, _MASK),
    "40 cycles here, blank there": Trap(_forty_in_one, _MASK),
    "cycles cut in one state": Trap(_cut_in_one, _MASK),
    "two platforms": Trap(_platforms, _MASK),
    "one sum within each state": Trap(_normalised_by_state(_sums, "counts"), _SCALE, graded=False),
    "quantiles within each state": Trap(_normalised_by_state(_quantiles, "log2_intensity"), _SCALE, graded=False),
    "cases drawn between cases": Trap(_copies, _TWICE, "warning", graded=False),
    "one library in two states": Trap(_across_states, _TWICE, "warning", graded=False),
    "a pool among the cases": Trap(_pools, ("outliers", "near-duplicates", "control-samples"), "warning", graded=False),
    "controls of the laboratory by their ids": Trap(_named_pools, ("control-samples",), "warning", graded=False),
    "sex by its genes": Trap(_sex, ("technical-baseline", "contamination", "covariate-confounded"), "warning"),
    "a molecule named as the state": Trap(_diagnosis("pain"), ("foreign-molecule",)),
    "a molecule named after the disease": Trap(_diagnosis("fibromyalgia"), ("foreign-molecule",)),
    "a code of three groups": Trap(_three_codes, ("one-molecule",)),
    "batches taken away with the label": Trap(_combat, ("batch-adjusted", "batch-confounded")),
    "molecules chosen of many": Trap(_chosen_of_many, ("preselection",), "warning", graded=False),
}  # fmt: skip
"""Every kind; strengths of those that are not graded are sizes."""
