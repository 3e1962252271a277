"""Whether one model or recipe is better than another, on answers to the same samples in the same folds."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pandas as pd

from exoclassify.errors import DesignError
from exoclassify.judging.resampling import bootstrap_weights, corrected_resampled_t, percentile_interval, weighted_aucs
from exoclassify.model.evaluation import Comparison, Paired, WithinFolds
from exoclassify.typing import Floats

__all__ = ["compare"]


_DRAWS = 2000
_KEYS = ["judged", "sample", "fold"]


def compare(first: pd.DataFrame, second: pd.DataFrame, *, digests: tuple[str, str], seed: int = 0) -> Comparison:
    """Compare two sets of out-of-fold answers.

    By AUC, log-loss and Brier score, with the interval of the paired bootstrap over subjects and the corrected resampled t test
    over folds.
    """
    if digests[0] != digests[1]:
        raise DesignError(
            f"the two were judged on different folds (sha256 {digests[0][:12]}… and {digests[1][:12]}…), so their figures "
            "cannot be compared with each other; train both on the same table, sheet, seed, folds and repeats"
        )
    first, second = _crossed(first), _crossed(second)
    states = [column.removeprefix("p_") for column in first.columns if column.startswith("p_")]
    if not first[[*_KEYS, "label"]].equals(second[[*_KEYS, "label"]]) or list(first.columns) != list(second.columns):
        raise DesignError(
            "the two were judged on other samples or other states; train both on the same table and sheet"
        )
    pair = (_Answers(first, states), _Answers(second, states))
    weights = bootstrap_weights(pair[0].y, pair[0].groups, _DRAWS, seed)
    return Comparison(
        auc=_paired(pair, _Answers.auc, weights),
        log_loss=_paired(pair, _Answers.log_loss, weights),
        brier=_paired(pair, _Answers.brier, weights),
    )


def _crossed(frame: pd.DataFrame) -> pd.DataFrame:
    kept = frame[frame["judged"] != "batch"]
    return kept.sort_values(_KEYS, kind="stable").reset_index(drop=True)


class _Answers:
    """Out-of-fold answers of one model, sample by sample; several rows for a sample are repeats."""

    def __init__(self, frame: pd.DataFrame, states: list[str]) -> None:
        self.p = np.clip(frame[[f"p_{state}" for state in states]].to_numpy(dtype=np.float64), 1e-15, 1.0)
        self.states = states
        _, first, self.sample = np.unique(frame["sample"].to_numpy(), return_index=True, return_inverse=True)
        names = {state: k for k, state in enumerate(states)}
        self.truth = np.array([names[label] for label in frame["label"]], dtype=np.intp)
        self.y = self.truth[first]
        self.groups = np.unique(frame["subject"].to_numpy()[first], return_inverse=True)[1]
        self.repeat = np.unique(frame["judged"].to_numpy(), return_inverse=True)[1]
        self.fold = np.unique(frame["judged"].astype(str) + "/" + frame["fold"].astype(str), return_inverse=True)[1]

    def auc(self, weights: Floats) -> Floats:
        """Mean over repeats and states, within folds; weights (n_draws, n_samples)."""
        parts = []
        for repeat in np.unique(self.repeat):
            here = self.repeat == repeat
            for k in range(len(self.states)):
                parts.append(
                    weighted_aucs(
                        self.p[here, k], self.truth[here] == k, weights[:, self.sample[here]], self.fold[here]
                    )
                )
        mean: Floats = np.mean(parts, axis=0)
        return mean

    def log_loss(self, weights: Floats) -> Floats:
        """Mean over samples; weights (n_draws, n_samples)."""
        return self._mean(-np.log(self.p[np.arange(len(self.truth)), self.truth]), weights)

    def brier(self, weights: Floats) -> Floats:
        """Mean over samples, halved as in `metrics.brier`; weights (n_draws, n_samples)."""
        wrong = self.p.copy()
        wrong[np.arange(len(self.truth)), self.truth] -= 1
        return self._mean((wrong**2).sum(axis=1) / 2, weights)

    def _mean(self, loss: Floats, weights: Floats) -> Floats:
        taken = weights[:, self.sample]
        mean: Floats = taken @ loss / taken.sum(axis=1)
        return mean

    def within(self, figure: Callable[[_Answers, Floats], Floats], fold: int) -> float:
        """Give the figure of one fold alone; NaN where a state is absent."""
        rows = self.fold == fold
        part = object.__new__(_Answers)
        part.p, part.truth, part.states = self.p[rows], self.truth[rows], self.states
        part.sample, part.repeat, part.fold = np.arange(int(rows.sum())), self.repeat[rows], self.fold[rows]
        return float(figure(part, np.ones((1, int(rows.sum()))))[0])


def _paired(pair: tuple[_Answers, _Answers], figure: Callable[[_Answers, Floats], Floats], weights: Floats) -> Paired:
    ones = np.ones((1, weights.shape[1]))
    first, second = (float(figure(one, ones)[0]) for one in pair)
    drawn = figure(pair[0], weights) - figure(pair[1], weights)
    folds = np.unique(pair[0].fold)
    by_fold = np.array([pair[0].within(figure, f) - pair[1].within(figure, f) for f in folds])
    known = by_fold[np.isfinite(by_fold)]
    aside = float(np.mean([(pair[0].fold == f).sum() for f in folds]))
    mean, statistic, p_value = corrected_resampled_t(known, aside / (len(pair[0].y) - aside))
    low, high = percentile_interval(drawn)
    return Paired(
        first=first,
        second=second,
        difference=first - second,
        low=low,
        high=high,
        within_folds=WithinFolds(
            difference=mean, t=statistic if np.isfinite(statistic) else None, p_value=p_value, folds=len(known)
        ),
    )
