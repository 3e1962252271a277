"""Tables of one folder as tasks on which recipes are compared: random folds by subject, and each batch left out."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from exoclassify.data.cohort import Cohort
from exoclassify.data.samples import SampleSheet
from exoclassify.errors import DesignError, FileError, InputError
from exoclassify.learning.folds import Fold, leave_one_batch_out, stratified_folds
from exoclassify.learning.samples import Samples

__all__ = ["Columns", "Task", "table_in", "tables_in", "tasks_of"]

_CARGO = ("X", "cargo")
_SHEET = ("y", "samples")


@dataclass(frozen=True)
class Columns:
    """What is said once of all tables of a folder.

    Parameters
    ----------
    kind, unit : str
        Of the cargo.
    label : str
        Column of the state.
    subject, batch : str
        Columns of the person and of the batch, used in each table that has them.
    not_detected : float, optional
        For Ct.
    """

    kind: str
    unit: str
    label: str = "label"
    subject: str = "subject"
    batch: str = "batch"
    not_detected: float | None = None


@dataclass(frozen=True, eq=False)
class Task:
    """One way to be judged on one table.

    Parameters
    ----------
    table : str
        Its name; tasks of one table are not independent.
    name : str
        Of the task.
    samples : Samples
        The table.
    passes : tuple of tuple of (train, test)
        Folds of each repeat.
    """

    table: str
    name: str
    samples: Samples
    passes: tuple[tuple[Fold, ...], ...]


def tables_in(folder: Path, columns: Columns) -> dict[str, Samples]:
    """Read every table of a folder.

    Parameters
    ----------
    folder : Path
        Holds a folder for each table, and in it the cargo as ``X`` or ``cargo`` and the sample sheet as ``y`` or ``samples``, in
        any format that `exoclassify train` reads.
    """
    if not folder.is_dir():
        raise FileError(f"{folder}: there is no such folder; give one that holds a folder for each table")
    inside = [path for path in sorted(folder.glob("*")) if path.is_dir() and _file_of(path, _CARGO)]
    if not inside:
        raise FileError(
            f"{folder.name}: holds no tables; give each a folder of its own in it, with the cargo as X.csv and the sample sheet "
            "as y.csv (or cargo.csv and samples.csv)"
        )
    return {path.name: table_in(path, columns) for path in inside}


def table_in(folder: Path, columns: Columns) -> Samples:
    """Read one table; see `tables_in`."""
    cargo, sheet = _file_of(folder, _CARGO), _file_of(folder, _SHEET)
    if cargo is None or sheet is None:
        lacking, stems = ("cargo", _CARGO) if cargo is None else ("sample sheet", _SHEET)
        raise FileError(f"{folder.name}: lacks its {lacking}; name it {stems[0]}.csv or {stems[1]}.csv")
    try:
        return Samples.of(_read(cargo, sheet, columns))
    except (FileError, InputError) as error:
        raise type(error)(f"{folder.name}/{error}") from error


def _file_of(folder: Path, stems: tuple[str, ...]) -> Path | None:
    files = [path for path in sorted(folder.iterdir()) if path.name.split(".")[0] in stems and path.is_file()]
    if len(files) > 1:
        raise FileError(f"{folder.name}: {files[0].name} and {files[1].name} are two of a kind; keep one of them")
    return files[0] if files else None


def _read(cargo: Path, sheet: Path, columns: Columns) -> Cohort:
    present = set(SampleSheet.read(sheet, label=columns.label).frame.columns)
    return Cohort.read(
        cargo, kind=columns.kind, unit=columns.unit, samples=sheet, label=columns.label,
        subject=columns.subject if columns.subject in present else None,
        batch=columns.batch if columns.batch in present else None,
        not_detected=columns.not_detected,
    )  # fmt: skip


def tasks_of(table: str, samples: Samples, *, repeats: int, n_folds: int = 5, seed: int = 0) -> list[Task]:
    """Give the tasks of one table: random folds by subject, and where there are batches each left out in turn.

    Parameters
    ----------
    repeats : int
        How often the random folds are drawn; a batch is left out once.
    """
    try:
        passes = tuple(
            tuple(stratified_folds(samples.y, samples.groups, n_folds, seed + repeat)) for repeat in range(repeats)
        )
    except DesignError as error:
        raise DesignError(f"{table}: {error}") from error
    tasks = [Task(table, table, samples, passes)]
    if samples.batches is not None:
        for fold in leave_one_batch_out(samples.y, samples.groups, samples.batches):
            code = int(np.unique(samples.batches[fold[1]])[0])
            tasks.append(Task(table, f"{table}, {samples.named(code)} left out", samples, ((fold,),)))
    return tasks
