"""What the demo found, in plain words."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import numpy as np
    import pandas as pd
    from numpy.typing import NDArray

    from exoclassify.data.cohort import Cohort
    from exoclassify.model.bundle import ModelBundle
    from exoclassify.model.prediction import Predictions

__all__ = ["in_new_batch", "judged", "marker_weights", "markers"]


def judged(bundle: ModelBundle) -> list[str]:
    """Say what the judgement found inside and across batches.

    Parameters
    ----------
    bundle : ModelBundle
        Judged, with batches.

    Returns
    -------
    list of str
        Lines of text.
    """
    evaluation = bundle.about["evaluation"]
    crossed, batched = evaluation["cross_validation"], evaluation["leave_one_batch_out"]
    held = ", ".join(f"{state} {share:.0%}" for state, share in batched["sets"]["coverage"].items())
    return [
        f"Cross-validation, new persons of the same centres: {_auc(crossed)}.",
        f"Leaving out each centre in turn: {_auc(batched)}.",
        "The headline is the worse of the two; 0.5 is chance, 1 is perfect.",
        f"In a centre left out it called {batched['calls']['called']:.0%} of the samples, "
        f"{batched['calls']['called_wrong']:.0%} of all wrongly; its {batched['sets']['level']:.0%} prediction sets held the "
        f"true state in: {held}.",
    ]


def in_new_batch(predictions: Predictions, new: Cohort) -> list[str]:
    """Compare the calls with the truth, which a simulation knows.

    Parameters
    ----------
    predictions : Predictions
        For the samples of `new`.
    new : Cohort
        With the true states.

    Returns
    -------
    list of str
        Lines of text.
    """
    true = dict(zip(new.sheet.sample_ids, new.y, strict=True))
    pairs = [
        (call, true[sample]) for sample, call in zip(predictions.sample_ids, predictions.calls, strict=True)
    ]
    right = sum(call == state for call, state in pairs)
    unsure = sum(call == "uncertain" for call, _ in pairs)
    best = predictions.probabilities.argmax(axis=1)
    first = sum(
        predictions.states[k] == true[sample] for k, sample in zip(best, predictions.sample_ids, strict=True)
    )
    total = len(pairs)
    return [
        f"Against the truth: {total - unsure} called, {right} of them rightly and {total - unsure - right} wrongly; {unsure} "
        f"uncertain. Forced to answer always, the most probable state would be right for {first} of the {total} and wrong for "
        f"{total - first}."
    ]


def markers(bundle: ModelBundle, training: Cohort, truth: pd.DataFrame) -> list[str]:
    """Say how the true markers stand among the weights of the linear part.

    Parameters
    ----------
    bundle : ModelBundle
        Trained on `training`.
    training : Cohort
        Gives the spread of each molecule.
    truth : DataFrame
        Columns molecule, state, effect.

    Returns
    -------
    list of str
        Lines of text.
    """
    table = marker_weights(bundle, training)
    lines = []
    for state, true in truth.groupby("state", sort=False):
        effects = dict(zip(true["molecule"], true["effect"], strict=True))
        lines += _of_state(str(state), table[str(state)], effects)
    return lines


def marker_weights(bundle: ModelBundle, training: Cohort) -> pd.DataFrame:
    """Weight of each molecule for each state in the linear part of the compiled scorer.

    Parameters
    ----------
    bundle : ModelBundle
        Any model with linear voices.
    training : Cohort
        Gives the spread of each molecule.

    Returns
    -------
    DataFrame
        Index = molecules of the panel, columns = states: change of the state's log-odds, against the mean of the states, for
        one standard deviation more of the molecule, summed over the views. Trees are not in it.
    """
    import numpy as np
    import pandas as pd

    views = bundle.blend.views.of(np.ascontiguousarray(training.cargo.aligned(bundle.panel.molecules)))
    matrices: Mapping[str, NDArray[np.float64]] = bundle.compiled.matrices
    weights = np.zeros((len(bundle.panel.molecules), len(bundle.states)))
    for view, matrix in matrices.items():
        weights += views[view].std(axis=0)[:, None] * matrix
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


def _auc(found: Mapping[str, Any]) -> str:
    figure = found["figures"]["auc"]
    return f"AUC {figure['value']:.2f} (95 % interval {figure['low']:.2f} to {figure['high']:.2f})"
