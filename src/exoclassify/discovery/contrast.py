"""One state against others, as a design that can be estimated: with batch, covariates and repeated samples in it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from exoclassify.data.cohort import Cohort
from exoclassify.errors import DesignError, InputError, first_three
from exoclassify.typing import Codes, Floats

__all__ = ["Contrast"]


_MIN_SUBJECTS = 5
"""As for training: fewer of a state, and a perfect separation is likely by chance."""

_MIN_FREEDOM = 3

_CONTROLS = ("control", "controls", "healthy", "none", "no pain", "no-pain", "normal", "sham", "hc")
"""Labels that are taken for the reference of two states when none is named."""


@dataclass(frozen=True, eq=False)
class Contrast:
    """Which samples are compared, and what else is known of them.

    Parameters
    ----------
    cohort : Cohort
        The samples that are compared, and no others.
    state : str
        The state whose markers are sought.
    reference : tuple of str
        The states it is compared with.
    y : ndarray of int, shape (n_samples,)
        1 in the state, 0 in the reference.
    design : ndarray of shape (n_samples, n_columns)
        Intercept, state, batches and covariates; of full rank.
    columns : tuple of str
        Its columns; the state is column 1.
    subjects : ndarray of int, shape (n_samples,)
        Subject codes.
    batches : ndarray of int, shape (n_samples,)
        Batch codes; all 0 without a batch column.
    batch_names : tuple of str
        What the codes stand for.
    within : bool
        Every subject has one sample on each side, and only what changes within a subject counts.
    """

    cohort: Cohort
    state: str
    reference: tuple[str, ...]
    y: Codes
    design: Floats
    columns: tuple[str, ...]
    subjects: Codes
    batches: Codes
    batch_names: tuple[str, ...]
    within: bool = False

    @classmethod
    def of(
        cls,
        cohort: Cohort,
        *,
        state: str | None = None,
        reference: Sequence[str] = (),
        covariates: Sequence[str] = (),
        fewest: int = _MIN_SUBJECTS,
        within: bool = False,
    ) -> Contrast:
        """Set up a contrast.

        Parameters
        ----------
        state : str, optional
            Whose markers are sought; may be left out for two states of which one is called control, healthy, none or the
            like.
        covariates : sequence of str
            Columns of the sample sheet; numbers enter as they are, texts as one column a level.
        fewest : int
            Subjects that each side needs; below 5 an effect can be estimated, and nothing selected.
        within : bool
            Compare within subjects, as `exoclassify.data.visits.before_and_after` pairs them: batches and covariates that do
            not change in a subject are then left out of the design.
        """
        cohort.check_for_learning()
        state, others = _chosen(cohort, state, reference)
        kept = np.isin(cohort.y, [state, *others])
        part = cohort if kept.all() else cohort.take(kept)
        y = (part.y == state).astype(np.intp)
        subjects = np.unique(part.groups, return_inverse=True)[1]
        _check_size(part, y, subjects, state, others, fewest)
        names, batches = _coded(part)
        named = {"intercept": np.ones(len(y)), f"{part.sheet.label_column} = {state}": y.astype(np.float64)}
        for i, name in enumerate(names[1:], start=1):
            named[f"{part.sheet.batch_column} = {name}"] = (batches == i).astype(np.float64)
        for column in covariates:
            named |= _covariate(part, column)
        n_levels = 0
        if within:
            changes = {name: _about_mean(values, subjects) for name, values in named.items()}
            named = {name: named[name] for name, values in changes.items() if name == "intercept" or np.any(values)}
            n_levels = int(subjects.max())
        _check_estimable(
            {name: changes[name] for name in list(named)[1:]} if within else named, part.sheet.source, n_levels
        )
        design = np.column_stack(list(named.values()))
        return cls(part, state, tuple(others), y, design, tuple(named), subjects, batches, names, within)

    @property
    def repeated(self) -> bool:
        """Whether some subject gave two samples or more."""
        return bool(np.bincount(self.subjects).max() > 1)

    @property
    def without_state(self) -> Floats:
        """The design without the state's column."""
        return np.delete(self.design, 1, axis=1)

    @property
    def voices(self) -> Floats:
        """One divided by the number of samples of that sample's subject."""
        result: Floats = 1.0 / np.bincount(self.subjects)[self.subjects]
        return result


