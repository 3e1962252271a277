"""Which of a user's samples are libraries of public projects: fingerprints of these, and how near a sample must come."""

from __future__ import annotations

import io
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from importlib.resources import files

import numpy as np
from numpy.typing import NDArray

from exoclassify.data.cargo import CargoTable
from exoclassify.data.sketches import BITS, bits_apart, sketches
from exoclassify.typing import Floats

__all__ = ["FEWEST", "Fingerprints", "Recognised", "profiles", "standardised"]


_NEAR = 16
"""Bits of 256 that may differ: the same library counted at half its depth lies at a median of 7."""

_FARTHEST = 30
"""Bits that may differ at most, where a table lacks molecules of the profile: each lacking share turns it by an angle."""

FEWEST = 3
"""Samples of one project, each another library, from which it is told: one near profile may be chance, three are not."""

_SHARE = 0.3
"""Where molecules are lacking, this share of the samples must be recognised too."""

_COVERED = 0.7
"""Share of the molecules that a table must have to be compared."""


@dataclass(frozen=True)
class Recognised:
    """Samples that are libraries of one public project.

    Parameters
    ----------
    accession : str
        Of the project.
    samples : tuple of str
        The user's.
    libraries : tuple of str
        The project's runs, one each.
    """

    accession: str
    samples: tuple[str, ...]
    libraries: tuple[str, ...]


@dataclass(frozen=True, eq=False)
class Fingerprints:
    """Fingerprints of the libraries of public projects.

    Parameters
    ----------
    molecules : tuple of str
        What the profiles are made of: the most abundant miRNA.
    mean, scale : ndarray of shape (n_molecules,)
        Constants that standardise a centred log profile.
    accessions, runs : tuple of str
        Of each library.
    sketches : ndarray of uint8 of shape (n_libraries, 32)
        As `exoclassify.data.sketches` makes them.
    """

    molecules: tuple[str, ...]
    mean: Floats
    scale: Floats
    accessions: tuple[str, ...]
    runs: tuple[str, ...]
    sketches: NDArray[np.uint8]

    @classmethod
    def read(cls) -> Fingerprints:
        """Read those that come with the project."""
        return _read()

    def recognise(self, table: CargoTable) -> tuple[Recognised, ...]:
        """Find the samples that are libraries of a public project.

        Projects with `FEWEST` samples or more, most samples first; a library that stands in two projects is told with both. A
        library that was processed another way may be missed.
        """
        if (table.kind, table.unit) != ("mirna", "counts"):
            return ()
        at = {name: i for i, name in enumerate(table.molecules)}
        present = np.array([name in at for name in self.molecules])
        if present.mean() < _COVERED:
            return ()
        X = np.zeros((table.n_samples, len(self.molecules)))
        X[:, present] = np.nan_to_num(
            table.values[:, [at[name] for name in np.array(self.molecules)[present].tolist()]]
        )
        turned = BITS * np.arccos(np.sqrt(present.mean())) / np.pi
        limit = min(_FARTHEST, _NEAR + int(turned))
        fewest = FEWEST if present.all() else max(FEWEST, _SHARE * table.n_samples)
        Z = standardised(X, present, self.mean, self.scale)
        pairs = [
            (sample, int(library))
            for sample, one in zip(table.sample_ids, sketches(self.molecules, Z), strict=True)
            for library in np.flatnonzero(bits_apart(self.sketches, one) <= limit)
        ]
        return self._by_project(pairs, fewest)

    def _by_project(self, pairs: Sequence[tuple[str, int]], fewest: float) -> tuple[Recognised, ...]:
        found: dict[str, list[tuple[str, str]]] = {}
        for sample, library in pairs:
            found.setdefault(self.accessions[library], []).append((sample, self.runs[library]))
        told = [
            Recognised(
                accession,
                tuple(dict.fromkeys(sample for sample, _ in near)),
                tuple(dict.fromkeys(run for _, run in near)),
            )
            for accession, near in found.items()
        ]
        sure = [one for one in told if min(len(one.samples), len(one.libraries)) >= fewest]
        return tuple(sorted(sure, key=lambda one: -len(one.samples)))


def profiles(X: Floats, present: NDArray[np.bool_]) -> Floats:
    """Give centred log profiles, which depth and what else was counted do not move.

    Shape (n_samples, n_molecules).

    Parameters
    ----------
    X : ndarray of shape (n_samples, n_molecules)
        Counts.
    present : ndarray of bool, shape (n_molecules,)
        Columns that the table holds; the others become NaN and do not enter the centre.
    """
    L = np.where(present, np.log2(X + 0.5), np.nan)
    centred: Floats = L - np.nanmean(L, axis=1, keepdims=True)
    return centred


def standardised(X: Floats, present: NDArray[np.bool_], mean: Floats, scale: Floats) -> Floats:
    """Give profiles by constants, 0 for columns that a table lacks.

    Shape (n_samples, n_molecules).

    Parameters
    ----------
    X : ndarray of shape (n_samples, n_molecules)
        Counts.
    present : ndarray of bool, shape (n_molecules,)
        Columns that the table holds.
    mean, scale : ndarray of shape (n_molecules,)
        Of centred log profiles.
    """
    moved = mean[present].mean() - mean.mean()  # the centre of the columns that are there lies elsewhere
    Z: Floats = np.nan_to_num((profiles(X, present) + moved - mean) / scale)
    return Z


@cache
def _read() -> Fingerprints:
    content = files("exoclassify.evidence").joinpath("fingerprints.npz").read_bytes()
    with np.load(io.BytesIO(content)) as arrays:
        names = {name: tuple(arrays[name].tolist()) for name in ("molecules", "accessions", "runs")}
        return Fingerprints(
            names["molecules"], arrays["mean"], arrays["scale"], names["accessions"], names["runs"], arrays["sketches"]
        )
