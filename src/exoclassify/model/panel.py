"""What a model needs to see of a sample before it says anything."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from exoclassify.data.cargo import CargoTable
from exoclassify.data.names import canonical_names
from exoclassify.data.quality import FEWEST_READS
from exoclassify.data.units import Cells
from exoclassify.errors import InputError, ModelError, first_three
from exoclassify.typing import Floats

__all__ = ["Panel"]


_PLAIN = ("kind", "unit", "not_detected", "typical", "min_coverage", "hairpins_apart", "fewest_reads")
"""Plain values of a panel, kept in bundle.json."""

_REMEMBERED = 64
"""Lists of names whose places are remembered."""


@dataclass(frozen=True, eq=False)
class Panel:
    """The molecules a model reads, in order, and how much of them must be there.

    Parameters
    ----------
    molecules : tuple of str
        Canonical names.
    kind, unit : str
        Of the table.
    not_detected : float or None
        For Ct, the value that means not detected.
    weight : ndarray of shape (n_molecules,)
        Share of the training samples that measured each molecule.
    typical : float
        Median over training samples of the weight they measured.
    min_coverage : float
        Below this no call is made.
    hairpins_apart : bool
        The training table told arms of hairpins (``hsa-mir-107-3p``) from mature miRNA, and so does the model, however
        few names it is given.
    fewest_reads : float
        Reads on the panel below which a library of counts failed, and counts as not measured; 0 for no limit.
    """

    molecules: tuple[str, ...]
    kind: str
    unit: str
    not_detected: float | None
    weight: Floats
    typical: float
    min_coverage: float
    hairpins_apart: bool
    fewest_reads: float = 0.0

    def __post_init__(self) -> None:
        if self.weight.shape != (len(self.molecules),):
            raise ModelError(f"the panel has {len(self.molecules)} molecules and weights of shape {self.weight.shape}")

    @classmethod
    def fit(cls, table: CargoTable, support: NDArray[np.intp], min_coverage: float) -> Panel:
        """Describe the chosen columns of the training table.

        Parameters
        ----------
        support : ndarray of int
            Positions of the panel's molecules.
        """
        measured = ~np.isnan(table.values[:, support])
        weight = measured.mean(axis=0)
        typical = float(np.median(measured @ weight))
        molecules = tuple(table.molecules[i] for i in support)
        return cls(
            molecules,
            table.kind,
            table.unit,
            table.not_detected,
            weight,
            typical,
            min_coverage,
            table.hairpins_apart,
            _fewest_reads(table, support),
        )

    @classmethod
    def read(cls, described: Mapping[str, Any], weight: Floats) -> Panel:
        """Put a panel together again from what `described` gave and its weights."""
        plain = {key: described[key] for key in _PLAIN if key in described}  # earlier models have no fewest_reads
        return cls(molecules=tuple(described["molecules"]), weight=weight, **plain)

    def described(self) -> dict[str, Any]:
        """Give its plain values, for bundle.json."""
        return {"molecules": list(self.molecules), **{key: getattr(self, key) for key in _PLAIN}}

    @property
    def measured_in(self) -> str:
        """Kind and unit, for people."""
        return f"{self.kind}, {self.unit}"

    @cached_property
    def _seen(self) -> dict[tuple[str, ...], tuple[NDArray[np.intp], NDArray[np.intp]]]:
        return {}

    @cached_property
    def canonical(self) -> tuple[str, ...]:
        """The molecules by today's rules of spelling; a model saved earlier may have others in its panel."""
        try:
            return canonical_names(
                self.molecules, self.kind, source="the panel", hairpins_apart=self.hairpins_apart or None
            )
        except InputError:  # two that were two molecules then
            return self.molecules

    @cached_property
    def _where(self) -> dict[str, int]:
        return {molecule: i for i, molecule in enumerate(self.canonical)}

    @cached_property
    def _whole(self) -> float:
        """The coverage where all of the panel was measured."""
        return min(1.0, float(self.weight.sum()) / max(self.typical, 1e-12))

    def coverage(self, X: Floats) -> Floats:
        """How much of the panel was measured in each sample.

        Parameters
        ----------
        X : ndarray of shape (n_samples, n_molecules)
            Raw values in the panel's order; NaN = not measured.

        Returns
        -------
        ndarray of shape (n_samples,)
            1 when as much was measured as in a typical training sample; molecules that training often lacked count less.
            For counts this is the plain share of the panel, and 0 for a library that failed.
        """
        sums = X.sum(axis=1)
        partial = np.isnan(sums)  # the quickest look; most tables of counts lack nothing
        result: Floats = np.full(len(X), self._whole)
        if np.count_nonzero(partial):
            found = np.where(np.isnan(X[partial]), 0.0, self.weight).sum(axis=1)
            result[partial] = np.minimum(1.0, found / max(self.typical, 1e-12))
            sums[partial] = np.nansum(X[partial], axis=1)
        if self.fewest_reads:
            result[sums < self.fewest_reads] = 0.0
        return result

    def values(self, table: CargoTable) -> Floats:
        """Line a table up with the panel.

        Returns
        -------
        ndarray of shape (n_samples, n_molecules)
            NaN where the table lacks a molecule.
        """
        self.check_stated(table.kind, table.unit, table.source)
        if table.molecules == self.molecules:
            return table.values
        table = table.with_hairpins_apart() if self.hairpins_apart else table
        self.check_present(table.molecules, table.source)
        return table.aligned(self.canonical)

    def check_stated(self, kind: str, unit: str, source: str) -> None:
        """Refuse what is stated of a table when the model was trained on something else."""
        for what, mine, theirs in (("kind", self.kind, kind), ("unit", self.unit, unit)):
            if mine != theirs:
                raise ModelError(
                    f"{source}: its {what} is {theirs}, and this model was trained on {mine}; give the table in {mine}, "
                    f"or use a model trained on {theirs}"
                )

    def check_present(self, molecules: Sequence[str], source: str) -> None:
        """Refuse a table that lacks so much of the panel that no sample could be called."""
        present = np.isin(self.canonical, molecules)
        best = float(present @ self.weight / max(self.typical, 1e-12))
        if best < self.min_coverage:
            lacking = [molecule for molecule, there in zip(self.molecules, present, strict=True) if not there]
            raise ModelError(
                f"{source}: {len(lacking)} of the {len(self.molecules)} molecules of the model's panel are missing "
                f"({first_three(lacking)}): coverage is at most {best:.2f} where {self.min_coverage:.2f} is needed; check the "
                "molecule names, or train a model on the molecules this table has"
            )

    def check_values(self, X: Floats, sample_ids: Sequence[object], source: str) -> None:
        """Refuse values that cannot be of the model's unit.

        Parameters
        ----------
        X : ndarray of shape (n_samples, n_molecules)
            In the panel's order.
        """
        Cells(X, sample_ids, self.molecules, source).check(self.unit)  # type: ignore[arg-type]  # row numbers do as well

    def censor(self, X: Floats) -> None:
        """Make Ct from the not-detected value on that value, in place."""
        if self.not_detected is not None:
            np.minimum(X, self.not_detected, out=X)

    def places(self, written: Sequence[str], source: str, values: Floats | None = None) -> NDArray[np.intp]:
        """Find the panel among the columns of a table.

        Parameters
        ----------
        values : ndarray of shape (n_samples, n_written), optional
            By which a message says whether columns of one molecule are the same.

        Returns
        -------
        ndarray of shape (n_molecules,)
            Position of each molecule of the panel; -1 where the table lacks it.
        """
        canonical = canonical_names(
            written, self.kind, source=source, hairpins_apart=self.hairpins_apart or None, values=values
        )
        self.check_present(canonical, source)
        where = {molecule: i for i, molecule in enumerate(canonical)}
        return np.array([where.get(molecule, -1) for molecule in self.canonical], dtype=np.intp)

    def profile(self, cargo: Mapping[str, Any], sample_id: str) -> Floats:
        """Line one sample's named values up with the panel, shape (1, n_molecules); None and absent are NaN.

        Returns
        -------
        ndarray of shape (1, n_molecules)
        """
        names = tuple(cargo)
        targets, sources = self._places(names)
        try:
            found = np.array(list(cargo.values()), dtype=np.float64)
        except (TypeError, ValueError) as error:
            raise InputError(
                f"{sample_id}: {error}; every value must be a number, or None where nothing was measured"
            ) from error
        # All that is given, as the reader of a file checks all columns and not the panel's alone.
        Cells(found[None, :], (sample_id,), names, "request").check(self.unit)
        row = np.full(len(self.molecules), np.nan)
        row[targets] = found[sources]
        X = row[None, :]
        return X if self.not_detected is None else np.minimum(X, self.not_detected)

    def _places(self, names: tuple[str, ...]) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
        """Where the named values belong; remembered, for a laboratory sends the same names again and again."""
        known = self._seen.get(names)
        if known is None:
            canonical = canonical_names(names, self.kind, source="request", hairpins_apart=self.hairpins_apart or None)
            pairs = [(self._where[molecule], i) for i, molecule in enumerate(canonical) if molecule in self._where]
            known = (np.array([p[0] for p in pairs], dtype=np.intp), np.array([p[1] for p in pairs], dtype=np.intp))
            if len(self._seen) >= _REMEMBERED:
                self._seen.clear()
            self._seen[names] = known
        return known


def _fewest_reads(table: CargoTable, support: NDArray[np.intp]) -> float:
    """Share of `FEWEST_READS` that falls on the panel; 0 for tables that are not of counts, or are shallow as a whole."""
    if table.unit != "counts":
        return 0.0
    reads = np.nansum(table.values, axis=1)
    if np.quantile(reads, 0.25) < FEWEST_READS:
        return 0.0
    on_panel = np.nansum(table.values[:, support], axis=1)
    return float(round(FEWEST_READS * np.median(on_panel / reads)))
