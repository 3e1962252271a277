"""Whether what comes in is still what a model was trained on: molecule by molecule, and sample by sample as they come."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.special import chdtrc, gammainc, gammaln, kolmogorov

from exoclassify.model.bundle import ModelBundle
from exoclassify.model.layered import LayeredBlend
from exoclassify.monitoring.bins import BINS, Counts, bins_of
from exoclassify.typing import Floats

__all__ = ["InputDrift", "count_bins", "discoveries", "in_log_view", "input_drift", "martingale", "smoothed_p"]

_BITES = 5
"""Neighbouring bins that a population stability index takes as one, to make four; fewer samples a bin are noise."""


@dataclass(frozen=True, eq=False)
class InputDrift:
    """How far each molecule has moved from the training samples.

    Parameters
    ----------
    psi : ndarray of shape (n_molecules,)
        Population stability index over quarters of the training distribution; NaN for a molecule that hardly varied there.
    psi_expected : ndarray of shape (n_molecules,)
        What sampling alone gives on average, with so many samples on both sides.
    ks : ndarray of shape (n_molecules,)
        Largest difference of the cumulative shares, at the training quantiles.
    p : ndarray of shape (n_molecules,)
        Of the larger evidence of the two, doubled; NaN where neither can be told.
    direction : ndarray of shape (n_molecules,)
        Share of samples above the training median, less one half: above 0 there is more of it.
    n_samples : int
        That were compared.
    """

    psi: Floats
    psi_expected: Floats
    ks: Floats
    p: Floats
    direction: Floats
    n_samples: int


def count_bins(bundle: ModelBundle, X: Floats) -> Counts:
    """Count samples between the training quantiles of each molecule, in the model's log view.

    Parameters
    ----------
    X : ndarray of shape (n_samples, n_molecules)
        Raw values of the panel; NaN = not measured.

    Returns
    -------
    ndarray of int of shape (n_molecules, 20)
        Of a value that is a quantile itself, as zeros often are, half the quantiles it equals lie below it.
    """
    assert bundle.trained_on is not None
    return bins_of(bundle.trained_on.log, in_log_view(bundle, X))


def in_log_view(bundle: ModelBundle, X: Floats) -> NDArray[np.float32]:
    """Give samples as they are compared with the training quantiles.

    Parameters
    ----------
    X : ndarray of shape (n_samples, n_molecules)
        Raw values of the panel.

    Returns
    -------
    ndarray of float32 of shape (n_samples, n_molecules)
    """
    return bundle.blend.log(np.ascontiguousarray(X, dtype=np.float64)).astype(np.float32)


def input_drift(bundle: ModelBundle, counts: Counts) -> InputDrift:
    """Compare counted samples with the training samples.

    Parameters
    ----------
    counts : ndarray of int of shape (n_molecules, 20)
        As `count_bins` gives them, summed over what is to be compared.

    Notes
    -----
    Without drift the index is about chi-squared times 1/n + 1/m (Yurdakul 2018): a fixed threshold such as 0.2 is passed by
    nothing but chance at 60 samples. The Kolmogorov-Smirnov distance is taken at 19 points and therefore a little too small.
    """
    assert bundle.trained_on is not None
    m, n = _trained(bundle)[:, None], counts.sum(axis=1, keepdims=True)
    expected = _training_shares(bundle)
    groups = np.arange(0, BINS, _BITES)
    old = np.add.reduceat(expected, groups, axis=1)
    new = np.add.reduceat(counts, groups, axis=1)
    usable = (old > 0.05).sum(axis=1) > 1
    smooth_old, smooth_new = ((old * m + 0.5) / (m + 0.5 * old.shape[1]), (new + 0.5) / (n + 0.5 * new.shape[1]))
    psi = ((smooth_new - smooth_old) * np.log(smooth_new / smooth_old)).sum(axis=1)
    freedom = np.maximum((old > 0.05).sum(axis=1) - 1, 1)
    scale = (1 / np.maximum(n, 1) + 1 / m)[:, 0]
    p_psi = chdtrc(freedom, psi / scale)
    share = counts / np.maximum(n, 1)
    apart = np.cumsum(share, axis=1) - np.cumsum(expected, axis=1)
    ks = np.abs(apart).max(axis=1)
    p_ks = kolmogorov(ks / np.sqrt(scale))
    p = np.minimum(1.0, 2 * np.minimum(p_psi, p_ks))
    above = (share - expected)[:, BINS // 2 :].sum(axis=1)
    seen = n[:, 0] > 0
    psi, p = np.where(usable & seen, psi, np.nan), np.where(usable & seen, p, np.nan)
    return InputDrift(psi, freedom * scale, ks, p, above, int(n.max(initial=0)))


def _trained(bundle: ModelBundle) -> Floats:
    """Count the persons of training behind each molecule's quantiles: repeats are no new evidence, and a layer may lack some."""
    assert bundle.trained_on is not None
    known = bundle.trained_on.subjects if len(bundle.trained_on.subjects) else bundle.trained_on.samples
    m = np.full(len(bundle.panel.molecules), float(len(np.unique(known))))
    if isinstance(bundle.blend, LayeredBlend):
        have = [len(one) for one in bundle.blend.residuals]
        for columns, n in zip(bundle.blend.columns(), have, strict=True):
            m[columns] *= n / max(have)
    return m


