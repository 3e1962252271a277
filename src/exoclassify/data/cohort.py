"""Cargo and sample sheet together: the only input of learning."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from exoclassify.data.cargo import CargoTable
from exoclassify.data.cohort_reading import CohortReading
from exoclassify.data.layers import checked_layers
from exoclassify.data.leaks import check_no_leak, check_not_scaled
from exoclassify.data.samples import SampleSheet
from exoclassify.data.study import Study
from exoclassify.errors import DesignError, InputError, check_type, first_three
from exoclassify.tables.ids import counted

__all__ = ["Cohort", "cohort_of"]

_SIMULATED = "SIM-"


@dataclass(frozen=True, eq=False)
class Cohort(CohortReading):
    """Layers of one group of samples, and who the samples are; made by `read` or `from_layers`.

    Parameters
    ----------
    layers : mapping of str to CargoTable
        By name; a layer may lack some of the samples and may hold them in another order.
    sheet : SampleSheet
        Every sample with a label; its order is the cohort's.
    notes : tuple of str, default ()
        What was left out, and what a reader of any result should know.

    Raises
    ------
    DesignError
        If there is no layer, or the sheet names no label column.
    InputError
        If a layer holds samples that the sheet lacks, or a label is blank.
    """

    layers: Mapping[str, CargoTable]
    sheet: SampleSheet
    notes: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        _check_parts(self.layers, self.sheet)
        object.__setattr__(self, "layers", dict(self.layers))
        blank = [s for s, label in zip(self.sheet.sample_ids, self.sheet.label, strict=True) if label is None]
        if blank:
            count = counted(len(blank), "samples", "lacks", "lack")
            raise InputError(f"{self.sheet.source}: {count} a label ({first_three(blank)}); leave them out")
        _check_spelling(self.sheet.label, f"{self.sheet.source}, column {self.sheet.label_column}")
        if self.sheet.batch is not None:
            _check_spelling(self.sheet.batch, f"{self.sheet.source}, column {self.sheet.batch_column}")

    @classmethod
    def from_layers(cls, layers: Mapping[str, CargoTable], sheet: SampleSheet) -> Cohort:
        """Bring layers and sheet together; samples without any cargo or without a label are left out and noted.

        Parameters
        ----------
        layers : mapping of str to CargoTable
            By name.
        sheet : SampleSheet
            With a label column.

        Raises
        ------
        DesignError
            If there is no layer, or the sheet names no label column.
        InputError
            If a layer holds samples that the sheet lacks, or no sample is left.
        """
        _check_parts(layers, sheet)
        layers = checked_layers(layers)
        measured = {sample for table in layers.values() for sample in table.sample_ids}
        has_cargo = np.array([sample in measured for sample in sheet.sample_ids], dtype=bool)
        has_label = np.array([label is not None for label in sheet.label], dtype=bool)
        if not (has_cargo & has_label).any():
            raise InputError(
                f"{sheet.source}: no sample has both cargo and a label in column {sheet.label_column} "
                f"({has_cargo.sum()} have cargo, {has_label.sum()} a label); check the column and the "
                "sample ids"
            )
        notes = _left_out(sheet, ~has_cargo, "no cargo") + _left_out(sheet, has_cargo & ~has_label, "no label")
        kept = sheet.take(has_cargo & has_label)
        within = set(kept.sample_ids)
        taken = {
            name: table.take(np.array([sample in within for sample in table.sample_ids], dtype=bool))
            for name, table in layers.items()
        }
        for table in taken.values():
            check_no_leak(table, kept)
            check_not_scaled(table)
        understood = [*sheet.notes, *(f"{table.source}: {note}" for table in layers.values() for note in table.notes)]
        return cls(taken, kept, (*understood, *notes, *_lacking(taken, kept), *_confounded(kept)))

    @cached_property
    def cargo(self) -> CargoTable:
        """The one layer, its rows in the order of the sheet.

        Raises
        ------
        DesignError
            If there is more than one layer.
        """
        if len(self.layers) > 1:
            raise DesignError(
                f"the cohort has {len(self.layers)} layers ({', '.join(self.layers)}), and this needs one; "
                "make a cohort of the layer to use"
            )
        return self.layer(next(iter(self.layers)))

    def layer(self, name: str) -> CargoTable:
        """Give one layer with its rows in the order of the sheet.

        Parameters
        ----------
        name : str
            A key of `layers`.

        Returns
        -------
        CargoTable
            Samples that the layer lacks are rows of NaN.

        Raises
        ------
        DesignError
            If there is no such layer.
        """
        if name not in self.layers:
            raise DesignError(f"the cohort has no layer {name}; it has {', '.join(self.layers)}")
        return self.layers[name].for_samples(self.sheet.sample_ids)

    @property
    def source(self) -> str:
        """Names of its tables, for messages."""
        return ", ".join(dict.fromkeys(table.source for table in self.layers.values()))

    @property
    def molecules(self) -> tuple[str, ...]:
        """Names of all columns; of several layers as ``layer:molecule``."""
        if len(self.layers) == 1:
            return self.cargo.molecules
        return tuple(f"{name}:{molecule}" for name, table in self.layers.items() for molecule in table.molecules)

    def of_layer(self, name: str) -> Cohort:
        """Give one layer as a cohort of its own, with the samples that have it.

        Parameters
        ----------
        name : str
            A key of `layers`.

        Raises
        ------
        DesignError
            If there is no such layer.
        """
        self.layer(name)
        within = set(self.layers[name].sample_ids)
        rows = [i for i, sample in enumerate(self.sheet.sample_ids) if sample in within]
        return replace(self, layers={name: self.layers[name]}, sheet=self.sheet.take(rows))

    @property
    def X(self) -> NDArray[np.float64]:  # noqa: N802 - scikit-learn's name
        """Values of the one layer, shape (n_samples, n_molecules); NaN = not measured."""
        return self.cargo.values

    @cached_property
    def y(self) -> NDArray[np.str_]:
        """State of each sample, shape (n_samples,)."""
        return self.sheet.label.astype(np.str_)

    @property
    def states(self) -> tuple[str, ...]:
        """The states, sorted."""
        return tuple(str(state) for state in np.unique(self.y))

    @property
    def groups(self) -> NDArray[np.str_]:
        """Person of each sample, shape (n_samples,); the sample id where no subject column is given."""
        subject = self.sheet.subject
        return np.array(self.sheet.sample_ids, dtype=np.str_) if subject is None else subject

    @property
    def has_subjects(self) -> bool:
        """Whether a subject column is given."""
        return self.sheet.subject_column is not None

    @property
    def batches(self) -> NDArray[np.str_] | None:
        """Batch of each sample, shape (n_samples,); None without a batch column."""
        return self.sheet.batch

    @property
    def n_samples(self) -> int:
        """Number of samples."""
        return self.sheet.n_samples

    @property
    def simulated(self) -> bool:
        """Whether every sample id bears the mark of the simulator."""
        return all(sample.startswith(_SIMULATED) for sample in self.sheet.sample_ids)

    def digest(self) -> str:
        """Give the sha256 of layers, labels, subjects and batches, whatever files they came from."""
        batches = None if self.batches is None else self.batches.tolist()
        layers = {name: self.layer(name).digest() for name in sorted(self.layers)}
        subjects = self.groups.tolist() if self.has_subjects else None
        return hashlib.sha256(json.dumps([layers, self.y.tolist(), subjects, batches]).encode()).hexdigest()

    def take(self, rows: ArrayLike) -> Cohort:
        """Give some of the samples, by positions in the sheet, each at most once, or by a mask; notes as they are."""
        sheet = self.sheet.take(rows)
        where = {sample: i for i, sample in enumerate(sheet.sample_ids)}
        layers = {}
        for name, table in self.layers.items():
            inside = [i for i, sample in enumerate(table.sample_ids) if sample in where]
            inside.sort(key=lambda i, table=table: where[table.sample_ids[i]])  # type: ignore[misc]
            layers[name] = table.take(np.array(inside, dtype=np.intp))
        return replace(self, layers=layers, sheet=sheet)

    def check_for_learning(self) -> None:
        """Refuse what no classifier can be learned from.

        Raises
        ------
        DesignError
            If there is one state only, or a state has fewer than two subjects.
        InputError
            If a sample has no measured value or no detected molecule.
        """
        where = f"{self.sheet.source}, column {self.sheet.label_column}"
        if len(self.states) == 1:
            raise DesignError(
                f"{where}: all {self.n_samples} samples are {self.states[0]}; at least two states are needed"
                + "".join(f" ({note})" for note in self.notes)
            )
        subjects = {state: len(np.unique(self.groups[self.y == state])) for state in self.states}
        small = [f"{state}: {count}" for state, count in subjects.items() if count < 2]
        if small:
            what = "subjects" if self.has_subjects else "samples"
            raise DesignError(
                f"{where}: {counted(len(small), 'states', 'has', 'have')} fewer than 2 {what} "
                f"({first_three(small)}); add samples, leave these out by a blank label, or name another "
                "column"
            )
        for table in self.layers.values():
            table.check_rows()


def cohort_of(given: Cohort | str | Path, what: str) -> tuple[Cohort, Study | None]:
    """Take a cohort, or read the one that a study file names.

    Parameters
    ----------
    what : str
        Names function and argument, as in ``fit: cohort``.
    """
    check_type(
        given, (Cohort, str, Path), what, "a Cohort, such as Cohort.from_frames(cargo, sheet, ...), or a study file"
    )
    if isinstance(given, Cohort):
        return given, None
    study = Study.read(given)
    return Cohort.of_study(study), study


def _check_parts(layers: Mapping[str, CargoTable], sheet: SampleSheet) -> None:
    check_type(layers, Mapping, "cohort: layers", "a mapping of names to CargoTable, or frames to Cohort.from_frames")
    check_type(sheet, SampleSheet, "cohort: sheet", "a SampleSheet, or frames to Cohort.from_frames")
    for name, table in layers.items():
        check_type(
            table, CargoTable, f"cohort: layer {name}", "a CargoTable, such as CargoTable.from_frame(frame, ...)"
        )
    if not layers:
        raise DesignError("the cohort has no layer; give at least one cargo table")
    if sheet.label_column is None:
        raise DesignError(f"{sheet.source}: no label column is named; name the column that holds the state")
    known = set(sheet.sample_ids)
    for table in layers.values():
        _check_known(table, sheet, known)


def _check_known(table: CargoTable, sheet: SampleSheet, known: set[str]) -> None:
    unknown = [sample for sample in table.sample_ids if sample not in known]
    if unknown:
        raise InputError(
            f"{table.source}: of its {table.n_samples} samples "
            f"{len(unknown)} cannot be found in {sheet.source} ({first_three(unknown)}); add them to the "
            "sheet (with a blank label to leave them out), or take them from the table"
        )


def _check_spelling(names: Sequence[object] | NDArray[Any], where: str) -> None:
    """Refuse groups whose names differ in case or in blanks only."""
    spellings: dict[str, set[str]] = {}
    for name in names:
        spellings.setdefault("".join(str(name).lower().split()), set()).add(str(name))
    alike = [sorted(each) for each in spellings.values() if len(each) > 1]
    if alike:
        shown = "; ".join(" and ".join(each) for each in alike[:3])
        raise InputError(f"{where}: {shown} differ in case or blanks only; spell them alike")


def _left_out(sheet: SampleSheet, wrong: NDArray[np.bool_], lack: str) -> tuple[str, ...]:
    if not wrong.any():
        return ()
    named = first_three(sheet.sample_ids[i] for i in np.flatnonzero(wrong))
    return (f"left out for {lack}: {wrong.sum()} of {sheet.n_samples} samples ({named})",)


def _lacking(layers: Mapping[str, CargoTable], sheet: SampleSheet) -> tuple[str, ...]:
    return tuple(
        f"layer {name} lacks {sheet.n_samples - table.n_samples} of {sheet.n_samples} samples"
        for name, table in layers.items()
        if table.n_samples < sheet.n_samples
    )


def _confounded(sheet: SampleSheet) -> tuple[str, ...]:
    if sheet.batch is None:
        return ()
    states = {(batch, label) for batch, label in zip(sheet.batch, sheet.label, strict=True)}
    n_batches = len(set(sheet.batch))
    if n_batches < 2 or len(states) > n_batches:
        return ()
    return ("every batch holds one state only, so a difference between states may be one between batches",)
