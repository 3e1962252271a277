"""What a model remembers of its training samples: enough to know one again and to notice drift, too little to rebuild one."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from exoclassify.data.sketches import BITS, bits_apart, sketches
from exoclassify.errors import ModelError
from exoclassify.model.blend import Blend
from exoclassify.model.layered import compiled
from exoclassify.typing import Floats

__all__ = ["SHARES", "TrainedOn", "id_keys"]


_NEAR = 37
"""Bits that may differ: random directions separate two profiles of correlation 0.9 in 256 * arccos(0.9) / pi of 256 cases
(Charikar 2002), unrelated ones in 128 +- 8."""

_COMPARED = 1000
"""Training samples compared with each other."""

_SAME, _LEAST = 1e-9, 1e-6
"""Share by which two residuals of the very same cargo may differ, and the least that is not noise: a panel of no more molecules
than the directions of variation that count as known leaves none."""

SHARES = np.linspace(0, 1, 21)
"""Shares at which quantiles are kept."""

_PREFIX = "trained_on."


@dataclass(frozen=True, eq=False)
class TrainedOn:
    """Fingerprints and quantiles of the training samples.

    Parameters
    ----------
    samples, subjects : ndarray of uint64 of shape (n_samples,)
        Keyed hashes of the ids; subjects are empty when none were given.
    sketches : ndarray of uint8 of shape (n_samples, 32)
        On which side of 256 directions each standardised log profile lies.
    log : ndarray of float32 of shape (n_molecules, 21)
        Quantiles of each molecule of the panel in the log view, at `SHARES`.
    sieve : ndarray of uint16 or None
        Last 16 bits of another hash of the sample ids, by which nearly all other ids are ruled out at once; None in a model of
        an earlier version.
    residuals : ndarray of float64
        How unlike the others the finished model finds each, sorted: the very same cargo gets the very same number. Empty
        where these numbers do not differ.

    Notes
    -----
    Hashes hide ids that cannot be guessed; whoever can list the possible ids can find out which were trained on.
    """

    samples: NDArray[np.uint64]
    subjects: NDArray[np.uint64]
    sketches: NDArray[np.uint8]
    log: NDArray[np.float32]
    sieve: NDArray[np.uint16] | None = None
    residuals: Floats = field(default_factory=lambda: np.empty(0))

    @classmethod
    def of(
        cls,
        blend: Blend,
        molecules: Sequence[str],
        X: Floats,
        sample_ids: Sequence[str],
        subject_ids: Sequence[str] | None,
        key: str,
    ) -> TrainedOn:
        """Remember the samples of a training run.

        Parameters
        ----------
        X : ndarray of shape (n_samples, n_molecules)
            Raw values of the panel.
        """
        log = blend.log(X)
        return cls(
            _hashes(sample_ids, key),
            _hashes(subject_ids or (), key),
            _sketches(blend, molecules, log),
            _quantiles(log).T.astype(np.float32),
            _sieve(sample_ids),
            _residuals(blend, X),
        )

    def recognised(
        self,
        blend: Blend,
        molecules: Sequence[str],
        X: Floats,
        sample_ids: Sequence[str],
        subject_ids: Sequence[str] | None,
        key: str,
    ) -> dict[str, NDArray[np.bool_]]:
        """Say which samples were trained on, by each way of knowing them.

        Parameters
        ----------
        blend, molecules, X, sample_ids, subject_ids, key
            As for `of`; the samples to be recognised, and the key of then.

        Returns
        -------
        dict of str to ndarray of bool of shape (n_samples,)
            ``sample id``, ``subject``, and ``near-duplicate cargo``: a standardised log profile that correlates with one of
            training at about 0.9 or more.
        """
        found = {"sample id": self.named(sample_ids, key)}
        if subject_ids is not None:
            found["subject"] = np.isin(_hashes(subject_ids, key), self.subjects)
        return {**found, "near-duplicate cargo": self.copies(blend, molecules, X) >= 0}

    def named(self, sample_ids: Sequence[str], key: str) -> NDArray[np.bool_]:
        """Say which samples bear the id of a training sample.

        Returns
        -------
        ndarray of bool of shape (n_samples,)
        """
        return np.isin(_hashes(sample_ids, key), self.samples)

    def seen(
        self, sample_ids: NDArray[np.object_], keys: NDArray[np.uint64], residuals: Floats, key: str
    ) -> NDArray[np.bool_]:
        """Say which of very many samples were trained on, by their id or by the very same cargo, at little cost.

        Parameters
        ----------
        sample_ids : ndarray of str of shape (n_samples,)
            Who they are.
        keys : ndarray of uint64 of shape (n_samples,)
            `id_keys` of them.
        residuals : ndarray of shape (n_samples,)
            How unlike the training samples the model finds them.

        Returns
        -------
        ndarray of bool of shape (n_samples,)
        """
        found = np.zeros(len(keys), dtype=bool)
        if len(self.residuals):
            at = np.clip(np.searchsorted(self.residuals, residuals), 1, len(self.residuals) - 1)
            apart = np.minimum(np.abs(self.residuals[at] - residuals), np.abs(self.residuals[at - 1] - residuals))
            found = apart <= _SAME * residuals
        maybe = ~found
        if self.sieve is not None:
            held = np.zeros(2**16, dtype=bool)
            held[self.sieve] = True
            maybe &= held[keys & np.uint64(2**16 - 1)]
        rows = np.flatnonzero(maybe)
        found[rows] = self.named(sample_ids[rows].tolist(), key)
        return found

    def copies(self, blend: Blend, molecules: Sequence[str], X: Floats) -> NDArray[np.intp]:
        """Find the training sample that each sample is a near-duplicate of, by its cargo alone.

        Returns
        -------
        ndarray of int of shape (n_samples,)
            Its position in training; -1 for a sample that is a near-duplicate of none.
        """
        found = np.full(len(X), -1, dtype=np.intp)
        limit = self._limit()
        for i, one in enumerate(_sketches(blend, molecules, blend.log(X))):
            apart = bits_apart(self.sketches, one)
            if apart.min() <= limit:
                found[i] = apart.argmin()
        return found

    def _limit(self) -> int:
        """Bits that may differ; fewer where training samples themselves lie that near, as in a batch far from the others."""
        some = self.sketches[:: max(1, len(self.sketches) // _COMPARED)]
        nearest = []
        for i, one in enumerate(some):
            apart = bits_apart(some, one)
            apart[i] = BITS
            nearest.append(int(apart.min()))
        return max(0, min(_NEAR, int(np.quantile(nearest, 0.05)) - 1))  # the very same is always known again

    def extended(
        self,
        blend: Blend,
        X: Floats,
        sample_ids: Sequence[str],
        subject_ids: Sequence[str] | None,
        key: str,
        *,
        here: bool,
    ) -> TrainedOn:
        """Remember further samples beside those of training, as after a recalibration; by their ids and subjects alone.

        Seen from the training samples, those of a laboratory far from them look all alike, so cargo tells nothing here.
        """
        log = blend.log(X)
        quantiles = self.log
        if here:
            quantiles = _quantiles(log).T.astype(np.float32)
        return TrainedOn(
            np.concatenate([self.samples, _hashes(sample_ids, key)]),
            np.concatenate([self.subjects, _hashes(subject_ids or (), key)]),
            self.sketches,
            quantiles,
            None if self.sieve is None else np.union1d(self.sieve, _sieve(sample_ids)),
            np.sort(np.concatenate([self.residuals, _residuals(blend, X)])),
        )

    def arrays(self) -> dict[str, NDArray[Any]]:
        """Give its arrays by name, to be kept with a model's."""
        return {f"{_PREFIX}{name}": value for name, value in vars(self).items() if value is not None}

    @classmethod
    def read(cls, arrays: dict[str, NDArray[Any]]) -> TrainedOn | None:
        """Put it together again from a model's arrays."""
        own = {name.removeprefix(_PREFIX): value for name, value in arrays.items() if name.startswith(_PREFIX)}
        own.pop("log_odds", None)  # of the first format
        if not own:
            return None
        try:
            return cls(**own)
        except TypeError as error:
            raise ModelError(
                f"arrays.npz: what is kept of the training samples is incomplete ({error}); train or fetch the model again"
            ) from error


