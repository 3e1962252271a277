"""Who the samples are."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from difflib import get_close_matches
from os import PathLike
from pathlib import Path

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray

from exoclassify.errors import InputError, check_type, first_three
from exoclassify.tables.ids import check_unique, counted, row_positions
from exoclassify.tables.reading import read_sheet
from exoclassify.tables.wide import ID_NAMES, is_row_index, plain_name

__all__ = ["SampleSheet"]

_SAMPLE_ID = "sample_id"
_NAMED = 30
"""Columns that a message names at most."""
_COVARIATES = ("sex", "gender", "age", "age_years", "bmi")
_ONE_ROW = "give each sample one row, and name the person in a subject column"


@dataclass(frozen=True, eq=False)
class SampleSheet:
    """One row for each sample: its state, its person, its batch, and what else is known.

    Parameters
    ----------
    frame : DataFrame
        Index = sample ids, or row numbers beside a column ``sample_id``; copied, every cell made a stripped text or NaN.
    label_column : str or None, default None
        Holds the state; blank = not known.
    subject_column : str or None, default None
        Holds the person.
    batch_column : str or None, default None
        Holds the centre, run or plate.
    source : str, default "sample sheet"
        What messages call the sheet, the name of its file.
    notes : tuple of str, default ()
        What was understood of the file.
    time_column : str or None, default None
        Holds the visit, or when the sample was taken; blank = not known.

    Raises
    ------
    InputError
        If a sample id is blank or comes twice, a column comes twice, a named column is not there or named for
        two purposes, or a sample lacks its subject or its batch.
    """

    frame: pd.DataFrame
    label_column: str | None = None
    subject_column: str | None = None
    batch_column: str | None = None
    source: str = "sample sheet"
    notes: tuple[str, ...] = ()
    time_column: str | None = None

    def __post_init__(self) -> None:
        check_type(self.frame, pd.DataFrame, self.source, "a DataFrame with one row a sample")
        for column in (self.label_column, self.subject_column, self.batch_column, self.time_column):
            check_type(column, (str, type(None)), f"{self.source}: column", "the name of one of its columns")
        numbered = isinstance(self.frame.index, pd.RangeIndex) and _SAMPLE_ID in self.frame.columns
        frame = _as_text(self.frame.set_index(_SAMPLE_ID) if numbered else self.frame)
        if len(frame.columns):
            check_unique(self.source, "columns", list(frame.columns))
        check_unique(self.source, "sample ids", list(frame.index), _ONE_ROW)
        object.__setattr__(self, "frame", frame)
        chosen = {
            "label": self.label_column,
            "subject": self.subject_column,
            "batch": self.batch_column,
            "visit": self.time_column,
        }
        named = {purpose: column for purpose, column in chosen.items() if column is not None}
        for purpose, column in named.items():
            self._check_column(purpose, column)
        if len(set(named.values())) < len(named):
            raise InputError(
                f"{self.source}: {', '.join(named)} are the columns {', '.join(named.values())}; each needs its own"
            )
        for purpose in ("subject", "batch"):
            if purpose in named:
                self._check_filled(purpose, named[purpose])

    @classmethod
    def read(
        cls,
        path: str | Path,
        *,
        label: str | None = None,
        subject: str | None = None,
        batch: str | None = None,
        time: str | None = None,
        sample_id: str = _SAMPLE_ID,
        sheet: str | None = None,
    ) -> SampleSheet:
        """Read a sheet.

        Parameters
        ----------
        path : path
            CSV or TSV (also .gz), Parquet, Arrow or XLSX.
        label, subject, batch, time : str, optional
            Columns that hold the state, the person, the batch and the visit.
        sample_id : str, default "sample_id"
            Column of the sample ids. When there is no column ``sample_id``, in any usual spelling, a column called sample or
            the first column is taken; row numbers that R or pandas wrote are none.
        sheet : str, optional
            Of a workbook.

        Returns
        -------
        SampleSheet

        Raises
        ------
        FileError
            If the file is missing, broken, or of no known format.
        InputError
            As the class says.
        """
        check_type(path, (str, PathLike), "SampleSheet.read: path", "the path of a table")
        source = Path(path).name
        table = read_sheet(Path(path), sheet)
        table.columns = pd.Index([str(column).strip() for column in table.columns])
        table = _without_row_numbers(table)
        columns = list(table.columns)
        if columns[0] == "" and _SAMPLE_ID not in columns:  # R and pandas leave the header of row names blank
            table.columns = pd.Index([_SAMPLE_ID, *columns[1:]])
            columns[0] = _SAMPLE_ID
        check_unique(source, "columns", columns)
        if sample_id == _SAMPLE_ID and sample_id not in columns:
            sample_id = _ids_by_name(table, {label, subject, batch, time})
        if sample_id not in columns:
            raise InputError(_no_column(source, "sample id", sample_id, columns))
        frame = table.set_index(sample_id, drop=sample_id not in (label, subject, batch, time))
        named = [name for name in frame.columns if name not in (label, subject, batch, time)]
        notes = () if sample_id == _SAMPLE_ID else (f"{source}: the sample ids are column {sample_id}",)
        return cls(frame, label, subject, batch, source, (*notes, *_decimal_commas(frame, named, source)), time)

    @property
    def sample_ids(self) -> tuple[str, ...]:
        """Sample ids in the order of the sheet."""
        return tuple(self.frame.index)

    @property
    def n_samples(self) -> int:
        """Number of samples."""
        return len(self.frame)

    @property
    def label(self) -> NDArray[np.object_]:
        """State of each sample, shape (n_samples,): str, or None where it is not known."""
        if self.label_column is None:
            return np.full(self.n_samples, None, dtype=object)
        labels = self.frame[self.label_column]
        return np.array([None if pd.isna(label) else str(label) for label in labels], dtype=object)

    @property
    def subject(self) -> NDArray[np.str_] | None:
        """Person of each sample, shape (n_samples,); None without a subject column."""
        return None if self.subject_column is None else self.frame[self.subject_column].to_numpy(dtype=np.str_)

    @property
    def batch(self) -> NDArray[np.str_] | None:
        """Batch of each sample, shape (n_samples,); None without a batch column."""
        return None if self.batch_column is None else self.frame[self.batch_column].to_numpy(dtype=np.str_)

    def covariates(self, named: Sequence[str] = ()) -> list[str]:
        """Give the named columns, and those called sex, age or BMI.

        Parameters
        ----------
        named : sequence of str
            Columns of the sheet.

        Returns
        -------
        list of str
        """
        others = (self.label_column, self.subject_column, self.batch_column, self.time_column)
        usual = [str(c) for c in self.frame.columns if c.lower() in _COVARIATES and c not in others]
        return list(dict.fromkeys([*named, *usual]))

    def take(self, rows: ArrayLike) -> SampleSheet:
        """Give some of the samples.

        Parameters
        ----------
        rows : array of int or bool
            Positions, each at most once, or a mask.

        Returns
        -------
        SampleSheet

        Raises
        ------
        InputError
            If a sample is taken twice.
        """
        return replace(self, frame=self.frame.iloc[row_positions(rows, self.n_samples)])

    def _check_column(self, purpose: str, column: str) -> None:
        if column not in self.frame.columns:
            raise InputError(_no_column(self.source, purpose, column, list(self.frame.columns)))

    def _check_filled(self, purpose: str, column: str) -> None:
        lacking = self.frame.index[self.frame[column].isna()]
        if len(lacking):
            raise InputError(
                f"{self.source}: {counted(len(lacking), 'samples', 'lacks', 'lack')} a {purpose} in column "
                f"{column} "
                f"({first_three(lacking)}); "
                "every sample needs one"
            )


def _without_row_numbers(table: pd.DataFrame) -> pd.DataFrame:
    if table.shape[1] < 2:
        return table
    first, second = (["" if cell is None else str(cell) for cell in table.iloc[:, j]] for j in (0, 1))
    texts = bool(second) and not any(cell.replace(".", "", 1).isdigit() for cell in second)
    numbered = is_row_index(table.columns[0], first, table.columns[1], second, texts=texts)
    return table.iloc[:, 1:] if numbered else table


def _ids_by_name(table: pd.DataFrame, others: set[str | None]) -> str:
    """Find the column that a sheet calls its samples; the first where none is so called."""
    columns = [str(name) for name in table.columns]
    named = [name for name in columns if plain_name(name) == "sampleid"]
    named += [name for name in columns if name.lower() in ID_NAMES and name not in named]
    for name in named:
        cells = table[name]
        if name not in others and cells.notna().all() and cells.is_unique:
            return name
    return columns[0]


def _decimal_commas(frame: pd.DataFrame, names: list[str], source: str) -> tuple[str, ...]:
    """Write decimal commas of the frame's columns as points, where a whole column is such numbers."""
    changed = []
    for name in names:
        cells = frame[name].dropna().astype(str).str.strip()
        commas = cells.str.fullmatch(r"[+-]?\d+,\d+")
        if commas.any() and (commas | cells.str.fullmatch(r"[+-]?\d+")).all():
            frame[name] = frame[name].str.replace(",", ".", regex=False)
            changed.append(name)
    return (f"{source}: decimal commas of column {', '.join(changed)} were read as points",) if changed else ()


def _as_text(frame: pd.DataFrame) -> pd.DataFrame:
    text = frame.astype("str").apply(lambda column: column.str.strip()) if frame.shape[1] else frame.copy()
    text = text.mask(text == "")
    ids = ["" if pd.isna(sample) else str(sample).strip() for sample in frame.index]
    text.index = pd.Index(ids, dtype="str", name=_SAMPLE_ID)
    return text


def _no_column(source: str, purpose: str, column: str, columns: list[str]) -> str:
    by_case = {name.lower(): name for name in columns}
    close = get_close_matches(column.lower(), list(by_case), n=1)
    hint = f"; did you mean {by_case[close[0]]}?" if close else ""
    more = f", … ({len(columns)})" if len(columns) > _NAMED else ""
    known = f"{', '.join(columns[:_NAMED])}{more}"
    return f"{source}: there is no {purpose} column {column}; its columns are {known}{hint}"
