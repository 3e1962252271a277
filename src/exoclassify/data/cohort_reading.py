"""Cohorts of files and of frames: what `Cohort` can be made of."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Self

import pandas as pd

from exoclassify.data.cargo import CargoTable
from exoclassify.data.layers import LayerFile
from exoclassify.data.samples import SampleSheet
from exoclassify.data.study import Study
from exoclassify.errors import InputError
from exoclassify.tables.asked import AS_WRITTEN, Reading

__all__ = ["CohortReading"]


class CohortReading:
    """The ways of making a cohort that do not look at its values."""

    @classmethod
    @abstractmethod
    def from_layers(cls, layers: Mapping[str, CargoTable], sheet: SampleSheet) -> Self:
        """Bring layers and sheet together, see `Cohort.from_layers`."""

    @classmethod
    def read(
        cls, cargo: str | Path, *, kind: str | None = None, unit: str | None = None, samples: str | Path | None = None,
        label: str | None = None, subject: str | None = None, batch: str | None = None, time: str | None = None,
        not_detected: float | None = None, reading: Reading = AS_WRITTEN, samples_sheet: str | None = None,
    ) -> Self:  # fmt: skip
        """Read one layer and its sample sheet.

        Parameters
        ----------
        cargo : path
            The table, samples in rows or in columns; or a study file (.toml), whose words hold where nothing else is given.
        kind, unit : str
            What it holds, see `CargoTable`.
        samples : path
            The sheet.
        label : str
            Its column of states.
        subject, batch, time : str, optional
            Its columns of persons, of batches and of visits.
        not_detected : float, optional
            For Ct, see `CargoTable`.
        reading : Reading, optional
            How the table is to be read, where its content does not say it.
        samples_sheet : str, optional
            Sheet of a workbook that holds the sample sheet.

        Raises
        ------
        FileError
            If a file is missing, broken, or of no known format.
        InputError
            If a table or sheet cannot be used as stated, or the cargo holds samples that the sheet lacks.
        """
        if Path(cargo).suffix == ".toml":
            said = Study.read(cargo).overridden(
                kind=kind, unit=unit, samples=None if samples is None else str(samples), label=label, subject=subject,
                batch=batch, time=time, not_detected=not_detected, format=reading.format, columns=reading.columns,
                sheet=reading.sheet, id_column=reading.id_column,
            )  # fmt: skip
            return cls.of_study(said, samples_sheet=samples_sheet)
        if kind is None or unit is None or samples is None or label is None:
            raise InputError(f"{Path(cargo).name}: give kind, unit, samples and label, or a study file that says them")
        layer = LayerFile("", str(cargo), kind, unit, not_detected, reading)
        return cls.read_layers(
            [layer], samples=samples, label=label, subject=subject, batch=batch, time=time, samples_sheet=samples_sheet
        )

    @classmethod
    def read_layers(
        cls, layers: Sequence[LayerFile], *, samples: str | Path, label: str, subject: str | None = None,
        batch: str | None = None, time: str | None = None, samples_sheet: str | None = None,
    ) -> Self:  # fmt: skip
        """Read layers of the same people, one file each, and their sample sheet; a layer may lack samples.

        Parameters
        ----------
        layers : sequence of LayerFile
            With different names; one alone may have none.
        samples, label, subject, batch, time, samples_sheet
            As in `read`.

        Raises
        ------
        FileError, InputError
            As in `read`.
        DesignError
            If there is no layer, or one shares no sample with any other.
        """
        sheet = SampleSheet.read(
            samples, label=label, subject=subject, batch=batch, time=time, sheet=samples_sheet,
            sample_id=(layers[0].reading.id_column if layers else None) or "sample_id",
        )  # fmt: skip
        tables = [layer.read(sample_ids=sheet.sample_ids) for layer in layers]
        return cls.from_layers(
            {layer.name or table.kind: table for layer, table in zip(layers, tables, strict=True)}, sheet
        )

    @classmethod
    def of_study(cls, study: Study | str | Path, *, samples_sheet: str | None = None) -> Self:
        """Read the cohort that a study, or its file, names.

        Raises
        ------
        FileError, InputError
            As in `read`, or if the study file cannot be used.
        """
        said = study if isinstance(study, Study) else Study.read(study)
        reading = Reading(said.format, said.columns, said.sheet, said.id_column)
        one = LayerFile("", said.cargo, said.kind, said.unit, said.not_detected, reading)
        return cls.read_layers(
            said.layers or (one,), samples=said.samples, label=said.label, subject=said.subject, batch=said.batch,
            time=said.time, samples_sheet=samples_sheet,
        )  # fmt: skip

    @classmethod
    def from_frames(
        cls, cargo: pd.DataFrame, samples: pd.DataFrame, *, kind: str, unit: str, label: str, subject: str | None = None,
        batch: str | None = None, not_detected: float | None = None,
    ) -> Self:  # fmt: skip
        """Take over one layer and its sample sheet from frames.

        Parameters
        ----------
        cargo : DataFrame of shape (n_samples, n_molecules)
            Molecules in columns, sample ids in the index or in a column ``sample_id``; missing cells = not measured.
        samples : DataFrame
            The sheet, one row a sample, in any order, named likewise.
        kind, unit, label, subject, batch, not_detected
            As in `read`.

        Raises
        ------
        InputError
            If a table or sheet cannot be used as stated, or the cargo holds samples that the sheet lacks.
        """
        sheet = SampleSheet(samples, label, subject, batch)
        table = CargoTable.from_frame(cargo, kind=kind, unit=unit, not_detected=not_detected, source="cargo")
        return cls.from_layers({table.kind: table}, sheet)
