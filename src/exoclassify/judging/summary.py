"""The figures of what was said of held-out samples."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from scipy.special import softmax

from exoclassify.judging.judgement import KeptAside
from exoclassify.judging.metrics import Estimate, against_rest, auc, auc_within, figures, macro_auc, mean_figure
from exoclassify.learning.recipe import Recipe
from exoclassify.learning.samples import Samples
from exoclassify.model.evaluation import BatchLeftOut, Calls, CrossValidation, Headline, LeftOutBatches, SetsInAll
from exoclassify.model.figures import Figure, Figures
from exoclassify.typing import Codes

__all__ = ["by_batch", "headline", "summarised"]


class Summary(NamedTuple):
    """The figures that every way of judging has; see `CrossValidation`."""

    n_samples: int
    n_subjects: int
    figures: Figures
    sets: SetsInAll
    calls: Calls


def summarised(samples: Samples, passes: Sequence[KeptAside], recipe: Recipe, *, within: bool = False) -> Summary:
    """Make figures of passes over the same samples.

    Parameters
    ----------
    within : bool
        The AUC quoted ranks only samples of the same fold, which one model answered for. Pooling ranks scores of different
        models, and is a figure of none; whether one cut-off carries over from batch to batch is told by the offsets' spread.
    """
    rows = passes[0].rows
    y, groups = samples.y[rows], np.unique(samples.groups[rows], return_inverse=True)[1]
    n_folds = len(np.unique(passes[0].fold))
    found = [_figures(kept, y, samples.states, within=within) for kept in passes]
    shared = [name for name in found[0] if all(name in each for each in found)]
    return Summary(
        n_samples=len(rows),
        n_subjects=len(np.unique(groups)),
        figures=Figures({name: mean_figure([each[name] for each in found]).figure(groups, n_folds) for name in shared}),
        sets=_sets(passes, y, samples.states, recipe),
        calls=_calls(passes, y, recipe),
    )


def _figures(kept: KeptAside, y: Codes, states: tuple[str, ...], *, within: bool) -> dict[str, Estimate]:
    """All figures of one pass, with the AUC both ways."""
    found = figures(kept.log_odds, y, states)
    inside = macro_auc(kept.log_odds, y, kept.fold)
    if not within:
        return found | {"auc_within_folds": inside}
    for k, state in enumerate(states):
        one = auc_within(against_rest(kept.log_odds, k), y == k, kept.fold)
        if f"auc:{state}" in found and one is not None:
            found[f"auc:{state}"] = one
    return found | {"auc": inside, "auc_pooled": found["auc"]}


def _sets(passes: Sequence[KeptAside], y: Codes, states: tuple[str, ...], recipe: Recipe) -> SetsInAll:
    held = np.mean([kept.sets[np.arange(len(y)), y] for kept in passes], axis=0)
    return SetsInAll(
        level=recipe.answers.level,
        coverage={state: float(held[y == k].mean()) for k, state in enumerate(states)},
        mean_size=float(np.mean([kept.sets.sum(axis=1).mean() for kept in passes])),
    )


def _calls(passes: Sequence[KeptAside], y: Codes, recipe: Recipe) -> Calls:
    called = np.stack([kept.calls >= 0 for kept in passes])
    wrong = np.stack([(kept.calls >= 0) & (kept.calls != y) for kept in passes])
    return Calls(
        called=float(called.mean()),
        called_wrong=float(wrong.mean()),
        wrong_among_called=float(wrong.sum() / called.sum()) if called.any() else None,
        max_wrong=recipe.answers.max_wrong,
        novel=float(np.mean([kept.novelty_p <= recipe.answers.novelty_alpha for kept in passes])),
    )


def by_batch(samples: Samples, kept: KeptAside, recipe: Recipe) -> LeftOutBatches | None:
    """Make figures of leaving out each batch, and of each batch alone.

    Returns
    -------
    LeftOutBatches or None
        None when a state is in none of the batches that could be left out. The interval of the AUC is the wider one of that
        over subjects and that over batches.
    """
    y = samples.y[kept.rows]
    if len(np.unique(y)) < len(samples.states):
        return None
    summary = summarised(samples, [kept], recipe, within=True)
    assert samples.batches is not None
    each = {}
    for fold in np.unique(kept.fold):
        here = kept.fold == fold
        complete = len(np.unique(y[here])) == len(samples.states)
        p = softmax(kept.log_odds[here], axis=1)
        value = np.mean([auc(p[:, k], y[here] == k).value for k in range(p.shape[1])]) if complete else None
        name = samples.named(samples.batches[kept.rows[here][0]])
        each[name] = BatchLeftOut(n_samples=int(here.sum()), auc=None if value is None else float(value))
    figures = dict(summary.figures.items())
    figures["auc"] = _over_batches(figures["auc"], [found.auc for found in each.values()])
    return LeftOutBatches(batches=each, **summary._replace(figures=Figures(figures))._asdict())


def _over_batches(figure: Figure, values: Sequence[float | None]) -> Figure:
    """Widen an interval over subjects to that over batches, where the latter is the wider one."""
    known = np.array([value for value in values if value is not None])
    if len(known) < 2:
        return figure
    half = 1.96 * float(known.std(ddof=1)) / np.sqrt(len(known))
    low, high = figure.value - half, figure.value + half
    return Figure(value=figure.value, low=max(0.0, min(figure.low, low)), high=min(1.0, max(figure.high, high)))


def headline(crossed: CrossValidation, batched: LeftOutBatches | None) -> Headline:
    """Give the AUC to quote: within batches that were left out where that was possible, else of cross-validation."""
    if batched is None:
        return Headline(figure="auc", **dict(crossed.figures.auc), source="cross_validation", n_batches=None)
    judged = sum(found.auc is not None for found in batched.batches.values())
    return Headline(figure="auc", **dict(batched.figures.auc), source="leave_one_batch_out", n_batches=judged)