def _training_shares(bundle: ModelBundle) -> Floats:
    """Where training samples themselves lie: 5 % in each bin, but for molecules with ties, such as zeros."""
    assert bundle.trained_on is not None
    quantiles = bundle.trained_on.log
    inner = quantiles[:, 1:-1]
    # Each gap between quantiles holds 5 %; its middle value says into which bin those samples are counted.
    shares = np.zeros((len(quantiles), BINS))
    columns = np.arange(len(quantiles))
    for low, high in zip(quantiles.T[:-1], quantiles.T[1:], strict=True):
        middle = (low + high) / 2
        below = (inner < middle[:, None]).sum(axis=1)
        not_above = (inner <= middle[:, None]).sum(axis=1)
        np.add.at(shares, (columns, (below + not_above) // 2), 1 / BINS)
    return shares


def discoveries(p: Floats, rate: float) -> NDArray[np.bool_]:
    """Tell which p-values stay when the share of false ones among them is held at a rate.

    Parameters
    ----------
    p : ndarray of shape (n,)
        NaN never counts.

    Returns
    -------
    ndarray of bool of shape (n,)

    Notes
    -----
    Benjamini & Hochberg 1995.
    """
    found = np.zeros(len(p), dtype=bool)
    known = np.flatnonzero(~np.isnan(p))
    order = known[np.argsort(p[known], kind="stable")]
    passed = np.flatnonzero(p[order] <= rate * np.arange(1, len(order) + 1) / max(len(order), 1))
    if len(passed):
        found[order[: passed[-1] + 1]] = True
    return found


def smoothed_p(novelty_p: Floats, n_reference: int, seed: int = 0) -> Floats:
    """Make p-values that are uniform and independent from those against one fixed reference.

    Parameters
    ----------
    novelty_p : ndarray of shape (n_samples,)
        As predictions give them, in the order of time.

    Returns
    -------
    ndarray of shape (n_samples,)

    Notes
    -----
    A p-value against a fixed reference says between which two training samples the new one lies. If all are exchangeable,
    that place follows Pólya's urn: each earlier sample found there makes it one likelier. Ranked against the reference
    *and* the samples before it, with ties broken at random, each p-value is uniform whatever came before (Vovk et al. 2005).
    """
    rng = np.random.default_rng(seed)
    places = np.clip(np.rint(novelty_p * (n_reference + 1)).astype(np.intp), 1, n_reference + 1) - 1
    urn = np.ones(n_reference + 1)
    result = np.empty(len(places))
    for i, (place, u) in enumerate(zip(places, rng.random(len(places)), strict=True)):
        result[i] = (urn[:place].sum() + u * urn[place]) / urn.sum()
        urn[place] += 1
    return result


def martingale(p: Floats) -> Floats:
    """Bet against exchangeability: the logarithm of a capital that, without drift, ever reaches 1/a with chance a at most.

    Parameters
    ----------
    p : ndarray of shape (n_samples,)
        Uniform and independent without drift, as `smoothed_p` gives them; small where samples are strange.

    Returns
    -------
    ndarray of shape (n_samples,)
        Natural logarithm of the capital after each sample, which starts at 1.

    Notes
    -----
    The simple mixture: all bets ``e * p ** (e - 1)``, e from 0 to 1, with equal stakes (Vovk, Nouretdinov & Gammerman 2003);
    with n samples and S the sum of -log p it is ``exp(S) * gamma(n + 1, S) / S ** (n + 1)``. The bound is Ville's.
    """
    n = np.arange(1, len(p) + 1)
    total = np.maximum(np.cumsum(-np.log(np.maximum(p, 1e-300))), 1e-12)
    share = np.maximum(gammainc(n + 1, total), 1e-300)
    result: Floats = total + gammaln(n + 1) + np.log(share) - (n + 1) * np.log(total)
    return result