def _chosen(cohort: Cohort, state: str | None, reference: Sequence[str]) -> tuple[str, list[str]]:
    states, where = cohort.states, f"{cohort.sheet.source}, column {cohort.sheet.label_column}"
    unknown = [name for name in (*([] if state is None else [state]), *reference) if name and name not in states]
    if unknown:
        raise InputError(f"{where}: there is no state {first_three(unknown)}; it has {', '.join(states)}")
    if state is None:
        controls = [name for name in states if name.casefold() in _CONTROLS]
        if len(states) != 2 or len(controls) != 1:
            raise InputError(
                f"{where}: it has {', '.join(states)}; say whose markers are sought with --state (and against what with "
                "--reference)"
            )
        state = next(name for name in states if name not in controls)
    others = list(dict.fromkeys(reference)) or [name for name in states if name != state]
    if state in others:
        raise InputError(f"{state} is both the state and its reference; name another reference")
    return state, others


def _check_size(part: Cohort, y: Codes, subjects: Codes, state: str, others: list[str], fewest: int) -> None:
    for name, rows in ((state, y == 1), (" and ".join(others), y == 0)):
        n = len(np.unique(subjects[rows]))
        if n < fewest:
            what = "subjects" if part.has_subjects else "samples"
            raise DesignError(
                f"{name} has {n} {what}; with fewer than {fewest} on a side no marker can be told from chance: "
                "add samples"
            )


def _coded(part: Cohort) -> tuple[tuple[str, ...], Codes]:
    if part.batches is None:
        return ("all",), np.zeros(part.n_samples, dtype=np.intp)
    names, codes = np.unique(part.batches, return_inverse=True)
    return tuple(str(name) for name in names), codes


def _covariate(part: Cohort, column: str) -> dict[str, Floats]:
    sheet = part.sheet
    if column not in sheet.frame.columns:
        raise InputError(
            f"{sheet.source}: there is no covariate column {column}; its columns are {', '.join(sheet.frame.columns)}"
        )
    if column in (sheet.label_column, sheet.subject_column, sheet.batch_column):
        raise InputError(f"{sheet.source}: column {column} is in the design already; leave it out of --covariates")
    cells = sheet.frame[column]
    lacking = [str(sample) for sample in cells.index[cells.isna()]]
    if lacking:
        raise InputError(
            f"{sheet.source}: covariate {column} has no value in {len(lacking)} of {len(cells)} samples "
            f"({first_three(lacking)}); fill them in, leave those samples out by a blank label, or leave the covariate out"
        )
    numbers = pd.to_numeric(cells, errors="coerce")
    if numbers.notna().all() and np.isfinite(numbers.to_numpy(dtype=np.float64)).all():
        values = numbers.to_numpy(dtype=np.float64)
        return {column: (values - values.mean()) / (values.std() or 1.0)}
    levels = sorted(set(cells))
    if len(levels) > max(2, len(cells) // 5):
        raise InputError(
            f"{sheet.source}: covariate {column} has {len(levels)} different texts in {len(cells)} samples "
            f"({first_three(levels)}); it needs numbers, or few levels"
        )
    return {f"{column} = {level}": (cells == level).to_numpy(dtype=np.float64) for level in levels[1:]} or {
        column: np.zeros(len(cells))
    }


def _about_mean(values: Floats, subjects: Codes) -> Floats:
    """Give what changes within subjects; exactly 0 where nothing does."""
    mean = np.bincount(subjects, values) / np.bincount(subjects)
    apart = values - mean[subjects]
    result: Floats = np.where(np.abs(apart) > 1e-9, apart, 0.0)
    return result


def _check_estimable(named: dict[str, Floats], source: str, n_levels: int) -> None:
    """Refuse the first column that the ones before it make up, naming these."""
    known: list[str] = []
    for name, values in named.items():
        if known:
            before = np.column_stack([named[other] for other in known])
            made, *_ = np.linalg.lstsq(before, values, rcond=None)
            if np.abs(before @ made - values).max() < 1e-8:
                parts = [other for other, weight in zip(known, made, strict=True) if abs(weight) > 1e-8]
                flat = "never varies; leave it out"
                tied = (
                    f"is collinear with {' and '.join(parts)}; leave one of them out, or add samples that separate them (of "
                    "both states in a batch)"
                )
                raise DesignError(
                    f"{source}: the design cannot be estimated: column {name} "
                    + (tied if set(parts) - {"intercept"} else flat)
                )
        known.append(name)
    n = len(next(iter(named.values())))
    if n - n_levels - len(named) < _MIN_FREEDOM:
        raise DesignError(
            f"{source}: {n} samples cannot carry a design of {len(named)} columns ({', '.join(named)}); "
            "leave covariates out, or add samples"
        )
