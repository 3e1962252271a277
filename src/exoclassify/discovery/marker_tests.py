"""Tests of each molecule by the method that its unit calls for, with batch, subject and covariates in the design."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.stats import false_discovery_control

from exoclassify.discovery.contrast import Contrast
from exoclassify.discovery.units import Units
from exoclassify.judging.metrics import auc
from exoclassify.methods.detection import DetectionTests, combine, test_detection, test_discordant
from exoclassify.methods.impute import LeftCensored
from exoclassify.methods.linear_fits import LinearFits, block_correlation, fit_linear, fit_within
from exoclassify.methods.moderated import Moderated, log_counts, moderate, precision_weights, squeezed
from exoclassify.methods.normalise_counts import TMM, library_sizes
from exoclassify.methods.select import PrevalenceFilter
from exoclassify.methods.steps import normaliser_for
from exoclassify.typing import Floats, Mask

__all__ = ["MarkerTests", "Measured"]


_LEAST = 2
"""Samples of each side that a batch needs to have a direction of its own."""


@dataclass(frozen=True, eq=False)
class Measured:
    """The cargo of a contrast on the scale of its tests.

    Parameters
    ----------
    molecules : tuple of str
        Those found in enough of the samples.
    Y : ndarray of shape (n_samples, n_molecules)
        Normalised log2 abundance; NaN = no value.
    weights : ndarray of shape (n_samples, n_molecules) or None
        Precision of each value, for counts; computed without the state, so that shuffled labels leave it as it is.
    state_weights : ndarray of shape (n_samples, n_molecules) or None
        The same with the state in the design, as limma's voom has it, for the tests.
    found : ndarray of bool, shape (n_samples, n_molecules)
        Whether the molecule was found at all.
    correlation : float
        Of two samples of one subject; 0 without repeats.
    below_limit : bool
        A missing value means too little to be found (Ct, intensities).
    technical : dict of str to float
        How well the total of each sample and its number of molecules found tell the states apart on their own: AUC, 0.5 to 1.
    """

    molecules: tuple[str, ...]
    Y: Floats
    weights: Floats | None
    state_weights: Floats | None
    found: Mask
    correlation: float
    below_limit: bool
    technical: dict[str, float]

    @classmethod
    def of(cls, contrast: Contrast, *, min_prevalence: float = 0.2) -> Measured:
        """Filter and normalise.

        Parameters
        ----------
        min_prevalence : float
            Least share of the samples, whatever their state, in which a molecule is found.
        """
        table = contrast.cohort.cargo
        limit = 40.0 if table.not_detected is None else table.not_detected
        kept = PrevalenceFilter(min_prevalence, unit=table.unit, not_detected=limit).fit(table.values)
        X = np.ascontiguousarray(table.values[:, kept.positions_])
        technical = _technical(table.values, table.unit, limit, contrast.y)
        molecules = tuple(table.molecules[i] for i in kept.positions_)
        blocks = contrast.subjects if contrast.repeated else None
        if table.unit == "counts":
            steps = TMM().fit(X)
            sizes = library_sizes(X, steps.shares_) * steps.factors(X)
            Y = log_counts(X, sizes)
            rho = 0.0
            if blocks is not None:  # once without weights, once with, as limma's users do
                rho = block_correlation(
                    Y, contrast.design, blocks, weights=precision_weights(Y, sizes, contrast.design)
                )
            weights, state_weights = (
                precision_weights(Y, sizes, design, blocks=blocks, correlation=rho)
                for design in (contrast.without_state, contrast.design)
            )
            return cls(molecules, Y, weights, state_weights, X > 0, rho, False, technical)
        Y = normaliser_for(table.unit, "auto", table.not_detected).fit_apply(X)
        rho = 0.0 if blocks is None else block_correlation(Y, contrast.design, blocks)
        found = ~np.isnan(Y) if table.unit != "cpm" else X > 0
        return cls(molecules, Y, None, None, found, rho, table.unit != "cpm", technical)

    def fits(self, contrast: Contrast, *, with_state: bool) -> LinearFits:
        """Fit the design, with or without the state's column, to every molecule."""
        design = contrast.design if with_state else contrast.without_state
        if contrast.within:
            weights = self.state_weights if with_state else self.weights
            return fit_within(self.Y, design, contrast.subjects, weights=weights)
        blocks = contrast.subjects if self.correlation else None
        weights = self.state_weights if with_state else self.weights
        return fit_linear(self.Y, design, weights=weights, blocks=blocks, correlation=self.correlation)

    def units(self, contrast: Contrast) -> Units:
        """Make the rows that are shuffled and halved: one a subject and state, what the nuisances explain taken off."""
        Y = LeftCensored().fit_apply(self.Y) if self.below_limit else self.Y
        filled = dataclasses.replace(self, Y=Y)
        null = filled.fits(contrast, with_state=False)
        _, freedom, variance = squeezed(null.variance, null.freedom)
        residual = Y - contrast.without_state @ np.nan_to_num(null.coefficients).T
        W = np.ones_like(Y) if self.weights is None else self.weights
        W = np.where(np.isnan(residual) | np.isnan(null.variance), 0.0, W)
        pairs, of = np.unique(np.stack([contrast.subjects, contrast.y], axis=1), axis=0, return_inverse=True)
        of = of.ravel()
        member = np.zeros((len(pairs), len(Y)))
        member[of, np.arange(len(Y))] = 1.0
        total = member @ W
        mean = np.where(total > 0, (member @ (W * np.nan_to_num(residual))) / np.where(total > 0, total, 1.0), 0.0)
        repeats = member @ (W > 0)
        weights = total / (1 + np.maximum(repeats - 1, 0) * self.correlation)
        strata = _strata(contrast, pairs[:, 0])
        return Units(mean, weights, pairs[:, 1], strata, pairs[:, 0], freedom, variance)


