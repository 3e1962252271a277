"""Curves of one state against the rest: ROC, precision and recall, calibration, net benefit, and errors against abstaining.

Each takes several passes over the same samples, as repeats of cross-validation give, and averages them.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from exoclassify.judging.metrics import Estimate
from exoclassify.typing import Codes, Floats, Mask

__all__ = [
    "CalibrationBins",
    "average_precision",
    "calibration_bins",
    "net_benefit",
    "pr_curve",
    "risk_coverage",
    "roc_band",
    "roc_curve",
]


_GRID = np.linspace(0, 1, 101)


def roc_curve(
    scores: Sequence[Floats], positive: Mask, folds: Sequence[Codes | None] = (), weights: Floats | None = None
) -> tuple[Floats, Floats]:
    """Sensitivity at each share of false alarms, averaged over passes, and over folds by their number of pairs.

    Parameters
    ----------
    scores : sequence of ndarray of shape (n_samples,)
        One for each pass; larger for the state.
    positive : ndarray of bool of shape (n_samples,)
        Samples of the state.
    folds : sequence of (ndarray of shape (n_samples,) or None), optional
        One for each pass: a curve ranks samples of the same fold only, as `auc_within` does.
    weights : ndarray of shape (n_samples,), optional
        How often each sample counts.

    Returns
    -------
    tuple of ndarray of shape (101,)
        1 − specificity and sensitivity; the area under them is the mean AUC up to the width of the grid.
    """
    counted = np.ones(len(positive)) if weights is None else weights
    each = zip(scores, folds or [None] * len(scores), strict=True)
    return _GRID, np.mean([_averaged(score, positive, fold, counted) for score, fold in each], axis=0)


def roc_band(
    scores: Sequence[Floats], positive: Mask, folds: Sequence[Codes | None], weights: Floats
) -> tuple[Floats, Floats]:
    """Bound the ROC curve at each share of false alarms: the 95 % interval over bootstrap draws.

    Parameters
    ----------
    weights : ndarray of shape (n_draws, n_samples)
        How often each sample is drawn.

    Returns
    -------
    tuple of ndarray of shape (101,)
        Low and high sensitivity.
    """
    drawn = [roc_curve(scores, positive, folds, weight)[1] for weight in weights]
    low, high = np.quantile(drawn, [0.025, 0.975], axis=0)
    return low, high


def _averaged(score: Floats, positive: Mask, fold: Codes | None, weights: Floats) -> Floats:
    codes = np.zeros(len(score), dtype=np.intp) if fold is None else fold
    total, pairs = np.zeros(len(_GRID)), 0.0
    for k in np.unique(codes):
        here = codes == k
        weight, of_state = weights[here], positive[here]
        n = float(weight[of_state].sum() * weight[~of_state].sum())
        if n:
            total += n * np.interp(_GRID, *_steps(score[here], of_state, weight))
            pairs += n
    return total / pairs if pairs else _GRID


def _steps(score: Floats, positive: Mask, weights: Floats) -> tuple[Floats, Floats]:
    order = np.argsort(-score, kind="stable")
    last = np.r_[np.flatnonzero(np.diff(score[order])), len(score) - 1]
    true, false = (np.cumsum((weights * kind)[order])[last] for kind in (positive, ~positive))
    return np.r_[0.0, false / false[-1]], np.r_[0.0, true / true[-1]]


def pr_curve(scores: Sequence[Floats], positive: Mask, folds: Sequence[Codes | None] = ()) -> tuple[Floats, Floats]:
    """Precision at each sensitivity, averaged over passes.

    Parameters
    ----------
    folds : sequence of (ndarray of shape (n_samples,) or None), optional
        As for `roc_curve`: samples are ranked within their fold.

    Returns
    -------
    tuple of ndarray of shape (101,)
        Sensitivity (recall) and precision at the prevalence of the samples.
    """
    curves = []
    for recall, precision in _precisions(scores, positive, folds):
        at = np.searchsorted(recall, _GRID - 1e-12)
        curves.append(precision[np.minimum(at, len(precision) - 1)])
    return _GRID, np.mean(curves, axis=0)


def average_precision(scores: Sequence[Floats], positive: Mask, folds: Sequence[Codes | None] = ()) -> float:
    """Mean over passes of the precision averaged over the steps in sensitivity.

    Notes
    -----
    scikit-learn's ``average_precision_score`` where there are no folds. By chance it is the prevalence.
    """
    found = _precisions(scores, positive, folds)
    return float(np.mean([(np.diff(recall, prepend=0.0) * precision).sum() for recall, precision in found]))


def _precisions(
    scores: Sequence[Floats], positive: Mask, folds: Sequence[Codes | None]
) -> Iterator[tuple[Floats, Floats]]:
    """Give recall and precision at each threshold, pass by pass."""
    rate = positive.mean()
    for score, fold in zip(scores, folds or [None] * len(scores), strict=True):
        above, weights = np.full(len(score), np.nan), np.zeros(len(score))
        codes = np.zeros(len(score), dtype=np.intp) if fold is None else fold
        for k in np.unique(codes):
            here = codes == k
            of_state = positive[here]
            if of_state.any() and not of_state.all():
                above[here], weights[here] = _ranked(score[here], of_state)
        if not weights.any():  # no fold has both kinds
            above, weights = _ranked(score, positive)
        order = np.argsort(above, kind="stable")
        last = np.r_[np.flatnonzero(np.diff(above[order])), len(score) - 1]
        true, false = (np.cumsum((weights * kind)[order])[last] for kind in (positive, ~positive))
        recall, alarms = true / true[-1], false / false[-1]
        yield recall, rate * recall / (rate * recall + (1 - rate) * alarms)


def _ranked(score: Floats, positive: Mask) -> tuple[Floats, Floats]:
    """Where each sample stands in its fold, and how much it counts there.

    Returns
    -------
    tuple of ndarray of shape (n_samples,)
        Share ranked as high or higher, both kinds of samples counted alike, so that folds of another mix can be compared; and
        weights by which a fold counts by its number of pairs, as in the AUC.
    """
    distances = np.where(positive, 0.5 / positive.sum(), 0.5 / (~positive).sum())
    order = np.argsort(-score, kind="stable")
    last = np.r_[np.flatnonzero(np.diff(score[order])), len(score) - 1]
    reached = np.cumsum(distances[order])
    above = np.empty(len(score))
    above[order] = np.repeat(reached[last].round(12), np.diff(np.r_[-1, last]))
    return above, np.where(positive, (~positive).sum(), positive.sum()).astype(np.float64)


@dataclass(frozen=True, eq=False)
class CalibrationBins:
    """Probabilities said and shares seen, in bins of about equal count.

    Parameters
    ----------
    said : ndarray of shape (n_bins,)
        Mean probability.
    seen : tuple of Estimate
        Share of the state, with intervals by subject.
    count : ndarray of shape (n_bins,)
        Answers in the bin, over all passes.
    brier : float
        Mean squared error of the probabilities.
    """

    said: Floats
    seen: tuple[Estimate, ...]
    count: NDArray[np.intp]
    brier: float

    @property
    def ece(self) -> float:
        """Expected calibration error: mean distance of said from seen, weighed by count."""
        return float((self.count * np.abs(self.said - self._shares)).sum() / self.count.sum())

    @property
    def _shares(self) -> Floats:
        return np.array([figure.value for figure in self.seen])

    def decomposition(self) -> dict[str, float]:
        """Parts of the Brier score: reliability − resolution + uncertainty + within_bins is the score.

        Notes
        -----
        Murphy 1973, J. Appl. Meteorol. 12:595; within_bins is what binning hides (Stephenson et al. 2008).
        """
        weight = self.count / self.count.sum()
        rate = float((weight * self._shares).sum())
        reliability = float((weight * (self.said - self._shares) ** 2).sum())
        resolution = float((weight * (self._shares - rate) ** 2).sum())
        uncertainty = rate * (1 - rate)
        return {
            "brier": self.brier,
            "reliability": reliability,
            "resolution": resolution,
            "uncertainty": uncertainty,
            "within_bins": self.brier - (reliability - resolution + uncertainty),
        }


def calibration_bins(probabilities: Sequence[Floats], positive: Mask, n_bins: int | None = None) -> CalibrationBins:
    """Sort answers into bins and compare what was said with what was seen.

    Parameters
    ----------
    probabilities : sequence of ndarray of shape (n_samples,)
        Of the state, one for each pass.
    positive : ndarray of bool of shape (n_samples,)
        Samples of the state.
    n_bins : int, optional
        One for each 10 samples, 3 to 10, when not given; equal probabilities stay in one bin.
    """
    p, n = np.concatenate(list(probabilities)), len(positive)
    truth = np.tile(positive, len(probabilities)).astype(np.float64)
    row = np.tile(np.arange(n), len(probabilities))
    wanted = n_bins or int(np.clip(n // 10, 3, 10))
    edges = np.unique(np.quantile(p, np.linspace(0, 1, wanted + 1)[1:-1]))
    where = np.searchsorted(edges, p, side="left")
    said, seen, count = [], [], []
    for b in np.unique(where):
        here = where == b
        share = float(truth[here].mean())
        influence = np.bincount(row[here], (truth[here] - share) / here.sum(), minlength=n).astype(np.float64)
        said.append(float(p[here].mean()))
        seen.append(Estimate(share, influence, share=True))
        count.append(int(here.sum()))
    return CalibrationBins(
        np.array(said), tuple(seen), np.array(count, dtype=np.intp), float(((p - truth) ** 2).mean())
    )


def net_benefit(
    probabilities: Sequence[Floats], positive: Mask, thresholds: Floats, prevalence: float | None = None
) -> tuple[Floats, Floats]:
    """Net benefit of acting on the model, and of acting on everyone, at each threshold; acting on no one has 0.

    Parameters
    ----------
    probabilities : sequence of ndarray of shape (n_samples,)
        Of the state, one for each pass.
    positive : ndarray of bool of shape (n_samples,)
        Samples of the state.
    thresholds : ndarray of shape (n_thresholds,)
        Probabilities from which one would act, above 0 and below 1.
    prevalence : float, optional
        At the place of use; that of the samples when not given.

    Returns
    -------
    model, everyone : ndarray of shape (n_thresholds,)
        In true positives a person.

    Notes
    -----
    Vickers & Elkin 2006, Med. Decis. Making 26:565; with a prevalence as in case-control studies (Pfeiffer & Gail 2020).
    Equal to dcurves (tests/golden/README.md).
    """
    rate = float(positive.mean()) if prevalence is None else prevalence
    odds = thresholds / (1 - thresholds)
    models = []
    for p in probabilities:
        acted = p[:, None] >= thresholds
        models.append(rate * acted[positive].mean(axis=0) - (1 - rate) * acted[~positive].mean(axis=0) * odds)
    return np.mean(models, axis=0), rate - (1 - rate) * odds


def risk_coverage(probabilities: Sequence[Floats], y: Codes) -> tuple[Floats, Floats, float]:
    """Share of errors when only the surest answers are given, averaged over passes.

    Parameters
    ----------
    probabilities : sequence of ndarray of shape (n_samples, n_states)
        One for each pass.
    y : ndarray of shape (n_samples,)
        State codes.

    Returns
    -------
    coverage, risk : ndarray of shape (20,)
        Share of the samples answered, 0.05 to 1, and share of errors among them.
    area : float
        Mean risk over all coverages, one for each sample; lower is better.

    Notes
    -----
    Geifman & El-Yaniv 2017; answers that are equally sure count as one.
    """
    coverage = np.linspace(0.05, 1, 20)
    risks, areas = [], []
    for p in probabilities:
        sure, wrong = p.max(axis=1), (p.argmax(axis=1) != y).astype(np.float64)
        _, code = np.unique(-sure, return_inverse=True)
        expected = (np.bincount(code, wrong) / np.bincount(code))[code]  # ties in no order of their own
        so_far = np.cumsum(expected[np.argsort(-sure, kind="stable")]) / np.arange(1, len(y) + 1)
        risks.append(so_far[np.maximum(np.ceil(coverage * len(y) - 1e-9).astype(int), 1) - 1])
        areas.append(float(so_far.mean()))
    return coverage, np.mean(risks, axis=0), float(np.mean(areas))
