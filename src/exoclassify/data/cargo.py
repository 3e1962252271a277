"""Measured abundances of one omics layer."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from copy import copy
from dataclasses import dataclass
from functools import cached_property
from os import PathLike
from pathlib import Path

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray

from exoclassify.data.names import canonical_names, tells_hairpins_apart
from exoclassify.data.orientation import refuse_unnamed, samples_in_rows
from exoclassify.data.texts import frame_cells, without_texts
from exoclassify.data.units import KINDS, LAYERS, UNITS, Cells, doubtful_blanks, known_kind, known_unit
from exoclassify.errors import FileError, InputError, check_type, first_three
from exoclassify.tables.asked import AS_WRITTEN, Reading
from exoclassify.tables.controls import without_control_molecules
from exoclassify.tables.encoding import WRITERS
from exoclassify.tables.ids import check_choice, check_unique, counted, row_positions
from exoclassify.tables.reading import WideTable, read_wide
from exoclassify.tables.writing import write_atomically
from exoclassify.typing import Floats

__all__ = ["KINDS", "UNITS", "CargoTable"]

_NOT_DETECTED = 40.0  # cycles of the usual qPCR programme


@dataclass(frozen=True, eq=False)
class CargoTable:
    """Abundances of one kind of molecule, in one unit, in a number of samples.

    Parameters
    ----------
    values : ndarray of shape (n_samples, n_molecules)
        In `unit`; copied, made read-only. NaN = not measured; 0 counts or intensity = measured, none found.
    sample_ids : tuple of str
        Unique, not blank.
    molecules : tuple of str
        Canonical names, unique; `read` and `from_frame` make them so, the constructor takes them as given.
    kind : str
        One of `KINDS`.
    unit : str
        One of `UNITS`.
    source : str, default "table"
        What messages call the table, the name of its file.
    not_detected : float, optional
        For Ct only: values at or above it become this value, which means measured and none found. 40 when
        not given.
    written : tuple of str, optional
        The molecules' names as the file has them; `molecules` when not given.
    notes : tuple of str, default ()
        What was understood of the file or left out of it, and what a user should look at.

    Raises
    ------
    InputError
        If kind or unit are unknown, names are blank or come twice, the shape does not fit the names, or a
        value cannot be of the unit.
    """

    values: Floats
    sample_ids: tuple[str, ...]
    molecules: tuple[str, ...]
    kind: str
    unit: str
    source: str = "table"
    not_detected: float | None = None
    written: tuple[str, ...] | None = None
    notes: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        object.__setattr__(self, "sample_ids", tuple(self.sample_ids))
        object.__setattr__(self, "molecules", tuple(self.molecules))
        object.__setattr__(self, "kind", known_kind(self.kind))
        object.__setattr__(self, "unit", known_unit(self.unit))
        check_choice(self.source, "kind", self.kind, KINDS)
        check_choice(self.source, "unit", self.unit, UNITS)
        check_unique(self.source, "sample ids", self.sample_ids)
        check_unique(self.source, "molecules", self.molecules)
        object.__setattr__(self, "not_detected", self._settled_not_detected())
        object.__setattr__(self, "values", self._settled_values())

    def _settled_not_detected(self) -> float | None:
        if self.unit != "ct":
            if self.not_detected is not None:
                raise InputError(f"{self.source}: not_detected is for Ct, and the unit is {self.unit}; leave it out")
            return None
        if self.not_detected is None:
            return _NOT_DETECTED
        if not 0 < self.not_detected <= 50:
            raise InputError(f"{self.source}: not_detected is {self.not_detected}; a Ct lies between 0 and 50")
        return float(self.not_detected)

    def _settled_values(self) -> Floats:
        try:
            values: Floats = np.array(self.values, dtype=np.float64, order="C")
        except (TypeError, ValueError) as error:
            raise InputError(
                f"{self.source}: values are no table of numbers; give one row a sample, NaN = not measured"
            ) from error
        shape = (len(self.sample_ids), len(self.molecules))
        if values.shape != shape:
            raise InputError(f"{self.source}: values have shape {values.shape}, and the names ask for {shape}")
        Cells(values, self.sample_ids, self.molecules, self.source).check(self.unit)
        if self.not_detected is not None:
            np.minimum(values, self.not_detected, out=values)  # NaN stays NaN
        values += 0.0  # -0.0 becomes 0.0, so that equal tables have equal digests
        values[np.isnan(values)] = np.nan  # one NaN for the same reason
        values.flags.writeable = False
        return values

    @classmethod
    def read(
        cls,
        path: str | Path,
        *,
        kind: str,
        unit: str,
        sample_ids: Sequence[str] | None = None,
        molecules: Sequence[str] | None = None,
        not_detected: float | None = None,
        reading: Reading = AS_WRITTEN,
    ) -> CargoTable:
        """Read a table; every sample of the file is kept.

        Parameters
        ----------
        path : path
            CSV or TSV (also .gz), Parquet, Arrow or XLSX, with names in the first column and in the header; or a table of
            one of the formats of `exoclassify.tables.field.formats`.
        kind, unit : str
            What the table holds; stated, never guessed.
        sample_ids : sequence of str, optional
            Samples that are expected. They lie in the first column or in the header, and a table with samples
            in its header is turned.
        molecules : sequence of str, optional
            Molecules that are expected, canonical; used likewise when there are no sample ids. Without
            either, samples are in rows.
        not_detected : float, optional
            For Ct, see the class. The texts Undetermined, ND, N.D., No Ct and No Cq become this value.
        reading : Reading, optional
            How the file is to be read, where its content does not say it.

        Raises
        ------
        FileError
            If the file is missing, broken, or of no known format.
        InputError
            If what is expected is in both directions or in neither, two columns are the same molecule, a cell
            holds text, or a value cannot be of the unit.
        """
        check_type(path, (str, PathLike), "CargoTable.read: path", "the path of a table")
        kind, unit = known_kind(kind), known_unit(unit)
        if kind == LAYERS:
            raise InputError(
                f"{Path(path).name}: the model reads several layers, and this works on models of one table; answers to several "
                "come from exoclassify score with --layer NAME=TABLE"
            )
        check_choice(Path(path).name, "kind", kind, KINDS)
        refuse_unnamed(Path(path), kind, sample_ids, molecules, reading)
        wide = read_wide(Path(path), reading)
        wide.check_unit(unit)
        wide = samples_in_rows(wide, kind, sample_ids, molecules)
        return cls._from_wide(wide, kind, unit, not_detected)

    @classmethod
    def from_frame(
        cls, frame: pd.DataFrame, *, kind: str, unit: str, not_detected: float | None = None, source: str = "table"
    ) -> CargoTable:
        """Take over a frame: molecules in columns, sample ids in the index, or in a column ``sample_id`` beside row numbers.

        Parameters
        ----------
        frame : DataFrame
            Missing cells = not measured.
        kind, unit : str
            What it holds.
        not_detected : float, optional
            For Ct, see the class.
        source : str, default "table"
            What messages call it.

        Raises
        ------
        InputError
            As in `read`.
        """
        kind, unit = known_kind(kind), known_unit(unit)
        check_choice(source, "kind", kind, KINDS)
        check_type(frame, pd.DataFrame, source, "a DataFrame with samples in rows and molecules in columns")
        numbered = isinstance(frame.index, pd.RangeIndex) and "sample_id" in frame.columns
        frame = frame.set_index("sample_id") if numbered else frame
        cells, texts = frame_cells(frame)
        rows, columns = (tuple("" if pd.isna(n) else str(n).strip() for n in i) for i in (frame.index, frame.columns))
        return cls._from_wide(WideTable(source, rows, columns, cells, texts), kind, unit, not_detected)

    @classmethod
    def _from_wide(cls, wide: WideTable, kind: str, unit: str, not_detected: float | None) -> CargoTable:
        wide = without_control_molecules(wide)
        rows, source = tuple(name.strip() for name in wide.row_ids), wide.source
        check_unique(source, "sample ids", rows, _fix_of_twice(rows, wide.cells))
        molecules = canonical_names(wide.columns, kind, source=source, values=wide.cells)
        mark = _NOT_DETECTED if not_detected is None else not_detected
        cells = without_texts(wide, not_detected=mark if unit == "ct" else None)
        notes = (*wide.notes, *doubtful_blanks(cells.size, int(np.isnan(cells).sum()), int((cells == 0).sum()), unit))
        return cls(cells, rows, molecules, kind, unit, source, not_detected, tuple(wide.columns), notes)

    @property
    def hairpins_apart(self) -> bool:
        """Whether its names tell arms of hairpins from mature miRNA."""
        return tells_hairpins_apart(self.written or self.molecules, self.kind)

    def with_hairpins_apart(self) -> CargoTable:
        """Give the table with arms of hairpins under names of their own, as a model trained on such names needs it."""
        if self.hairpins_apart:
            return self
        written = self.written or self.molecules
        result = copy(self)
        molecules = canonical_names(written, self.kind, source=self.source, hairpins_apart=True)
        object.__setattr__(result, "molecules", molecules)
        result.__dict__.pop("_where", None)
        return result

    @property
    def n_samples(self) -> int:
        """Number of samples."""
        return len(self.sample_ids)

    @property
    def n_molecules(self) -> int:
        """Number of molecules."""
        return len(self.molecules)

    @cached_property
    def _where(self) -> dict[str, int]:
        return {molecule: i for i, molecule in enumerate(self.molecules)}

    def take(self, rows: ArrayLike) -> CargoTable:
        """Give some of the samples, by positions, each at most once, or by a mask."""
        positions = row_positions(rows, self.n_samples)
        ids = tuple(self.sample_ids[i] for i in positions)
        if ids:
            check_unique(self.source, "sample ids", ids)
        return self._with_rows(ids, self.values[positions])

    def for_samples(self, sample_ids: Sequence[str]) -> CargoTable:
        """Line the rows up with other, unique samples; rows of NaN where the table lacks one."""
        ids = tuple(sample_ids)
        if ids == self.sample_ids:
            return self
        where = {sample: i for i, sample in enumerate(self.sample_ids)}
        rows = np.array([where.get(sample, -1) for sample in ids], dtype=np.intp)
        values = np.full((len(ids), self.n_molecules), np.nan)
        values[rows >= 0] = self.values[rows[rows >= 0]]
        return self._with_rows(ids, values)

    def _with_rows(self, sample_ids: tuple[str, ...], values: Floats) -> CargoTable:
        values.flags.writeable = False
        result = copy(self)  # rows of a checked table need no second check
        object.__setattr__(result, "sample_ids", sample_ids)
        object.__setattr__(result, "values", values)
        return result

    def aligned(self, molecules: Sequence[str]) -> Floats:
        """Line the values up with other canonical names, NaN where the table lacks one; `values` itself if all are the same."""
        if tuple(molecules) == self.molecules:
            return self.values
        where = np.array([self._where.get(molecule, -1) for molecule in molecules], dtype=np.intp)
        result = np.full((self.n_samples, len(where)), np.nan)
        known = where >= 0
        result[:, known] = self.values[:, where[known]]
        return result

    def check_rows(self) -> None:
        """Refuse samples that say nothing, which learning cannot use; scoring calls them uncertain.

        Raises
        ------
        InputError
            If a sample has no measured value, or not one molecule was found in it.
        """
        measured = ~np.isnan(self.values)
        self._refuse_samples(measured.any(axis=1), "no measured value")
        if self.not_detected is not None:
            self._refuse_samples((self.values < self.not_detected).any(axis=1), "no detected molecule")
        elif self.unit not in ("log2_intensity", "value"):
            self._refuse_samples((self.values > 0).any(axis=1), "no detected molecule")

    def _refuse_samples(self, sound: NDArray[np.bool_] | np.bool_, what: str) -> None:
        wrong = np.flatnonzero(~np.atleast_1d(sound))
        if wrong.size:
            named = first_three(self.sample_ids[i] for i in wrong)
            count = counted(wrong.size, "samples", "has", "have")
            raise InputError(f"{self.source}: {count} {what} ({named}); leave them out")

    def digest(self) -> str:
        """Give the sha256 of kind, unit, names and values, whatever file they came from."""
        head = [self.kind, self.unit, self.not_detected, self.sample_ids, self.molecules]
        sha = hashlib.sha256(json.dumps(head).encode())
        sha.update(self.values.astype("<f8", copy=False).tobytes())
        return sha.hexdigest()

    def to_frame(self) -> pd.DataFrame:
        """Give a frame: samples in rows, the index named sample_id."""
        index = pd.Index(self.sample_ids, name="sample_id")
        return pd.DataFrame(self.values.copy(), index, list(self.molecules))

    def write(self, path: str | Path, *, force: bool = False) -> None:
        """Write the table, whole or not at all.

        Parameters
        ----------
        path : path
            Ends in .csv, .tsv or .parquet.
        force : bool, default False
            Whether a file already there may be replaced.

        Raises
        ------
        FileError
            If the ending is another, the file is there and `force` is off, or it cannot be written.
        """
        check_type(path, (str, PathLike), "CargoTable.write: path", "the path of a file")
        suffix = Path(path).suffix.lower()
        if suffix not in WRITERS:
            raise FileError(f"{path}: cannot write {suffix or 'a file without ending'}; use {', '.join(WRITERS)}")
        names = ("sample_id", *self.molecules)

        def write(partial: Path) -> None:
            WRITERS[suffix](partial, names, self.sample_ids, self.values, self.unit == "counts")

        write_atomically(Path(path), write, force=force)


def _fix_of_twice(rows: Sequence[str], cells: Floats) -> str:
    """Say what becomes of rows of one sample."""
    first: dict[str, int] = {}
    pairs = [(first[name], i) for i, name in enumerate(rows) if first.setdefault(name, i) != i]
    same = all(np.array_equal(cells[i], cells[j], equal_nan=True) for i, j in pairs)
    return "the rows are the same: keep one" if same else "keep one of them, or give each its own name and one subject"