def _technical(X: Floats, unit: str, limit: float, y: NDArray[np.intp]) -> dict[str, float]:
    """Tell the states apart by what should not differ."""
    found = limit > X if unit == "ct" else ~np.isnan(X) if unit in ("log2_intensity", "value") else X > 0
    measures = {"number of molecules found": found.sum(axis=1).astype(np.float64)}
    if unit in ("counts", "intensity"):
        measures["total of a sample"] = np.nansum(X, axis=1)
    result = {}
    for name, values in measures.items():
        value = auc(values, y == 1).value
        result[name] = max(value, 1 - value)
    return result


def _strata(contrast: Contrast, subjects: NDArray[np.intp]) -> NDArray[np.intp]:
    """Subjects measured in both states are strata of their own; the others are exchanged within the batches they were in."""
    names = []
    for subject in subjects:
        rows = contrast.subjects == subject
        both = len(np.unique(contrast.y[rows])) > 1
        names.append(f"subject {subject}" if both else f"batch {sorted(set(contrast.batches[rows].tolist()))}")
    return np.unique(names, return_inverse=True)[1]


@dataclass(frozen=True, eq=False)
class MarkerTests:
    """The tests of all molecules of a contrast.

    Parameters
    ----------
    abundance : Moderated
        Moderated t of log2 abundance, state against reference.
    detection : DetectionTests
        Whether the molecule is found more often.
    p : ndarray of shape (n_molecules,)
        Of abundance; where a missing value means too little to be found, of both parts together. 1 where nothing could be
        tested.
    q : ndarray of shape (n_molecules,)
        Benjamini–Hochberg's adjustment of p; with weights, of p / weight (Genovese 2006).
    share_state, share_reference : ndarray of shape (n_molecules,)
        Share of the samples in which the molecule was found.
    by_batch : ndarray of shape (n_batches, n_molecules)
        Effect in each batch alone; NaN where a batch has fewer than 2 values on a side.
    """

    abundance: Moderated
    detection: DetectionTests
    p: Floats
    q: Floats
    share_state: Floats
    share_reference: Floats
    by_batch: Floats

    @classmethod
    def of(cls, contrast: Contrast, measured: Measured) -> MarkerTests:
        """Test every molecule."""
        abundance = moderate(measured.fits(contrast, with_state=True), 1)
        if contrast.within:
            detection = test_discordant(measured.found, contrast.y == 1, contrast.subjects)
        else:
            detection = test_detection(measured.found, contrast.design, 1, contrast.voices)
        p = combine(abundance.p, detection.p) if measured.below_limit else abundance.p
        p = np.where(np.isnan(p), 1.0, p)
        state = contrast.y == 1
        return cls(
            abundance,
            detection,
            p,
            false_discovery_control(p),
            measured.found[state].mean(axis=0),
            measured.found[~state].mean(axis=0),
            _by_batch(contrast, measured),
        )

    def weighed(self, weights: Floats, beside: Sequence[float] | Floats = ()) -> MarkerTests:
        """Give the same tests with q of p / weight."""
        own = np.minimum(self.p / weights, 1.0)
        return dataclasses.replace(self, q=false_discovery_control(np.concatenate([own, beside]))[: len(own)])

    @property
    def direction(self) -> NDArray[np.intp]:
        """1 where more is there in the state, -1 where less: by abundance, or by detection where that has no effect."""
        sign = np.sign(np.where(np.isnan(self.abundance.effect), self.detection.log_odds, self.abundance.effect))
        return np.nan_to_num(sign).astype(np.intp)

    @property
    def agreeing(self) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
        """How many batches have the direction of the whole, and how many have one at all."""
        known = ~np.isnan(self.by_batch)
        same = (np.sign(self.by_batch) == self.direction) & known
        return same.sum(axis=0), known.sum(axis=0)


def _by_batch(contrast: Contrast, measured: Measured) -> Floats:
    effects = np.full((len(contrast.batch_names), len(measured.molecules)), np.nan)
    W = np.ones_like(measured.Y) if measured.state_weights is None else measured.state_weights
    W = np.where(np.isnan(measured.Y), 0.0, W)
    Y = np.nan_to_num(measured.Y)
    for code, row in enumerate(effects):
        sides = []
        enough = np.ones(len(row), dtype=bool)
        for state in (1, 0):
            at = (contrast.batches == code) & (contrast.y == state)
            enough &= (W[at] > 0).sum(axis=0) >= _LEAST
            sides.append((W[at] * Y[at]).sum(axis=0) / np.maximum(W[at].sum(axis=0), 1e-300))
        row[enough] = (sides[0] - sides[1])[enough]
    return effects
