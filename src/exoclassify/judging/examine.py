"""Every figure a reviewer asks of answers given to held-out samples, or to another cohort."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray
from scipy.special import softmax

from exoclassify.data.states import positive_states
from exoclassify.judging.curves import (
    CalibrationBins,
    average_precision,
    calibration_bins,
    net_benefit,
    pr_curve,
    risk_coverage,
    roc_band,
    roc_curve,
)
from exoclassify.judging.metrics import Estimate, against_rest, auc, auc_within, brier, macro_auc, mean_figure
from exoclassify.judging.operating import OperatingPoint, operating_point, reaching, share_of
from exoclassify.judging.resampling import bootstrap_weights, percentile_interval, weighted_aucs
from exoclassify.model.figures import (
    AucIntervals,
    BrierParts,
    CalibrationCurve,
    Examined,
    Figure,
    NetBenefit,
    OfState,
    PrecisionRecall,
    RiskCoverage,
    Roc,
    SetsOfGroup,
    Subgroup,
    Threshold,
)
from exoclassify.typing import Codes, Floats, Mask

__all__ = ["Answered", "examine"]


_DRAWS = 2000
_BAND_DRAWS = 200
_MOST_WEIGHTS = 20_000_000
"""Of the bootstrap at once, 160 MB: with more than 10,000 samples there are fewer draws."""


@dataclass(frozen=True, eq=False)
class Answered:
    """Answers to samples whose state is known.

    Parameters
    ----------
    log_odds : ndarray of shape (n_passes, n_samples, n_states)
        Logs of the probabilities answered.
    sets : ndarray of bool of the same shape
        Prediction sets.
    called : ndarray of bool of shape (n_passes, n_samples)
        Whether a state was called.
    y, groups : ndarray of shape (n_samples,)
        Codes of state and of subject.
    states : tuple of str
        Names of the columns.
    level : float
        Promised coverage of the sets.
    prevalence : ndarray of shape (n_states,), optional
        At the place of use; that of the samples when not given.
    fold : ndarray of shape (n_passes, n_samples), optional
        In which fold each was left out, where the AUC is to rank samples of the same fold only.
    strata : mapping of str to ndarray of str
        Such as batch, sex, age band; blank = not known.
    n_folds : int
        Models that answered in one pass; see `Estimate.over_folds`.
    """

    log_odds: Floats
    sets: Mask
    called: Mask
    y: Codes
    groups: Codes
    states: tuple[str, ...]
    level: float
    prevalence: Floats | None = None
    fold: Codes | None = None
    strata: Mapping[str, NDArray[np.str_]] = field(default_factory=dict)
    n_folds: int = 1

    @property
    def probabilities(self) -> Floats:
        """At the prevalence of use; shape (n_passes, n_samples, n_states)."""
        result: Floats = softmax(self.log_odds, axis=2)
        return result

    def figure(self, estimate: Estimate, groups: Codes | None = None) -> Figure:
        """Give an estimate with its interval; of some samples, where their subjects are given."""
        return estimate.figure(self.groups if groups is None else groups, self.n_folds)


def examine(
    answered: Answered, *, thresholds: Sequence[float] = (0.5,), quoted: Figure | None = None, seed: int = 0
) -> Examined:
    """Work out curves, intervals, operating points, sets, abstaining and subgroups.

    Parameters
    ----------
    thresholds : sequence of float
        Probabilities from which a state is called, beside those that reach 90 % sensitivity or specificity.
    quoted : Figure, optional
        The AUC as it is told elsewhere, where its interval is another one than that of these answers.
    """
    p = answered.probabilities
    coverage, risk, area = risk_coverage(list(p), answered.y)
    return Examined(
        auc_intervals=_auc_intervals(answered, quoted, seed),
        states={
            state: _of_state(answered, p[:, :, answered.states.index(state)], state, thresholds, seed)
            for state in positive_states(answered.states)
        },
        confusion=_confusion(answered),
        sets=_sets(answered),
        risk_coverage=RiskCoverage(
            coverage=_short(coverage),
            risk=_short(risk),
            area=area,
            called=float(answered.called.mean()),
            wrong_among_called=_wrong_among_called(answered),
        ),
        subgroups=_subgroups(answered),
    )


def _short(values: Floats) -> tuple[float, ...]:
    """Round what is only drawn: four decimals."""
    return tuple(round(float(v), 4) for v in values)


def _folds(answered: Answered) -> list[Codes | None]:
    """Folds of each pass; None where answers are pooled."""
    return [None] * len(answered.log_odds) if answered.fold is None else list(answered.fold)


def _state_auc(answered: Answered, k: int) -> Estimate:
    """AUC of one state against the rest, within folds where these are given."""
    positive, found = answered.y == k, []
    for one, fold in zip(answered.log_odds, _folds(answered), strict=True):
        score = against_rest(one, k)
        inside = None if fold is None else auc_within(score, positive, fold)
        found.append(auc(score, positive) if inside is None else inside)
    return mean_figure(found)


def _auc_intervals(answered: Answered, quoted: Figure | None, seed: int) -> AucIntervals:
    passes = list(zip(answered.log_odds, _folds(answered), strict=True))
    figure = mean_figure([macro_auc(one, answered.y, fold) for one, fold in passes])
    draws = int(np.clip(_MOST_WEIGHTS // len(answered.y), 200, _DRAWS))
    weights = bootstrap_weights(answered.y, answered.groups, draws, seed)
    drawn = np.mean(
        [
            weighted_aucs(against_rest(one, k), answered.y == k, weights, fold)
            for one, fold in passes
            for k in range(len(answered.states))
        ],
        axis=0,
    )
    told = answered.figure(figure) if quoted is None else quoted
    return AucIntervals(
        value=figure.value,
        quoted=(told.low, told.high),
        delong_by_subject=figure.interval(answered.groups),
        delong_by_sample=figure.interval(np.arange(len(answered.y))),
        bootstrap_by_subject=percentile_interval(drawn),
        draws=draws,
    )


def _of_state(answered: Answered, p: Floats, state: str, thresholds: Sequence[float], seed: int) -> OfState:
    k = answered.states.index(state)
    positive = answered.y == k
    scores = [against_rest(one, k) for one in answered.log_odds]
    rate = float(positive.mean()) if answered.prevalence is None else float(answered.prevalence[k])
    bins = calibration_bins(list(p), positive)
    at = np.round(np.arange(0.01, 1.0, 0.01), 2)
    model, everyone = net_benefit(list(p), positive, at, rate)
    folds, ranked = _folds(answered), answered.figure(_state_auc(answered, k))
    (fpr, tpr), (recall, precision) = roc_curve(scores, positive, folds), pr_curve(scores, positive, folds)
    weights = bootstrap_weights(answered.y, answered.groups, _BAND_DRAWS, seed)
    low, high = roc_band(scores, positive, folds, weights)
    points = [(f"{t:g}", t) for t in thresholds] + [
        (f"90 % {of}", reaching(list(p), positive, 0.9, of=of)) for of in ("sensitivity", "specificity")
    ]
    return OfState(
        prevalence=rate,
        share=float(positive.mean()),
        auc=ranked,
        average_precision=average_precision(scores, positive, folds),
        roc=Roc(
            false_positive_rate=_short(fpr),
            sensitivity=_short(tpr),
            low=_short(np.minimum(low, tpr)),
            high=_short(np.maximum(high, tpr)),
            area=ranked.value,
        ),
        precision_recall=PrecisionRecall(recall=_short(recall), precision=_short(precision)),
        calibration=_calibration(bins, answered, p, seed),
        net_benefit=NetBenefit(threshold=_short(at), model=_short(model), everyone=_short(everyone)),
        thresholds=tuple(_threshold(name, operating_point(list(p), positive, t, rate), answered) for name, t in points),
    )


def _calibration(bins: CalibrationBins, answered: Answered, p: Floats, seed: int) -> CalibrationCurve:
    return CalibrationCurve(
        said=_short(bins.said),
        seen=tuple(answered.figure(estimate) for estimate in bins.seen),
        count=tuple(int(count) for count in bins.count),
        ece=bins.ece,
        ece_if_calibrated=_ece_if_calibrated(p, seed),
        brier_parts=BrierParts(**bins.decomposition()),
    )


def _ece_if_calibrated(p: Floats, seed: int) -> float:
    """Mean ECE of as many answers that are calibrated perfectly: what sampling alone gives."""
    rng = np.random.default_rng(seed)
    return float(np.mean([calibration_bins(list(p), rng.random(p.shape[1]) < p.mean(axis=0)).ece for _ in range(50)]))


def _threshold(chosen: str, point: OperatingPoint, answered: Answered) -> Threshold:
    def told(share: Estimate | None) -> Figure | None:
        return None if share is None else answered.figure(share)

    return Threshold(
        chosen=chosen,
        threshold=point.threshold,
        sensitivity=told(point.sensitivity),
        specificity=told(point.specificity),
        ppv=told(point.ppv),
        npv=told(point.npv),
    )


def _sets(answered: Answered) -> tuple[SetsOfGroup, ...]:
    n = len(answered.y)
    held = answered.sets[:, np.arange(n), answered.y].mean(axis=0)
    size = answered.sets.sum(axis=2).mean(axis=0)
    states = [("state", state, answered.y == k) for k, state in enumerate(answered.states)]
    return tuple(
        SetsOfGroup(
            by=by,
            of=level,
            n_samples=int(here.sum()),
            promised=answered.level,
            coverage=answered.figure(share_of(held, here)),
            mean_size=float(size[here].mean()),
        )
        for by, level, here in (*states, *_groups(answered))
    )


def _groups(answered: Answered) -> list[tuple[str, str, Mask]]:
    """Give stratum, level and samples of each group."""
    return [
        (by, str(level), values == level)
        for by, values in answered.strata.items()
        for level in np.unique(values)
        if level
    ]


def _confusion(answered: Answered) -> dict[str, dict[str, float]]:
    """Count samples by state and call, averaged over passes."""
    best = np.where(answered.called, answered.log_odds.argmax(axis=2), len(answered.states))
    columns = (*answered.states, "uncertain")
    return {
        state: {call: float((best[:, answered.y == k] == c).sum(axis=1).mean()) for c, call in enumerate(columns)}
        for k, state in enumerate(answered.states)
    }


def _wrong_among_called(answered: Answered) -> float | None:
    wrong = answered.called & (answered.log_odds.argmax(axis=2) != answered.y)
    called = int(answered.called.sum())
    return float(wrong.sum() / called) if called else None


def _subgroups(answered: Answered) -> tuple[Subgroup, ...]:
    return tuple(_subgroup(answered, by, level, here) for by, level, here in _groups(answered))


def _subgroup(answered: Answered, by: str, level: str, here: Mask) -> Subgroup:
    counts = np.bincount(answered.y[here], minlength=len(answered.states))
    groups = np.unique(answered.groups[here], return_inverse=True)[1]
    score = mean_figure([brier(one[here], answered.y[here]) for one in answered.log_odds])
    return Subgroup(
        by=by,
        of=level,
        n_samples=int(here.sum()),
        n_subjects=int(groups.max()) + 1,
        samples={state: int(n) for state, n in zip(answered.states, counts, strict=True)},
        auc=answered.figure(_pooled(answered, here), groups) if counts.min() >= 2 else None,
        brier=answered.figure(score, groups),
        called=float(answered.called[:, here].mean()),
    )


def _pooled(answered: Answered, here: Mask) -> Estimate:
    """AUC of a group, all folds together: within a fold it has too few pairs."""
    return mean_figure([macro_auc(one[here], answered.y[here]) for one in answered.log_odds])