def id_keys(ids: NDArray[np.object_]) -> NDArray[np.uint64]:
    """Give quick hashes of sample ids, the same on every machine.

    Parameters
    ----------
    ids : ndarray of str of shape (n_samples,)
        Any ids.

    Returns
    -------
    ndarray of uint64 of shape (n_samples,)
    """
    keys: NDArray[np.uint64] = pd.util.hash_array(ids, categorize=False)
    return keys


def _sieve(ids: Sequence[str]) -> NDArray[np.uint16]:
    return np.unique(id_keys(np.array(ids, dtype=object)).astype(np.uint16))


def _quantiles(log: Floats) -> Floats:
    """Of each molecule, among the samples that have its layer; shape (21, n_molecules)."""
    whole = not np.isnan(log).any()
    return np.quantile(log, SHARES, axis=0) if whole else np.nanquantile(log, SHARES, axis=0)


def _residuals(blend: Blend, X: Floats) -> Floats:
    found: Floats = np.sort(compiled(blend).evaluate(X)[1])
    rounded = np.unique(np.round(found / max(found[-1], _LEAST), 6)) if len(found) else found
    return found if len(rounded) > 0.9 * len(found) else np.empty(0)


def _hashes(ids: Sequence[str], key: str) -> NDArray[np.uint64]:
    digests = [hashlib.blake2b(name.encode(), key=key.encode()[:64], digest_size=8).digest() for name in ids]
    return np.frombuffer(b"".join(digests), dtype="<u8").astype(np.uint64)


def _sketches(blend: Blend, molecules: Sequence[str], log: Floats) -> NDArray[np.uint8]:
    return sketches(molecules, blend.standardised(log))
