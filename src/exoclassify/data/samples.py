"""Who the samples are."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from difflib import get_close_matches
from pathlib import Path

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray

from exoclassify.errors import InputError, first_three
from exoclassify.tables.ids import check_unique, counted, row_positions
from exoclassify.tables.reading import read_sheet

__all__ = ["SampleSheet"]

_SAMPLE_ID = "sample_id"
_COVARIATES = ("sex", "gender", "age", "age_years", "bmi")
_ONE_ROW = "give each sample one row, and name the person in a subject column"


@dataclass(frozen=True, eq=False)
class SampleSheet:
    """One row for each sample: its state, its person, its batch, and what else is known.

    Parameters
    ----------
    frame : DataFrame
        Index = sample ids; copied, every cell made a stripped text or NaN.
    label_column : str or None, default None
        Holds the state; blank = not known.
    subject_column : str or None, default None
        Holds the person.
    batch_column : str or None, default None
        Holds the centre, run or plate.
    source : str, default "sample sheet"
        What messages call the sheet, the name of its file.

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

    def __post_init__(self) -> None:
        frame = _as_text(self.frame)
        if len(frame.columns):
            check_unique(self.source, "columns", list(frame.columns))
        check_unique(self.source, "sample ids", list(frame.index), _ONE_ROW)
        object.__setattr__(self, "frame", frame)
        chosen = {"label": self.label_column, "subject": self.subject_column, "batch": self.batch_column}
        named = {purpose: column for purpose, column in chosen.items() if column is not None}
        for purpose, column in named.items():
            self._check_column(purpose, column)
        if len(set(named.values())) < len(named):
            raise InputError(
                f"{self.source}: {', '.join(named)} are the columns {', '.join(named.values())}; each needs "
                "its own"
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
        sample_id: str = _SAMPLE_ID,
    ) -> SampleSheet:
        """Read a sheet.

        Parameters
        ----------
        path : path
            CSV or TSV (also .gz), Parquet, Arrow or XLSX.
        label, subject, batch : str, optional
            Columns that hold the state, the person and the batch.
        sample_id : str, default "sample_id"
            Column of the sample ids. When there is no column ``sample_id``, the first column is taken.

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
        source = Path(path).name
        table = read_sheet(Path(path))
        table.columns = pd.Index([str(column).strip() for column in table.columns])
        columns = list(table.columns)
        if columns[0] == "" and _SAMPLE_ID not in columns:  # R and pandas leave the header of row names blank
            table.columns = pd.Index([_SAMPLE_ID, *columns[1:]])
            columns[0] = _SAMPLE_ID
        check_unique(source, "columns", columns)
        if sample_id == _SAMPLE_ID and sample_id not in columns:
            sample_id = columns[0]
        if sample_id not in columns:
            raise InputError(_no_column(source, "sample id", sample_id, columns))
        frame = table.set_index(sample_id, drop=sample_id not in (label, subject, batch))
        return cls(frame, label, subject, batch, source)

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
        return (
            None if self.subject_column is None else self.frame[self.subject_column].to_numpy(dtype=np.str_)
        )

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
        others = (self.label_column, self.subject_column, self.batch_column)
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
    return f"{source}: there is no {purpose} column {column}; its columns are {', '.join(columns)}{hint}"
