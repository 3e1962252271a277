"""What the numbers of each unit can be, and what to do when they are not."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from exoclassify.errors import InputError, check_type
from exoclassify.tables.ids import counted
from exoclassify.typing import Floats, Mask

__all__ = ["KINDS", "LAYERS", "UNITS", "Cells", "doubtful_blanks", "known_kind", "known_unit"]

KINDS = ("mirna", "mrna", "lncrna", "protein", "other")
"""What molecules a table can hold."""

LAYERS = "layers"
"""Kind and unit of what a model of several layers reads, each of which has its own."""

UNITS = ("counts", "ct", "intensity", "log2_intensity", "cpm", "value")
"""What its numbers can be; ``value`` is any additive scale, such as arcsinh intensities, shares or scores."""

_KIND_WORDS = {
    **dict.fromkeys(("mirnas", "microrna", "micrornas", "mir", "smallrna"), "mirna"),
    **dict.fromkeys(("mrnas", "gene", "genes", "transcripts"), "mrna"),
    **dict.fromkeys(("lncrnas", "lincrna"), "lncrna"),
    **dict.fromkeys(("proteins", "proteome", "proteomics"), "protein"),
}
_UNIT_WORDS = {
    **dict.fromkeys(("count", "reads", "read", "readcounts", "rawcounts"), "counts"),
    **dict.fromkeys(("cq", "cts", "cqs", "cycles"), "ct"),
    **dict.fromkeys(("intensities", "lfq", "rfu", "mfi"), "intensity"),
    **dict.fromkeys(("log2", "log2intensities", "log2intensity", "npx"), "log2_intensity"),
    **dict.fromkeys(("rpm", "countspermillion"), "cpm"),
    **dict.fromkeys(("values", "score", "scores", "arcsinh"), "value"),
}

_CT_MAX = 50.0  # no instrument runs more cycles
_COUNT_MAX = 1e9  # more reads of one molecule than a whole run gives
_LOG2_MAX = 60.0  # 2^60 is beyond any detector
_CPM_SUM = 1.1e6  # a million, and room for rounding
_ENOUGH = 20  # numbers needed before their look says anything about the unit
_LOG2_LIKELY = 30.0  # raw intensities of a whole sample do not stay below, their logs do
_SKEW = 6.0  # the largest of a sample's logs is few times their median, the largest raw intensity far more
_LOG2_SPREAD = 16.0  # raw intensities of one table span far more than a factor of 16


def known_kind(word: str) -> str:
    """Give the kind that a word means, as ``mirna`` for ``miRNA`` or ``microRNAs``; an unknown word as it is."""
    return _known(word, KINDS, _KIND_WORDS)


def known_unit(word: str) -> str:
    """Give the unit that a word means, as ``counts`` for ``count`` or ``reads``; an unknown word as it is."""
    return _known(word, UNITS, _UNIT_WORDS)


def _known(word: str, known: tuple[str, ...], others: dict[str, str]) -> str:
    check_type(word, str, "kind or unit", f"one of {', '.join(known)}")
    plain = word.strip().lower()
    joined = plain.replace("_", "").replace("-", "").replace(" ", "")
    return plain if plain in known else others.get(joined, word)


@dataclass(frozen=True, eq=False)
class Cells:
    """Numbers with the names of their rows and columns, to be checked against a unit.

    Parameters
    ----------
    values : ndarray of shape (n_samples, n_molecules)
        NaN = not measured.
    sample_ids, molecules : sequence of str
        Names of the rows and of the columns.
    source : str
        What messages call the table.
    """

    values: Floats
    sample_ids: Sequence[str]
    molecules: Sequence[str]
    source: str

    def check(self, unit: str) -> None:
        """Refuse numbers that cannot be of this unit."""
        if not self.values.size:
            return
        if self._low == -np.inf or self._high == np.inf:
            mend = "minus infinity is the log of 0: leave such a cell empty" if unit == "log2_intensity" else ""
            self._refuse(np.isinf(self.values), "infinite", mend or "leave a cell that was not measured empty")
        _CHECKS[unit](self)

    def named(self, rows: Sequence[int], columns: Sequence[int], shown: Sequence[str]) -> str:
        """Name the first three of some cells, as in ``sample S03, hsa-miR-21-5p: 3.5``."""
        first = [
            f"sample {self.sample_ids[row]}, {self.molecules[column]}: {text}"
            for row, column, text in zip(rows[:3], columns[:3], shown[:3], strict=True)
        ]
        return "; ".join(first) + ("; …" if len(rows) > 3 else "")

    def _refuse(self, wrong: Mask, what: str, mend: str) -> None:
        rows, columns = np.nonzero(wrong)
        shown = [f"{value:g}" for value in self.values[wrong][:3]]
        cells = counted(len(rows), "cells", "is", "are")
        where = self.named(rows.tolist(), columns.tolist(), shown)
        raise InputError(f"{self.source}: {cells} {what} ({where}); {mend}")

    @cached_property
    def _low(self) -> float:
        """The least number; the numbers' limits are the quickest look, and most tables are sound."""
        return float(np.fmin.reduce(self.values, axis=None, initial=np.nan))

    @cached_property
    def _high(self) -> float:
        return float(np.fmax.reduce(self.values, axis=None, initial=np.nan))

    def _refuse_negative(self, mend: str) -> None:
        if self._low < 0:
            self._refuse(self.values < 0, "negative", mend)

    def check_counts(self) -> None:
        """Hold the values to be whole numbers from 0 on."""
        self._refuse_negative("counts are whole numbers from 0 on; if these are log values, give the raw counts")
        broken = self.values != np.floor(self.values)
        if broken.any() and (broken := broken & ~np.isnan(self.values)).any():
            self._refuse(broken, "not whole, and counts are", self._look_of_broken_counts())
        if self._high > _COUNT_MAX:
            large = self.values > _COUNT_MAX
            self._refuse(large, "too large for a count of reads", "state the unit as intensity")

    def _look_of_broken_counts(self) -> str:
        sums = np.nansum(self.values, axis=1)
        if (np.abs(sums - 1e6) < 1e4).all():
            return "every sample sums to a million: state the unit as cpm"
        pointed = self.values[(self.values != np.floor(self.values)) & ~np.isnan(self.values)]
        if np.nanmax(self.values) < 1000 and np.allclose(pointed * 1000, np.round(pointed * 1000), atol=1e-6):
            first = f"{pointed[0]:.3f}"
            whole = self.values[self.values == np.floor(self.values)]
            if pointed.min() >= 1 and (whole > 30).any():
                return f"{first!r} looks like a thousands separator: write {first.replace('.', '')}"
        if np.nanmax(self.values) < 30:
            return "these look like log2 values: give the raw counts"
        return "round estimated counts (RSEM, salmon) to whole numbers, or state the unit these are in"

    def check_ct(self) -> None:
        """Hold the values to be cycles."""
        outside = (self.values <= 0) | (self.values > _CT_MAX)
        if outside.any():
            mend = (
                "write Undetermined where no cycle was reached, leave a cell that was not measured empty, "
                "and state another unit if these are not cycles"
            )
            self._refuse(outside, "no Ct, which lies between 0 and 50", mend)

    def check_intensity(self) -> None:
        """Hold the values to be raw intensities."""
        mend = "state the unit as log2_intensity"
        self._refuse_negative(f"intensities are 0 or more; if these are log2 values, {mend}")
        self._refuse_look_of_log(mend)
        self._refuse_few_doublings(mend)

    def _refuse_few_doublings(self, mend: str) -> None:
        for row in np.flatnonzero(np.fmax.reduce(self.values, axis=1) <= _LOG2_LIKELY).tolist():
            found = self.values[row][self.values[row] > 0]
            if found.size < _ENOUGH or not (found != np.floor(found)).any():
                continue
            if found.max() < _SKEW * np.median(found) and (found > 1).mean() > 0.5:
                raise InputError(
                    f"{self.source}: sample {self.sample_ids[row]} looks like log2 values (largest {found.max():.3g}); if it "
                    f"is, {mend}"
                )

    def _refuse_look_of_log(self, mend: str) -> None:
        # Row by row, so that a sample passes alone when it passes among others.
        for row in np.flatnonzero(np.fmax.reduce(self.values, axis=1) <= _LOG2_MAX).tolist():
            found = self.values[row][self.values[row] > 0]
            if found.size < _ENOUGH or found.min() < 2 or found.max() >= _LOG2_SPREAD * found.min():
                continue
            if (found != np.floor(found)).any():
                raise InputError(
                    f"{self.source}: all values of sample {self.sample_ids[row]} lie between "
                    f"{found.min():g} and "
                    f"{found.max():g}, which looks like logs or cycles; if they are log2 values, {mend}"
                )

    def check_log2_intensity(self) -> None:
        """Hold the values to be log2 of intensities."""
        if self._high > _LOG2_MAX:
            large = self.values > _LOG2_MAX
            self._refuse(large, f"above {_LOG2_MAX:g}, too large for log2", "state the unit as intensity or counts")
        whole = (self.values == np.floor(self.values)) | np.isnan(self.values)
        for row in np.flatnonzero(whole.all(axis=1)).tolist():
            found = self.values[row][~np.isnan(self.values[row])]
            if found.size >= _ENOUGH and found.max() > _ENOUGH:
                raise InputError(
                    f"{self.source}: all values of sample {self.sample_ids[row]} are whole numbers, up to "
                    f"{found.max():g}, which looks like counts and not like log2 values; state the unit "
                    "these are in"
                )

    def check_cpm(self) -> None:
        """Hold the values to be counts per million."""
        self._refuse_negative("counts per million are 0 or more; if these are log values, undo the log")
        self._refuse_look_of_log("undo the log")
        sums = np.nansum(self.values, axis=1)
        over = np.flatnonzero(sums > _CPM_SUM)
        if over.size:
            named = ", ".join(f"{self.sample_ids[row]}: {sums[row]:.0f}" for row in over[:3])
            raise InputError(
                f"{self.source}: {counted(over.size, 'samples', 'sums', 'sum')} to more than a million "
                f"({named}), so these are not "
                "counts per million; state the unit as counts or intensity"
            )


def doubtful_blanks(n_cells: int, n_empty: int, n_zero: int, unit: str) -> tuple[str, ...]:
    """Say that empty cells of counts may mean 0, as an outer join of samples leaves them."""
    if unit != "counts" or not n_empty or n_zero:
        return ()
    share = f"{n_empty / n_cells:.0%}".replace("%", " %") if n_empty * 100 >= n_cells else f"{n_empty}"
    return (f"{share} of the cells are empty and none is 0: if empty means no read, write 0",)


_CHECKS: dict[str, Callable[[Cells], None]] = {
    "counts": Cells.check_counts,
    "ct": Cells.check_ct,
    "intensity": Cells.check_intensity,
    "log2_intensity": Cells.check_log2_intensity,
    "cpm": Cells.check_cpm,
    "value": lambda _: None,
}
