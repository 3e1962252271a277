"""What the demo found, in plain words."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

import numpy as np

from exoclassify.model.told import used_in

if TYPE_CHECKING:
    import pandas as pd
    from numpy.typing import NDArray

    from exoclassify.data.cohort import Cohort
    from exoclassify.model.bundle import ModelBundle
    from exoclassify.model.evaluation import Judged
    from exoclassify.model.prediction import Predictions

__all__ = ["in_new_batch", "judged", "log_loss_of", "marker_weights", "markers", "with_local"]


def judged(bundle: ModelBundle) -> list[str]:
    """Say what the judgement found inside and across batches."""
    assert bundle.evaluation is not None  # the demo judges
    crossed, batched = bundle.evaluation.cross_validation, bundle.evaluation.leave_one_batch_out
    assert batched is not None
    held = ", ".join(f"{state} {share:.0%}" for state, share in batched.sets.coverage.items())
    return [
        f"Cross-validation, new persons of the same centres: {_auc(crossed)}.",
        f"Within each centre, left out in turn: {_auc(batched)}. This is the headline; 0.5 is chance, 1 is perfect.",
        *used_in(bundle.about),
        f"In a centre left out its {batched.sets.level:.0%} prediction sets held the true state in: {held}.",
    ]


def in_new_batch(predictions: Predictions, new: Cohort) -> list[str]:
    """Compare the calls with the truth, which a simulation knows."""
    true = new.y[[new.sheet.sample_ids.index(sample) for sample in predictions.sample_ids]]
    called, right = _counted(predictions, true)
    best = int((np.array(predictions.best_guesses) == true).sum())
    total = len(true)
    return [
        f"Compared with the truth: {called} of {total} samples called, {right} of them rightly and {called - right} wrongly; "
        f"{total - called} uncertain. The best guess is right for {best} of the {total}; log-loss "
        f"{log_loss_of(predictions, true):.2f}."
    ]


def _counted(predictions: Predictions, true: NDArray[np.str_]) -> tuple[int, int]:
    calls = np.array(predictions.calls)
    return int((calls != "uncertain").sum()), int((calls == true).sum())


def log_loss_of(predictions: Predictions, true: NDArray[np.str_]) -> float:
    """Mean negative log-probability of the true states.

    Parameters
    ----------
    true : ndarray of str of shape (n_samples,)
        Their states.
    """
    columns = np.array([predictions.states.index(state) for state in true])
    return float(-np.log(predictions.probabilities[np.arange(len(true)), columns]).mean())


def with_local(bundle: ModelBundle, new: Cohort, n_local: int = 10, draws: int = 10) -> list[str]:
    """Take the new centre on board with a few of its samples, again and again, and say what that gives on average.

    Parameters
    ----------
    new : Cohort
        Its samples, with the true states, which are used for the mix and for the comparison alone.
    """
    from exoclassify.lifecycle.recalibrate import LocalSamples, recalibrate
    from exoclassify.model.prediction import Use

    states, counts = np.unique(new.y, return_counts=True)
    mix = {str(s): float(n / counts.sum()) for s, n in zip(states, counts, strict=True)}
    totals = {"without": np.zeros(3), "with": np.zeros(3)}
    for seed in range(draws):
        order = np.random.default_rng(seed).permutation(new.n_samples)
        local, rest = new.cargo.take(order[:n_local]), new.take(np.sort(order[n_local:]))
        done = recalibrate(bundle, LocalSamples(local, mix=mix), site="new")
        for name, model, use in (("without", bundle, Use(prevalence=mix)), ("with", done.bundle, Use())):
            found = model.predict(rest.cargo, use)
            called, right = _counted(found, rest.y)
            totals[name] += [log_loss_of(found, rest.y) / draws, called, called - right]
    told = []
    for name, total in totals.items():
        loss, n_called, wrong = total.tolist()
        share = f"{wrong / n_called:.0%} of these calls wrong" if n_called else "none called"
        asked = draws * (new.n_samples - n_local)
        told.append(f"{name} the profile log-loss {loss:.2f}, {n_called / asked:.0%} called, {share}")
    return [
        f"A profile from {n_local} samples of the new centre, without labels but with the mix stated, then asked about the "
        f"other samples; mean of {draws} draws: {'; '.join(told)}."
    ]


def markers(bundle: ModelBundle, training: Cohort, truth: pd.DataFrame) -> list[str]:
    """Say how the true markers stand among the weights of the linear part."""
    table = marker_weights(bundle, training)
    lines = []
    for state, true in truth.groupby("state", sort=False):
        effects = dict(zip(true["molecule"], true["effect"], strict=True))
        lines += _of_state(str(state), table[str(state)], effects)
    return lines


def marker_weights(bundle: ModelBundle, training: Cohort) -> pd.DataFrame:
    """Weight of each molecule for each state in the linear part of the compiled scorer.

    Returns
    -------
    DataFrame
        Index = molecules of the panel, columns = states: change of the state's log-odds, against the mean of the states, for
        one standard deviation more of the molecule, summed over the views. Trees are not in it.
    """
    import pandas as pd

    from exoclassify.model.blend import FittedBlend
    from exoclassify.model.compiled import CompiledBlend

    assert isinstance(bundle.blend, FittedBlend)  # the demo trains a model of one layer
    assert isinstance(bundle.compiled, CompiledBlend)
    views = bundle.blend.views.of(np.ascontiguousarray(training.cargo.aligned(bundle.panel.molecules)))
    matrices: Mapping[str, NDArray[np.float64]] = bundle.compiled.matrices
    weights = np.zeros((len(bundle.panel.molecules), len(bundle.states)))
    for view, matrix in matrices.items():
        weights += views[view].std(axis=0)[:, None] * matrix[:, : len(bundle.states)]
    weights -= weights.mean(axis=1, keepdims=True)
    return pd.DataFrame(weights, index=list(bundle.panel.molecules), columns=list(bundle.states))


def _of_state(state: str, weights: pd.Series[float], effects: Mapping[str, float]) -> list[str]:
    inside = [molecule for molecule in effects if molecule in weights.index]
    largest = weights.abs().sort_values(ascending=False).index
    n = len(effects)
    found = [molecule for molecule in largest[:n] if molecule in effects]
    agree = sum(weights[molecule] * effects[molecule] > 0 for molecule in inside)
    by_chance = n * len(inside) / len(weights)
    named = ", ".join(f"{molecule} ({effects[molecule]:+.1f})" for molecule in found[:3])
    return [
        f"{state}: the panel of {len(weights)} holds {len(inside)} of its {n} true markers; {agree} have a weight of the right "
        f"sign, and {len(found)} stand among the {n} largest weights ({by_chance:.1f} by chance). Largest: {named or 'none'}; "
        "in brackets the true log2 fold change."
    ]


def _auc(found: Judged) -> str:
    figure = found.figures.auc
    return f"AUC {figure.value:.2f} (95 % interval {figure.low:.2f} to {figure.high:.2f})"
